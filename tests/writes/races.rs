//! What happens between a decision and the write that rests on it. No test waits for time to pass: the
//! server itself says when a statement of the test waits for a lock.

use std::pin::pin;

use clearance::repository::{MayWrite, Transaction, Writes};
use clearance::{Access, Db, Dto, Entity, Error, RequestContext, Result, Write, testing};
use futures_util::future::{Either, join, join_all, join3, join4, select};
use sqlx::Row as _;
use tokio::sync::Barrier;

use crate::engines::{Engine, Isolation, engine};
use crate::support::*;

#[derive(Debug, Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    create_if(row.owner == viewer.id),
    update_if(row.owner == viewer.id),
    delete_if(row.owner == viewer.id)
)]
pub(crate) struct Note {
    #[entity(key)]
    pub(crate) id: i64,
    pub(crate) owner: i64,
    pub(crate) text: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Note, default = visible)]
pub(crate) struct NoteView {
    id: i64,
    owner: i64,
    text: String,
}

/// Two of them are always changed together, and each only by one who knows what it held.
#[derive(Debug, Entity)]
#[entity(
    table = "ledgers",
    viewer = Member,
    rows = open,
    reason = "writes are under test",
    update_if(viewer.id > 0),
    updated_if(before.total < row.total)
)]
struct Ledger {
    #[entity(key)]
    id: i64,
    total: i64,
    writers: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Ledger, default = visible)]
struct LedgerView {
    total: i64,
    writers: String,
}

const SCHEMA: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE TABLE ledgers (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, writers TEXT NOT NULL);
";

/// Two notes of the editor.
pub(crate) async fn notes() -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    let writer = directory.db.writer(&access);
    for id in [1, 2] {
        let text = "as it was".to_owned();
        let owner = editor().id;
        writer.insert(Note { id, owner, text }).await.unwrap();
    }
    directory
}

/// What stands in the notes, as somebody outside of any transaction reads it.
pub(crate) async fn texts(directory: &Directory) -> Vec<String> {
    let access = system();
    let query = NoteView::select().order(NoteView::ID.asc());
    let rows = directory.db.reader(&access).all(query).await.unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

pub(crate) async fn rewrite<P>(db: &Db, access: &Access<P>, id: i64, text: &str) -> Result<()>
where
    P: Writes<Member>,
{
    let update = db.writer(access).update::<Note>(id);
    update.set(Note::TEXT, text).execute().await
}

/// What the editor does to the first note.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Update,
    Delete,
    /// Update it in a transaction, which has read it before.
    UpdateTogether,
}

pub(crate) const CHANGES: [Change; 3] = [Change::Update, Change::Delete, Change::UpdateTogether];

pub(crate) async fn change(db: &Db, access: &Access<Write<Member>>, change: Change) -> Result<()> {
    match change {
        Change::Update => rewrite(db, access, 1, "changed").await,
        Change::Delete => db.writer(access).delete::<Note>(1).await,
        Change::UpdateTogether => {
            let transaction = db.begin(access).await?;
            let query = NoteView::select().lookup(Note::ID, 1);
            transaction.writer().one(query).await?;
            rewrite(&transaction.db(), access, 2, "changed").await?;
            rewrite(&transaction.db(), access, 1, "changed").await?;
            transaction.commit().await
        }
    }
}

/// What is left when the change was done.
pub(crate) fn changed(change: Change) -> Vec<&'static str> {
    match change {
        Change::Update => vec!["changed", "as it was"],
        Change::Delete => vec!["as it was"],
        Change::UpdateTogether => vec!["changed", "changed"],
    }
}

async fn give_away(db: &Db) -> Result<()> {
    let access = system();
    let update = db.writer(&access).update::<Note>(1);
    update.set(Note::OWNER, 9).execute().await
}

/// How many statements of this database wait for a lock, as its server says.
#[expect(clippy::disallowed_methods, reason = "a test watches the server")]
async fn waiting(pool: &TestPool) -> i64 {
    match pool {
        TestPool::Sqlite(_) => unreachable!("SQLite does not say who waits"),
        TestPool::Postgres(pool) => {
            let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap()
        }
        TestPool::Mysql(pool) => {
            // The tables of `information_schema` are as old as whoever asks for them is busy.
            let own = "SELECT id FROM information_schema.processlist WHERE db = DATABASE()";
            let own: Vec<i64> = sqlx::query_scalar(own).fetch_all(pool).await.unwrap();
            let status = sqlx::raw_sql("SHOW ENGINE INNODB STATUS");
            let status: String = status.fetch_one(pool).await.unwrap().get("Status");
            let waiting = status.split("---TRANSACTION").filter(|transaction| {
                let mut parts = transaction.split("thread id ").skip(1);
                let thread = parts.next().and_then(|rest| rest.split(',').next());
                let thread = thread.and_then(|id| id.parse().ok());
                transaction.contains("LOCK WAIT") && thread.is_some_and(|id| own.contains(&id))
            });
            i64::try_from(waiting.count()).unwrap()
        }
    }
}

