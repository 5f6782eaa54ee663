//! Several writes that happen together or not at all.

use std::pin::pin;
use std::task::Poll;

use clearance::repository::Transaction;
use clearance::{Access, Db, Error, Result, Write, repository};

use crate::support::*;

/// The names of all rows, as somebody outside of any transaction reads them.
async fn names(directory: &Directory) -> Vec<String> {
    let access = system();
    let query = Profile::select().order(Profile::ID.asc());
    let rows = directory.db.reader(&access).all(query).await.unwrap();
    rows.into_iter().map(|row| row.username).collect()
}

async fn rename(db: &Db, access: &Access<Write<Member>>, id: i64, name: &str) -> Result<()> {
    let update = db.writer(access).update::<Person>(id);
    update.set(Person::USERNAME, name).execute().await
}

async fn two_people() -> Directory {
    directory_of(vec![person(1, Some("red")), person(2, Some("red"))]).await
}

struct Names {
    db: Db,
}

#[repository(viewer = Member)]
impl Names {
    #[authenticated(access: Write)]
    pub async fn rename(&self, id: i64, name: &str) -> Result<()> {
        rename(&self.db, &access, id, name).await
    }
}

struct Removals {
    db: Db,
}

#[repository(viewer = Member)]
impl Removals {
    #[authenticated(access: Write)]
    pub async fn remove(&self, id: i64) -> Result<()> {
        self.db.writer(&access).delete::<Person>(id).await
    }
}

/// What two repositories do in one transaction, up to its end.
async fn rename_and_remove<'a>(
    directory: &Directory,
    access: &'a Access<Write<Member>>,
) -> Result<Transaction<'a, Write<Member>>> {
    let transaction = directory.db.begin(access).await?;
    let names = Names {
        db: transaction.db(),
    };
    let removals = Removals {
        db: transaction.db(),
    };
    names.rename(1, "Ada").await?;
    removals.remove(2).await?;
    Ok(transaction)
}

#[tokio::test]
async fn asvs_15_4_2_a_unit_of_work_over_several_repositories_is_committed_as_one() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = rename_and_remove(&directory, &access).await.unwrap();
        // It sees its own writes.
        let rows = transaction.writer().all(Profile::select()).await.unwrap();
        assert_eq!((rows.len(), rows[0].username.as_str()), (1, "Ada"));
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(names(&directory).await, ["Ada"]);
}

#[tokio::test]
async fn asvs_15_4_2_a_unit_of_work_that_is_rolled_back_or_dropped_wrote_nothing() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = rename_and_remove(&directory, &access).await.unwrap();
        transaction.rollback().await.unwrap();
        drop(rename_and_remove(&directory, &access).await.unwrap());
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}

#[tokio::test]
async fn asvs_15_4_2_a_denied_write_takes_the_others_with_it() {
    let directory = two_people().await;
    let outcome: Result<()> = as_viewer(editor(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await?;
        rename(&transaction.db(), &access, 1, "Ada").await?;
        // An editor deletes nobody.
        transaction.writer().delete::<Person>(2).await?;
        transaction.commit().await
    })
    .await;
    assert!(outcome.unwrap_err().is_not_found());
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}

fn is_misuse<T>(outcome: Result<T>, part: &str) {
    let error = outcome.err().unwrap();
    assert!(error.is_misuse(), "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

#[tokio::test]
async fn a_handle_of_a_transaction_is_of_no_use_when_it_has_ended() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let committed = transaction.db();
        transaction.commit().await.unwrap();
        let dropped = directory.db.begin(&access).await.unwrap().db();
        for db in [committed, dropped] {
            is_misuse(rename(&db, &access, 1, "Ada").await, "has ended");
            is_misuse(db.reader(&access).all(Profile::select()).await, "has ended");
        }
        assert_ne!(
            directory.db,
            directory.db.begin(&access).await.unwrap().db()
        );
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}

#[tokio::test]
async fn a_transaction_inside_another_is_refused() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        is_misuse(transaction.db().begin(&access).await, "savepoint");
    })
    .await;
}

#[tokio::test]
async fn vs_05_a_transaction_is_begun_in_the_request_of_its_access_only() {
    let directory = two_people().await;
    let access = as_viewer(admin(), write()).await;
    assert!(directory.db.begin(&access).await.unwrap_err().is_misuse());
}

