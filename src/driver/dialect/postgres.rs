//! The dialect of PostgreSQL.

use chrono::{DateTime, Datelike as _, Utc};
use sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait as _, Func, LockType, Query as Statement,
    SelectStatement,
};

use super::{Storability, function, json, json_list};
use crate::entity::mask::{FOUR_STARS, LAST4_MINIMUM, Mask, STARS};
use crate::policy::{Kind, Value};

pub(super) fn is_written(key: Expr, kind: Kind, text: Expr) -> Option<Expr> {
    // A cast fails on a text that it cannot read, so the form of the text is tested first.
    let (form, name) = match kind {
        Kind::Int => ("'^(0|-{0,1}[1-9][0-9]{0,17})$'", "bigint"),
        Kind::Uuid => ("'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'", "uuid"),
        Kind::Bool | Kind::Float | Kind::Text | Kind::Enum(_) | Kind::Bytes | Kind::Timestamp => {
            return None;
        }
    };
    let has_form = text.clone().binary(BinOper::Custom("~"), Expr::cust(form));
    let named = CaseStatement::new().case(has_form, text.cast_as(name));
    Some(key.eq(named))
}

/// Casts a column to `text`. `VARCHAR` has no operators of its own, so one that a schema of the search path
/// defines for it takes precedence over those of `text`. For `text` the engine's own come first (decision
/// 74).
pub(super) fn plain(text: Expr) -> Expr {
    Expr::cust_with_exprs("CAST($1 AS text)", [text])
}

/// Makes text compare by its bytes; under a nondeterministic collation `strpos` would be refused besides.
pub(super) fn bytewise(text: Expr) -> Expr {
    // One expression, because nested ones are on the stack together while they are rendered.
    Expr::cust_with_exprs("CAST($1 AS text) COLLATE \"C\"", [text])
}

/// Hides a condition from the planner's estimate (decision 45). The planner takes two conditions for
/// independent and multiplies their selectivities. Of rows of a team of hundreds it then expects two, and
/// fetches and sorts all of them although the index has the first fifty in order. It has no estimate for
/// `COALESCE`.
pub(super) fn unestimated(condition: Expr) -> Expr {
    Func::coalesce([condition, Expr::cust("FALSE")]).into()
}

pub(super) fn instant(micros: i64) -> sea_query::Value {
    sea_query::Value::ChronoDateTimeUtc(DateTime::from_timestamp_micros(micros))
}

/// The first instant that `timestamptz` holds, 4713 BC. Its last one is beyond those of the rules.
const FIRST_INSTANT: i64 = -210_866_803_200_000_000;

/// Returns the position of a value. Text has no NUL here: `a\0b` is directly after `a`, before all texts
/// that continue `a`.
pub(super) fn standing(value: &Value) -> Storability {
    match value {
        Value::Text(text) => match text.split_once('\0') {
            Some((before, _)) => Storability::RightBehind(Value::Text(before.to_owned())),
            None => Storability::Among,
        },
        Value::Timestamp(micros) if *micros < FIRST_INSTANT => Storability::Before,
        Value::Timestamp(micros) if DateTime::from_timestamp_micros(*micros).is_none() => {
            Storability::Behind
        }
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bytes(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => Storability::Among,
    }
}

/// Locks rows against removal and changes of their keys. A statement that waits for the row it writes
/// continues with the rows that it found elsewhere before, so nobody may remove those meanwhile. Others may
/// update columns that are no key.
pub(super) fn keep(select: &mut SelectStatement) {
    select.lock(LockType::KeyShare);
}

/// Locks rows against a change of any column.
pub(super) fn keep_whole(select: &mut SelectStatement) {
    select.lock(LockType::Share);
}

pub(super) fn long_list(kind: Kind, values: &[&Value]) -> SelectStatement {
    let list = json_list(values, |value| match value {
        Value::Timestamp(micros) => DateTime::from_timestamp_micros(*micros).map(written).into(),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Uuid(_) => json(value),
    });
    let value = Expr::col(Alias::new("list"));
    let value = match kind {
        Kind::Bytes => function("decode", [value, Expr::val("hex")]),
        Kind::Bool
        | Kind::Int
        | Kind::Float
        | Kind::Text
        | Kind::Enum(_)
        | Kind::Uuid
        | Kind::Timestamp => value.cast_as(Alias::new(type_name(kind))),
    };
    Statement::select()
        .expr(value)
        .from_function(
            Func::cust(Alias::new("jsonb_array_elements_text"))
                .arg(Expr::val(list).cast_as(Alias::new("jsonb"))),
            Alias::new("list"),
        )
        .take()
}

/// Renders an instant as the engine reads it: RFC 3339 has years of four digits only, and no years before
/// Christ, of which the engine has no year 0.
fn written(instant: DateTime<Utc>) -> String {
    let (year, era) = match instant.year() {
        year @ 1.. => (year, ""),
        year => (1 - year, " BC"),
    };
    format!("{year:04}-{}{era}", instant.format("%m-%d %H:%M:%S%.6f+00"))
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int => "bigint",
        Kind::Float => "double precision",
        Kind::Text | Kind::Enum(_) => "text",
        Kind::Bytes => "bytea",
        Kind::Uuid => "uuid",
        Kind::Timestamp => "timestamptz",
    }
}

