//! What a viewer may not see cannot be told by writing either: the same writes on a pair of databases
//! have the same answers, and leave what was alike alike.

mod attempt;
mod clients;
mod forms;
mod many;

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clearance::{Access, Db, Dto, Result, System, Write, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde::Serialize;

use crate::engines::{self, Database};
use crate::model::{
    self, Cell, Member, Needle, Person, PersonView, Rows, Task, TaskView, is_beyond_reach,
    is_hidden_in_person, needle,
};
use crate::queries::answer;
use crate::{changed, database, seeds};
use attempt::{Attempt, attempt, differences};

const PAIRS: u32 = 520;
const TRIED: usize = 7;

const PRODUCTIONS: [&str; 39] = [
    "update",
    "update with a badge",
    "clear",
    "forbidden_if_denied",
    "update of what rules read",
    "update into another company",
    "update to a badge",
    "update of a task",
    "update that moves a task",
    "insert of a person",
    "insert of the same key twice",
    "insert of a task",
    "delete of a person",
    "delete of a task",
    "transaction",
    "transaction that is rolled back",
    "savepoint",
    "transaction that goes on after a failure",
    "update, returning",
    "update, returning if visible",
    "update by version",
    "update or create",
    "update or create in a transaction",
    "insert of many",
    "client patches",
    "client patches, returning",
    "client patches, returning if visible",
    "client patches by version",
    "client patches a task",
    "client creates",
    "client creates, returning",
    "client patches or creates",
    "client in a transaction",
    "many permitted",
    "many or none",
    "many permitted by a patch",
    "many or none by a patch",
    "many tasks",
    "question",
];

/// What the run has shown.
#[derive(Default)]
struct Tally {
    pairs: usize,
    tried: Vec<usize>,
    written: usize,
    /// How many writes stood against what is stored, mostly a badge that nobody sees.
    conflicts: usize,
    /// How many updates were of another version than the row has.
    stale: usize,
    /// How many updates of many rows found some.
    found: usize,
    /// How many patches were of what is hidden on a row that the viewer may update.
    unseen: usize,
    /// In how many pairs one who may see everything sees a difference after the writes.
    seen: usize,
}

#[test]
fn t_3_w5_w6_w20_w21_hidden_cells_change_no_write_and_no_answer_to_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (one, other) =
        runtime.block_on(async { (database::tables().await, database::tables().await) });
    let pairs = seeds::cases("SIDE_CHANNELS_WRITE_CASES", PAIRS);
    let tally = RefCell::new(Tally {
        tried: vec![0; PRODUCTIONS.len()],
        ..Tally::default()
    });
    let strategy = (
        model::rows(),
        model::viewer(),
        proptest::option::weighted(0.7, 0..8_usize),
        proptest::collection::vec((any::<bool>(), needle()), 90),
        proptest::collection::vec(attempt(), TRIED),
    );
    seeds::runner(pairs)
        .run(
            &strategy,
            |(rows, mut viewer, one_of_them, changes, attempts)| {
                if let Some(index) = one_of_them {
                    // Who is among the people has more rows to write to.
                    let person = &rows.people[index % rows.people.len()];
                    viewer = Member {
                        id: person.id,
                        company: person.company,
                        team: person.team.clone(),
                    };
                }
                runtime.block_on(pair(
                    &one, &other, &rows, &viewer, &changes, attempts, &tally,
                ))
            },
        )
        .unwrap();

    let tally = tally.into_inner();
    let least = tally.tried.iter().min().unwrap();
    let tried: usize = tally.tried.iter().sum();
    println!(
        "{:?}: {} pairs, {tried} writes, {} of them done, each production at least {least} times, {} conflicts, {} stale, {} of many rows, {} patches of what is hidden, {} differences seen by the permitted",
        engines::engine(),
        tally.pairs,
        tally.written,
        tally.conflicts,
        tally.stale,
        tally.found,
        tally.unseen,
        tally.seen,
    );
    if pairs >= PAIRS {
        assert!(tally.pairs >= 500, "only {} pairs", tally.pairs);
        for (production, tried) in PRODUCTIONS.iter().zip(tally.tried) {
            assert!(tried >= 50, "`{production}` was tried {tried} times");
        }
        let share = tally.written * 100 / tried;
        assert!((10..=90).contains(&share), "{share} % were done");
        for (what, count, least) in [
            ("conflicts", tally.conflicts, 50),
            ("updates of an old version", tally.stale, 8),
            ("updates of many rows", tally.found, 40),
            ("patches of what is hidden", tally.unseen, 80),
        ] {
            assert!(count >= least, "only {count} {what}");
        }
    }
    assert!(
        tally.seen * 10 >= tally.pairs * 9,
        "{} of {} pairs show a difference to the permitted",
        tally.seen,
        tally.pairs
    );
}

