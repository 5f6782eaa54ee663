//! The contract of an account adapter, as a check for any implementation.

mod deletion;

use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use self::deletion::deletes_users;
use super::contract::{BrokenContract, ContractResult, STEP, record, rule, start};
use crate::account::{
    Account, AccountId, AccountKind, AccountOwner, Adapter, AdapterError, Email, NewUser,
    ProviderTokens, SessionAdapter, User, UserChange, UserEmail, VerificationRecord,
};
use crate::entity::Secret;
use crate::session::{Created, SecretHash, SessionRecord};
use crate::viewer::Subject;

/// The number of concurrent attempts at the same operation.
const AT_ONCE: usize = 8;

/// Checks `adapter`, which must be empty, against every rule of [`Adapter`].
///
/// # Errors
///
/// The first rule that the adapter breaks.
///
/// # Example
///
/// ```
/// use clearance::account::SqlAdapter;
/// use clearance::testing::check_adapter;
/// use clearance::{Db, Key};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let db = Db::connect("sqlite::memory:").await?;
/// db.migrate_accounts().await?;
/// check_adapter(&SqlAdapter::new(&db, Key::generate()?)?).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check_adapter(adapter: &dyn Adapter) -> Result<(), BrokenContract> {
    creates_users(adapter).await?;
    tells_addresses_apart(adapter).await?;
    changes_users(adapter).await?;
    links_accounts(adapter).await?;
    keeps_tokens(adapter).await?;
    signs_in(adapter).await?;
    signs_in_once(adapter).await?;
    redeems_tokens(adapter).await?;
    deletes_users(adapter).await
}

/// Checks `adapter`, which must be empty, against every rule of [`SessionAdapter`].
///
/// # Errors
///
/// The first rule that the adapter breaks.
pub async fn check_session_adapter(adapter: &dyn SessionAdapter) -> Result<(), BrokenContract> {
    let user = created(adapter, &NewUser::default()).await?;
    let session = SessionRecord {
        subject: user.id.clone(),
        ..record(1, "")
    };
    let orphan = record(2, "nobody");
    rule(
        "`create_session` stores a session, and never overwrites",
        answered(adapter.create_session(&session)).await? == Created::Stored(Vec::new())
            && answered(adapter.create_session(&session)).await? == Created::IdTaken
            && answered(adapter.create_session(&orphan)).await? == Created::Stored(Vec::new()),
    )?;
    rule(
        "`get_session_and_user` returns both as they are stored",
        answered(adapter.get_session_and_user(session.id, start())).await?
            == Some((session.clone(), user.clone())),
    )?;
    rule(
        "`get_session_and_user` returns no session whose subject is not a user",
        answered(adapter.get_session_and_user(orphan.id, start()))
            .await?
            .is_none(),
    )?;
    let end = session.idle_expires_at;
    rule(
        "`get_session_and_user` returns a session until its end",
        answered(adapter.get_session_and_user(session.id, end - STEP))
            .await?
            .is_some()
            && answered(adapter.get_session_and_user(session.id, end))
                .await?
                .is_none(),
    )?;
    let seen = SessionRecord {
        last_seen_at: start() + STEP,
        idle_expires_at: end + STEP,
        ..session.clone()
    };
    rule(
        "`update_session` sets the last use and the end of a session",
        answered(adapter.update_session(&seen)).await?
            && answered(adapter.get_session_and_user(session.id, end)).await?
                == Some((seen, user.clone())),
    )?;
    rule(
        "`delete_session` leaves a session of another user",
        !answered(adapter.delete_session(session.id, &orphan.subject)).await?,
    )?;
    rule(
        "`delete_session` removes a session, which `update_session` does not restore",
        answered(adapter.delete_session(session.id, &user.id)).await?
            && !answered(adapter.update_session(&session)).await?
            && answered(adapter.get_session_and_user(session.id, start()))
                .await?
                .is_none(),
    )?;
    answered(adapter.create_session(&session)).await?;
    answered(adapter.remove_user(&user.id)).await?;
    rule(
        "`remove_user` ends the sessions of the user, and no others",
        !answered(adapter.delete_session(session.id, &user.id)).await?
            && answered(adapter.delete_session(orphan.id, &orphan.subject)).await?,
    )
}

