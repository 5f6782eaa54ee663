//! The schema check at start: it compares the live schema with entities, rules, DTOs and inputs.
#![deny(clippy::wildcard_enum_match_arm)]

mod inspect;
mod live;
mod references;

pub use inspect::{DatabaseSchema, Index, TableSchema};
pub(crate) use references::unchecked;

use std::fmt::Write as _;

#[cfg(feature = "postgres")]
use sea_query::Expr;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use sea_query::{Alias, Func, Query as Statement};

use self::live::{ComputedColumn, Live};
use super::{App, EntityInfo, InputInfo, RuleInfo};
use crate::driver::{Db, Dialect};
use crate::entity::{ColumnSpec, Relation, RowAction, Schema};
use crate::error::{Error, Result};
use crate::events;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::policy::Cell;
use crate::policy::Kind;
use crate::sql::uncounted;

impl Db {
    /// Compares the entities of `app` with the tables of this database, so that a missing column is an
    /// error at start and not at somebody's first request.
    ///
    /// A trigger on a table with rules of writes that read the row is no error, but is logged with the
    /// target `clearance::check`: such a rule judges the requested row, and the trigger may change it.
    ///
    /// It also logs, with the target `clearance::check` at level warn, each field of an input type that
    /// sets a foreign key for which its entity declares no `belongs_to`: no rule decides whether its viewer
    /// may read the row that it refers to.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] with every difference found: a table or a column that is missing, a type
    /// that does not fit, a column that may be null although its field is no `Option`, a database or a
    /// column of text that is not in UTF-8, a rule or a DTO that names a field which its entity does not
    /// have, a `lookup` column in no unique index, a rule of writes over a column that the database
    /// computes, writes to a view of SQLite, connections to MySQL or MariaDB that are not strict or have a
    /// mode under which something else is stored than a rule judged. [`Error::is_unavailable`] when the
    /// database does not answer.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Db, Dto, Entity, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64 }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64 }
    /// clearance::app! {
    ///     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> clearance::Result<()> {
    /// let db = Db::connect("sqlite::memory:").await?;
    /// let error = db.check(&APP).await.unwrap_err();
    /// assert!(error.is_configuration());
    /// assert!(error.to_string().contains("the table `users` of `User` is missing"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check<V>(&self, app: &App<V>) -> Result<()> {
        let mut differences = Vec::new();
        if !self.compares_bytes().await? {
            differences.push(
                "the database keeps text in another encoding than UTF-8, in which text has another order"
                    .to_owned(),
            );
        }
        differences.extend(self.unfit_settings().await?);
        let (entities, inputs) = (app.entities(), app.inputs());
        for schema in tables(&entities) {
            let live = self.live(schema.name()).await?;
            let Some(live) = live else {
                differences.push(format!(
                    "the table `{}` of `{}` is missing",
                    schema.name(),
                    schema.entity()
                ));
                continue;
            };
            compare(self.dialect(), schema, &live, &mut differences);
            let stated = entities
                .iter()
                .find(|entity| std::ptr::eq(entity.schema(), schema));
            if let Some(entity) = stated {
                writes(self.dialect(), entity, &inputs, &live, &mut differences);
            }
            self.ambiguous_lookups(schema, &mut differences).await?;
        }
        for entity in &entities {
            unknown_fields(entity.schema(), entity.rules(), &mut differences);
        }
        for dto in app.dtos() {
            let schema = dto.schema();
            differences.extend(dto.mistake().map(str::to_owned));
            for field in dto.fields() {
                if field
                    .column()
                    .is_some_and(|name| schema.position(name).is_none())
                {
                    differences.push(format!(
                        "`{}::{}` is not a field of `{}`",
                        dto.name(),
                        field.field(),
                        dto.entity()
                    ));
                }
                unknown_fields(schema, field.rules().iter(), &mut differences);
            }
        }
        for input in &inputs {
            for field in input.fields() {
                unknown_fields(input.schema(), field.rules().iter(), &mut differences);
            }
        }
        differences.sort();
        differences.dedup();
        if differences.is_empty() {
            return self.tell_unchecked(app).await;
        }
        let mut advice = String::from("the database schema does not fit the entities:");
        for difference in differences {
            // Writing to a String cannot fail.
            let _ = write!(advice, "\n- {difference}");
        }
        Err(Error::configuration(advice))
    }

    /// Finds lookups of one row by a column without a unique index: whoever writes a second row with the
    /// value would make the query fail for everybody.
    async fn ambiguous_lookups(
        &self,
        schema: &'static Schema,
        differences: &mut Vec<String>,
    ) -> Result<()> {
        let (table, entity) = (schema.name(), schema.entity());
        let looked_up = schema.columns().iter().enumerate();
        let looked_up = looked_up.filter(|(index, column)| {
            *index != schema.key() && column.is_lookup() && !column.finds_many()
        });
        let looked_up: Vec<_> = looked_up.map(|(_, column)| column).collect();
        if looked_up.is_empty() {
            return Ok(());
        }
        let Some(live) = self.inspect(table).await? else {
            return Ok(());
        };
        // A view has no indexes of its own; a table of these engines has one for its key.
        if live.indexes.is_empty() && self.dialect().keys_are_indexes() {
            return Ok(());
        }
        for column in looked_up {
            if live.unique(column.name()).is_none() {
                differences.push(format!(
                    "the column `{table}.{}` of `{entity}::{}` is a `lookup` column without a unique index: declare it UNIQUE, or write `lookup(many)` if it only finds lists",
                    column.name(),
                    column.field()
                ));
            }
        }
        Ok(())
    }

    /// Returns whether the engine orders text by the bytes of UTF-8, as rules do.
    async fn compares_bytes(&self) -> Result<bool> {
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => {
                let mut statement = Statement::select();
                statement.column(Alias::new("encoding")).from_function(
                    Func::cust(Alias::new("pragma_encoding")),
                    Alias::new("pragma"),
                );
                Ok(match self.fetch_optional(&statement).await? {
                    Some(row) => row.cell(0, Kind::Text)? == Cell::Text("UTF-8"),
                    None => false,
                })
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                let encoding =
                    Func::cust(Alias::new("current_setting")).arg(Expr::val("server_encoding"));
                let statement = Statement::select().expr(encoding).take();
                Ok(match self.fetch_optional(&statement).await? {
                    Some(row) => row.cell(0, Kind::Text)? == Cell::Text("UTF8"),
                    None => false,
                })
            }
            // Each column has an encoding of its own here, which is checked as part of its type.
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => Ok(true),
        }
    }
}

