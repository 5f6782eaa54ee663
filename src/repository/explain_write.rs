//! Explanations of writes, for the log: the rules that allow or refuse an update, a creation or a
//! deletion.

use std::fmt;

use super::attempt::Sent;
use super::authority::Authority;
use super::create::Create;
use super::explain::{Basis, RuleVerdict};
use super::grant::Writes;
use super::references::{Reference, references};
use super::update::Update;
use super::writer::Writer;
use crate::driver::Db;
use crate::entity::{Entity, Operation, RowAction, Storable as _};
use crate::error::Result;
use crate::events;
use crate::policy::{AskedRow, AskedRule, Failure, Residual, Rule, RuleTrace, Truth, Value, ask};

/// An explanation of one viewer's write: the deciding rules, their place in the source, and the truth
/// of each of their parts. Made by [`Update::explain`], [`Create::explain`] and
/// [`Writer::explain_delete`].
///
/// The database evaluates each part of each rule, as the write has it evaluate the whole, so that the
/// two agree, for conditions on related rows as well. No value leaves the database for it.
///
/// It covers rules only. An ended session, another version or a unique key can prevent a write that
/// every rule allows.
///
/// It is for logs. `Display` writes the names of operands and the truth of conditions, never the values
/// of a row, a body or the viewer. It has no `Serialize` and is not [`Release`](crate::Release), so it
/// cannot be sent to a client.
#[derive(Debug, Clone)]
pub struct WriteExplanation {
    entity: &'static str,
    action: RowAction,
    found: bool,
    row: RuleVerdict,
    updated: Option<RuleVerdict>,
    fields: Vec<FieldVerdicts>,
    read: Option<RuleVerdict>,
}

/// The verdicts on one field that a client sent.
#[derive(Debug, Clone)]
struct FieldVerdicts {
    input: &'static str,
    field: &'static str,
    set: RuleVerdict,
    /// The name of the DTO that must show the value to be replaced, and the verdict on that.
    shown: Option<(&'static str, RuleVerdict)>,
    /// The relations that the field sets, with the verdict on reading the row that each leads to.
    refers: Vec<(&'static str, RuleVerdict)>,
}

impl WriteExplanation {
    /// Returns whether there is a row with the given key. A row to be created counts as found.
    #[must_use]
    pub const fn found(&self) -> bool {
        self.found
    }

    /// Returns the joint result of all rules: only true allows the write. It is false if there is no
    /// row.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a rule could not be evaluated; the write then fails too.
    pub fn outcome(&self) -> Result<Truth, Failure> {
        if !self.found {
            return Ok(Truth::False);
        }
        self.first_refusal()
            .map_or(Ok(Truth::True), RuleVerdict::outcome)
    }

    /// Returns the deciding rules: those of the first verdict that did not allow it, or all of them.
    pub fn deciding(&self) -> impl Iterator<Item = &RuleTrace> {
        let refusal = self.first_refusal();
        let all = self.verdicts().filter(move |_| refusal.is_none());
        refusal
            .into_iter()
            .chain(all)
            .flat_map(RuleVerdict::deciding)
    }

    /// Returns the verdict of the rules for the row itself: `update_if` and `delete_if` of the row as
    /// it is, `create_if` of the new one.
    #[must_use]
    pub const fn row(&self) -> &RuleVerdict {
        &self.row
    }

    /// Returns the verdict on the row as updated: that of `updated_if`, or of `update_if` evaluated
    /// once more. `None` for other writes.
    #[must_use]
    pub const fn updated(&self) -> Option<&RuleVerdict> {
        self.updated.as_ref()
    }

    /// Returns the verdict of the field's own rules, by its Rust name. `None` if the client did not
    /// send it.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&RuleVerdict> {
        self.verdicts_of(field).map(|verdicts| &verdicts.set)
    }

    /// Returns the verdict on whether the patch's DTO shows the value that the field replaces. `None`
    /// if it need not: the field is blind, or the row is new.
    #[must_use]
    pub fn shown(&self, field: &str) -> Option<&RuleVerdict> {
        let (_, verdict) = self.verdicts_of(field)?.shown.as_ref()?;
        Some(verdict)
    }

    /// Returns the relations that the field sets, each with the verdict on whether the row it then
    /// leads to exists and may be read, as the write requires.
    pub fn refers(&self, field: &str) -> impl Iterator<Item = (&'static str, &RuleVerdict)> {
        let verdicts = self.verdicts_of(field).into_iter();
        let refers = verdicts.flat_map(|verdicts| &verdicts.refers);
        refers.map(|(relation, verdict)| (*relation, verdict))
    }

    /// Returns the verdict on reading the row, which a patch of fields that are not blind requires.
    #[must_use]
    pub const fn read(&self) -> Option<&RuleVerdict> {
        self.read.as_ref()
    }

    fn verdicts_of(&self, field: &str) -> Option<&FieldVerdicts> {
        self.fields.iter().find(|known| known.field == field)
    }

    fn first_refusal(&self) -> Option<&RuleVerdict> {
        self.verdicts()
            .find(|verdict| verdict.outcome() != Ok(Truth::True))
    }

    /// Returns the verdicts in the order in which the write evaluates them.
    fn verdicts(&self) -> impl Iterator<Item = &RuleVerdict> {
        let fields = self.fields.iter();
        let set = fields.clone().map(|field| &field.set);
        let refers = fields.clone().flat_map(|field| &field.refers);
        let shown = fields.filter_map(|field| Some(&field.shown.as_ref()?.1));
        refers
            .map(|(_, verdict)| verdict)
            .chain(std::iter::once(&self.row))
            .chain(&self.updated)
            .chain(set)
            .chain(&self.read)
            .chain(shown)
    }
}

impl fmt::Display for WriteExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of a row of {} (`*` marks what decided the outcome)",
            self.action.as_str(),
            self.entity
        )?;
        if !self.found {
            writeln!(f, "  there is no such row")?;
        }
        let word = self.action.as_str();
        self.row.write(f, format_args!("row, {word}"))?;
        if let Some(updated) = &self.updated {
            updated.write(f, format_args!("row, {word} to"))?;
        }
        for FieldVerdicts {
            input, field, set, ..
        } in &self.fields
        {
            set.write(f, format_args!("field `{field}` of `{input}`"))?;
        }
        if let Some(read) = &self.read {
            read.write(f, format_args!("row, read"))?;
        }
        for FieldVerdicts { field, shown, .. } in &self.fields {
            if let Some((dto, shown)) = shown {
                shown.write(f, format_args!("field `{field}`, shown by `{dto}`"))?;
            }
        }
        for FieldVerdicts { field, refers, .. } in &self.fields {
            for (relation, verdict) in refers {
                verdict.write(
                    f,
                    format_args!("field `{field}`, set to a row of `{relation}`"),
                )?;
            }
        }
        Ok(())
    }
}

