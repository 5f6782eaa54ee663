//! A change and its record are there together or not at all, and a refusal's record stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clearance::audit::{AuditEvent, AuditSink, SinkError, SqlAuditSink};
use clearance::{Access, Db, Dto, Entity, Result, Write, async_trait};
use tokio::sync::Notify;

use crate::audit::in_request;
use crate::desk::*;
use crate::support::{Directory, Events, TestPool, execute, instant, system};

/// What the library keeps, as an application would read it.
#[derive(Debug, Entity)]
#[entity(table = "clearance_audit", viewer = Agent, read_if(viewer.lead))]
struct Kept {
    #[entity(key)]
    id: i64,
    at: i64,
    viewer: Option<String>,
    reason: Option<String>,
    action: String,
    outcome: String,
    entity: String,
    table_name: String,
    row_key: Option<String>,
    row_count: i64,
    fields: String,
    rule: String,
    request_id: Option<String>,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Kept, default = visible)]
struct Record {
    id: i64,
    at: i64,
    viewer: Option<String>,
    reason: Option<String>,
    action: String,
    outcome: String,
    entity: String,
    table_name: String,
    row_key: Option<String>,
    row_count: i64,
    fields: String,
    rule: String,
    request_id: Option<String>,
}

clearance::app! {
    static APP = { viewer: Agent, dtos: [Record], repositories: [] };
}

async fn records(db: &Db) -> Vec<Record> {
    let access = system();
    let query = Record::select().order(Record::ID.asc());
    db.reader(&access).all(query).await.unwrap()
}

/// What was done to which row, and with what outcome.
async fn kept(db: &Db) -> Vec<String> {
    let records = records(db).await.into_iter();
    records
        .map(|record| {
            let key = record.row_key.unwrap_or_default();
            format!("{} {key} {}", record.action, record.outcome)
        })
        .collect()
}

/// Waits for so many records where nobody waits for them, and returns those that there are in the end.
async fn at_last(db: &Db, number: usize) -> Vec<String> {
    let arrived = async {
        while kept(db).await.len() < number {
            tokio::task::yield_now().await;
        }
    };
    // A record that is lost fails the test, and does not hang it.
    let _ = tokio::time::timeout(Duration::from_secs(30), arrived).await;
    kept(db).await
}

/// Waits for what a transaction leaves behind when nobody waits for its end.
async fn kept_at_last(db: &Db, expected: &[&str]) {
    assert_eq!(at_last(db, expected.len()).await, expected);
}

async fn audited_desk() -> (Directory, Db) {
    let directory = desk().await;
    directory.db.migrate().await.unwrap();
    let db = directory.db.audited(SqlAuditSink::new());
    (directory, db)
}

async fn rename(db: &Db, access: &Access<Write<Agent>>, id: i64) -> Result<()> {
    let update = db.writer(access).update::<Ticket>(id);
    update.set(Ticket::TITLE, "renamed").execute().await
}

#[tokio::test]
async fn asvs_16_3_2_the_table_holds_each_part_of_an_event_and_fits_an_entity() {
    let (directory, db) = audited_desk().await;
    db.check(&APP).await.unwrap();
    in_request(agent(), async |access| {
        rename(&db, &access, 1).await.unwrap();
        rename(&db, &access, 3).await.unwrap_err();
    })
    .await;
    let access = system();
    let rows = (20..23).map(|id| ticket(id, 7));
    db.writer(&access).insert_many(rows).await.unwrap();
    let kept = records(&directory.db).await;
    let record = |id: i64, outcome: &str, key: &str| Record {
        id,
        at: instant(3).timestamp_micros(),
        viewer: Some("7".into()),
        reason: None,
        action: "update".into(),
        outcome: outcome.into(),
        entity: "Ticket".into(),
        table_name: "tickets".into(),
        row_key: Some(key.into()),
        row_count: i64::from(outcome == "allowed"),
        fields: "title".into(),
        rule: "update_if(row.opener == viewer.id || viewer.lead)".into(),
        request_id: Some("r-7".into()),
    };
    assert_eq!(kept[0], record(1, "allowed", "1"));
    assert_eq!(kept[1], record(kept[1].id, "denied", "3"));
    assert!(kept[1].id > kept[0].id);
    let by_program = &kept[2];
    assert_eq!(by_program.viewer, None);
    assert_eq!(
        by_program.reason.as_deref(),
        Some("fills in the rows of a test")
    );
    assert_eq!(
        (by_program.row_key.as_deref(), by_program.row_count),
        (None, 3)
    );
    assert!(by_program.fields.starts_with("id,opener,team"));
    assert_eq!(kept.len(), 3);
}