async fn answered<T>(answer: impl Future<Output = Result<T, AdapterError>>) -> ContractResult<T> {
    answer
        .await
        .map_err(|_| BrokenContract::new("an empty adapter that is reachable answers every call"))
}

/// Returns whether the adapter refuses the value as already taken (a conflict).
async fn refused<T>(answer: impl Future<Output = Result<T, AdapterError>>) -> ContractResult<bool> {
    match answer.await {
        Err(error) if error == AdapterError::conflict() => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => answered(async { Err(error) }).await,
    }
}

async fn created<A: Adapter + ?Sized>(adapter: &A, new: &NewUser) -> ContractResult<User> {
    answered(adapter.create_user(new, start())).await
}

fn email(text: &str) -> ContractResult<Email> {
    text.parse()
        .map_err(|_| BrokenContract::new("the contract writes addresses that are valid"))
}

fn account(id: &str) -> ContractResult<AccountId> {
    AccountId::new("provider", id)
        .map_err(|_| BrokenContract::new("the contract writes accounts that are valid"))
}

fn with_email(address: Email) -> NewUser {
    NewUser {
        email: Some(UserEmail::unverified(address)),
        ..NewUser::default()
    }
}

async fn creates_users(adapter: &dyn Adapter) -> ContractResult {
    let address = email("It's.Ada@Example.com")?;
    let new = NewUser {
        name: Some("it's \"Ada\" \u{10ffff}".into()),
        email: Some(UserEmail::verified(address.clone(), start() - STEP)),
        image: Some("https://example.com/ada.png".into()),
    };
    let full = created(adapter, &new).await?;
    rule(
        "`create_user` returns every field as it was given",
        full.name == new.name && full.email == new.email && full.image == new.image,
    )?;
    rule(
        "`create_user` keeps an address as it was written",
        full.email.as_ref().map(|email| email.address.as_str()) == Some(address.as_str()),
    )?;
    rule(
        "`create_user` assigns the role `viewer`, and stores the time of creation",
        full.role == "viewer" && full.created_at == start(),
    )?;
    rule(
        "`get_user` returns every field as it was created",
        answered(adapter.get_user(&full.id)).await? == Some(full.clone()),
    )?;
    let empty = created(adapter, &NewUser::default()).await?;
    rule(
        "`create_user` gives each user an id of their own",
        empty.id != full.id && !empty.id.as_str().is_empty(),
    )?;
    rule(
        "a user needs no name, address or image",
        answered(adapter.get_user(&empty.id)).await? == Some(empty)
            && answered(adapter.create_user(&NewUser::default(), start()))
                .await
                .is_ok(),
    )?;
    for other in [format!("{} ", full.id), full.id.as_str().to_uppercase()] {
        // An id without letters is the same in capitals.
        let other = Subject::new(other);
        rule(
            "`get_user` compares ids byte by byte",
            other == full.id || answered(adapter.get_user(&other)).await?.is_none(),
        )?;
    }
    Ok(())
}

async fn tells_addresses_apart(adapter: &dyn Adapter) -> ContractResult {
    let user = created(adapter, &with_email(email("Bob@example.com")?)).await?;
    let equal = email("bOB@EXAMPLE.COM")?;
    rule(
        "`get_user_by_email` finds an equal address",
        answered(adapter.get_user_by_email(&equal)).await? == Some(user),
    )?;
    rule(
        "`create_user` refuses an equal address",
        refused(adapter.create_user(&with_email(equal), start())).await?,
    )?;
    for other in ["bo@example.com", "bob@example.co", "b_b@example.com"] {
        rule(
            "`get_user_by_email` finds no other address",
            answered(adapter.get_user_by_email(&email(other)?))
                .await?
                .is_none(),
        )?;
    }
    Ok(())
}

