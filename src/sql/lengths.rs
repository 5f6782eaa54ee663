//! Lengths of texts that end in spaces: PostgreSQL, MySQL and MariaDB cut spaces for which a column has no
//! room without an error, in any mode, but a rule judged the whole text (decision 65).

use sea_query::Values;

use crate::driver::{Db, Dialect, Ready};
use crate::entity::Schema;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{Cell, Kind};

/// A text to be stored that ends in a space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spaced {
    column: usize,
    characters: usize,
    bytes: usize,
}

impl Spaced {
    /// Returns the text of a column if it ends in a space and the engine may cut it.
    pub(super) fn of(dialect: Dialect, column: usize, cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) if text.ends_with(' ') && dialect.room().is_some() => Some(Self {
                column,
                characters: text.chars().count(),
                bytes: text.len(),
            }),
            Cell::Null
            | Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Float(_)
            | Cell::Text(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_) => None,
        }
    }
}

impl Db {
    /// Refuses texts that do not fit their columns, as the engine does if it would cut more than spaces.
    pub(super) async fn require_room(
        &self,
        table: &'static Schema,
        spaced: &[Spaced],
    ) -> Result<()> {
        let Some(asked) = self.dialect().room() else {
            return Ok(());
        };
        if spaced.is_empty() {
            return Ok(());
        }
        let asked = Ready::new(asked.into(), Values(vec![table.name().into()]));
        let mut fits = true;
        self.fetch_each(asked, |row| {
            let Cell::Text(name) = row.cell(0, Kind::Text)? else {
                return Ok(());
            };
            let characters = most(row.cell(1, Kind::Int)?);
            let bytes = most(row.cell(2, Kind::Int)?);
            for text in spaced {
                let column = table.column(text.column).map_or("", |spec| spec.name());
                if self.dialect().looked_up(column) == self.dialect().looked_up(name) {
                    fits &= characters.is_none_or(|most| text.characters <= most)
                        && bytes.is_none_or(|most| text.bytes <= most);
                }
            }
            Ok(())
        })
        .await?;
        if fits {
            return Ok(());
        }
        events::database_failure("misfit", "");
        Err(Error::invalid())
    }
}

fn most(cell: Cell<'_>) -> Option<usize> {
    let Cell::Int(most) = cell else { return None };
    usize::try_from(most).ok()
}

impl Dialect {
    /// Returns the query for the columns of a table, with the maximum of characters and bytes of each; none
    /// if the engine cuts no text.
    const fn room(self) -> Option<&'static str> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => None,
            #[cfg(feature = "postgres")]
            Self::Postgres => Some(
                "SELECT a.attname::text, CAST(NULLIF(CASE WHEN t.typtype = 'd' THEN t.typtypmod \
                 ELSE a.atttypmod END, -1) - 4 AS bigint), CAST(NULL AS bigint) \
                 FROM pg_catalog.pg_attribute a \
                 JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                 WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 \
                 AND NOT a.attisdropped",
            ),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => Some(
                "SELECT column_name, CAST(character_maximum_length AS SIGNED), \
                 CAST(character_octet_length AS SIGNED) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = ?",
            ),
        }
    }
}
