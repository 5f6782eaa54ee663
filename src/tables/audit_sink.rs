//! The audit sink that records in a table of the database that is written to.

use async_trait::async_trait;
use sea_query::Query;

use crate::audit::{AuditEvent, AuditSink, SinkError};
use crate::driver::Db;
use crate::viewer::Subject;

const TABLE: &str = "clearance_audit";

/// The columns in the order in which they are written. The database counts up the key.
const COLUMNS: [&str; 12] = [
    "at",
    "viewer",
    "reason",
    "action",
    "outcome",
    "entity",
    "table_name",
    "row_key",
    "row_count",
    "fields",
    "rule",
    "request_id",
];

/// An [`AuditSink`] that records in the table `clearance_audit`, which [`Db::migrate`] creates, of the
/// database that is written to.
///
/// A record has one column for each part of the [`AuditEvent`], and a key `id` that counts up. `id`, `at`
/// (in microseconds since 1970) and `row_count` are integers, the others text: `action`, `outcome`,
/// `entity`, `table_name`, `fields` (the names with commas between them) and `rule`, and `viewer`,
/// `reason`, `row_key` and `request_id`, which may be null. Two indexes serve the most frequent queries:
///
/// | who touched this row | `table_name = .. AND row_key = .. ORDER BY id` |
/// |---|---|
/// | what did this viewer do | `viewer = .. ORDER BY id` |
///
/// A statement over many rows is one record without a `row_key`.
///
/// The application may read and prune the table: an entity of its own over it, with rules for who may, is
/// guarded as any other. The library only adds to it.
///
/// # Example
///
/// ```
/// # use clearance::{Access, Dto, Entity, Result, Viewer, Write};
/// use clearance::audit::SqlAuditSink;
/// use clearance::Db;
///
/// # #[derive(Clone, Viewer)]
/// # struct Member { id: i64, auditor: bool }
/// #[derive(Entity)]
/// #[entity(table = "clearance_audit", viewer = Member, read_if(viewer.auditor))]
/// struct Audit {
///     #[entity(key)]
///     id: i64,
///     at: i64,
///     viewer: Option<String>,
///     outcome: String,
///     table_name: String,
///     row_key: Option<String>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let db = Db::connect("sqlite::memory:").await?;
/// db.migrate().await?;
/// let db = db.audited(SqlAuditSink::new());
/// # let _ = db;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlAuditSink {
    _private: (),
}

impl SqlAuditSink {
    /// Creates a sink for any database.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

#[async_trait]
impl AuditSink for SqlAuditSink {
    async fn record(&self, db: &Db, event: &AuditEvent) -> Result<(), SinkError> {
        let mut insert = Query::insert();
        insert.into_table(TABLE).columns(COLUMNS).values([
            event.at().timestamp_micros().into(),
            event.viewer().map(Subject::as_str).into(),
            event.reason().into(),
            event.action().as_str().into(),
            event.outcome().as_str().into(),
            event.entity().into(),
            event.table().into(),
            event.key().into(),
            i64::try_from(event.rows()).unwrap_or(i64::MAX).into(),
            event.fields().join(",").into(),
            event.rule().into(),
            event.request_id().into(),
        ])?;
        db.execute(&insert).await?;
        Ok(())
    }
}
