//! `CanSee`: the permissions of a viewer on a DTO's rows and fields, evaluated without a row.

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::access::Access;
use super::decided::{decided, rule_failed};
use super::grant::{Principal, Reads};
use super::in_use::InUse;
use super::release::{Checked, Release, may_leave};
use crate::dto::{Dto, FieldName};
use crate::entity::{Entity, RowAction};
use crate::error::Result;
use crate::policy::Decision;

/// A permission: yes, no, or dependent on the row.
///
/// It is exhaustive on purpose: code that shows answers must handle each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Allowed, whatever the row.
    Yes,
    /// Denied, whatever the row.
    No,
    /// The row decides.
    Depends,
}

impl Permission {
    /// Returns the answer as one word: `yes`, `no` or `depends`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Depends => "depends",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The permissions of one viewer on the fields and rows of the DTO `D`, without a row at hand. Made by
/// [`Access::can_see`].
///
/// It serialises as `{"rows": {"read": "depends", ..}, "fields": {"phone": "no", ..}}`, the
/// fields under the keys that the DTO itself uses, so that a page knows which columns to draw.
pub struct CanSee<D> {
    rows: [(RowAction, Permission); 4],
    fields: Vec<(&'static str, Permission)>,
    dto: PhantomData<fn() -> D>,
}

impl<D: Dto> CanSee<D> {
    /// Returns whether the field may be seen in the rows that can be read; no, if none can be.
    #[must_use]
    pub fn field<T>(&self, field: FieldName<D, T>) -> Permission {
        self.fields
            .get(field.named_field().index)
            .map_or(Permission::No, |(_, answer)| *answer)
    }

    /// Looks up the answer of [`CanSee::field`] by the key under which the field is serialised. `None`
    /// if the DTO has no such key.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Permission> {
        self.fields
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, answer)| *answer)
    }

    /// Returns every key with its answer, in the order of the DTO.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Permission)> + '_ {
        self.fields.iter().copied()
    }

    /// Returns whether this may be done to rows of the DTO's entity.
    #[must_use]
    pub fn rows(&self, action: RowAction) -> Permission {
        self.rows
            .iter()
            .find(|(known, _)| *known == action)
            .map_or(Permission::No, |(_, answer)| *answer)
    }
}

impl<P> Access<P> {
    /// Evaluates which fields of `D` the holder of this access may see, and which operations they may
    /// do to its rows: yes, no, or depending on the row. No row is queried.
    ///
    /// A field's answer is about the rows that can be read; if none can, it is no. The answers for
    /// creating, updating and deleting come from the rules, whether or not this access may write, so
    /// that a page can use a [`Read`](super::Read) to decide which buttons to draw; without a viewer
    /// they are no. A [`System`](super::System) access may do everything.
    ///
    /// # Errors
    ///
    /// If a rule cannot be evaluated, as a query would. [`Error::is_unauthenticated`] if the session
    /// has ended meanwhile, [`Error::is_misuse`] outside the request of the access.
    ///
    /// [`Error::is_unauthenticated`]: crate::Error::is_unauthenticated
    /// [`Error::is_misuse`]: crate::Error::is_misuse
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_viewer;
    /// # use clearance::{Dto, Entity, Field, Result, Viewer};
    /// use clearance::entity::RowAction;
    /// use clearance::{Access, Permission, Read};
    ///
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, admin: bool, team: String }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, read_if(true), update_if(viewer.id == row.id))]
    /// # struct User { #[entity(key)] id: i64, team: String, phone: String, salary: i64 }
    /// #[derive(Dto)]
    /// #[dto(entity = User)]
    /// struct Profile {
    ///     #[visible_if(viewer.team == row.team)] phone: Field<String>,
    ///     #[visible_if(viewer.admin)] salary: Field<i64>,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # let member = Member { id: 1, admin: false, team: "red".into() };
    /// # as_viewer(member).scope(async {
    /// let access = Access::<Read<Member>>::authenticated().await?;
    /// let can_see = access.can_see::<Profile>().await?;
    /// assert_eq!(can_see.field(Profile::PHONE), Permission::Depends);
    /// assert_eq!(can_see.key("salary"), Some(Permission::No));
    /// assert_eq!(can_see.rows(RowAction::Update), Permission::Depends);
    /// assert_eq!(can_see.rows(RowAction::Delete), Permission::No);
    /// # Ok(())
    /// # }).await
    /// # }
    /// ```
    pub async fn can_see<D>(&self) -> Result<CanSee<D>>
    where
        D: Dto,
        P: Reads<<D::Entity as Entity>::Viewer>,
    {
        let using = self.in_use::<<D::Entity as Entity>::Viewer>().await?;
        let shape = D::__shape();
        let decided = decided(shape, &using)?;
        let mut rows = RowAction::ALL.map(|action| (action, Permission::No));
        for (action, answer) in &mut rows {
            *answer = may::<D::Entity>(&using, *action)?;
        }
        let mut fields = Vec::with_capacity(shape.fields().len());
        for (index, field) in shape.fields().iter().enumerate() {
            // If no row can be read the rules of the fields were not evaluated.
            let answer = match decided.fields.get(index) {
                Some(decision) => self::answer(decision, shape.name(), field.field())?,
                None => Permission::No,
            };
            fields.push((field.key(), answer));
        }
        Ok(CanSee {
            rows,
            fields,
            dto: PhantomData,
        })
    }
}

