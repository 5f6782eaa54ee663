//! What differs between the engines: how a value is bound, how text is compared byte by byte, how
//! a mask is cut.

use sea_query::{Alias, BinOper, Expr, ExprTrait as _};

use crate::dto::{FOUR_STARS, LAST4_MINIMUM, Mask, STARS};
use crate::policy::Value;

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
            Value::Bool(value) => Expr::val(*value),
            Value::Int(value) => Expr::val(*value),
            Value::Float(value) => Expr::val(*value),
            Value::Text(value) => Expr::val(value.as_str()),
            Value::Bytes(value) => Expr::val(value.as_slice()),
            Value::Uuid(value) => Expr::val(*value),
            Value::Timestamp(micros) => match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite => Expr::val(*micros),
            },
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
fn sqlite_mask(mask: Mask, text: Expr) -> Expr {
    use sea_query::{CaseStatement, Func};

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
