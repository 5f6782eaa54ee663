//! Queries of the application's own, whose text is unchanged.

use crate::driver::{Dialect, Ready};
use crate::error::{Error, Result};
use crate::policy::Value;

/// Prepares a text with its values, and refuses one that is no query. The author of the program writes it,
/// so this finds a slip and is no defence.
pub(crate) fn own_query(dialect: Dialect, sql: &'static str, values: &[Value]) -> Result<Ready> {
    let first = sql.split_ascii_whitespace().next().unwrap_or_default();
    if !["select", "with"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
    {
        return Err(Error::misuse(
            "`unguarded_sql` reads: its statement begins with SELECT or WITH",
        ));
    }
    let values = values
        .iter()
        .map(|value| {
            if let sea_query::Expr::Value(value) = dialect.bind(value) {
                value
            } else {
                // A null has no kind of its own.
                sea_query::Value::String(None)
            }
        })
        .collect();
    Ok(Ready::new(sql.into(), sea_query::Values(values)))
}
