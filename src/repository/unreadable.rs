//! Rows that hold a value which their field cannot have.
//!
//! One user, or another program, wrote it, and everybody reads beside it: so it costs the field or the row, and
//! never the list. See `docs/decisions/0054-what-one-user-can-do-to-others.md`.

use super::reader::Reading;
use super::select::Shown;
use crate::audit;
use crate::error::{Error, Result};
use crate::sql::{Layout, Row};

impl<D: Shown> Reading<D> {
    /// The row, or `None` where it cannot be read. What could not be read of it is in the log.
    pub(super) fn told(
        &self,
        shown: Result<D, Error>,
        fields: impl Iterator<Item = &'static str>,
        key: impl FnOnce() -> Option<String>,
    ) -> Result<Option<D>> {
        let mut fields = fields.peekable();
        if fields.peek().is_some() {
            let (entity, key) = (self.select.table().entity(), key());
            for field in fields {
                audit::unreadable(entity, field, key.as_deref());
            }
        }
        match shown {
            Ok(shown) => Ok(Some(shown)),
            Err(error) if error.is_unreadable() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The key of the row, where the query reads it for everybody.
    pub(super) fn key(&self, layout: &Layout, row: &Row) -> Option<String> {
        let table = self.select.table();
        let spec = table.column(table.key())?;
        let mut fields = self.select.shape().fields().iter();
        let shown = fields
            .position(|field| {
                field.is_column() && field.field() == spec.field() && field.rules().is_empty()
            })
            .and_then(|index| layout.slots.get(index)?.column);
        let place = shown.or_else(|| layout.position.last().map(|(place, _)| *place))?;
        audit::key_text(&row.cell(place, spec.kind()).ok()?.into_value())
    }
}