async fn changes_users(adapter: &dyn Adapter) -> ContractResult {
    let first = email("cleo@example.com")?;
    let user = created(
        adapter,
        &NewUser {
            name: Some("Cleo".into()),
            email: Some(UserEmail::verified(first.clone(), start())),
            image: None,
        },
    )
    .await?;
    rule(
        "`update_user` of nothing changes nothing",
        answered(adapter.update_user(&user.id, &UserChange::default())).await?
            == Some(user.clone()),
    )?;
    let second = UserEmail::unverified(email("cleo@example.org")?);
    let changed = User {
        name: None,
        email: Some(second.clone()),
        ..user.clone()
    };
    let change = UserChange {
        name: Some(None),
        email: Some(Some(second)),
        image: None,
    };
    rule(
        "`update_user` sets the named fields, clears those that are set to none, and keeps the rest",
        answered(adapter.update_user(&user.id, &change)).await? == Some(changed.clone())
            && answered(adapter.get_user(&user.id)).await? == Some(changed.clone()),
    )?;
    rule(
        "`update_user` frees the former address",
        answered(adapter.get_user_by_email(&first)).await?.is_none(),
    )?;
    let other = created(adapter, &with_email(first)).await?;
    let taken = UserChange {
        email: Some(other.email.clone()),
        ..UserChange::default()
    };
    rule(
        "`update_user` refuses another user's address, and changes nothing then",
        refused(adapter.update_user(&user.id, &taken)).await?
            && answered(adapter.get_user(&user.id)).await? == Some(changed),
    )?;
    rule(
        "`update_user` of a user who does not exist reports that, and creates none",
        answered(adapter.update_user(&Subject::new("nobody"), &change))
            .await?
            .is_none()
            && answered(adapter.get_user(&Subject::new("nobody")))
                .await?
                .is_none(),
    )
}

async fn links_accounts(adapter: &dyn Adapter) -> ContractResult {
    let user = created(adapter, &NewUser::default()).await?;
    let other = created(adapter, &NewUser::default()).await?;
    let id = account("Link 1")?;
    let linked = Account::new(id.clone(), AccountKind::Oidc);
    rule(
        "`get_user_by_account` returns none for an account that is not linked",
        answered(adapter.get_user_by_account(&id)).await?.is_none(),
    )?;
    answered(adapter.link_account(&user.id, &linked)).await?;
    rule(
        "`get_user_by_account` returns the user to whom an account was linked",
        answered(adapter.get_user_by_account(&id)).await? == Some(user.clone()),
    )?;
    for close in ["link 1", "Link 1 ", "Link"] {
        rule(
            "`get_user_by_account` compares byte by byte",
            answered(adapter.get_user_by_account(&account(close)?))
                .await?
                .is_none(),
        )?;
    }
    let elsewhere = AccountId::new("Provider", "Link 1")
        .map_err(|_| BrokenContract::new("the contract writes accounts that are valid"))?;
    rule(
        "`get_user_by_account` compares the provider too",
        answered(adapter.get_user_by_account(&elsewhere))
            .await?
            .is_none(),
    )?;
    rule(
        "`link_account` refuses an account that is already linked",
        refused(adapter.link_account(&other.id, &linked)).await?
            && refused(adapter.link_account(&user.id, &linked)).await?
            && answered(adapter.get_user_by_account(&id)).await? == Some(user.clone()),
    )?;
    let of_nobody = Account::new(account("Link 2")?, AccountKind::Oidc);
    rule(
        "`link_account` refuses a user who does not exist",
        refused(adapter.link_account(&Subject::new("nobody"), &of_nobody)).await?,
    )?;
    let second = Account::new(account("Link 0")?, AccountKind::Email);
    answered(adapter.link_account(&user.id, &second)).await?;
    rule(
        "`list_accounts` returns the accounts of a user in the order of their ids",
        answered(adapter.list_accounts(&user.id)).await? == [second.id.clone(), id.clone()]
            && answered(adapter.list_accounts(&other.id)).await?.is_empty(),
    )?;
    rule(
        "`unlink_account` leaves an account of another user",
        !answered(adapter.unlink_account(&other.id, &id)).await?
            && answered(adapter.get_user_by_account(&id)).await?.is_some(),
    )?;
    rule(
        "`unlink_account` removes an account of its user, and reports whether it was theirs",
        answered(adapter.unlink_account(&user.id, &id)).await?
            && !answered(adapter.unlink_account(&user.id, &id)).await?
            && answered(adapter.get_user_by_account(&id)).await?.is_none()
            && answered(adapter.list_accounts(&user.id)).await? == [second.id],
    )
}