/// Lets `work` go on until `number` statements wait for locks, of which it is one. Gives what it came
/// to where it does not wait.
pub(crate) async fn until_it_waits<W: Future + Unpin>(
    directory: &Directory,
    number: i64,
    work: &mut W,
) -> Option<W::Output> {
    if let TestPool::Sqlite(_) = directory.pool {
        // One that has what it waits for began before, and so it waits as soon as it runs.
        return None;
    }
    let seen = pin!(async {
        while waiting(&directory.pool).await < number {
            tokio::task::yield_now().await;
        }
    });
    match select(work, seen).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(((), _)) => None,
    }
}

/// What a write came to, and what somebody did who came after it.
pub(crate) struct Raced<W, O> {
    pub(crate) outcome: W,
    pub(crate) other: O,
    /// Whether whoever came later had to wait as well.
    pub(crate) other_waited: bool,
}

/// Has `work` wait for whoever holds what it needs, begins `other` meanwhile, and then has the holder `end`.
pub(crate) async fn race<W: Future<Output: std::fmt::Debug>, O: Future>(
    directory: &Directory,
    case: &str,
    work: W,
    other: O,
    end: impl Future<Output = ()>,
) -> Raced<W::Output, O::Output> {
    let mut work = pin!(work);
    let early = until_it_waits(directory, 1, &mut work).await;
    assert!(early.is_none(), "{case} did not wait: {early:?}");
    let mut other = pin!(other);
    let early = until_it_waits(directory, 2, &mut other).await;
    let other_waited = early.is_none();
    let (outcome, other) = match early {
        Some(other) => (join(work, end).await.0, other),
        None => {
            let (outcome, other, ()) = join3(work, other, end).await;
            (outcome, other)
        }
    };
    Raced {
        outcome,
        other,
        other_waited,
    }
}

pub(crate) async fn let_go<P: MayWrite>(holder: Transaction<'_, P>, commits: bool) {
    let ended = if commits {
        holder.commit().await
    } else {
        holder.rollback().await
    };
    ended.unwrap();
}

/// Three who write one after the other without a pause, until each is refused, and what `other` comes to that
/// begins beside them.
pub(crate) async fn beside_writers<O>(
    directory: &Directory,
    request: &RequestContext,
    access: &Access<Write<Member>>,
    other: impl Future<Output = O>,
) -> ([Error; 3], O) {
    let begun = Barrier::new(4);
    let writer = async |id| {
        begun.wait().await;
        let mut number = 0;
        loop {
            number += 1;
            let text = format!("stolen {number}");
            let written = request.scope(rewrite(&directory.db, access, id, &text));
            if let Err(error) = written.await
                && !error.is_retryable()
            {
                return error;
            }
        }
    };
    let other = async {
        begun.wait().await;
        other.await
    };
    let (first, second, third, other) = join4(writer(1), writer(2), writer(2), other).await;
    ([first, second, third], other)
}

/// Whether the row was not found, or the transaction had to give way because the row has changed since
/// it was read, as MariaDB can be set to say and PostgreSQL says from repeatable read on.
pub(crate) fn is_refused(level: Isolation, error: &Error) -> bool {
    let may_give_way = match engine() {
        Engine::Sqlite => false,
        Engine::Postgres => level > Isolation::ReadCommitted,
        Engine::Mysql => true,
    };
    error.is_not_found() || may_give_way && error.is_retryable()
}

/// A request of the editor, and the right to write in it.
async fn at_the_desk() -> (RequestContext, Access<Write<Member>>) {
    let request = testing::as_viewer(editor());
    let access = request.scope(write()).await;
    (request, access)
}

#[tokio::test]
async fn vs_14_rb_19_asvs_15_4_2_a_row_that_changed_hands_after_it_was_read_is_not_written() {
    for what in CHANGES {
        let directory = notes().await;
        let (request, access) = at_the_desk().await;
        let query = NoteView::select().lookup(Note::ID, 1);
        let read = request.scope(directory.db.reader(&access).one(query)).await;
        assert_eq!(read.unwrap().owner, access.viewer().id);
        give_away(&directory.db).await.unwrap();
        let outcome = request.scope(change(&directory.db, &access, what)).await;
        let error = outcome.unwrap_err();
        assert!(error.is_not_found(), "{what:?}: {error}");
        assert_eq!(texts(&directory).await, ["as it was"; 2], "{what:?}");
    }
}

