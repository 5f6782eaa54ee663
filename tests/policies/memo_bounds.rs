//! A request keeps no more answers than it should, however long it goes on.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use clearance::{Db, Result, repository};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::support::*;

/// How many answers a request keeps at most.
const MOST: usize = 1_024;

thread_local! {
    static RAN: Cell<usize> = const { Cell::new(0) };
}

/// An argument that is kept with its answer, and counted as long as it is.
#[derive(Clone)]
struct Counted {
    number: usize,
    #[expect(dead_code, reason = "its references are counted")]
    kept: Arc<()>,
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Counted {}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[derive(Clone)]
struct Gate(Arc<Semaphore>);

impl PartialEq for Gate {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Gate {}

impl Hash for Gate {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Numbers {
    db: Db,
    gate: Gate,
}

#[repository(viewer = Member)]
impl Numbers {
    #[authenticated(access)]
    #[memo]
    async fn number(&self, counted: Counted) -> Result<usize> {
        drop(access);
        let _ = &self.db;
        RAN.set(RAN.get() + 1);
        Ok(counted.number)
    }

    /// Another method, whose answers count too.
    #[authenticated(access)]
    #[memo]
    async fn slow(&self, counted: Counted) -> Result<usize> {
        drop(access);
        RAN.set(RAN.get() + 1);
        let _permit = self.gate.0.acquire().await;
        Ok(counted.number)
    }
}

async fn numbers() -> (Numbers, Directory) {
    let directory = empty_directory("").await;
    let numbers = Numbers {
        db: directory.db.clone(),
        gate: Gate(Arc::new(Semaphore::new(0))),
    };
    (numbers, directory)
}

#[tokio::test]
async fn av_21_a_request_of_300_000_different_calls_keeps_the_answers_that_it_used_last() {
    let (numbers, _directory) = numbers().await;
    let kept = Arc::new(());
    let counted = |number| Counted {
        number,
        kept: Arc::clone(&kept),
    };
    as_viewer(admin(), async {
        for number in 0..300_000 {
            assert_eq!(numbers.number(counted(number)).await.unwrap(), number);
            // Those of before are found.
            if number % 1_000 == 0 {
                for earlier in number.saturating_sub(100)..=number {
                    numbers.number(counted(earlier)).await.unwrap();
                }
                assert_eq!(RAN.get(), number + 1);
                assert!(Arc::strong_count(&kept) <= MOST + 1);
            }
        }
        assert!(Arc::strong_count(&kept) <= MOST + 1);
        // An answer that went is worked out again.
        assert_eq!(numbers.number(counted(0)).await.unwrap(), 0);
        assert_eq!(RAN.get(), 300_001);
    })
    .await;
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[tokio::test]
async fn av_21_what_calls_at_the_same_time_wait_for_is_bounded_too() {
    const CALLS: usize = 5_000;
    let (numbers, _directory) = numbers().await;
    let kept = Arc::new(());
    as_viewer(admin(), async {
        let call = |number| {
            numbers.slow(Counted {
                number,
                kept: Arc::clone(&kept),
            })
        };
        let mut calls = Box::pin(join_all(
            (0..CALLS).flat_map(|number| [call(number), call(number)]),
        ));
        while RAN.get() < CALLS {
            assert!(futures_util::poll!(&mut calls).is_pending());
            tokio::task::yield_now().await;
        }
        numbers.gate.0.add_permits(CALLS);
        let answers = calls.await;
        // The two calls of each number share one run.
        assert_eq!(RAN.get(), CALLS);
        for (number, pair) in answers.chunks(2).enumerate() {
            assert!(
                pair.iter()
                    .all(|answer| *answer.as_ref().unwrap() == number)
            );
        }
        assert!(Arc::strong_count(&kept) <= MOST + 1);
    })
    .await;
}