#[derive(Clone, Copy)]
enum End {
    Commit,
    Rollback,
    /// As when the process is lost, or its caller gives up.
    Drop,
    /// A statement failed in it.
    Failed,
}

/// Renames these tickets in one transaction, and ends it.
async fn in_transaction(db: &Db, ids: &[i64], end: End) {
    in_request(agent(), async |access| {
        let transaction = db.begin(&access).await.unwrap();
        for id in ids {
            let renamed = rename(&transaction.db(), &access, *id).await;
            assert_eq!(renamed.is_ok(), [1, 2].contains(id));
        }
        match end {
            End::Commit => transaction.commit().await.unwrap(),
            End::Rollback => transaction.rollback().await.unwrap(),
            End::Drop => drop(transaction),
            End::Failed => {
                let mut twin = ticket(10, 7);
                twin.code = Some("code4".into());
                assert!(transaction.writer().insert(twin).await.is_err());
                assert!(transaction.commit().await.unwrap_err().is_misuse());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn asvs_16_3_2_change_and_record_are_committed_or_taken_back_together() {
    let (directory, db) = audited_desk().await;
    for end in [End::Rollback, End::Drop, End::Failed] {
        in_transaction(&db, &[1], end).await;
        assert_eq!(stored(&directory, 1).await.title, "ticket 1");
        assert_eq!(kept(&directory.db).await, [""; 0]);
    }
    in_request(agent(), async |access| {
        let transaction = db.begin(&access).await.unwrap();
        let inner = transaction.db();
        rename(&inner, &access, 1).await.unwrap();
        let in_savepoint = transaction.savepoint(async {
            rename(&inner, &access, 2).await?;
            rename(&inner, &access, 99).await
        });
        assert!(in_savepoint.await.unwrap_err().is_not_found());
        transaction.commit().await.unwrap();
    })
    .await;
    assert_eq!(stored(&directory, 1).await.title, "renamed");
    assert_eq!(stored(&directory, 2).await.title, "ticket 2");
    assert_eq!(
        kept(&directory.db).await,
        ["update 1 allowed", "update 99 denied"]
    );
}

#[tokio::test]
async fn asvs_16_3_2_what_the_database_refuses_leaves_no_record() {
    let (directory, db) = audited_desk().await;
    in_request(agent(), async |access| {
        let mut twin = ticket(10, 7);
        twin.code = Some("code1".into());
        let writer = db.writer(&access);
        assert!(writer.insert(twin.clone()).await.unwrap_err().is_conflict());
        let many = [ticket(11, 7), twin];
        assert!(writer.insert_many(many).await.unwrap_err().is_conflict());
        // One that is answered with an error ends the work, recorded or not.
        let transaction = db.begin(&access).await.unwrap();
        let mut twin = ticket(10, 7);
        twin.code = Some("code1".into());
        assert!(transaction.writer().insert(twin).await.is_err());
        assert!(transaction.commit().await.unwrap_err().is_misuse());
    })
    .await;
    assert_eq!(all(&directory).await.len(), 4);
    assert_eq!(kept(&directory.db).await, [""; 0]);
}

#[tokio::test]
async fn asvs_16_3_2_rows_read_back_and_long_lists_are_recorded_with_their_change() {
    let (directory, db) = audited_desk().await;
    in_request(agent(), async |access| {
        let writer = db.writer(&access);
        let update = writer.update::<Ticket>(1).set(Ticket::TITLE, "renamed");
        update.returning::<TicketView>().await.unwrap();
        // More than one statement takes.
        let rows = (1_000..5_000).map(|id| {
            let mut ticket = ticket(id, 7);
            ticket.code = None;
            ticket
        });
        writer.insert_many(rows).await.unwrap();
        let found = TicketView::select().filter(TicketView::ID.ge(1_000));
        let update = writer.update_many(found).set(Ticket::STAGE, 9);
        assert_eq!(update.execute_all().await.unwrap(), 4_000);
    })
    .await;
    let records = records(&directory.db).await;
    let rows: Vec<_> = records.iter().map(|record| record.row_count).collect();
    assert_eq!(rows, [1, 4_000, 4_000]);
}

/// A sink that fails or waits as long as it is told to, and else writes as the library's.
#[derive(Default)]
struct Weak {
    down: AtomicBool,
    stuck: AtomicBool,
    slow: AtomicBool,
    reached: Notify,
    go_on: Notify,
}

#[async_trait]
impl AuditSink for Weak {
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        if self.down.load(Ordering::SeqCst) {
            return Err("password=hunter2 refused by the collector".into());
        }
        if self.slow.load(Ordering::SeqCst) {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
        SqlAuditSink::new().record(db, event).await?;
        if self.stuck.load(Ordering::SeqCst) {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn p8_a_change_whose_record_cannot_be_written_does_not_happen() {
    let (directory, _) = audited_desk().await;
    let weak = Arc::new(Weak::default());
    let db = directory.db.audited(Arc::clone(&weak));
    let events = Events::of("clearance::audit");
    weak.down.store(true, Ordering::SeqCst);
    in_request(agent(), async |access| {
        let error = rename(&db, &access, 1).await.unwrap_err();
        assert!(error.is_unavailable() && !error.is_retryable(), "{error:?}");
        assert_eq!(error.status(), 503);
        let writer = db.writer(&access);
        let error = writer.insert(ticket(10, 7)).await.unwrap_err();
        assert!(error.is_unavailable());
        let error = writer.insert_many([ticket(10, 7)]).await.unwrap_err();
        assert!(error.is_unavailable());
        let found = TicketView::select();
        let update = writer.update_many(found).set(Ticket::STAGE, 9);
        let error = update.execute_permitted().await.unwrap_err();
        assert!(error.is_unavailable());

        // In a transaction it ends the work, but for what stands in a savepoint.
        let transaction = db.begin(&access).await.unwrap();
        let error = rename(&transaction.db(), &access, 1).await.unwrap_err();
        assert!(error.is_unavailable());
        assert!(transaction.commit().await.unwrap_err().is_misuse());
        let transaction = db.begin(&access).await.unwrap();
        let inner = transaction.db();
        let outcome = transaction.savepoint(rename(&inner, &access, 1));
        assert!(outcome.await.unwrap_err().is_unavailable());
        weak.down.store(false, Ordering::SeqCst);
        rename(&transaction.db(), &access, 2).await.unwrap();
        transaction.commit().await.unwrap();
    })
    .await;
    let titles: Vec<_> = all(&directory)
        .await
        .into_iter()
        .map(|row| row.title)
        .collect();
    assert_eq!(titles, ["ticket 1", "renamed", "ticket 3", "ticket 4"]);
    assert_eq!(kept(&directory.db).await, ["update 2 allowed"]);
    let told = events.take();
    let (failed, allowed): (Vec<_>, Vec<_>) = told
        .iter()
        .partition(|line| line.contains("ERROR message=write not recorded"));
    assert_eq!((failed.len(), allowed.len()), (6, 1), "{told:#?}");
    assert!(!told.concat().contains("hunter2"));
}

#[tokio::test]
async fn p8_a_table_that_is_not_there_is_no_refusal() {
    let directory = desk().await;
    let db = directory.db.audited(SqlAuditSink::new());
    in_request(agent(), async |access| {
        let error = rename(&db, &access, 1).await.unwrap_err();
        assert_eq!(error.status(), 500, "{error}");
    })
    .await;
    assert_eq!(stored(&directory, 1).await.title, "ticket 1");
}

#[tokio::test]
async fn p8_a_refusal_stays_one_when_its_record_cannot_be_written() {
    let (directory, _) = audited_desk().await;
    let weak = Arc::new(Weak::default());
    let db = directory.db.audited(Arc::clone(&weak));
    let events = Events::of("clearance::audit");
    weak.down.store(true, Ordering::SeqCst);
    in_request(agent(), async |access| {
        let writer = db.writer(&access);
        let error = writer.delete::<Ticket>(1).await.unwrap_err();
        assert!(error.is_not_found());
        let error = writer.insert(ticket(10, 8)).await.unwrap_err();
        assert!(error.is_forbidden());
        let transaction = db.begin(&access).await.unwrap();
        rename(&transaction.db(), &access, 3).await.unwrap_err();
        // Nothing was to be changed, so nothing is lost.
        transaction.commit().await.unwrap();
    })
    .await;
    let told = events.take();
    let denied = told.iter().filter(|line| line.contains("write denied"));
    assert_eq!(denied.count(), 3);
    let failed = told
        .iter()
        .filter(|line| line.starts_with("ERROR") && line.contains("the audit sink is unavailable"));
    assert_eq!(failed.count(), 3, "{told:#?}");
    assert_eq!(kept(&directory.db).await, [""; 0]);
}

#[tokio::test]
async fn p8_a_caller_that_gives_up_before_the_record_changed_nothing() {
    let (directory, _) = audited_desk().await;
    let weak = Arc::new(Weak::default());
    let db = directory.db.audited(Arc::clone(&weak));
    weak.stuck.store(true, Ordering::SeqCst);
    in_request(agent(), async |access| {
        tokio::select! {
            _ = rename(&db, &access, 1) => unreachable!("the sink never answers"),
            () = weak.reached.notified() => {}
        }
        let transaction = db.begin(&access).await.unwrap();
        let inner = transaction.db();
        tokio::select! {
            _ = rename(&inner, &access, 1) => unreachable!("the sink never answers"),
            () = weak.reached.notified() => {}
        }
        assert!(transaction.commit().await.unwrap_err().is_misuse());
        weak.stuck.store(false, Ordering::SeqCst);
        rename(&db, &access, 2).await.unwrap();
    })
    .await;
    assert_eq!(stored(&directory, 1).await.title, "ticket 1");
    assert_eq!(kept(&directory.db).await, ["update 2 allowed"]);
}

#[tokio::test]
async fn asvs_16_3_3_a_refusal_is_recorded_whatever_becomes_of_its_transaction() {
    let (directory, db) = audited_desk().await;
    let expected = [
        "update 91 denied",
        "update 92 denied",
        "update 93 denied",
        "update 1 allowed",
        "update 94 denied",
    ];
    in_transaction(&db, &[1, 91], End::Rollback).await;
    assert_eq!(kept(&directory.db).await, expected[..1]);
    in_transaction(&db, &[1, 92], End::Drop).await;
    kept_at_last(&directory.db, &expected[..2]).await;
    in_transaction(&db, &[1, 93], End::Failed).await;
    kept_at_last(&directory.db, &expected[..3]).await;
    in_transaction(&db, &[1, 94], End::Commit).await;
    assert_eq!(kept(&directory.db).await, expected);
}

#[tokio::test]
async fn asvs_16_3_3_a_refusal_is_recorded_though_its_caller_does_not_wait() {
    let (directory, _) = audited_desk().await;
    let weak = Arc::new(Weak::default());
    let db = directory.db.audited(Arc::clone(&weak));
    weak.slow.store(true, Ordering::SeqCst);
    in_request(agent(), async |access| {
        tokio::select! {
            _ = rename(&db, &access, 3) => unreachable!("the sink has not answered"),
            () = weak.reached.notified() => {}
        }
    })
    .await;
    // Whoever sent the request has hung up.
    weak.go_on.notify_one();
    kept_at_last(&directory.db, &["update 3 denied"]).await;
}

#[tokio::test]
async fn asvs_16_3_3_a_refusal_on_the_only_connection_waits_for_its_end_on_sqlite() {
    let (directory, _) = audited_desk().await;
    let options = directory.pool.sqlite().connect_options().as_ref().clone();
    let one = sqlx::sqlite::SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options.busy_timeout(Duration::ZERO));
    let only = Db::unguarded_pool(one, "a test with one connection").audited(SqlAuditSink::new());
    in_transaction(&only, &[1, 91], End::Rollback).await;
    assert_eq!(kept(&only).await, ["update 91 denied"]);
    in_transaction(&only, &[1, 92], End::Drop).await;
    kept_at_last(&only, &["update 91 denied", "update 92 denied"]).await;
}

/// A pool of one connection, for which nobody waits long.
fn with_one_connection(pool: &TestPool) -> Db {
    let reason = "a test with one connection";
    let wait = Duration::from_millis(100);
    match pool {
        TestPool::Sqlite(pool) => {
            let options = pool.connect_options().as_ref().clone();
            let one = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
            let one = one.acquire_timeout(wait).connect_lazy_with(options);
            Db::unguarded_pool(one, reason)
        }
        TestPool::Postgres(pool) => {
            let options = pool.connect_options().as_ref().clone();
            let one = sqlx::postgres::PgPoolOptions::new().max_connections(1);
            let one = one.acquire_timeout(wait).connect_lazy_with(options);
            Db::unguarded_pool(one, reason)
        }
        TestPool::Mysql(pool) => {
            let options = pool.connect_options().as_ref().clone();
            let one = sqlx::mysql::MySqlPoolOptions::new().max_connections(1);
            let one = one.acquire_timeout(wait).connect_lazy_with(options);
            Db::unguarded_pool(one, reason)
        }
    }
}

#[tokio::test]
async fn asvs_16_3_3_av_46_a_refusal_is_recorded_though_its_author_holds_every_connection() {
    let (directory, _) = audited_desk().await;
    let db = with_one_connection(&directory.pool).audited(SqlAuditSink::new());
    let program = system();
    let held = loop {
        // To connect takes longer than this pool waits.
        match db.begin(&program).await {
            Ok(held) => break held,
            Err(error) => assert!(error.is_unavailable(), "{error}"),
        }
    };
    in_request(agent(), async |access| {
        for id in 1..=3_i64 {
            // Only a lead deletes, so that no statement is needed to refuse it.
            let error = db.writer(&access).delete::<Ticket>(id).await.unwrap_err();
            assert!(error.is_not_found(), "{error}");
        }
    })
    .await;
    assert_eq!(kept(&directory.db).await, [""; 0]);
    held.rollback().await.unwrap();
    let mut all = at_last(&directory.db, 3).await;
    all.sort();
    assert_eq!(
        all,
        ["delete 1 denied", "delete 2 denied", "delete 3 denied"]
    );
}

#[tokio::test]
async fn asvs_16_3_3_sd_62_a_key_made_up_by_a_client_is_recorded_too() {
    #[derive(Debug, Entity)]
    #[entity(table = "labels", viewer = Agent, rows = open, reason = "writes are under test")]
    struct Label {
        #[entity(key)]
        name: String,
    }

    let (directory, db) = audited_desk().await;
    // Nobody may delete a label, so no statement is run.
    in_request(agent(), async |access| {
        for name in [
            "a\nb\0".to_owned(),
            "x".repeat(100_000),
            "fdp.\u{202e}exe\u{2069}\u{200f}".to_owned(),
        ] {
            let error = db.writer(&access).delete::<Label>(name).await.unwrap_err();
            assert!(error.is_not_found());
        }
    })
    .await;
    let records = records(&directory.db).await;
    assert_eq!(records[0].row_key.as_deref(), Some("a\\nb\\u{0}"));
    assert_eq!(records[0].rule, "no delete_if");
    assert_eq!(records[1].row_key.as_ref().unwrap().len(), 255);
    let turned = "fdp.\\u{202e}exe\\u{2069}\\u{200f}";
    assert_eq!(records[2].row_key.as_deref(), Some(turned));
}

/// A sink of the application's own, in a table of its own.
struct History;

#[derive(Debug, Entity)]
#[entity(table = "history", viewer = Agent, rows = open, reason = "a test reads it")]
struct Line {
    #[entity(key)]
    what: String,
}

#[derive(Debug, PartialEq, Dto)]
#[dto(entity = Line, default = visible)]
struct LineView {
    what: String,
}

#[async_trait]
impl AuditSink for History {
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        let access = Access::system("the history of tickets")?;
        let what = format!(
            "{} {}",
            event.action().as_str(),
            event.key().unwrap_or("many")
        );
        Ok(db.writer(&access).insert(Line { what }).await?)
    }
}

#[tokio::test]
async fn asvs_16_3_2_a_sink_of_ones_own_writes_in_the_same_transaction_and_is_not_recorded() {
    let directory = desk().await;
    let schema = "CREATE TABLE history (what VARCHAR(100) PRIMARY KEY)";
    execute(&directory.pool, schema).await;
    let db = directory.db.audited(History);
    let history = async || {
        let access = system();
        let query = LineView::select().order(LineView::WHAT.asc());
        let lines = directory.db.reader(&access).all(query).await.unwrap();
        lines.into_iter().map(|line| line.what).collect::<Vec<_>>()
    };
    in_request(agent(), async |access| {
        let transaction = db.begin(&access).await.unwrap();
        rename(&transaction.db(), &access, 2).await.unwrap();
        transaction.rollback().await.unwrap();
        rename(&db, &access, 1).await.unwrap();
        // It has the line already: what the sink's own table refuses is no conflict of the caller.
        let error = rename(&db, &access, 1).await.unwrap_err();
        assert_eq!(error.status(), 500, "{error}");
    })
    .await;
    assert_eq!(history().await, ["update 1"]);
}