#[tokio::test]
async fn vs_14_asvs_15_4_2_a_row_that_changes_hands_while_a_write_waits_for_it_is_not_written() {
    for what in CHANGES {
        for given_away in [true, false] {
            let directory = notes().await;
            let (request, access) = at_the_desk().await;
            let other = system();
            let holder = directory.db.begin(&other).await.unwrap();
            give_away(&holder.db()).await.unwrap();

            let mut work = pin!(request.scope(change(&directory.db, &access, what)));
            let early = until_it_waits(&directory, 1, &mut work).await;
            assert!(early.is_none(), "{what:?} did not wait: {early:?}");
            let end = async {
                if given_away {
                    holder.commit().await.unwrap();
                } else {
                    holder.rollback().await.unwrap();
                }
            };
            let (outcome, ()) = join(work, end).await;
            let texts = texts(&directory).await;
            if given_away {
                let error = outcome.unwrap_err();
                assert!(
                    is_refused(Isolation::of_this_run(), &error),
                    "{what:?}: {error}"
                );
                assert_eq!(texts, ["as it was"; 2], "{what:?}");
            } else {
                outcome.unwrap();
                assert_eq!(texts, changed(what));
            }
        }
    }
}

/// The row has changed since the statement began, which an engine may refuse from repeatable read on.
#[tokio::test]
async fn av_47_a_write_that_others_came_before_is_done_all_the_same() {
    for level in Isolation::ALL {
        let directory = notes().await;
        let db = directory.pool.at(level).db();
        let (request, access) = at_the_desk().await;
        let other = system();
        let holder = directory.db.begin(&other).await.unwrap();
        rewrite(&holder.db(), &other, 1, "before").await.unwrap();

        let work = request.scope(rewrite(&db, &access, 1, "after"));
        let mut work = pin!(work);
        let early = until_it_waits(&directory, 1, &mut work).await;
        assert!(early.is_none(), "{level:?} did not wait: {early:?}");
        let (outcome, ()) = join(work, let_go(holder, true)).await;
        outcome.unwrap();
        assert_eq!(texts(&directory).await, ["after", "as it was"], "{level:?}");
    }
}

/// From repeatable read on a transaction keeps seeing the row that it read.
#[tokio::test]
async fn vs_14_asvs_15_4_2_a_row_that_changed_hands_since_the_transaction_read_it_is_not_written() {
    let directory = notes().await;
    if let TestPool::Sqlite(_) = directory.pool {
        // Nobody else writes while a transaction is open.
        return;
    }
    let (request, access) = at_the_desk().await;
    let transaction = request.scope(directory.db.begin(&access)).await.unwrap();
    let (db, writer) = (transaction.db(), transaction.writer());
    let query = || NoteView::select().lookup(Note::ID, 1);
    let read = request.scope(writer.one(query())).await.unwrap();
    give_away(&directory.db).await.unwrap();
    let again = request.scope(writer.one(query())).await.unwrap();
    let repeats = Isolation::of_this_run() > Isolation::ReadCommitted;
    assert_eq!(read == again, repeats, "{again:?}");

    let outcome = request.scope(rewrite(&db, &access, 1, "changed")).await;
    let error = outcome.unwrap_err();
    assert!(is_refused(Isolation::of_this_run(), &error), "{error}");
    drop(transaction);
    assert_eq!(texts(&directory).await, ["as it was"; 2]);
}

/// The database through connections on which a transaction gives way where a row has changed since
/// it was read: the default of MariaDB from 11.6.2 on.
#[expect(
    clippy::disallowed_methods,
    reason = "a test sets what an operator would"
)]
async fn giving_way(directory: &Directory) -> Option<Db> {
    let TestPool::Mysql(pool) = &directory.pool else {
        return None;
    };
    let known = sqlx::query("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'");
    let _ = known.fetch_optional(pool).await.unwrap()?;
    let options = pool.connect_options().as_ref().clone();
    let pool = sqlx::mysql::MySqlPoolOptions::new().after_connect(|connection, _| {
        let set = sqlx::query("SET innodb_snapshot_isolation = ON").execute(connection);
        Box::pin(async { set.await.map(|_| ()) })
    });
    let pool = pool.connect_lazy_with(options);
    Some(Db::unguarded_pool(pool, "a test of contention"))
}

