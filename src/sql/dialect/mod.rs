//! What differs between the engines: how a value is bound, how text is compared byte by byte, how
//! a mask is cut. One file for each engine has its own forms.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use sea_query::{Alias, Expr, ExprTrait as _, Func, QueryStatementWriter, SelectStatement};

use crate::dto::Mask;
use crate::policy::{Cell, Kind, Op, Place, Value};

/// The dialect of an engine: what differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    Mysql,
}

/// Where a value stands among those that a column of the engine can hold.
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "some engines hold every value")
)]
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing {
    /// It is one of them.
    Among,
    /// Before all of them.
    Before,
    /// Behind all of them.
    Behind,
    /// Right behind this one, before all that are greater.
    RightBehind(Value),
}

impl Standing {
    /// What comparing a column so with a value that it cannot hold comes to.
    pub(super) fn compared(self, op: Op) -> Compared {
        match (self, op) {
            (Self::Among, _) => Compared::Plainly,
            (Self::Before, Op::Ne | Op::Gt | Op::Ge)
            | (Self::Behind, Op::Ne | Op::Lt | Op::Le)
            | (Self::RightBehind(_), Op::Ne) => Compared::WhereSet,
            (Self::Before, Op::Eq | Op::Lt | Op::Le)
            | (Self::Behind, Op::Eq | Op::Gt | Op::Ge)
            | (Self::RightBehind(_), Op::Eq) => Compared::Nowhere,
            (Self::RightBehind(value), Op::Lt | Op::Le) => Compared::With(Op::Le, value),
            (Self::RightBehind(value), Op::Gt | Op::Ge) => Compared::With(Op::Gt, value),
        }
    }
}

/// How a comparison is put to the engine.
pub(super) enum Compared {
    /// As it stands.
    Plainly,
    /// It holds wherever the column is set.
    WhereSet,
    /// It holds nowhere.
    Nowhere,
    /// As this one.
    With(Op, Value),
}

/// A list of more values than this is bound as one.
pub(super) const LONG: usize = 1_000;

