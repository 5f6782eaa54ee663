//! The run-time description of a DTO: its fields, their rules and their outputs.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::visibility::MAX_FIELDS;
use super::{Dto, Mask, Nested, ShapeSource, source};
use crate::entity::{Column, Entity};
use crate::error::{Error, Result};
use crate::policy::Rule;
use crate::schema::Scalar;

/// The fields of a DTO of entity `E`, each with its rules.
///
/// `#[derive(Dto)]` makes one. [`Shape::builder`] makes one from the same rules for a DTO that is
/// composed at run time; its rows are [`Record`](crate::dto::Record)s.
pub struct Shape<E: Entity> {
    id: u64,
    name: &'static str,
    fields: Vec<FieldSpec<E>>,
    /// For each field, the indices of the fields that its value would reveal.
    links: Vec<Vec<usize>>,
    mistake: Option<String>,
    reads: OnceLock<Reads>,
}

/// The circumstances, beside viewer and row, on which the rules of a shape depend.
#[derive(Debug, Clone, Copy)]
struct Reads {
    /// Set if a decision made before any row may differ from one instant to the next.
    time: bool,
    /// Set if a part of the rules runs in Rust, where it may read anything.
    anything: bool,
}

/// One field of a [`Shape`].
pub struct FieldSpec<E: Entity> {
    field: &'static str,
    key: &'static str,
    rules: Vec<Rule<E::Viewer, E>>,
    output: Output,
    source: ShapeSource<E::Viewer>,
}

/// The output in place of a hidden value.
///
/// It is exhaustive on purpose: adding a variant must break every consumer that writes outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The field has no rule and is never hidden.
    Shown,
    /// The key is omitted.
    Omit,
    /// Null.
    Null,
    /// The whole read is refused.
    Error,
    /// A part of the value, cut by the database.
    Mask(Mask),
    /// The result of an application function on the value, which leaves the database for that.
    MaskInProcess,
}

impl<E: Entity> Shape<E> {
    #[doc(hidden)]
    #[must_use]
    pub fn __new(name: &'static str, fields: Vec<FieldSpec<E>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let links = source::links(&fields);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            mistake: Self::found_mistake(name, &fields, &links),
            fields,
            links,
            reads: OnceLock::new(),
        }
    }

    /// Starts a shape that is built by hand; `name` identifies it in logs.
    pub const fn builder(name: &'static str) -> ShapeBuilder<E> {
        ShapeBuilder {
            name,
            fields: Vec::new(),
        }
    }

    /// Returns the identity of the shape within the process.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Returns the name of the DTO.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the names of the fields whose bits are set.
    pub(crate) fn marked(&self, bits: u128) -> impl Iterator<Item = &'static str> {
        let fields = self.fields.iter().enumerate();
        fields
            .filter(move |(index, _)| bits >> index & 1 == 1)
            .map(|(_, field)| field.field())
    }

    /// Returns the fields, in declaration order.
    #[must_use]
    pub fn fields(&self) -> &[FieldSpec<E>] {
        &self.fields
    }

    /// Reports the shape's mistake, if it has one.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] if the shape could be shown to no viewer.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.mistake {
            None => Ok(()),
            Some(mistake) => Err(Error::misuse(mistake.clone())),
        }
    }

    /// Returns the fields that this field's value would reveal: it is hidden if one of them is.
    pub(crate) fn told_by(&self, field: usize) -> impl Iterator<Item = &FieldSpec<E>> {
        let links = self.links.get(field).into_iter().flatten();
        links.filter_map(|index| self.fields.get(*index))
    }

    pub(super) fn links(&self) -> &[Vec<usize>] {
        &self.links
    }

    /// Returns the mistake in the shape's definition, one that does not depend on the viewer.
    pub(crate) fn mistake(&self) -> Option<&str> {
        self.mistake.as_deref()
    }

    /// Returns whether the DTO shows related rows.
    pub(crate) fn is_nested(&self) -> bool {
        self.fields
            .iter()
            .any(|field| matches!(field.source, ShapeSource::Related { .. }))
    }

    /// Returns whether a decision made before any row may differ from one instant to the next.
    pub(crate) fn reads_time(&self) -> bool {
        self.reads().time
    }

    /// Returns whether any result of the rules may differ from one instant to the next: also true if a
    /// part runs in Rust.
    pub(crate) fn may_read_time(&self) -> bool {
        let Reads { time, anything } = self.reads();
        time || anything
    }

    fn reads(&self) -> Reads {
        *self.reads.get_or_init(|| {
            let table = E::__table();
            let rows = table.rows().read.rules().iter();
            let fields = self.fields.iter().flat_map(FieldSpec::rules);
            let filters = table.filters().iter().flat_map(|(_, rules)| rules);
            let rules = || rows.clone().chain(fields.clone()).chain(filters.clone());
            Reads {
                time: rules().any(Rule::reads_time),
                anything: rules().any(Rule::is_opaque),
            }
        })
    }
}

