//! The contract of a session store, as a check for any implementation.

use std::net::IpAddr;
use std::num::NonZeroU32;

use chrono::TimeDelta;

use super::contract::{
    BrokenContract, ContractResult, STEP, STORED, answered, record, rule, start,
};
use super::line::{creates_instead, follows_what_was_replaced};
use crate::session::{
    Assurance, Created, DataKept, Generations, Replaced, SecretHash, SessionId, SessionLimit,
    SessionRecord, SessionStore, Standing, StoredData,
};
use crate::viewer::Subject;

/// Checks `store`, which must be empty, against every rule of [`SessionStore`].
///
/// # Errors
///
/// The first rule that the store breaks.
///
/// # Example
///
/// ```
/// use clearance::session::MemorySessionStore;
/// use clearance::testing::check_session_store;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// check_session_store(&MemorySessionStore::new()).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check_session_store(store: &dyn SessionStore) -> Result<(), BrokenContract> {
    creates_and_loads(store).await?;
    never_overwrites(store).await?;
    treats_expired_as_absent(store).await?;
    touches_without_inserting(store).await?;
    replaces_without_inserting(store).await?;
    follows_what_was_replaced(store).await?;
    creates_instead(store).await?;
    keeps_data(store).await?;
    limits(store).await?;
    deletes_only_what_is_named(store).await?;
    lists(store).await?;
    sweeps(store).await?;
    notes_what_stateless_sessions_ended(store).await?;
    counts_generations(store).await?;
    deletes_everyone(store).await
}

async fn creates_and_loads(store: &dyn SessionStore) -> ContractResult {
    let first = SessionRecord {
        authenticated_at: start() + STEP,
        assurance: Assurance::Aal3,
        persistent: true,
        address: Some(IpAddr::from(std::net::Ipv6Addr::LOCALHOST)),
        agent: Some("\u{e9}\\' \u{10ffff}".to_owned()),
        claims: "{\"name\":\"\u{e9}\"}".to_owned(),
        ..record(1, "it's \"Ada\" \u{10ffff}")
    };
    rule(
        "`load` of an id that was never created returns none",
        answered(store.load(first.id, start())).await?.is_none(),
    )?;
    rule(
        "`create` stores a new id",
        answered(store.create(&first, None)).await? == STORED,
    )?;
    rule(
        "`load` returns every field as it was created",
        answered(store.load(first.id, start())).await? == Some(first),
    )
}

async fn never_overwrites(store: &dyn SessionStore) -> ContractResult {
    let first = record(2, "ada");
    let second = SessionRecord {
        subject: Subject::new("eve"),
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..first.clone()
    };
    answered(store.create(&first, None)).await?;
    rule(
        "`create` reports that an id is taken",
        answered(store.create(&second, None)).await? == Created::IdTaken,
    )?;
    rule(
        "`create` does not change the session whose id is taken",
        answered(store.load(first.id, start())).await? == Some(first),
    )
}

async fn treats_expired_as_absent(store: &dyn SessionStore) -> ContractResult {
    let idle = record(3, "ada");
    let absolute = SessionRecord {
        idle_expires_at: start() + TimeDelta::hours(1),
        expires_at: start() + TimeDelta::hours(1),
        ..record(4, "ada")
    };
    for record in [idle, absolute] {
        answered(store.create(&record, None)).await?;
        let end = record.idle_expires_at;
        rule(
            "`load` returns a session up to the microsecond before its end",
            answered(store.load(record.id, end - STEP)).await?.is_some(),
        )?;
        rule(
            "`load` returns no session from its end on",
            answered(store.load(record.id, end)).await?.is_none(),
        )?;
        let late = SessionRecord {
            last_seen_at: end,
            idle_expires_at: end + TimeDelta::hours(1),
            ..record.clone()
        };
        rule(
            "`touch` does not restore an expired session",
            !answered(store.touch(&late)).await?
                && answered(store.load(record.id, end)).await?.is_none(),
        )?;
    }
    Ok(())
}

