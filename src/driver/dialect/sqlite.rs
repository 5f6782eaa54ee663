//! The dialect of SQLite.

use sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait as _, Func, Query as Statement, SelectStatement,
};

use super::{function, is_integer, json, json_list};
use crate::entity::mask::{FOUR_STARS, LAST4_MINIMUM, Mask, STARS};
use crate::policy::{Kind, Value};

pub(super) fn is_written(key: Expr, kind: Kind, text: Expr) -> Option<Expr> {
    match kind {
        Kind::Int => Some(is_integer(key, text, "INTEGER", "TEXT")),
        Kind::Uuid => Some(key.eq(function("unhex", [text, Expr::cust("'-'")]))),
        Kind::Bool | Kind::Float | Kind::Text | Kind::Enum(_) | Kind::Bytes | Kind::Timestamp => {
            None
        }
    }
}

pub(super) fn bytewise(text: Expr) -> Expr {
    text.binary(
        BinOper::Custom("COLLATE"),
        Expr::custom_keyword(Alias::new("BINARY")),
    )
}

pub(super) fn long_list(kind: Kind, values: &[&Value]) -> SelectStatement {
    let list = json_list(values, json);
    let value = Expr::col(Alias::new("value"));
    let value = match kind {
        Kind::Uuid | Kind::Bytes => function("unhex", [value]),
        Kind::Bool | Kind::Int | Kind::Float | Kind::Text | Kind::Enum(_) | Kind::Timestamp => {
            value
        }
    };
    Statement::select()
        .expr(value)
        .from_function(
            Func::cust(Alias::new("json_each")).arg(Expr::val(list)),
            Alias::new("list"),
        )
        .take()
}

pub(super) fn contains(text: Expr, needle: Expr) -> Expr {
    function("instr", [text, needle]).gt(0)
}

pub(super) fn ends(text: Expr, needle: Expr) -> Expr {
    // As bytes: for text, `length` and `substr` stop at a NUL.
    let needle = needle.cast_as(Alias::new("BLOB"));
    let end = function("length", [needle.clone()]).mul(-1);
    let found = function("substr", [text.cast_as(Alias::new("BLOB")), end]);
    // `substr` of an empty blob is null.
    function("coalesce", [found, Expr::cust("x''")]).eq(needle)
}

pub(super) fn sum(integer: Expr) -> [Expr; 2] {
    [
        Func::sum(integer.clone().right_shift(32)).into(),
        Func::sum(integer.bit_and(0xffff_ffff_i64)).into(),
    ]
}

pub(super) fn mask(mask: Mask, text: Expr) -> Expr {
    let concat = |left: Expr, right: Expr| left.binary(BinOper::Custom("||"), right);
    let cut = match mask {
        Mask::Last4 => CaseStatement::new()
            .case(
                function("length", [text.clone()]).lt(LAST4_MINIMUM),
                FOUR_STARS,
            )
            .finally(concat(
                Expr::val(FOUR_STARS),
                function("substr", [text.clone(), Expr::val(-4)]),
            ))
            .into(),
        Mask::Domain => {
            let at = || function("instr", [text.clone(), Expr::val("@")]);
            CaseStatement::new()
                .case(at().eq(0), STARS)
                .finally(concat(
                    Expr::val(STARS),
                    function("substr", [text.clone(), at()]),
                ))
                .into()
        }
        Mask::Initial => concat(
            function("substr", [text.clone(), Expr::val(1), Expr::val(1)]),
            Expr::val(STARS),
        ),
    };
    // `length` and `substr` stop at a NUL, and the evaluator shows nothing of a text with one.
    let nul = function("instr", [text.clone(), function("char", [Expr::val(0)])]);
    CaseStatement::new()
        .case(nul.gt(0), mask.stars())
        .case(text.is_not_null(), cut)
        .into()
}
