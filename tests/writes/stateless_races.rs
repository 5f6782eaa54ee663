//! Writes of sessions that are in their tokens, and whose store is beside the rows, which an end of the session
//! overtakes or has to wait for.

use std::pin::pin;
use std::time::Duration;

use clearance::session::{Freshness, SessionStore as _, Strategy};
use clearance::{Access, Key, RequestContext, Result, SessionId, Sessions, Viewer as _, Write};
use http::HeaderMap;

use crate::engines::{Engine, Isolation, engine};
use crate::races::*;
use crate::support::*;

async fn stateless(directory: &Directory) -> Sessions<Member> {
    directory.db.migrate().await.unwrap();
    let store = directory.db.session_store();
    Sessions::builder(Key::generate().unwrap(), store, Members)
        .app_url("https://app.example")
        .strategy(Strategy::Stateless)
        .build()
        .unwrap()
}

/// A session of the editor that stands in its cookie.
struct Session {
    id: SessionId,
    headers: HeaderMap,
}

impl Session {
    async fn begin(sessions: &Sessions<Member>) -> Self {
        let session = sessions.create(&editor().subject()).await.unwrap();
        let id = session.id();
        let cookie = session.into_set_cookies().remove(0);
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(http::header::COOKIE, pair.parse().unwrap());
        Self { id, headers }
    }

    fn request(&self, sessions: &Sessions<Member>) -> RequestContext {
        RequestContext::new(sessions, &self.headers)
    }
}

/// What ends a session.
#[derive(Debug, Clone, Copy)]
enum End {
    All,
    ById,
    SignOut,
    Everyone,
    /// Another session of the same user keeps itself alone.
    Others,
}

const ENDS: [End; 5] = [
    End::All,
    End::ById,
    End::SignOut,
    End::Everyone,
    End::Others,
];

async fn end(sessions: &Sessions<Member>, session: &Session, how: End) -> Result<()> {
    let subject = editor().subject();
    match how {
        End::All => sessions.revoke_all(&subject).await.map(drop),
        End::ById => sessions.revoke(&subject, session.id).await.map(drop),
        End::SignOut => session.request(sessions).sign_out().await,
        End::Everyone => sessions.revoke_everyone().await.map(drop),
        End::Others => {
            let other = Session::begin(sessions).await.request(sessions);
            let freshness = Freshness::within(Duration::from_secs(60));
            let proof = other.verify_fresh::<Member>(freshness).await?;
            other.revoke_other_sessions(&proof).await.map(drop)
        }
    }
}

/// Nothing more is written once the session is over.
async fn assert_over(directory: &Directory, sessions: &Sessions<Member>, session: &Session) {
    let before = texts(directory).await;
    let request = session.request(sessions);
    let error = request
        .scope(Access::<Write<Member>>::authenticated())
        .await;
    assert!(error.unwrap_err().is_unauthenticated());
    assert_eq!(texts(directory).await, before);
}

async fn end_while_it_waits(directory: &Directory, what: Change, how: End, commits: bool) {
    let case = format!("{what:?}, {how:?}, {commits}");
    let sessions = stateless(directory).await;
    let session = Session::begin(&sessions).await;
    let request = session.request(&sessions);
    let access = request.scope(write()).await;
    let other = system();
    let holder = directory.db.begin(&other).await.unwrap();
    rewrite(&holder.db(), &other, 1, "held").await.unwrap();

    // It takes the session from the write, or has to wait until that is done.
    let raced = race(
        directory,
        &case,
        request.scope(change(&directory.db, &access, what)),
        end(&sessions, &session, how),
        let_go(holder, commits),
    );
    let Raced {
        outcome,
        other: ended,
        other_waited: waited,
    } = raced.await;
    ended.unwrap();
    let texts = texts(directory).await;
    match outcome {
        Ok(()) => {
            assert!(waited, "{case}: it was done after the session's end");
            assert_eq!(texts, changed(what), "{case}");
        }
        Err(error) => {
            let refused = error.is_unauthenticated() || error.is_retryable();
            assert!(refused, "{case}: {error}");
            let held = if commits { "held" } else { "as it was" };
            assert_eq!(texts, [held, "as it was"], "{case}");
        }
    }
    assert_over(directory, &sessions, &session).await;
}

