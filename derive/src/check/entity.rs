//! Checks of entities: table, viewer, key, row rules, filters and relations.

use syn::{LitStr, Type};

use super::one_constant_each;
use crate::diag::Diag;
use crate::rule::{Place, Rule};
use crate::syntax::entity::{Join, Operation, RawColumn, RawEntity};
use crate::syntax::plain_name;

/// An entity that passed the checks.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) table: LitStr,
    pub(crate) viewer: Type,
    /// The index of the key among the columns.
    pub(crate) key: usize,
    pub(crate) tenant: Vec<Rule>,
    pub(crate) read: Rows,
    pub(crate) create: Rows,
    pub(crate) update: Rows,
    /// The rows that an update may produce, if declared.
    pub(crate) updated: Option<Rows>,
    pub(crate) delete: Rows,
    /// The columns that may be filtered by, each with its rules.
    pub(crate) filters: Vec<(usize, Vec<Rule>)>,
}

/// The rows that an operation may touch.
///
/// The tenant's rules apply to every operation, so they are kept apart from these.
#[derive(Debug)]
pub(crate) enum Rows {
    Denied,
    Open(LitStr),
    Rules(Vec<Rule>),
}

/// Checks an entity. Returns `None` if there is an error; every error is reported.
pub(crate) fn check(raw: &mut RawEntity, diag: &mut Diag) -> Option<Entity> {
    column_attributes(raw, diag);
    let table = table(raw, diag);
    let viewer = viewer(raw, diag);
    let key = one_key(raw, diag);
    let open = open_rows(raw, diag);
    stated_rows(raw, diag);

    relations(raw, diag);

    let mut tenant = Vec::new();
    let (mut read, mut create, mut update, mut delete) = (vec![], vec![], vec![], vec![]);
    let mut updated = Vec::new();
    for rule in std::mem::take(&mut raw.rules) {
        let place = match rule.operation {
            Operation::Updated => Place::Updated,
            Operation::Any
            | Operation::Read
            | Operation::Create
            | Operation::Update
            | Operation::Delete => Place::Row,
        };
        if let Some(checked) = rule.rule.check(place, diag) {
            match rule.operation {
                Operation::Any => tenant.push(checked),
                Operation::Read => read.push(checked),
                Operation::Create => create.push(checked),
                Operation::Update => update.push(checked),
                Operation::Updated => updated.push(checked),
                Operation::Delete => delete.push(checked),
            }
        }
    }
    let filters = filters(raw, diag);
    if !diag.is_clean() {
        return None;
    }
    let rows = |rules: Vec<Rule>| {
        if rules.is_empty() {
            Rows::Denied
        } else {
            Rows::Rules(rules)
        }
    };
    Some(Entity {
        table: table?,
        viewer: viewer?,
        key: key?,
        tenant,
        read: open.map_or_else(|| rows(read), Rows::Open),
        create: rows(create),
        update: rows(update),
        updated: (!updated.is_empty()).then_some(Rows::Rules(updated)),
        delete: rows(delete),
        filters,
    })
}

/// ```text
/// #[entity(lookup, filter_if(..))]
/// #[entity(key, filter_if(..))]
/// ```
fn filters(raw: &mut RawEntity, diag: &mut Diag) -> Vec<(usize, Vec<Rule>)> {
    let mut filters = Vec::new();
    for (index, field) in raw.fields.iter_mut().enumerate() {
        let mut rules = Vec::new();
        for (key, rule) in std::mem::take(&mut field.filters) {
            if field.key.is_some() || field.lookup.is_some() {
                diag.error(
                    &key,
                    "a column that everybody can look up cannot have a rule for filters",
                    "keep one of the two: a key, `lookup`, or a rule for filters",
                );
            }
            let Some(rule) = rule.check(Place::Row, diag) else {
                continue;
            };
            rules.push(rule);
        }
        if !rules.is_empty() {
            filters.push((index, rules));
        }
    }
    filters
}

/// `#[entity(viewer = Member, ..)]`, `#[entity(table = "", ..)]`
fn table(raw: &RawEntity, diag: &mut Diag) -> Option<LitStr> {
    match &raw.table {
        Some(table) if table.value().trim().is_empty() => {
            diag.error(table, "the table has no name", "name it as in the database");
            None
        }
        Some(table) if table.value().contains('.') => {
            diag.error(
                table,
                "the table is named with its schema, which is not supported yet",
                "write the table's name alone, and make the connection use that schema, for example with `search_path`",
            );
            None
        }
        Some(table) => Some(table.clone()),
        None if raw.unread => None,
        None => {
            diag.error(
                &raw.ident,
                "the entity does not say its table",
                "add `#[entity(table = \"..\")]`",
            );
            None
        }
    }
}

/// `#[entity(table = "users", ..)]`
fn viewer(raw: &RawEntity, diag: &mut Diag) -> Option<Type> {
    if raw.viewer.is_none() && !raw.unread {
        diag.error(
            &raw.ident,
            "the entity does not say which viewer its rules are about",
            "add `#[entity(viewer = Member)]`, with the type under `#[derive(Viewer)]`",
        );
    }
    raw.viewer.clone()
}

