//! The asking side of one read: the database, and the identity and instant under which rules are
//! evaluated.

use std::sync::Arc;

use super::access::Access;
use super::decided::decided;
use super::grant::Reads;
use super::in_use::InUse;
use super::reader::Reading;
use super::select::{Select, Shown};
use crate::driver::Db;
use crate::dto::{DecisionSource, FieldDecisions, ShapeRules};
use crate::entity::Entity;
use crate::error::Result;
use crate::sql::{Plan, Query, QueryInput};
use crate::viewer::Viewer;

/// The identity and instant of one answer: the parts of an access that planning its queries needs.
pub(super) struct Planner<'a, V: Viewer> {
    pub(super) db: &'a Db,
    pub(super) using: InUse<V>,
}

impl<'a, V: Viewer> Planner<'a, V> {
    pub(super) async fn begin<P: Reads<V>>(db: &'a Db, access: &Access<P>) -> Result<Self> {
        let using = access.in_use().await?;
        Ok(Self { db, using })
    }

    /// Evaluates the rules of a query.
    pub(super) fn reading<D>(&self, select: Select<D>) -> Result<Reading<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        // Checked before anything else walks the condition.
        select.condition()?;
        let decided = self.decided(select.shape())?;
        Ok(Reading {
            select,
            decided,
            using: self.using.clone(),
        })
    }

    pub(super) fn plan<D: Shown>(&self, reading: &Reading<D>, question: &Query) -> Result<Plan> {
        self.db.plan(&QueryInput {
            shape: reading.select.shape(),
            decided: &reading.decided,
            question,
            summary: None,
        })
    }

    /// Renews the viewer for a later statement of the answer; `None` if the present one is still
    /// recent.
    pub(super) async fn again(&self) -> Result<Option<Self>> {
        let using = self.using.renewed().await?;
        Ok(using.map(|using| Self { db: self.db, using }))
    }
}

impl<V: Viewer> DecisionSource<V> for Planner<'_, V> {
    fn decided(&self, shape: &dyn ShapeRules<V>) -> Result<Arc<FieldDecisions>> {
        decided(shape, &self.using)
    }
}