#[tokio::test]
async fn rf_53_nothing_is_written_after_the_end_of_a_stateless_session_while_a_write_waits() {
    for level in Isolation::ALL {
        for how in ENDS {
            for what in CHANGES {
                let mut directory = notes().await;
                directory.pool = directory.pool.at(level);
                directory.db = directory.pool.db();
                // Both ends of whom it waits for, in turn.
                let commits = matches!(how, End::All) && matches!(what, Change::Delete);
                end_while_it_waits(&directory, what, how, commits).await;
            }
        }
    }
}

#[tokio::test]
async fn rf_53_rows_are_not_inserted_after_the_end_of_a_stateless_session_while_they_wait() {
    for how in ENDS {
        let directory = notes().await;
        let sessions = stateless(&directory).await;
        let session = Session::begin(&sessions).await;
        let request = session.request(&sessions);
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
        let raced = race(
            &directory,
            "a write",
            request.scope(writer.insert_many([note(3), note(4)])),
            end(&sessions, &session, how),
            let_go(holder, false),
        );
        let Raced {
            outcome,
            other: ended,
            other_waited: waited,
        } = raced.await;
        ended.unwrap();
        let written = texts(&directory).await.len();
        match outcome {
            Ok(()) => {
                assert!(waited, "{how:?}: done after the session's end");
                assert_eq!(written, 4);
            }
            Err(error) => {
                assert!(error.is_unauthenticated(), "{how:?}: {error}");
                assert_eq!(written, 2);
            }
        }
        assert_over(&directory, &sessions, &session).await;
    }
}

/// The session was found by this request before, and by another node it is ended.
#[tokio::test]
async fn rf_53_a_write_finds_out_by_itself_that_its_stateless_session_is_over() {
    for how in ENDS {
        let directory = notes().await;
        directory.db.migrate().await.unwrap();
        let key = Key::generate().unwrap();
        let node = || {
            let store = directory.db.session_store();
            Sessions::builder(key.clone(), store, Members)
                .app_url("https://app.example")
                .strategy(Strategy::Stateless)
                .build()
                .unwrap()
        };
        let (here, there) = (node(), node());
        let session = Session::begin(&here).await;
        let request = session.request(&here);
        let access = request.scope(write()).await;
        request
            .scope(rewrite(&directory.db, &access, 1, "mine"))
            .await
            .unwrap();
        end(&there, &session, how).await.unwrap();
        for what in CHANGES {
            let written = request.scope(change(&directory.db, &access, what)).await;
            let error = written.unwrap_err();
            assert!(error.is_unauthenticated(), "{how:?}, {what:?}: {error}");
        }
        assert_eq!(texts(&directory).await, ["mine", "as it was"]);
    }
}

/// Each ends only what it says.
#[tokio::test]
async fn rf_53_a_stateless_session_writes_on_after_the_end_of_another_one() {
    let directory = notes().await;
    let sessions = stateless(&directory).await;
    let (session, other) = (
        Session::begin(&sessions).await,
        Session::begin(&sessions).await,
    );
    let request = session.request(&sessions);
    let access = request.scope(write()).await;
    end(&sessions, &other, End::ById).await.unwrap();
    sessions.revoke_all(&admin().subject()).await.unwrap();
    for what in [Change::UpdateTogether, Change::Update, Change::Delete] {
        let written = request.scope(change(&directory.db, &access, what)).await;
        written.unwrap();
    }
    // The generation that they begin under now is not the first.
    sessions.revoke_all(&editor().subject()).await.unwrap();
    let session = Session::begin(&sessions).await;
    let request = session.request(&sessions);
    let access = request.scope(write()).await;
    let written = request.scope(rewrite(&directory.db, &access, 2, "later"));
    written.await.unwrap();
    assert_eq!(texts(&directory).await, ["later"]);
}

/// They end with the session, and until then they follow each other without a pause.
#[tokio::test]
async fn rf_53_whoever_goes_on_writing_does_not_hold_off_the_end_of_a_stateless_session() {
    for how in ENDS {
        let directory = notes().await;
        let sessions = stateless(&directory).await;
        let session = Session::begin(&sessions).await;
        let request = session.request(&sessions);
        let access = request.scope(write()).await;
        let ending = end(&sessions, &session, how);
        let (refused, ended) = beside_writers(&directory, &request, &access, ending).await;
        ended.unwrap();
        for error in refused {
            assert!(error.is_unauthenticated(), "{how:?}: {error}");
        }
    }
}

