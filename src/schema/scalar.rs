//! Column types: the Rust types that a column can hold, with one meaning on every engine.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Cell, Kind};

/// A type that a column of an entity can have.
///
/// `bool`, the integers that fit 64 signed bits, `f64`, `String`, `Vec<u8>`, `Uuid`,
/// `DateTime<Utc>`, a `#[derive(TextEnum)]` or `#[derive(Roles)]` enum, an `Option` of any of
/// these, and [`Secret`](crate::Secret).
///
/// | Rust | SQLite | PostgreSQL | MySQL, MariaDB |
/// |---|---|---|---|
/// | `bool` | `BOOLEAN` or `INTEGER`, 0 or 1 | `BOOLEAN` | `BOOLEAN` |
/// | integers | `INTEGER` | `SMALLINT`, `INTEGER`, `BIGINT` | any integer type |
/// | `f64` | `REAL` | `DOUBLE PRECISION`, `REAL` | `DOUBLE`, `FLOAT` |
/// | `String`, text enums | `TEXT` | `TEXT`, `VARCHAR` | `VARCHAR`, `TEXT`, in `utf8mb4` |
/// | `Vec<u8>` | `BLOB` | `BYTEA` | `VARBINARY`, `BLOB` |
/// | `Uuid` | `BLOB` of 16 bytes | `UUID` | `BINARY(16)` |
/// | `DateTime<Utc>` | `INTEGER`, microseconds since 1970 | `TIMESTAMPTZ` | `DATETIME(6)`, `TIMESTAMP(6)`, in UTC |
///
/// Text compares byte by byte, whatever the column's collation. An order of text uses an index only
/// where the collation compares bytes: `BINARY`, or `"C"` on PostgreSQL.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column of an entity",
    label = "no column has this type",
    note = "use bool, i8 to i64, u8 to u32, f64, String, Vec<u8>, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, `Secret<..>`, or an Option of one of these",
    note = "add `#[derive(TextEnum)]` to an enum without fields, use i64 in place of u64, and keep a list in a table of its own, which `has_many` joins"
)]
pub trait Storable: Sized + Send + Sync + 'static {
    /// The kind of value.
    const KIND: Kind;
    /// `true` if the column may be null.
    const NULLABLE: bool;

    /// Returns the value as rules and statements see it.
    fn cell(&self) -> Cell<'_>;

    /// Returns the value that a cell holds, or `None` if the type has no such value.
    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

/// A [`Storable`] type whose values may be shown: every one but a secret.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of a column that can be shown",
    label = "no column that can be shown has this type",
    note = "such a column is a bool, i8 to i64, u8 to u32, f64, String, Vec<u8>, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, or an Option of one of these",
    note = "add `#[derive(TextEnum)]` to an enum without fields; show related rows with `#[dto(related)]`, and a value of another type with `#[dto(computed = .., from(..))]`"
)]
pub trait Scalar: Storable {}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Storable for $integer {
            const KIND: Kind = Kind::Int;
            const NULLABLE: bool = false;

            fn cell(&self) -> Cell<'_> {
                Cell::Int(i64::from(*self))
            }

            fn from_cell(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::Int(value) => value.try_into().ok(),
                    _ => None,
                }
            }
        }

        impl Scalar for $integer {}
    )*};
}

integers!(i8, i16, i32, i64, u8, u16, u32);

impl Storable for bool {
    const KIND: Kind = Kind::Bool;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Bool(*self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Bool(value) => Some(value),
            _ => None,
        }
    }
}

impl Scalar for bool {}

impl Storable for f64 {
    const KIND: Kind = Kind::Float;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Float(*self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Float(value) => Some(value),
            _ => None,
        }
    }
}

impl Scalar for f64 {}

impl Storable for String {
    const KIND: Kind = Kind::Text;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(value) => Some(value.to_owned()),
            _ => None,
        }
    }
}

impl Scalar for String {}

impl Storable for Vec<u8> {
    const KIND: Kind = Kind::Bytes;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Bytes(self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Bytes(value) => Some(value.to_owned()),
            _ => None,
        }
    }
}

impl Scalar for Vec<u8> {}

impl Storable for Uuid {
    const KIND: Kind = Kind::Uuid;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Uuid(*self)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Uuid(value) => Some(value),
            _ => None,
        }
    }
}

impl Scalar for Uuid {}

impl Storable for DateTime<Utc> {
    const KIND: Kind = Kind::Timestamp;
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Timestamp(self.timestamp_micros())
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Timestamp(micros) => Self::from_timestamp_micros(micros),
            _ => None,
        }
    }
}

impl Scalar for DateTime<Utc> {}

impl<T: Storable> Storable for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;

    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, Storable::cell)
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => match T::from_cell(cell) {
                // Text outside a declared set is no value: an unknown role is no role.
                None if T::KIND.names().is_some() => Some(None),
                value => value.map(Some),
            },
        }
    }
}

impl<T: Scalar> Scalar for Option<T> {}

/// A declared set of texts, written with `#[derive(TextEnum)]` on an enum without fields.
///
/// A column of it holds the text of one variant. Text outside the set is no value, like a null: a rule over
/// it is unknown, so it allows nothing, an `Option` of the enum reads as `None`, and a field that is no
/// `Option` cannot be read.
///
/// # Example
///
/// ```
/// use clearance::TextEnum;
///
/// #[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
/// enum Status { Draft, InReview }
///
/// assert_eq!(Status::InReview.name(), "in_review");
/// assert_eq!(Status::from_name("draft"), Some(Status::Draft));
/// assert_eq!(Status::from_name("Draft"), None);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declared set of texts",
    note = "add `#[derive(TextEnum)]`, or `#[derive(Roles)]` for roles, to the enum"
)]
pub trait TextEnum: Sized + Send + Sync + 'static {
    /// The texts of all variants, in the order of their declaration.
    const NAMES: &'static [&'static str];

    /// Returns the text of this variant.
    fn name(&self) -> &'static str;

    /// Returns the variant of a text, compared byte by byte.
    fn from_name(name: &str) -> Option<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: TextEnum> Storable for T {
    const KIND: Kind = Kind::Enum(T::NAMES);
    const NULLABLE: bool = false;

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self.name())
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(name) => T::from_name(name),
            _ => None,
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: TextEnum> Scalar for T {}
