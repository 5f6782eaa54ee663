//! What a client's field refers to: a row is referred to exactly where the evaluator says that the viewer
//! may read it, under random rules for reading and over hostile rows.

use std::cell::{Cell as Place, RefCell};

use clearance::entity::{Operation, RelationSpec, RowRules, Table};
use clearance::input::Assign;
use clearance::policy::{Cell, Rule, Truth, evaluate_with};
use clearance::{Access, Entity, Input, Patch, Result, Untrusted, Write, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

use crate::engines::Database;
use crate::rules::{RuleSpec, rule_spec};
use crate::sample::{self, Probe, Rank, Sample, probe, row};
use crate::{Family, Tally, engines, seeds};

const CASES: u32 = 80;
const ROWS: usize = 12;
const WRITES: usize = 10;
/// Keys up to this one are referred to, so that some of them are of no row.
const KEYS: i64 = 16;

thread_local! {
    /// The table with the rule of this case. The library asks for it in the thread of the test.
    static TABLE: Place<Option<&'static Table<Parent>>> = const { Place::new(None) };
}

/// A sample that may be read by a rule that differs from one case to the next.
#[derive(Debug, Clone)]
struct Parent(Sample);

impl Entity for Parent {
    type Viewer = Probe;
    type Key = i64;

    fn __table() -> &'static Table<Self> {
        TABLE.get().unwrap()
    }

    fn __cell(&self, column: usize) -> Cell<'_> {
        self.0.__cell(column)
    }

    fn __from_cells(cells: &mut impl clearance::__private::ReadCells) -> Result<Self> {
        Sample::__from_cells(cells).map(Self)
    }
}

fn table(rule: Rule<Probe, Parent>) -> Table<Parent> {
    let rows = RowRules {
        tenant: Vec::new(),
        read: Operation::Rules(vec![rule]),
        create: Operation::Denied,
        update: Operation::Denied,
        updated: None,
        delete: Operation::Denied,
    };
    Table::__new(
        "Parent",
        "samples",
        Sample::__table().columns().to_vec(),
        sample::ID,
        vec![
            RelationSpec::__belongs_to::<Parent>("parent", "parent_id"),
            RelationSpec::__has_many::<Parent>("children", "parent_id"),
        ],
        rows,
    )
}

/// A sample that is joined to another one.
#[derive(Debug, Clone, Entity)]
#[entity(table = "samples", viewer = Probe, belongs_to(parent: Parent, by = parent_id))]
#[entity(rows = open, reason = "references are under test", create_if(true), update_if(true))]
struct Child {
    #[entity(key)]
    id: i64,
    parent_id: Option<i64>,
    text: String,
    count: i64,
    sure: bool,
    rank: Rank,
}

#[derive(Patch)]
#[patch(entity = Child)]
struct Join {
    #[writable(blind)]
    parent_id: Assign<Option<i64>>,
}

#[derive(Input)]
#[input(entity = Child)]
#[preset(text = "t".to_owned(), count = 0, sure = false, rank = Rank::Guest)]
struct NewChild {
    #[writable]
    id: i64,
    #[writable]
    parent_id: Assign<Option<i64>>,
}

#[test]
fn t_2_w41_s22_a_row_is_referred_to_where_the_evaluator_says_that_it_may_be_read() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(sample::database());
    let reads_itself = runtime.block_on(sample::may_read_what_it_writes(&database));
    let tally = Tally::default();
    let written = RefCell::new([0, 0]);
    let cases = seeds::cases("AGREEMENT_REFERENCE_CASES", CASES);
    let strategy = (
        proptest::collection::vec(row(), ROWS),
        (rule_spec(), rule_spec()).prop_map(|(one, other)| one.or(other)),
        probe(),
        proptest::collection::vec(
            (
                proptest::option::weighted(0.6, 0..ROWS),
                proptest::option::weighted(0.9, 0..KEYS),
            ),
            WRITES,
        ),
    );
    seeds::runner(cases)
        .run(&strategy, |(mut rows, rule, viewer, tries)| {
            for (id, row) in (0..).zip(&mut rows) {
                row.id = id;
            }
            let mut tries = tries;
            tries.retain(|(updated, _)| reads_itself || updated.is_none());
            runtime.block_on(async {
                sample::fill(&database, &rows).await;
                sample::spoil(&database).await;
                agree(&database, rows, &rule, &viewer, &tries, &tally, &written).await
            })
        })
        .unwrap();

    let [created, updated] = *written.borrow();
    println!(
        "{:?}: {tally}; {created} created, {updated} updated",
        engines::engine()
    );
    let share = tally.share();
    assert!(
        cases < CASES || (10..=90).contains(&share),
        "{share} % allowed"
    );
}

async fn agree(
    database: &Database,
    rows: Vec<Sample>,
    rule: &RuleSpec,
    viewer: &Probe,
    tries: &[(Option<usize>, Option<i64>)],
    tally: &Tally,
    written: &RefCell<[usize; 2]>,
) -> Result<(), TestCaseError> {
    TABLE.set(Some(Box::leak(Box::new(table(rule.rule())))));
    let mut rows: Vec<Parent> = rows.into_iter().map(Parent).collect();
    let request = testing::as_viewer(viewer.clone());
    request
        .scope(async {
            let access = Access::<Write<Probe>>::authenticated().await.unwrap();
            let writer = database.db.writer(&access);
            for (number, (updated, to)) in (0..).zip(tries) {
                let readable = to.is_none_or(|to| {
                    let mut found = rows.iter().filter(|row| row.0.id == to);
                    found.any(|row| {
                        let family = Family(&rows);
                        let context = access.context();
                        let truth =
                            evaluate_with(&rule.rule(), Some(viewer), row, context, &family);
                        truth.unwrap() == Truth::True
                    })
                });
                tally.count(readable);
                let id = KEYS + number;
                let outcome = match updated {
                    Some(index) => {
                        let body = json!({ "parent_id": to }).to_string();
                        let patch = Untrusted::<Join>::json(body).open(&access).unwrap();
                        let update = writer.update::<Child>(rows[*index].0.id).patch(patch);
                        update.execute().await
                    }
                    None => {
                        let body = json!({ "id": id, "parent_id": to }).to_string();
                        let new = Untrusted::<NewChild>::json(body).open(&access).unwrap();
                        writer.create(new).execute().await.map(drop)
                    }
                };
                prop_assert_eq!(outcome.is_ok(), readable, "{:?} to {:?}", updated, to);
                match outcome {
                    Err(error) => prop_assert!(error.is_unprocessable(), "{error}"),
                    Ok(()) => match updated {
                        Some(index) => {
                            written.borrow_mut()[1] += 1;
                            rows[*index].0.parent_id = *to;
                        }
                        None => {
                            written.borrow_mut()[0] += 1;
                            rows.push(Parent(Sample {
                                id,
                                parent_id: *to,
                                plain: None,
                                nocase: None,
                                rtrim: None,
                                text: "t".into(),
                                number: None,
                                count: 0,
                                maybe: None,
                                sure: false,
                                instant: None,
                                uuid: None,
                                status: None,
                                rank: Rank::Guest,
                            }));
                        }
                    },
                }
            }
            Ok(())
        })
        .await
}
