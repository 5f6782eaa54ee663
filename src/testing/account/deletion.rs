//! The contract of an account adapter about the deletion of users.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{account, answered, created, email, with_email};
use crate::account::{Account, AccountKind, AccountOwner, Adapter, EndsSessions, NewUser};
use crate::error::Error;
use crate::testing::contract::{ContractResult, rule, start};
use crate::viewer::Subject;

pub(super) async fn deletes_users(adapter: &dyn Adapter) -> ContractResult {
    let profile = with_email(email("fay@example.com")?);
    let other = created(adapter, &NewUser::default()).await?;
    let account = Account::new(account("Fay")?, AccountKind::OAuth);
    let sign_in = || adapter.find_or_create_user_by_account(&account, &profile, start());
    let user = answered(sign_in()).await?.into_user();
    rule(
        "`remove_user` removes a user, and reports whether they existed",
        answered(adapter.remove_user(&user.id)).await?
            && !answered(adapter.remove_user(&user.id)).await?
            && answered(adapter.get_user(&user.id)).await?.is_none()
            && answered(adapter.get_user(&other.id)).await? == Some(other),
    )?;
    rule(
        "`remove_user` removes the accounts of the user",
        answered(adapter.get_user_by_account(&account.id))
            .await?
            .is_none()
            && answered(adapter.list_accounts(&user.id)).await?.is_empty(),
    )?;
    let again = answered(sign_in()).await?;
    rule(
        "the account and the address of a removed user are free for another one",
        matches!(&again, AccountOwner::First(again) if again.id != user.id),
    )?;
    let again = again.into_user();
    let ending = Ending {
        adapter,
        ended: Mutex::default(),
    };
    let deleted = [
        adapter.delete_user(&again.id, &ending).await.ok(),
        adapter.delete_user(&again.id, &ending).await.ok(),
    ];
    rule(
        "`delete_user` reports whether the user existed",
        deleted == [Some(true), Some(false)],
    )?;
    let gone = (again.id, true);
    rule(
        "`delete_user` ends the sessions of the user after the user is removed, each time it is called",
        ending
            .ended
            .into_inner()
            .is_ok_and(|ended| ended == [gone.clone(), gone]),
    )
}

/// A recorder of the subjects whose sessions were to be ended, with whether the user was gone by then.
struct Ending<'a, A: ?Sized> {
    adapter: &'a A,
    ended: Mutex<Vec<(Subject, bool)>>,
}

#[async_trait]
impl<A: Adapter + ?Sized> EndsSessions for Ending<'_, A> {
    async fn end_sessions(&self, subject: &Subject) -> Result<(), Error> {
        let gone = self.adapter.get_user(subject).await?.is_none();
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push((subject.clone(), gone));
        Ok(())
    }
}
