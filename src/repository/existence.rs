//! Whether a row is there at all, for those who may be told.

use super::asking::Asking;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Value};
use crate::sql::exists;

/// What to answer where no row under `lookups` may be touched and the caller chose to tell a row
/// that is there from one that is not. A row of another tenant is not there.
pub(super) async fn denied_or_missing<E: Entity>(
    asking: &Asking<'_, E::Viewer>,
    lookups: &[(usize, Value)],
) -> Result<Error> {
    let tenant = asking.using.rules(&E::__table().rows().tenant);
    let tenant = match &tenant {
        Decision::Allow => None,
        Decision::Depends(residual) => Some(residual),
        Decision::Deny => return Ok(Error::not_found()),
        Decision::Fail(_) => return Err(Error::internal("a rule could not be worked out")),
    };
    let db = asking.db;
    let statement = exists::<E>(db.dialect(), lookups, tenant)?;
    Ok(match db.fetch_optional(&statement).await? {
        Some(_) => Error::forbidden(),
        None => Error::not_found(),
    })
}
