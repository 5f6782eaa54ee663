//! Writes through an access: the statement that writes checks the rules and the session itself.

use std::ops::Deref;

use super::access::Access;
use super::as_access::AsWriteAccess;
use super::attempt::Attempt;
use super::authority::{Authority, of_row};
use super::create::{Create, NewRow};
use super::grant::Writes;
use super::many::{UpdateMany, insert_many};
use super::reader::{Reader, ViewerOf};
use super::select::{Select, select};
use super::untrusted::{Untrusted, Valid};
use super::update::Update;
use crate::audit;
use crate::driver::Db;
use crate::dto::Dto;
use crate::entity::{Entity, RowAction, Storable as _};
use crate::error::{Error, Result};
use crate::input::Incoming;
use crate::policy::{Reduced, Value};
use crate::sql::Target;

/// A writer on behalf of the holder of an [`Access`], which also reads as a [`Reader`]. Made by
/// [`Db::writer`].
#[derive(Debug)]
pub struct Writer<'a, P> {
    reader: Reader<'a, P>,
}

impl Db {
    /// Starts writes on behalf of the holder of `access`: an `Access<Write<..>>` or an
    /// `Access<System>`.
    #[must_use]
    pub fn writer<'a, A: AsWriteAccess + ?Sized>(&'a self, access: &'a A) -> Writer<'a, A::Grant> {
        Writer::new(self, access.__access())
    }
}

impl<'a, P> Deref for Writer<'a, P> {
    type Target = Reader<'a, P>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl<'a, P> Writer<'a, P> {
    pub(super) const fn new(db: &'a Db, access: &'a Access<P>) -> Self {
        Self {
            reader: Reader { db, access },
        }
    }

    pub(super) const fn db(&self) -> &'a Db {
        self.reader.db
    }

    pub(super) const fn access(&self) -> &'a Access<P> {
        self.reader.access
    }

    const fn again(&self) -> Self {
        Self {
            reader: self.reader,
        }
    }

    /// Inserts a row, if its entity's `create_if` allows this row to this viewer. Every column of the
    /// entity value is written, including the key. To have the database generate the key or apply its
    /// defaults, [`create`](Writer::create) the row from an [`Input`](crate::Input) that has no field
    /// for them; the program fills one with `Untrusted::from`.
    ///
    /// # Errors
    ///
    /// [`Error::is_forbidden`] if the rule does not allow it, [`Error::is_unauthenticated`] if the
    /// session has ended meanwhile, [`Error::is_conflict`] if a constraint of the database refuses it,
    /// [`Error::is_invalid`] if a value does not fit its column, [`Error::is_unavailable`] if the
    /// database does not answer.
    pub async fn insert<E>(&self, row: E) -> Result<()>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        self.create(row).run(self.db()).await.map(|_| ())
    }

    /// Opens a client's input, as [`Untrusted::open`], and records a refusal if the database is
    /// [audited](Db::audited).
    ///
    /// # Errors
    ///
    /// As [`Untrusted::open`], and [`Error::is_unauthenticated`] if the session has ended meanwhile.
    pub async fn open<T>(&self, sent: Untrusted<T>) -> Result<Valid<T>>
    where
        T: Incoming,
        P: Writes<<T::Entity as Entity>::Viewer>,
    {
        let using = self.access().in_use().await?;
        match sent.opened(Some(&using))? {
            Ok(valid) => Ok(valid),
            Err(refused) => {
                audit::refused(self.db(), *refused).await;
                Err(Error::forbidden())
            }
        }
    }

    /// Starts the creation of a row, if its entity's `create_if` allows this row to this viewer: from
    /// an entity, including its key, or from a client's input ([`Writer::open`]).
    pub fn create<N: NewRow>(&self, row: N) -> Create<'a, P, N::Entity>
    where
        P: Writes<<N::Entity as Entity>::Viewer>,
    {
        Create::new(self.again(), row.__content())
    }

    /// Starts an update of the row with this key, if its entity's `update_if` allows it and its
    /// `updated_if` allows the row as updated.
    pub fn update<E: Entity>(&self, key: impl Into<E::Key>) -> Update<'a, P, E>
    where
        P: Writes<E::Viewer>,
    {
        Update::new(self.again(), key.into().cell().into_value())
    }

    /// Inserts rows in as few statements as the engine allows: all of them, or none if one is not
    /// allowed or does not fit.
    ///
    /// # Errors
    ///
    /// As [`Writer::insert`], which also describes the handling of keys.
    pub async fn insert_many<E>(&self, rows: impl IntoIterator<Item = E>) -> Result<()>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        insert_many(self, rows.into_iter().collect()).await
    }

    /// Starts an update of the rows that a query finds. As in every query, a condition on a field that
    /// is hidden from the viewer finds nothing, so that the number of rows reveals nothing of it.
    ///
    /// The method that executes it decides about rows that may not be updated:
    /// [`execute_permitted`](UpdateMany::execute_permitted) skips them,
    /// [`execute_all`](UpdateMany::execute_all) then updates none.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Access, Db, Dto, Entity, Result, Viewer, Write};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "notes", viewer = Member, read_if(row.owner == viewer.id))]
    /// # #[entity(update_if(row.owner == viewer.id && !row.locked))]
    /// # struct Note { #[entity(key)] id: i64, owner: i64, locked: bool, folder: String, archived: bool }
    /// # #[derive(Dto)]
    /// # #[dto(entity = Note, default = visible)]
    /// # struct NoteView { id: i64, folder: String, archived: bool }
    /// async fn archive(db: &Db, access: &Access<Write<Member>>, folder: &str) -> Result<u64> {
    ///     let found = NoteView::select().filter(NoteView::FOLDER.eq(folder));
    ///     let update = db.writer(access).update_many(found).set(Note::ARCHIVED, true);
    ///     update.execute_permitted().await
    /// }
    /// ```
    pub fn update_many<D>(&self, select: Select<D>) -> UpdateMany<'a, P, D>
    where
        D: Dto,
        P: Writes<ViewerOf<D>>,
    {
        UpdateMany::new(self.again(), select)
    }

    /// Deletes the row with this key, if its entity's `delete_if` allows it.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no such row or the rule does not allow it, otherwise as
    /// [`Writer::insert`].
    pub async fn delete<E>(&self, key: impl Into<E::Key>) -> Result<()>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let key = key.into().cell().into_value();
        let db = self.db();
        let authority = Authority::<E>::of(db, self.access(), RowAction::Delete).await?;
        let attempt = Attempt::of(&key);
        let rules = match of_row::<E>(authority.decision.clone(), "delete_if")? {
            Reduced::Always => Some(Vec::new()),
            Reduced::Left(residual) => Some(vec![residual]),
            Reduced::Never => None,
        };
        if let Some(rules) = rules {
            let target = Target {
                key: Some(&key),
                rules: &rules,
                guard: authority.guard(),
            };
            let change = db.delete::<E>(&target)?;
            if authority.run(db, &change, &attempt).await?.rows > 0 {
                return Ok(());
            }
        }
        authority.denied(db, &attempt).await?;
        Err(Error::not_found())
    }
}

/// Reads the row with this key, as its writer may see it, at the instant of the write.
pub(super) async fn read_back<D: Dto>(
    db: &Db,
    authority: &Authority<D::Entity>,
    key: &Value,
) -> Result<Option<D>> {
    let select = select::<D>().with_key(key);
    authority.asking(db).optional(select).await
}
