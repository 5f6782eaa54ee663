//! What differs between the engines: how a value is bound, how text is compared byte by byte, how
//! a mask is cut.

use sea_query::{Alias, BinOper, Expr, ExprTrait as _, Func, SelectStatement};

use crate::dto::{FOUR_STARS, LAST4_MINIMUM, Mask, STARS};
use crate::policy::{Place, Value};

/// The dialect of an engine: what differs between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Dialect {
    /// `text`, compared and ordered byte by byte.
    pub(super) fn bytewise(self, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => text.binary(
                BinOper::Custom("COLLATE"),
                Expr::custom_keyword(Alias::new("BINARY")),
            ),
        }
    }

    /// A value as it is bound.
    pub(super) fn bind(self, value: &Value) -> Expr {
        match value {
            Value::Null => Expr::cust("NULL"),
            Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Uuid(_)
            | Value::Timestamp(_) => Expr::val(self.argument(value)),
        }
    }

    /// A value as the driver is handed it, for the placeholder that [`Dialect::bind`] made of a
    /// value of this kind.
    pub(super) fn argument(self, value: &Value) -> sea_query::Value {
        match value {
            Value::Null => sea_query::Value::BigInt(None),
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::Bytes(value) => value.as_slice().into(),
            Value::Uuid(value) => (*value).into(),
            Value::Timestamp(micros) => match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite => (*micros).into(),
            },
        }
    }

    /// Whether `text`, if it is set, has the bytes of `needle` there. An engine compares bytes and no letters:
    /// PostgreSQL by `position(.. in text COLLATE "C")` and `right` over `convert_to`, MySQL by
    /// `LOCATE` and `RIGHT` over `CAST(.. AS BINARY)`.
    pub(super) fn within(self, place: Place, text: Expr, needle: &Value) -> Expr {
        let needle = self.bind(needle);
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite_within(place, text, needle),
        }
    }

    /// The sum of `integer` over a group in two parts that cannot overflow: the first times 2^32
    /// plus the second. PostgreSQL and MySQL sum into a decimal, so there each part is cast to a
    /// 64-bit integer, and MySQL, whose shift is unsigned, divides with `DIV` and `MOD`.
    pub(super) fn sum(self, integer: Expr) -> [Expr; 2] {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => [
                Func::sum(integer.clone().right_shift(32)).into(),
                Func::sum(integer.bit_and(0xffff_ffff_i64)).into(),
            ],
        }
    }

    /// The text of a statement, and its values in the order of its placeholders.
    pub(super) fn text(self, statement: &SelectStatement) -> (String, sea_query::Values) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => statement.build(sea_query::SqliteQueryBuilder),
        }
    }

    /// The engine, for what is bound to it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
        }
    }

    /// The mask of a text.
    pub(super) fn mask(self, mask: Mask, text: Expr) -> Expr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite_mask(mask, text),
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite_within(place: Place, text: Expr, needle: Expr) -> Expr {
    let function =
        |name: &'static str, args: Vec<Expr>| Expr::from(Func::cust(Alias::new(name)).args(args));
    match place {
        Place::Anywhere => function("instr", vec![text, needle]).gt(0),
        Place::AtEnd => {
            // As bytes: for text, `length` and `substr` stop at a NUL.
            let needle = needle.cast_as(Alias::new("BLOB"));
            let end = function("length", vec![needle.clone()]).mul(-1);
            let found = function("substr", vec![text.cast_as(Alias::new("BLOB")), end]);
            // Of an empty blob `substr` gives null.
            function("coalesce", vec![found, Expr::cust("x''")]).eq(needle)
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite_mask(mask: Mask, text: Expr) -> Expr {
    use sea_query::CaseStatement;

    let concat = |left: Expr, right: Expr| left.binary(BinOper::Custom("||"), right);
    let function =
        |name: &'static str, args: Vec<Expr>| Expr::from(Func::cust(Alias::new(name)).args(args));
    let cut = match mask {
        Mask::Last4 => CaseStatement::new()
            .case(
                function("length", vec![text.clone()]).lt(LAST4_MINIMUM),
                FOUR_STARS,
            )
            .finally(concat(
                Expr::val(FOUR_STARS),
                function("substr", vec![text.clone(), Expr::val(-4)]),
            ))
            .into(),
        Mask::Domain => {
            let at = || function("instr", vec![text.clone(), Expr::val("@")]);
            CaseStatement::new()
                .case(at().eq(0), STARS)
                .finally(concat(
                    Expr::val(STARS),
                    function("substr", vec![text.clone(), at()]),
                ))
                .into()
        }
        Mask::Initial => concat(
            function("substr", vec![text.clone(), Expr::val(1), Expr::val(1)]),
            Expr::val(STARS),
        ),
    };
    CaseStatement::new().case(text.is_not_null(), cut).into()
}
