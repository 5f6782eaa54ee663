//! One rule has one meaning: random rules over hostile rows, worked out by the evaluator in Rust
//! and by the database, must agree on every cell.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    dead_code,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

#[path = "../support/engines.rs"]
mod engines;
mod references;
mod rules;
mod sample;
#[path = "../support/seeds.rs"]
mod seeds;
mod writes;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use clearance::dto::{Record, Shape};
use clearance::entity::{Operation, Relation};
use clearance::policy::{
    Cell, Columns, Context, Relatives, Step, Truth, Value, evaluate, evaluate_with, trace,
};
use clearance::{Access, Db, Entity as _, Field, Public, Read, System, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use engines::Database;
use rules::{RuleSpec, rule_spec};
use sample::{Probe, Sample, probe, row};

/// How many cells were decided, and how many of them were allowed.
#[derive(Default)]
struct Tally {
    decided: AtomicUsize,
    allowed: AtomicUsize,
}

impl Tally {
    fn count(&self, allowed: bool) {
        self.decided.fetch_add(1, Ordering::Relaxed);
        self.allowed
            .fetch_add(usize::from(allowed), Ordering::Relaxed);
    }

    fn decided(&self) -> usize {
        self.decided.load(Ordering::Relaxed)
    }

    /// How many in a hundred were allowed.
    fn share(&self) -> usize {
        self.allowed.load(Ordering::Relaxed) * 100 / self.decided().max(1)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = self.allowed.load(Ordering::Relaxed);
        write!(f, "{} decisions, {allowed} of them allowed", self.decided())
    }
}

const CASES: u32 = 120;
const ROWS: usize = 24;

#[test]
fn t_2_one_meaning_x10_n4_n5_n7_n10_n13_random_rules_agree_on_each_engine() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(sample::database());
    let tally = Tally::default();
    let cases = seeds::cases("AGREEMENT_CASES", CASES);
    let mut runner = seeds::runner(cases);
    let strategy = (
        proptest::collection::vec(row(), ROWS),
        proptest::collection::vec(rule_spec(), sample::FIELDS),
        proptest::option::weighted(0.85, probe()),
    );
    runner
        .run(&strategy, |(rows, rules, viewer)| {
            runtime.block_on(agree(&database, rows, &rules, viewer, &tally))
        })
        .unwrap();

    println!("{:?}: {tally}", engines::engine());
    if cases >= CASES {
        assert!(tally.decided() >= 20_000, "only {tally}");
    }
    // A run in which nearly all or nearly none is allowed would show little.
    let share = tally.share();
    assert!((10..=90).contains(&share), "{share} % allowed");
}

/// An explanation has no meaning of its own: it comes to what the evaluator does.
#[test]
fn x6_p10_an_explanation_comes_to_what_the_evaluator_does() {
    let mut runner = seeds::runner(4_000);
    let context = Context::new("2026-01-01T00:00:00Z".parse().unwrap());
    let strategy = (
        row(),
        rule_spec(),
        proptest::option::weighted(0.85, probe()),
    );
    runner
        .run(&strategy, |(row, spec, viewer)| {
            let rule = spec.rule();
            let truth = evaluate(&rule, viewer.as_ref(), &row, &context);
            let trace = trace(&rule, viewer.as_ref(), &row, &context);
            prop_assert_eq!(trace.outcome(), truth);
            prop_assert!(follows(trace.root()), "{}", trace);
            Ok(())
        })
        .unwrap();
}

/// Whether what is marked as deciding is enough by itself for the outcome: with every other part
/// taken out it stays the same.
fn follows(step: &Step) -> bool {
    if !step.decides() {
        return true;
    }
    let deciding: Vec<&Step> = step.parts().iter().filter(|part| part.decides()).collect();
    let outcomes: Vec<_> = deciding.iter().map(|part| part.outcome()).collect();
    let agrees = match step.text() {
        "not" => outcomes.len() == 1,
        "all of" | "any of" => {
            let decided = outcomes.iter().all(|outcome| *outcome == step.outcome());
            let enough = Ok(if step.text() == "all of" {
                Truth::False
            } else {
                Truth::True
            });
            decided && !outcomes.is_empty() && (step.outcome() != enough || outcomes.len() == 1)
        }
        _ => step.parts().is_empty(),
    };
    agrees && deciding.into_iter().all(follows)
}

