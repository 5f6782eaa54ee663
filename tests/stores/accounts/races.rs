//! Many who do the same thing at once.

use std::sync::Arc;

use chrono::TimeDelta;
use clearance::account::{
    AccountOwner, Adapter, AdapterError, NewUser, SqlAdapter, VerificationRecord, VerificationToken,
};
use tokio::sync::Barrier;

use super::{account, count, kit, now, with_email};
use crate::engines::{Engine, database, engine};

/// Lets `many` tasks begin at once, each with its number.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send>(
    many: usize,
    adapter: &SqlAdapter,
    work: impl Fn(usize, SqlAdapter) -> F + Clone + Send + 'static,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(many));
    let tasks: Vec<_> = (0..many)
        .map(|number| {
            let (barrier, adapter, work) = (Arc::clone(&barrier), adapter.clone(), work.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                work(number, adapter).await
            })
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ad_03_twenty_first_sign_ins_at_once_create_one_user() {
    let (database, adapter) = kit().await;
    // Without an address, with one that all have, and with one that is told differently each time.
    for (round, address) in [None, Some("ada@example.com"), Some("{}@example.com")]
        .into_iter()
        .enumerate()
    {
        let signed_in = at_once(20, &adapter, move |number, adapter| async move {
            let profile = match address {
                None => NewUser::default(),
                Some(address) => with_email(&address.replace("{}", &number.to_string())),
            };
            let account = account(&round.to_string());
            adapter
                .find_or_create_user_by_account(&account, &profile, now())
                .await
                .unwrap()
        });
        let signed_in = signed_in.await;
        let first = |signed_in: &&AccountOwner| matches!(signed_in, AccountOwner::First(_));
        assert_eq!(signed_in.iter().filter(first).count(), 1);
        let mut ids: Vec<_> = signed_in
            .into_iter()
            .map(|signed_in| signed_in.into_user().id)
            .collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        assert_eq!(count(&database.pool, "clearance_users").await, round + 1);
        assert_eq!(count(&database.pool, "clearance_accounts").await, round + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ad_03_twenty_accounts_with_one_address_are_one_user_and_nineteen_refusals() {
    let (database, adapter) = kit().await;
    let signed_in = at_once(20, &adapter, |number, adapter| async move {
        let profile = with_email("ada@example.com");
        adapter
            .find_or_create_user_by_account(&account(&number.to_string()), &profile, now())
            .await
    });
    let (first, refused): (Vec<_>, Vec<_>) = signed_in.await.into_iter().partition(Result::is_ok);
    assert_eq!(first.len(), 1);
    for refused in refused {
        assert_eq!(refused.unwrap_err(), AdapterError::conflict());
    }
    assert_eq!(count(&database.pool, "clearance_users").await, 1);
    assert_eq!(count(&database.pool, "clearance_accounts").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ad_05_rf_8_of_many_who_redeem_a_token_at_once_one_does() {
    let (database, adapter) = kit().await;
    for many in [20, 50] {
        let token = VerificationToken::generate().unwrap();
        let hash = token.hash();
        adapter
            .create_verification_token(&VerificationRecord {
                identifier: "verify:ada@example.com".to_owned(),
                token_hash: hash,
                expires_at: now() + TimeDelta::hours(1),
            })
            .await
            .unwrap();
        let redeemed = at_once(many, &adapter, move |_, adapter| async move {
            adapter
                .use_verification_token("verify:ada@example.com", hash, now())
                .await
                .unwrap()
        });
        let redeemed = redeemed.await;
        assert_eq!(redeemed.into_iter().filter(|done| *done).count(), 1);
        assert_eq!(
            count(&database.pool, "clearance_verification_tokens").await,
            0
        );
    }
}

#[tokio::test]
async fn ad_01_migrations_run_again_and_at_once() {
    let database = database("").await;
    if engine() == Engine::Sqlite {
        database.db.migrate_accounts().await.unwrap();
    } else {
        // Two programs that start at the same time; the engines have a lock for it.
        let (one, other) = tokio::join!(
            database.db.migrate_accounts(),
            database.db.migrate_accounts()
        );
        one.unwrap();
        other.unwrap();
    }
    database.db.migrate_accounts().await.unwrap();
    // A program that has no use for the kit starts on the same database.
    database.db.migrate().await.unwrap();
    assert_eq!(count(&database.pool, "clearance_users").await, 0);
}
