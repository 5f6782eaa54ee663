//! The dialect of MySQL and MariaDB, as far as both understand it.

use chrono::DateTime;
use sea_query::{
    Alias, BinOper, CaseStatement, Expr, ExprTrait as _, Func, Query as Statement, SelectStatement,
};

use super::{Storability, function, is_integer, json, json_list};
use crate::entity::mask::{FOUR_STARS, LAST4_MINIMUM, Mask, STARS};
use crate::policy::{Kind, Value};

pub(super) fn is_written(key: Expr, kind: Kind, text: Expr) -> Option<Expr> {
    match kind {
        Kind::Int => Some(is_integer(key, text, "SIGNED", "CHAR")),
        Kind::Uuid => {
            let hex = function("REPLACE", [text, Expr::cust("'-'"), Expr::cust("''")]);
            Some(key.eq(function("UNHEX", [hex])))
        }
        Kind::Bool | Kind::Float | Kind::Text | Kind::Enum(_) | Kind::Bytes | Kind::Timestamp => {
            None
        }
    }
}

/// Compares text as bytes: every text collation that both engines have ignores something, `utf8mb4_bin` the
/// spaces at the end.
pub(super) fn bytewise(text: Expr) -> Expr {
    text.cast_as(Alias::new("BINARY"))
}

/// Makes a text sort as it compares. The engine sorts by the first 1,024 bytes (`max_sort_length`), so that
/// rows tie if they have the same, but compares whole texts. A page that continues after a text would skip
/// rows, so both see as many characters as surely fit.
pub(super) fn sortable(text: Expr) -> Expr {
    bytewise(function("LEFT", [text, Expr::cust("256")]))
}

/// Locks the rows that the conditions find. InnoDB locks the rows that a writing statement reads by itself
/// at REPEATABLE READ only (decision 64). MariaDB does not know `FOR SHARE`, which is all that the builder
/// writes, and both know this, at the end of all conditions.
pub(super) fn kept(conditions: Expr) -> Expr {
    Expr::cust_with_exprs("? LOCK IN SHARE MODE", [conditions])
}

/// Builds the condition that a column holds a date. A date of zeros is none, as for the driver, and comes
/// before all others in a comparison.
pub(super) fn is_instant(column: Expr) -> Expr {
    column.gte(Expr::cust("TIMESTAMP'0001-01-01 00:00:00'"))
}

pub(super) fn finite(instant: Expr) -> Expr {
    CaseStatement::new()
        .case(is_instant(instant.clone()), instant)
        .into()
}

/// Converts a column to the collation of the library's own columns of text, so that their index serves.
#[cfg(feature = "accounts")]
pub(super) fn kept_as_bytes(column: Expr) -> Expr {
    Expr::cust_with_exprs("CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin", [column])
}

pub(super) fn instant(micros: i64) -> sea_query::Value {
    let instant = DateTime::from_timestamp_micros(micros);
    sea_query::Value::ChronoDateTime(instant.map(|instant| instant.naive_utc()))
}

/// The first and the last instant of `DATETIME(6)`, of the years 1 and 9999.
const INSTANTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

pub(super) fn standing(value: &Value) -> Storability {
    match value {
        Value::Timestamp(micros) if micros < INSTANTS.start() => Storability::Before,
        Value::Timestamp(micros) if micros > INSTANTS.end() => Storability::Behind,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => Storability::Among,
    }
}

