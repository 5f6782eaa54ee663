//! The run-time description of an input type: its fields, their rules and its presets.

use std::fmt;
use std::marker::PhantomData;

use super::Assign;
use crate::dto::{Dto, FieldName, FieldSpec, Shape};
use crate::entity::{Assignable, Column, Entity, RowAction};
use crate::policy::{Context, Rule, Source};
use crate::schema::{Relation, Storable, Value};

/// The fields of an input type, their rules, and the presets.
pub struct InputShape<E: Entity> {
    name: &'static str,
    /// The operation: creation or update.
    action: RowAction,
    fields: Vec<InputField<E>>,
    presets: Vec<Preset<E>>,
    reads: Option<&'static Shape<E>>,
}

/// One field of an input type.
pub struct InputField<E: Entity> {
    field: &'static str,
    json: &'static str,
    /// Set if the field is written to the column of its name.
    stored: bool,
    rules: Vec<Rule<E::Viewer, E>>,
    /// The index of the DTO field whose rule must show the value to be replaced; `None` if the field is
    /// blind, and in a new row.
    shown_by: Option<usize>,
    /// The reason why the field may refer to rows that its viewer may not read; `None` if it may not.
    any_row: Option<&'static str>,
}

/// A value that the program sets, regardless of the body.
pub struct Preset<E: Entity> {
    field: &'static str,
    source: Source,
    value: PresetValue<E>,
}

enum PresetValue<E: Entity> {
    Viewer(OfViewer<E::Viewer>),
    Circumstances(Box<dyn Fn(&Context) -> Value + Send + Sync>),
}

type OfViewer<V> = Box<dyn Fn(&V, &Context) -> Value + Send + Sync>;

impl<E: Entity> InputShape<E> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        name: &'static str,
        action: RowAction,
        fields: Vec<InputField<E>>,
        presets: Vec<Preset<E>>,
    ) -> Self {
        Self {
            name,
            action,
            fields,
            presets,
            reads: None,
        }
    }

    /// Sets the DTO whose rules decide which of the row may be read.
    #[doc(hidden)]
    #[must_use]
    pub fn __reads<D: Dto<Entity = E>>(mut self) -> Self {
        self.reads = Some(D::__shape());
        self
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn action(&self) -> RowAction {
        self.action
    }

    pub(crate) fn fields(&self) -> &[InputField<E>] {
        &self.fields
    }

    pub(crate) fn presets(&self) -> &[Preset<E>] {
        &self.presets
    }

    pub(crate) const fn reads(&self) -> Option<&'static Shape<E>> {
        self.reads
    }

    /// Returns the field of the DTO that shows the column of `field`.
    pub(crate) fn read(&self, field: &InputField<E>) -> Option<&'static FieldSpec<E>> {
        let mut shown = self.reads?.fields().iter();
        shown.find(|spec| field.stored && spec.is_column() && spec.field() == field.field)
    }

    /// Returns the field of the DTO that must be visible for `field` to be set.
    pub(crate) fn shown(&self, field: &InputField<E>) -> Option<&'static FieldSpec<E>> {
        self.reads?.fields().get(field.shown_by?)
    }
}

impl<E: Entity> InputField<E> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(
        field: &'static str,
        json: &'static str,
        rules: Vec<Rule<E::Viewer, E>>,
    ) -> Self {
        Self {
            field,
            json,
            stored: true,
            rules,
            shown_by: None,
            any_row: None,
        }
    }

    /// Marks the field as passed to the repository and not written.
    #[doc(hidden)]
    #[must_use]
    pub fn __unstored(mut self) -> Self {
        self.stored = false;
        self
    }

    /// Restricts the field to rows in which this field of the DTO is visible.
    #[doc(hidden)]
    #[must_use]
    pub const fn __shown_by(mut self, field: usize) -> Self {
        self.shown_by = Some(field);
        self
    }

    /// Allows the field to refer to any row, for this reason.
    #[doc(hidden)]
    #[must_use]
    pub const fn __any_row(mut self, reason: &'static str) -> Self {
        self.any_row = Some(reason);
        self
    }

    pub(crate) const fn field(&self) -> &'static str {
        self.field
    }

    pub(crate) const fn json(&self) -> &'static str {
        self.json
    }

    pub(crate) const fn is_stored(&self) -> bool {
        self.stored
    }

    pub(crate) fn rules(&self) -> &[Rule<E::Viewer, E>] {
        &self.rules
    }

    pub(crate) const fn shown_by(&self) -> Option<usize> {
        self.shown_by
    }

    pub(crate) const fn any_row(&self) -> Option<&'static str> {
        self.any_row
    }

    /// Returns the relations that the field sets: each leads to the one row with the given key.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &'static Relation> {
        let relations = E::__table().relations().iter();
        let field = Some(self.field).filter(|_| self.stored);
        relations.filter(move |relation| field.is_some() && relation.own_key() == field)
    }

    /// Returns those relations whose row the viewer must be able to read in order to refer to it.
    pub(crate) fn checked_relations(&self) -> impl Iterator<Item = &'static Relation> {
        let checked = self.any_row.is_none();
        self.relations().filter(move |_| checked)
    }
}

