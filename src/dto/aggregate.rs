//! Aggregates of DTO fields (counts, sums, minima, maxima, means), grouping and `HAVING` conditions.

use std::fmt;
use std::marker::PhantomData;

use super::field_name::{Condition, NamedField};
use super::function::{Aggregated, Function};
use super::{Dto, FieldName, Filter};
use crate::bounded::{Bounded, Tree};
use crate::error::{Error, Result};
use crate::policy::{Op, compare_values};
use crate::schema::family::{Extremal, Numeric};
use crate::schema::{Comparable, Comparand, Value};

/// A count, sum, minimum, maximum or mean of a field of the DTO `D`, returned as a `T`.
///
/// It is computed over the cells that the viewer may see. A hidden cell counts only in
/// [`Aggregate::rows`], which counts rows; null cells count nowhere else either.
///
/// # Example
///
/// ```
/// # use clearance::{Db, Dto, Entity, Result, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, points: i64 }
/// # #[derive(Dto)]
/// # #[dto(entity = User, default = visible)]
/// # struct Profile { id: i64, points: i64 }
/// use clearance::{Access, Read};
///
/// async fn points(db: &Db) -> Result<(u64, Option<i128>)> {
///     let access = Access::<Read<Member>>::authenticated().await?;
///     let wanted = (Profile::POINTS.count(), Profile::POINTS.sum());
///     db.reader(&access).aggregate(Profile::select(), wanted).await
/// }
/// ```
#[must_use = "an aggregate does nothing until a reader runs it"]
pub struct Aggregate<D, T> {
    pub(crate) asked: AggregateSpec,
    marker: Marker<D, T>,
}

/// Ties an aggregate to its types without holding any of them.
type Marker<D, T> = PhantomData<fn() -> (D, T)>;

/// An aggregate without its types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AggregateSpec {
    pub(crate) function: Function,
    pub(crate) field: Option<NamedField>,
    pub(crate) filter: Option<Bounded<Condition>>,
}

impl<D: Dto, T> FieldName<D, T> {
    /// Counts the rows in which this field is visible and not null.
    pub const fn count(self) -> Aggregate<D, u64> {
        Aggregate::new(Function::Count, Some(self.named_field()))
    }

    /// Counts the distinct visible values of this field, compared byte by byte.
    pub const fn count_distinct(self) -> Aggregate<D, u64> {
        Aggregate::new(Function::CountDistinct, Some(self.named_field()))
    }

    /// Sums the visible integers; `None` if there are none. The sum is exact and wide enough for every
    /// table, so that no row can make it overflow and fail for those who read the others.
    pub const fn sum(self) -> Aggregate<D, Option<i128>>
    where
        T: Comparable<Family: Numeric>,
    {
        Aggregate::new(Function::Sum, Some(self.named_field()))
    }

    /// Averages the visible integers; `None` if there are none.
    pub const fn avg(self) -> Aggregate<D, Option<f64>>
    where
        T: Comparable<Family: Numeric>,
    {
        Aggregate::new(Function::Average, Some(self.named_field()))
    }

    /// Returns the minimum of the visible integers, instants or texts; [`Value::Null`] if there are
    /// none. Text is compared byte by byte.
    pub const fn min(self) -> Aggregate<D, Value>
    where
        T: Comparable<Family: Extremal>,
    {
        Aggregate::new(Function::Min, Some(self.named_field()))
    }

    /// Returns the maximum of the visible integers, instants or texts; [`Value::Null`] if there are
    /// none.
    pub const fn max(self) -> Aggregate<D, Value>
    where
        T: Comparable<Family: Extremal>,
    {
        Aggregate::new(Function::Max, Some(self.named_field()))
    }
}

impl<D: Dto> Aggregate<D, u64> {
    /// Counts all rows that may be read, regardless of which fields are visible.
    pub const fn rows() -> Self {
        Self::new(Function::Rows, None)
    }
}

impl<D, T> Aggregate<D, T> {
    const fn new(function: Function, field: Option<NamedField>) -> Self {
        Self {
            asked: AggregateSpec {
                function,
                field,
                filter: None,
            },
            marker: PhantomData,
        }
    }