/// A person whose slug another one has.
fn twin() -> Person {
    Person {
        slug: "person-1".into(),
        ..person(9, None)
    }
}

#[tokio::test]
async fn asvs_16_5_3_a_statement_that_failed_is_never_committed_around() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let (db, writer) = (transaction.db(), transaction.writer());
        rename(&db, &access, 1, "Ada").await.unwrap();
        let twin = Person {
            author: admin().id,
            ..twin()
        };
        assert!(writer.insert(twin).await.unwrap_err().is_conflict());
        // The error was not returned: every engine refuses the rest alike.
        is_misuse(rename(&db, &access, 2, "Bob").await, "an earlier statement");
        is_misuse(writer.all(Profile::select()).await, "an earlier statement");
        is_misuse(transaction.commit().await, "an earlier statement");
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}

#[tokio::test]
async fn asvs_16_5_3_what_fails_in_a_savepoint_leaves_the_rest() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let db = transaction.db();
        rename(&db, &access, 1, "Ada").await.unwrap();
        let outcome = transaction
            .savepoint(async {
                rename(&db, &access, 2, "Bob").await?;
                let inner = transaction.savepoint(async {
                    rename(&db, &access, 1, "Eve").await?;
                    Err::<(), Error>(rename(&db, &access, 77, "Nobody").await.unwrap_err())
                });
                assert!(inner.await.unwrap_err().is_not_found());
                transaction.savepoint(rename(&db, &access, 2, "Bea")).await
            })
            .await;
        outcome.unwrap();
        let outcome = transaction
            .savepoint(async {
                rename(&db, &access, 2, "Eve").await?;
                let twin = Person {
                    author: admin().id,
                    ..twin()
                };
                transaction.writer().insert(twin).await
            })
            .await;
        assert!(outcome.unwrap_err().is_conflict());
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(names(&directory).await, ["Ada", "Bea"]);
}

#[tokio::test]
async fn asvs_16_5_3_a_savepoint_that_hides_a_failure_is_taken_back() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let db = transaction.db();
        let outcome = transaction
            .savepoint(async {
                rename(&db, &access, 1, "Ada").await?;
                let twin = Person {
                    author: admin().id,
                    ..twin()
                };
                let _ = transaction.writer().insert(twin).await;
                Ok(())
            })
            .await;
        is_misuse(outcome, "an earlier statement");
        rename(&db, &access, 2, "Bob").await.unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "Bob"]);
}

#[tokio::test]
async fn savepoints_side_by_side_are_refused() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let db = transaction.db();
        let (end, ended) = tokio::sync::oneshot::channel();
        let one = transaction.savepoint(async {
            rename(&db, &access, 1, "Ada").await?;
            ended.await.unwrap();
            Ok(())
        });
        let other = transaction.savepoint(async {
            rename(&db, &access, 2, "Bob").await?;
            end.send(()).unwrap();
            std::future::pending::<Result<()>>().await
        });
        tokio::select! {
            biased;
            outcome = one => is_misuse(outcome, "open concurrently"),
            _ = other => unreachable!("it never ends"),
        }
        is_misuse(transaction.commit().await, "an earlier statement");
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}

/// Polls a future once and drops it. Tells whether it was still under way.
async fn give_up<T>(future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn asvs_16_5_3_a_write_that_is_given_up_half_way_ends_the_transaction() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        loop {
            let transaction = directory.db.begin(&access).await.unwrap();
            if give_up(rename(&transaction.db(), &access, 1, "Ada")).await {
                is_misuse(transaction.commit().await, "an earlier statement");
                break;
            }
        }
        // A read too: nobody knows what the connection would say next.
        loop {
            let transaction = directory.db.begin(&access).await.unwrap();
            let writer = transaction.writer();
            if give_up(writer.all(Profile::select())).await {
                is_misuse(transaction.commit().await, "an earlier statement");
                break;
            }
        }
        let transaction = directory.db.begin(&access).await.unwrap();
        rename(&transaction.db(), &access, 2, "Bob").await.unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "Bob"]);
}

