//! The entities, their rows, and which cells are hidden from a viewer, told apart by hand.

use chrono::{DateTime, Utc};
use clearance::{Dto, Entity, Field, Viewer};
use proptest::prelude::*;

#[derive(Debug, Clone, Viewer)]
pub struct Member {
    pub id: i64,
    pub company: i64,
    pub team: Option<String>,
}

/// Whatever viewers may write, it shows them no more than they saw: the rules let nobody open what is
/// hidden, here and in a task.
#[derive(Debug, Clone, Entity)]
#[entity(
    table = "people",
    viewer = Member,
    tenant_if(row.company == viewer.company),
    belongs_to(boss: Person, by = boss_id),
    has_many(tasks: Task, by = person_id),
    read_if(!row.suspended),
    create_if(
        row.id > 100
            && (row.boss_id.is_none() || exists(row.boss, |boss| same(viewer.team, boss.team)))
    ),
    update_if(same(viewer.team, row.team) || row.id == viewer.id),
    updated_if(
        same(before.team, row.team)
            || (before.team.is_none() && row.team.is_none())
            || same(viewer.team, before.team)
    ),
    updated_if(row.suspended || !before.suspended),
    updated_if(before.public || !row.public),
    delete_if(same(viewer.team, row.team) && row.public)
)]
pub struct Person {
    #[entity(key)]
    pub id: i64,
    pub company: i64,
    pub boss_id: Option<i64>,
    pub team: Option<String>,
    pub suspended: bool,
    pub public: bool,
    pub name: String,
    pub phone: Option<String>,
    pub salary: i64,
    pub card: String,
    pub note: Option<String>,
    pub born: Option<DateTime<Utc>>,
    #[entity(filter_if(same(viewer.team, row.team)))]
    pub email: String,
    /// No two people have the same, and no DTO shows it.
    pub badge: Option<String>,
    /// Shown to those alone who may update the row, because `if_version` tells it to them anyway.
    pub version: i64,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "tasks",
    viewer = Member,
    belongs_to(person: Person, by = person_id),
    read_if(row.open || row.person_id == viewer.id),
    create_if(row.id > 100 && exists(row.person, |person| same(viewer.team, person.team))),
    update_if(exists(row.person, |person| same(viewer.team, person.team))),
    updated_if(exists(row.person, |person| same(viewer.team, person.team))),
    updated_if(row.person_id != viewer.id || before.person_id == viewer.id),
    updated_if(before.open || !row.open),
    delete_if(row.person_id == viewer.id && row.open)
)]
pub struct Task {
    #[entity(key)]
    pub id: i64,
    pub person_id: Option<i64>,
    pub open: bool,
    pub title: String,
    pub points: i64,
    pub secret: Option<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Task, default = visible)]
pub struct TaskView {
    pub id: i64,
    pub title: String,
    #[visible_if(exists(row.person, |person| same(viewer.team, person.team)))]
    pub points: Field<i64>,
    #[visible_if(row.person_id == viewer.id)]
    pub secret: Field<Option<String>>,
}

fn label(name: &str, phone: &Option<String>) -> String {
    format!("{name}: {phone:?}")
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct PersonView {
    pub id: i64,
    pub name: String,
    #[visible_if(same(viewer.team, row.team) || row.id == viewer.id)]
    pub phone: Field<Option<String>>,
    #[visible_if(row.id == viewer.id)]
    pub salary: Field<i64>,
    #[visible_if(row.id == viewer.id)]
    #[dto(mask = last4)]
    pub card: String,
    #[visible_if(exists(row.boss, |boss| boss.id == viewer.id))]
    pub note: Option<String>,
    #[visible_if(row.public)]
    pub born: Field<Option<DateTime<Utc>>>,
    #[visible_if(same(viewer.team, row.team) || row.id == viewer.id)]
    pub version: Field<i64>,
    #[dto(computed = label, from(name, phone))]
    pub label: Field<String>,
    #[visible_if(same(viewer.team, row.team) || row.id == viewer.id)]
    #[dto(related)]
    pub tasks: Field<Vec<TaskView>>,
}

/// The same rows without what is loaded by further statements.
#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
pub struct PersonRow {
    pub id: i64,
    #[visible_if(same(viewer.team, row.team) || row.id == viewer.id)]
    pub phone: Field<Option<String>>,
    #[visible_if(row.id == viewer.id)]
    pub salary: Field<i64>,
}

/// A cell that no rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    Name,
    Phone,
    Salary,
    Card,
    Note,
    Born,
    Email,
    Title,
    Points,
    Secret,
}

