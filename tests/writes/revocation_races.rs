//! Writes that a revocation overtakes, or that it has to wait for.

use std::pin::pin;

use clearance::session::{Key, SessionInfo, SessionLimit, SessionStore as _};
use clearance::{Access, RequestContext, Sessions, Viewer as _, Write};
use futures_util::future::join;

use crate::engines::{Engine, Isolation, engine};
use crate::races::*;
use crate::support::*;

/// A session that is signed in beside the data, so that each write looks for it itself.
async fn session(directory: &Directory) -> (Sessions<Member>, RequestContext) {
    let sessions = sessions_beside(directory).await;
    let request = signed_in(&sessions, &editor()).await;
    (sessions, request)
}

/// Nothing more is written once the session is over.
async fn assert_over(
    directory: &Directory,
    request: &RequestContext,
    access: &Access<Write<Member>>,
) {
    let before = texts(directory).await;
    let (db, id) = (&directory.db, 2);
    let (owner, text) = (access.viewer().id, "changed".to_owned());
    let writer = db.writer(access);
    let outcomes = [
        request.scope(rewrite(db, access, id, "again")).await,
        request.scope(writer.delete::<Note>(id)).await,
        request
            .scope(writer.insert(Note { id: 3, owner, text }))
            .await,
    ];
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(error.is_unauthenticated(), "{error}");
    }
    assert_eq!(texts(directory).await, before);
}

/// The session of the editor is revoked while their change waits for somebody who `commits`.
async fn revoke_while_it_waits(directory: &Directory, what: Change, commits: bool) {
    let (sessions, request) = session(directory).await;
    let access = request.scope(write()).await;
    let other = system();
    let holder = directory.db.begin(&other).await.unwrap();
    rewrite(&holder.db(), &other, 1, "held").await.unwrap();

    let (subject, case) = (editor().subject(), format!("{what:?}"));
    // It takes the session from the write, or has to wait until that is done.
    let raced = race(
        directory,
        &case,
        request.scope(change(&directory.db, &access, what)),
        sessions.revoke_all(&subject),
        let_go(holder, commits),
    );
    let Raced {
        outcome,
        other: revoked,
        other_waited: revocation_waited,
    } = raced.await;
    assert_eq!(revoked.unwrap(), 1);
    let texts = texts(directory).await;
    match outcome {
        Ok(()) => {
            assert!(revocation_waited, "{what:?} was done after the revocation");
            assert_eq!(texts, changed(what));
        }
        Err(error) => {
            // What the holder changed is no longer what the transaction read, nor is the session.
            let refused = error.is_unauthenticated() || error.is_retryable();
            assert!(refused, "{what:?}: {error}");
            let held = if commits { "held" } else { "as it was" };
            assert_eq!(texts, [held, "as it was"], "{what:?}");
        }
    }
    assert_over(directory, &request, &access).await;
}

#[tokio::test]
async fn rf_1_sd_06_asvs_15_4_2_nothing_is_written_after_a_revocation_while_a_write_waits() {
    for level in Isolation::ALL {
        for what in CHANGES {
            for commits in [true, false] {
                let mut directory = notes().await;
                directory.pool = directory.pool.at(level);
                directory.db = directory.pool.db();
                revoke_while_it_waits(&directory, what, commits).await;
            }
        }
    }
}

