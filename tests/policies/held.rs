//! An access that is held while its session ends, becomes another one, or its viewer changes.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use clearance::session::Assurance;
use clearance::{Access, Read, RequestContext, Result, SessionId, Subject, Untrusted, Write};
use futures_util::StreamExt as _;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer};

use crate::lots::*;
use crate::support::{listen_with, system};

/// What becomes of the session of a request.
#[derive(Debug, Clone, Copy)]
enum Turn {
    SignInOther,
    SignInAgain,
    SignOut,
    Rotate,
    StepUp,
    Revoke,
    RevokeAll,
    ViewerGone,
}

use Turn::{Revoke, RevokeAll, Rotate, SignInAgain, SignInOther, SignOut, StepUp, ViewerGone};

/// After these the request has another session, or none.
const ANOTHER: [Turn; 5] = [SignInOther, SignInAgain, SignOut, Rotate, StepUp];
/// After these its session has ended, and nobody told the request.
const ENDED: [Turn; 3] = [Revoke, RevokeAll, ViewerGone];

impl Turn {
    async fn happen(self, house: &House, request: &RequestContext, session: SessionId) {
        match self {
            SignInOther => drop(request.sign_in(&Subject::new(2)).await.unwrap()),
            SignInAgain => drop(request.sign_in(&subject()).await.unwrap()),
            SignOut => request.sign_out().await.unwrap(),
            Rotate => drop(request.rotate_session().await.unwrap()),
            StepUp => drop(request.step_up(&subject(), Assurance::Aal1).await.unwrap()),
            Revoke => assert!(house.sessions.revoke(&subject(), session).await.unwrap()),
            RevokeAll => drop(house.sessions.revoke_all(&subject()).await.unwrap()),
            ViewerGone => {
                house.bidders.gone.store(true, Ordering::SeqCst);
                house.sessions.viewer_changed(&subject());
            }
        }
    }
}

async fn session(request: &RequestContext) -> SessionId {
    let verified = request.verify_session::<Bidder>().await.unwrap();
    verified.session_id()
}

/// Every way to read and to write after this turn, each with an access that was taken before.
async fn after(house: &House, turn: Turn) {
    for form in READS {
        let request = house.request().await;
        let id = session(&request).await;
        let outcomes = request.scope(async {
            let reading = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let writing = Access::<Write<Bidder>>::authenticated().await.unwrap();
            turn.happen(house, &request, id).await;
            let read_by_reader = read(house.db(), &reading, form).await;
            [read_by_reader, read(house.db(), &writing, form).await]
        });
        for outcome in outcomes.await {
            let error = outcome.unwrap_err();
            assert!(error.is_unauthenticated(), "{turn:?}, {form}: {error:?}");
        }
        anew(house);
    }
    for form in WRITES {
        let row = house.new_row().await;
        let request = house.request().await;
        let id = session(&request).await;
        let outcome = request.scope(async {
            let access = Access::<Write<Bidder>>::authenticated().await.unwrap();
            turn.happen(house, &request, id).await;
            write(house.db(), &access, form, row).await
        });
        let error = outcome.await.unwrap_err();
        assert!(error.is_unauthenticated(), "{turn:?}, {form}: {error:?}");
        anew(house);
        assert_eq!(
            house.stored(row).await,
            [(row, 10 * row)],
            "{turn:?}, {form}"
        );
    }
}

/// Whoever signs in from now on is in. Tokens that were cut off are told from new ones by their instant.
fn anew(house: &House) {
    house.bidders.gone.store(false, Ordering::SeqCst);
    house.clock.advance(MINUTE / 60);
}

#[tokio::test]
async fn rf_21_an_access_is_of_one_session_and_one_viewer() {
    for kept in STORES {
        let house = House::of(kept).await;
        for turn in ANOTHER {
            after(&house, turn).await;
        }
    }
}

