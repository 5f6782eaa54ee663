//! The form of LIMIT in the text of a statement (decision 61).

use sea_query::Values;

use crate::driver::Dialect;

/// The form of LIMIT in a text.
///
/// PostgreSQL plans a bound number as if it were a tenth of all rows, finds that a plan made for the number
/// itself is cheaper, and so plans each execution anew, for ever. With a number in the text it keeps one
/// generic plan. A client chooses the number, but must not choose how many texts there are: the text has
/// the next power of two, and the number itself is bound around it.
#[cfg_attr(
    not(feature = "postgres"),
    expect(dead_code, reason = "the other engines bind every number")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// A bound value.
    Bound,
    /// A bound value, around this number in the text.
    Within(u64),
    /// This number in the text.
    Fixed(u64),
}

/// The largest number in a text: beyond it, planning is cheap compared to the rows.
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

    /// Returns the number that distinguishes the texts of one query.
    pub(super) const fn key(self) -> u64 {
        match self {
            Self::Bound => 0,
            Self::Within(rows) => rows * 2,
            Self::Fixed(rows) => rows * 2 + 1,
        }
    }

    /// Appends LIMIT to the text; `rows` is bound, or is the number in the text.
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
            // SQLite plans a statement with a bound limit anew for each execution, and cannot look into a
            // subquery for its value.
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
