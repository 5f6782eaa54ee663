//! Refusal of writes to views of SQLite, which does not count the rows that they change.

use sea_query::Values;

use crate::driver::{Db, Dialect, Ready};
use crate::entity::Schema;
use crate::error::{Error, Result};

impl Db {
    /// Refuses to write to a view of SQLite. Changes by its INSTEAD OF triggers are not counted there, so a
    /// write that happened would be answered, and recorded, as one that was denied.
    pub(crate) async fn require_counted(&self, schema: &'static Schema) -> Result<()> {
        if self.dialect().counts_views() || self.known_tables().has(schema) {
            return Ok(());
        }
        match self.is_view(schema.name()).await? {
            // The statement itself will report that there is none.
            None => Ok(()),
            Some(true) => Err(Error::misuse(uncounted(schema))),
            Some(false) => {
                self.known_tables().add(schema);
                Ok(())
            }
        }
    }

    /// Returns whether a statement with this name would use a view; `None` if it would find neither a view
    /// nor a table.
    pub(crate) async fn is_view(&self, name: &str) -> Result<Option<bool>> {
        let asked = Ready::new(
            self.dialect().view_query().into(),
            Values(vec![name.into()]),
        );
        let row = self.fetch_optional(asked).await?;
        row.map(|row| row.flag(0)).transpose()
    }
}

/// Returns the error text for a write to a view of SQLite.
pub(crate) fn uncounted(schema: &Schema) -> String {
    format!(
        "`{}` of `{}` is a view, and SQLite does not tell how many rows a write changes through its triggers: write to the table beneath, with an entity of its own",
        schema.name(),
        schema.entity(),
    )
}

impl Dialect {
    /// Returns the query for whether the one bound name is that of a view; no row if there is no such table.
    const fn view_query(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                "SELECT type = 'view' FROM pragma_table_list(?) \
                 ORDER BY schema = 'temp' DESC, schema = 'main' DESC LIMIT 1"
            }
            // `to_regclass` finds what a statement would find, in any schema of the search path.
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                "SELECT relkind IN ('v', 'm') FROM pg_catalog.pg_class \
                 WHERE oid = to_regclass(quote_ident($1)) AND relkind IN ('r', 'p', 'v', 'm', 'f')"
            }
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => {
                "SELECT CASE WHEN table_type LIKE '%VIEW' THEN 1 ELSE 0 END \
                 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
            }
        }
    }
}
