//! The choice between "forbidden" and "not found", for callers who may learn that a row exists.

use super::planner::Planner;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Value};
use crate::sql::exists;

/// Returns the error for a write that touched no row under `lookups`, if the caller chose to
/// distinguish an existing row from a missing one. A row of another tenant counts as missing.
pub(super) async fn denied_or_missing<E: Entity>(
    asking: &Planner<'_, E::Viewer>,
    lookups: &[(usize, Value)],
) -> Result<Error> {
    let tenant = asking.using.rules(&E::__table().rows().tenant);
    let tenant = match &tenant {
        Decision::Allow => None,
        Decision::Depends(residual) => Some(residual),
        Decision::Deny => return Ok(Error::not_found()),
        Decision::Fail(_) => return Err(Error::internal("a rule could not be evaluated")),
    };
    let db = asking.db;
    let statement = exists::<E>(db.dialect(), lookups, tenant)?;
    Ok(match db.fetch_optional(&statement).await? {
        Some(_) => Error::forbidden(),
        None => Error::not_found(),
    })
}