impl Dialect {
    /// `text`, compared and ordered byte by byte.
    pub(super) fn bytewise(self, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::bytewise(text),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::bytewise(text),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::bytewise(text),
        }
    }

    /// Both, where `exact` only tells more exactly what `indexed` asks.
    pub(super) fn narrowed(self, indexed: Expr, exact: Expr) -> Expr {
        let exact = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => exact,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::unestimated(exact),
            #[cfg(feature = "mysql")]
            Self::Mysql => exact,
        };
        indexed.and(exact)
    }

    /// A column of text that the library keeps as bytes where no collation is exact, to be compared
    /// with one that is kept as text.
    #[cfg(feature = "accounts")]
    pub(super) fn kept_as_bytes(self, column: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => column,
            #[cfg(feature = "postgres")]
            Self::Postgres => column,
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::kept_as_bytes(column),
        }
    }

    /// A value as it is bound.
    pub(super) fn bind(self, value: &Value) -> Expr {
        self.bind_cell(value.as_cell())
    }

    /// What a cell holds as it is bound.
    pub(super) fn bind_cell(self, cell: Cell<'_>) -> Expr {
        match cell {
            Cell::Null => Expr::cust("NULL"),
            Cell::Bool(_)
            | Cell::Int(_)
            | Cell::Float(_)
            | Cell::Text(_)
            | Cell::Bytes(_)
            | Cell::Uuid(_)
            | Cell::Timestamp(_) => Expr::val(self.argument(cell)),
        }
    }

    /// A value as the driver is handed it, for the placeholder that [`Dialect::bind`] made of a
    /// value of this kind.
    pub(super) fn argument(self, cell: Cell<'_>) -> sea_query::Value {
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
                Self::Mysql => mysql::instant(micros),
            },
        }
    }

    /// Where a value stands among those that a column of its kind can hold here.
    pub(super) fn standing(self, value: &Value) -> Standing {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = value;
                Standing::Among
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::standing(value),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::standing(value),
        }
    }

    /// The values of a long list as one that is bound, to be looked into by `IN`. They are all of
    /// this kind, and the engine can hold each.
    pub(super) fn long_list(self, kind: Kind, values: &[&Value]) -> SelectStatement {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::long_list(kind, values),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::long_list(kind, values),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::long_list(kind, values),
        }
    }

    /// A null that the engine takes for a value of this kind.
    pub(super) fn null(self, kind: Kind) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = kind;
                Expr::cust("NULL")
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::null(kind),
            #[cfg(feature = "mysql")]
            Self::Mysql => {
                let _ = kind;
                Expr::cust("NULL")
            }
        }
    }

    /// Whether `text`, if it is set, has the bytes of `needle` there.
    pub(super) fn within(self, place: Place, text: Expr, needle: &Value) -> Expr {
        if self.standing(needle) != Standing::Among {
            return Expr::val(false);
        }
        let needle = self.bind(needle);
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::within(place, text, needle),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::within(place, text, needle),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::within(place, text, needle),
        }
    }

    /// The sum of `integer` over a group in two parts that cannot overflow: the first times 2^32
    /// plus the second.
    pub(super) fn sum(self, integer: Expr) -> [Expr; 2] {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::sum(integer),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::sum(integer),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::sum(integer),
        }
    }

    /// The text of a statement, and its values in the order of its placeholders.
    pub(super) fn text(self, statement: &impl QueryStatementWriter) -> (String, sea_query::Values) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => statement.build(sea_query::SqliteQueryBuilder),
            #[cfg(feature = "postgres")]
            Self::Postgres => statement.build(sea_query::PostgresQueryBuilder),
            #[cfg(feature = "mysql")]
            Self::Mysql => statement.build(sea_query::MysqlQueryBuilder),
        }
    }

    /// The engine, for what is bound to it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres => "postgres",
            #[cfg(feature = "mysql")]
            Self::Mysql => "mysql",
        }
    }

    /// Whether a statement that writes can return of the rows that it wrote.
    pub(super) const fn returns_rows(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => true,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            // MariaDB can, for some statements; MySQL cannot.
            #[cfg(feature = "mysql")]
            Self::Mysql => false,
        }
    }

    /// Gives a select that reads no table the one row that its conditions are asked for.
    pub(super) fn without_table(self, select: &mut SelectStatement) {
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
            Self::Mysql => mysql::without_table(select),
        }
    }

    /// Has what a statement that writes finds by a select in it stay until its transaction ends.
    pub(super) fn keep(self, select: &mut SelectStatement) {
        match self {
            // Nobody else writes meanwhile.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = select;
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::keep(select),
            // It locks for reading what a statement that writes reads, without being asked.
            #[cfg(feature = "mysql")]
            Self::Mysql => {
                let _ = select;
            }
        }
    }

    /// Has what a statement that only reads finds stay until its transaction ends.
    pub(super) fn keep_read(self, select: &mut SelectStatement) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => self.keep(select),
            #[cfg(feature = "postgres")]
            Self::Postgres => self.keep(select),
            // MariaDB has another word for a lock that lets others read.
            #[cfg(feature = "mysql")]
            Self::Mysql => {
                select.lock(sea_query::LockType::Update);
            }
        }
    }

    /// The mask of a text.
    pub(super) fn mask(self, mask: Mask, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::mask(mask, text),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::mask(mask, text),
            #[cfg(feature = "mysql")]
            Self::Mysql => mysql::mask(mask, text),
        }
    }
}

fn function<const N: usize>(name: &'static str, arguments: [Expr; N]) -> Expr {
    Func::cust(Alias::new(name)).args(arguments).into()
}

/// A list as JSON, each value as `text` writes it.
fn json_list(values: &[&Value], text: impl Fn(&Value) -> serde_json::Value) -> String {
    serde_json::Value::Array(values.iter().map(|value| text(value)).collect()).to_string()
}

/// A value as JSON; an instant as microseconds, bytes as hexadecimal digits.
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
