//! The contract of a session store about sessions that replace others.

use std::num::NonZeroU32;

use super::contract::{ContractResult, STEP, STORED, answered, record, rule, start};
use crate::session::{
    Created, SecretHash, SessionId, SessionLimit, SessionRecord, SessionStore, StoredData,
};
use crate::viewer::Subject;

pub(super) async fn follows_what_was_replaced(store: &dyn SessionStore) -> ContractResult {
    let first = record(50, "mia");
    let next = |number: u8| SessionRecord {
        id: SessionId::from_bytes([number; 16]),
        secret_hash: SecretHash::from_bytes([number; 32]),
        ..first.clone()
    };
    let (second, third) = (next(51), next(52));
    let follow =
        async |of: &SessionRecord, now| answered(store.successor(of.id, of.secret_hash, now)).await;
    answered(store.create(&first, None)).await?;
    answered(store.create(&record(53, "mia"), None)).await?;
    rule(
        "`successor` of a session that was not replaced is none",
        follow(&first, start()).await?.is_none(),
    )?;
    answered(store.replace(&first, &second, start())).await?;
    rule(
        "`successor` returns the session that replaced another one",
        follow(&first, start()).await?.as_ref() == Some(&second),
    )?;
    answered(store.replace(&second, &third, start())).await?;
    rule(
        "`successor` returns the last of several",
        follow(&first, start()).await?.as_ref() == Some(&third)
            && follow(&second, start()).await?.as_ref() == Some(&third)
            && follow(&third, start()).await?.is_none(),
    )?;
    let foreign = SessionRecord {
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..first.clone()
    };
    rule(
        "`successor` with another secret is none",
        follow(&foreign, start()).await?.is_none(),
    )?;
    rule(
        "`load` of a replaced session returns none",
        answered(store.load(first.id, start())).await?.is_none()
            && answered(store.load(second.id, start())).await?.is_none(),
    )?;
    rule(
        "`successor` returns no session from its end on",
        follow(&first, third.idle_expires_at - STEP)
            .await?
            .is_some()
            && follow(&first, third.idle_expires_at).await?.is_none(),
    )?;
    answered(store.sweep(start())).await?;
    rule(
        "`sweep` keeps the predecessors of a session until it ends",
        follow(&first, start()).await?.is_some(),
    )?;
    answered(store.delete(third.id, &third.subject)).await?;
    rule(
        "`successor` of a session that ended is none",
        follow(&first, start()).await?.is_none() && follow(&second, start()).await?.is_none(),
    )
}

pub(super) async fn creates_instead(store: &dyn SessionStore) -> ContractResult {
    let one = NonZeroU32::MIN;
    let (old, new) = (record(54, "nora"), record(55, "nora"));
    let create = async |old, new, limit| answered(store.create_instead_of(old, new, limit)).await;
    let is_there = async |of: &SessionRecord| -> ContractResult<bool> {
        Ok(answered(store.load(of.id, start())).await?.is_some())
    };
    rule(
        "`create_instead_of` a session that does not exist stores nothing",
        create(&old, &new, None).await? == Created::OldGone && !is_there(&new).await?,
    )?;
    answered(store.create(&old, None)).await?;
    answered(store.set_data(old.id, start(), Some(b"old"), None)).await?;
    let foreign = SessionRecord {
        secret_hash: SecretHash::from_bytes([0; 32]),
        ..old.clone()
    };
    let late = SessionRecord {
        created_at: old.idle_expires_at,
        ..new.clone()
    };
    rule(
        "`create_instead_of` a session with another secret, or past its end, stores nothing",
        create(&foreign, &new, None).await? == Created::OldGone
            && create(&old, &late, None).await? == Created::OldGone
            && !is_there(&new).await?
            && is_there(&old).await?,
    )?;
    let (another, third) = (record(56, "nora"), record(57, "nora"));
    answered(store.create(&another, None)).await?;
    rule(
        "`create_instead_of` keeps the old session if the limit refuses the new one",
        create(&old, &new, Some(SessionLimit::Reject(one))).await? == Created::LimitReached
            && is_there(&old).await?
            && !is_there(&new).await?,
    )?;
    answered(store.delete(another.id, &old.subject)).await?;
    let taken = SessionRecord {
        subject: Subject::new("omar"),
        ..third.clone()
    };
    answered(store.create(&taken, None)).await?;
    rule(
        "`create_instead_of` keeps the old session if the id is taken",
        create(&old, &third, None).await? == Created::IdTaken && is_there(&old).await?,
    )?;
    rule(
        "`create_instead_of` ends the old session, does not count it, and copies nothing from it",
        create(&old, &new, Some(SessionLimit::Reject(one))).await? == STORED
            && answered(store.list(&old.subject, start())).await? == [new.clone()]
            && answered(store.data(new.id, start())).await? == Some(StoredData::default())
            && answered(store.successor(old.id, old.secret_hash, start()))
                .await?
                .is_none(),
    )?;
    let newer = SessionRecord {
        created_at: start() + STEP,
        ..record(58, "omar")
    };
    rule(
        "`create_instead_of` ends a session of another subject, and the oldest ones of its own",
        create(&new, &newer, Some(SessionLimit::EvictOldest(one))).await?
            == Created::Stored(vec![taken.id])
            && !is_there(&new).await?
            && !is_there(&taken).await?
            && is_there(&newer).await?,
    )
}
