//! How many sessions a subject has where the application says nothing of it.

use std::sync::Arc;

use clearance::session::{Created, SessionLimit, SessionRecord, SessionsBuilder, Strategy};
use clearance::testing::ManualClock;
use clearance::{Key, Sessions, Subject};

use crate::node::{Member, Members};
use crate::stores::Fresh;
use crate::support::{every_store, id, living, record, start};

fn sessions(
    fresh: &Fresh,
    build: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
) -> Sessions<Member> {
    let builder = Sessions::builder(
        Key::generate().unwrap(),
        Arc::clone(&fresh.store),
        Members::default(),
    );
    let builder = builder.app_url("https://app.example");
    build(builder.clock(ManualClock::at(
        start() + chrono::TimeDelta::milliseconds(500),
    )))
    .build()
    .unwrap()
}

#[tokio::test]
async fn sd_65_no_account_has_more_than_a_thousand_sessions_unless_the_application_says_so() {
    for fresh in every_store().await {
        for number in 0..1_000 {
            let record = record(number, "ada");
            fresh.store.create(&record, None).await.unwrap();
        }
        let (ada, eve) = (Subject::new("ada"), Subject::new("eve"));
        let default = sessions(&fresh, |builder| builder);
        let line =
            "sessions of a subject: 1000 at most, one more sign-in ends the oldest (default)";
        assert!(default.explain().contains(line), "{}", default.explain());
        for oldest in 0..2 {
            assert!(living(&*fresh.store, "ada").await.contains(&id(oldest)));
            default.create(&ada).await.unwrap();
            let there = living(&*fresh.store, "ada").await;
            assert_eq!(there.len(), 1_000);
            assert!(!there.contains(&id(oldest)));
        }
        default.create(&eve).await.unwrap();
        assert_eq!(living(&*fresh.store, "ada").await.len(), 1_000);
        // Any number is what an application says.
        let any = sessions(&fresh, |builder| builder.session_limit(None));
        any.create(&ada).await.unwrap();
        assert_eq!(living(&*fresh.store, "ada").await.len(), 1_001);
        // And it is back to a thousand with the next sign-in that is counted.
        default.create(&ada).await.unwrap();
        assert_eq!(living(&*fresh.store, "ada").await.len(), 1_000);
        // Nobody counts stateless sessions, which is not wrong where nobody asked for it.
        sessions(&fresh, |builder| builder.strategy(Strategy::Stateless));
    }
}

/// More than one statement takes, as where a limit is new.
#[tokio::test]
async fn sd_65_a_limit_that_is_new_ends_all_that_is_beyond_it() {
    for fresh in every_store().await {
        for number in 0..1_203 {
            let record = record(number, "ada");
            fresh.store.create(&record, None).await.unwrap();
        }
        let new: SessionRecord = record(2_000, "ada");
        let created = fresh.store.create(&new, Some(SessionLimit::DEFAULT)).await;
        let Ok(Created::Stored(mut ended)) = created else {
            panic!("it was not stored");
        };
        ended.sort();
        assert!(ended.into_iter().eq((0..204).map(id)));
        assert_eq!(living(&*fresh.store, "ada").await.len(), 1_000);
    }
}