/// A transaction of the application that is left open.
#[tokio::test]
async fn rf_53_an_open_transaction_does_not_hold_off_the_end_of_a_stateless_session() {
    if engine() != Engine::Postgres {
        // On SQLite nobody else writes while it is open; InnoDB holds what a statement of it read.
        return;
    }
    for level in Isolation::ALL {
        for how in ENDS {
            let mut directory = notes().await;
            directory.pool = directory.pool.at(level);
            directory.db = directory.pool.db();
            let sessions = stateless(&directory).await;
            let session = Session::begin(&sessions).await;
            let request = session.request(&sessions);
            let access = request.scope(write()).await;
            let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
            let db = transaction.db();
            let written = request.scope(rewrite(&db, &access, 1, "stolen")).await;
            written.unwrap();
            end(&sessions, &session, how).await.unwrap();
            let error = transaction.commit().await.unwrap_err();
            let refused = error.is_unauthenticated() || error.is_retryable();
            assert!(refused, "{level:?}, {how:?}: {error}");
            assert_eq!(texts(&directory).await, ["as it was"; 2]);
        }
    }
}

/// What a transaction of one user holds is theirs, also while it is left open.
#[tokio::test]
async fn rf_53_an_open_transaction_does_not_hold_off_the_end_of_the_session_of_another_user() {
    if engine() == Engine::Sqlite {
        // Nobody else writes while it is open.
        return;
    }
    let directory = notes().await;
    let sessions = stateless(&directory).await;
    let session = Session::begin(&sessions).await;
    let request = session.request(&sessions);
    let access = request.scope(write()).await;
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let db = transaction.db();
    let written = request.scope(rewrite(&db, &access, 1, "changed")).await;
    written.unwrap();
    let subject = admin().subject();
    let theirs = sessions.create(&subject).await.unwrap().id();
    let mut ending = pin!(async {
        sessions.revoke(&subject, theirs).await.unwrap();
        sessions.revoke_all(&subject).await.unwrap();
    });
    let ended = until_it_waits(&directory, 1, &mut ending).await;
    ended.expect("it waits for the transaction of another user");
    transaction.commit().await.unwrap();
    assert_eq!(texts(&directory).await, ["changed", "as it was"]);
}

/// It was begun by the program, and goes on seeing what it read first.
#[tokio::test]
async fn rf_53_a_transaction_that_read_before_writes_nothing_for_a_stateless_session_that_is_over()
{
    if engine() == Engine::Sqlite {
        // Nobody else writes while it is open.
        return;
    }
    for level in Isolation::ALL {
        for how in [None, Some(End::ById), Some(End::All), Some(End::Everyone)] {
            let mut directory = notes().await;
            directory.pool = directory.pool.at(level);
            directory.db = directory.pool.db();
            let sessions = stateless(&directory).await;
            let session = Session::begin(&sessions).await;
            let request = session.request(&sessions);
            let access = request.scope(write()).await;
            let other = system();
            let transaction = directory.db.begin(&other).await.unwrap();
            let query = NoteView::select().lookup(Note::ID, 2);
            transaction.writer().one(query).await.unwrap();
            // Another node, so that this one does not know.
            let store = directory.db.session_store();
            let subject = editor().subject();
            match how {
                None => {}
                Some(End::ById) => {
                    let there = stateless(&directory).await;
                    there.revoke(&subject, session.id).await.unwrap();
                }
                Some(End::Everyone) => store.raise_generation(None, 1).await.unwrap(),
                Some(_) => store.raise_generation(Some(&subject), 1).await.unwrap(),
            }
            let db = transaction.db();
            let written = request.scope(rewrite(&db, &access, 1, "changed"));
            let outcome = match written.await {
                Ok(()) => transaction.commit().await,
                Err(error) => Err(error),
            };
            if how.is_none() {
                outcome.unwrap();
                assert_eq!(texts(&directory).await, ["changed", "as it was"]);
                continue;
            }
            let error = outcome.unwrap_err();
            let refused = error.is_unauthenticated() || error.is_retryable();
            assert!(refused, "{level:?}, {how:?}: {error}");
            assert_eq!(texts(&directory).await, ["as it was"; 2]);
        }
    }
}