pub(super) fn long_list(kind: Kind, values: &[&Value]) -> SelectStatement {
    let list = json_list(values, |value| match value {
        Value::Timestamp(micros) => DateTime::from_timestamp_micros(*micros)
            .map(|instant| {
                instant
                    .naive_utc()
                    .format("%Y-%m-%d %H:%M:%S%.6f")
                    .to_string()
            })
            .into(),
        Value::Bool(value) => i64::from(*value).into(),
        Value::Null
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Uuid(_) => json(value),
    });
    // The column's type is part of the table function, which takes no expression there.
    let rows = match kind {
        Kind::Bool | Kind::Int => "?, '$[*]' COLUMNS (v BIGINT PATH '$')",
        Kind::Float => "?, '$[*]' COLUMNS (v DOUBLE PATH '$')",
        Kind::Timestamp => "?, '$[*]' COLUMNS (v DATETIME(6) PATH '$')",
        Kind::Text | Kind::Enum(_) => {
            "?, '$[*]' COLUMNS (v LONGTEXT CHARACTER SET utf8mb4 PATH '$')"
        }
        Kind::Bytes | Kind::Uuid => "?, '$[*]' COLUMNS (v LONGTEXT CHARACTER SET ascii PATH '$')",
    };
    let value = Expr::col(Alias::new("v"));
    let value = match kind {
        Kind::Bytes | Kind::Uuid => function("UNHEX", [value]),
        Kind::Text | Kind::Enum(_) => bytewise(value),
        Kind::Bool | Kind::Int | Kind::Float | Kind::Timestamp => value,
    };
    Statement::select()
        .expr(value)
        .from_function(
            Func::cust(Alias::new("JSON_TABLE")).arg(Expr::cust_with_values(rows, [list])),
            Alias::new("list"),
        )
        .take()
}

pub(super) fn contains(text: Expr, needle: Expr) -> Expr {
    function("LOCATE", [bytewise(needle), bytewise(text)]).gt(0)
}

pub(super) fn ends(text: Expr, needle: Expr) -> Expr {
    let needle = bytewise(needle);
    let end = function("LENGTH", [needle.clone()]);
    function("RIGHT", [bytewise(text), end]).eq(needle)
}

/// Builds the sum in two parts. Shifts have no sign here, so the parts come from a division that keeps it.
/// A sum is a decimal, so each is cast back.
pub(super) fn sum(integer: Expr) -> [Expr; 2] {
    const PART: i64 = 1 << 32;
    let sum = |part: Expr| Expr::from(Func::sum(part)).cast_as(Alias::new("SIGNED"));
    [
        sum(integer
            .clone()
            .binary(BinOper::Custom("DIV"), Expr::val(PART))),
        sum(integer.binary(BinOper::Custom("MOD"), Expr::val(PART))),
    ]
}

/// Adds a table of one row: MySQL accepts a WHERE without a table, MariaDB does not.
pub(super) fn without_table(select: &mut SelectStatement) {
    let one = Statement::select().expr(Expr::cust("1")).take();
    select.from_subquery(one, Alias::new("one_row"));
}

pub(super) fn mask(mask: Mask, text: Expr) -> Expr {
    let concat = |left: &'static str, right: Expr| function("CONCAT", [Expr::val(left), right]);
    let cut = match mask {
        Mask::Last4 => CaseStatement::new()
            .case(
                function("CHAR_LENGTH", [text.clone()]).lt(LAST4_MINIMUM),
                FOUR_STARS,
            )
            .finally(concat(
                FOUR_STARS,
                function("RIGHT", [text.clone(), Expr::val(4)]),
            ))
            .into(),
        Mask::Domain => {
            // By characters, and exactly: no letter matches another one.
            let exact = || {
                Expr::cust_with_exprs(
                    "CONVERT(? USING utf8mb4) COLLATE utf8mb4_bin",
                    [text.clone()],
                )
            };
            let at = || function("LOCATE", [Expr::val("@"), exact()]);
            CaseStatement::new()
                .case(at().eq(0), STARS)
                .finally(concat(STARS, function("SUBSTRING", [text.clone(), at()])))
                .into()
        }
        Mask::Initial => function(
            "CONCAT",
            [
                function("LEFT", [text.clone(), Expr::val(1)]),
                Expr::val(STARS),
            ],
        ),
    };
    let nul = function("LOCATE", [Expr::cust("X'00'"), bytewise(text.clone())]);
    CaseStatement::new()
        .case(nul.gt(0), mask.stars())
        .case(text.is_not_null(), cut)
        .into()
}
