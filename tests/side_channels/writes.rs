//! What a viewer may not see cannot be told by writing either: the same writes on a pair of databases
//! have the same answers, and leave what was alike alike.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clearance::repository::Update;
use clearance::{Access, Db, Dto, Result, System, Write, testing};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::engines::{self, Database};
use crate::model::{
    self, Cell, Member, Needle, Person, PersonView, Rows, Task, TaskView, differ, held_in_person,
    held_in_task, needle,
};
use crate::queries::{self, Pick, answer};
use crate::{changed, database, seeds};

const PAIRS: u32 = 520;
const TRIED: usize = 5;

const PRODUCTIONS: [&str; 19] = [
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
    "question",
];

/// What a write is put together from.
#[derive(Debug, Clone)]
struct Attempt {
    production: usize,
    id: i64,
    cell: Cell,
    needle: Needle,
    /// What a second write of the same attempt is of.
    other_id: i64,
    other_cell: Cell,
    other_needle: Needle,
    flag: bool,
    pick: Pick,
    /// Which of the cells that differ the attempt is aimed at, with what stands there in one
    /// database or the other.
    aim: Option<(usize, bool)>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let cell = || proptest::sample::select(Cell::OF_PERSON.to_vec());
    (
        0..PRODUCTIONS.len(),
        (1..9_i64, cell(), needle()),
        (1..9_i64, cell(), needle()),
        any::<bool>(),
        queries::pick(),
        proptest::option::weighted(0.6, (any::<usize>(), any::<bool>())),
    )
        .prop_map(
            |(
                production,
                (id, cell, needle),
                (other_id, other_cell, other_needle),
                flag,
                pick,
                aim,
            )| {
                Attempt {
                    production,
                    id,
                    cell,
                    needle,
                    other_id,
                    other_cell,
                    other_needle,
                    flag,
                    pick,
                    aim,
                }
            },
        )
}

/// A cell that differs, and what stands there in each database.
struct Difference {
    id: i64,
    cell: Cell,
    held: [Needle; 2],
}

fn differences(one: &Rows, other: &Rows) -> Vec<Difference> {
    let people = one
        .people
        .iter()
        .zip(&other.people)
        .flat_map(|(one, other)| {
            let held = move |cell| [held_in_person(one, cell), held_in_person(other, cell)];
            Cell::OF_PERSON.map(|cell| (one.id, cell, held(cell)))
        });
    let tasks = one.tasks.iter().zip(&other.tasks).flat_map(|(one, other)| {
        let held = move |cell| [held_in_task(one, cell), held_in_task(other, cell)];
        Cell::OF_TASK.map(|cell| (one.id, cell, held(cell)))
    });
    people
        .chain(tasks)
        .filter(|(_, cell, [one, other])| differ(*cell, one, other))
        .map(|(id, cell, held)| Difference { id, cell, held })
        .collect()
}

/// What the run has shown.
#[derive(Default)]
struct Tally {
    pairs: usize,
    tried: [usize; PRODUCTIONS.len()],
    written: usize,
    /// How many writes stood against what is stored, mostly a badge that nobody sees.
    conflicts: usize,
    /// In how many pairs one who may see everything sees a difference after the writes.
    seen: usize,
}

