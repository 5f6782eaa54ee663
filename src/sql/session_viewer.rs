//! A session and the row of its viewer, loaded by one statement with a join (decision 63).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _, SelectStatement, Value, Values};

use super::layout::Layout;
use super::query::Query;
use super::render::Renderer;
use super::select;
use super::session_row::{
    COLUMNS, EXPIRES_AT, ID, IDLE_EXPIRES_AT, SUBJECT, TABLE, failed, last_record, micros,
};
use crate::driver::{Db, Ready, Row};
use crate::dto::{FieldDecisions, Shape};
use crate::entity::Entity;
use crate::error::Result;
use crate::session::{SessionId, SessionRecord, StoreError};

/// The statement that loads a session and its viewer's row. Its text is rendered once.
pub(crate) struct SessionViewer {
    text: Arc<str>,
    layout: Layout,
}

impl Db {
    /// Builds the statement for the rows of a question, joined by their key; `None` if one statement cannot
    /// find both.
    pub(crate) fn session_viewer<E: Entity>(
        &self,
        shape: &Shape<E>,
        decided: &FieldDecisions,
        question: &Query,
    ) -> Result<Option<SessionViewer>> {
        let dialect = self.dialect();
        let (statement, layout) = select::rows(dialect, shape, decided, question)?;
        let renderer = Renderer::new(dialect, E::__table());
        let key = E::__table().key();
        let kind = renderer.spec(key)?.kind();
        let subject = Expr::col((TABLE, SUBJECT));
        let Some(is_theirs) = dialect.is_written(renderer.column(key)?, kind, subject) else {
            return Ok(None);
        };
        let mark = (SessionId::from_bytes([0; 16]), DateTime::UNIX_EPOCH);
        let statement = joined(statement, is_theirs, mark);
        let (text, bound) = dialect.text(&statement);
        // A value of the rows' own, such as the instant of a rule, would be another one the next time.
        let is_fixed = bound == values(mark) && layout.nested.is_empty();
        Ok(is_fixed.then(|| SessionViewer {
            text: text.into(),
            layout,
        }))
    }
}

impl SessionViewer {
    /// Loads the session of `id` if it is living at `now`, and the row of its viewer, within the time limit
    /// of the handle.
    pub(crate) async fn load(
        &self,
        db: &Db,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<(SessionRecord, Row)>, StoreError> {
        let ready = Ready::new(Arc::clone(&self.text), values((id, now)));
        let found = db.in_time(db.fetch_optional(ready)).await;
        let Some(row) = found.map_err(|error| failed(&error))? else {
            return Ok(None);
        };
        let record = last_record(&row).ok_or(StoreError::malformed())?;
        Ok(Some((record, row)))
    }

    /// Returns the layout of the viewer's row.
    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }
}

fn values((id, now): (SessionId, DateTime<Utc>)) -> Values {
    let now: Value = micros(now).into();
    Values(vec![id.to_string().into(), now.clone(), now])
}

fn joined(
    mut rows: SelectStatement,
    is_theirs: Expr,
    (id, now): (SessionId, DateTime<Utc>),
) -> SelectStatement {
    rows.columns(COLUMNS.map(|column| (TABLE, column)))
        .inner_join(TABLE, is_theirs)
        .and_where(Expr::col((TABLE, ID)).eq(id.to_string()))
        .and_where(Expr::col((TABLE, IDLE_EXPIRES_AT)).gt(micros(now)))
        .and_where(Expr::col((TABLE, EXPIRES_AT)).gt(micros(now)))
        .take()
}
