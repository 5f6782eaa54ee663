//! A viewer source over the rows of a table.

use std::any::Any;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::access::Access;
use super::grant::System;
use super::reader::Reading;
use super::select::{Shown, select};
use crate::driver::Db;
use crate::dto::Dto;
use crate::entity::{Column, Entity, PrimaryKey, Scalar};
use crate::error::Result;
use crate::policy::Comparand;
use crate::session::viewer_source::{SourceError, ViewerSource};
use crate::session::{SessionId, SessionRecord, StoreError, WithViewer, handed};
use crate::sql::SessionViewer;
use crate::viewer::{Subject, Viewer};

/// A loader of viewers from the rows of a table; made by [`Db::viewers`].
///
/// If sessions are in the same [`Db`], and the key is an integer or a UUID, a session and its viewer
/// are loaded in one statement (decision 63).
pub struct TableViewers<V, D: Shown, K> {
    db: Db,
    key: Column<D::Entity, K, PrimaryKey>,
    reason: &'static str,
    viewer: Arc<dyn Fn(D) -> Option<V> + Send + Sync>,
}

impl<V, D: Shown, K> Clone for TableViewers<V, D, K> {
    fn clone(&self) -> Self {
        Self {
            db: self.db.clone(),
            key: self.key,
            reason: self.reason,
            viewer: Arc::clone(&self.viewer),
        }
    }
}

impl<V, D: Shown, K> fmt::Debug for TableViewers<V, D, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableViewers").finish_non_exhaustive()
    }
}

impl Db {
    /// Makes a [`ViewerSource`] that reads viewers from a table, whose `key` is their subject.
    ///
    /// `viewer` makes a viewer from a row, or returns `None` for a row that may not sign in (deleted,
    /// suspended): its sessions are then refused. The system reads the row, past the rules about rows
    /// and fields, because there is no viewer yet; `reason` is logged for reviewers. A subject that is
    /// not a key has no viewer.
    ///
    /// # Example
    ///
    /// ```
    /// use clearance::{Db, Dto, Entity, Key, Result, Sessions, Viewer};
    /// use uuid::Uuid;
    ///
    /// #[derive(Viewer)]
    /// struct Member { id: Uuid }
    ///
    /// #[derive(Entity)]
    /// #[entity(table = "users", viewer = Member, read_if(row.id == viewer.id))]
    /// struct User {
    ///     #[entity(key)]
    ///     id: Uuid,
    ///     suspended: bool,
    /// }
    ///
    /// #[derive(Dto)]
    /// #[dto(entity = User, default = visible)]
    /// struct Membership { id: Uuid, suspended: bool }
    ///
    /// fn sessions(db: &Db, key: Key) -> Result<Sessions<Member>> {
    ///     let members = db.viewers(
    ///         User::ID,
    ///         "a session's viewer is loaded before there is one",
    ///         |found: Membership| (!found.suspended).then_some(Member { id: found.id }),
    ///     );
    ///     Sessions::builder(key, db.session_store(), members)
    ///         .app_url("https://app.example")
    ///         .build()
    /// }
    /// ```
    pub fn viewers<V, D, K>(
        &self,
        key: Column<D::Entity, K, PrimaryKey>,
        reason: &'static str,
        viewer: impl Fn(D) -> Option<V> + Send + Sync + 'static,
    ) -> TableViewers<V, D, K>
    where
        V: Viewer,
        D: Dto<Entity: Entity<Viewer = V>>,
        K: Scalar + Comparand + FromStr,
    {
        TableViewers {
            db: self.clone(),
            key,
            reason,
            viewer: Arc::new(viewer),
        }
    }
}

#[async_trait]
impl<V, D, K> ViewerSource<V> for TableViewers<V, D, K>
where
    V: Viewer,
    D: Dto<Entity: Entity<Viewer = V>>,
    K: Scalar + Comparand + FromStr,
{
    async fn load(&self, subject: &Subject) -> Result<Option<V>, SourceError> {
        let Ok(key) = subject.parse::<K>() else {
            return Ok(None);
        };
        let access = Access::<System>::system(self.reason)?;
        let select = select::<D>().with_key(&key.__value());
        let found = self.db.reader(&access).optional(select).await?;
        Ok(found.and_then(&*self.viewer))
    }

    fn __with_viewer(&self, sessions: &Db) -> Option<Box<dyn Any>> {
        (sessions.id() == self.db.id()).then(|| {
            handed::<V>(Arc::new(OfOneDatabase {
                viewers: self.clone(),
                sessions: sessions.clone(),
                statement: OnceLock::new(),
            }))
        })
    }
}

/// A loader of sessions and viewers from one database, in one statement.
struct OfOneDatabase<V, D: Shown, K> {
    viewers: TableViewers<V, D, K>,
    /// The handle by which the store of sessions asks the database.
    sessions: Db,
    /// The statement, made with the first question; `None` if one statement cannot load both.
    statement: OnceLock<Option<SessionViewer>>,
}

impl<V, D, K> OfOneDatabase<V, D, K>
where
    V: Viewer,
    D: Dto<Entity: Entity<Viewer = V>>,
{
    /// Returns the statement, and the reading of its rows.
    async fn asked(&self) -> Result<Option<(&SessionViewer, Reading<D>)>> {
        let TableViewers { db, reason, .. } = &self.viewers;
        let access = Access::<System>::system(reason)?;
        let reader = db.reader(&access);
        let asking = reader.asking::<V>().await?;
        let reading = asking.reading(select::<D>())?;
        let statement = match self.statement.get() {
            Some(statement) => statement,
            None => {
                let made = match reading.question(&asking)? {
                    Some(question) => {
                        db.session_viewer(reading.select.shape(), &reading.decided, &question)?
                    }
                    None => None,
                };
                self.statement.get_or_init(|| made)
            }
        };
        Ok(statement.as_ref().map(|statement| (statement, reading)))
    }
}

/// Loads both, or returns `None` and leaves it to the two separate statements to report the reason.
#[async_trait]
impl<V, D, K> WithViewer<V> for OfOneDatabase<V, D, K>
where
    V: Viewer,
    D: Dto<Entity: Entity<Viewer = V>>,
    K: Scalar,
{
    async fn find(
        &self,
        id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<(SessionRecord, V)>, StoreError> {
        let Ok(Some((statement, reading))) = self.asked().await else {
            return Ok(None);
        };
        let found = match statement.load(&self.sessions, id, now).await {
            Ok(Some(found)) => found,
            Err(error) if error == StoreError::outage() => return Err(error),
            Ok(None) | Err(_) => return Ok(None),
        };
        let (record, row) = found;
        let Ok(Some(row)) = reading.read(statement.layout(), &row, None) else {
            return Ok(None);
        };
        let viewer = (self.viewers.viewer)(row);
        // An engine may parse a key from text that is not its canonical form.
        let theirs = viewer.filter(|viewer| viewer.subject() == record.subject);
        Ok(theirs.map(|viewer| (record, viewer)))
    }
}
