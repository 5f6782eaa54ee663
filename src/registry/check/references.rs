//! Foreign keys that clients may set without a rule on the rows that they refer to.

use std::collections::BTreeMap;

#[cfg(feature = "sqlite")]
use sea_query::{Alias, Expr, Func, Query as Statement};

#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::driver::Ready;
use crate::driver::{Db, Dialect, Row};
use crate::error::Result;
use crate::events;
use crate::policy::{Cell, Kind};
use crate::registry::{App, InputFieldInfo, InputInfo};

/// One column of a foreign key, and the table that it refers to.
#[derive(Debug, Clone)]
pub(crate) struct ForeignKey {
    column: String,
    table: String,
}

/// A field that refers to rows whose rules are not evaluated.
pub(crate) struct UncheckedReference<'a> {
    pub(crate) field: &'a InputFieldInfo,
    /// The table of those rows.
    pub(crate) table: &'a str,
}

/// Returns the fields of an input type that set a foreign key of its table for which its entity has no
/// relation to one row of the other, and that do not declare that any row will do.
pub(crate) fn unchecked<'a>(
    input: &'a InputInfo,
    keys: &'a [ForeignKey],
) -> Vec<UncheckedReference<'a>> {
    let mut unchecked = Vec::new();
    for field in input.fields() {
        let column = input.schema().position(field.field());
        let (true, None, Some((_, column))) = (field.is_stored(), field.any_row(), column) else {
            continue;
        };
        for key in keys {
            let leads_there = |relation: &&crate::entity::Relation| {
                relation.target().name().eq_ignore_ascii_case(&key.table)
            };
            if key.column.eq_ignore_ascii_case(column.name())
                && !field.relations().iter().any(leads_there)
            {
                let table = &key.table;
                unchecked.push(UncheckedReference { field, table });
            }
        }
    }
    unchecked
}

impl Db {
    /// Logs each unchecked field of an application.
    pub(super) async fn tell_unchecked<V>(&self, app: &App<V>) -> Result<()> {
        let mut known: BTreeMap<&str, Vec<ForeignKey>> = BTreeMap::new();
        for input in app.inputs() {
            let table = input.schema().name();
            if !known.contains_key(table) {
                known.insert(table, self.foreign_keys(table).await?);
            }
            let keys = known.get(table).map(Vec::as_slice).unwrap_or_default();
            for found in unchecked(&input, keys) {
                events::unchecked_reference(input.name(), found.field.field(), found.table);
            }
        }
        Ok(())
    }

    /// Returns the foreign keys of a table.
    pub(super) async fn foreign_keys(&self, table: &str) -> Result<Vec<ForeignKey>> {
        let mut keys = Vec::new();
        let each = |row: Row| {
            if let (Cell::Text(column), Cell::Text(table)) =
                (row.cell(0, Kind::Text)?, row.cell(1, Kind::Text)?)
            {
                keys.push(ForeignKey {
                    column: column.to_owned(),
                    table: table.to_owned(),
                });
            }
            Ok(())
        };
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => {
                let mut statement = Statement::select();
                statement
                    .columns(["from", "table"].map(Alias::new))
                    .from_function(
                        Func::cust(Alias::new("pragma_foreign_key_list")).arg(Expr::val(table)),
                        Alias::new("pragma"),
                    );
                self.fetch_each(&statement, each).await?;
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.fetch_each(about(table, POSTGRES), each).await?,
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => self.fetch_each(about(table, MYSQL), each).await?,
        }
        Ok(keys)
    }
}

#[cfg(feature = "postgres")]
const POSTGRES: &str = "SELECT a.attname::text, r.relname::text \
    FROM pg_constraint c \
    JOIN pg_class r ON r.oid = c.confrelid \
    CROSS JOIN LATERAL unnest(c.conkey) AS k (attribute) \
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attribute \
    WHERE c.contype = 'f' AND c.conrelid = to_regclass(quote_ident($1))";

#[cfg(feature = "mysql")]
const MYSQL: &str = "SELECT column_name, referenced_table_name \
    FROM information_schema.key_column_usage \
    WHERE table_schema = DATABASE() AND table_name = ? AND referenced_table_name IS NOT NULL";

#[cfg(any(feature = "postgres", feature = "mysql"))]
fn about(table: &str, sql: &'static str) -> Ready {
    Ready::new(sql.into(), sea_query::Values(vec![table.into()]))
}