impl<E: Entity> Preset<E> {
    /// Makes a preset that is computed from the viewer.
    #[doc(hidden)]
    #[must_use]
    pub fn __viewer<T: Storable + 'static>(
        column: NamedColumn<E, T>,
        source: Source,
        value: fn(&E::Viewer, &Context) -> T,
    ) -> Self {
        Self {
            field: column.field,
            source,
            value: PresetValue::Viewer(Box::new(move |viewer, context| {
                value(viewer, context).cell().into_value()
            })),
        }
    }

    /// Makes a preset that needs no viewer.
    #[doc(hidden)]
    #[must_use]
    pub fn __circumstances<T: Storable + 'static>(
        column: NamedColumn<E, T>,
        source: Source,
        value: fn(&Context) -> T,
    ) -> Self {
        Self {
            field: column.field,
            source,
            value: PresetValue::Circumstances(Box::new(move |context| {
                value(context).cell().into_value()
            })),
        }
    }

    pub(crate) const fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the expression of the value, and its place in the source.
    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    /// Returns whether the value is computed from the viewer.
    pub(crate) const fn needs_viewer(&self) -> bool {
        matches!(self.value, PresetValue::Viewer(_))
    }

    /// Computes the value; `None` if it needs a viewer and there is none.
    pub(crate) fn value(&self, viewer: Option<&E::Viewer>, context: &Context) -> Option<Value> {
        match &self.value {
            PresetValue::Viewer(value) => viewer.map(|viewer| value(viewer, context)),
            PresetValue::Circumstances(value) => Some(value(context)),
        }
    }
}

/// A type of input field that can be assigned to a column of type `T`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` does not fit a column of type `{T}`",
    label = "the column of this name has another type",
    note = "write `{T}` where the client must send it, or `Assign<{T}>` where it may be absent"
)]
pub trait Assigned<T> {
    #[doc(hidden)]
    fn __assigned(&self) -> Option<Value>;
}

impl<T: Storable> Assigned<T> for T {
    fn __assigned(&self) -> Option<Value> {
        Some(self.cell().into_value())
    }
}

impl<T: Storable> Assigned<T> for Assign<T> {
    fn __assigned(&self) -> Option<Value> {
        self.value().map(|value| value.cell().into_value())
    }
}

/// The column that shares its name with a field of an input type.
#[diagnostic::on_unimplemented(
    message = "`{E}` has no field of this name",
    label = "not a field of `{E}`",
    note = "a field of an input type has the name of the field that it writes; `#[serde(rename = \"..\")]` names it in JSON",
    note = "mark a field that only the repository reads with `#[unstored]`"
)]
pub trait ColumnOf<E> {
    #[doc(hidden)]
    type Value;

    #[doc(hidden)]
    fn __field(&self) -> &'static str;
}

impl<E: Entity, T, U> ColumnOf<E> for Column<E, T, U> {
    type Value = T;

    fn __field(&self) -> &'static str {
        self.field()
    }
}

/// The stand-in for a column in an entity that has none of that name.
#[derive(Debug)]
pub struct NoColumn;

/// A column of `E` that holds a `T`.
#[derive(Debug)]
pub struct NamedColumn<E, T> {
    field: &'static str,
    of: PhantomData<fn() -> (E, T)>,
}

/// Returns the column, with the type of its value.
pub fn column_of<E: Entity, C: ColumnOf<E>>(column: C) -> NamedColumn<E, C::Value> {
    NamedColumn {
        field: column.__field(),
        of: PhantomData,
    }
}

/// Returns the value that the field assigns to its column.
pub fn assigned<E: Entity, C: ColumnOf<E>>(_: C, field: &impl Assigned<C::Value>) -> Option<Value> {
    field.__assigned()
}

/// A column that can be changed after its row was created. A missing column is reported by
/// [`ColumnOf`].
pub trait Changeable {}

impl<E, T, U: Assignable> Changeable for Column<E, T, U> {}

impl Changeable for NoColumn {}

/// Refuses, at compile time, the key of a row.
pub fn assignable(_: impl Changeable) {}

/// The name under which a DTO shows a field to queries.
#[diagnostic::on_unimplemented(
    message = "`{D}` has no rule for this field that a statement can evaluate",
    label = "no field of this name in `{D}` that a statement can evaluate",
    note = "add the field to `{D}`, as a column that is neither masked nor under an `opaque` rule",
    note = "or write `#[writable(blind)]`, if a viewer who may not see it may overwrite it"
)]
pub trait ShownBy<D> {
    #[doc(hidden)]
    fn __index(&self) -> usize;
}

impl<D: Dto, T> ShownBy<D> for FieldName<D, T> {
    fn __index(&self) -> usize {
        self.index()
    }
}

/// The stand-in for the name of a field that the DTO does not have.
#[derive(Debug)]
pub struct NotShown;

/// Returns the index of a field in its DTO.
pub fn shown_by<D: Dto>(field: impl ShownBy<D>) -> usize {
    field.__index()
}

impl<E: Entity> fmt::Debug for InputShape<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputShape")
            .field("name", &self.name)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for InputField<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputField")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for Preset<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preset")
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}
