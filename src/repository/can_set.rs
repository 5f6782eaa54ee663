//! What a viewer may set by an input type, told before any body and any row.

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::access::Access;
use super::can_see::{Answer, Map};
use super::decided::rule_failed;
use super::grant::{Asker, Reads};
use super::release::{Checked, Release, may_leave};
use crate::entity::{Column, Entity};
use crate::error::Result;
use crate::input::{Incoming, Part, Settable};
use crate::policy::Decision;

/// What one viewer may set by `T`, an [`Input`](trait@crate::Input) or a
/// [`Patch`](trait@crate::Patch), without a row at hand. Made by [`Access::can_set`].
///
/// It serialises as `{"row": "depends", "fields": {"title": "yes", ..}}`, the fields under the
/// keys that a client sends, so that a page knows which fields of its form to draw.
pub struct CanSet<T> {
    row: Answer,
    fields: Vec<Field>,
    input: PhantomData<fn() -> T>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    key: &'static str,
    answer: Answer,
}

impl<T: Incoming> CanSet<T> {
    /// Whether rows may be created by the input, or updated by the patch, at all.
    #[must_use]
    pub const fn row(&self) -> Answer {
        self.row
    }

    /// Whether the column may be set; no, where `T` has no field for it.
    #[must_use]
    pub fn field<C, U>(&self, column: Column<T::Entity, C, U>) -> Answer {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.name == column.field())
            .map_or(Answer::No, |field| field.answer)
    }

    /// The same by the key under which a client sends the field. `None` when `T` has no such key.
    #[must_use]
    pub fn key(&self, key: &str) -> Option<Answer> {
        let mut fields = self.fields.iter();
        fields
            .find(|field| field.key == key)
            .map(|field| field.answer)
    }

    /// Every key with its answer, in the order of `T`.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Answer)> + '_ {
        self.fields.iter().map(|field| (field.key, field.answer))
    }
}

impl<P> Access<P> {
    /// What the one behind this access may set by `T`: yes, no, or it depends on the row and on
    /// what is sent. No row is asked for.
    ///
    /// A field's answer speaks of the rows that may be written: of those that may be created; for
    /// a patch, of those that may be updated and, unless the field is blind, be read. Where there
    /// can be none, it is no. Presets count with the values that they have for this viewer. A field that
    /// refers to another row depends on which.
    ///
    /// As with [`Access::can_see`] an access that only reads may ask, so that a page knows what to
    /// draw; nobody writes without a viewer. A [`System`](super::System) access may set
    /// everything, but not by a type whose presets are made of the viewer that it does not have.
    ///
    /// # Errors
    ///
    /// When a rule cannot be worked out, as the write would. [`Error::is_unauthenticated`] when the
    /// session has ended meanwhile, [`Error::is_misuse`] outside the request of the access.
    ///
    /// [`Error::is_unauthenticated`]: crate::Error::is_unauthenticated
    /// [`Error::is_misuse`]: crate::Error::is_misuse
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_viewer;
    /// # use clearance::{Assign, Dto, Entity, Field, Patch, Result, Viewer};
    /// use clearance::{Access, Answer, Read};
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
    /// assert_eq!(can_set.row(), Answer::Depends);
    /// assert_eq!(can_set.field(Note::TITLE), Answer::Yes);
    /// assert_eq!(can_set.field(Note::STAGE), Answer::Depends);
    /// assert_eq!(can_set.key("remark"), Some(Answer::No));
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
            Asker::Viewer(verified) => {
                // Presets may be made of the instant as well.
                using.note_time();
                Settable::of(shape, verified.viewer(), using.context())
            }
            Asker::Nobody => Settable::all(&Decision::Deny, shape.fields().len()),
            Asker::System => Settable::of_system(shape),
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

/// The answer of several decisions, all of which must allow.
fn answer(parts: &[Part], what: &'static str, rule: &'static str) -> Result<Answer> {
    let mut answer = Answer::Yes;
    for part in parts {
        match &part.decision {
            Decision::Allow => {}
            Decision::Deny => return Ok(Answer::No),
            Decision::Depends(_) => answer = Answer::Depends,
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
