//! Explanations of reads, for the log: the rules that show or hide a row and its fields.

use std::fmt;

use super::access::Access;
use super::grant::Reads;
use crate::dto::{Dto, FieldSpec};
use crate::entity::{Entity, Operation, RowAction};
use crate::error::Result;
use crate::events;
use crate::policy::explain::outcome_word;
use crate::policy::{Context, Failure, Rule, RuleTrace, Truth, trace};

/// An explanation of the decisions on a row and each of its fields for one viewer: the deciding rules,
/// their place in the source, their inputs and their results. Made by [`Access::explain`].
///
/// It is for logs. `Display` writes the names of operands and the truth of conditions, never the values
/// of the row or the viewer. It has no `Serialize` and is not [`Release`](crate::Release), so it cannot
/// be sent to a client.
#[derive(Debug, Clone)]
pub struct Explanation {
    dto: &'static str,
    entity: &'static str,
    rows: Vec<(RowAction, RuleVerdict)>,
    fields: Vec<(&'static str, RuleVerdict)>,
}

/// The result of the rules of one operation or one field, with a trace of each rule.
#[derive(Debug, Clone)]
pub struct RuleVerdict {
    basis: Basis,
    outcome: Result<Truth, Failure>,
    deciding: Vec<usize>,
    rules: Vec<RuleTrace>,
}

/// The basis of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// All of the rules must allow it.
    Rules,
    /// No rule is stated for the operation.
    NotStated,
    /// The rows are open, for this reason.
    Open(&'static str),
    /// The field is visible without a rule.
    Visible,
    /// Every viewer who may write the row may set the field.
    Writable,
    /// The row that a field refers to exists, and may be read.
    Referred,
    /// No rule applies to the program itself.
    System,
    /// Writes without a viewer are denied.
    NoViewer,
}

impl Explanation {
    /// Returns the verdict on doing this to the row.
    #[must_use]
    pub fn rows(&self, action: RowAction) -> Option<&RuleVerdict> {
        self.rows
            .iter()
            .find(|(known, _)| *known == action)
            .map(|(_, verdict)| verdict)
    }

    /// Returns the verdict on the field, by its Rust name, in a row that can be read. `None` if the DTO
    /// has no such field.
    #[must_use]
    pub fn field(&self, field: &str) -> Option<&RuleVerdict> {
        self.fields
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, verdict)| verdict)
    }
}

impl RuleVerdict {
    /// Returns the joint result of all the rules: only true allows.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a rule could not be evaluated; it is then neither allowed nor denied.
    pub const fn outcome(&self) -> Result<Truth, Failure> {
        self.outcome
    }

    /// Returns the deciding rules: the one that did not allow it, or all of them. Among several that did
    /// not, one that denies regardless of related rows comes first, otherwise the first declared.
    pub fn deciding(&self) -> impl Iterator<Item = &RuleTrace> {
        self.deciding
            .iter()
            .filter_map(|index| self.rules.get(*index))
    }

    /// Returns whether the outcome depends on related rows, which an explanation lacks: it knows only
    /// the row that it is given. The outcome is then unknown here, and the query may yield another.
    #[must_use]
    pub fn needs_related_rows(&self) -> bool {
        self.deciding().any(RuleTrace::needs_related_rows)
    }

    /// Returns every rule, in the order of declaration.
    #[must_use]
    pub fn rules(&self) -> &[RuleTrace] {
        &self.rules
    }