#[test]
fn t_3_w20_hidden_cells_change_no_write_and_no_answer_to_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (one, other) =
        runtime.block_on(async { (database::tables().await, database::tables().await) });
    let pairs = seeds::cases("SIDE_CHANNELS_WRITE_CASES", PAIRS);
    let tally = RefCell::new(Tally::default());
    let strategy = (
        model::rows(),
        model::viewer(),
        proptest::collection::vec((any::<bool>(), needle()), 90),
        proptest::collection::vec(attempt(), TRIED),
    );
    seeds::runner(pairs)
        .run(&strategy, |(rows, viewer, changes, attempts)| {
            runtime.block_on(pair(
                &one, &other, &rows, &viewer, &changes, attempts, &tally,
            ))
        })
        .unwrap();

    let tally = tally.into_inner();
    let least = tally.tried.iter().min().unwrap();
    let tried: usize = tally.tried.iter().sum();
    println!(
        "{:?}: {} pairs, {tried} writes, {} of them done, each production at least {least} times, {} conflicts, {} differences seen by the permitted",
        engines::engine(),
        tally.pairs,
        tally.written,
        tally.conflicts,
        tally.seen,
    );
    if pairs >= PAIRS {
        assert!(tally.pairs >= 500, "only {} pairs", tally.pairs);
        for (production, tried) in PRODUCTIONS.iter().zip(tally.tried) {
            assert!(tried >= 50, "`{production}` was tried {tried} times");
        }
        let share = tally.written * 100 / tried;
        assert!((10..=90).contains(&share), "{share} % were done");
        assert!(tally.conflicts >= 30, "only {} conflicts", tally.conflicts);
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
    let differences = differences(rows, &other_rows);
    if differences.is_empty() {
        return Ok(());
    }
    exchange_badges(&mut other_rows, viewer);
    for attempt in &mut attempts {
        if let Some((index, in_other)) = attempt.aim {
            let difference = &differences[index % differences.len()];
            attempt.id = difference.id;
            attempt.cell = difference.cell;
            attempt.needle = difference.held[usize::from(in_other)].clone();
        } else if attempt.flag {
            // A row that the viewer may write to, most of the time.
            attempt.id = viewer.id;
        }
    }
    database::fill(one, rows).await;
    database::fill(other, &other_rows).await;
    let before = [everything(&one.db).await, everything(&other.db).await];

    let [from_one, from_other] = answers(&one.db, &other.db, viewer, &attempts).await;
    let after = [everything(&one.db).await, everything(&other.db).await];
    let mut tally = tally.borrow_mut();
    for (attempt, (one, other)) in attempts.iter().zip(from_one.iter().zip(&from_other)) {
        prop_assert_eq!(one, other, "{:?}", attempt);
        tally.tried[attempt.production] += 1;
        tally.written += usize::from(one.contains("done"));
        tally.conflicts += one.matches("409").count();
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
    tally.seen += usize::from(after[0] != after[1]);
    Ok(())
}

/// Lets people whom the viewer can neither change nor remove have each other's badges: the same
/// badges are taken, by others.
fn exchange_badges(rows: &mut Rows, viewer: &Member) {
    let mut beyond: Vec<&mut Person> = rows
        .people
        .iter_mut()
        .filter(|person| {
            let team = viewer.team.is_some() && person.team == viewer.team;
            person.company != viewer.company || !(team || person.id == viewer.id)
        })
        .collect();
    let mut badges: Vec<Option<String>> =
        beyond.iter().map(|person| person.badge.clone()).collect();
    let by = usize::from(!badges.is_empty());
    badges.rotate_left(by);
    for (person, badge) in beyond.iter_mut().zip(badges) {
        person.badge = badge;
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
                    Some(attempt) if PRODUCTIONS[attempt.production] == "question" => {
                        answer(db, other, &access, &attempt.pick).await
                    }
                    Some(attempt) => written(db, &access, attempt).await,
                }
            });
            answers.push(answer.await);
        }
    }
    answers
}

fn told<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => "done;".to_owned(),
        Err(error) => {
            let answer = format!("{} {error};", error.status());
            let known = match error.status() {
                403 => "403 not allowed;",
                404 => "404 not found;",
                // Not with what, and not with whom.
                409 => "409 conflicts with what is stored;",
                _ if answer.contains("failed before") => return answer,
                _ => "nothing else",
            };
            assert_eq!(answer, known);
            answer
        }
    }
}

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

/// Adds the write of a cell, whether it is one of a person.
fn set<'a>(
    update: Update<'a, Write<Member>, Person>,
    cell: Cell,
    to: &Needle,
) -> Update<'a, Write<Member>, Person> {
    let text = (!to.is_null).then(|| to.text.clone());
    match cell {
        Cell::Phone => update.set(Person::PHONE, text),
        Cell::Salary => update.set(Person::SALARY, to.number),
        Cell::Card => update.set(Person::CARD, to.text.as_str()),
        Cell::Note => update.set(Person::NOTE, text),
        Cell::Born => update.set(Person::BORN, (!to.is_null).then_some(to.instant)),
        Cell::Email => update.set(Person::EMAIL, to.text.as_str()),
        _ => update.set(Person::NAME, to.text.as_str()),
    }
}

fn set_task<'a>(
    update: Update<'a, Write<Member>, Task>,
    cell: Cell,
    to: &Needle,
) -> Update<'a, Write<Member>, Task> {
    match cell {
        Cell::Title => update.set(Task::TITLE, to.text.as_str()),
        Cell::Points => update.set(Task::POINTS, to.number),
        _ if to.is_null => update.clear(Task::SECRET),
        _ => update.set(Task::SECRET, Some(to.text.clone())),
    }
}

fn badge(id: i64) -> Option<String> {
    Some(format!("badge {id}"))
}