impl<P, E> Update<'_, P, E>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    /// Explains why this update is allowed or not, rule by rule and for each field of its patches. It
    /// updates nothing. It also logs the explanation under the target `clearance::explain`, at level
    /// debug.
    ///
    /// If nothing is set it explains whether the row may be updated as it is.
    ///
    /// # Errors
    ///
    /// As [`Update::execute`], except those about rules. A rule that cannot be evaluated is not an
    /// error here: the explanation contains the failure.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::input::Assign;
    /// # use clearance::{Access, Db, Dto, Entity, Patch, Result, Untrusted, Viewer, Write};
    /// # #[derive(Clone, Viewer)]
    /// # struct Member { id: i64, editor: bool }
    /// # #[derive(Entity)]
    /// # #[entity(table = "notes", viewer = Member, read_if(row.owner == viewer.id))]
    /// # #[entity(update_if(row.owner == viewer.id))]
    /// # struct Note { #[entity(key)] id: i64, owner: i64, stage: i64 }
    /// # #[derive(Dto)]
    /// # #[dto(entity = Note, default = visible)]
    /// # struct NoteView { id: i64, stage: i64 }
    /// # #[derive(Patch)]
    /// # #[patch(entity = Note, reads = NoteView)]
    /// # struct EditNote { #[writable_if(viewer.editor || row.stage >= before.stage)] stage: Assign<i64> }
    /// # fn log(_: &str) {}
    /// async fn edit(
    ///     db: &Db,
    ///     access: &Access<Write<Member>>,
    ///     id: i64,
    ///     body: Untrusted<EditNote>,
    /// ) -> Result<()> {
    ///     let update = db.writer(access).update::<Note>(id).patch(body.open(access)?);
    ///     let explanation = update.explain().await?;
    ///     // As in `* false: row.stage >= before.stage`, with the rule and its line above it.
    ///     log(&explanation.to_string());
    ///     update.execute().await
    /// }
    /// ```
    pub async fn explain(&self) -> Result<WriteExplanation> {
        let (db, access) = (self.writer.db(), self.writer.access());
        let authority = Authority::<E>::of(db, access, RowAction::Update).await?;
        authority.require_session().await?;
        let changes = self.changes.values(&authority, self.version)?;
        let rows = E::__table().rows();
        let mut asking = Explaining::new(&authority);
        let row = asking.operation(&rows.update, AskedRow::Stored);
        let after = AskedRow::Written(&changes);
        let updated = asking.operation(rows.updated(), after);
        let references = references(&authority, &self.changes.patches, &changes)?;
        let mut fields = Vec::new();
        for sent in &self.changes.patches {
            fields.extend(asking.fields(sent, &references, after));
        }
        let shown = fields.iter().any(|field| field.shown.is_some());
        let read = shown.then(|| asking.operation(&rows.read, AskedRow::Stored));
        let known = asking.answer(db, Some(&self.key)).await?;
        Ok(explained(WriteExplanation {
            entity: E::__table().entity(),
            action: RowAction::Update,
            found: known.found,
            row: row.verdict(&known),
            updated: Some(updated.verdict(&known)),
            fields: fields.into_iter().map(|it| it.verdicts(&known)).collect(),
            read: read.map(|read| read.verdict(&known)),
        }))
    }
}

