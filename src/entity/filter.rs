//! Filters on columns that no DTO needs to show.

use std::fmt;
use std::marker::PhantomData;

use super::{Column, Entity, Filterable};
use crate::bounded::Bounded;
use crate::policy::{FieldTest, Op, TextTest};
use crate::schema::family::{Ordered, Textual};
use crate::schema::{Comparand, SameFamily, Scalar};

/// A condition on columns of `E` that are declared with `filter_if`, for
/// [`Select::filter_column`](crate::repository::Select::filter_column).
///
/// A row for which the column's rule does not allow it fulfils neither the condition nor its opposite.
///
/// It has the same bounds as a [`Filter`](crate::dto::Filter).
#[must_use = "a filter does nothing until a query takes it"]
pub struct ColumnFilter<E>(pub(crate) Bounded<ColumnTest>, PhantomData<fn() -> E>);

/// A test on a column that has a `filter_if` rule, named by its field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnTest {
    pub(crate) field: &'static str,
    pub(crate) test: FieldTest,
}

impl<E: Entity, T: Scalar + Comparand, U> Column<E, T, U> {
    /// Matches rows whose column equals `value`.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Dto, Entity, Roles, Viewer};
    /// # #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
    /// # enum Role { Member, Admin }
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, role: Role }
    /// #[derive(Entity)]
    /// #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// struct User {
    ///     #[entity(key)]
    ///     id: i64,
    ///     #[entity(filter_if(viewer.role >= Role::Admin))]
    ///     email: String,
    /// }
    ///
    /// #[derive(Dto)]
    /// #[dto(entity = User, default = visible)]
    /// struct Profile { id: i64 }
    ///
    /// let query = Profile::select().filter_column(User::EMAIL.eq("ada@example.org"));
    /// # let _ = query;
    /// ```
    pub fn eq<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family>,
    {
        self.test(FieldTest::Compare(Op::Eq, value.__value()))
    }

    /// Matches rows whose column is set and differs from `value`.
    pub fn ne<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family>,
    {
        self.test(FieldTest::Compare(Op::Ne, value.__value()))
    }

    /// Matches rows whose column is less than `value`.
    pub fn lt<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family> + Ordered,
    {
        self.test(FieldTest::Compare(Op::Lt, value.__value()))
    }

    /// Matches rows whose column is at most `value`.
    pub fn le<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family> + Ordered,
    {
        self.test(FieldTest::Compare(Op::Le, value.__value()))
    }

    /// Matches rows whose column is greater than `value`.
    pub fn gt<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family> + Ordered,
    {
        self.test(FieldTest::Compare(Op::Gt, value.__value()))
    }

    /// Matches rows whose column is at least `value`.
    pub fn ge<C: Comparand>(self, value: C) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family> + Ordered,
    {
        self.test(FieldTest::Compare(Op::Ge, value.__value()))
    }

    /// Matches rows whose column equals one of `values`; without values, no row.
    pub fn is_in<C: Comparand>(self, values: impl IntoIterator<Item = C>) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family>,
    {
        self.test(FieldTest::among(values, true))
    }

    /// Matches rows whose column is set and equals none of `values`.
    pub fn is_not_in<C: Comparand>(self, values: impl IntoIterator<Item = C>) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: SameFamily<C::Family>,
    {
        self.test(FieldTest::among(values, false))
    }

    /// Matches rows whose text in the column contains `needle`, byte by byte.
    pub fn contains(self, needle: impl Into<String>) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: Textual,
    {
        self.test(FieldTest::Text(TextTest::Contains, needle.into()))
    }

    /// Matches rows whose text in the column begins with `needle`.
    pub fn starts_with(self, needle: impl Into<String>) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: Textual,
    {
        self.test(FieldTest::Text(TextTest::StartsWith, needle.into()))
    }

    /// Matches rows whose text in the column ends with `needle`.
    pub fn ends_with(self, needle: impl Into<String>) -> ColumnFilter<E>
    where
        U: Filterable,
        T::Family: Textual,
    {
        self.test(FieldTest::Text(TextTest::EndsWith, needle.into()))
    }

    /// Matches rows whose column is null.
    pub fn is_null(self) -> ColumnFilter<E>
    where
        U: Filterable,
    {
        self.test(FieldTest::Null(true))
    }

    /// Matches rows whose column is not null.
    pub fn is_not_null(self) -> ColumnFilter<E>
    where
        U: Filterable,
    {
        self.test(FieldTest::Null(false))
    }

    fn test(self, test: FieldTest) -> ColumnFilter<E> {
        let field = self.field();
        ColumnFilter(Bounded::plain(ColumnTest { field, test }), PhantomData)
    }
}

impl<E> ColumnFilter<E> {
    /// Matches rows that fulfil both conditions.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0), PhantomData)
    }

    /// Matches rows that fulfil at least one of the conditions.
    pub fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0), PhantomData)
    }
}

/// Matches rows for which the condition definitely does not hold.
impl<E> std::ops::Not for ColumnFilter<E> {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.opposite(), PhantomData)
    }
}

impl<E> Clone for ColumnFilter<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<E> fmt::Debug for ColumnFilter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values stay out: they came from a caller and can be private.
        f.debug_struct("ColumnFilter").finish_non_exhaustive()
    }
}
