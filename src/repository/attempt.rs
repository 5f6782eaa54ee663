//! A write attempt, as its audit event describes it.

use crate::audit::{Actor, AuditEvent, Outcome, key_text};
use crate::entity::{Entity, Operation, RowAction, Schema};
use crate::input::{InputField, InputShape};
use crate::policy::{Rule, Value};

/// A client's input: its type, and the fields that were given.
pub(super) type Sent<E> = (&'static InputShape<E>, Vec<&'static InputField<E>>);

/// The subject of a write: its rows, its columns, and the client's fields.
pub(super) struct Attempt<'a, E: Entity> {
    pub(super) which: Which<'a>,
    pub(super) fields: Fields<'a>,
    /// The fields that a client sent.
    pub(super) sent: &'a [Sent<E>],
}

/// The rows to be written.
#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    /// The row with this key.
    One(&'a Value),
    /// A new row, whose key the database generates.
    New,
    /// The rows with these keys, as far as the audit or the viewer cache needs them.
    Several(&'a [Value]),
    /// The rows that a query finds.
    Found,
}

impl<'a> Which<'a> {
    pub(super) const fn key(self) -> Option<&'a Value> {
        match self {
            Self::One(key) => Some(key),
            Self::New | Self::Several(_) | Self::Found => None,
        }
    }
}

/// The columns to be set.
#[derive(Clone, Copy)]
pub(super) enum Fields<'a> {
    All,
    Of(&'a [(usize, Value)]),
}

impl<'a, E: Entity> Attempt<'a, E> {
    /// Describes a write of one row, without anything that a client sent.
    pub(super) const fn of(key: &'a Value) -> Self {
        Self {
            which: Which::One(key),
            fields: Fields::Of(&[]),
            sent: &[],
        }
    }

    /// Makes the event of this outcome, with the rules of `action`.
    pub(super) fn event(&self, by: Actor, action: RowAction, outcome: Outcome) -> AuditEvent {
        let table = E::__table();
        let rule = if by.asks_rules() {
            self.rules(action)
        } else {
            String::new()
        };
        AuditEvent {
            key: self.which.key().and_then(key_text),
            fields: self.fields.names(table),
            rule,
            ..AuditEvent::new(by, action, table, outcome)
        }
    }

    fn rules(&self, action: RowAction) -> String {
        let mut rules = Written::default();
        let rows = E::__table().rows();
        rules.operation::<E>(action);
        if action == RowAction::Update
            && let Some(updated) = &rows.updated
        {
            let own = updated.rules().iter().skip(rows.tenant.len());
            rules.add("updated_if", "updated_unless", own);
        }
        for (shape, fields) in self.sent {
            for field in fields {
                rules.add("writable_if", "writable_unless", field.rules());
                for relation in field.checked_relations() {
                    rules.push(&format!("read_if of {}", relation.name()));
                }
            }
            let mut shown = fields
                .iter()
                .filter_map(|field| field.shown_by())
                .peekable();
            if let Some(reads) = shape.reads().filter(|_| shown.peek().is_some()) {
                rules.operation::<E>(RowAction::Read);
                for field in shown.filter_map(|field| reads.fields().get(field)) {
                    rules.add("visible_if", "hidden_if", field.rules());
                }
            }
        }
        rules.0
    }
}

/// Returns the text of the rules that decide whether a written row may be read back.
pub(super) fn read_rules<E: Entity>() -> String {
    let mut rules = Written::default();
    rules.operation::<E>(RowAction::Read);
    rules.0
}

/// Returns the text of an input field's own rules.
pub(super) fn field_rules<V, E>(rules: &[Rule<V, E>]) -> String {
    let mut written = Written::default();
    written.add("writable_if", "writable_unless", rules);
    written.0
}

/// The text of rules as written in the program, with their attributes.
#[derive(Default)]
struct Written(String);

impl Written {
    fn operation<E: Entity>(&mut self, action: RowAction) {
        let rows = E::__table().rows();
        let word = action.as_str();
        match rows.of(action) {
            Operation::Denied => self.push(&format!("no {word}_if")),
            Operation::Open { tenant, .. } => self.add("tenant_if", "tenant_unless", tenant),
            Operation::Rules(rules) => {
                let tenant = rows.tenant.len();
                self.add("tenant_if", "tenant_unless", rules.iter().take(tenant));
                let (yes, no) = (format!("{word}_if"), format!("{word}_unless"));
                self.add(&yes, &no, rules.iter().skip(tenant));
            }
        }
    }

    fn add<'r, V: 'r, E: 'r>(
        &mut self,
        yes: &str,
        no: &str,
        rules: impl IntoIterator<Item = &'r Rule<V, E>>,
    ) {
        for rule in rules {
            let attribute = if rule.is_negated() { no } else { yes };
            self.push(&format!("{attribute}({})", rule.source().text));
        }
    }

    fn push(&mut self, rule: &str) {
        if !self.0.is_empty() {
            self.0.push_str(", ");
        }
        self.0.push_str(rule);
    }
}

impl Fields<'_> {
    fn names(self, schema: &Schema) -> Vec<&'static str> {
        let columns = schema.columns();
        match self {
            Self::All => columns.iter().map(|column| column.field()).collect(),
            Self::Of(set) => set
                .iter()
                .filter_map(|(column, _)| Some(columns.get(*column)?.field()))
                .collect(),
        }
    }
}
