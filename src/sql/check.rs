//! The check at start: does the live schema have what the rules and DTOs speak of?

use std::collections::HashMap;
use std::fmt::Write as _;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use sea_query::ExprTrait as _;
use sea_query::{Alias, Expr, Func, Query as Statement};

use super::Dialect;

use super::db::Db;
use crate::entity::{ColumnSpec, Relation, Schema};
use crate::error::{Error, Result};
use crate::policy::{Cell, Kind};
use crate::registry::{App, EntityInfo, RuleInfo};

/// A column of a table as the database has it.
struct Live {
    declared: String,
    not_null: bool,
}

impl Db {
    /// Compares the entities of `app` with the tables of this database, so that a missing column
    /// is an error when the program starts and not at somebody's first request.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] with every difference found: a table or a column that is
    /// missing, a type that does not fit, a column that may be null where its field is no
    /// `Option`, a rule that names no field. [`Error::is_unavailable`] when the database does
    /// not answer.
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
        let entities = app.entities();
        for schema in tables(&entities) {
            let live = self.live_columns(schema.name()).await?;
            compare(self.dialect(), schema, &live, &mut differences);
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
                        "`{}::{}` is no field of `{}`",
                        dto.name(),
                        field.field(),
                        dto.entity()
                    ));
                }
                unknown_fields(schema, field.rules().iter(), &mut differences);
            }
        }
        for input in app.inputs() {
            for field in input.fields() {
                unknown_fields(input.schema(), field.rules().iter(), &mut differences);
            }
        }
        differences.sort();
        differences.dedup();
        if differences.is_empty() {
            return Ok(());
        }
        let mut advice = String::from("the database schema does not fit the entities:");
        for difference in differences {
            // Writing to a String cannot fail.
            let _ = write!(advice, "\n- {difference}");
        }
        Err(Error::configuration(advice))
    }

    /// Whether the engine orders text by the bytes of UTF-8, as rules do.
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
            // Each column has an encoding of its own here, which is looked at as a part of its type.
            #[cfg(feature = "mysql")]
            Dialect::Mysql => Ok(true),
        }
    }

    async fn live_columns(&self, table: &'static str) -> Result<HashMap<String, Live>> {
        let mut live = HashMap::new();
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => {
                let mut statement = Statement::select();
                statement
                    .columns(["name", "type", "notnull", "pk"].map(Alias::new))
                    .from_function(
                        Func::cust(Alias::new("pragma_table_info")).arg(Expr::val(table)),
                        Alias::new("pragma"),
                    );
                self.fetch_each(&statement, |row| {
                    if let (
                        Cell::Text(name),
                        Cell::Text(declared),
                        Cell::Int(not_null),
                        Cell::Int(key),
                    ) = (
                        row.cell(0, Kind::Text)?,
                        row.cell(1, Kind::Text)?,
                        row.cell(2, Kind::Int)?,
                        row.cell(3, Kind::Int)?,
                    ) {
                        live.insert(
                            name.to_owned(),
                            Live {
                                declared: declared.to_ascii_uppercase(),
                                not_null: not_null != 0 || key != 0,
                            },
                        );
                    }
                    Ok(())
                })
                .await?;
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                let text = |name| Expr::col(Alias::new(name)).cast_as(Alias::new("text"));
                let schema = Expr::from(Func::cust(Alias::new("current_schema")));
                let statement = Statement::select()
                    .exprs([text("column_name"), text("udt_name"), text("is_nullable")])
                    .from((Alias::new("information_schema"), Alias::new("columns")))
                    .and_where(text("table_schema").eq(schema.cast_as(Alias::new("text"))))
                    .and_where(text("table_name").eq(table))
                    .take();
                self.read_columns(&statement, &mut live).await?;
            }
            #[cfg(feature = "mysql")]
            Dialect::Mysql => {
                // The encoding stands behind the type, where the column has one.
                let encoding = Expr::col(Alias::new("character_set_name"));
                let declared = Func::cust(Alias::new("CONCAT_WS")).args([
                    Expr::val(" "),
                    Expr::col(Alias::new("column_type")),
                    encoding,
                ]);
                let statement = Statement::select()
                    .column(Alias::new("column_name"))
                    .expr(declared)
                    .column(Alias::new("is_nullable"))
                    .from((Alias::new("information_schema"), Alias::new("columns")))
                    .and_where(
                        Expr::col(Alias::new("table_schema"))
                            .eq(Expr::from(Func::cust(Alias::new("DATABASE")))),
                    )
                    .and_where(Expr::col(Alias::new("table_name")).eq(table))
                    .take();
                self.read_columns(&statement, &mut live).await?;
            }
        }
        Ok(live)
    }

    /// Reads name, declared type and "YES" or "NO" for null.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    async fn read_columns(
        &self,
        statement: &sea_query::SelectStatement,
        live: &mut HashMap<String, Live>,
    ) -> Result<()> {
        self.fetch_each(statement, |row| {
            if let (Cell::Text(name), Cell::Text(declared), Cell::Text(nullable)) = (
                row.cell(0, Kind::Text)?,
                row.cell(1, Kind::Text)?,
                row.cell(2, Kind::Text)?,
            ) {
                live.insert(
                    name.to_owned(),
                    Live {
                        declared: declared.to_ascii_uppercase(),
                        not_null: nullable != "YES",
                    },
                );
            }
            Ok(())
        })
        .await
    }
}

