//! What callers at the same time do to one store. Each caller is a task of its own, all of them wait
//! for the last one, and no test waits for time to pass.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::TimeDelta;
use clearance::Subject;
use clearance::session::{
    Created, DataKept, Generations, Replaced, SessionId, SessionLimit, SessionRecord, SessionStore,
    Standing,
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
            for version in [None, Some(0)] {
                let kept = store.set_data(old.id, now, Some(b"x"), version).await;
                assert_eq!(kept, Ok(DataKept::Gone));
            }
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
                            let data = Some(&b"x"[..]);
                            store.set_data(session.id, now, data, None).await.unwrap();
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

/// What is there when all are ended ends at one instant, whoever signs in meanwhile; what is kept goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_48_ending_all_ends_each_that_was_there_at_one_instant() {
    const MANY: u64 = 250;

    for fresh in every_store().await {
        for round in 0..3 {
            let subject = format!("subject {round}");
            let first = round * 10_000;
            let of = |number| record(first + number, &subject);
            for number in 0..MANY {
                fresh.store.create(&of(number), None).await.unwrap();
            }
            let keep = (round == 1).then(|| of(0).id);
            let ended = at_once(8, &fresh.store, |caller, store| {
                let subject = Subject::new(&subject);
                let new: Vec<_> = (0..10).map(|it| of(1_000 + caller * 10 + it)).collect();
                async move {
                    let now = start() + TimeDelta::seconds(1);
                    let load = async |number| store.load(id(number), now).await.unwrap();
                    match caller {
                        0 if round == 2 => store.delete_everyone().await.unwrap(),
                        0 => store.delete_all(&subject, keep).await.unwrap(),
                        1..4 => {
                            // From the last one on, which goes last where they go one by one.
                            while load(first + MANY - caller).await.is_some() {
                                tokio::task::yield_now().await;
                            }
                            for number in 1..MANY {
                                assert_eq!(load(first + number).await, None, "{number}");
                            }
                            0
                        }
                        _ => {
                            for record in new {
                                let made = store.create(&record, None).await.unwrap();
                                assert_eq!(made, Created::Stored(Vec::new()));
                            }
                            0
                        }
                    }
                }
            })
            .await[0];
            let left = living(&*fresh.store, &subject).await;
            let kept = u64::from(keep.is_some());
            let new = left.iter().filter(|there| Some(**there) != keep).count() as u64;
            assert_eq!(left.len() as u64, new + kept);
            assert!(new <= 40, "{new}");
            // Each that signed in meanwhile either ended too or goes on.
            assert_eq!(ended + new, MANY - kept + 40);
            fresh.store.delete_everyone().await.unwrap();
        }
    }
}

/// A limit that many sessions are beyond, as one that was not there before, holds when several sign in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_7_a_limit_that_is_new_holds_when_several_sign_in_at_once() {
    const MANY: u64 = 350;
    const SIGN_INS: u64 = 8;

    for fresh in every_store().await {
        for number in 0..MANY {
            let record = record(number, "ada");
            fresh.store.create(&record, None).await.unwrap();
        }
        let created = at_once(SIGN_INS, &fresh.store, |caller, store| async move {
            let limit = Some(SessionLimit::EvictOldest(limit(3)));
            let new = record(MANY + caller, "ada");
            store.create(&new, limit).await.unwrap()
        })
        .await;
        let mut evicted = BTreeSet::new();
        for made in created {
            let Created::Stored(ended) = made else {
                panic!("{made:?}");
            };
            for id in ended {
                assert!(evicted.insert(id), "a session was ended twice");
            }
        }
        let left: BTreeSet<SessionId> = living(&*fresh.store, "ada").await.into_iter().collect();
        assert_eq!(left.len(), 3);
        let all: BTreeSet<SessionId> = (0..MANY + SIGN_INS).map(id).collect();
        assert_eq!(evicted, &all - &left);
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

/// Each of them answers only when nobody is left, though what they find is taken by the others.
#[tokio::test]
async fn rf_48_whoever_ends_everyone_beside_others_leaves_nobody() {
    const MANY: u64 = 500;

    for fresh in every_store().await {
        for _ in 0..6 {
            for number in 0..MANY {
                let of = record(number, &format!("subject {}", number % 50));
                fresh.store.create(&of, None).await.unwrap();
            }
            let now = start() + TimeDelta::seconds(1);
            let left = at_once(4, &fresh.store, |_, store| async move {
                store.delete_everyone().await.unwrap();
                let mut left = 0;
                // Those that go last where they go in steps come first.
                for number in (0..MANY).rev() {
                    left += u64::from(store.load(id(number), now).await.unwrap().is_some());
                }
                left
            });
            assert_eq!(left.await, [0; 4]);
        }
    }
}

/// Each of three sessions is to end for many new ones at once. One of those takes its place, and the limit
/// holds though there is no room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_44_rf_7_one_of_fifty_sign_ins_takes_the_place_of_a_session() {
    for fresh in every_store().await {
        for round in 0..ROUNDS {
            let subject = format!("subject {round}");
            let of = |number| record(round * 1_000 + number, &subject);
            for number in 0..3 {
                fresh.store.create(&of(number), None).await.unwrap();
            }
            let created = at_once(CALLERS, &fresh.store, |caller, store| {
                let (old, new) = (of(caller % 3), of(100 + caller));
                let limit = Some(SessionLimit::Reject(limit(3)));
                async move { store.create_instead_of(&old, &new, limit).await.unwrap() }
            })
            .await;
            let stored = Created::Stored(Vec::new());
            assert_eq!(created.iter().filter(|made| **made == stored).count(), 3);
            let gone = created.iter().filter(|made| **made == Created::OldGone);
            assert_eq!(gone.count(), 47);
            let living = living(&*fresh.store, &subject).await;
            assert_eq!(living.len(), 3);
            assert!((0..3).all(|number| !living.contains(&of(number).id)));
        }
    }
}

