//! The SQL dialects of the engines: how a value is bound, how text is compared byte by byte, how a mask is
//! applied. Each engine has a file for its own forms.

mod capabilities;
mod locks;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::borrow::Cow;

use sea_query::{Alias, Expr, ExprTrait as _, Func, QueryStatementWriter, SelectStatement};

use crate::entity::mask::Mask;
use crate::policy::{Cell, Kind, Op, Value};

/// The SQL dialect of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    Mysql {
        /// See [`Dialect::exactly`].
        exactly: bool,
    },
}

/// The position of a value relative to those that a column of the engine can hold.
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "some engines hold every value")
)]
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Storability {
    /// One of them.
    Among,
    /// Before all of them.
    Before,
    /// After all of them.
    Behind,
    /// Directly after this one, before all that are greater.
    RightBehind(Value),
}

impl Storability {
    /// Returns the comparison that stands in for one of a column with a value that it cannot hold.
    pub(crate) fn compared(self, op: Op) -> ComparedAs {
        match (self, op) {
            (Self::Among, _) => ComparedAs::Plainly,
            (Self::Before, Op::Ne | Op::Gt | Op::Ge)
            | (Self::Behind, Op::Ne | Op::Lt | Op::Le)
            | (Self::RightBehind(_), Op::Ne) => ComparedAs::WhereSet,
            (Self::Before, Op::Eq | Op::Lt | Op::Le)
            | (Self::Behind, Op::Eq | Op::Gt | Op::Ge)
            | (Self::RightBehind(_), Op::Eq) => ComparedAs::Nowhere,
            (Self::RightBehind(value), Op::Lt | Op::Le) => ComparedAs::With(Op::Le, value),
            (Self::RightBehind(value), Op::Gt | Op::Ge) => ComparedAs::With(Op::Gt, value),
        }
    }
}

/// A comparison in the form that the engine evaluates.
pub(crate) enum ComparedAs {
    /// Unchanged.
    Plainly,
    /// True wherever the column is set.
    WhereSet,
    /// True nowhere.
    Nowhere,
    /// Replaced by this one.
    With(Op, Value),
}

