//! Who asks a database, apart from the access that says so.

use std::sync::Arc;

use super::access::Access;
use super::decided::decided;
use super::grant::Reads;
use super::in_use::InUse;
use super::reader::Reading;
use super::select::{Select, Shown};
use crate::dto::{Decided, Shape};
use crate::entity::Entity;
use crate::error::Result;
use crate::sql::{Asked, Db, Plan, Question};
use crate::viewer::Viewer;

/// One who asks for one answer: what planning its queries needs of an access.
pub(crate) struct Asking<'a, V: Viewer> {
    pub(super) db: &'a Db,
    pub(super) using: InUse<V>,
}

impl<'a, V: Viewer> Asking<'a, V> {
    pub(super) async fn begin<P: Reads<V>>(db: &'a Db, access: &Access<P>) -> Result<Self> {
        let using = access.in_use().await?;
        Ok(Self { db, using })
    }

    /// What the rules of a shape come to.
    pub(crate) fn decided<E: Entity<Viewer = V>>(&self, shape: &Shape<E>) -> Result<Arc<Decided>> {
        decided(shape, &self.using)
    }

    /// Works the rules of a query out.
    pub(super) fn reading<D>(&self, select: Select<D>) -> Result<Reading<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        // Before anything else walks it.
        select.condition()?;
        let decided = self.decided(select.shape())?;
        Ok(Reading {
            select,
            decided,
            using: self.using.clone(),
        })
    }

    pub(super) fn plan<D: Shown>(&self, reading: &Reading<D>, question: &Question) -> Result<Plan> {
        self.db.plan(&Asked {
            shape: reading.select.shape(),
            decided: &reading.decided,
            question,
            summary: None,
        })
    }

    /// The same for a later statement of the answer, where the viewer was found anew since.
    pub(super) async fn again(&self) -> Result<Option<Self>> {
        let using = self.using.renewed().await?;
        Ok(using.map(|using| Self { db: self.db, using }))
    }
}