    /// Restricts the aggregate to rows that fulfil `filter`. [`Aggregate::rows`] accepts no filter:
    /// count the key instead.
    pub fn filter(mut self, filter: Filter<D>) -> Self {
        self.asked.filter = Some(match self.asked.filter {
            None => filter.0,
            Some(before) => before.and(filter.0),
        });
        self
    }

    /// Matches groups in which the aggregate equals `value`.
    pub fn eq(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Eq, &value)
    }

    /// Matches groups in which the aggregate differs from `value`.
    pub fn ne(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Ne, &value)
    }

    /// Matches groups in which the aggregate is less than `value`.
    pub fn lt(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Lt, &value)
    }

    /// Matches groups in which the aggregate is at most `value`.
    pub fn le(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Le, &value)
    }

    /// Matches groups in which the aggregate is greater than `value`.
    pub fn gt(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Gt, &value)
    }

    /// Matches groups in which the aggregate is at least `value`.
    pub fn ge(self, value: impl Comparand) -> Having<D> {
        self.compare(Op::Ge, &value)
    }

    fn compare(self, op: Op, value: &impl Comparand) -> Having<D> {
        let test = HavingTest {
            aggregate: self.asked,
            op,
            value: value.__value(),
        };
        Having(Bounded::plain(test), PhantomData)
    }
}

/// A condition on the aggregates of a group (SQL's `HAVING`), made from [`Aggregate`]s. An aggregate
/// over no visible cell is unknown: it fulfils neither a condition nor its opposite.
///
/// It has the same size limits as a [`Filter`].
#[must_use = "a condition does nothing until groups take it"]
pub struct Having<D>(pub(crate) Bounded<HavingTest>, PhantomData<fn() -> D>);

/// The comparison of an aggregate of a group, without the type of its DTO.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HavingTest {
    aggregate: AggregateSpec,
    op: Op,
    value: Value,
}

impl<D> Having<D> {
    /// Combines both conditions with AND.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0), PhantomData)
    }

    /// Combines both conditions with OR.
    pub fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0), PhantomData)
    }
}

impl<D> std::ops::Not for Having<D> {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.opposite(), PhantomData)
    }
}

impl Tree<HavingTest> {
    /// Collects the aggregates that the condition compares, in the order in which [`Tree::holds`]
    /// consumes their answers.
    pub(crate) fn asked<'a>(&'a self, asked: &mut Vec<&'a AggregateSpec>) {
        match self {
            Self::Plain(test) => asked.push(&test.aggregate),
            Self::Not(inner) => inner.asked(asked),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.asked(asked);
                }
            }
        }
    }

    /// Evaluates the condition; `None` if the result is unknown. Every part is evaluated even after the
    /// result is known, because each must consume its own answer.
    pub(crate) fn holds(
        &self,
        answers: &mut impl Iterator<Item = Aggregated>,
    ) -> Result<Option<bool>> {
        match self {
            Self::Plain(test) => compare(&next(answers)?, test.op, &test.value),
            Self::Not(inner) => Ok(inner.holds(answers)?.map(|holds| !holds)),
            Self::All(parts) => join(parts, answers, false),
            Self::Any(parts) => join(parts, answers, true),
        }
    }
}

/// Kleene's AND if `deciding` is false, his OR if it is true.
fn join(
    parts: &[Tree<HavingTest>],
    answers: &mut impl Iterator<Item = Aggregated>,
    deciding: bool,
) -> Result<Option<bool>> {
    let mut joined = Some(!deciding);
    for part in parts {
        let holds = part.holds(answers)?;
        joined = match (joined, holds) {
            (Some(known), _) if known == deciding => Some(deciding),
            (_, Some(known)) if known == deciding => Some(deciding),
            (Some(_), Some(_)) => Some(!deciding),
            (None, _) | (_, None) => None,
        };
    }
    Ok(joined)
}