fn compare(
    dialect: Dialect,
    schema: &Schema,
    live: &HashMap<String, Live>,
    differences: &mut Vec<String>,
) {
    let (table, entity) = (schema.name(), schema.entity());
    if live.is_empty() {
        differences.push(format!("the table `{table}` of `{entity}` is missing"));
        return;
    }
    for column in schema.columns() {
        let (name, field) = (column.name(), column.field());
        let Some(found) = live.get(name) else {
            differences.push(format!(
                "the column `{table}.{name}` of `{entity}::{field}` is missing"
            ));
            continue;
        };
        if !type_fits(dialect, column, &found.declared) {
            differences.push(format!(
                "the column `{table}.{name}` is declared `{}`, but `{entity}::{field}` wants {}",
                found.declared,
                wanted_type(dialect, column.kind())
            ));
        }
        if !found.not_null && !column.is_nullable() {
            differences.push(format!(
                "the column `{table}.{name}` may be null, but `{entity}::{field}` is no Option: declare it NOT NULL"
            ));
        }
    }
    for relation in schema.relations() {
        if relation.pairs(schema).is_none() {
            differences.push(format!(
                "the relation `{entity}::{}` joins by a field that there is not",
                relation.name()
            ));
        }
    }
}

/// The tables of entities, and those that their relations lead to.
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

/// Whether a column declared so holds the kind.
fn type_fits(dialect: Dialect, column: &ColumnSpec, declared: &str) -> bool {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => sqlite_type_fits(column.kind(), declared),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => postgres_types(column.kind()).contains(&declared),
        #[cfg(feature = "mysql")]
        Dialect::Mysql => mysql_type_fits(column.kind(), declared),
    }
}

fn wanted_type(dialect: Dialect, kind: Kind) -> String {
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => sqlite_type(kind).to_owned(),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => postgres_types(kind).join(" or "),
        #[cfg(feature = "mysql")]
        Dialect::Mysql => mysql_type(kind).to_owned(),
    }
}

/// By SQLite's rules of affinity
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

/// `CHAR(n)` pads, `CITEXT` and enums of the database do not compare as text.
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

/// Text is UTF-8, because it is compared by its bytes.
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
        Kind::Int => starts(&["TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"]),
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
        Kind::Int => "an integer type",
        Kind::Float => "DOUBLE",
        Kind::Text | Kind::Enum(_) => "VARCHAR or TEXT in utf8mb4",
        Kind::Bytes => "VARBINARY or BLOB",
        Kind::Uuid => "BINARY(16)",
        Kind::Timestamp => "DATETIME(6)",
    }
}