#[tokio::test]
async fn asvs_15_4_2_a_transaction_that_gives_way_to_a_change_of_what_it_read_can_be_begun_anew() {
    let directory = notes().await;
    let Some(db) = giving_way(&directory).await else {
        return;
    };
    let (request, access) = at_the_desk().await;
    let transaction = request.scope(db.begin(&access)).await.unwrap();
    let query = NoteView::select().lookup(Note::ID, 1);
    request
        .scope(transaction.writer().one(query))
        .await
        .unwrap();
    let other = system();
    rewrite(&directory.db, &other, 1, "changed").await.unwrap();
    let within = transaction.db();
    let work = rewrite(&within, &access, 1, "changed again");
    let error = request.scope(work).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(transaction);

    let anew = change(&db, &access, Change::UpdateTogether);
    request.scope(anew).await.unwrap();
    assert_eq!(texts(&directory).await, ["changed"; 2]);
}

const WRITERS: i64 = 50;
/// So many connections the pool of a test has.
const AT_ONCE: usize = 4;

/// Adds one to both ledgers, knowing what they hold.
async fn count_up(
    directory: &Directory,
    access: &Access<Write<Member>>,
    who: i64,
    read: impl AsyncFnOnce(),
) -> Result<()> {
    let transaction = directory.db.begin(access).await?;
    let writer = transaction.writer();
    let mut updates = Vec::new();
    for id in [1, 2] {
        let query = LedgerView::select().lookup(Ledger::ID, id);
        let held = writer.one(query).await?;
        let update = writer.update::<Ledger>(id);
        let update = update.set(Ledger::TOTAL, held.total + 1);
        updates.push(update.set(Ledger::WRITERS, format!("{}{who};", held.writers)));
    }
    read().await;
    // In both orders, so that they also wait for each other.
    if who % 2 == 0 {
        updates.reverse();
    }
    for update in updates {
        update.execute().await?;
    }
    let owner = access.viewer().id;
    let text = "counted".to_owned();
    writer
        .insert(Note {
            id: who,
            owner,
            text,
        })
        .await?;
    transaction.commit().await
}

#[tokio::test]
async fn asvs_15_4_2_asvs_16_5_3_fifty_writers_at_once_lose_nothing_and_leave_nothing_half_written()
{
    let directory = empty_directory(SCHEMA).await;
    if let TestPool::Postgres(_) = directory.pool {
        // A second would pass before each deadlock is noticed. Only some accounts may say so.
        let sooner = "DO $$ BEGIN \
            PERFORM set_config('deadlock_timeout', '20', false); \
            EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 20', current_database()); \
            EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";
        execute(&directory.pool, sooner).await;
    }
    let access = system();
    let writer = directory.db.writer(&access);
    for id in [1, 2] {
        let writers = String::new();
        let ledger = Ledger {
            id,
            total: 0,
            writers,
        };
        writer.insert(ledger).await.unwrap();
    }

    // The first to come have all read before the first of them writes. SQLite lets in one.
    let first = match directory.pool {
        TestPool::Sqlite(_) => 0,
        TestPool::Postgres(_) | TestPool::Mysql(_) => AT_ONCE,
    };
    let all_read = Barrier::new(first.max(1));
    let writers = (1..=WRITERS).zip(0..).map(async |(who, number)| {
        let member = Member {
            id: who,
            ..editor()
        };
        let request = testing::as_viewer(member);
        let access = request.scope(write()).await;
        let mut tries = 0;
        loop {
            tries += 1;
            let read = async || {
                if tries == 1 && number < first {
                    all_read.wait().await;
                }
            };
            let outcome = request
                .scope(count_up(&directory, &access, who, read))
                .await;
            match outcome {
                Ok(()) => return tries,
                // Another was faster, or waited for what this one had.
                Err(error) => assert!(error.is_not_found() || error.is_retryable(), "{error:?}"),
            }
        }
    });
    let tries: Vec<usize> = join_all(writers).await;

    let again = tries.iter().sum::<usize>() - tries.len();
    println!(
        "{:?}: {again} transactions were begun anew",
        crate::engines::engine()
    );
    assert!(again + 1 >= first, "only {again} began anew");
    let reader = directory.db.reader(&access);
    let query = LedgerView::select().order(LedgerView::TOTAL.asc());
    let ledgers = reader.all(query).await.unwrap();
    assert_eq!(ledgers.len(), 2);
    assert_eq!(ledgers.first(), ledgers.last());
    let LedgerView { total, writers } = ledgers.first().unwrap();
    assert_eq!(*total, WRITERS);
    let mut who: Vec<i64> = writers
        .split_terminator(';')
        .map(|who| who.parse().unwrap())
        .collect();
    who.sort_unstable();
    assert_eq!(who, (1..=WRITERS).collect::<Vec<_>>());
    assert_eq!(reader.count(NoteView::select()).await.unwrap(), 50);
}