fn compare(answer: &Aggregated, op: Op, value: &Value) -> Result<Option<bool>> {
    let wrong = || Error::misuse("a condition on a group compares values of different kinds");
    if *value == Value::Null {
        return Ok(None);
    }
    let integer = || match value {
        Value::Int(value) => Ok(i128::from(*value)),
        Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Uuid(_)
        | Value::Timestamp(_) => Err(wrong()),
    };
    let ordering = match answer {
        Aggregated::Count(count) => Some(i128::from(*count).cmp(&integer()?)),
        Aggregated::Sum(sum) => {
            let integer = integer()?;
            sum.map(|sum| sum.cmp(&integer))
        }
        Aggregated::Average(average) => {
            let integer = integer()?;
            // The number of rows is far below 2^63, so nothing overflows.
            average.map(|(sum, count)| sum.cmp(&integer.saturating_mul(count.into())))
        }
        Aggregated::Value(found) => compare_values(found, value).map_err(|_| wrong())?,
    };
    Ok(ordering.map(|ordering| op.holds(ordering)))
}

pub(crate) fn next(answers: &mut impl Iterator<Item = Aggregated>) -> Result<Aggregated> {
    answers
        .next()
        .ok_or_else(|| Error::internal("an aggregate returned no result"))
}

/// The Rust type of an [`Aggregate`]'s result: `u64`, `Option<i128>`, `Option<f64>` or [`Value`].
pub trait AggregateValue: sealed::Sealed + Sized {
    #[doc(hidden)]
    fn __outcome(answer: sealed::AggregateAnswer) -> Result<Self>;
}

const OTHER: &str = "an aggregate returned another kind of value";

impl AggregateValue for u64 {
    fn __outcome(answer: sealed::AggregateAnswer) -> Result<Self> {
        match answer.0 {
            Aggregated::Count(count) => Ok(count),
            Aggregated::Sum(_) | Aggregated::Average(_) | Aggregated::Value(_) => {
                Err(Error::internal(OTHER))
            }
        }
    }
}

impl AggregateValue for Option<i128> {
    fn __outcome(answer: sealed::AggregateAnswer) -> Result<Self> {
        match answer.0 {
            Aggregated::Sum(sum) => Ok(sum),
            Aggregated::Count(_) | Aggregated::Average(_) | Aggregated::Value(_) => {
                Err(Error::internal(OTHER))
            }
        }
    }
}

impl AggregateValue for Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "a mean is a rounded number"
    )]
    fn __outcome(answer: sealed::AggregateAnswer) -> Result<Self> {
        match answer.0 {
            Aggregated::Average(average) => {
                Ok(average.map(|(sum, count)| sum as f64 / count as f64))
            }
            Aggregated::Count(_) | Aggregated::Sum(_) | Aggregated::Value(_) => {
                Err(Error::internal(OTHER))
            }
        }
    }
}

impl AggregateValue for Value {
    fn __outcome(answer: sealed::AggregateAnswer) -> Result<Self> {
        match answer.0 {
            Aggregated::Value(value) => Ok(value),
            Aggregated::Count(_) | Aggregated::Sum(_) | Aggregated::Average(_) => {
                Err(Error::internal(OTHER))
            }
        }
    }
}

/// One [`Aggregate`] or a tuple of up to four, computed in one statement.
pub trait Aggregates<D>: sealed::Sealed + Sized {
    /// The type of the results.
    type Output;

    #[doc(hidden)]
    fn __asked(&self) -> sealed::AggregateSpecs;

    #[doc(hidden)]
    fn __read(answers: &mut sealed::AggregateAnswers<'_>) -> Result<Self::Output>;
}

impl<D: Dto, T: AggregateValue> Aggregates<D> for Aggregate<D, T> {
    type Output = T;

    fn __asked(&self) -> sealed::AggregateSpecs {
        sealed::AggregateSpecs(vec![self.asked.clone()])
    }

    fn __read(answers: &mut sealed::AggregateAnswers<'_>) -> Result<T> {
        T::__outcome(sealed::AggregateAnswer(next(&mut answers.0)?))
    }
}

/// No aggregate, only the group keys.
impl<D: Dto> Aggregates<D> for () {
    type Output = ();

    fn __asked(&self) -> sealed::AggregateSpecs {
        sealed::AggregateSpecs(Vec::new())
    }

