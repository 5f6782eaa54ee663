//! What the live schema has beside its columns: indexes, uniqueness, collations.

use std::collections::BTreeMap;

use sea_query::{Alias, Expr, ExprTrait as _, Func, Query as Statement};

use super::db::Db;
use super::dialect::Dialect;
use crate::error::Result;
use crate::policy::{Cell, Kind};
use crate::registry::App;

/// The indexes and collations of an application's tables, as the database has them. Made by
/// [`Db::schema`] for the lints of the access matrix.
#[derive(Debug, Clone, Default)]
pub struct DatabaseSchema {
    tables: BTreeMap<&'static str, TableSchema>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TableSchema {
    pub(crate) indexes: Vec<Index>,
    /// Columns that are declared with a collation which does not compare bytes, and its name.
    pub(crate) collations: BTreeMap<String, String>,
}

/// An index; the name of a column stands for itself, an expression for nothing.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) unique: bool,
}

impl DatabaseSchema {
    pub(crate) fn table(&self, name: &str) -> Option<&TableSchema> {
        self.tables.get(name)
    }
}

impl Db {
    /// Reads the indexes and collations of the tables of `app`, for
    /// [`MatrixBuilder::with_schema`](crate::MatrixBuilder::with_schema). A table that is missing
    /// is left out; [`Db::check`] is what names it.
    ///
    /// # Errors
    ///
    /// [`Error::is_unavailable`](crate::Error::is_unavailable) when the database does not answer.
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
    /// # clearance::app! {
    /// #     static APP = { viewer: Member, dtos: [Profile], repositories: [] };
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> clearance::Result<()> {
    /// let db = Db::connect("sqlite::memory:").await?;
    /// let schema = db.schema(&APP).await?;
    /// let matrix = APP.matrix().with_schema(&schema).build()?;
    /// # let _ = matrix;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn schema<V>(&self, app: &App<V>) -> Result<DatabaseSchema> {
        let mut schema = DatabaseSchema::default();
        for entity in app.entities() {
            let table = entity.schema().name();
            if let Some(found) = self.inspect(table).await? {
                schema.tables.insert(table, found);
            }
        }
        Ok(schema)
    }

    async fn inspect(&self, table: &'static str) -> Result<Option<TableSchema>> {
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.inspect_sqlite(table).await,
        }
    }

    #[cfg(feature = "sqlite")]
    async fn inspect_sqlite(&self, table: &'static str) -> Result<Option<TableSchema>> {
        let mut statement = Statement::select();
        statement
            .column(Alias::new("sql"))
            .from(Alias::new("sqlite_schema"))
            .and_where(Expr::col(Alias::new("type")).eq("table"))
            .and_where(
                Expr::from(Func::lower(Expr::col(Alias::new("name"))))
                    .eq(table.to_ascii_lowercase()),
            );
        let Some(row) = self.fetch_optional(&statement).await? else {
            return Ok(None);
        };
        let collations = match row.cell(0, Kind::Text)? {
            Cell::Text(sql) => declared_collations(sql),
            Cell::Null
            | Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Float(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_) => BTreeMap::new(),
        };
        let mut found = TableSchema {
            indexes: Vec::new(),
            collations,
        };
        let mut statement = Statement::select();
        statement
            .columns(["name", "unique"].map(Alias::new))
            .from_function(
                Func::cust(Alias::new("pragma_index_list")).arg(Expr::val(table)),
                Alias::new("pragma"),
            );
        self.fetch_each(&statement, |row| {
            if let (Cell::Text(name), Cell::Int(unique)) =
                (row.cell(0, Kind::Text)?, row.cell(1, Kind::Int)?)
            {
                found.indexes.push(Index {
                    name: name.to_owned(),
                    columns: Vec::new(),
                    unique: unique != 0,
                });
            }
            Ok(())
        })
        .await?;
        for index in &mut found.indexes {
            let mut statement = Statement::select();
            statement.column(Alias::new("name")).from_function(
                Func::cust(Alias::new("pragma_index_info")).arg(Expr::val(index.name.as_str())),
                Alias::new("pragma"),
            );
            self.fetch_each(&statement, |row| {
                index.columns.push(match row.cell(0, Kind::Text)? {
                    Cell::Text(name) => name.to_owned(),
                    Cell::Null
                    | Cell::Bool(_)
                    | Cell::Int(_)
                    | Cell::Float(_)
                    | Cell::Bytes(_)
                    | Cell::Uuid(_)
                    | Cell::Timestamp(_) => String::new(),
                });
                Ok(())
            })
            .await?;
        }
        found
            .indexes
            .sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Some(found))
    }
}

/// The columns of a `CREATE TABLE` that name a collation other than `BINARY`. SQLite tells the
/// collation of an index, and that of a column in its text only.
#[cfg(feature = "sqlite")]
fn declared_collations(sql: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut depth = 0_u32;
    let mut column: Option<String> = None;
    let mut behind_collate = false;
    for token in tokens(sql) {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 1 => column = None,
            word if depth == 1 => {
                if behind_collate
                    && !word.eq_ignore_ascii_case("binary")
                    && let Some(column) = &column
                {
                    found.insert(column.clone(), word.to_owned());
                }
                behind_collate = column.is_some() && word.eq_ignore_ascii_case("collate");
                if column.is_none() {
                    column = Some(word.to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

/// Words, quoted names without their quotes, and marks; comments are left out.
#[cfg(feature = "sqlite")]
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '`' | '\'' | '[' => {
                let end = if c == '[' { ']' } else { c };
                let mut quoted = String::new();
                while let Some(c) = rest.next() {
                    if c != end {
                        quoted.push(c);
                    } else if c != ']' && rest.peek() == Some(&end) {
                        quoted.extend(rest.next());
                    } else {
                        break;
                    }
                }
                tokens.push(quoted);
            }
            '-' if rest.peek() == Some(&'-') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in rest.by_ref().skip(1) {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(word);
            }
            c if c.is_whitespace() => {}
            mark => tokens.push(mark.to_string()),
        }
    }
    tokens
}