#[tokio::test]
async fn rf_1_sd_06_asvs_15_4_2_rows_are_not_inserted_after_a_revocation_while_they_wait() {
    let directory = notes().await;
    let (sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let note = |id| Note {
        id,
        owner: editor().id,
        text: "new".to_owned(),
    };
    let other = system();
    let holder = directory.db.begin(&other).await.unwrap();
    holder.writer().insert(note(3)).await.unwrap();

    let writer = directory.db.writer(&access);
    let subject = editor().subject();
    let raced = race(
        &directory,
        "a write",
        request.scope(writer.insert_many([note(3), note(4)])),
        sessions.revoke_all(&subject),
        let_go(holder, false),
    );
    let raced = raced.await;
    assert_eq!(raced.other.unwrap(), 1);
    let outcome = raced.outcome;
    let expected = raced.other_waited && outcome.is_ok();
    if let Err(error) = &outcome {
        assert!(error.is_unauthenticated(), "{error}");
    }
    assert_eq!(outcome.is_ok(), expected, "done after the revocation");
    let texts = texts(&directory).await;
    assert_eq!(texts.len(), if expected { 4 } else { 2 });
    assert_over(&directory, &request, &access).await;
}

#[tokio::test]
async fn rf_1_sd_06_asvs_16_5_3_nothing_stays_of_a_transaction_that_a_revocation_overtakes() {
    let directory = notes().await;
    let (sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let db = transaction.db();
    let rewrite = async |id| {
        let work = rewrite(&db, &access, id, "changed");
        request.scope(work).await
    };
    rewrite(1).await.unwrap();
    let subject = editor().subject();
    let mut revocation = pin!(sessions.revoke_all(&subject));
    let revoked = until_it_waits(&directory, 1, &mut revocation).await;
    if let Some(revoked) = revoked {
        assert_eq!(revoked.unwrap(), 1);
        let error = rewrite(2).await.unwrap_err();
        assert!(error.is_unauthenticated(), "{error}");
        drop(transaction);
        assert_eq!(texts(&directory).await, ["as it was"; 2]);
    } else {
        // The session stands until the transaction that rests on it has ended.
        rewrite(2).await.unwrap();
        let (revoked, committed) = join(revocation, transaction.commit()).await;
        committed.unwrap();
        assert_eq!(revoked.unwrap(), 1);
        assert_eq!(texts(&directory).await, ["changed"; 2]);
    }
    assert_over(&directory, &request, &access).await;
}

/// They end with the session, and until then they follow each other without a pause.
#[tokio::test]
async fn rf_52_whoever_goes_on_writing_does_not_hold_off_a_revocation() {
    let directory = notes().await;
    let (sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let subject = editor().subject();
    let revocation = sessions.revoke_all(&subject);
    let (refused, revoked) = beside_writers(&directory, &request, &access, revocation).await;
    assert_eq!(revoked.unwrap(), 1);
    for error in refused {
        assert!(error.is_unauthenticated(), "{error}");
    }
    assert_over(&directory, &request, &access).await;
}

/// A write that began before it is still under way: it is waited for, and what begins later finds nothing.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test holds what a write would")]
async fn rf_52_no_write_begins_while_a_revocation_waits_for_another() {
    let directory = notes().await;
    let TestPool::Postgres(pool) = &directory.pool else {
        // SQLite and InnoDB serve those who wait in their order.
        return;
    };
    let (_sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let mut under_way = pool.begin().await.unwrap();
    let held = sqlx::query("SELECT 1 FROM clearance_sessions FOR KEY SHARE");
    let _ = held.fetch_all(&mut *under_way).await.unwrap();
    let subject = editor().subject();
    // On another node, of which this one does not hear.
    let elsewhere = sessions_beside(&directory).await;
    let mut revocation = pin!(elsewhere.revoke_all(&subject));
    let early = until_it_waits(&directory, 1, &mut revocation).await;
    assert!(early.is_none(), "it did not wait: {early:?}");
    let later = request.scope(rewrite(&directory.db, &access, 1, "stolen"));
    let error = later.await.unwrap_err();
    assert!(error.is_unauthenticated(), "{error}");
    let (revoked, ended) = join(revocation, under_way.rollback()).await;
    ended.unwrap();
    assert_eq!(revoked.unwrap(), 1);
    assert_eq!(texts(&directory).await, ["as it was"; 2]);
}

/// Nor does a sign-in wait for a write under the session that ends with it.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test holds what a write would")]
async fn rf_52_a_sign_in_waits_for_no_write_under_the_session_that_it_ends() {
    let directory = notes().await;
    let TestPool::Postgres(pool) = &directory.pool else {
        // SQLite and InnoDB serve those who wait in their order.
        return;
    };
    directory.db.migrate().await.unwrap();
    let store = directory.db.session_store();
    let one = SessionLimit::EvictOldest(std::num::NonZeroU32::MIN);
    let sessions = Sessions::builder(Key::generate().unwrap(), store, Members)
        .app_url("https://app.example")
        .session_limit(one)
        .build()
        .unwrap();
    let subject = editor().subject();
    let old = sessions.create(&subject).await.unwrap().id();
    let mut under_way = pool.begin().await.unwrap();
    let held = sqlx::query("SELECT 1 FROM clearance_sessions FOR KEY SHARE");
    let _ = held.fetch_all(&mut *under_way).await.unwrap();
    let mut sign_in = pin!(sessions.create(&subject));
    let new = until_it_waits(&directory, 1, &mut sign_in).await;
    let new = new.expect("it waits for the write").unwrap().id();
    under_way.rollback().await.unwrap();
    let left = sessions.list(&subject).await.unwrap();
    let left: Vec<_> = left.iter().map(SessionInfo::id).collect();
    assert_eq!(left, [new]);
    assert_ne!(new, old);
    // What is over is swept as any other.
    let store = directory.db.session_store();
    assert_eq!(store.sweep(chrono::Utc::now()).await.unwrap(), 1);
}

/// A transaction of the application that is left open.
#[tokio::test]
async fn rf_52_an_open_transaction_of_the_user_does_not_hold_off_a_revocation() {
    let directory = notes().await;
    if engine() != Engine::Postgres {
        // On SQLite nobody else writes while it is open; InnoDB holds what a statement of it read.
        return;
    }
    let (sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let db = transaction.db();
    let written = request.scope(rewrite(&db, &access, 1, "stolen")).await;
    written.unwrap();
    let subject = editor().subject();
    assert_eq!(sessions.revoke_all(&subject).await.unwrap(), 1);
    let error = transaction.commit().await.unwrap_err();
    // Above read committed the session that it saw has changed, which can be tried again and found out.
    let gives_way = Isolation::of_this_run() > Isolation::ReadCommitted && error.is_retryable();
    assert!(error.is_unauthenticated() || gives_way, "{error}");
    assert_eq!(texts(&directory).await, ["as it was"; 2]);
    assert_over(&directory, &request, &access).await;
}

/// Reads note now and then that the session is used.
#[tokio::test]
async fn av_41_an_open_transaction_of_a_user_does_not_hold_off_their_reads() {
    let directory = notes().await;
    if engine() == Engine::Sqlite {
        // Nobody else writes while it is open.
        return;
    }
    let (sessions, request) = session(&directory).await;
    let access = request.scope(write()).await;
    let record = sessions.list(&editor().subject()).await.unwrap().remove(0);
    let store = directory.db.session_store();
    let record = store.load(record.id(), chrono::Utc::now()).await;
    let record = record.unwrap().unwrap();
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let db = transaction.db();
    let written = request.scope(rewrite(&db, &access, 1, "changed")).await;
    written.unwrap();
    let mut touched = pin!(store.touch(&record));
    let touched = until_it_waits(&directory, 1, &mut touched).await;
    assert!(touched.expect("it waits for the transaction").unwrap());
    transaction.commit().await.unwrap();
    sessions.revoke_all(&editor().subject()).await.unwrap();
    assert!(!store.touch(&record).await.unwrap());
}