    fn __read(_: &mut sealed::AggregateAnswers<'_>) -> Result<()> {
        Ok(())
    }
}

macro_rules! tuples {
    ($(($($name:ident),*);)*) => {$(
        impl<D: Dto, $($name: AggregateValue),*> Aggregates<D> for ($(Aggregate<D, $name>,)*) {
            type Output = ($($name,)*);

            #[expect(non_snake_case, reason = "each is named as its type")]
            fn __asked(&self) -> sealed::AggregateSpecs {
                let ($($name,)*) = self;
                sealed::AggregateSpecs(vec![$($name.asked.clone()),*])
            }

            fn __read(answers: &mut sealed::AggregateAnswers<'_>) -> Result<Self::Output> {
                Ok(($($name::__outcome(sealed::AggregateAnswer(next(&mut answers.0)?))?,)*))
            }
        }

        impl<D, $($name),*> sealed::Sealed for ($(Aggregate<D, $name>,)*) {}
    )*};
}

tuples! {
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, E);
}

pub(crate) mod sealed {
    pub trait Sealed {}

    /// The requested aggregates, sealed against other crates.
    #[derive(Debug)]
    pub struct AggregateSpecs(pub(crate) Vec<super::AggregateSpec>);

    /// An answer, sealed against other crates.
    #[derive(Debug)]
    pub struct AggregateAnswer(pub(crate) super::Aggregated);

    /// The answers, in the order of the requested aggregates.
    pub struct AggregateAnswers<'a>(
        pub(crate) &'a mut (dyn Iterator<Item = super::Aggregated> + 'a),
    );

    impl Sealed for u64 {}
    impl Sealed for Option<i128> {}
    impl Sealed for Option<f64> {}
    impl Sealed for super::Value {}
    impl Sealed for () {}
    impl<D, T> Sealed for super::Aggregate<D, T> {}
}

/// The fields to group rows by, with an optional `HAVING` condition; see
/// [`Reader::groups`](crate::repository::Reader::groups).
#[must_use = "groups do nothing until a reader reads them"]
pub struct Grouping<D> {
    pub(crate) keys: Vec<FieldName<D>>,
    pub(crate) having: Option<Bounded<HavingTest>>,
}

impl<D: Dto> Grouping<D> {
    /// Groups by the values of these fields, compared byte by byte.
    pub fn by<T>(fields: impl IntoIterator<Item = FieldName<D, T>>) -> Self {
        Self {
            keys: fields.into_iter().map(FieldName::untyped).collect(),
            having: None,
        }
    }

    /// Keeps only groups that fulfil `having`. Several conditions must all hold.
    pub fn having(mut self, having: Having<D>) -> Self {
        self.having = Some(match self.having {
            None => having.0,
            Some(before) => before.and(having.0),
        });
        self
    }
}

impl<D: Dto, T, const N: usize> From<[FieldName<D, T>; N]> for Grouping<D> {
    fn from(fields: [FieldName<D, T>; N]) -> Self {
        Self::by(fields)
    }
}

impl<D: Dto, T> From<FieldName<D, T>> for Grouping<D> {
    fn from(field: FieldName<D, T>) -> Self {
        Self::by([field])
    }
}

impl<D: Dto, A, B> From<(FieldName<D, A>, FieldName<D, B>)> for Grouping<D> {
    fn from((a, b): (FieldName<D, A>, FieldName<D, B>)) -> Self {
        Self::by([a.untyped(), b.untyped()])
    }
}

impl<D: Dto, A, B, C> From<(FieldName<D, A>, FieldName<D, B>, FieldName<D, C>)> for Grouping<D> {
    fn from((a, b, c): (FieldName<D, A>, FieldName<D, B>, FieldName<D, C>)) -> Self {
        Self::by([a.untyped(), b.untyped(), c.untyped()])
    }
}

impl<D, T> Clone for Aggregate<D, T> {
    fn clone(&self) -> Self {
        Self {
            asked: self.asked.clone(),
            marker: PhantomData,
        }
    }
}

impl<D> Clone for Having<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<D> Clone for Grouping<D> {
    fn clone(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            having: self.having.clone(),
        }
    }
}

impl<D, T> fmt::Debug for Aggregate<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregate")
            .field("function", &self.asked.function)
            .finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for Having<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values stay out: they came from a caller and can be private.
        f.debug_struct("Having").finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for Grouping<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouping").finish_non_exhaustive()
    }
}
