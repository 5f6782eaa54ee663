//! SQL: queries and writes become the text of statements, with their rules and the check of the session in it.
#![deny(clippy::wildcard_enum_match_arm)]

mod change;
mod layout;
mod lengths;
mod limit;
mod lookup;
mod query;
mod render;
mod seek;
mod select;
mod session_check;
pub(crate) mod session_generations;
pub(crate) mod session_hold;
pub(crate) mod session_row;
mod session_viewer;
mod sizes;
mod statement_key;
mod summary;
mod template;
mod truths;
mod unguarded;
mod views;

pub(crate) use change::{Change, Changed, Target, candidates};
pub(crate) use layout::{CellPlace, CellShown, Join, Layout};
pub(crate) use query::{
    HeldValue, Masked, OrderKey, OrderValue, Position, Query, RelatedValues, Rest, Summary, is_of,
};
pub(crate) use select::{SEVERAL, column, exists};
pub(crate) use session_check::SessionCheck;
pub(crate) use session_viewer::SessionViewer;
pub(crate) use sizes::{filled, inserted_at_once};
pub(crate) use statement_key::StatementKey;
pub(crate) use summary::read as read_summary;
pub(crate) use template::{Plan, QueryInput};
pub(crate) use unguarded::own_query;
pub(crate) use views::uncounted;
