//! Sessions of the account adapter, which are kept in `clearance_sessions`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _};

use super::{AdapterResult, SqlAdapter, failed, users};
use crate::account::{AdapterError, SessionAdapter, User};
use crate::driver::Db;
use crate::session::{
    Created, SessionId, SessionLimit, SessionRecord, SessionStore as _, StoreError,
};
use crate::sql::session_row;
use crate::tables::living;
use crate::viewer::Subject;

/// Deletes all sessions of a user who is being deleted, so that none outlives its user.
pub(super) async fn delete_all(db: &Db, user: &Subject) -> AdapterResult<()> {
    db.session_store()
        .delete_all(user, None)
        .await
        .map_err(of_store)?;
    Ok(())
}

fn of_store(error: StoreError) -> AdapterError {
    if error == StoreError::outage() {
        AdapterError::outage()
    } else {
        AdapterError::malformed()
    }
}

#[async_trait]
impl SessionAdapter for SqlAdapter {
    async fn create_session(&self, session: &SessionRecord) -> AdapterResult<Created> {
        let store = self.db.session_store();
        store
            .create(session, Some(SessionLimit::DEFAULT))
            .await
            .map_err(of_store)
    }

    async fn get_session_and_user(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> AdapterResult<Option<(SessionRecord, User)>> {
        let db = &self.db;
        let user_id = || Expr::col((users::TABLE, users::ID));
        let subject = || living::subject(db.dialect());
        // The first comparison uses the index, the second is exact.
        let same = user_id().eq(subject()).and(
            db.dialect()
                .bytewise(user_id())
                .eq(db.dialect().bytewise(subject())),
        );
        let select = living::living(id, now)
            .columns(users::columns())
            .inner_join(users::TABLE, same)
            .take();
        let Some(row) = db.fetch_optional(&select).await.map_err(failed)? else {
            return Ok(None);
        };
        let session = session_row::record(&row).ok_or(AdapterError::malformed())?;
        let user = users::read(&row, session_row::COLUMNS.len())?;
        Ok(Some((session, user)))
    }

    async fn update_session(&self, session: &SessionRecord) -> AdapterResult<bool> {
        let store = self.db.session_store();
        store.touch(session).await.map_err(of_store)
    }

    async fn delete_session(&self, id: SessionId, user: &Subject) -> AdapterResult<bool> {
        let store = self.db.session_store();
        store.delete(id, user).await.map_err(of_store)
    }
}
