//! The names of a DTO's fields, as constants, and the filters and orders made from them.

use std::fmt;
use std::marker::PhantomData;

use super::function::Found;
use super::{Dto, Field, Output};
use crate::bounded::{Bounded, Tree};
use crate::entity::ColumnTest;
use crate::error::{Error, Result};
use crate::policy::{FieldTest, Op, Rule, TextTest};
use crate::schema::family::{Any, Ordered, Textual};
use crate::schema::{Comparable, Comparand, SameFamily};

/// The name of a field of the DTO `D` and of the type `T`, as a constant of it: `Profile::PHONE`.
///
/// A comparison with a value of another kind does not compile.
///
/// A condition made from it includes the field's rule: a row whose field is hidden from the viewer
/// fulfils no condition on it, neither `eq` nor `ne`, neither `is_null` nor `is_not_null`, and no
/// negation of one.
///
/// # Example
///
/// ```
/// # use clearance::{Dto, Entity, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, username: String }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64, username: String }
/// let query = Profile::select()
///     .filter(Profile::USERNAME.eq("ada").or(Profile::ID.lt(10)))
///     .order(Profile::USERNAME.asc())
///     .limit(20);
/// # let _ = query;
/// ```
pub struct FieldName<D, T = Untyped> {
    field: usize,
    origin: NameOrigin,
    types: PhantomData<fn() -> (D, T)>,
}

/// The type of a field whose name is known at run time only; see [`FieldName::named`].
#[derive(Debug)]
pub struct Untyped;

impl<T: Comparable> Comparable for Field<T> {
    type Family = T::Family;
}

impl Comparable for Untyped {
    type Family = Any;
}

/// The origin of a field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameOrigin {
    /// The application's code. Comparing the field with a value of another kind is a mistake in the
    /// code.
    Code,
    /// A client. Comparing the field with a value of another kind is an invalid query.
    Client,
}

impl<D: Dto> FieldName<D> {
    /// Looks up the field that is serialised under `key`, for a name that a client sent, such as the
    /// `phone` of `?sort=phone`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if the DTO has no such field, or no query can name the field: it is masked or
    /// computed, shows related rows, or has a rule that runs in Rust.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Dto, Entity, FieldName, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64, username: String }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64, username: String }
    /// let sort = FieldName::<Profile>::named("username")?;
    /// let query = Profile::select().refuse_hidden().order(sort.desc());
    /// assert!(FieldName::<Profile>::named("password").unwrap_err().is_invalid());
    /// # let _ = query;
    /// # Ok::<_, clearance::Error>(())
    /// ```
    pub fn named(key: &str) -> Result<Self> {
        let fields = D::__shape().fields();
        let field = fields.iter().position(|field| {
            let masked = match field.output() {
                Output::Mask(_) | Output::MaskInProcess => true,
                Output::Shown | Output::Omit | Output::Null | Output::Error => false,
            };
            field.key() == key
                && field.is_column()
                && !masked
                && !field.rules().iter().any(Rule::is_opaque)
        });
        Ok(Self {
            field: field.ok_or_else(Error::invalid)?,
            origin: NameOrigin::Client,
            types: PhantomData,
        })
    }
}

impl<D: Dto, T> FieldName<D, T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(field: usize) -> Self {
        Self {
            field,
            origin: NameOrigin::Code,
            types: PhantomData,
        }
    }

    /// Returns the index of the field in its DTO.
    pub(crate) const fn index(self) -> usize {
        self.field
    }

    /// Returns the name without the type of its field, for a list of fields of several types. A comparison
    /// with a value of another kind is then an error at run time.
    #[must_use]
    pub const fn untyped(self) -> FieldName<D> {
        FieldName {
            field: self.field,
            origin: self.origin,
            types: PhantomData,
        }
    }

    /// Matches rows whose field equals `value`.
    pub fn eq<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family>>,
    {
        self.compare(Op::Eq, &value)
    }

    /// Matches rows whose field is set and differs from `value`.
    pub fn ne<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family>>,
    {
        self.compare(Op::Ne, &value)
    }

    /// Matches rows whose field is less than `value`. Text is compared byte by byte.
    pub fn lt<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family> + Ordered>,
    {
        self.compare(Op::Lt, &value)
    }

    /// Matches rows whose field is at most `value`.
    pub fn le<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family> + Ordered>,
    {
        self.compare(Op::Le, &value)
    }

    /// Matches rows whose field is greater than `value`.
    pub fn gt<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family> + Ordered>,
    {
        self.compare(Op::Gt, &value)
    }

    /// Matches rows whose field is at least `value`.
    pub fn ge<C: Comparand>(self, value: C) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family> + Ordered>,
    {
        self.compare(Op::Ge, &value)
    }

    /// Matches rows whose field equals one of `values`; without any value, no row. Its opposite is
    /// [`is_not_in`](FieldName::is_not_in).
    pub fn is_in<C: Comparand>(self, values: impl IntoIterator<Item = C>) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family>>,
    {
        self.test(FieldTest::among(values, true))
    }

    /// Matches rows whose field is set and equals none of `values`. If one of them is null it matches
    /// no row, because comparing with null is unknown; without any value, it matches every row whose
    /// field is visible.
    pub fn is_not_in<C: Comparand>(self, values: impl IntoIterator<Item = C>) -> Filter<D>
    where
        T: Comparable<Family: SameFamily<C::Family>>,
    {
        self.test(FieldTest::among(values, false))
    }

    /// Matches rows whose text contains `needle`, byte by byte as in [`str::contains`]. None of its
    /// characters is a wildcard.
    pub fn contains(self, needle: impl Into<String>) -> Filter<D>
    where
        T: Comparable<Family: Textual>,
    {
        self.test(FieldTest::Text(TextTest::Contains, needle.into()))
    }

    /// Matches rows whose text begins with `needle`, as in [`str::starts_with`]. An index over the
    /// bytes of the column serves it.
    pub fn starts_with(self, needle: impl Into<String>) -> Filter<D>
    where
        T: Comparable<Family: Textual>,
    {
        self.test(FieldTest::Text(TextTest::StartsWith, needle.into()))
    }

    /// Matches rows whose text ends with `needle`, as in [`str::ends_with`].
    pub fn ends_with(self, needle: impl Into<String>) -> Filter<D>
    where
        T: Comparable<Family: Textual>,
    {
        self.test(FieldTest::Text(TextTest::EndsWith, needle.into()))
    }

    /// Matches rows whose field is visible and null.
    pub const fn is_null(self) -> Filter<D> {
        self.test(FieldTest::Null(true))
    }

    /// Matches rows whose field is visible and not null.
    pub const fn is_not_null(self) -> Filter<D> {
        self.test(FieldTest::Null(false))
    }

    /// Orders rows by this field, the lowest first. Nulls and hidden fields come last, by key.
    pub const fn asc(self) -> Order<D> {
        Order::new(OrderBy::Field(self.named_field()), Direction::Ascending)
    }

    /// Orders rows by this field, the highest first. Nulls and hidden fields come last, by key.
    pub const fn desc(self) -> Order<D> {
        Order::new(OrderBy::Field(self.named_field()), Direction::Descending)
    }

    fn compare(self, op: Op, value: &impl Comparand) -> Filter<D> {
        self.test(FieldTest::Compare(op, value.__value()))
    }

    const fn test(self, test: FieldTest) -> Filter<D> {
        Filter(
            Bounded::plain(Condition::Field {
                field: self.named_field(),
                test,
            }),
            PhantomData,
        )
    }

    pub(crate) const fn named_field(self) -> NamedField {
        NamedField {
            index: self.field,
            origin: self.origin,
        }
    }
}

