//! Tokens of DTO fields that show related rows, with the filters and orders made from them.

use std::fmt;
use std::marker::PhantomData;

use super::field_name::{Condition, NameOrigin, NamedField, OrderBy};
use super::function::Found;
use super::{Direction, Dto, FieldName, Filter, Order};
use crate::bounded::Bounded;
use crate::schema::Comparable;
use crate::schema::family::Extremal;

/// The name of a `D` field that shows related rows as `C`, as a constant of `D`:
/// `PostView::COMMENTS`.
///
/// A filter or order sees only the related rows that this viewer could be shown there: rows that may
/// not be read do not count, and a row in which a field is hidden fulfils no condition on that field.
///
/// # Example
///
/// ```
/// # use clearance::{Dto, Entity, Viewer};
/// # #[derive(Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "posts", viewer = Member, rows = open, reason = "an example")]
/// # #[entity(has_many(comments: Comment, by = post_id))]
/// # struct Post { #[entity(key)] id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "comments", viewer = Member, rows = open, reason = "an example")]
/// # struct Comment { #[entity(key)] id: i64, post_id: i64, score: i64 }
/// #[derive(Dto)]
/// #[dto(entity = Comment, default = visible)]
/// struct CommentView { id: i64, score: i64 }
///
/// #[derive(Dto)]
/// #[dto(entity = Post, default = visible)]
/// struct PostView {
///     id: i64,
///     #[dto(related)]
///     comments: Vec<CommentView>,
/// }
///
/// // Posts with a comment of ten points, the one with the best comment first.
/// let query = PostView::select()
///     .filter(PostView::COMMENTS.exists(CommentView::SCORE.ge(10)))
///     .order(PostView::COMMENTS.max(CommentView::SCORE).desc())
///     .order(PostView::COMMENTS.count().desc());
/// # let _ = query;
/// ```
pub struct RelatedName<D, C> {
    field: usize,
    dtos: PhantomData<fn() -> (D, C)>,
}

impl<D: Dto, C: Dto> RelatedName<D, C> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(field: usize) -> Self {
        Self {
            field,
            dtos: PhantomData,
        }
    }

    /// Matches rows of which some related row fulfils `filter`. If a `belongs_to` leads to no row, this
    /// and its opposite are unknown.
    pub fn exists(self, filter: Filter<C>) -> Filter<D> {
        let field = self.named_field();
        Filter::of(filter.0.inside(|condition| Condition::Related {
            field,
            condition: Box::new(condition),
        }))
    }

    /// Matches rows of which every related row definitely fulfils `filter`, even if there is none.
    pub fn all(self, filter: Filter<C>) -> Filter<D> {
        !self.exists(!filter)
    }

    /// Matches rows without a related row, for a `has_many`. A `belongs_to` without one is unknown;
    /// test its own column for null instead.
    pub fn is_empty(self) -> Filter<D> {
        !self.exists(Filter::of(Bounded::always()))
    }

    /// Returns the number of related rows, to order by.
    pub const fn count(self) -> RelatedValue<D> {
        self.value(Found::Number, None)
    }

    /// Returns the lowest value of a field over the related rows in which it is visible, to order by.
    pub const fn min<T>(self, of: FieldName<C, T>) -> RelatedValue<D>
    where
        T: Comparable<Family: Extremal>,
    {
        self.value(Found::Lowest, Some(of.named_field()))
    }

    /// Returns the highest value of a field over the related rows in which it is visible, to order by.
    pub const fn max<T>(self, of: FieldName<C, T>) -> RelatedValue<D>
    where
        T: Comparable<Family: Extremal>,
    {
        self.value(Found::Highest, Some(of.named_field()))
    }

    const fn value(self, found: Found, of: Option<NamedField>) -> RelatedValue<D> {
        RelatedValue {
            field: self.named_field(),
            found,
            of,
            dto: PhantomData,
        }
    }

    const fn named_field(self) -> NamedField {
        NamedField {
            index: self.field,
            origin: NameOrigin::Code,
        }
    }
}

impl<D, C> Clone for RelatedName<D, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D, C> Copy for RelatedName<D, C> {}

impl<D, C> fmt::Debug for RelatedName<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RelatedName").field(&self.field).finish()
    }
}

/// A value computed over the related rows of each row; see [`RelatedName::count`].
#[derive(Debug)]
#[must_use = "a value does nothing until a query orders by it"]
pub struct RelatedValue<D> {
    field: NamedField,
    found: Found,
    of: Option<NamedField>,
    dto: PhantomData<fn() -> D>,
}

impl<D> Clone for RelatedValue<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for RelatedValue<D> {}

impl<D: Dto> RelatedValue<D> {
    /// Orders rows by this value, the lowest first. Rows without a value come last.
    pub const fn asc(self) -> Order<D> {
        self.order(Direction::Ascending)
    }

    /// Orders rows by this value, the highest first. Rows without a value come last.
    pub const fn desc(self) -> Order<D> {
        self.order(Direction::Descending)
    }

    const fn order(self, direction: Direction) -> Order<D> {
        let by = OrderBy::Related {
            field: self.field,
            found: self.found,
            of: self.of,
        };
        Order::new(by, direction)
    }
}