pub(super) fn null(kind: Kind) -> Expr {
    Expr::cust("NULL").cast_as(Alias::new(type_name(kind)))
}

/// Builds a prefix test. An index whose operators compare patterns (`text_pattern_ops`) serves it whatever
/// the column's collation is, and one under the collation of bytes does, too. A range needs the latter.
pub(super) fn begins(text: Expr, prefix: Expr) -> Expr {
    bytewise(text).binary(BinOper::Custom("^@"), prefix)
}

pub(super) fn contains(text: Expr, needle: Expr) -> Expr {
    function("strpos", [bytewise(text), needle]).gt(0)
}

pub(super) fn ends(text: Expr, needle: Expr) -> Expr {
    let end = function("char_length", [needle.clone()]);
    function("right", [bytewise(text), end]).eq(needle)
}

/// Builds an instant, or null for `infinity` and `-infinity`, which are none.
pub(super) fn finite(instant: Expr) -> Expr {
    let is_finite = function("isfinite", [instant.clone()]);
    CaseStatement::new().case(is_finite, instant).into()
}

/// Builds the sum in two parts. A sum of `bigint` is `numeric`, so each part is cast back.
pub(super) fn sum(integer: Expr) -> [Expr; 2] {
    let wide = || integer.clone().cast_as(Alias::new("bigint"));
    let sum = |part: Expr| Expr::from(Func::sum(part)).cast_as(Alias::new("bigint"));
    [
        sum(wide().right_shift(32)),
        sum(wide().bit_and(0xffff_ffff_i64)),
    ]
}

pub(super) fn mask(mask: Mask, text: Expr) -> Expr {
    let (cell, text) = (text.clone(), plain(text));
    let concat = |left: Expr, right: Expr| left.binary(BinOper::Custom("||"), right);
    let cut = match mask {
        Mask::Last4 => CaseStatement::new()
            .case(
                function("char_length", [text.clone()]).lt(LAST4_MINIMUM),
                FOUR_STARS,
            )
            .finally(concat(
                Expr::val(FOUR_STARS),
                function("right", [text.clone(), Expr::val(4)]),
            ))
            .into(),
        Mask::Domain => {
            let at = || function("strpos", [bytewise(cell.clone()), Expr::val("@")]);
            CaseStatement::new()
                .case(at().eq(0), STARS)
                .finally(concat(
                    Expr::val(STARS),
                    function("substr", [text.clone(), at()]),
                ))
                .into()
        }
        Mask::Initial => concat(
            function("left", [text.clone(), Expr::val(1)]),
            Expr::val(STARS),
        ),
    };
    CaseStatement::new().case(text.is_not_null(), cut).into()
}
