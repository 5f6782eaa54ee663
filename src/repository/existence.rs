//! Whether a row is there at all, for those who may be told.

use super::access::Access;
use super::grant::{Asker, Reads};
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::policy::{Decision, Value, decide};
use crate::sql::{Db, exists};

/// What to answer where no row under `lookups` may be touched and the caller chose to tell a row
/// that is there from one that is not. A row of another tenant is not there.
pub(super) async fn denied_or_missing<E, P>(
    db: &Db,
    access: &Access<P>,
    lookups: &[(usize, Value)],
) -> Result<Error>
where
    E: Entity,
    P: Reads<E::Viewer>,
{
    let tenant = match (access.request()?, access.asker::<E::Viewer>()) {
        (None, _) | (_, Asker::System) => Decision::Allow,
        (Some(request), asker) => {
            let viewer = match asker {
                Asker::Viewer(verified) => Some(verified.viewer()),
                Asker::Nobody | Asker::System => None,
            };
            let rules = &E::__table().rows().tenant;
            decide(rules, viewer, request.rule_context())
        }
    };
    let tenant = match &tenant {
        Decision::Allow => None,
        Decision::Depends(residual) => Some(residual),
        Decision::Deny => return Ok(Error::not_found()),
        Decision::Fail(_) => return Err(Error::internal("a rule could not be worked out")),
    };
    let statement = exists::<E>(db.dialect(), lookups, tenant)?;
    Ok(match db.fetch_optional(&statement).await? {
        Some(_) => Error::forbidden(),
        None => Error::not_found(),
    })
}
