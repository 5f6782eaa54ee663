use crate::error::Result;
use crate::policy::Context;
use crate::sql::DatabaseId;
use crate::viewer::Viewer;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
#[derive(Clone)]
pub struct RequestContext(Arc<(Context, Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>)>);
pub(crate) struct WeakContext(Weak<(Context, Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>)>);
pub struct Verified<V>(Arc<V>);
pub struct Current<V>(Verified<V>);
pub(crate) struct StatementGuard;
impl WeakContext {
    pub(crate) fn upgrade(&self) -> Option<RequestContext> {
        self.0.upgrade().map(RequestContext)
    }
}
impl<V> Clone for Verified<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
impl<V> Verified<V> {
    pub fn viewer(&self) -> &V {
        &self.0
    }
    pub(crate) fn snapshot_id(&self) -> usize {
        1
    }
}
impl<V> Current<V> {
    pub fn into_verified(self) -> Verified<V> {
        self.0
    }
}
impl RequestContext {
    pub fn current() -> Result<Self> {
        todo!()
    }
    pub(crate) fn try_current() -> Option<Self> {
        None
    }
    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext(Arc::downgrade(&self.0))
    }
    pub(crate) fn is_same(&self, o: &Self) -> bool {
        Arc::ptr_eq(&self.0, &o.0)
    }
    pub(crate) fn rule_context(&self) -> &Context {
        &self.0.0
    }
    pub(crate) fn memo(&self) -> &Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>> {
        &self.0.1
    }
    pub async fn verify_session<V: Viewer>(&self) -> Result<Verified<V>> {
        todo!()
    }
    pub async fn verify_current<V: Viewer>(&self) -> Result<Current<V>> {
        todo!()
    }
    pub(crate) fn statement_guard<V: Viewer>(
        &self,
        _: &Verified<V>,
        _: DatabaseId,
    ) -> Option<StatementGuard> {
        None
    }
}