fn compare(dialect: Dialect, schema: &Schema, live: &Live, differences: &mut Vec<String>) {
    let (table, entity) = (schema.name(), schema.entity());
    for column in schema.columns() {
        let (name, field) = (column.name(), column.field());
        let Some(found) = live.column(name) else {
            differences.push(format!(
                "the column `{table}.{name}` of `{entity}::{field}` is missing"
            ));
            continue;
        };
        // SQLite gives the expressions of a view no type, and no view declares NOT NULL.
        let is_untyped = live.is_view && found.declared.is_empty();
        if !is_untyped && !type_fits(dialect, column, &found.declared) {
            differences.push(format!(
                "the column `{table}.{name}` is declared `{}`, but `{entity}::{field}` needs {}",
                found.declared,
                wanted_type(dialect, column.kind())
            ));
        }
        if !live.is_view && !found.not_null && !column.is_nullable() {
            differences.push(format!(
                "the column `{table}.{name}` may be null, but `{entity}::{field}` is not an Option: declare it NOT NULL"
            ));
        }
    }
    for relation in schema.relations() {
        if relation.pairs(schema).is_none() {
            differences.push(format!(
                "the relation `{entity}::{}` joins by a field that does not exist",
                relation.name()
            ));
        }
    }
}

/// Checks the declarations of writes, and logs the triggers that their rules do not see (decision 53).
fn writes(
    dialect: Dialect,
    entity: &EntityInfo,
    inputs: &[InputInfo],
    live: &Live,
    differences: &mut Vec<String>,
) {
    let schema = entity.schema();
    if live.is_view && entity.is_written() && !dialect.counts_views() {
        differences.push(uncounted(schema));
    }
    let inputs = inputs
        .iter()
        .filter(|input| std::ptr::eq(input.schema(), schema));
    let rules = entity
        .written_rules()
        .chain(inputs.flat_map(InputInfo::written_rules));
    let mut read = false;
    for (action, rule) in rules {
        for column in rule.written(schema) {
            read = true;
            let Some(found) = live.column(column.name()) else {
                continue;
            };
            let when = match (found.computed, action) {
                (ComputedColumn::Always, _) => "computed by the database",
                (ComputedColumn::OnUpdate, RowAction::Update) => {
                    "set by the database at each update"
                }
                (ComputedColumn::Never | ComputedColumn::OnUpdate, _) => continue,
            };
            differences.push(format!(
                "the column `{}.{}` is {when}, so that the rule at {} cannot be evaluated over the new value of `{}::{}`: write the rule over the columns that it is computed from, or put the rule over its old value into `update_if` and the rule over the updated row into `updated_if`",
                schema.name(),
                column.name(),
                rule.source(),
                schema.entity(),
                column.field(),
            ));
        }
    }
    if read {
        for trigger in &live.triggers {
            events::trigger(schema.entity(), schema.name(), trigger);
        }
    }
}

/// Returns the tables of the entities, and those that their relations lead to.
fn tables(entities: &[EntityInfo]) -> Vec<&'static Schema> {
    let mut tables: Vec<&'static Schema> = Vec::new();
    let mut found: Vec<_> = entities.iter().map(EntityInfo::schema).collect();
    while let Some(schema) = found.pop() {
        if !tables.iter().any(|known| std::ptr::eq(*known, schema)) {
            tables.push(schema);
            found.extend(schema.relations().iter().map(Relation::target));
        }
    }
    tables
}