async fn pair(
    one: &Database,
    other: &Database,
    rows: &Rows,
    viewer: &Member,
    changes: &[(bool, Needle)],
    mut attempts: Vec<Attempt>,
    tally: &RefCell<Tally>,
) -> Result<(), TestCaseError> {
    let (mut other_rows, _) = changed(rows, viewer, changes);
    let differences = differences(rows, &other_rows, viewer);
    if differences.is_empty() {
        return Ok(());
    }
    change_beyond_reach(&mut other_rows, viewer);
    for attempt in &mut attempts {
        attempt.point(&differences, [rows, &other_rows], viewer);
    }
    database::fill(one, rows).await;
    database::fill(other, &other_rows).await;
    let before = [everything(&one.db).await, everything(&other.db).await];

    let [from_one, from_other] = answers(&one.db, &other.db, viewer, &attempts).await;
    let after = [everything(&one.db).await, everything(&other.db).await];
    let mut tally = tally.borrow_mut();
    for (attempt, (one, other)) in attempts.iter().zip(from_one.iter().zip(&from_other)) {
        prop_assert_eq!(one, other, "{}: {:?}", attempt.production(), attempt);
        tally.tried[attempt.production] += 1;
        tally.written += usize::from(one.contains("done"));
        tally.conflicts += one.matches("conflicts").count();
        tally.stale += one.matches("changed by").count();
        tally.found += usize::from(one.contains(" rows;") && !one.contains("0 rows;"));
        tally.unseen += usize::from(is_unseen(attempt, rows, viewer));
        // A row that may not be updated is no other than one that is not there, whatever the
        // version, and both databases could tell of it alike.
        prop_assert!(
            !one.contains("changed by") || !is_out_of_reach(attempt, rows, viewer),
            "{attempt:?}: {one}"
        );
    }
    // What is read when all is done.
    prop_assert_eq!(from_one.last(), from_other.last());

    for cell in after.iter().flat_map(BTreeMap::keys) {
        let [was, is] = [&before, &after].map(|both| [both[0].get(cell), both[1].get(cell)]);
        prop_assert!(
            is[0] == is[1] || was == is,
            "{cell} was {was:?} and is {is:?}"
        );
    }
    tally.pairs += 1;
    tally.seen += usize::from(of_cells(&after[0]).ne(of_cells(&after[1])));
    Ok(())
}

/// What differs in every pair tells nothing of the writes.
fn of_cells(all: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    all.iter()
        .filter(|(cell, _)| !cell.ends_with(" badge") && !cell.ends_with(" version"))
}

/// Whether a client patches what is hidden from it on a row that it may update.
fn is_unseen(attempt: &Attempt, rows: &Rows, viewer: &Member) -> bool {
    let person = rows.people.iter().find(|person| person.id == attempt.id);
    let blind = matches!(attempt.cell, Cell::Card | Cell::Email);
    attempt.production().starts_with("client patches")
        && attempt.production() != "client patches a task"
        && person.is_some_and(|person| {
            !is_beyond_reach(person, viewer)
                && !blind
                && is_hidden_in_person(person, attempt.cell, viewer)
        })
}

fn is_out_of_reach(attempt: &Attempt, rows: &Rows, viewer: &Member) -> bool {
    let id = if attempt.production().contains("or create") {
        attempt.new_id()
    } else {
        attempt.id
    };
    let mut people = rows.people.iter();
    people.any(|person| person.id == id && is_beyond_reach(person, viewer))
}

/// Lets people whom the viewer can neither change nor remove have each other's badges, so that the
/// same badges are taken, by others; and gives them other versions.
fn change_beyond_reach(rows: &mut Rows, viewer: &Member) {
    let people = rows.people.iter_mut();
    let mut beyond: Vec<&mut Person> = people
        .filter(|person| is_beyond_reach(person, viewer))
        .collect();
    let mut badges: Vec<Option<String>> =
        beyond.iter().map(|person| person.badge.clone()).collect();
    let by = usize::from(!badges.is_empty());
    badges.rotate_left(by);
    for (person, badge) in beyond.iter_mut().zip(badges) {
        person.badge = badge;
        person.version = 1 + person.version % 3;
    }
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct WholePerson {
    id: i64,
    company: i64,
    boss_id: Option<i64>,
    team: Option<String>,
    suspended: bool,
    public: bool,
    name: String,
    phone: Option<String>,
    salary: i64,
    card: String,
    note: Option<String>,
    born: Option<DateTime<Utc>>,
    email: String,
    badge: Option<String>,
    version: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Task, default = visible)]
struct WholeTask {
    id: i64,
    person_id: Option<i64>,
    open: bool,
    title: String,
    points: i64,
    secret: Option<String>,
}

/// Each cell, as one reads it who may read them all.
async fn everything(db: &Db) -> BTreeMap<String, String> {
    let access: Access<System> = Access::system("a test").unwrap();
    let reader = db.reader(&access);
    let people = reader.all(WholePerson::select()).await.unwrap();
    let tasks = reader.all(WholeTask::select()).await.unwrap();
    let people = people
        .iter()
        .map(|row| ("person", row.id, serde_json::to_value(row).unwrap()));
    let tasks = tasks
        .iter()
        .map(|row| ("task", row.id, serde_json::to_value(row).unwrap()));
    let mut cells = BTreeMap::new();
    for (table, id, row) in people.chain(tasks) {
        for (column, value) in row.as_object().unwrap() {
            cells.insert(format!("{table} {id} {column}"), value.to_string());
        }
    }
    cells
}