impl<D, T> Clone for FieldName<D, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D, T> Copy for FieldName<D, T> {}

impl<D, T> fmt::Debug for FieldName<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FieldName").field(&self.field).finish()
    }
}

/// A condition on fields of the DTO `D`, made from its [`FieldName`]s.
///
/// It joins at most [`CONDITIONS`](crate::limits::CONDITIONS) of them,
/// [`CONDITION_DEPTH`](crate::limits::CONDITION_DEPTH) deep. A query that takes a larger one
/// [is not valid](crate::Error::is_invalid).
#[must_use = "a filter does nothing until a query takes it"]
pub struct Filter<D>(pub(crate) Bounded<Condition>, PhantomData<fn() -> D>);

/// A filter on fields of `D`, for [`Select::filter`](crate::repository::Select::filter).
#[diagnostic::on_unimplemented(
    message = "this is not a filter on fields of `{D}`",
    label = "not a `Filter<{D}>`",
    note = "name fields of the DTO, as in `Profile::NAME.eq(..)`",
    note = "a condition on a column of the entity, as `User::NAME.eq(..)`, is passed to `filter_column`"
)]
pub trait IntoFilter<D>: sealed::Sealed {
    #[doc(hidden)]
    fn __into_filter(self) -> Filter<D>;
}

impl<D> IntoFilter<D> for Filter<D> {
    fn __into_filter(self) -> Self {
        self
    }
}

mod sealed {
    pub trait Sealed {}

    impl<D> Sealed for super::Filter<D> {}
}

/// A field of a DTO, without the type of the DTO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedField {
    pub(crate) index: usize,
    pub(crate) origin: NameOrigin,
}

/// A condition that is not composed of others, without the type of its DTO.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Field {
        field: NamedField,
        test: FieldTest,
    },
    /// A test on a column of the entity.
    Column(ColumnTest),
    /// Some searchable text field of the DTO contains this text.
    Search(String),
    /// A row shown by this field fulfils a condition on the fields of its own DTO.
    Related {
        field: NamedField,
        condition: Box<Tree<Condition>>,
    },
}

impl<D> Filter<D> {
    pub(super) const fn of(condition: Bounded<Condition>) -> Self {
        Self(condition, PhantomData)
    }

    /// Combines both conditions with AND.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0), PhantomData)
    }

    /// Combines both conditions with OR.
    pub fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0), PhantomData)
    }
}

/// Negates the condition. A condition on a hidden or null field is unknown, and so is its opposite: the
/// row fulfils neither.
impl<D> std::ops::Not for Filter<D> {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.opposite(), PhantomData)
    }
}

impl<D> Clone for Filter<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<D> fmt::Debug for Filter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values stay out: they came from a caller and can be private.
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}

/// A field to order by; see [`FieldName::asc`].
#[derive(Debug)]
#[must_use = "an order does nothing until a query takes it"]
pub struct Order<D> {
    pub(crate) by: OrderBy,
    pub(crate) direction: Direction,
    dto: PhantomData<fn() -> D>,
}

impl<D> Clone for Order<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Order<D> {}

impl<D> Order<D> {
    pub(super) const fn new(by: OrderBy, direction: Direction) -> Self {
        Self {
            by,
            direction,
            dto: PhantomData,
        }
    }
}

/// The value by which an order sorts rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrderBy {
    Field(NamedField),
    /// The number of the rows that a field shows, or the lowest or highest value among one of their
    /// fields.
    Related {
        field: NamedField,
        found: Found,
        of: Option<NamedField>,
    },
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The lowest first.
    Ascending,
    /// The highest first.
    Descending,
}
