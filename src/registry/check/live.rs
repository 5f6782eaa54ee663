//! The live schema of one table: its columns and triggers, which the check at start compares with an entity.

use std::collections::HashMap;

use sea_query::Values;

use crate::driver::{Db, Dialect, Ready};
use crate::error::Result;
use crate::policy::{Cell, Kind};

/// A table or a view as the database has it.
pub(super) struct Live {
    pub(super) is_view: bool,
    columns: HashMap<String, LiveColumn>,
    /// The triggers that run when a row is written and may change it.
    pub(super) triggers: Vec<String>,
    dialect: Dialect,
}

/// A column as the database has it.
pub(super) struct LiveColumn {
    /// Its type in upper case.
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) computed: ComputedColumn,
}

/// The occasions on which the database computes the value of a column by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ComputedColumn {
    Never,
    Always,
    /// At each update of the row that does not set the column.
    OnUpdate,
}

/// The catalogue queries of an engine about one table, whose name is the one bound value.
struct Catalogue {
    /// Selects for each column its name, its type, whether it is not null, whether it is always computed,
    /// and whether it is computed at each update of the row.
    columns: &'static str,
    /// Selects the names of triggers, and of rules of PostgreSQL.
    triggers: &'static str,
}

impl Live {
    /// Returns the column of this name, compared as the engine compares names.
    pub(super) fn column(&self, name: &str) -> Option<&LiveColumn> {
        self.columns.get(&*self.dialect.looked_up(name))
    }
}

impl Db {
    /// Returns the table or view that a statement with this name would use, if there is one.
    pub(super) async fn live(&self, table: &str) -> Result<Option<Live>> {
        let catalogue = self.dialect().catalogue();
        let about = |sql: &'static str| Ready::new(sql.into(), Values(vec![table.into()]));
        let Some(is_view) = self.is_view(table).await? else {
            return Ok(None);
        };
        let mut live = Live {
            is_view,
            columns: HashMap::new(),
            triggers: Vec::new(),
            dialect: self.dialect(),
        };
        self.fetch_each(about(catalogue.columns), |row| {
            if let (Cell::Text(name), Cell::Text(declared)) =
                (row.cell(0, Kind::Text)?, row.cell(1, Kind::Text)?)
            {
                let column = LiveColumn {
                    declared: declared.to_ascii_uppercase(),
                    not_null: row.flag(2)?,
                    computed: if row.flag(3)? {
                        ComputedColumn::Always
                    } else if row.flag(4)? {
                        ComputedColumn::OnUpdate
                    } else {
                        ComputedColumn::Never
                    },
                };
                let name = live.dialect.looked_up(name).into_owned();
                live.columns.insert(name, column);
            }
            Ok(())
        })
        .await?;
        self.fetch_each(about(catalogue.triggers), |row| {
            if let Cell::Text(name) = row.cell(0, Kind::Text)? {
                live.triggers.push(name.to_owned());
            }
            Ok(())
        })
        .await?;
        Ok(Some(live))
    }
}

impl Dialect {
    const fn catalogue(self) -> &'static Catalogue {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => &SQLITE,
            #[cfg(feature = "postgres")]
            Self::Postgres => &POSTGRES,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => &MYSQL,
        }
    }
}

/// The catalogue of SQLite. A column of a virtual table can be hidden, which does not matter here.
#[cfg(feature = "sqlite")]
const SQLITE: Catalogue = Catalogue {
    columns: "SELECT name, type, \"notnull\" <> 0 OR pk <> 0, hidden IN (2, 3), 0 \
        FROM pragma_table_xinfo(?)",
    // Its catalogue does not say when a trigger runs.
    triggers: "SELECT name FROM (SELECT name, tbl_name, type FROM sqlite_schema \
        UNION ALL SELECT name, tbl_name, type FROM sqlite_temp_schema) \
        WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY name",
};

/// The catalogue of PostgreSQL. `to_regclass` finds what a statement would find, in any schema of the
/// search path. Columns without a privilege are left out, as in the information schema.
#[cfg(feature = "postgres")]
const POSTGRES: Catalogue = Catalogue {
    columns: "SELECT a.attname::text, COALESCE(b.typname, t.typname)::text || \
        CASE WHEN COALESCE(b.typname, t.typname) = 'timestamptz' \
        AND CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END BETWEEN 0 AND 5 \
        THEN ' of fewer digits' ELSE '' END, \
        a.attnotnull OR t.typtype = 'd' AND t.typnotnull, a.attgenerated <> '', FALSE \
        FROM pg_catalog.pg_attribute a \
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
        LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype \
        WHERE c.oid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped \
        AND (pg_has_role(c.relowner, 'USAGE') \
        OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))",
    // Bit 2 of the type of a trigger is for INSERT, bit 4 for UPDATE; rules have '3' and '2'.
    triggers: "SELECT tgname::text AS name FROM pg_catalog.pg_trigger \
        WHERE tgrelid = to_regclass(quote_ident($1)) AND NOT tgisinternal \
        AND tgenabled <> 'D' AND (tgtype & 20) <> 0 \
        UNION ALL SELECT rulename::text FROM pg_catalog.pg_rewrite \
        WHERE ev_class = to_regclass(quote_ident($1)) AND ev_type IN ('2', '3') ORDER BY name",
};

/// The catalogue of MySQL and MariaDB. Only a BEFORE trigger can change the row here. A computed column
/// cannot be declared NOT NULL on MariaDB, so that is not required. The encoding of a column follows its
/// type, if it has one.
#[cfg(feature = "mysql")]
const MYSQL: Catalogue = Catalogue {
    columns: "SELECT column_name, CONCAT_WS(' ', column_type, character_set_name), \
        CASE WHEN is_nullable = 'YES' AND COALESCE(generation_expression, '') = '' THEN 0 ELSE 1 END, \
        CASE WHEN generation_expression <> '' THEN 1 ELSE 0 END, \
        CASE WHEN extra LIKE '%on update%' THEN 1 ELSE 0 END \
        FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
    triggers: "SELECT trigger_name FROM information_schema.triggers \
        WHERE event_object_schema = DATABASE() AND event_object_table = ? \
        AND action_timing = 'BEFORE' AND event_manipulation <> 'DELETE' ORDER BY trigger_name",
};