/// The answer to each attempt, and then what the viewer reads.
///
/// Both databases go step by step, because a question can be of both.
async fn answers(one: &Db, other: &Db, viewer: &Member, attempts: &[Attempt]) -> [Vec<String>; 2] {
    let requests = [(); 2].map(|()| testing::as_viewer(viewer.clone()));
    let mut answers = [Vec::new(), Vec::new()];
    for attempt in attempts.iter().map(Some).chain([None]) {
        let sides = [(one, other), (other, one)];
        for ((request, answers), (db, other)) in requests.iter().zip(&mut answers).zip(sides) {
            let answer = request.scope(async {
                let access = Access::<Write<Member>>::authenticated().await.unwrap();
                match attempt {
                    None => read(db, &access).await,
                    Some(attempt) => match attempt.production() {
                        "question" => answer(db, other, &access, &attempt.pick).await,
                        many if many.starts_with("many") => {
                            many::written(db, &access, attempt).await
                        }
                        client if client.starts_with("client") => {
                            clients::written(db, &access, attempt).await
                        }
                        _ => forms::written(db, &access, attempt).await,
                    },
                }
            });
            answers.push(answer.await);
        }
    }
    answers
}

/// The answer to a write, without what it returns.
fn told<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => "done;".to_owned(),
        Err(error) => {
            let answer = format!("{} {error};", error.status());
            if error.is_unprocessable() {
                // The only field of these clients that refers to anything.
                let fields = error.fields().iter().map(|it| it.field());
                assert_eq!(fields.collect::<Vec<_>>(), ["boss_id"], "{answer}");
                return answer;
            }
            let known = match error.status() {
                403 => "403 not allowed;",
                404 => "404 not found;",
                409 if error.is_stale() => "409 changed by somebody else meanwhile;",
                // Not with what, and not with whom.
                409 => "409 conflicts with what is stored;",
                _ if answer.contains("an earlier statement") => return answer,
                _ => "nothing else",
            };
            assert_eq!(answer, known);
            answer
        }
    }
}

/// The answer to a write, with what it returns.
fn shown<T: Serialize>(outcome: Result<T>) -> String {
    let returned = match &outcome {
        Ok(returned) => serde_json::to_string(returned).unwrap(),
        Err(_) => String::new(),
    };
    told(outcome) + &returned
}

/// What gives the cell this value, in one update or in one of many people.
macro_rules! set_cell {
    ($update:expr, $cell:expr, $to:expr) => {{
        use crate::model::{Cell, Person};
        let (update, to) = ($update, $to);
        let text = (!to.is_null).then(|| to.text.clone());
        match $cell {
            Cell::Phone => update.set(Person::PHONE, text),
            Cell::Salary => update.set(Person::SALARY, to.number),
            Cell::Card => update.set(Person::CARD, to.text.as_str()),
            Cell::Note => update.set(Person::NOTE, text),
            Cell::Born => update.set(Person::BORN, (!to.is_null).then_some(to.instant)),
            Cell::Email => update.set(Person::EMAIL, to.text.as_str()),
            _ => update.set(Person::NAME, to.text.as_str()),
        }
    }};
}

macro_rules! set_task_cell {
    ($update:expr, $cell:expr, $to:expr) => {{
        use crate::model::{Cell, Task};
        let (update, to) = ($update, $to);
        match $cell {
            Cell::Title => update.set(Task::TITLE, to.text.as_str()),
            Cell::Points => update.set(Task::POINTS, to.number),
            _ if to.is_null => update.clear(Task::SECRET),
            _ => update.set(Task::SECRET, Some(to.text.clone())),
        }
    }};
}

/// What gives a column that rules read a value.
macro_rules! set_what_rules_read {
    ($update:expr, $attempt:expr) => {{
        use crate::model::Person;
        let (update, attempt) = ($update, $attempt);
        match attempt.needle.number {
            0 => update.set(Person::SUSPENDED, attempt.flag),
            1 => update.set(Person::PUBLIC, attempt.flag),
            _ if attempt.flag => update.clear(Person::TEAM),
            _ => update.set(Person::TEAM, Some("a".to_owned())),
        }
    }};
}
use {set_cell, set_task_cell, set_what_rules_read};

async fn read(db: &Db, access: &Access<Write<Member>>) -> String {
    let reader = db.reader(access);
    let people = PersonView::select().order(PersonView::ID.asc());
    let tasks = TaskView::select().order(TaskView::ID.asc());
    format!(
        "{} {}",
        serde_json::to_string(&reader.all(people).await.unwrap()).unwrap(),
        serde_json::to_string(&reader.all(tasks).await.unwrap()).unwrap()
    )
}
