//! Generations, the counters by which stateless sessions are ended: the statements of their table.
//!
//! Its rows are never removed, and only ever grow: a session is over if its token names another number than
//! the row.

use sea_query::{
    Expr, ExprTrait as _, InsertStatement, OnConflict, Query, SelectStatement, UpdateStatement,
};

use super::session_row::SUBJECT;
use crate::driver::Row;
use crate::policy::{Cell, Kind};
use crate::session::{Generations, StoreError};

pub(crate) const TABLE: &str = "clearance_session_generations";
const GENERATION: &str = "generation";
/// The subject of the row for everyone: no subject is empty.
pub(crate) const EVERYONE: &str = "";

/// Returns the generation of everyone and that of a subject, as two expressions of a larger query.
pub(crate) fn both(subject: &str) -> [Expr; 2] {
    [EVERYONE, subject].map(|subject| {
        let of = Query::select()
            .column(GENERATION)
            .from(TABLE)
            .and_where(Expr::col(SUBJECT).eq(subject))
            .take();
        Expr::SubQuery(None, Box::new(of.into()))
    })
}

pub(crate) fn select(subject: &str) -> SelectStatement {
    Query::select().exprs(both(subject)).take()
}

/// Reads the result of [`both`], from this column on.
pub(crate) fn read(row: &Row, first: usize) -> Result<Option<Generations>, StoreError> {
    let counter = |index| match row.cell(index, Kind::Int) {
        Ok(Cell::Null) => Ok(None),
        Ok(Cell::Int(counter)) => u64::try_from(counter)
            .map(Some)
            .map_err(|_| StoreError::malformed()),
        _ => Err(StoreError::malformed()),
    };
    let subject = counter(first + 1)?.unwrap_or_default();
    Ok(counter(first)?.map(|everyone| Generations { everyone, subject }))
}

/// Returns whether the subject has no row yet, in the result of [`both`]: its generation is 0 in either
/// case.
pub(crate) fn lacks_subject(row: &Row, first: usize) -> bool {
    matches!(row.cell(first + 1, Kind::Int), Ok(Cell::Null))
}

/// Builds the condition that a row is that of a subject, at this generation.
pub(crate) fn is(subject: &str, generation: u64) -> Result<Expr, StoreError> {
    let of = Expr::col(SUBJECT).eq(subject);
    Ok(of.and(Expr::col(GENERATION).eq(stored(generation)?)))
}

/// Builds the insert of `first` as the generation of a subject, or of everyone, unless there is one.
pub(crate) fn begin(subject: &str, first: u64) -> Result<InsertStatement, StoreError> {
    let mut insert = insert(subject, stored(first)?)?;
    insert.on_conflict(
        OnConflict::column(SUBJECT)
            .value(SUBJECT, Expr::col((TABLE, SUBJECT)))
            .to_owned(),
    );
    Ok(insert)
}

/// Builds the statement that raises the generation of a subject, whatever it is.
pub(crate) fn raise(subject: &str, step: u64) -> Result<InsertStatement, StoreError> {
    let step = stored(step)?;
    let mut insert = insert(subject, step)?;
    insert.on_conflict(
        OnConflict::column(SUBJECT)
            .value(GENERATION, Expr::col((TABLE, GENERATION)).add(step))
            .to_owned(),
    );
    Ok(insert)
}

/// Builds the update that raises the generation of everyone, if there is one.
pub(crate) fn raise_everyone(step: u64) -> Result<UpdateStatement, StoreError> {
    raised(EVERYONE, step)
}

/// Builds the update that raises the generation of a subject if it has a row, which is at `from`.
pub(crate) fn raise_from(
    subject: &str,
    from: u64,
    step: u64,
) -> Result<UpdateStatement, StoreError> {
    let mut update = raised(subject, step)?;
    update.and_where(Expr::col(GENERATION).eq(stored(from)?));
    Ok(update)
}

fn raised(subject: &str, step: u64) -> Result<UpdateStatement, StoreError> {
    Ok(Query::update()
        .table(TABLE)
        .value(GENERATION, Expr::col(GENERATION).add(stored(step)?))
        .and_where(Expr::col(SUBJECT).eq(subject))
        .take())
}

fn insert(subject: &str, generation: i64) -> Result<InsertStatement, StoreError> {
    let mut insert = Query::insert();
    insert
        .into_table(TABLE)
        .columns([SUBJECT, GENERATION])
        .values([subject.into(), generation.into()])
        .map_err(|_| StoreError::malformed())?;
    Ok(insert)
}

fn stored(generation: u64) -> Result<i64, StoreError> {
    i64::try_from(generation).map_err(|_| StoreError::malformed())
}