#[tokio::test]
async fn rf_21_what_a_client_sent_is_not_opened_for_another_session() {
    let house = House::of(Kept::Memory).await;
    for turn in ANOTHER {
        let request = house.request().await;
        let id = session(&request).await;
        let opened = request.scope(async {
            let access = Access::<Write<Bidder>>::authenticated().await.unwrap();
            let body = || Untrusted::<EditPiece>::json(r#"{"price":7}"#);
            body().open(&access).unwrap();
            turn.happen(&house, &request, id).await;
            body().open(&access).map(drop)
        });
        let error = opened.await.unwrap_err();
        assert!(error.is_unauthenticated(), "{turn:?}: {error:?}");
    }
}

#[tokio::test]
async fn rf_22_an_access_that_is_held_reads_and_writes_nothing_after_a_revocation() {
    for kept in STORES {
        let house = House::of(kept).await;
        for turn in ENDED {
            after(&house, turn).await;
        }
    }
}

#[tokio::test]
async fn rf_22_what_is_written_in_a_transaction_ends_with_the_session() {
    for kept in [Kept::Memory, Kept::Stateless] {
        let house = House::of(kept).await;
        for turn in ANOTHER.into_iter().chain(ENDED) {
            let row = house.new_row().await;
            let request = house.request().await;
            let id = session(&request).await;
            let outcome: Result<()> = request
                .scope(async {
                    let access = Access::<Write<Bidder>>::authenticated().await?;
                    let transaction = house.db().begin(&access).await?;
                    write(&transaction.db(), &access, "update", row).await?;
                    turn.happen(&house, &request, id).await;
                    let late = write(&transaction.db(), &access, "insert", row).await;
                    transaction.rollback().await?;
                    late
                })
                .await;
            let error = outcome.unwrap_err();
            assert!(error.is_unauthenticated(), "{turn:?}: {error:?}");
            anew(&house);
            assert_eq!(house.stored(row).await, [(row, 10 * row)], "{turn:?}");
        }
    }
}

#[tokio::test]
async fn rf_23_somebody_else_s_revocation_refuses_nobody() {
    for kept in STORES {
        let house = House::of(kept).await;
        // Who shares the shard is loaded again, as after a change of their own.
        let disturb = || house.sessions.viewer_changed(&subject());
        for form in READS {
            let seen = house.request().await.scope(async {
                let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
                disturb();
                read(house.db(), &access, form).await
            });
            let seen = seen
                .await
                .unwrap_or_else(|error| panic!("{kept:?}, {form}: {error:?}"));
            assert!(seen > 0, "{kept:?}, {form}");
        }
        for form in WRITES {
            let row = house.new_row().await;
            let written = house.request().await.scope(async {
                let access = Access::<Write<Bidder>>::authenticated().await.unwrap();
                disturb();
                write(house.db(), &access, form, row).await
            });
            let written = written.await;
            written.unwrap_or_else(|error| panic!("{kept:?}, {form}: {error:?}"));
            let is_asked_only = ["begin", "open"].contains(&form) || form.starts_with("explain");
            let is_unchanged = house.stored(row).await == [(row, 10 * row)];
            assert_eq!(is_asked_only, is_unchanged, "{kept:?}, {form}");
        }
    }
}

#[tokio::test]
async fn rf_22_the_rules_see_the_viewer_as_they_are_now() {
    for kept in STORES {
        let house = House::of(kept).await;
        let seen = house.request().await.scope(async {
            let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let reader = house.db().reader(&access);
            let query = || PieceView::select().lookup(Piece::ID, 1);
            assert!(!reader.one(query()).await.unwrap().closes.is_hidden());
            house.bidders.demoted.store(true, Ordering::SeqCst);
            house.sessions.viewer_changed(&subject());
            let loads = house.bidders.loads.load(Ordering::SeqCst);
            for _ in 0..3 {
                assert!(reader.one(query()).await.unwrap().closes.is_hidden());
            }
            assert_eq!(
                house.bidders.loads.load(Ordering::SeqCst),
                loads + 1,
                "{kept:?}"
            );
            let can_see = access.can_see::<PieceView>().await.unwrap();
            can_see.field(PieceView::CLOSES)
        });
        assert_eq!(seen.await, clearance::Permission::No, "{kept:?}");
    }
}

#[tokio::test]
async fn rf_24_a_stream_that_has_begun_ends_with_its_session() {
    for kept in STORES {
        for turn in ANOTHER.into_iter().chain(ENDED) {
            let house = House::of(kept).await;
            let request = house.request().await;
            let id = session(&request).await;
            request
                .scope(async {
                    let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
                    let reader = house.db().reader(&access);
                    let mut rows = reader.stream(PieceView::select()).await.unwrap();
                    for expected in 1..=2 {
                        assert_eq!(rows.next().await.unwrap().unwrap().id, expected);
                    }
                    turn.happen(&house, &request, id).await;
                    let error = rows.next().await.unwrap().unwrap_err();
                    assert!(error.is_unauthenticated(), "{kept:?}, {turn:?}: {error:?}");
                    assert!(rows.next().await.is_none());
                })
                .await;
        }
    }
}

#[tokio::test]
async fn rf_24_a_stream_goes_on_where_its_query_stays_the_same_and_ends_where_it_would_not() {
    let house = House::of(Kept::Memory).await;
    house
        .request()
        .await
        .scope(async {
            let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let reader = house.db().reader(&access);
            let mut rows = reader.stream(PieceView::select()).await.unwrap();
            assert_eq!(rows.next().await.unwrap().unwrap().id, 1);
            house.sessions.viewer_changed(&subject());
            let loads = house.bidders.loads.load(Ordering::SeqCst);
            for expected in 2..=4 {
                assert_eq!(rows.next().await.unwrap().unwrap().id, expected);
            }
            assert_eq!(house.bidders.loads.load(Ordering::SeqCst), loads + 1);
            // Whoever is no clerk may see less.
            house.bidders.demoted.store(true, Ordering::SeqCst);
            house.sessions.viewer_changed(&subject());
            let error = rows.next().await.unwrap().unwrap_err();
            assert!(error.is_retryable(), "{error:?}");
            assert!(rows.next().await.is_none());
        })
        .await;
}

#[tokio::test]
async fn rf_24_a_stream_asks_anew_when_its_answer_is_older_than_the_bound() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    request
        .scope(async {
            let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let reader = house.db().reader(&access);
            let mut rows = reader.stream(PieceView::select()).await.unwrap();
            assert_eq!(rows.next().await.unwrap().unwrap().id, 1);
            // Nobody tells this node.
            house.bidders.gone.store(true, Ordering::SeqCst);
            assert_eq!(rows.next().await.unwrap().unwrap().id, 2);
            house.clock.advance(MINUTE);
            let error = rows.next().await.unwrap().unwrap_err();
            assert!(error.is_unauthenticated(), "{error:?}");
        })
        .await;
}