impl<P, E> Create<'_, P, E>
where
    E: Entity,
    P: Writes<E::Viewer>,
{
    /// Explains why this row may be created or not, rule by rule and for each field that the client
    /// sent. It creates nothing. It also logs the explanation under the target `clearance::explain`, at
    /// level debug.
    ///
    /// # Errors
    ///
    /// As [`Create::execute`], except those about rules. A rule that cannot be evaluated, or that reads
    /// a column that nothing sets, is not an error here: the explanation contains the failure.
    pub async fn explain(&self) -> Result<WriteExplanation> {
        let (db, access) = (self.writer.db(), self.writer.access());
        let authority = Authority::<E>::of(db, access, RowAction::Create).await?;
        authority.require_session().await?;
        let values = self.values(&authority)?;
        let new = AskedRow::New(&values);
        let mut asking = Explaining::new(&authority);
        let row = asking.operation(&E::__table().rows().create, new);
        let references = references(&authority, self.content.sent.as_slice(), &values)?;
        let mut fields = Vec::new();
        if let Some(sent) = &self.content.sent {
            fields.extend(asking.fields(sent, &references, new));
        }
        let known = asking.answer(db, None).await?;
        Ok(explained(WriteExplanation {
            entity: E::__table().entity(),
            action: RowAction::Create,
            found: true,
            row: row.verdict(&known),
            updated: None,
            fields: fields.into_iter().map(|it| it.verdicts(&known)).collect(),
            read: None,
        }))
    }
}

impl<P> Writer<'_, P> {
    /// Explains why the row with this key may be deleted or not, rule by rule. It deletes nothing. It
    /// also logs the explanation under the target `clearance::explain`, at level debug.
    ///
    /// # Errors
    ///
    /// As [`Writer::delete`], except those about rules. A rule that cannot be evaluated is not an error
    /// here: the explanation contains the failure.
    pub async fn explain_delete<E>(&self, key: impl Into<E::Key>) -> Result<WriteExplanation>
    where
        E: Entity,
        P: Writes<E::Viewer>,
    {
        let key = key.into().cell().into_value();
        let authority = Authority::<E>::of(self.db(), self.access(), RowAction::Delete).await?;
        authority.require_session().await?;
        let mut asking = Explaining::new(&authority);
        let row = asking.operation(&E::__table().rows().delete, AskedRow::Stored);
        let known = asking.answer(self.db(), Some(&key)).await?;
        Ok(explained(WriteExplanation {
            entity: E::__table().entity(),
            action: RowAction::Delete,
            found: known.found,
            row: row.verdict(&known),
            updated: None,
            fields: Vec::new(),
            read: None,
        }))
    }
}

fn explained(explanation: WriteExplanation) -> WriteExplanation {
    events::explained(&explanation);
    explanation
}

/// A collector of the conditions to evaluate on the row, so that one statement evaluates them all.
struct Explaining<'a, E: Entity> {
    authority: &'a Authority<E>,
    conditions: Vec<Residual>,
}

/// The truth of the conditions.
struct KnownRow {
    found: bool,
    truths: Vec<(Residual, bool)>,
}