impl<P> Access<P> {
    /// Returns whether the holder of this access may do this to rows of `E`: yes, no, or depending on
    /// the row. No row is queried.
    ///
    /// It is [`CanSee::rows`] for an entity without a DTO. [`Access::can_set`] answers which fields a
    /// client may send.
    ///
    /// # Errors
    ///
    /// As [`Access::can_see`].
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_viewer;
    /// # use clearance::{Entity, Result, Viewer};
    /// use clearance::entity::RowAction;
    /// use clearance::{Access, Permission, Read};
    ///
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "notes", viewer = Member, read_if(true), delete_if(row.owner == viewer.id))]
    /// # struct Note { #[entity(key)] id: i64, owner: i64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # as_viewer(Member { id: 1 }).scope(async {
    /// let access = Access::<Read<Member>>::authenticated().await?;
    /// assert_eq!(access.can::<Note>(RowAction::Delete).await?, Permission::Depends);
    /// assert_eq!(access.can::<Note>(RowAction::Create).await?, Permission::No);
    /// # Ok(())
    /// # }).await
    /// # }
    /// ```
    pub async fn can<E>(&self, action: RowAction) -> Result<Permission>
    where
        E: Entity,
        P: Reads<E::Viewer>,
    {
        may::<E>(&self.in_use().await?, action)
    }
}

fn may<E: Entity>(using: &InUse<E::Viewer>, action: RowAction) -> Result<Permission> {
    let table = E::__table();
    let decision = match (using.asker(), action) {
        (Principal::Nobody, RowAction::Create | RowAction::Update | RowAction::Delete) => {
            Decision::Deny
        }
        (Principal::Viewer(_) | Principal::Nobody | Principal::System, _) => {
            using.operation(table.rows().of(action))
        }
    };
    answer(&decision, table.entity(), action.rule())
}

fn answer(decision: &Decision, what: &'static str, rule: &'static str) -> Result<Permission> {
    match decision {
        Decision::Allow => Ok(Permission::Yes),
        Decision::Deny => Ok(Permission::No),
        Decision::Depends(_) => Ok(Permission::Depends),
        Decision::Fail(failure) => Err(rule_failed(what, rule, *failure)),
    }
}

may_leave! {
    [D] CanSee<D>;
}

impl<D> Serialize for CanSee<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        let rows = self
            .rows
            .iter()
            .map(|(action, answer)| (action.as_str(), *answer));
        map.serialize_entry("rows", &Map(rows.collect()))?;
        map.serialize_entry("fields", &Map(self.fields.clone()))?;
        map.end()
    }
}

/// Keys with their answers, serialised as a map.
pub(super) struct Map(pub(super) Vec<(&'static str, Permission)>);

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl<D> Clone for CanSee<D> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows,
            fields: self.fields.clone(),
            dto: PhantomData,
        }
    }
}

impl<D> fmt::Debug for CanSee<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanSee")
            .field("rows", &self.rows)
            .field("fields", &self.fields)
            .finish()
    }
}
