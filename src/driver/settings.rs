//! Connection settings under which an engine stores or computes something else than a rule judged (decision
//! 65).

#[cfg(feature = "mysql")]
use sea_query::Values;

use super::db::Db;
use super::dialect::Dialect;
#[cfg(feature = "mysql")]
use super::ready::Ready;
use crate::error::{Error, Result};
#[cfg(feature = "mysql")]
use crate::policy::{Cell, Kind};

/// The statement that gives the library's own connections the mode that [`Db::unfit_settings`] requires of
/// others, whatever the server's own mode is. A key of 0 is stored as such, as on the other engines, and
/// not counted up.
#[cfg(feature = "mysql")]
pub(super) const MYSQL_MODE: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
    ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";

/// The modes of MySQL and MariaDB that no connection may have, each with its effect.
#[cfg(feature = "mysql")]
const REFUSED: [(&str, &str); 3] = [
    (
        "EMPTY_STRING_IS_NULL",
        "stores an empty text as NULL, which no rule evaluated",
    ),
    (
        "HIGH_NOT_PRECEDENCE",
        "gives `NOT a = b` in a rule another meaning",
    ),
    ("ORACLE", "gives functions and types other meanings"),
];

impl Db {
    /// Returns the faults of its connections' settings, in sentences.
    pub(crate) async fn unfit_settings(&self) -> Result<Vec<String>> {
        match self.dialect() {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Ok(Vec::new()),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => Ok(Vec::new()),
            #[cfg(feature = "mysql")]
            Dialect::Mysql { .. } => {
                let asked = Ready::new("SELECT @@SESSION.sql_mode".into(), Values(Vec::new()));
                let row = self.fetch_optional(asked).await?;
                let row = row.ok_or_else(|| Error::internal("a connection has no mode"))?;
                let Cell::Text(modes) = row.cell(0, Kind::Text)? else {
                    return Err(Error::internal("a mode is not a text"));
                };
                Ok(unfit(modes))
            }
        }
    }

    /// Refuses connections whose settings are unfit.
    pub(super) async fn require_settings(&self) -> Result<()> {
        let unfit = self.unfit_settings().await?;
        if unfit.is_empty() {
            return Ok(());
        }
        Err(Error::configuration(unfit.join("\n")))
    }
}

#[cfg(feature = "mysql")]
fn unfit(modes: &str) -> Vec<String> {
    let has = |mode: &str| modes.split(',').any(|own| own == mode);
    let mut unfit = Vec::new();
    if !has("STRICT_ALL_TABLES") && !has("STRICT_TRANS_TABLES") {
        unfit.push(
            "the connections are not strict, so that the database truncates texts, clamps numbers and fills in missing values after the rules were evaluated: add STRICT_ALL_TABLES to their `sql_mode`"
                .to_owned(),
        );
    }
    for (mode, why) in REFUSED {
        if has(mode) {
            unfit.push(format!(
                "the mode {mode} {why}: remove it from the `sql_mode` of the connections"
            ));
        }
    }
    unfit
}