async fn touches_without_inserting(store: &dyn SessionStore) -> ContractResult {
    let created = record(5, "ada");
    let touched = SessionRecord {
        last_seen_at: start() + STEP,
        idle_expires_at: start() + TimeDelta::hours(2),
        ..created.clone()
    };
    rule(
        "`touch` reports that a session does not exist",
        !answered(store.touch(&touched)).await?,
    )?;
    rule(
        "`touch` never inserts",
        answered(store.load(created.id, start())).await?.is_none(),
    )?;
    answered(store.create(&created, None)).await?;
    let foreign = SessionRecord {
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..touched.clone()
    };
    rule(
        "`touch` with another secret changes nothing",
        !answered(store.touch(&foreign)).await?
            && answered(store.load(created.id, start())).await? == Some(created),
    )?;
    rule(
        "`touch` sets the last use and the end of a session",
        answered(store.touch(&touched)).await?
            && answered(store.load(touched.id, start())).await? == Some(touched),
    )
}

async fn replaces_without_inserting(store: &dyn SessionStore) -> ContractResult {
    let old = record(20, "finn");
    let new = SessionRecord {
        id: SessionId::from_bytes([21; 16]),
        secret_hash: SecretHash::from_bytes([21; 32]),
        assurance: Assurance::Aal2,
        authenticated_at: start() + STEP,
        claims: "{\"a\":1}".to_owned(),
        ..old.clone()
    };
    let replace = async |old, new| answered(store.replace(old, new, start())).await;
    rule(
        "`replace` reports that a session does not exist, and stores nothing",
        replace(&old, &new).await? == Replaced::Gone
            && answered(store.load(new.id, start())).await?.is_none(),
    )?;
    answered(store.create(&old, None)).await?;
    answered(store.set_data(old.id, start(), Some(b"kept"), None)).await?;
    let foreign = SessionRecord {
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..old.clone()
    };
    rule(
        "`replace` of a session with another secret changes nothing",
        replace(&foreign, &new).await? == Replaced::Gone
            && answered(store.load(old.id, start())).await?.as_ref() == Some(&old),
    )?;
    rule(
        "`replace` of an expired session changes nothing",
        answered(store.replace(&old, &new, old.idle_expires_at)).await? == Replaced::Gone,
    )?;
    let other = record(22, "finn");
    answered(store.create(&other, None)).await?;
    let taken = SessionRecord {
        id: other.id,
        ..new.clone()
    };
    rule(
        "`replace` reports that the new id is taken, and changes nothing",
        replace(&old, &taken).await? == Replaced::IdTaken
            && answered(store.load(other.id, start())).await? == Some(other)
            && answered(store.load(old.id, start())).await?.as_ref() == Some(&old),
    )?;
    rule(
        "`replace` puts the new session in the place of the old one",
        replace(&old, &new).await? == Replaced::Done
            && answered(store.load(old.id, start())).await?.is_none()
            && answered(store.load(new.id, start())).await?.as_ref() == Some(&new),
    )?;
    let kept = StoredData {
        data: Some(b"kept".to_vec()),
        version: 1,
    };
    rule(
        "`replace` keeps the data of the session, and their version",
        answered(store.data(new.id, start())).await? == Some(kept),
    )?;
    answered(store.set_data(new.id, start(), None, None)).await?;
    rule(
        "a session is replaced once",
        replace(&old, &new).await? == Replaced::Gone,
    )
}

