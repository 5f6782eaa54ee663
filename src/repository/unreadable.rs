//! Rows with a stored value that is not valid for its field.
//!
//! One user, or another program, wrote the value, and everybody else reads the list: so it costs the
//! field or the row, and never the list (decision 54).

use super::reader::Reading;
use super::select::Shown;
use crate::audit;
use crate::driver::Row;
use crate::error::{Error, Result};
use crate::events;
use crate::sql::Layout;

impl<D: Shown> Reading<D> {
    /// Returns the row, or `None` if it cannot be read. Logs the fields that could not be read.
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
                events::unreadable(entity, field, key.as_deref());
            }
        }
        match shown {
            Ok(shown) => Ok(Some(shown)),
            Err(error) if error.is_unreadable() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the key of the row, if the query reads it for every viewer.
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