async fn agree(
    database: &Database,
    mut rows: Vec<Sample>,
    rules: &[RuleSpec],
    viewer: Option<Probe>,
    tally: &Tally,
) -> Result<(), TestCaseError> {
    for (index, row) in rows.iter_mut().enumerate() {
        row.id = i64::try_from(index).unwrap();
    }
    let db = &database.db;
    sample::fill(database, &rows).await;
    sample::spoil(database).await;
    let relatives = Family(&rows);
    let mut shape = Shape::<Sample>::builder("random").visible(Sample::ID);
    shape = sample::with_rules(shape, rules);
    let shape = shape.build().unwrap();

    // The second time the text of the statement is remembered.
    for _ in 0..2 {
        let (context, found) = read(db, &shape, viewer.clone()).await;
        let ids: Vec<usize> = found.iter().map(id_of).collect();
        for row in &rows {
            let may_be_read = reads(row, viewer.as_ref(), &context, &relatives);
            tally.count(may_be_read);
            let is_read = ids.contains(&usize::try_from(row.id).unwrap());
            prop_assert_eq!(is_read, may_be_read, "the row {:?}", row);
        }
        for (record, id) in found.iter().zip(ids) {
            agree_on_cells(
                record,
                &rows[id],
                rules,
                viewer.as_ref(),
                &context,
                &relatives,
                tally,
            )?;
        }
    }
    Ok(())
}

fn id_of(record: &Record<Sample>) -> usize {
    match record.get("id") {
        Some(Field::Visible(Value::Int(id))) => usize::try_from(*id).unwrap(),
        other => panic!("a record without its id: {other:?}"),
    }
}

/// Whether the row rule allows the row, as the evaluator sees it.
fn reads(
    row: &Sample,
    viewer: Option<&Probe>,
    context: &Context,
    relatives: &Family<'_, Sample>,
) -> bool {
    let Operation::Rules(rules) = &Sample::__table().rows().read else {
        panic!("the rows have a rule");
    };
    rules.iter().all(|rule| {
        let truth = evaluate_with(rule, viewer, row, context, relatives);
        truth.unwrap() == Truth::True
    })
}

/// The rows of one case, each the parent and the child of others.
struct Family<'a, E>(&'a [E]);

impl<E: Columns> Relatives for Family<'_, E> {
    fn of<'a>(&'a self, relation: &Relation, row: &dyn Columns) -> Option<Vec<&'a dyn Columns>> {
        let joined = |row: &dyn Columns| match relation.name() {
            "parent" => row.cell(sample::PARENT).into_value(),
            _ => row.cell(sample::ID).into_value(),
        };
        let wanted = joined(row);
        let found = self.0.iter().filter(|other| {
            let key = match relation.name() {
                "parent" => other.cell(sample::ID),
                _ => other.cell(sample::PARENT),
            };
            key != Cell::Null && key.into_value() == wanted
        });
        Some(found.map(|row| row as &dyn Columns).collect())
    }
}

fn agree_on_cells(
    record: &Record<Sample>,
    row: &Sample,
    rules: &[RuleSpec],
    viewer: Option<&Probe>,
    context: &Context,
    relatives: &Family<'_, Sample>,
    tally: &Tally,
) -> Result<(), TestCaseError> {
    for (field, spec) in sample::ruled_fields().iter().zip(rules) {
        let truth = evaluate_with(&spec.rule(), viewer, row, context, relatives).unwrap();
        let in_sql = !record.get(field).unwrap().is_hidden();
        tally.count(in_sql);
        prop_assert_eq!(
            in_sql,
            truth == Truth::True,
            "{} is {:?} in Rust, visible {} in SQL, for {:?} over {:?}",
            field,
            truth,
            in_sql,
            spec,
            row
        );
    }
    Ok(())
}

async fn read(
    db: &Db,
    shape: &std::sync::Arc<Shape<Sample>>,
    viewer: Option<Probe>,
) -> (Context, Vec<Record<Sample>>) {
    match viewer {
        Some(viewer) => {
            let request = testing::as_viewer(viewer);
            request
                .scope(async {
                    let access = Access::<Read<Probe>>::authenticated().await.unwrap();
                    let rows = db.reader(&access).all(shape.select()).await.unwrap();
                    (access.context().clone(), rows)
                })
                .await
        }
        None => {
            let request = testing::as_nobody();
            request
                .scope(async {
                    let access = Access::<Public>::public("the agreement test").unwrap();
                    let rows = db.reader(&access).all(shape.select()).await.unwrap();
                    (request.rule_context(), rows)
                })
                .await
        }
    }
}

/// The program itself, for filling in rows.
fn system() -> Access<System> {
    Access::system("fills in the rows of a test").unwrap()
}