#[tokio::test]
async fn rf_22_pages_in_a_loop_end_with_the_session() {
    use clearance::repository::Page;

    let house = House::of(Kept::Beside).await;
    let request = house.request().await;
    let id = session(&request).await;
    request
        .scope(async {
            let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let reader = house.db().reader(&access);
            let first = reader
                .page(PieceView::select(), Page::first(2))
                .await
                .unwrap();
            let next = first.next.unwrap();
            Revoke.happen(&house, &request, id).await;
            let page = Page::after(2, &next);
            let error = reader.page(PieceView::select(), page).await.unwrap_err();
            assert!(error.is_unauthenticated(), "{error:?}");
        })
        .await;
}

/// Has something happen right before the first statement of this kind.
struct Before(&'static str, Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Before {
    fn a(statement: &'static str, happen: impl FnOnce() + Send + 'static) -> DefaultGuard {
        listen_with(Self(statement, Mutex::new(Some(Box::new(happen)))))
    }
}

impl<S: tracing::Subscriber> Layer<S> for Before {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Is(&'static str, bool);

        impl Visit for Is {
            fn record_str(&mut self, field: &Field, value: &str) {
                self.1 |= field.name() == "statement" && value.starts_with(self.0);
            }

            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }

        let mut is = Is(self.0, false);
        event.record(&mut is);
        let happen = is.1.then(|| self.1.lock().unwrap().take());
        if let Some(happen) = happen.flatten() {
            happen();
        }
    }
}

