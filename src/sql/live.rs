//! A table as the database has it: what the check at start compares an entity with, and whether a
//! write can be counted.

use std::collections::{HashMap, HashSet};
use std::sync::RwLock;

use sea_query::Values;

use super::db::Db;
use super::dialect::Dialect;
use super::template::Ready;
use crate::entity::Schema;
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};

/// A table, or a view, as the database has it.
pub(super) struct Live {
    pub(super) is_view: bool,
    columns: HashMap<String, LiveColumn>,
    /// The triggers that run when a row is written and may make it another one.
    pub(super) triggers: Vec<String>,
    dialect: Dialect,
}

/// A column of a table as the database has it.
pub(super) struct LiveColumn {
    /// Its type in capitals.
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) computed: Computed,
}

/// When the database works the value of a column out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Computed {
    Never,
    Always,
    /// Whenever the row is updated and the column is not set.
    OnUpdate,
}

/// How an engine tells of a table, which the one value that is bound names.
struct Catalogue {
    /// Selects whether it is a view. No row where there is no such table.
    table: &'static str,
    /// Of each column its name, its type, whether it is not null, and whether it is computed always,
    /// and whenever the row is updated.
    columns: &'static str,
    /// The names of triggers, and of rules of PostgreSQL.
    triggers: &'static str,
}

/// The entities of which it is known that they stand for a table, by the place of their schema.
#[derive(Default)]
pub(super) struct Tables(RwLock<HashSet<usize>>);

impl Tables {
    fn has(&self, schema: &'static Schema) -> bool {
        // Whoever panicked with the lock in hand left nothing half done: it is looked up once more.
        self.0
            .read()
            .is_ok_and(|known| known.contains(&place(schema)))
    }

    fn add(&self, schema: &'static Schema) {
        if let Ok(mut known) = self.0.write() {
            known.insert(place(schema));
        }
    }
}

fn place(schema: &'static Schema) -> usize {
    std::ptr::from_ref(schema).addr()
}

impl Live {
    /// The column of this name, as the engine looks names up.
    pub(super) fn column(&self, name: &str) -> Option<&LiveColumn> {
        self.columns.get(&*self.dialect.looked_up(name))
    }
}

impl Db {
    /// The table or view that a statement with this name would find, if there is one.
    pub(super) async fn live(&self, table: &str) -> Result<Option<Live>> {
        let catalogue = self.dialect().catalogue();
        let about = |sql: &'static str| Ready::new(sql.into(), Values(vec![table.into()]));
        let Some(row) = self.fetch_optional(about(catalogue.table)).await? else {
            return Ok(None);
        };
        let mut live = Live {
            is_view: row.flag(0)?,
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
                        Computed::Always
                    } else if row.flag(4)? {
                        Computed::OnUpdate
                    } else {
                        Computed::Never
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

    /// Refuses to write to a view of SQLite. What its INSTEAD OF triggers change is not counted there, so
    /// that a write which happened would be answered, and recorded, as one that was denied.
    pub(crate) async fn require_counted(&self, schema: &'static Schema) -> Result<()> {
        if self.dialect().counts_views() || self.tables().has(schema) {
            return Ok(());
        }
        let catalogue = self.dialect().catalogue();
        let about = Ready::new(catalogue.table.into(), Values(vec![schema.name().into()]));
        match self.fetch_optional(about).await? {
            // The statement itself tells that there is none.
            None => Ok(()),
            Some(row) if row.flag(0)? => Err(Error::misuse(uncounted(schema))),
            Some(_) => {
                self.tables().add(schema);
                Ok(())
            }
        }
    }
}

/// Why a view of SQLite is not written to.
pub(super) fn uncounted(schema: &Schema) -> String {
    format!(
        "`{}` of `{}` is a view, and SQLite does not tell how many rows a write changes through its triggers: write to the table beneath, with an entity of its own",
        schema.name(),
        schema.entity(),
    )
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

/// A column of a virtual table can be hidden, which is no matter here.
#[cfg(feature = "sqlite")]
const SQLITE: Catalogue = Catalogue {
    table: "SELECT type = 'view' FROM pragma_table_list(?) \
        ORDER BY schema = 'temp' DESC, schema = 'main' DESC LIMIT 1",
    columns: "SELECT name, type, \"notnull\" <> 0 OR pk <> 0, hidden IN (2, 3), 0 \
        FROM pragma_table_xinfo(?)",
    // Its catalogue does not say when a trigger runs.
    triggers: "SELECT name FROM (SELECT name, tbl_name, type FROM sqlite_schema \
        UNION ALL SELECT name, tbl_name, type FROM sqlite_temp_schema) \
        WHERE type = 'trigger' AND lower(tbl_name) = lower(?) ORDER BY name",
};

/// `to_regclass` finds what a statement would find, in whatever schema of the search path. What may not
/// be looked at is left out, as the information schema does.
#[cfg(feature = "postgres")]
const POSTGRES: Catalogue = Catalogue {
    table: "SELECT relkind IN ('v', 'm') FROM pg_catalog.pg_class \
        WHERE oid = to_regclass(quote_ident($1)) AND relkind IN ('r', 'p', 'v', 'm', 'f')",
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

/// Only a trigger that runs before can make the row another one here. A column that is computed cannot
/// be declared NOT NULL on MariaDB, so that it is not asked for. The encoding of a column stands
/// behind its type, where it has one.
#[cfg(feature = "mysql")]
const MYSQL: Catalogue = Catalogue {
    table: "SELECT CASE WHEN table_type LIKE '%VIEW' THEN 1 ELSE 0 END \
        FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
    columns: "SELECT column_name, CONCAT_WS(' ', column_type, character_set_name), \
        CASE WHEN is_nullable = 'YES' AND COALESCE(generation_expression, '') = '' THEN 0 ELSE 1 END, \
        CASE WHEN generation_expression <> '' THEN 1 ELSE 0 END, \
        CASE WHEN extra LIKE '%on update%' THEN 1 ELSE 0 END \
        FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
    triggers: "SELECT trigger_name FROM information_schema.triggers \
        WHERE event_object_schema = DATABASE() AND event_object_table = ? \
        AND action_timing = 'BEFORE' AND event_manipulation <> 'DELETE' ORDER BY trigger_name",
};