#[tokio::test]
async fn asvs_16_5_3_a_stream_in_a_transaction_is_read_to_its_end() {
    use futures_util::StreamExt as _;

    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        let mut rows = transaction
            .writer()
            .stream(Profile::select())
            .await
            .unwrap();
        while let Some(row) = rows.next().await {
            row.unwrap();
        }
        rename(&transaction.db(), &access, 1, "Ada").await.unwrap();
        transaction.commit().await.unwrap();

        let transaction = directory.db.begin(&access).await.unwrap();
        let mut rows = transaction
            .writer()
            .stream(Profile::select())
            .await
            .unwrap();
        rows.next().await.unwrap().unwrap();
        drop(rows);
        is_misuse(transaction.commit().await, "an earlier statement");
    })
    .await;
    assert_eq!(names(&directory).await, ["Ada", "user2"]);
}

#[tokio::test]
async fn asvs_15_4_2_one_of_two_transactions_in_each_others_way_can_be_tried_again() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let one = directory.db.begin(&access).await.unwrap();
        rename(&one.db(), &access, 1, "Ada").await.unwrap();
        if let TestPool::Sqlite(pool) = &directory.pool {
            // It lets one in at a time; this pool does not wait for its turn.
            let options = pool.connect_options().as_ref().clone();
            let options = options.busy_timeout(std::time::Duration::ZERO);
            let impatient = sqlx::SqlitePool::connect_lazy_with(options);
            let impatient = Db::unguarded_pool(impatient, "a test of contention");
            let error = impatient.begin(&access).await.unwrap_err();
            assert!(error.is_retryable() && error.is_unavailable(), "{error:?}");
            rename(&one.db(), &access, 2, "Ada").await.unwrap();
            return one.commit().await.unwrap();
        }
        let other = directory.db.begin(&access).await.unwrap();
        rename(&other.db(), &access, 2, "Bob").await.unwrap();
        // Each wants what the other has.
        let one = async {
            rename(&one.db(), &access, 2, "Ada").await?;
            one.commit().await
        };
        let other = async {
            rename(&other.db(), &access, 1, "Bob").await?;
            other.commit().await
        };
        let (one, other) = tokio::join!(one, other);
        let failed: Vec<Error> = [one, other].into_iter().filter_map(Result::err).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert!(failed[0].is_retryable() && failed[0].is_unavailable());
    })
    .await;
    let names = names(&directory).await;
    assert_eq!(names[0], names[1]);
}

/// Ends the connections of a server's database but the one that says so.
#[expect(clippy::disallowed_methods, reason = "a test plays the operator")]
async fn end_connections(pool: &TestPool) {
    match pool {
        TestPool::Sqlite(_) => unreachable!("SQLite has no connections to lose"),
        TestPool::Postgres(pool) => {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            sqlx::query(end).execute(pool).await.unwrap();
        }
        TestPool::Mysql(pool) => {
            let mut own = pool.acquire().await.unwrap();
            let others = "SELECT id FROM information_schema.processlist \
                WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            let others: Vec<i64> = sqlx::query_scalar(others)
                .fetch_all(&mut *own)
                .await
                .unwrap();
            for id in others {
                let end = sqlx::AssertSqlSafe(format!("KILL {id}"));
                // One that has gone by itself since is as good as ended.
                drop(sqlx::raw_sql(end).execute(&mut *own).await);
            }
        }
    }
}

#[tokio::test]
async fn asvs_16_5_3_a_connection_that_is_lost_in_a_transaction_wrote_nothing() {
    let directory = two_people().await;
    as_viewer(admin(), async {
        let access = write().await;
        let transaction = directory.db.begin(&access).await.unwrap();
        rename(&transaction.db(), &access, 1, "Ada").await.unwrap();
        if let TestPool::Sqlite(_) = directory.pool {
            // All that can be lost is the program that holds it.
            return drop(transaction);
        }
        end_connections(&directory.pool).await;
        let outcome = rename(&transaction.db(), &access, 2, "Bob").await;
        assert!(outcome.unwrap_err().is_unavailable());
        is_misuse(transaction.commit().await, "an earlier statement");
    })
    .await;
    assert_eq!(names(&directory).await, ["user1", "user2"]);
}