impl<E: Entity> FieldSpec<E> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        field: &'static str,
        key: &'static str,
        rules: Vec<Rule<E::Viewer, E>>,
        output: Output,
    ) -> Self {
        Self {
            field,
            key,
            rules,
            output,
            source: ShapeSource::Column,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __computed(mut self, function: &'static str, inputs: Vec<&'static str>) -> Self {
        self.source = ShapeSource::Computed { function, inputs };
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub fn __related<N>(mut self, relation: &'static str) -> Self
    where
        N: Nested<Dto: Dto<Entity: Entity<Viewer = E::Viewer>>>,
    {
        self.source = ShapeSource::Related {
            relation,
            shown: source::ShownAs::of::<N::Dto>,
            across: source::across::<N::Dto>,
        };
        self
    }

    pub(crate) const fn source(&self) -> &ShapeSource<E::Viewer> {
        &self.source
    }

    /// Returns whether the field shows the column of its name.
    #[must_use]
    pub const fn is_column(&self) -> bool {
        matches!(self.source, ShapeSource::Column)
    }

    /// Returns the Rust name of the field, on the DTO and on its entity.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the key under which the field is serialised.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Returns the rules that must all allow the field; a field with none is always visible.
    #[must_use]
    pub fn rules(&self) -> &[Rule<E::Viewer, E>] {
        &self.rules
    }

    /// Returns the output in place of the field if it is hidden.
    #[must_use]
    pub const fn output(&self) -> Output {
        self.output
    }
}

/// A builder of [`Shape`]s at run time.
///
/// # Example
///
/// ```
/// # use clearance::{Entity, Viewer, rule};
/// # #[derive(Viewer)]
/// # struct Member { id: i64, team: Option<String> }
/// # #[derive(Entity)]
/// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
/// # struct User { #[entity(key)] id: i64, phone: Option<String>, team: Option<String> }
/// # #[rule]
/// # fn same_team(viewer: &Member, row: &User) -> bool { same(viewer.team, row.team) }
/// use clearance::dto::Shape;
///
/// let shape = Shape::<User>::builder("export")
///     .visible(User::ID)
///     .visible_if(User::PHONE, same_team())
///     .build()?;
/// assert_eq!(shape.fields().len(), 2);
/// # Ok::<_, clearance::Error>(())
/// ```
#[must_use = "a shape builder does nothing until `build`"]
pub struct ShapeBuilder<E: Entity> {
    name: &'static str,
    fields: Vec<FieldSpec<E>>,
}

impl<E: Entity> ShapeBuilder<E> {
    /// Adds a field that every viewer who can read the row may see.
    pub fn visible<T: Scalar, U>(self, column: Column<E, T, U>) -> Self {
        self.with(column, Vec::new(), Output::Shown)
    }

    /// Adds a field that is omitted unless `rule` allows it.
    pub fn visible_if<T: Scalar, U>(
        self,
        column: Column<E, T, U>,
        rule: Rule<E::Viewer, E>,
    ) -> Self {
        self.with(column, vec![rule], Output::Omit)
    }

    fn with<T: Scalar, U>(
        mut self,
        column: Column<E, T, U>,
        rules: Vec<Rule<E::Viewer, E>>,
        output: Output,
    ) -> Self {
        let field = column.field();
        self.fields
            .push(FieldSpec::__new(field, field, rules, output));
        self
    }

    /// Builds the shape.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] if it has no field, more than 128, or one of them twice.
    pub fn build(self) -> Result<std::sync::Arc<Shape<E>>> {
        if self.fields.is_empty() || self.fields.len() > MAX_FIELDS {
            return Err(Error::misuse("a shape has between 1 and 128 fields"));
        }
        for (index, field) in self.fields.iter().enumerate() {
            if self
                .fields
                .iter()
                .skip(index + 1)
                .any(|other| other.field == field.field)
            {
                return Err(Error::misuse(format!(
                    "the shape `{}` has the field `{}` twice",
                    self.name, field.field
                )));
            }
        }
        Ok(std::sync::Arc::new(Shape::__new(self.name, self.fields)))
    }
}

impl<E: Entity> fmt::Debug for Shape<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape")
            .field("name", &self.name)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for FieldSpec<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldSpec")
            .field("field", &self.field)
            .field("key", &self.key)
            .field("rules", &self.rules)
            .field("output", &self.output)
            .field("source", &self.source)
            .finish()
    }
}

impl<E: Entity> fmt::Debug for ShapeBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShapeBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
