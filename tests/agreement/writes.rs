//! What may be written: random rules over hostile rows stand in the statement that writes, and the
//! rows that it touches must be those that the evaluator allows.

use std::cell::{Cell as Place, RefCell};

use clearance::dto::{Record, Shape};
use clearance::entity::{Column, Operation, Plain, RelationSpec, RowRules, Table};
use clearance::policy::{
    Cell, Columns as _, Context, Rule, Truth, Value, evaluate_update, evaluate_with,
};
use clearance::repository::WriteExplanation;
use clearance::repository::{Transaction, Update, Writer};
use clearance::{Access, Entity, Error, Field, Result, Write, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::engines::Database;
use crate::rules::{RuleSpec, rule_spec};
use crate::sample::{self, Probe, Sample, Status, probe, row};
use crate::{Family, Tally, engines, seeds};

const CASES: u32 = 60;
const ROUNDS: usize = 4;
const ROWS: usize = 12;
const WRITES: usize = 16;

/// Keys up to this one are asked for, so that some of them are of no row.
const KEYS: i64 = 16;

thread_local! {
    /// The table with the rules of this round. The library asks for it in the thread of the test.
    static TABLE: Place<Option<&'static Table<Ruled>>> = const { Place::new(None) };
}

/// A sample again, whose row rules differ from one round to the next.
#[derive(Debug, Clone)]
struct Ruled(Sample);

impl Entity for Ruled {
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

/// What is tried of a row.
#[derive(Debug, Clone)]
enum Try {
    Create(Sample),
    Update {
        id: i64,
        columns: Vec<&'static str>,
        to: Sample,
    },
    Delete(i64),
}

/// What an update may make of a row, where that is stated apart.
#[derive(Debug, Clone)]
enum Updated {
    /// The rule speaks of the row as it was, too. The evaluator that knows both rows knows no
    /// others, so that it reads none.
    Compared(RuleSpec),
    Related(RuleSpec),
}

impl Updated {
    fn rule(&self) -> Rule<Probe, Ruled> {
        match self {
            Self::Compared(spec) | Self::Related(spec) => spec.rule(),
        }
    }
}

/// One viewer under one set of rules, and what that viewer tries.
#[derive(Debug, Clone)]
struct Round {
    viewer: Probe,
    create: RuleSpec,
    update: RuleSpec,
    updated: Vec<Updated>,
    delete: RuleSpec,
    tries: Vec<Try>,
}

impl Round {
    fn table(&self) -> Table<Ruled> {
        let rows = RowRules {
            tenant: Vec::new(),
            read: Operation::Open {
                reason: "writes are under test",
                tenant: Vec::new(),
            },
            create: Operation::Rules(vec![self.create.rule()]),
            update: Operation::Rules(vec![self.update.rule()]),
            updated: match self.updated.as_slice() {
                [] => None,
                stated => Some(Operation::Rules(stated.iter().map(Updated::rule).collect())),
            },
            delete: Operation::Rules(vec![self.delete.rule()]),
        };
        Table::__new(
            "Ruled",
            "samples",
            Sample::__table().columns().to_vec(),
            sample::ID,
            vec![
                RelationSpec::__belongs_to::<Ruled>("parent", "parent_id"),
                RelationSpec::__has_many::<Ruled>("children", "parent_id"),
            ],
            rows,
        )
    }
}

fn id() -> impl Strategy<Value = i64> {
    0..KEYS
}

fn tried() -> impl Strategy<Value = Try> {
    let columns: Vec<&'static str> = ["parent_id"]
        .into_iter()
        .chain(sample::ruled_fields())
        .collect();
    prop_oneof![
        2 => row().prop_map(Try::Create),
        5 => (id(), proptest::sample::subsequence(columns, 1..4), row())
            .prop_map(|(id, columns, to)| Try::Update { id, columns, to }),
        2 => id().prop_map(Try::Delete),
    ]
}

/// Of three parts, so that something is left where more than one rule must hold.
fn wide_rule() -> impl Strategy<Value = RuleSpec> {
    (rule_spec(), rule_spec(), rule_spec()).prop_map(|(one, two, three)| one.or(two).or(three))
}

fn updated() -> impl Strategy<Value = Vec<Updated>> {
    let compared = || {
        (wide_rule(), any::<u32>()).prop_map(|(spec, of_before)| {
            Updated::Compared(spec.of_one_row().with_before(of_before))
        })
    };
    prop_oneof![
        3 => Just(Vec::new()),
        3 => compared().prop_map(|rule| vec![rule]),
        1 => wide_rule().prop_map(|rule| vec![Updated::Related(rule)]),
        1 => (compared(), wide_rule())
            .prop_map(|(rule, related)| vec![rule, Updated::Related(related)]),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    (
        probe(),
        rule_spec(),
        wide_rule(),
        updated(),
        wide_rule(),
        proptest::collection::vec(tried(), WRITES),
    )
        .prop_map(|(viewer, create, update, updated, delete, tries)| Round {
            viewer,
            create,
            update,
            updated,
            delete,
            tries,
        })
}

/// What was decided of each action.
#[derive(Default)]
struct Tallies {
    create: Tally,
    update: Tally,
    compared: Tally,
    delete: Tally,
}

#[test]
fn t_2_p10_w11_w12_w14_x10_rows_touched_are_those_that_the_evaluator_allows() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = RefCell::new(runtime.block_on(sample::database()));
    let reads_itself = runtime.block_on(sample::may_read_what_it_writes(&database.borrow()));
    let since = Place::new(0);
    let tallies = Tallies::default();
    let cases = seeds::cases("AGREEMENT_WRITE_CASES", CASES);
    let strategy = (
        proptest::collection::vec(row(), ROWS),
        proptest::collection::vec(round(), ROUNDS),
    );
    seeds::runner(cases)
        .run(&strategy, |(mut rows, rounds)| {
            for (id, row) in (0..).zip(&mut rows) {
                row.id = id;
            }
            // A long run has more statements than a connection of MySQL's remembers without delay.
            if since.replace(since.get() + 1) == CASES {
                since.set(1);
                drop(database.replace(runtime.block_on(sample::database())));
            }
            let database = &*database.borrow();
            runtime.block_on(async {
                sample::fill(database, &rows).await;
                sample::spoil(database).await;
                for mut round in rounds {
                    if !reads_itself {
                        round.update = round.update.of_one_row();
                        round.delete = round.delete.of_one_row();
                        round
                            .updated
                            .retain(|rule| matches!(rule, Updated::Compared(_)));
                    }
                    agree(database, &rows, &round, &tallies).await?;
                }
                Ok(())
            })
        })
        .unwrap();

    let all = [
        ("insert", &tallies.create),
        ("update", &tallies.update),
        ("update compared with what was", &tallies.compared),
        ("delete", &tallies.delete),
    ];
    for (action, tally) in all {
        println!("{:?}: {action}: {tally}", engines::engine());
        // A run in which nearly all or nearly none is allowed would show little.
        let share = tally.share();
        assert!(
            cases < CASES || (10..=90).contains(&share),
            "{action}: {share} % allowed"
        );
    }
    let Tallies {
        create,
        update,
        delete,
        ..
    } = &tallies;
    let decided = create.decided() + update.decided() + delete.decided();
    assert!(
        cases < CASES || decided >= 2_000,
        "only {decided} decisions"
    );
}

async fn agree(
    database: &Database,
    rows: &[Sample],
    round: &Round,
    tallies: &Tallies,
) -> Result<(), TestCaseError> {
    TABLE.set(Some(Box::leak(Box::new(round.table()))));
    let request = testing::as_viewer(round.viewer.clone());
    request
        .scope(async {
            let access = Access::<Write<Probe>>::authenticated().await.unwrap();
            let transaction = database.db.begin(&access).await.unwrap();
            let rows = rows.iter().cloned().map(Ruled).collect();
            let context = access.context();
            let outcome = agree_within(&transaction, rows, round, context, tallies).await;
            // The next round finds the rows as they were.
            transaction.rollback().await.unwrap();
            outcome
        })
        .await
}

async fn agree_within(
    transaction: &Transaction<'_, Write<Probe>>,
    mut rows: Vec<Ruled>,
    round: &Round,
    context: &Context,
    tallies: &Tallies,
) -> Result<(), TestCaseError> {
    let writer = transaction.writer();
    for (number, tried) in (0..).zip(&round.tries) {
        let before = rows.clone();
        let (allowed, explanation, outcome) = match tried {
            Try::Create(row) => {
                let row = Ruled(Sample {
                    id: KEYS + number,
                    ..row.clone()
                });
                let allowed = allows(&round.create.rule(), round, &row, &rows, context);
                tallies.create.count(allowed);
                let create = writer.create(row.clone());
                let explanation = create.explain().await.unwrap();
                told_as_evaluated(&explanation, &round.create, round, &row, &before, context)?;
                let outcome = create.execute().await.map(drop);
                if allowed {
                    rows.push(row);
                }
                (allowed, explanation, outcome)
            }
            Try::Update { id, columns, to } => {
                let (update, allowed) =
                    update(&writer, &mut rows, round, *id, columns, to, context);
                tallies.update.count(allowed);
                if matches!(round.updated.as_slice(), [Updated::Compared(_), ..]) {
                    tallies.compared.count(allowed);
                }
                let explanation = update.explain().await.unwrap();
                prop_assert_eq!(
                    explanation.found(),
                    before.iter().any(|row| row.0.id == *id)
                );
                if let Some(row) = before.iter().find(|row| row.0.id == *id) {
                    told_as_evaluated(&explanation, &round.update, round, row, &before, context)?;
                }
                (allowed, explanation, update.execute().await)
            }
            Try::Delete(id) => {
                let place = rows.iter().position(|row| row.0.id == *id);
                let allowed = place.is_some_and(|place| {
                    allows(&round.delete.rule(), round, &rows[place], &rows, context)
                });
                tallies.delete.count(allowed);
                if let Some(place) = place.filter(|_| allowed) {
                    rows.remove(place);
                }
                let explanation = writer.explain_delete::<Ruled>(*id).await.unwrap();
                if let Some(row) = before.iter().find(|row| row.0.id == *id) {
                    told_as_evaluated(&explanation, &round.delete, round, row, &before, context)?;
                }
                (allowed, explanation, writer.delete::<Ruled>(*id).await)
            }
        };
        prop_assert_eq!(
            outcome.as_ref().map_err(Error::status).is_ok(),
            allowed,
            "{:?} gave {:?}",
            tried,
            outcome
        );
        prop_assert_eq!(
            explanation.outcome() == Ok(Truth::True),
            allowed,
            "{:?}: {}",
            tried,
            explanation
        );
        if let Err(error) = outcome {
            let refused = match tried {
                Try::Create(_) => error.is_forbidden(),
                // Where no row could become what is asked for, none was looked for.
                Try::Update { .. } => error.is_not_found() || error.is_forbidden(),
                Try::Delete(_) => error.is_not_found(),
            };
            prop_assert!(refused, "{:?} gave {:?}", tried, error);
        }
    }
    let shape = everything();
    let mut found: Vec<Vec<Value>> = writer
        .all(shape.select())
        .await
        .unwrap()
        .iter()
        .map(values_of)
        .collect();
    let mut expected: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| {
            columns()
                .map(|column| row.cell(column).into_value())
                .collect()
        })
        .collect();
    let by_key = |one: &Vec<Value>, other: &Vec<Value>| {
        format!("{:?}", one[sample::ID]).cmp(&format!("{:?}", other[sample::ID]))
    };
    found.sort_by(by_key);
    expected.sort_by(by_key);
    prop_assert_eq!(found, expected);
    Ok(())
}

/// An explanation knows a rule's false from its unknown, as the evaluator does.
fn told_as_evaluated(
    explanation: &WriteExplanation,
    rule: &RuleSpec,
    round: &Round,
    row: &Ruled,
    rows: &[Ruled],
    context: &Context,
) -> Result<(), TestCaseError> {
    let viewer = Some(&round.viewer);
    let truth = evaluate_with(&rule.rule(), viewer, row, context, &Family(rows));
    prop_assert_eq!(explanation.row().outcome(), truth, "{}", explanation);
    Ok(())
}

/// The update that is tried, and whether it is allowed; `rows` is then what comes of it.
fn update<'a>(
    writer: &Writer<'a, Write<Probe>>,
    rows: &mut [Ruled],
    round: &Round,
    id: i64,
    columns: &[&'static str],
    to: &Sample,
    context: &Context,
) -> (Update<'a, Write<Probe>, Ruled>, bool) {
    let place = rows.iter().position(|row| row.0.id == id);
    let mut after = place.map_or_else(|| Ruled(to.clone()), |place| rows[place].clone());
    let update = columns.iter().fold(writer.update(id), |update, column| {
        change(update, &mut after.0, to, column)
    });
    let allowed = place.is_some_and(|place| {
        let before = &rows[place];
        let may_become = if round.updated.is_empty() {
            allows(&round.update.rule(), round, &after, rows, context)
        } else {
            round.updated.iter().all(|stated| match stated {
                Updated::Compared(spec) => {
                    let viewer = Some(&round.viewer);
                    let truth = evaluate_update(&spec.rule(), viewer, before, &after, context);
                    truth.unwrap() == Truth::True
                }
                Updated::Related(spec) => allows(&spec.rule(), round, &after, rows, context),
            })
        };
        may_become && allows(&round.update.rule(), round, before, rows, context)
    });
    if let Some(place) = place.filter(|_| allowed) {
        rows[place] = after;
    }
    (update, allowed)
}

/// What the rule says of the row, among rows as they stand before the write.
fn allows(
    rule: &Rule<Probe, Ruled>,
    round: &Round,
    row: &Ruled,
    rows: &[Ruled],
    context: &Context,
) -> bool {
    let truth = evaluate_with(rule, Some(&round.viewer), row, context, &Family(rows));
    truth.unwrap() == Truth::True
}

const fn of<T, U>(column: Column<Sample, T, U>) -> Column<Ruled, T, U> {
    Column::__new(column.field())
}

/// Adds what `to` holds in a column to the update, and to the row as it will be.
fn change<'a>(
    update: Update<'a, Write<Probe>, Ruled>,
    row: &mut Sample,
    to: &Sample,
    column: &str,
) -> Update<'a, Write<Probe>, Ruled> {
    let to = to.clone();
    macro_rules! set {
        ($field:ident, $column:ident) => {{
            row.$field = to.clone().$field;
            update.set(of(Sample::$column), to.$field)
        }};
    }
    macro_rules! set_or_clear {
        ($field:ident, $column:ident) => {{
            row.$field = to.clone().$field;
            match to.$field {
                Some(value) => update.set(of(Sample::$column), Some(value)),
                None => update.clear(of(Sample::$column)),
            }
        }};
    }
    match column {
        "parent_id" => set_or_clear!(parent_id, PARENT_ID),
        "plain" => set_or_clear!(plain, PLAIN),
        "nocase" => set_or_clear!(nocase, NOCASE),
        "rtrim" => set_or_clear!(rtrim, RTRIM),
        "text" => set!(text, TEXT),
        "number" => set_or_clear!(number, NUMBER),
        "count" => set!(count, COUNT),
        "maybe" => set_or_clear!(maybe, MAYBE),
        "sure" => set!(sure, SURE),
        "instant" => set_or_clear!(instant, INSTANT),
        "uuid" => set_or_clear!(uuid, UUID),
        "status" => set_or_clear!(status, STATUS),
        "rank" => set!(rank, RANK),
        other => panic!("no column `{other}` is written"),
    }
}

fn columns() -> std::ops::Range<usize> {
    0..Sample::__table().columns().len()
}

/// Every column, as it is.
fn everything() -> std::sync::Arc<Shape<Ruled>> {
    let shown = |column: &clearance::entity::ColumnSpec| column.field();
    let shape = Shape::<Ruled>::builder("everything").visible(of(Sample::ID));
    let fields = Sample::__table().columns().iter().map(shown).skip(1);
    fields
        .fold(shape, |shape, field| {
            shape.visible(Column::<Ruled, Option<String>, Plain>::__new(field))
        })
        .build()
        .unwrap()
}

fn values_of(record: &Record<Ruled>) -> Vec<Value> {
    let fields = Sample::__table()
        .columns()
        .iter()
        .map(|column| column.field());
    fields
        .map(|field| match record.get(field) {
            // Text that is no status, which is none.
            Some(Field::Visible(Value::Text(text))) if field == "status" && !is_status(text) => {
                Value::Null
            }
            Some(Field::Visible(value)) => value.clone(),
            other => panic!("{field} is {other:?}"),
        })
        .collect()
}

fn is_status(text: &str) -> bool {
    use clearance::TextEnum as _;

    Status::NAMES.contains(&text)
}