/// A verdict whose conditions are not yet evaluated.
enum Open<E: Entity> {
    Stated(Basis, Truth),
    /// The condition that the row referred to exists and may be read.
    Referred(Residual),
    Rules(Vec<AskedRule<'static, E::Viewer, E>>),
}

struct OpenField<E: Entity> {
    input: &'static str,
    field: &'static str,
    set: Open<E>,
    shown: Option<(&'static str, Open<E>)>,
    refers: Vec<(&'static str, Open<E>)>,
}

impl<'a, E: Entity> Explaining<'a, E> {
    const fn new(authority: &'a Authority<E>) -> Self {
        Self {
            authority,
            conditions: Vec::new(),
        }
    }

    fn operation(&mut self, operation: &'static Operation<E>, row: AskedRow<'_>) -> Open<E> {
        match operation {
            _ if self.authority.viewer().is_none() => Open::Stated(Basis::System, Truth::True),
            Operation::Denied => Open::Stated(Basis::NotStated, Truth::False),
            Operation::Open { reason, tenant } if tenant.is_empty() => {
                Open::Stated(Basis::Open(reason), Truth::True)
            }
            Operation::Open { tenant: rules, .. } | Operation::Rules(rules) => {
                self.rules(rules, row)
            }
        }
    }

    fn fields(
        &mut self,
        (shape, given): &Sent<E>,
        references: &[Reference<E>],
        row: AskedRow<'_>,
    ) -> Vec<OpenField<E>> {
        let given = given.iter();
        given
            .map(|field| OpenField {
                input: shape.name(),
                field: field.field(),
                set: self.stated(field.rules(), Basis::Writable, row),
                shown: shape.reads().zip(shape.shown(field)).map(|(reads, spec)| {
                    let open = self.stated(spec.rules(), Basis::Visible, AskedRow::Stored);
                    (reads.name(), open)
                }),
                refers: references
                    .iter()
                    .filter(|reference| std::ptr::eq(reference.field, *field))
                    .map(|reference| {
                        self.ask(&reference.condition);
                        let open = Open::Referred(reference.condition.clone());
                        (reference.relation.name(), open)
                    })
                    .collect(),
            })
            .collect()
    }

    /// Collects the rules of a field, which may have none.
    fn stated(
        &mut self,
        rules: &'static [Rule<E::Viewer, E>],
        without: Basis,
        row: AskedRow<'_>,
    ) -> Open<E> {
        if self.authority.viewer().is_none() {
            Open::Stated(Basis::System, Truth::True)
        } else if rules.is_empty() {
            Open::Stated(without, Truth::True)
        } else {
            self.rules(rules, row)
        }
    }

    fn rules(&mut self, rules: &'static [Rule<E::Viewer, E>], row: AskedRow<'_>) -> Open<E> {
        let (viewer, context) = (self.authority.viewer(), self.authority.context());
        let asked: Vec<_> = rules
            .iter()
            .map(|rule| ask(rule, viewer, context, row))
            .collect();
        for condition in asked.iter().flat_map(AskedRule::conditions) {
            self.ask(condition);
        }
        Open::Rules(asked)
    }

    fn ask(&mut self, condition: &Residual) {
        if !self.conditions.contains(condition) {
            self.conditions.push(condition.clone());
        }
    }

    async fn answer(self, db: &Db, key: Option<&Value>) -> Result<KnownRow> {
        let truths = if key.is_none() && self.conditions.is_empty() {
            Some(Vec::new())
        } else {
            db.truths::<E>(key, &self.conditions).await?
        };
        Ok(KnownRow {
            found: truths.is_some(),
            truths: self
                .conditions
                .into_iter()
                .zip(truths.unwrap_or_default())
                .collect(),
        })
    }
}

impl<E: Entity> Open<E> {
    fn verdict(self, known: &KnownRow) -> RuleVerdict {
        let holds = |residual: &Residual| {
            let mut truths = known.truths.iter();
            truths.any(|(condition, holds)| *holds && condition == residual)
        };
        match self {
            Self::Stated(basis, truth) => RuleVerdict::stated(basis, truth),
            Self::Referred(condition) => {
                RuleVerdict::stated(Basis::Referred, Truth::from(holds(&condition)))
            }
            Self::Rules(asked) => {
                RuleVerdict::of_traces(asked.into_iter().map(|rule| rule.trace(&holds)).collect())
            }
        }
    }
}

impl<E: Entity> OpenField<E> {
    fn verdicts(self, known: &KnownRow) -> FieldVerdicts {
        FieldVerdicts {
            input: self.input,
            field: self.field,
            set: self.set.verdict(known),
            shown: self.shown.map(|(dto, open)| (dto, open.verdict(known))),
            refers: self
                .refers
                .into_iter()
                .map(|(relation, open)| (relation, open.verdict(known)))
                .collect(),
        }
    }
}
