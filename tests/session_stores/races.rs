//! What callers at the same time do to one store. Each caller is a task of its own, all of them wait
//! for the last one, and no test waits for time to pass.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::TimeDelta;
use clearance::Subject;
use clearance::session::{
    Created, Replaced, SessionId, SessionLimit, SessionRecord, SessionStore, Standing,
};
use tokio::sync::Barrier;

use crate::support::{every_store, id, living, record, start};

const CALLERS: u64 = 50;

fn limit(most: u32) -> NonZeroU32 {
    NonZeroU32::new(most).unwrap()
}

/// What each of so many callers got, who all began at the same time.
async fn at_once<T, F>(
    callers: u64,
    store: &Arc<dyn SessionStore>,
    call: impl Fn(u64, Arc<dyn SessionStore>) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(callers.try_into().unwrap()));
    let calls: Vec<_> = (0..callers)
        .map(|number| {
            let (barrier, call) = (Arc::clone(&barrier), call(number, Arc::clone(store)));
            tokio::spawn(async move {
                barrier.wait().await;
                call.await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn rf_1_no_writer_that_was_slow_brings_back_what_was_ended() {
    for fresh in every_store().await {
        let store = &fresh.store;
        for way in 0..3 {
            // A writer has read the session, and is slow.
            let old = record(way, "ada");
            store.create(&old, None).await.unwrap();
            let now = start() + TimeDelta::seconds(1);
            let read = store.load(old.id, now).await.unwrap().unwrap();
            match way {
                0 => assert!(store.delete(old.id, &old.subject).await.unwrap()),
                1 => assert_eq!(store.delete_all(&old.subject, None).await.unwrap(), 1),
                _ => assert_eq!(store.delete_everyone().await.unwrap(), 1),
            }
            let touched = SessionRecord {
                last_seen_at: now,
                ..read.clone()
            };
            let new = record(way + 100, "ada");
            assert!(!store.touch(&touched).await.unwrap());
            assert!(!store.set_data(old.id, now, Some(b"x")).await.unwrap());
            assert_eq!(store.replace(&read, &new, now).await, Ok(Replaced::Gone));
            assert_eq!(store.load(old.id, now).await, Ok(None));
            assert_eq!(store.load(new.id, now).await, Ok(None));
            assert_eq!(store.data(old.id, now).await, Ok(None));
            assert!(living(&**store, "ada").await.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_1_writers_at_the_time_of_a_deletion_leave_nothing_behind() {
    for fresh in every_store().await {
        let store = &fresh.store;
        for round in 0..10 {
            let session = record(round, "ada");
            store.create(&session, None).await.unwrap();
            at_once(9, store, |caller, store| {
                let session = session.clone();
                async move {
                    let now = start() + TimeDelta::seconds(1);
                    match caller % 3 {
                        0 => {
                            let touched = SessionRecord {
                                last_seen_at: now,
                                ..session
                            };
                            store.touch(&touched).await.unwrap();
                        }
                        1 => {
                            store.set_data(session.id, now, Some(b"x")).await.unwrap();
                        }
                        _ => {
                            store.delete(session.id, &session.subject).await.unwrap();
                        }
                    }
                }
            })
            .await;
            assert!(living(&**store, "ada").await.is_empty());
        }
    }
}

/// How often fifty sign in at once. Only the first few of them can overtake each other, and in the
/// first round they wait for connections that are still being made.
const ROUNDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_7_a_limit_that_refuses_holds_when_fifty_sign_in_at_once() {
    for fresh in every_store().await {
        for round in 0..ROUNDS {
            let subject = format!("subject {round}");
            let created = at_once(CALLERS, &fresh.store, |caller, store| {
                let record = record(round * CALLERS + caller, &subject);
                let limit = Some(SessionLimit::Reject(limit(3)));
                async move { store.create(&record, limit).await.unwrap() }
            })
            .await;
            let stored = Created::Stored(Vec::new());
            assert_eq!(created.iter().filter(|made| **made == stored).count(), 3);
            let refused = created
                .iter()
                .filter(|made| **made == Created::LimitReached);
            assert_eq!(refused.count(), 47);
            assert_eq!(living(&*fresh.store, &subject).await.len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_7_a_limit_that_evicts_holds_when_fifty_sign_in_at_once() {
    for fresh in every_store().await {
        let created = at_once(CALLERS, &fresh.store, |caller, store| async move {
            let limit = Some(SessionLimit::EvictOldest(limit(3)));
            store.create(&record(caller, "ada"), limit).await.unwrap()
        })
        .await;
        let mut evicted = BTreeSet::new();
        for made in created {
            let Created::Stored(ended) = made else {
                panic!("{made:?}");
            };
            for id in ended {
                assert!(evicted.insert(id), "a session was ended twice");
                assert_eq!(fresh.store.load(id, start()).await, Ok(None));
            }
        }
        let living: BTreeSet<SessionId> = living(&*fresh.store, "ada").await.into_iter().collect();
        assert_eq!(living.len(), 3);
        let all: BTreeSet<SessionId> = (0..CALLERS).map(id).collect();
        assert_eq!(evicted, &all - &living);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_7_subjects_and_sweeps_do_not_stand_in_each_others_way() {
    const SUBJECTS: u64 = 5;

    for fresh in every_store().await {
        at_once(60, &fresh.store, |caller, store| async move {
            match caller {
                // It also removes what sign-ins of one subject wait for.
                0..10 => {
                    store.sweep(start()).await.unwrap();
                }
                _ => {
                    let subject = format!("subject {}", caller % SUBJECTS);
                    let limit = Some(SessionLimit::EvictOldest(limit(2)));
                    let created = store.create(&record(caller, &subject), limit).await;
                    assert!(matches!(created, Ok(Created::Stored(_))), "{created:?}");
                }
            }
        })
        .await;
        for subject in 0..SUBJECTS {
            let subject = format!("subject {subject}");
            assert_eq!(living(&*fresh.store, &subject).await.len(), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_7_a_session_that_is_replaced_meanwhile_is_not_one_more() {
    for fresh in every_store().await {
        let store = &fresh.store;
        for round in 0..10 {
            let subject = format!("subject {round}");
            let of = |number| record(round * 100 + number, &subject);
            for number in 0..3 {
                store.create(&of(number), None).await.unwrap();
            }
            at_once(4, store, |caller, store| {
                let (old, new) = (of(caller), of(caller + 10));
                async move {
                    if caller == 3 {
                        let limit = Some(SessionLimit::EvictOldest(limit(3)));
                        let created = store.create(&old, limit).await.unwrap();
                        assert!(matches!(created, Created::Stored(_)), "{created:?}");
                    } else {
                        store.replace(&old, &new, start()).await.unwrap();
                    }
                }
            })
            .await;
            assert_eq!(living(&**store, &subject).await.len(), 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_8_one_of_fifty_replacements_of_a_session_is_done() {
    for fresh in every_store().await {
        let old = record(0, "ada");
        fresh.store.create(&old, None).await.unwrap();
        let replaced = at_once(CALLERS, &fresh.store, |caller, store| {
            let old = old.clone();
            async move {
                let new = record(caller + 1, "ada");
                (new.id, store.replace(&old, &new, start()).await.unwrap())
            }
        })
        .await;
        let done: Vec<SessionId> = replaced
            .iter()
            .filter(|(_, replaced)| *replaced == Replaced::Done)
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(living(&*fresh.store, "ada").await, done);
        assert_eq!(done.len(), 1);
        let others = replaced.iter().filter(|(id, _)| !done.contains(id));
        assert!(others.clone().all(|(_, it)| *it == Replaced::Gone));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_8_a_session_is_either_replaced_or_deleted() {
    for fresh in every_store().await {
        for round in 0..20 {
            let old = record(round, "ada");
            fresh.store.create(&old, None).await.unwrap();
            let did = at_once(3, &fresh.store, |caller, store| {
                let old = old.clone();
                async move {
                    let new = record(1_000 + round * 10 + caller, "ada");
                    match caller {
                        0 => store.delete(old.id, &old.subject).await.unwrap(),
                        _ => store.replace(&old, &new, start()).await.unwrap() == Replaced::Done,
                    }
                }
            })
            .await;
            assert_eq!(did.iter().filter(|did| **did).count(), 1);
            let left = living(&*fresh.store, "ada").await;
            assert_eq!(left.is_empty(), did[0]);
            fresh.store.delete_everyone().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_8_the_latest_of_fifty_cut_offs_stands() {
    for fresh in every_store().await {
        let at = |caller: u64| start() + TimeDelta::seconds(caller.try_into().unwrap());
        at_once(CALLERS, &fresh.store, |caller, store| async move {
            let until = at(CALLERS - caller) + TimeDelta::days(1);
            let ada = Subject::new("ada");
            store.cut_off(Some(&ada), at(caller), until).await.unwrap();
            store.deny(id(1), until).await.unwrap();
        })
        .await;
        let standing = Standing {
            denied: true,
            cut_off: Some(at(CALLERS - 1)),
        };
        let ada = Subject::new("ada");
        let before = at(CALLERS) + TimeDelta::days(1) - TimeDelta::microseconds(1);
        assert_eq!(fresh.store.standing(id(1), &ada).await.unwrap(), standing);
        // Each is kept as long as the one that is kept longest.
        fresh.store.sweep(before).await.unwrap();
        assert_eq!(fresh.store.standing(id(1), &ada).await.unwrap(), standing);
    }
}