/// Whoever ends a session by what led to it once finds it, however fast it goes on under other ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_42_what_led_to_a_session_finds_it_while_it_goes_on() {
    const CHANGES: u64 = 20;

    for fresh in every_store().await {
        let store = &fresh.store;
        for round in 0..10 {
            let subject = format!("subject {round}");
            let of = |number| record(round * 1_000 + number, &subject);
            store.create(&of(0), None).await.unwrap();
            store.replace(&of(0), &of(1), start()).await.unwrap();
            at_once(2, store, |caller, store| {
                let records: Vec<_> = (0..=CHANGES).map(of).collect();
                async move {
                    if caller == 0 {
                        for pair in records[1..].windows(2) {
                            // Until it was ended.
                            store.replace(&pair[0], &pair[1], start()).await.unwrap();
                        }
                        return;
                    }
                    let (id, hash) = (records[0].id, records[0].secret_hash);
                    while let Some(there) = store.successor(id, hash, start()).await.unwrap() {
                        store.delete(there.id, &there.subject).await.unwrap();
                    }
                }
            })
            .await;
            assert!(living(&**store, &subject).await.is_empty());
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
            store.deny(id(1), &ada, until).await.unwrap();
        })
        .await;
        let standing = Standing {
            denied: true,
            cut_off: Some(at(CALLERS - 1)),
            generations: None,
        };
        let ada = Subject::new("ada");
        let before = at(CALLERS) + TimeDelta::days(1) - TimeDelta::microseconds(1);
        assert_eq!(fresh.store.standing(id(1), &ada).await.unwrap(), standing);
        // Each is kept as long as the one that is kept longest.
        fresh.store.sweep(before).await.unwrap();
        assert_eq!(fresh.store.standing(id(1), &ada).await.unwrap(), standing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_31_no_raise_of_a_generation_is_lost() {
    for fresh in every_store().await {
        let began = at_once(CALLERS, &fresh.store, |caller, store| async move {
            let ada = Subject::new("ada");
            store.raise_generation(Some(&ada), 1).await.unwrap();
            store.generations(&ada, caller + 1).await.unwrap().everyone
        })
        .await;
        // Whoever asked first made that of everyone.
        let first = began[0];
        assert!(began.iter().all(|everyone| *everyone == first));
        at_once(CALLERS, &fresh.store, |_, store| async move {
            store.raise_generation(None, 2).await.unwrap();
        })
        .await;
        let generations = Generations {
            everyone: first + 2 * CALLERS,
            subject: CALLERS,
        };
        let ada = Subject::new("ada");
        let standing = fresh.store.standing(id(1), &ada).await.unwrap();
        assert_eq!(standing.generations, Some(generations));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rf_33_of_fifty_who_raise_one_generation_one_does() {
    for fresh in every_store().await {
        let ada = Subject::new("ada");
        fresh.store.generations(&ada, 7).await.unwrap();
        let mut from = 0;
        for _ in 0..3 {
            let raised = at_once(CALLERS, &fresh.store, |caller, store| async move {
                let ada = Subject::new("ada");
                let step = caller + 1;
                let raised = store.raise_generation_from(&ada, from, step).await;
                raised.unwrap().then_some(step)
            })
            .await;
            let steps: Vec<u64> = raised.into_iter().flatten().collect();
            assert_eq!(steps.len(), 1);
            from += steps[0];
            let now = fresh.store.generations(&ada, 8).await.unwrap();
            assert_eq!((now.everyone, now.subject), (7, from));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sd_64_of_many_who_change_one_version_of_data_one_does() {
    for fresh in every_store().await {
        let store = &fresh.store;
        for round in 0..10 {
            let session = record(round, "ada");
            store.create(&session, None).await.unwrap();
            let now = start() + TimeDelta::seconds(1);
            for version in [0, 1] {
                let kept = at_once(8, store, |caller, store| {
                    let id = session.id;
                    async move {
                        let data = caller.to_be_bytes();
                        let kept = store.set_data(id, now, Some(&data), Some(version));
                        kept.await.unwrap()
                    }
                })
                .await;
                let of = |outcome| kept.iter().filter(|kept| **kept == outcome).count();
                assert_eq!((of(DataKept::Done), of(DataKept::Stale)), (1, 7));
                let there = store.data(session.id, now).await.unwrap().unwrap();
                assert_eq!(there.version, version + 1);
                assert_eq!(there.data.unwrap().len(), 8);
            }
        }
    }
}