    pub(super) const fn stated(basis: Basis, truth: Truth) -> Self {
        Self {
            basis,
            outcome: Ok(truth),
            deciding: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn of<E: Entity>(
        rules: &[Rule<E::Viewer, E>],
        viewer: Option<&E::Viewer>,
        row: &E,
        context: &Context,
    ) -> Self {
        let rules = rules.iter();
        Self::of_traces(
            rules
                .map(|rule| trace(rule, viewer, row, context))
                .collect(),
        )
    }

    pub(super) fn of_traces(rules: Vec<RuleTrace>) -> Self {
        // A rule that denies regardless of related rows decides before one that depends on them.
        let denies = |rule: &RuleTrace| rule.outcome() != Ok(Truth::True);
        let denied = rules
            .iter()
            .position(|rule| denies(rule) && !rule.needs_related_rows())
            .or_else(|| rules.iter().position(denies));
        let outcome = match denied.and_then(|index| rules.get(index)) {
            Some(rule) => rule.outcome(),
            None => Ok(Truth::True),
        };
        let deciding = match denied {
            Some(index) => vec![index],
            None => (0..rules.len()).collect(),
        };
        Self {
            basis: Basis::Rules,
            outcome,
            deciding,
            rules,
        }
    }

    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: fmt::Arguments<'_>,
    ) -> fmt::Result {
        let verdict = match self.outcome {
            Ok(Truth::True) => "allowed".to_owned(),
            Ok(_) if self.needs_related_rows() => {
                "not decided by this row alone, because the rule reads related rows".to_owned()
            }
            Ok(Truth::False) | Ok(Truth::Unknown) => "denied".to_owned(),
            Err(failure) => outcome_word(Err(failure)),
        };
        write!(f, "  {what}: {verdict}")?;
        match self.basis {
            Basis::Rules => writeln!(f)?,
            Basis::NotStated => writeln!(f, ", because no rule is stated for it")?,
            Basis::Open(reason) => writeln!(f, ", because rows are open: {reason}")?,
            Basis::Visible => writeln!(f, ", because it is visible without a rule")?,
            Basis::Writable => writeln!(f, ", because whoever may write the row may set it")?,
            Basis::Referred if self.outcome == Ok(Truth::True) => {
                writeln!(f, ", because the row it refers to may be read")?;
            }
            Basis::Referred => {
                writeln!(f, ", because there is no such row that may be read")?;
            }
            Basis::System => writeln!(f, ", because the program itself asks")?,
            Basis::NoViewer => writeln!(f, ", because nobody writes without a viewer")?,
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if self.deciding.contains(&index) {
                write!(f, "  decided by\n{rule}")?;
            } else {
                write!(f, "  also\n{rule}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} of a row of {} (`*` marks what decided the outcome)",
            self.dto, self.entity
        )?;
        for (action, verdict) in &self.rows {
            verdict.write(f, format_args!("row, {}", action.as_str()))?;
        }
        for (field, verdict) in &self.fields {
            verdict.write(f, format_args!("field `{field}`"))?;
        }
        Ok(())
    }
}

impl<P> Access<P> {
    /// Explains why the holder of this access may or may not see `row` as `D`, field by field. It also
    /// logs the explanation under the target `clearance::explain`, at level debug.
    ///
    /// The rules are evaluated anew over this row in memory. No row is queried, and nothing is
    /// memoized. A condition on related rows is therefore unknown; [`RuleVerdict::needs_related_rows`]
    /// returns whether that decides.
    ///
    /// # Errors
    ///
    /// [`Error::is_unauthenticated`](crate::Error::is_unauthenticated) if the session has ended
    /// meanwhile, [`Error::is_misuse`](crate::Error::is_misuse) outside the request of the access. A
    /// rule that cannot be evaluated is not an error here: the explanation contains the failure.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::testing::as_viewer;
    /// # use clearance::{Dto, Entity, Field, Result, Viewer};
    /// use clearance::policy::Truth;
    /// use clearance::{Access, Read};
    ///
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64, team: Option<String> }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User { #[entity(key)] id: i64, team: Option<String>, phone: String }
    /// #[derive(Dto)]
    /// #[dto(entity = User)]
    /// struct Profile {
    ///     #[visible_if(same(viewer.team, row.team))] phone: Field<String>,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<()> {
    /// # as_viewer(Member { id: 1, team: None }).scope(async {
    /// let access = Access::<Read<Member>>::authenticated().await?;
    /// let ada = User { id: 1, team: Some("red".into()), phone: "555-0100".into() };
    /// let explanation = access.explain::<Profile>(&ada).await?;
    /// let phone = explanation.field("phone").unwrap();
    /// assert_eq!(phone.outcome(), Ok(Truth::Unknown));
    /// assert_eq!(phone.deciding().next().unwrap().source().text, "same(viewer.team, row.team)");
    /// assert!(explanation.to_string().contains("unknown: viewer.team == row.team"));
    /// # Ok(())
    /// # }).await
    /// # }
    /// ```
    pub async fn explain<D>(&self, row: &D::Entity) -> Result<Explanation>
    where
        D: Dto,
        P: Reads<<D::Entity as Entity>::Viewer>,
    {
        let using = self.in_use::<<D::Entity as Entity>::Viewer>().await?;
        // It is for logs, so the instant is noted without a check of each rule for whether it reads the
        // time.
        using.note_time();
        let viewer = using.viewer();
        let context = using.asks_rules().then(|| using.context());
        let table = D::Entity::__table();
        let verdict = |rules: &[_]| match context {
            Some(context) => RuleVerdict::of(rules, viewer, row, context),
            None => RuleVerdict::stated(Basis::System, Truth::True),
        };
        let rows = RowAction::ALL.map(|action| {
            let verdict = match table.rows().of(action) {
                _ if context.is_none() => RuleVerdict::stated(Basis::System, Truth::True),
                _ if viewer.is_none() && action != RowAction::Read => {
                    RuleVerdict::stated(Basis::NoViewer, Truth::False)
                }
                Operation::Denied => RuleVerdict::stated(Basis::NotStated, Truth::False),
                Operation::Open { reason, tenant } if tenant.is_empty() => {
                    RuleVerdict::stated(Basis::Open(reason), Truth::True)
                }
                Operation::Open { tenant: rules, .. } | Operation::Rules(rules) => verdict(rules),
            };
            (action, verdict)
        });
        let shape = D::__shape();
        let own = |field: &FieldSpec<D::Entity>| {
            if field.rules().is_empty() && context.is_some() {
                RuleVerdict::stated(Basis::Visible, Truth::True)
            } else {
                verdict(field.rules())
            }
        };
        let fields = shape.fields().iter().enumerate().map(|(index, field)| {
            // A field is hidden too if one of the fields that it would reveal is.
            let told = shape.told_by(index).map(own);
            let mut hidden = told.filter(|verdict| verdict.outcome() != Ok(Truth::True));
            let verdict = own(field);
            let verdict = match verdict.outcome() {
                Ok(Truth::True) => hidden.next().unwrap_or(verdict),
                Ok(Truth::False | Truth::Unknown) | Err(_) => verdict,
            };
            (field.field(), verdict)
        });
        let explanation = Explanation {
            dto: shape.name(),
            entity: table.entity(),
            rows: rows.into(),
            fields: fields.collect(),
        };
        events::explained(&explanation);
        Ok(explanation)
    }
}
