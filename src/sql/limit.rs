//! How the number of rows that a query asks for stands in the text of its statement.

use sea_query::Values;

use super::dialect::Dialect;

/// How the number of rows stands in a text.
///
/// PostgreSQL plans for a bound number as if it were a tenth of all rows, finds that a plan made for the
/// number itself is cheaper, and so plans each execution anew, for ever. With a number in the text it
/// keeps one plan. So that a client, who chooses the number, does not choose how many texts there
/// are, the text has the next power of two, and the number itself is bound around it.
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "the other engines bind every number")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// As a value that is bound.
    Bound,
    /// As a value that is bound, around this number in the text.
    Within(u64),
    /// As this number in the text.
    Fixed(u64),
}

/// Around more rows than this a number in the text saves nothing: to plan is little beside them.
#[cfg(feature = "postgres")]
const MOST: u64 = 1 << 16;

impl Limit {
    pub(super) fn of(dialect: Dialect, rows: u64) -> Self {
        match dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => {
                let _ = rows;
                Self::Bound
            }
            #[cfg(feature = "postgres")]
            Dialect::Postgres => match rows.checked_next_power_of_two() {
                Some(fixed) if fixed == rows && fixed <= MOST => Self::Fixed(fixed),
                Some(fixed) if fixed <= MOST => Self::Within(fixed),
                Some(_) | None => Self::Bound,
            },
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => {
                let _ = rows;
                Self::Bound
            }
        }
    }

    pub(super) const fn is_bound(self) -> bool {
        match self {
            Self::Bound | Self::Within(_) => true,
            Self::Fixed(_) => false,
        }
    }

    /// Returns the number that tells the texts of one query apart.
    pub(super) const fn key(self) -> u64 {
        match self {
            Self::Bound => 0,
            Self::Within(rows) => rows * 2,
            Self::Fixed(rows) => rows * 2 + 1,
        }
    }

    /// Writes the number of rows into the text; `rows` is bound where it is.
    pub(super) fn write(
        self,
        dialect: Dialect,
        (sql, mut values): (String, Values),
        rows: u64,
    ) -> (String, Values) {
        if self.is_bound() {
            values.0.push(rows.into());
        }
        let bound = match dialect {
            // SQLite plans anew, for each execution, what has a bound value for its limit, and cannot look
            // into a subquery for one.
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => "(SELECT ?)".to_owned(),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => format!("${}", values.0.len()),
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => "?".to_owned(),
        };
        let sql = match self {
            Self::Bound => format!("{sql} LIMIT {bound}"),
            // The rows of a subquery with a limit keep their order.
            Self::Within(fixed) => {
                format!("SELECT * FROM ({sql} LIMIT {fixed}) AS \"page\" LIMIT {bound}")
            }
            Self::Fixed(fixed) => format!("{sql} LIMIT {fixed}"),
        };
        (sql, values)
    }
}