fn tokens(text: &str, expires_at: DateTime<Utc>) -> ProviderTokens {
    let secret = |name: &str| Some(Secret::new(format!("{name} {text} \u{10ffff}")));
    ProviderTokens {
        access_token: secret("access"),
        refresh_token: secret("refresh"),
        id_token: secret("id"),
        expires_at: Some(expires_at),
        token_type: Some("bearer".into()),
        scope: Some("read:user user:email".into()),
        session_state: Some("state".into()),
    }
}

fn same(one: &ProviderTokens, other: &ProviderTokens) -> bool {
    // Destructured in full, so that a new field fails to compile until it is compared.
    let ProviderTokens {
        access_token,
        refresh_token,
        id_token,
        expires_at,
        token_type,
        scope,
        session_state,
    } = one;
    let exposed =
        |token: &Option<Secret<String>>| token.as_ref().map(|token| token.expose_secret().clone());
    exposed(access_token) == exposed(&other.access_token)
        && exposed(refresh_token) == exposed(&other.refresh_token)
        && exposed(id_token) == exposed(&other.id_token)
        && *expires_at == other.expires_at
        && *token_type == other.token_type
        && *scope == other.scope
        && *session_state == other.session_state
}

async fn keeps_tokens(adapter: &dyn Adapter) -> ContractResult {
    let user = created(adapter, &NewUser::default()).await?;
    let other = created(adapter, &NewUser::default()).await?;
    let id = account("Tokens")?;
    let linked = Account {
        id: id.clone(),
        kind: AccountKind::WebAuthn,
        tokens: tokens("first", start()),
    };
    answered(adapter.link_account(&user.id, &linked)).await?;
    let stored = answered(adapter.get_account(&user.id, &id)).await?;
    rule(
        "`get_account` returns every field as it was linked",
        stored.is_some_and(|stored| {
            stored.id == id && stored.kind == linked.kind && same(&stored.tokens, &linked.tokens)
        }),
    )?;
    rule(
        "`get_account` returns no account of another user",
        answered(adapter.get_account(&other.id, &id))
            .await?
            .is_none(),
    )?;
    rule(
        "`update_tokens` leaves an account of another user",
        !answered(adapter.update_tokens(&other.id, &id, &ProviderTokens::default())).await?,
    )?;
    for replaced in [tokens("second", start() + STEP), ProviderTokens::default()] {
        let updated = answered(adapter.update_tokens(&user.id, &id, &replaced)).await?;
        let stored = answered(adapter.get_account(&user.id, &id)).await?;
        rule(
            "`update_tokens` replaces every field",
            updated && stored.is_some_and(|stored| same(&stored.tokens, &replaced)),
        )?;
    }
    Ok(())
}

async fn signs_in(adapter: &dyn Adapter) -> ContractResult {
    let profile = with_email(email("dora@example.com")?);
    let first = Account::new(account("Dora")?, AccountKind::OAuth);
    let signed_in =
        answered(adapter.find_or_create_user_by_account(&first, &profile, start())).await?;
    let AccountOwner::First(user) = signed_in else {
        return rule("a first sign-in creates a user", false);
    };
    rule(
        "a first sign-in creates a user with the profile and the account",
        user.email == profile.email
            && user.role == "viewer"
            && answered(adapter.get_user_by_account(&first.id)).await? == Some(user.clone()),
    )?;
    let changed = with_email(email("dora@example.org")?);
    rule(
        "a later sign-in returns the user unchanged",
        answered(adapter.find_or_create_user_by_account(&first, &changed, start())).await?
            == AccountOwner::Returning(user.clone()),
    )?;
    let stranger = Account::new(account("not Dora")?, AccountKind::OAuth);
    let profile = with_email(email("DORA@example.com")?);
    rule(
        "an account with the address of another user signs nobody in",
        refused(adapter.find_or_create_user_by_account(&stranger, &profile, start())).await?
            && answered(adapter.get_user_by_account(&stranger.id))
                .await?
                .is_none()
            && answered(adapter.list_accounts(&user.id)).await? == [first.id],
    )
}