async fn keeps_data(store: &dyn SessionStore) -> ContractResult {
    const LARGE: usize = 1 << 20;

    let session = record(23, "gus");
    let end = session.idle_expires_at;
    let set = async |data: Option<&[u8]>, version| {
        answered(store.set_data(session.id, start(), data, version)).await
    };
    let there = async || answered(store.data(session.id, start())).await;
    for version in [None, Some(0)] {
        rule(
            "`set_data` reports that a session does not exist, and stores nothing",
            set(Some(b"x"), version).await? == DataKept::Gone
                && answered(store.load(session.id, start())).await?.is_none(),
        )?;
    }
    answered(store.create(&session, None)).await?;
    rule(
        "a new session has no data, of the version 0",
        there().await? == Some(StoredData::default()),
    )?;
    let large: Vec<u8> = (0..LARGE).map(|index| (index % 251) as u8).collect();
    let kept = |data: &[u8], version| {
        Some(StoredData {
            data: Some(data.to_vec()),
            version,
        })
    };
    rule(
        "`data` returns the value that was given to `set_data`, up to a mebibyte",
        set(Some(&large), Some(0)).await? == DataKept::Done && there().await? == kept(&large, 1),
    )?;
    for version in [0, 2, u64::MAX] {
        rule(
            "`set_data` with another version than that of the data changes nothing",
            set(Some(b"x"), Some(version)).await? == DataKept::Stale
                && set(None, Some(version)).await? == DataKept::Stale
                && there().await? == kept(&large, 1),
        )?;
    }
    rule(
        "`set_data` without a version replaces the data in any case, and increments the version",
        set(Some(b"y"), None).await? == DataKept::Done && there().await? == kept(b"y", 2),
    )?;
    rule(
        "`set_data` changes nothing else",
        answered(store.load(session.id, start())).await?.as_ref() == Some(&session),
    )?;
    rule(
        "data are absent with their session, from its end on",
        answered(store.data(session.id, end)).await?.is_none()
            && answered(store.set_data(session.id, end, Some(b"x"), None)).await? == DataKept::Gone
            && answered(store.set_data(session.id, end, Some(b"x"), Some(2))).await?
                == DataKept::Gone,
    )?;
    let removed = StoredData {
        data: None,
        version: 3,
    };
    rule(
        "`set_data` removes data, and increments the version",
        set(None, Some(2)).await? == DataKept::Done && there().await? == Some(removed),
    )
}

async fn limits(store: &dyn SessionStore) -> ContractResult {
    let two = NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN);
    let at = |number: u8, steps| SessionRecord {
        created_at: start() + STEP * steps,
        ..record(number, "hana")
    };
    let (first, second, third) = (at(24, 0), at(25, 1), at(26, 2));
    let expired = SessionRecord {
        idle_expires_at: start(),
        ..record(27, "hana")
    };
    answered(store.create(&expired, None)).await?;
    let create = async |record, limit| answered(store.create(record, Some(limit))).await;
    rule(
        "`create` counts neither expired sessions nor those of others",
        create(&first, SessionLimit::Reject(two)).await? == STORED
            && create(&second, SessionLimit::Reject(two)).await? == STORED,
    )?;
    rule(
        "`create` refuses a session beyond the limit",
        create(&third, SessionLimit::Reject(two)).await? == Created::LimitReached
            && answered(store.load(third.id, start())).await?.is_none(),
    )?;
    rule(
        "`create` reports that an id is taken before it ends a session",
        create(&first, SessionLimit::EvictOldest(two)).await? == Created::IdTaken
            && answered(store.load(first.id, start())).await?.is_some(),
    )?;
    rule(
        "`create` ends the oldest session for one beyond the limit",
        create(&third, SessionLimit::EvictOldest(two)).await? == Created::Stored(vec![first.id])
            && answered(store.list(&third.subject, start())).await? == [third, second],
    )
}

