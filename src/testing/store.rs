//! The contract of a session store, as a check that any implementation can run.

use std::fmt;
use std::future::Future;

use chrono::{DateTime, TimeDelta, Utc};

use crate::session::{Created, SecretHash, SessionId, SessionRecord, SessionStore, StoreError};
use crate::viewer::Subject;

/// Which rule of its contract an implementation breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenContract {
    rule: &'static str,
}

impl BrokenContract {
    pub(super) const fn new(rule: &'static str) -> Self {
        Self { rule }
    }
}

impl fmt::Display for BrokenContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the implementation breaks a rule: {}", self.rule)
    }
}

impl std::error::Error for BrokenContract {}

pub(super) type Outcome<T = ()> = Result<T, BrokenContract>;

/// Checks `store`, which must be empty, against every rule of [`SessionStore`].
///
/// # Errors
///
/// The first rule that it breaks.
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
    deletes_only_what_is_named(store).await?;
    lists(store).await?;
    sweeps(store).await
}

pub(super) fn rule(rule: &'static str, kept: bool) -> Outcome {
    if kept {
        Ok(())
    } else {
        Err(BrokenContract::new(rule))
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Outcome<T> {
    answer
        .await
        .map_err(|_| BrokenContract::new("an empty store that is reachable answers every call"))
}

/// The largest step that the contract's instants keep apart.
pub(super) const STEP: TimeDelta = TimeDelta::microseconds(1);

pub(super) fn start() -> DateTime<Utc> {
    // Microseconds that do not round, to find a store that keeps less.
    DateTime::from_timestamp_micros(1_767_225_600_123_457).unwrap_or_default()
}

pub(super) fn record(number: u8, subject: &str) -> SessionRecord {
    let now = start();
    SessionRecord {
        id: SessionId::from_bytes([number; 16]),
        secret_hash: SecretHash::from_bytes([number; 32]),
        subject: Subject::new(subject),
        created_at: now,
        last_seen_at: now,
        idle_expires_at: now + TimeDelta::hours(1),
        expires_at: now + TimeDelta::days(1),
    }
}

async fn creates_and_loads(store: &dyn SessionStore) -> Outcome {
    let first = record(1, "it's \"Ada\" \u{10ffff}");
    rule(
        "`load` of an id that was never created gives none",
        answered(store.load(first.id, start())).await?.is_none(),
    )?;
    rule(
        "`create` stores a new id",
        answered(store.create(&first)).await? == Created::Stored,
    )?;
    rule(
        "`load` gives back every field as it was created",
        answered(store.load(first.id, start())).await? == Some(first),
    )
}

async fn never_overwrites(store: &dyn SessionStore) -> Outcome {
    let first = record(2, "ada");
    let second = SessionRecord {
        subject: Subject::new("eve"),
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..first.clone()
    };
    answered(store.create(&first)).await?;
    rule(
        "`create` says when an id is taken",
        answered(store.create(&second)).await? == Created::IdTaken,
    )?;
    rule(
        "`create` leaves the session whose id is taken as it is",
        answered(store.load(first.id, start())).await? == Some(first),
    )
}

async fn treats_expired_as_absent(store: &dyn SessionStore) -> Outcome {
    let idle = record(3, "ada");
    let absolute = SessionRecord {
        idle_expires_at: start() + TimeDelta::hours(1),
        expires_at: start() + TimeDelta::hours(1),
        ..record(4, "ada")
    };
    for record in [idle, absolute] {
        answered(store.create(&record)).await?;
        let end = record.idle_expires_at;
        rule(
            "`load` gives a session up to the microsecond before its end",
            answered(store.load(record.id, end - STEP)).await?.is_some(),
        )?;
        rule(
            "`load` gives no session from its end on",
            answered(store.load(record.id, end)).await?.is_none(),
        )?;
        let late = SessionRecord {
            last_seen_at: end,
            idle_expires_at: end + TimeDelta::hours(1),
            ..record.clone()
        };
        rule(
            "`touch` does not bring an expired session back",
            !answered(store.touch(&late)).await?
                && answered(store.load(record.id, end)).await?.is_none(),
        )?;
    }
    Ok(())
}

async fn touches_without_inserting(store: &dyn SessionStore) -> Outcome {
    let created = record(5, "ada");
    let touched = SessionRecord {
        last_seen_at: start() + STEP,
        idle_expires_at: start() + TimeDelta::hours(2),
        ..created.clone()
    };
    rule(
        "`touch` of a session that is not there says so",
        !answered(store.touch(&touched)).await?,
    )?;
    rule(
        "`touch` never inserts",
        answered(store.load(created.id, start())).await?.is_none(),
    )?;
    answered(store.create(&created)).await?;
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
        "`touch` sets when a session was seen and when it ends",
        answered(store.touch(&touched)).await?
            && answered(store.load(touched.id, start())).await? == Some(touched),
    )
}

async fn deletes_only_what_is_named(store: &dyn SessionStore) -> Outcome {
    let (one, two, three, other) = (
        record(6, "bob"),
        record(7, "bob"),
        record(8, "bob"),
        record(9, "Bob"),
    );
    for record in [&one, &two, &three, &other] {
        answered(store.create(record)).await?;
    }
    rule(
        "`delete` leaves a session of another subject",
        !answered(store.delete(other.id, &one.subject)).await?
            && answered(store.load(other.id, start())).await?.is_some(),
    )?;
    rule(
        "`delete` removes a session, and says whether it was there",
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

async fn lists(store: &dyn SessionStore) -> Outcome {
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
        answered(store.create(record)).await?;
    }
    rule(
        "`list` gives the living sessions of a subject, the last created first",
        answered(store.list(&first.subject, start())).await? == [second, first],
    )?;
    rule(
        "`list` gives nothing for a subject without sessions",
        answered(store.list(&Subject::new("nobody"), start()))
            .await?
            .is_empty(),
    )
}

async fn sweeps(store: &dyn SessionStore) -> Outcome {
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
    answered(store.create(&kept)).await?;
    answered(store.create(&swept)).await?;
    let removed = answered(store.sweep(start() + TimeDelta::days(2))).await?;
    rule("`sweep` says how many sessions it removed", removed > 1)?;
    rule(
        "`sweep` removes expired sessions for good",
        answered(store.load(swept.id, start())).await?.is_none(),
    )?;
    rule(
        "`sweep` leaves living sessions",
        answered(store.load(kept.id, start())).await? == Some(kept),
    )
}
