//! Attributes of a viewer that may not have been loaded.

use std::fmt;

use super::rule::{Computed, Given};
use crate::error::{Error, Result};
use crate::schema::{Comparand, ComparandList};

/// An attribute of the viewer that its [`ViewerSource`](crate::ViewerSource) may leave out.
///
/// A rule that reads an attribute that was not loaded is neither true nor false. The call fails with status
/// 500, and the log names the attribute, so that a forgotten load is never mistaken for a refusal. An
/// attribute that *is* loaded, and empty, is `MaybeLoaded::new(None)`.
///
/// Use it in comparisons with the row, `same(viewer.team, row.team)` and
/// `viewer.teams.contains(&row.team)`. It has no `==` of its own, because `bool` cannot express "not
/// loaded".
///
/// # Example
///
/// ```
/// use clearance::policy::MaybeLoaded;
/// # use clearance::{Dto, Entity, Field, Viewer};
///
/// #[derive(Viewer)]
/// struct Member { id: i64, teams: MaybeLoaded<Vec<String>> }
///
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, team: String, phone: String }
/// #[derive(Dto)]
/// #[dto(entity = User)]
/// struct Profile {
///     #[visible_if(viewer.teams.contains(&row.team))] phone: Field<String>,
/// }
///
/// let member = Member { id: 1, teams: MaybeLoaded::new(vec!["red".to_owned()]) };
/// assert_eq!(member.teams.value()?.len(), 1);
/// assert!(MaybeLoaded::<i64>::missing().value().unwrap_err().is_misuse());
/// # Ok::<_, clearance::Error>(())
/// ```
#[derive(Clone)]
pub struct MaybeLoaded<T>(Option<T>);

impl<T> MaybeLoaded<T> {
    /// Creates an attribute that was loaded.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Creates an attribute that was not loaded.
    #[must_use]
    pub const fn missing() -> Self {
        Self(None)
    }

    /// Returns the loaded value.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] if it was not loaded.
    pub fn value(&self) -> Result<&T> {
        self.0
            .as_ref()
            .ok_or_else(|| Error::misuse("an attribute of the viewer was not loaded"))
    }
}

impl<T> fmt::Debug for MaybeLoaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A log needs to show if it was loaded; the value is the viewer's own.
        f.write_str(if self.0.is_some() {
            "Loaded"
        } else {
            "NotLoaded"
        })
    }
}

/// An operand of a rule: a value that can be compared, or an attribute that may not have been loaded.
///
/// Filters and lookups require a [`Comparand`], so that no query contains an attribute that was not loaded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared in a rule or a filter",
    note = "it compares bool, i8 to i64, u8 to u32, text, Uuid, DateTime<Utc>, a `#[derive(TextEnum)]` enum, or an Option of one of these; add `#[derive(TextEnum)]` to an enum without fields"
)]
pub trait RuleValue {
    #[doc(hidden)]
    type Family;
    #[doc(hidden)]
    type Presence;

    #[doc(hidden)]
    fn __computed(&self) -> Computed;
}

#[diagnostic::do_not_recommend]
impl<T: Comparand + ?Sized> RuleValue for T {
    type Family = T::Family;
    type Presence = T::Presence;

    fn __computed(&self) -> Computed {
        Computed(Some(Given::Value(self.__value())))
    }
}

#[diagnostic::do_not_recommend]
impl<T: Comparand> RuleValue for MaybeLoaded<T> {
    type Family = T::Family;
    type Presence = T::Presence;

    fn __computed(&self) -> Computed {
        Computed(self.0.as_ref().map(|value| Given::Value(value.__value())))
    }
}

/// A list operand of a rule; see [`RuleValue`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list that a rule can search",
    note = "use a Vec, a slice or an array of values that can be compared"
)]
pub trait RuleList {
    #[doc(hidden)]
    type Item: Comparand;

    #[doc(hidden)]
    fn __computed(&self) -> Computed;
}

#[diagnostic::do_not_recommend]
impl<T: ComparandList + ?Sized> RuleList for T {
    type Item = T::Item;

    fn __computed(&self) -> Computed {
        Computed(Some(Given::List(self.__values())))
    }
}

#[diagnostic::do_not_recommend]
impl<T: ComparandList> RuleList for MaybeLoaded<T> {
    type Item = T::Item;

    fn __computed(&self) -> Computed {
        Computed(self.0.as_ref().map(|list| Given::List(list.__values())))
    }
}