async fn notes_what_stateless_sessions_ended(store: &dyn SessionStore) -> ContractResult {
    let (one, other) = (
        SessionId::from_bytes([30; 16]),
        SessionId::from_bytes([31; 16]),
    );
    let (ines, jo) = (Subject::new("ines"), Subject::new("jo"));
    let until = start() + TimeDelta::days(1);
    let clear = Standing::default();
    rule(
        "`standing` of a session without a denial is clear",
        answered(store.standing(one, &ines)).await? == clear,
    )?;
    let ended = [
        answered(store.deny(one, &ines, until)).await?,
        answered(store.deny(one, &ines, until)).await?,
    ];
    rule(
        "`deny` ends one session once, and no other",
        ended == [true, false]
            && answered(store.standing(one, &ines)).await?.denied
            && answered(store.standing(other, &ines)).await? == clear,
    )?;
    answered(store.cut_off(Some(&ines), start() + STEP, until)).await?;
    answered(store.cut_off(Some(&ines), start(), until)).await?;
    let cut_off = |steps| Standing {
        denied: false,
        cut_off: Some(start() + STEP * steps),
        generations: None,
    };
    rule(
        "`cut_off` holds for its subject, and is never made weaker",
        answered(store.standing(other, &ines)).await? == cut_off(1)
            && answered(store.standing(other, &jo)).await? == clear,
    )?;
    answered(store.cut_off(None, start() + STEP * 2, until)).await?;
    rule(
        "`cut_off` without a subject holds for everyone",
        answered(store.standing(other, &ines)).await? == cut_off(2)
            && answered(store.standing(other, &jo)).await? == cut_off(2),
    )?;
    answered(store.sweep(until - STEP)).await?;
    rule(
        "`sweep` keeps a denial or cut-off until its time",
        answered(store.standing(one, &jo)).await?.denied
            && answered(store.standing(other, &jo)).await? == cut_off(2),
    )?;
    answered(store.sweep(until)).await?;
    rule(
        "`sweep` removes a denial or cut-off that is past its time",
        answered(store.standing(one, &ines)).await? == clear,
    )
}

async fn counts_generations(store: &dyn SessionStore) -> ContractResult {
    const FIRST: u64 = 1 << 47;

    let (mia, ned) = (Subject::new("mia"), Subject::new("ned"));
    let nobody = Subject::new("nobody");
    let id = SessionId::from_bytes([32; 16]);
    let began = async |subject| answered(store.generations(subject, 7)).await;
    let stands = async |subject| -> ContractResult<_> {
        Ok(answered(store.standing(id, subject)).await?.generations)
    };
    let are = |everyone, subject| Generations { everyone, subject };
    answered(store.raise_generation(None, 1)).await?;
    answered(store.raise_generation(Some(&ned), 2)).await?;
    rule(
        "there is no generation of everyone until one is requested",
        stands(&mia).await?.is_none(),
    )?;
    rule(
        "`generations` creates the first generation of everyone, and only once",
        answered(store.generations(&mia, FIRST)).await? == are(FIRST, 0)
            && began(&mia).await? == are(FIRST, 0)
            && began(&ned).await? == are(FIRST, 2),
    )?;
    answered(store.raise_generation(Some(&mia), 3)).await?;
    answered(store.raise_generation(Some(&mia), 4)).await?;
    rule(
        "`raise_generation` raises the generation of its subject by the given step, and no other",
        began(&mia).await? == are(FIRST, 7) && began(&ned).await? == are(FIRST, 2),
    )?;
    answered(store.raise_generation(None, 5)).await?;
    rule(
        "`raise_generation` without a subject raises that of everyone",
        began(&mia).await? == are(FIRST + 5, 7) && began(&ned).await? == are(FIRST + 5, 2),
    )?;
    let olga = Subject::new("olga");
    let raise =
        async |subject, from| answered(store.raise_generation_from(subject, from, 1 << 32)).await;
    rule(
        "`raise_generation_from` raises a generation only from the given number",
        !raise(&olga, 1).await?
            && began(&olga).await?.subject == 0
            && raise(&olga, 0).await?
            && !raise(&olga, 0).await?
            && began(&olga).await?.subject == 1 << 32
            && raise(&olga, 1 << 32).await?
            && began(&olga).await?.subject == 1 << 33
            && !raise(&mia, 6).await?
            && began(&mia).await? == are(FIRST + 5, 7),
    )?;
    rule(
        "`standing` returns the generations",
        stands(&mia).await? == Some(are(FIRST + 5, 7))
            && stands(&nobody).await? == Some(are(FIRST + 5, 0)),
    )?;
    answered(store.sweep(start() + TimeDelta::days(100_000))).await?;
    rule(
        "`sweep` never removes a generation",
        stands(&mia).await? == Some(are(FIRST + 5, 7)),
    )
}

