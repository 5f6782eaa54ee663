//! `CanSet`: the fields that a viewer may set with an input type, evaluated without a body or a row.

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::access::Access;
use super::can_see::{Map, Permission};
use super::decided::rule_failed;
use super::grant::{Principal, Reads};
use super::release::{Checked, Release, may_leave};
use crate::entity::{Column, Entity};
use crate::error::Result;
use crate::input::{Incoming, Part, Settable};
use crate::policy::Decision;

/// The fields that one viewer may set with `T`, an [`Input`](trait@crate::Input) or a
/// [`Patch`](trait@crate::Patch), without a row at hand. Made by [`Access::can_set`].
///
/// It serialises as `{"row": "depends", "fields": {"title": "yes", ..}}`, the fields under the
/// keys that a client sends, so that a page knows which fields of its form to draw.
pub struct CanSet<T> {
    row: Permission,
    fields: Vec<Field>,
    input: PhantomData<fn() -> T>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    key: &'static str,
    answer: Permission,
}

impl<T: Incoming> CanSet<T> {
    /// Returns whether rows may be created with the input, or updated with the patch, at all.
    #[must_use]
    pub const fn row(&self) -> Permission {
        self.row
    }

    /// Returns whether the column may be set; no, if `T` has no field for it.
    #[must_use]
    pub fn field<C, U>(&self, column: Column<T::Entity, C, U>) -> Permission {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.name == column.field())
            .map_or(Permission::No, |field| field.answer)
    }

    /// Looks up the same by the key under which a client sends the field. `None` if `T` has no such
    /// key.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Permission> {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.key == key)
            .map(|field| field.answer)
    }

    /// Returns every key with its answer, in the order of `T`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Permission)> + '_ {
        self.fields.iter().map(|field| (field.key, field.answer))
    }
}

impl<P> Access<P> {
    /// Evaluates which fields the holder of this access may set with `T`: yes, no, or depending on the
    /// row and on the values sent. No row is queried.
    ///
    /// A field's answer is about the rows that may be written: for an input, those that may be created;
    /// for a patch, those that may be updated and, unless the field is blind, read. If there can be
    /// none, it is no. Presets count with the values that they have for this viewer. A field that
    /// refers to another row depends on which.
    ///
    /// As with [`Access::can_see`], a read access suffices, so that a page knows which inputs to draw;
    /// without a viewer all answers are no. A [`System`](super::System) access may set everything,
    /// except with a type whose presets are made of the viewer that it does not have.
    ///
    /// # Errors
    ///
    /// If a rule cannot be evaluated, as the write would. [`Error::is_unauthenticated`] if the session
    /// has ended meanwhile, [`Error::is_misuse`] outside the request of the access.
    ///
    /// [`Error::is_unauthenticated`]: crate::Error::is_unauthenticated
    /// [`Error::is_misuse`]: crate::Error::is_misuse
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_viewer;
    /// # use clearance::input::Assign;
    /// # use clearance::{Dto, Entity, Field, Patch, Result, Viewer};
    /// use clearance::{Access, Permission, Read};
    ///
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, editor: bool }
    /// # #[derive(Entity)]
    /// # #[entity(table = "notes", viewer = Member, read_if(true), update_if(row.owner == viewer.id))]
    /// # struct Note { #[entity(key)] id: i64, owner: i64, title: String, stage: i64, remark: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = Note, default = visible)]
    /// # struct NoteView {
    /// #     title: String,
    /// #     stage: i64,
    /// #     #[visible_if(viewer.editor)] remark: Field<String>,
    /// # }
    /// #[derive(Patch)]
    /// #[patch(entity = Note, reads = NoteView)]
    /// struct EditNote {
    ///     #[writable] title: Assign<String>,
    ///     #[writable_if(row.stage >= before.stage)] stage: Assign<i64>,
    ///     // The view shows it to editors only.
    ///     #[writable] remark: Assign<String>,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # as_viewer(Member { id: 1, editor: false }).scope(async {
    /// let access = Access::<Read<Member>>::authenticated().await?;
    /// let can_set = access.can_set::<EditNote>().await?;
    /// assert_eq!(can_set.row(), Permission::Depends);
    /// assert_eq!(can_set.field(Note::TITLE), Permission::Yes);
    /// assert_eq!(can_set.field(Note::STAGE), Permission::Depends);
    /// assert_eq!(can_set.key("remark"), Some(Permission::No));
    /// # Ok(())
    /// # }).await
    /// # }
    /// ```
    pub async fn can_set<T>(&self) -> Result<CanSet<T>>
    where
        T: Incoming,
        P: Reads<<T::Entity as Entity>::Viewer>,
    {
        let shape = T::__shape();
        let using = self.in_use::<<T::Entity as Entity>::Viewer>().await?;
        let settable = match using.asker() {
            Principal::Viewer(verified) => {
                // Presets may depend on the instant as well.
                using.note_time();
                Settable::of(shape, verified.viewer(), using.context())
            }
            Principal::Nobody => Settable::all(&Decision::Deny, shape.fields().len()),
            Principal::System => Settable::of_system(shape),
        };
        let fields = shape.fields().iter().zip(&settable.fields);
        let fields = fields.map(|(field, parts)| {
            Ok(Field {
                name: field.field(),
                key: field.json(),
                answer: answer(parts, shape.name(), field.field())?,
            })
        });
        Ok(CanSet {
            row: answer(&settable.row, shape.name(), shape.action().rule())?,
            fields: fields.collect::<Result<_>>()?,
            input: PhantomData,
        })
    }
}

/// Joins several decisions, all of which must allow, into one answer.
fn answer(parts: &[Part], what: &'static str, rule: &'static str) -> Result<Permission> {
    let mut answer = Permission::Yes;
    for part in parts {
        match &part.decision {
            Decision::Allow => {}
            Decision::Deny => return Ok(Permission::No),
            Decision::Depends(_) => answer = Permission::Depends,
            Decision::Fail(failure) => return Err(rule_failed(what, rule, *failure)),
        }
    }
    Ok(answer)
}

may_leave! {
    [T] CanSet<T>;
}

impl<T: Incoming> Serialize for CanSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("row", &self.row)?;
        map.serialize_entry("fields", &Map(self.fields().collect()))?;
        map.end()
    }
}

impl<T> Clone for CanSet<T> {
    fn clone(&self) -> Self {
        Self {
            row: self.row,
            fields: self.fields.clone(),
            input: PhantomData,
        }
    }
}

impl<T> fmt::Debug for CanSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanSet")
            .field("row", &self.row)
            .field("fields", &self.fields)
            .finish()
    }
}
