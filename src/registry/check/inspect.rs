//! Inspection of the live schema beyond its columns: indexes, uniqueness, collations, foreign keys.

use std::collections::BTreeMap;

#[cfg(feature = "sqlite")]
use sea_query::{Alias, Expr, ExprTrait as _, Func, Query as Statement};

use super::references::ForeignKey;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::driver::Ready;
use crate::driver::{Db, Dialect};
use crate::error::Result;
use crate::policy::{Cell, Kind};
use crate::registry::App;

/// The indexes, collations and foreign keys of an application's tables, as the database has them.
/// [`Db::schema`] reads them for the lints of the access matrix.
#[derive(Debug, Clone, Default)]
pub struct DatabaseSchema {
    tables: BTreeMap<&'static str, TableSchema>,
}

/// The indexes, collations and foreign keys of one table.
#[derive(Debug, Clone, Default)]
pub struct TableSchema {
    /// The indexes, by name.
    pub indexes: Vec<Index>,
    /// The columns that are declared with a collation which does not compare bytes, and its name.
    pub collations: BTreeMap<String, String>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

/// An index, by the names of its columns; an expression has no name.
#[derive(Debug, Clone)]
pub struct Index {
    /// The name of the index.
    pub name: String,
    /// The columns, in order.
    pub columns: Vec<String>,
    /// Set if no two rows have the same values there.
    pub unique: bool,
}

impl DatabaseSchema {
    pub(crate) fn table(&self, name: &str) -> Option<&TableSchema> {
        self.tables.get(name)
    }
}

impl TableSchema {
    /// Returns a unique index that includes the column.
    #[must_use]
    pub fn unique(&self, column: &str) -> Option<&Index> {
        let holds = |index: &&Index| index.columns.iter().any(|name| name == column);
        self.indexes.iter().filter(|index| index.unique).find(holds)
    }
}

impl Db {
    /// Reads the indexes, collations and foreign keys of the tables of `app`, for `MatrixBuilder::with_schema` of
    /// the crate `clearance-matrix`. A missing table is left out; [`Db::check`] reports it.
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
    /// let matrix = clearance_matrix::Matrix::of(&APP).with_schema(&schema).build()?;
    /// # let _ = matrix;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn schema<V>(&self, app: &App<V>) -> Result<DatabaseSchema> {
        let mut schema = DatabaseSchema::default();
        for entity in app.entities() {
            let table = entity.schema().name();
            if let Some(mut found) = self.inspect(table).await? {
                found.foreign_keys = self.foreign_keys(table).await?;
                schema.tables.insert(table, found);
            }
        }
        Ok(schema)
    }

    pub(super) async fn inspect(&self, table: &'static str) -> Result<Option<TableSchema>> {
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.inspect_sqlite(table).await,
            #[cfg(feature = "postgres")]
            Dialect::Postgres => self.inspect_catalogue(table, &POSTGRES).await,
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => self.inspect_catalogue(table, &MYSQL).await,
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    async fn inspect_catalogue(
        &self,
        table: &'static str,
        catalogue: &Catalogue,
    ) -> Result<Option<TableSchema>> {
        let mut found = TableSchema::default();
        let mut exists = false;
        let columns = about(table, catalogue.columns);
        self.fetch_each(columns, |row| {
            exists = true;
            if let (Cell::Text(column), Cell::Text(collation)) =
                (row.cell(0, Kind::Text)?, row.cell(1, Kind::Text)?)
                && !catalogue.binary.contains(&collation)
            {
                found
                    .collations
                    .insert(column.to_owned(), collation.to_owned());
            }
            Ok(())
        })
        .await?;
        if !exists {
            return Ok(None);
        }
        let indexes = about(table, catalogue.indexes);
        self.fetch_each(indexes, |row| {
            let (Cell::Text(name), Cell::Int(unique)) =
                (row.cell(0, Kind::Text)?, row.cell(1, Kind::Int)?)
            else {
                return Ok(());
            };
            if found.indexes.last().is_none_or(|index| index.name != name) {
                found.indexes.push(Index {
                    name: name.to_owned(),
                    columns: Vec::new(),
                    unique: unique != 0,
                });
            }
            if let (Cell::Text(column), Some(index)) =
                (row.cell(2, Kind::Text)?, found.indexes.last_mut())
            {
                index.columns.push(column.to_owned());
            }
            Ok(())
        })
        .await?;
        Ok(Some(found))
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
            collations,
            ..TableSchema::default()
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

/// The catalogue queries of an engine.
#[cfg(any(feature = "postgres", feature = "mysql"))]
struct Catalogue {
    /// Selects each column of a table, and the collation if it is text.
    columns: &'static str,
    /// Selects each column of each index, with 1 if the index is unique; null for an expression.
    indexes: &'static str,
    /// The collations that compare bytes.
    binary: &'static [&'static str],
}

#[cfg(feature = "postgres")]
const POSTGRES: Catalogue = Catalogue {
    columns: "SELECT a.attname::text, \
        CASE c.collname WHEN 'default' THEN d.datcollate::text ELSE c.collname::text END \
        FROM pg_attribute a \
        JOIN pg_class t ON t.oid = a.attrelid \
        JOIN pg_database d ON d.datname = current_database() \
        LEFT JOIN pg_collation c ON c.oid = a.attcollation \
        WHERE t.oid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped",
    indexes: "SELECT i.relname::text, x.indisunique::int, a.attname::text \
        FROM pg_index x \
        JOIN pg_class t ON t.oid = x.indrelid \
        JOIN pg_class i ON i.oid = x.indexrelid \
        CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attribute, place) \
        LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attribute \
        WHERE t.oid = to_regclass(quote_ident($1)) ORDER BY i.relname, k.place",
    binary: &["C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic"],
};

#[cfg(feature = "mysql")]
const MYSQL: Catalogue = Catalogue {
    columns: "SELECT column_name, collation_name FROM information_schema.columns \
        WHERE table_schema = DATABASE() AND table_name = ?",
    indexes: "SELECT index_name, 1 - non_unique, column_name FROM information_schema.statistics \
        WHERE table_schema = DATABASE() AND table_name = ? ORDER BY index_name, seq_in_index",
    binary: &["utf8mb4_nopad_bin", "utf8mb4_0900_bin"],
};

/// Builds a query about one table to the engine's own catalogue.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn about(table: &str, sql: &'static str) -> Ready {
    Ready::new(sql.into(), sea_query::Values(vec![table.into()]))
}

/// Returns the columns of a `CREATE TABLE` with a collation other than `BINARY`. SQLite reports the
/// collation of an index, and that of a column in this text only.
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

/// Splits SQL into words, quoted names without their quotes, and punctuation; comments are left out.
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