/// ```text
/// struct User { slug: String }
/// struct User { #[entity(key)] id: Uuid, #[entity(key)] slug: String }
/// ```
fn one_key(raw: &RawEntity, diag: &mut Diag) -> Option<usize> {
    let mut keys = raw
        .fields
        .iter()
        .enumerate()
        .filter_map(|(index, field)| field.key.as_ref().map(|word| (index, word)));
    let first = keys.next();
    for (_, word) in keys {
        diag.error(
            word,
            "an entity has one key",
            "remove this `key`; a second column can be `lookup`",
        );
    }
    if first.is_none() && !raw.fields.iter().any(|field| field.unread) {
        diag.error(
            &raw.ident,
            "the entity has no key",
            "mark the column of the primary key with `#[entity(key)]`",
        );
    }
    first.map(|(index, _)| index)
}

/// ```text
/// #[entity(key, lookup)]
/// #[entity(column = "")]
/// ```
fn column_attributes(raw: &RawEntity, diag: &mut Diag) {
    for field in &raw.fields {
        if let (Some(_), Some(lookup)) = (&field.key, &field.lookup) {
            diag.error(lookup, "a key can always be looked up", "remove `lookup`");
        }
        if let Some(column) = &field.column
            && column.value().trim().is_empty()
        {
            diag.error(
                column,
                "the column has no name",
                "name it as in the database",
            );
        }
    }
    one_column_each(&raw.fields, diag);
    one_constant_each(raw.fields.iter().map(|field| &field.ident), diag);
}

/// `#[entity(column = "name")] a: String, #[entity(column = "name")] b: String`
fn one_column_each(fields: &[RawColumn], diag: &mut Diag) {
    let mut seen = std::collections::BTreeSet::new();
    for field in fields {
        if !seen.insert(column_name(field)) {
            match &field.column {
                Some(column) => diag.error(
                    column,
                    "two fields name this column",
                    "give each field a column of its own",
                ),
                None => diag.error(
                    &field.ident,
                    "two fields name this column",
                    "give each field a column of its own",
                ),
            }
        }
    }
}

/// ```text
/// #[entity(rows = open)]
/// #[entity(rows = open, reason = "")]
/// #[entity(rows = open, reason = "..", read_if(..))]
/// #[entity(reason = "..")]
/// ```
fn open_rows(raw: &RawEntity, diag: &mut Diag) -> Option<LitStr> {
    match (&raw.open, &raw.reason) {
        (Some(open), Some(reason)) => {
            if reason.value().trim().is_empty() {
                diag.error(
                    reason,
                    "the reason is empty",
                    "say why every viewer may read every row",
                );
            }
            if raw.reads().next().is_some() {
                diag.error(
                    open,
                    "`rows = open` opens every row, so a read rule beside it has no effect",
                    "keep one of the two",
                );
            }
            Some(reason.clone())
        }
        (Some(_), None) | (None, Some(_)) if raw.unread => None,
        (Some(open), None) => {
            diag.error(
                open,
                "`rows = open` needs a reason",
                "add `reason = \"..\"`, which says why every viewer may read every row",
            );
            None
        }
        (None, Some(reason)) => {
            diag.error(
                reason,
                "`reason` belongs to `rows = open`",
                "remove it, or write `rows = open, reason = \"..\"`",
            );
            None
        }
        (None, None) => None,
    }
}

/// `#[entity(table = "users", viewer = Member)]`
fn stated_rows(raw: &RawEntity, diag: &mut Diag) {
    if raw.open.is_none() && raw.reads().next().is_none() && !raw.unread {
        diag.error(
            &raw.ident,
            "the entity does not say which rows may be read",
            "add `#[entity(read_if(..))]`, or `#[entity(rows = open, reason = \"..\")]` if every viewer may read every row",
        );
    }
}

/// ```text
/// #[entity(belongs_to(author: User, by = nobody))]
/// #[entity(has_many(comments: Comment, by = post_id), has_many(comments: Note, by = post_id))]
/// ```
fn relations(raw: &RawEntity, diag: &mut Diag) {
    let mut names = std::collections::BTreeSet::new();
    for relation in &raw.relations {
        let name = plain_name(&relation.ident);
        if raw
            .fields
            .iter()
            .any(|field| plain_name(&field.ident) == name)
        {
            diag.error(
                &relation.ident,
                "the relation has the name of a field",
                "give it a name of its own, as `author` beside `author_id`",
            );
        }
        if !names.insert(name) {
            diag.error(
                &relation.ident,
                "two relations have this name",
                "give each relation a name of its own",
            );
        }
        let own: Vec<_> = match &relation.join {
            Join::OwnField(field) => vec![field],
            Join::TheirField(_) => Vec::new(),
            Join::Pairs(pairs) => pairs.iter().map(|(_, own)| own).collect(),
        };
        for field in own {
            if !raw.fields.iter().any(|column| column.ident == *field) {
                diag.error(
                    field,
                    format!("the entity has no field `{field}`"),
                    "name the field of this entity that the other side is joined by",
                );
            }
        }
    }
}

impl RawEntity {
    fn reads(&self) -> impl Iterator<Item = &proc_macro2::Ident> {
        self.rules
            .iter()
            .filter(|rule| rule.operation == Operation::Read)
            .map(|rule| &rule.key)
    }
}

/// Returns the name of a field's column in the database.
pub(crate) fn column_name(field: &RawColumn) -> String {
    field
        .column
        .as_ref()
        .map_or_else(|| plain_name(&field.ident), LitStr::value)
}
