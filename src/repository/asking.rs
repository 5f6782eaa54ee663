//! Who asks a database, apart from the access that says so.

use std::sync::Arc;

use super::access::Access;
use super::decided::decided;
use super::grant::{Asker, Reads};
use super::reader::Reading;
use super::select::{Select, Shown};
use crate::dto::{Decided, Shape};
use crate::entity::Entity;
use crate::error::Result;
use crate::request::RequestContext;
use crate::sql::{Asked, Db, Plan, Question};
use crate::viewer::Viewer;

/// One who asks: what planning a query needs of an access.
pub(crate) struct Asking<'a, V: Viewer> {
    pub(super) db: &'a Db,
    request: Option<RequestContext>,
    asker: Asker<'a, V>,
}

impl<'a, V: Viewer> Asking<'a, V> {
    pub(super) fn new<P: Reads<V>>(db: &'a Db, access: &'a Access<P>) -> Result<Self> {
        Ok(Self {
            db,
            request: access.request()?,
            asker: access.asker(),
        })
    }

    /// What the rules of a shape come to.
    pub(crate) fn decided<E: Entity<Viewer = V>>(&self, shape: &Shape<E>) -> Result<Arc<Decided>> {
        decided(shape, &self.asker, self.request.as_ref())
    }

    /// Works the rules of a query out.
    pub(super) fn reading<D>(&self, select: Select<D>) -> Result<Reading<D>>
    where
        D: Shown<Entity: Entity<Viewer = V>>,
    {
        let decided = self.decided(select.shape())?;
        let viewer = match self.asker {
            Asker::Viewer(verified) => Some(verified.clone()),
            Asker::Nobody | Asker::System => None,
        };
        let context = self.request.as_ref();
        Ok(Reading {
            select,
            decided,
            viewer,
            context: context.map(|request| request.rule_context().clone()),
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
}