fn unknown_fields<'a>(
    schema: &'static Schema,
    rules: impl Iterator<Item = &'a RuleInfo>,
    differences: &mut Vec<String>,
) {
    for rule in rules {
        for (table, field) in rule.named(schema) {
            if table.place(field).is_none() {
                differences.push(format!(
                    "`{}` has no field `{field}`, named by the rule at {}",
                    table.entity(),
                    rule.source()
                ));
            }
        }
    }
}

/// Returns whether a column of the declared type holds the kind.
fn type_fits(dialect: Dialect, column: &ColumnSpec, declared: &str) -> bool {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => sqlite_type_fits(column.kind(), declared),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => postgres_types(column.kind()).contains(&declared),
        #[cfg(feature = "mysql")]
        Dialect::Mysql { .. } => mysql_type_fits(column.kind(), declared),
    }
}

fn wanted_type(dialect: Dialect, kind: Kind) -> String {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => sqlite_type(kind).to_owned(),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => postgres_types(kind).join(" or "),
        #[cfg(feature = "mysql")]
        Dialect::Mysql { .. } => mysql_type(kind).to_owned(),
    }
}

/// Applies SQLite's rules of affinity
/// (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>).
#[cfg(feature = "sqlite")]
fn sqlite_type_fits(kind: Kind, declared: &str) -> bool {
    let any = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
    match kind {
        Kind::Bool => any(&["BOOL", "INT"]),
        Kind::Int | Kind::Timestamp => any(&["INT"]),
        Kind::Float => any(&["REAL", "FLOA", "DOUB"]),
        Kind::Text | Kind::Enum(_) => any(&["CHAR", "CLOB", "TEXT"]),
        Kind::Bytes | Kind::Uuid => any(&["BLOB"]),
    }
}

#[cfg(feature = "sqlite")]
const fn sqlite_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "BOOLEAN",
        Kind::Int => "INTEGER",
        Kind::Float => "REAL",
        Kind::Text | Kind::Enum(_) => "TEXT",
        Kind::Bytes => "BLOB",
        Kind::Uuid => "BLOB of 16 bytes",
        Kind::Timestamp => "INTEGER, microseconds since 1970",
    }
}

/// Returns the types that hold the kind. `CHAR(n)` is not among them because it pads, `CITEXT` and enums of
/// the database because they do not compare as text.
#[cfg(feature = "postgres")]
const fn postgres_types(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Bool => &["BOOL"],
        Kind::Int => &["INT8", "INT4", "INT2"],
        Kind::Float => &["FLOAT8", "FLOAT4"],
        Kind::Text | Kind::Enum(_) => &["TEXT", "VARCHAR"],
        Kind::Bytes => &["BYTEA"],
        Kind::Uuid => &["UUID"],
        Kind::Timestamp => &["TIMESTAMPTZ"],
    }
}

/// Returns whether the declared type holds the kind. Text must be in UTF-8, because it is compared by its
/// bytes.
#[cfg(feature = "mysql")]
fn mysql_type_fits(kind: Kind, declared: &str) -> bool {
    let starts = |parts: &[&str]| parts.iter().any(|part| declared.starts_with(part));
    let utf8 = || {
        ["UTF8MB4", "UTF8MB3", "UTF8", "ASCII"]
            .iter()
            .any(|encoding| declared.ends_with(encoding))
    };
    match kind {
        Kind::Bool => starts(&["TINYINT(1)", "BOOL"]),
        // No field could read a number beyond `i64`.
        Kind::Int => {
            starts(&["TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"])
                && !(starts(&["BIGINT"]) && declared.contains("UNSIGNED"))
        }
        Kind::Float => starts(&["DOUBLE", "FLOAT"]),
        Kind::Text | Kind::Enum(_) => {
            starts(&["VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"]) && utf8()
        }
        Kind::Bytes => starts(&["VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"]),
        Kind::Uuid => starts(&["BINARY(16)"]),
        Kind::Timestamp => starts(&["DATETIME(6)", "TIMESTAMP(6)"]),
    }
}

#[cfg(feature = "mysql")]
const fn mysql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "BOOLEAN",
        Kind::Int => {
            "an integer type that `i64` holds: instead of BIGINT UNSIGNED declare it BIGINT"
        }
        Kind::Float => "DOUBLE",
        Kind::Text | Kind::Enum(_) => {
            "VARCHAR or TEXT in UTF-8, whose bytes have the order of its texts: declare it CHARACTER SET utf8mb4"
        }
        Kind::Bytes => "VARBINARY or BLOB",
        Kind::Uuid => "BINARY(16)",
        Kind::Timestamp => "DATETIME(6)",
    }
}