async fn signs_in_once(adapter: &dyn Adapter) -> ContractResult {
    let account = Account::new(account("Eve")?, AccountKind::OAuth);
    // Without an address only the account identifies the sign-ins as one user's.
    let profile = NewUser::default();
    let sign_in = || adapter.find_or_create_user_by_account(&account, &profile, start());
    let mut first = 0;
    let mut ids = Vec::new();
    for signed_in in join_all((0..AT_ONCE).map(|_| sign_in())).await {
        let signed_in = answered(async { signed_in }).await?;
        first += usize::from(matches!(signed_in, AccountOwner::First(_)));
        ids.push(signed_in.into_user().id);
    }
    ids.dedup();
    rule(
        "concurrent first sign-ins with one account create one user",
        first == 1 && ids.len() == 1,
    )
}

async fn redeems_tokens(adapter: &dyn Adapter) -> ContractResult {
    let token = |number: u8, identifier: &str| VerificationRecord {
        identifier: identifier.to_owned(),
        token_hash: SecretHash::from_bytes([number; 32]),
        expires_at: start() + TimeDelta::hours(1),
    };
    let redeem = |identifier: &'static str, token: &VerificationRecord, now| {
        adapter.use_verification_token(identifier, token.token_hash, now)
    };
    let (first, second, late, swept) = (
        token(1, "verify:ada"),
        token(2, "verify:ada"),
        token(3, "verify:ada"),
        token(4, "verify:bob"),
    );
    for token in [&first, &second, &late] {
        answered(adapter.create_verification_token(token)).await?;
    }
    let mut rest = 0;
    for identifier in ["reset:ada", "Verify:ada", "verify:ada ", "verify:bob", ""] {
        rest += usize::from(answered(redeem(identifier, &first, start())).await?);
    }
    rule(
        "`use_verification_token` compares the identifier byte by byte",
        rest == 0,
    )?;
    rule(
        "`use_verification_token` refuses a token that was never created",
        !answered(redeem("verify:ada", &swept, start())).await?,
    )?;
    let many = (0..AT_ONCE).map(|_| redeem("verify:ada", &first, start()));
    let mut redeemed = 0;
    for once in join_all(many).await {
        redeemed += usize::from(answered(async { once }).await?);
    }
    rule(
        "a token that is redeemed concurrently is redeemed once",
        redeemed == 1,
    )?;
    rule(
        "a token is redeemed once",
        !answered(redeem("verify:ada", &first, start())).await?,
    )?;
    rule(
        "a token is redeemed up to the microsecond before its end",
        answered(redeem("verify:ada", &second, second.expires_at - STEP)).await?,
    )?;
    rule(
        "a token is refused from its end on",
        !answered(redeem("verify:ada", &late, late.expires_at)).await?,
    )?;
    let kept = VerificationRecord {
        expires_at: swept.expires_at + STEP,
        ..token(5, "verify:bob")
    };
    answered(adapter.create_verification_token(&swept)).await?;
    answered(adapter.create_verification_token(&kept)).await?;
    rule(
        "`sweep_verification_tokens` reports how many tokens it removed",
        answered(adapter.sweep_verification_tokens(swept.expires_at)).await? == 2,
    )?;
    rule(
        "`sweep_verification_tokens` removes expired tokens, and no others",
        !answered(redeem("verify:bob", &swept, start())).await?
            && answered(redeem("verify:bob", &kept, start())).await?,
    )
}