impl Cell {
    pub const OF_PERSON: [Self; 7] = [
        Self::Name,
        Self::Phone,
        Self::Salary,
        Self::Card,
        Self::Note,
        Self::Born,
        Self::Email,
    ];
    pub const OF_TASK: [Self; 3] = [Self::Title, Self::Points, Self::Secret];
}

/// The rows of one database.
#[derive(Debug, Clone)]
pub struct Rows {
    pub people: Vec<Person>,
    pub tasks: Vec<Task>,
}

fn same_team(one: Option<&String>, other: Option<&String>) -> bool {
    one.is_some() && one == other
}

/// Whether the viewer may neither change nor remove the row, nor ever come to: no rule lets anybody
/// take a row into their team or company.
pub fn is_beyond_reach(person: &Person, viewer: &Member) -> bool {
    let team = same_team(person.team.as_ref(), viewer.team.as_ref());
    person.company != viewer.company || !(team || person.id == viewer.id)
}

/// Whether the viewer may update the task, as long as it stays where it is.
pub fn is_task_in_reach(task: &Task, viewer: &Member, people: &[Person]) -> bool {
    people.iter().any(|person| {
        Some(person.id) == task.person_id && same_team(person.team.as_ref(), viewer.team.as_ref())
    })
}

/// Whether the viewer may see nothing of the cell, worked out without the library.
pub fn is_hidden_in_person(person: &Person, cell: Cell, viewer: &Member) -> bool {
    let readable = person.company == viewer.company && !person.suspended;
    let own = person.id == viewer.id;
    let team = same_team(person.team.as_ref(), viewer.team.as_ref());
    !readable
        || match cell {
            Cell::Name => false,
            Cell::Phone => !(team || own),
            Cell::Salary | Cell::Card => !own,
            Cell::Note => person.boss_id != Some(viewer.id),
            Cell::Born => !person.public,
            Cell::Email => !team,
            Cell::Title | Cell::Points | Cell::Secret => false,
        }
}

pub fn is_hidden_in_task(task: &Task, cell: Cell, viewer: &Member, people: &[Person]) -> bool {
    let own = task.person_id == Some(viewer.id);
    let person = people
        .iter()
        .find(|person| Some(person.id) == task.person_id);
    let team = person.is_some_and(|person| same_team(person.team.as_ref(), viewer.team.as_ref()));
    !(task.open || own)
        || match cell {
            Cell::Points => !team,
            Cell::Secret => !own,
            _ => false,
        }
}

/// A value for any cell, and what queries compare with.
#[derive(Debug, Clone)]
pub struct Needle {
    pub text: String,
    pub number: i64,
    pub instant: DateTime<Utc>,
    pub is_null: bool,
}

pub fn needle() -> impl Strategy<Value = Needle> {
    (
        proptest::sample::select(vec![
            "",
            " ",
            "a",
            "A",
            "a ",
            "b",
            "ä",
            "a%",
            "_",
            "\\",
            "'",
            "\"",
            "12345678",
            "zz",
            "\u{1f980}",
            "\u{10ffff}",
        ]),
        proptest::sample::select(vec![0, 1, -1, 7, 100, i64::MAX, i64::MIN]),
        proptest::sample::select(vec![0, 1, 1_767_225_600_000_000_i64]),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(text, number, micros, is_null)| Needle {
            text: text.to_owned(),
            number,
            instant: DateTime::from_timestamp_micros(micros).unwrap(),
            is_null,
        })
}

/// Whether two people, or tasks, that hold these hold something else in the cell.
pub fn differ(cell: Cell, one: &Needle, other: &Needle) -> bool {
    match cell {
        Cell::Salary | Cell::Points => one.number != other.number,
        Cell::Born => (one.instant, one.is_null) != (other.instant, other.is_null),
        _ => (&one.text, one.is_null) != (&other.text, other.is_null),
    }
}