async fn deletes_everyone(store: &dyn SessionStore) -> ContractResult {
    let (one, other) = (record(40, "kim"), record(41, "leo"));
    for record in [&one, &other] {
        answered(store.create(record, None)).await?;
    }
    rule(
        "`delete_everyone` removes every session, and reports how many",
        answered(store.delete_everyone()).await? > 1
            && answered(store.load(one.id, start())).await?.is_none()
            && answered(store.load(other.id, start())).await?.is_none()
            && answered(store.delete_everyone()).await? == 0,
    )
}

async fn deletes_only_what_is_named(store: &dyn SessionStore) -> ContractResult {
    let (one, two, three, other) = (
        record(6, "bob"),
        record(7, "bob"),
        record(8, "bob"),
        record(9, "Bob"),
    );
    for record in [&one, &two, &three, &other] {
        answered(store.create(record, None)).await?;
    }
    rule(
        "`delete` leaves a session of another subject",
        !answered(store.delete(other.id, &one.subject)).await?
            && answered(store.load(other.id, start())).await?.is_some(),
    )?;
    rule(
        "`delete` removes a session, and reports whether it existed",
        answered(store.delete(one.id, &one.subject)).await?
            && !answered(store.delete(one.id, &one.subject)).await?
            && answered(store.load(one.id, start())).await?.is_none(),
    )?;
    rule(
        "`delete_all` removes the sessions of a subject but the one to keep",
        answered(store.delete_all(&two.subject, Some(two.id))).await? == 1
            && answered(store.load(two.id, start())).await?.is_some()
            && answered(store.load(three.id, start())).await?.is_none(),
    )?;
    rule(
        "`delete_all` removes the sessions of a subject and no others",
        answered(store.delete_all(&two.subject, None)).await? == 1
            && answered(store.load(two.id, start())).await?.is_none()
            && answered(store.load(other.id, start())).await?.is_some(),
    )
}

async fn lists(store: &dyn SessionStore) -> ContractResult {
    let first = record(10, "cleo");
    let second = SessionRecord {
        created_at: start() + STEP,
        ..record(11, "cleo")
    };
    let expired = SessionRecord {
        idle_expires_at: start(),
        ..record(12, "cleo")
    };
    for record in [&first, &second, &expired] {
        answered(store.create(record, None)).await?;
    }
    rule(
        "`list` returns the live sessions of a subject, the last created first",
        answered(store.list(&first.subject, start())).await? == [second, first],
    )?;
    rule(
        "`list` returns nothing for a subject without sessions",
        answered(store.list(&Subject::new("nobody"), start()))
            .await?
            .is_empty(),
    )
}

async fn sweeps(store: &dyn SessionStore) -> ContractResult {
    let kept = SessionRecord {
        idle_expires_at: start() + TimeDelta::days(3),
        expires_at: start() + TimeDelta::days(3),
        ..record(13, "dora")
    };
    let swept = SessionRecord {
        idle_expires_at: start() + TimeDelta::days(2),
        expires_at: start() + TimeDelta::days(2),
        ..record(14, "dora")
    };
    answered(store.create(&kept, None)).await?;
    answered(store.create(&swept, None)).await?;
    let removed = answered(store.sweep(start() + TimeDelta::days(2))).await?;
    rule("`sweep` reports how many sessions it removed", removed > 1)?;
    rule(
        "`sweep` removes expired sessions for good",
        answered(store.load(swept.id, start())).await?.is_none(),
    )?;
    rule(
        "`sweep` keeps live sessions",
        answered(store.load(kept.id, start())).await? == Some(kept),
    )
}