/// The viewer is gone by the time of such a statement.
fn gone_before(statement: &'static str, house: &House) -> DefaultGuard {
    let (sessions, bidders) = (house.sessions.clone(), house.bidders.clone());
    Before::a(statement, move || {
        bidders.gone.store(true, Ordering::SeqCst);
        sessions.viewer_changed(&subject());
    })
}

#[tokio::test]
async fn rf_22_related_rows_are_not_loaded_for_who_was_signed_out_meanwhile() {
    let house = House::of(Kept::Memory).await;
    house
        .request()
        .await
        .scope(async {
            let access = Access::<Read<Bidder>>::authenticated().await.unwrap();
            let reader = house.db().reader(&access);
            let query = || Family::select().lookup(Lot::ID, 1);
            assert_eq!(reader.one(query()).await.unwrap().siblings.len(), 6);
            let _listening = gone_before("SELECT", &house);
            let error = reader.one(query()).await.unwrap_err();
            assert!(error.is_unauthenticated(), "{error:?}");
        })
        .await;
}

#[tokio::test]
async fn rf_21_the_program_and_the_public_have_no_session_that_could_end() {
    let house = House::of(Kept::Memory).await;
    let request = house.request().await;
    let id = session(&request).await;
    request
        .scope(async {
            let access = Access::public("a test").unwrap();
            SignOut.happen(&house, &request, id).await;
            let can = access.can::<Piece>(clearance::entity::RowAction::Read);
            assert_eq!(can.await.unwrap(), clearance::Permission::No);
        })
        .await;
    assert_eq!(read(house.db(), &system(), "all").await.unwrap(), 6);
}

#[tokio::test]
async fn rf_22_a_write_of_many_statements_ends_with_the_session() {
    // More than one statement takes.
    const ROWS: i64 = 10_000;
    let house = House::of(Kept::Memory).await;
    let written = house.request().await.scope(async {
        let access = Access::<Write<Bidder>>::authenticated().await.unwrap();
        let _listening = gone_before("INSERT", &house);
        let writer = house.db().writer(&access);
        writer.insert_many((1_000..1_000 + ROWS).map(piece)).await
    });
    let error = written.await.unwrap_err();
    assert!(error.is_unauthenticated(), "{error:?}");
    let access = system();
    let count = house.db().reader(&access).count(PieceView::select()).await;
    assert_eq!(count.unwrap(), 6);
}

#[tokio::test]
async fn rf_21_a_session_that_is_another_one_by_the_time_of_the_statement_on_sqlite() {
    let house = House::of(Kept::Beside).await;
    for form in ["insert", "update", "permitted", "delete"] {
        let row = house.new_row().await;
        let request = house.request().await;
        let other = request.clone();
        let statement = match form {
            "insert" => "INSERT",
            "delete" => "DELETE",
            _ => "UPDATE",
        };
        let outcome = request.scope(async {
            let access = Access::<Write<Bidder>>::authenticated().await.unwrap();
            let _listening = Before::a(statement, move || {
                let signed_in = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    let signed_in = runtime.block_on(other.sign_in(&Subject::new(1)));
                    signed_in.unwrap();
                });
                signed_in.join().unwrap();
            });
            write(house.db(), &access, form, row).await
        });
        let error = outcome.await.unwrap_err();
        assert!(error.is_unauthenticated(), "{form}: {error:?}");
        assert_eq!(house.stored(row).await, [(row, 10 * row)], "{form}");
    }
}