pub fn held_in_person(person: &Person, cell: Cell) -> Needle {
    let text = match cell {
        Cell::Name => Some(&person.name),
        Cell::Phone => person.phone.as_ref(),
        Cell::Card => Some(&person.card),
        Cell::Note => person.note.as_ref(),
        Cell::Email => Some(&person.email),
        _ => None,
    };
    let is_null = match cell {
        Cell::Born => person.born.is_none(),
        Cell::Phone | Cell::Note => text.is_none(),
        _ => false,
    };
    Needle {
        text: text.cloned().unwrap_or_default(),
        number: person.salary,
        instant: person.born.unwrap_or_default(),
        is_null,
    }
}

pub fn held_in_task(task: &Task, cell: Cell) -> Needle {
    let text = match cell {
        Cell::Title => Some(&task.title),
        Cell::Secret => task.secret.as_ref(),
        _ => None,
    };
    Needle {
        text: text.cloned().unwrap_or_default(),
        number: task.points,
        instant: DateTime::default(),
        is_null: cell == Cell::Secret && text.is_none(),
    }
}

pub fn set_in_person(person: &mut Person, cell: Cell, to: &Needle) {
    let text = (!to.is_null).then(|| to.text.clone());
    match cell {
        Cell::Name => person.name.clone_from(&to.text),
        Cell::Phone => person.phone = text,
        Cell::Salary => person.salary = to.number,
        // What the mask shows stays: the last four of at least eight.
        Cell::Card => person.card = format!("{}xxxx1234", to.text),
        Cell::Note => person.note = text,
        Cell::Born => person.born = (!to.is_null).then_some(to.instant),
        Cell::Email => person.email.clone_from(&to.text),
        Cell::Title | Cell::Points | Cell::Secret => {}
    }
}

pub fn set_in_task(task: &mut Task, cell: Cell, to: &Needle) {
    match cell {
        Cell::Title => task.title.clone_from(&to.text),
        Cell::Points => task.points = to.number,
        Cell::Secret => task.secret = (!to.is_null).then(|| to.text.clone()),
        _ => {}
    }
}

fn team() -> impl Strategy<Value = Option<String>> {
    proptest::sample::select(vec![None, Some("red"), Some("blue"), Some("Red")])
        .prop_map(|team| team.map(str::to_owned))
}

fn person() -> impl Strategy<Value = Person> {
    (
        (
            proptest::sample::select(vec![1, 1, 1, 2]),
            proptest::option::weighted(0.7, 1..9_i64),
            team(),
            proptest::bool::weighted(0.2),
            any::<bool>(),
            1..4_i64,
        ),
        proptest::collection::vec(needle(), Cell::OF_PERSON.len()),
    )
        .prop_map(
            |((company, boss_id, team, suspended, public, version), needles)| {
                let mut person = Person {
                    id: 0,
                    company,
                    boss_id,
                    team,
                    suspended,
                    public,
                    name: String::new(),
                    phone: None,
                    salary: 0,
                    card: String::new(),
                    note: None,
                    born: None,
                    email: String::new(),
                    badge: None,
                    version,
                };
                for (cell, needle) in Cell::OF_PERSON.into_iter().zip(&needles) {
                    set_in_person(&mut person, cell, needle);
                }
                person
            },
        )
}

fn task() -> impl Strategy<Value = Task> {
    (
        proptest::option::weighted(0.85, 1..8_i64),
        any::<bool>(),
        proptest::collection::vec(needle(), Cell::OF_TASK.len()),
    )
        .prop_map(|(person_id, open, needles)| {
            let mut task = Task {
                id: 0,
                person_id,
                open,
                title: String::new(),
                points: 0,
                secret: None,
            };
            for (cell, needle) in Cell::OF_TASK.into_iter().zip(&needles) {
                set_in_task(&mut task, cell, needle);
            }
            task
        })
}

pub fn rows() -> impl Strategy<Value = Rows> {
    let people = proptest::collection::vec(person(), 4..8);
    let tasks = proptest::collection::vec(task(), 3..8);
    (people, tasks).prop_map(|(mut people, mut tasks)| {
        for (person, id) in people.iter_mut().zip(1..) {
            person.id = id;
            person.badge = Some(format!("badge {id}"));
        }
        // One stands where viewers may create people.
        if let Some(last) = people.last_mut() {
            last.id += 100;
        }
        for (task, id) in tasks.iter_mut().zip(1..) {
            task.id = id;
        }
        Rows { people, tasks }
    })
}

pub fn viewer() -> impl Strategy<Value = Member> {
    (1..8_i64, proptest::sample::select(vec![1, 1, 1, 2]), team())
        .prop_map(|(id, company, team)| Member { id, company, team })
}