impl Dialect {
    /// Makes `text` compare and sort byte by byte.
    pub(crate) fn bytewise(self, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::bytewise(text),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::bytewise(text),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::bytewise(text),
        }
    }

    /// Makes a column of text compare by its own collation, by operators of the engine.
    pub(crate) fn plain(self, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => text,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::plain(text),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => text,
        }
    }

    /// Converts a boolean column to one of two values: if it is a number, any but 0 is true.
    pub(crate) fn truth(self, column: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => column.ne(false),
            #[cfg(feature = "postgres")]
            Self::Postgres => column,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => column.ne(false),
        }
    }

    /// Builds the condition that a key is the one that a text names; `None` if keys of this kind cannot be
    /// found by their index. A text that names no key matches no row, and is no error.
    ///
    /// Text is left out: PostgreSQL and MySQL refuse to compare columns of different collations.
    pub(crate) fn is_written(self, key: Expr, kind: Kind, text: Expr) -> Option<Expr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::is_written(key, kind, text),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::is_written(key, kind, text),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::is_written(key, kind, text),
        }
    }

    /// Combines both, if `exact` only narrows the rows that `indexed` finds.
    pub(crate) fn narrowed(self, indexed: Expr, exact: Expr) -> Expr {
        let exact = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => exact,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::unestimated(exact),
            // The column's character set may lack a character of one of the values.
            #[cfg(feature = "mysql")]
            Self::Mysql { exactly: true } => return exact,
            #[cfg(feature = "mysql")]
            Self::Mysql { exactly: false } => exact,
        };
        indexed.and(exact)
    }

    /// Returns the dialect of a statement that avoids the columns' own comparison, for an engine that may
    /// refuse it. On MySQL and MariaDB a column of `utf8mb3` or `ascii` does not compare with a text that
    /// it cannot hold, and no statement knows the character sets of its columns (decision 69).
    pub(crate) const fn exactly(self) -> Option<Self> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => None,
            #[cfg(feature = "postgres")]
            Self::Postgres => None,
            #[cfg(feature = "mysql")]
            Self::Mysql { exactly: false } => Some(Self::Mysql { exactly: true }),
            #[cfg(feature = "mysql")]
            Self::Mysql { exactly: true } => None,
        }
    }

    /// Converts a column of text that the library keeps as bytes where no collation is exact, for a
    /// comparison with one that is kept as text.
    #[cfg(feature = "accounts")]
    pub(crate) fn kept_as_bytes(self, column: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => column,
            #[cfg(feature = "postgres")]
            Self::Postgres => column,
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::kept_as_bytes(column),
        }
    }

    /// Binds a value; a null is part of the text.
    pub(crate) fn bind(self, value: &Value) -> Expr {
        match value {
            Value::Null => Expr::cust("NULL"),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Uuid(_)
            | Value::Timestamp(_) => Expr::val(self.argument(value.as_cell())),
        }
    }

    /// Binds a cell of this kind that a column is set to. A null is bound like any other value, so that the
    /// text does not depend on it.
    pub(crate) fn bind_set(self, kind: Kind, cell: Cell<'_>) -> Expr {
        Expr::val(self.set_argument(kind, cell))
    }

    /// Returns the same value as the driver takes it.
    pub(crate) fn set_argument(self, kind: Kind, cell: Cell<'_>) -> sea_query::Value {
        match cell {
            Cell::Null => self.null_argument(kind),
            Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Float(_)
            | Cell::Text(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_) => self.argument(cell),
        }
    }

    /// Returns a null of the type that a value of this kind is bound as.
    fn null_argument(self, kind: Kind) -> sea_query::Value {
        match kind {
            Kind::Bool => sea_query::Value::Bool(None),
            Kind::Int => sea_query::Value::BigInt(None),
            Kind::Float => sea_query::Value::Double(None),
            Kind::Text | Kind::Enum(_) => sea_query::Value::String(None),
            Kind::Bytes => sea_query::Value::Bytes(None),
            Kind::Uuid => sea_query::Value::Uuid(None),
            Kind::Timestamp => match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite => sea_query::Value::BigInt(None),
                #[cfg(feature = "postgres")]
                Self::Postgres => sea_query::Value::ChronoDateTimeUtc(None),
                #[cfg(feature = "mysql")]
                Self::Mysql { .. } => sea_query::Value::ChronoDateTime(None),
            },
        }
    }

    /// Returns a value as the driver takes it, for the placeholder that [`Dialect::bind`] made of a value
    /// of this kind.
    pub(crate) fn argument(self, cell: Cell<'_>) -> sea_query::Value {
        match cell {
            Cell::Null => sea_query::Value::BigInt(None),
            Cell::Bool(value) => value.into(),
            Cell::Int(value) => value.into(),
            Cell::Float(value) => value.into(),
            Cell::Text(value) => value.into(),
            Cell::Bytes(value) => value.into(),
            Cell::Uuid(value) => value.into(),
            Cell::Timestamp(micros) => match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite => micros.into(),
                #[cfg(feature = "postgres")]
                Self::Postgres => postgres::instant(micros),
                #[cfg(feature = "mysql")]
                Self::Mysql { .. } => mysql::instant(micros),
            },
        }
    }

    /// Returns the position of a value relative to those that a column of its kind can hold here.
    pub(crate) fn standing(self, value: &Value) -> Storability {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = value;
                Storability::Among
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::standing(value),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::standing(value),
        }
    }

    /// Builds a subquery for `IN` over the values of a long list, which is bound as one value. They are all
    /// of this kind, and the engine can hold each.
    pub(crate) fn long_list(self, kind: Kind, values: &[&Value]) -> SelectStatement {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::long_list(kind, values),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::long_list(kind, values),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::long_list(kind, values),
        }
    }

    /// Builds a null that the engine takes for a value of this kind.
    pub(crate) fn null(self, kind: Kind) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = kind;
                Expr::cust("NULL")
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::null(kind),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => {
                let _ = kind;
                Expr::cust("NULL")
            }
        }
    }

    /// Builds an instant, or null if the stored value is none.
    pub(crate) fn finite(self, instant: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => instant,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::finite(instant),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::finite(instant),
        }
    }

    /// Builds the condition that a column of instants holds one, for an engine that compares other values
    /// with instants; none for the others.
    pub(crate) fn is_instant(self, column: Expr) -> Option<Expr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = column;
                None
            }
            // A row with `infinity` in it cannot be read.
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let _ = column;
                None
            }
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => Some(mysql::is_instant(column)),
        }
    }

    /// Builds the condition that `text`, if it is set, begins with the bytes of `prefix`, for an engine
    /// with an operator of its own that more indexes serve than a range.
    pub(crate) fn begins(self, text: Expr, prefix: &Value) -> Option<Expr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = (text, prefix);
                None
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => (self.standing(prefix) == Storability::Among)
                .then(|| postgres::begins(text, self.bind(prefix))),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => {
                let _ = (text, prefix);
                None
            }
        }
    }

    /// Builds the condition that `text`, if it is set, contains the bytes of `needle`.
    pub(crate) fn contains(self, text: Expr, needle: &Value) -> Expr {
        if self.standing(needle) != Storability::Among {
            return Expr::val(false);
        }
        let needle = self.bind(needle);
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::contains(text, needle),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::contains(text, needle),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::contains(text, needle),
        }
    }

    /// Builds the condition that `text`, if it is set, ends with the bytes of `needle`.
    pub(crate) fn ends(self, text: Expr, needle: &Value) -> Expr {
        if self.standing(needle) != Storability::Among {
            return Expr::val(false);
        }
        let needle = self.bind(needle);
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::ends(text, needle),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::ends(text, needle),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::ends(text, needle),
        }
    }

    /// Builds the sum of `integer` over a group in two parts that cannot overflow: the first times 2^32
    /// plus the second.
    pub(crate) fn sum(self, integer: Expr) -> [Expr; 2] {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::sum(integer),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::sum(integer),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::sum(integer),
        }
    }

    /// Renders the text of a statement, and its values in the order of its placeholders.
    pub(crate) fn text(self, statement: &impl QueryStatementWriter) -> (String, sea_query::Values) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => statement.build(sea_query::SqliteQueryBuilder),
            #[cfg(feature = "postgres")]
            Self::Postgres => statement.build(sea_query::PostgresQueryBuilder),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => statement.build(sea_query::MysqlQueryBuilder),
        }
    }

    /// Makes a text compare byte by byte, in a form that rows can be ordered by.
    pub(crate) fn sortable(self, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => self.bytewise(text),
            #[cfg(feature = "postgres")]
            Self::Postgres => self.bytewise(text),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::sortable(text),
        }
    }

    /// Returns the name of the engine, for data that is bound to it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => "mysql",
        }
    }

    /// Returns the name of a column in the form in which the engine compares names.
    pub(crate) fn looked_up(self, column: &str) -> Cow<'_, str> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Cow::Owned(column.to_ascii_lowercase()),
            #[cfg(feature = "postgres")]
            Self::Postgres => Cow::Borrowed(column),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => Cow::Owned(column.to_lowercase()),
        }
    }

    /// Gives a select that reads no table the one row that its conditions are evaluated for.
    pub(crate) fn without_table(self, select: &mut SelectStatement) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = select;
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let _ = select;
            }
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::without_table(select),
        }
    }

    /// Builds the masked form of a text.
    pub(crate) fn mask(self, mask: Mask, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::mask(mask, text),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::mask(mask, text),
            #[cfg(feature = "mysql")]
            Self::Mysql { .. } => mysql::mask(mask, text),
        }
    }
}

/// Builds the condition that an integer is the one that a text names, for engines that cast every text to a
/// number.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
fn is_integer(key: Expr, text: Expr, integer: &'static str, characters: &'static str) -> Expr {
    let number = || text.clone().cast_as(integer);
    let same = number().cast_as(characters).eq(text.clone());
    key.eq(number()).and(same)
}

fn function<const N: usize>(name: &'static str, arguments: [Expr; N]) -> Expr {
    Func::cust(Alias::new(name)).args(arguments).into()
}

/// Renders a list as JSON, each value as `text` writes it.
fn json_list(values: &[&Value], text: impl Fn(&Value) -> serde_json::Value) -> String {
    serde_json::Value::Array(values.iter().map(|value| text(value)).collect()).to_string()
}

/// Renders a value as JSON; an instant as microseconds, bytes as hexadecimal digits.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) | Value::Timestamp(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Bytes(value) => hexadecimal(value).into(),
        Value::Uuid(value) => hexadecimal(value.as_bytes()).into(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
