//! The insides of the library from which the crate `clearance-matrix` is made: no public API.
//!
//! The crate is released in lock-step with this one and depends on exactly its version, so that what is here may
//! change with any release. Whatever the public API answers already is asked there.

use std::any::{Any, TypeId};

use crate::entity::RowAction;
use crate::error::Error;
use crate::policy::{Context, Op, explain, rule};
use crate::registry::check;
use crate::registry::{
    App, DatabaseSchema, EntityInfo, InputFieldInfo, InputInfo, MethodInfo, RuleInfo,
};
use crate::schema::{ColumnSpec, Relation, Schema};

pub use crate::input::settable::{Part, Settable};
pub use crate::registry::check::{Index, TableSchema};
pub use crate::registry::{Decide, DtoEntry, EntityEntry, InputEntry};

/// Returns each entity of the application once, with its rules.
#[must_use]
pub fn entity_entries<V>(app: &App<V>) -> Vec<EntityEntry<V>> {
    app.entity_entries()
}

/// Returns each DTO of the application, with its rules.
#[must_use]
pub fn dto_entries<V>(app: &App<V>) -> Vec<DtoEntry<V>> {
    app.dto_entries()
}

/// Returns each input type of the application, with its rules.
#[must_use]
pub fn input_entries<V>(app: &App<V>) -> Vec<InputEntry<V>> {
    app.input_entries()
}

/// Returns the type of the entity.
#[must_use]
pub const fn entity_id(entity: &EntityInfo) -> TypeId {
    entity.id()
}

/// Evaluates the condition of a method for `viewer`; `None` if that requires more than the viewer.
#[must_use]
pub fn allows(method: &MethodInfo, viewer: &dyn Any, context: &Context) -> Option<bool> {
    method.allows(viewer, context)
}

/// Returns the distinct fields of the row itself that the rule names, as the row is or as it was.
#[must_use]
pub fn fields(rule: &RuleInfo, schema: &'static Schema) -> Vec<&'static str> {
    let named = rule.named(schema).into_iter();
    let mut own: Vec<_> = named
        .filter(|(table, _)| std::ptr::eq(*table, schema))
        .filter_map(|(_, field)| schema.place(field))
        .map(|(_, column)| column.field())
        .collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// Returns the index of the key among the columns.
#[must_use]
pub const fn key(schema: &Schema) -> usize {
    schema.key()
}

/// Returns the column of a field that a rule names, of the row as it is or as it was.
#[must_use]
pub fn named<'a>(schema: &'a Schema, field: &str) -> Option<&'a ColumnSpec> {
    schema.place(field).map(|(_, column)| column)
}

/// Returns the column at a place of a residual, and whether it belongs to the row as it was.
#[must_use]
pub fn at(schema: &Schema, place: usize) -> Option<(&ColumnSpec, bool)> {
    schema.at(place)
}

/// Returns the columns that a relation of `own` requires to be equal: theirs, and its own. None if a name is
/// no field of its table.
#[must_use]
pub fn pairs<'a>(relation: &Relation, own: &'a Schema) -> Vec<(&'a ColumnSpec, &'a ColumnSpec)> {
    let target = relation.target();
    let pairs = relation.pairs(own).unwrap_or_default().into_iter();
    pairs
        .filter_map(|pair| Some((target.column(pair.theirs)?, own.column(pair.own)?)))
        .collect()
}

/// Returns the attribute that states the rule of the action.
#[must_use]
pub const fn attribute(action: RowAction) -> &'static str {
    action.rule()
}

/// Returns the operator as Rust writes it.
#[must_use]
pub const fn symbol(op: Op) -> &'static str {
    explain::symbol(op)
}

/// Returns `file:line` of any item, the same on every machine.
#[must_use]
pub fn place(file: &str, line: u32) -> String {
    rule::place(file, line)
}

/// Returns the indexes and collations of a table, if the database has it.
#[must_use]
pub fn table<'a>(schema: &'a DatabaseSchema, name: &str) -> Option<&'a TableSchema> {
    schema.table(name)
}

/// Returns the fields of an input type that set a foreign key of its table without a relation, each with the
/// table referred to.
pub fn unchecked<'a>(
    input: &'a InputInfo,
    table: &'a TableSchema,
) -> impl Iterator<Item = (&'a InputFieldInfo, &'a str)> {
    let unchecked = check::unchecked(input, &table.foreign_keys).into_iter();
    unchecked.map(|found| (found.field, found.table))
}

/// Builds the error of a mistake in the application.
#[must_use]
pub fn configuration(advice: String) -> Error {
    Error::configuration(advice)
}

/// Builds the error of a mistake in the library.
#[must_use]
pub fn internal(what: &'static str) -> Error {
    Error::internal(what)
}