fn new_person(attempt: &Attempt, viewer: &Member) -> Person {
    let mut person = Person {
        id: 100 + attempt.other_id,
        company: viewer.company,
        boss_id: Some(attempt.id),
        team: viewer.team.clone(),
        suspended: attempt.flag,
        public: true,
        name: String::new(),
        phone: None,
        salary: 0,
        card: String::new(),
        note: None,
        born: None,
        email: String::new(),
        badge: badge(attempt.other_id),
    };
    model::set_in_person(&mut person, attempt.cell, &attempt.needle);
    person
}

fn new_task(attempt: &Attempt) -> Task {
    let mut task = Task {
        id: 100 + attempt.other_id,
        person_id: Some(attempt.id),
        open: attempt.flag,
        title: String::new(),
        points: 0,
        secret: None,
    };
    model::set_in_task(&mut task, attempt.cell, &attempt.needle);
    task
}

async fn written(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    let writer = db.writer(access);
    let Attempt {
        id,
        cell,
        needle,
        other_id,
        flag,
        ..
    } = attempt;
    let (id, other_id, flag) = (*id, *other_id, *flag);
    let person = || writer.update::<Person>(id);
    match PRODUCTIONS[attempt.production] {
        "update" => told(set(person(), *cell, needle).execute().await),
        "update with a badge" => {
            let update = set(person(), *cell, needle).set(Person::BADGE, badge(other_id));
            told(update.execute().await)
        }
        "clear" => {
            let update = match cell {
                Cell::Phone => person().clear(Person::PHONE),
                Cell::Born => person().clear(Person::BORN),
                _ => person().clear(Person::NOTE),
            };
            told(update.execute().await)
        }
        "forbidden_if_denied" => {
            let update = set(person(), *cell, needle).forbidden_if_denied();
            told(update.execute().await)
        }
        "update of what rules read" => {
            let update = match needle.number {
                0 => person().set(Person::SUSPENDED, flag),
                1 => person().set(Person::PUBLIC, flag),
                _ if flag => person().clear(Person::TEAM),
                _ => person().set(Person::TEAM, Some("a".to_owned())),
            };
            told(update.execute().await)
        }
        "update into another company" => {
            let update = set(person(), *cell, needle).set(Person::COMPANY, 1 + i64::from(flag));
            told(update.execute().await)
        }
        "update to a badge" => {
            let update = person().set(Person::BADGE, badge(other_id));
            told(update.execute().await)
        }
        "update of a task" => {
            let update = set_task(writer.update::<Task>(id), *cell, needle);
            told(update.execute().await)
        }
        "update that moves a task" => {
            let update = writer.update::<Task>(id);
            let update = update.set(Task::PERSON_ID, Some(other_id));
            told(update.execute().await)
        }
        "insert of a person" => told(writer.insert(new_person(attempt, access.viewer())).await),
        "insert of the same key twice" => {
            let new = || Person {
                badge: None,
                ..new_person(attempt, access.viewer())
            };
            let first = told(writer.insert(new()).await);
            first + &told(writer.insert(new()).await)
        }
        "insert of a task" => told(writer.insert(new_task(attempt)).await),
        "delete of a person" => told(writer.delete::<Person>(id).await),
        "delete of a task" => told(writer.delete::<Task>(id).await),
        _ => in_transaction(db, access, attempt).await,
    }
}

async fn in_transaction(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    let transaction = db.begin(access).await.unwrap();
    let writer = transaction.writer();
    let one = async || {
        let update = writer.update::<Person>(attempt.id);
        set(update, attempt.cell, &attempt.needle).execute().await
    };
    let two = async || {
        let update = writer.update::<Person>(attempt.other_id);
        set(update, attempt.other_cell, &attempt.other_needle)
            .execute()
            .await
    };
    let take_badge = async || {
        let update = writer.update::<Person>(attempt.id);
        let update = update.set(Person::BADGE, badge(attempt.other_id));
        update.execute().await
    };
    let mut answer = told(one().await);
    match PRODUCTIONS[attempt.production] {
        "transaction" => {
            answer += &told(two().await);
            answer += &read(&transaction.db(), access).await;
            answer += &told(transaction.commit().await);
        }
        "transaction that is rolled back" => {
            answer += &told(two().await);
            answer += &told(writer.delete::<Task>(attempt.id).await);
            answer += &read(&transaction.db(), access).await;
            answer += &told(transaction.rollback().await);
        }
        "savepoint" => {
            let apart = async {
                two().await?;
                take_badge().await
            };
            answer += &told(transaction.savepoint(apart).await);
            answer += &read(&transaction.db(), access).await;
            answer += &told(transaction.commit().await);
        }
        "transaction that goes on after a failure" => {
            answer += &told(take_badge().await);
            answer += &told(two().await);
            answer += &told(transaction.commit().await);
        }
        other => panic!("no production `{other}`"),
    }
    answer
}
