//! Writes of what clients send.

use chrono::{DateTime, Utc};
use clearance::input::Assign;
use clearance::repository::{Update, Writer};
use clearance::{Access, Db, Input, Patch, Result, Untrusted, Valid, Write};
use serde_json::{Map, Value, json};

use super::attempt::Attempt;
use super::{many, read, shown, told};
use crate::model::{Cell, Member, Needle, Person, PersonView, Task, TaskView};

/// The rules of its fields compare with what is replaced, so that a patch would tell of what is
/// hidden if anything but the rules of the DTO were asked first. What is blind has no such rule:
/// it would tell.
#[derive(Debug, Patch)]
#[patch(entity = Person, reads = PersonView)]
pub struct EditPerson {
    #[writable_if(row.name != before.name)]
    name: Assign<String>,
    #[writable_if(before.phone.is_none() || !same(row.phone, before.phone))]
    phone: Assign<Option<String>>,
    #[writable_if(row.salary >= before.salary)]
    salary: Assign<i64>,
    #[writable(blind)]
    card: Assign<String>,
    #[writable_if(before.note.is_none() || !same(row.note, before.note))]
    note: Assign<Option<String>>,
    #[writable_if(before.born.is_none() || !same(row.born, before.born))]
    born: Assign<Option<DateTime<Utc>>>,
    // The DTO has none of these.
    #[writable(blind)]
    #[writable_if(row.public || same(viewer.team, before.team))]
    email: Assign<String>,
    #[writable(blind)]
    public: Assign<bool>,
}

#[derive(Debug, Patch)]
#[patch(entity = Task, reads = TaskView)]
struct EditTask {
    #[writable_if(row.title != before.title)]
    title: Assign<String>,
    #[writable_if(row.points > before.points)]
    points: Assign<i64>,
    #[writable_if(before.secret.is_none() || !same(row.secret, before.secret))]
    secret: Assign<Option<String>>,
}

#[derive(Debug, Input)]
#[input(entity = Person)]
#[preset(company = viewer.company, team = viewer.team.clone())]
#[preset(public = true, version = 1)]
struct NewPerson {
    #[writable]
    id: i64,
    #[writable]
    boss_id: Option<i64>,
    #[writable]
    suspended: bool,
    #[writable]
    name: String,
    #[writable]
    phone: Assign<Option<String>>,
    #[writable_if(row.salary >= 0 || exists(row.boss, |boss| boss.id == viewer.id))]
    salary: i64,
    #[writable]
    card: String,
    #[writable]
    note: Assign<Option<String>>,
    #[writable]
    born: Assign<Option<DateTime<Utc>>>,
    #[writable]
    email: String,
    #[writable]
    badge: Assign<Option<String>>,
}

/// What a client sends of the cell.
fn member(body: &mut Map<String, Value>, cell: Cell, to: &Needle) {
    let text = json!(to.text);
    let optional = if to.is_null {
        Value::Null
    } else {
        text.clone()
    };
    let (key, value) = match cell {
        Cell::Phone => ("phone", optional),
        Cell::Salary => ("salary", json!(to.number)),
        Cell::Card => ("card", text),
        Cell::Note => ("note", optional),
        Cell::Born => ("born", json!((!to.is_null).then_some(to.instant))),
        Cell::Email => ("email", text),
        _ => ("name", text),
    };
    body.insert(key.to_owned(), value);
}

/// One field, or two, or what a rule reads beside it; the others are absent.
fn edit(attempt: &Attempt) -> Map<String, Value> {
    let mut body = Map::new();
    match attempt.pick.size {
        1 => {}
        2 => member(&mut body, attempt.other_cell, &attempt.other_needle),
        _ => {
            body.insert("public".to_owned(), json!(attempt.pick.flag));
        }
    }
    member(&mut body, attempt.cell, &attempt.needle);
    body
}

/// One field.
pub fn edit_of(
    access: &Access<Write<Member>>,
    cell: Cell,
    to: &Needle,
) -> Result<Valid<EditPerson>> {
    let mut body = Map::new();
    member(&mut body, cell, to);
    Untrusted::json(sent(body)).open(access)
}

fn sent(body: Map<String, Value>) -> String {
    Value::Object(body).to_string()
}

fn patch(access: &Access<Write<Member>>, attempt: &Attempt) -> Result<Valid<EditPerson>> {
    let body = match attempt.pick.test {
        // One that says nothing.
        0 => Map::new(),
        _ => edit(attempt),
    };
    Untrusted::json(sent(body)).open(access)
}

fn edit_task(attempt: &Attempt) -> String {
    let mut body = Map::new();
    for (cell, to) in [
        (attempt.cell, &attempt.needle),
        (attempt.other_cell, &attempt.other_needle),
    ]
    .into_iter()
    .take(if attempt.pick.flag { 2 } else { 1 })
    {
        let (key, value) = match cell {
            Cell::Points | Cell::Salary => ("points", json!(to.number)),
            Cell::Secret | Cell::Phone | Cell::Note => {
                ("secret", json!((!to.is_null).then_some(&to.text)))
            }
            _ => ("title", json!(to.text)),
        };
        body.insert(key.to_owned(), value);
    }
    sent(body)
}

fn new(access: &Access<Write<Member>>, attempt: &Attempt, id: i64) -> Result<Valid<NewPerson>> {
    let mut body = Map::new();
    for required in [Cell::Name, Cell::Salary, Cell::Card, Cell::Email] {
        let needle = &attempt.other_needle;
        member(&mut body, required, needle);
    }
    member(&mut body, attempt.cell, &attempt.needle);
    body.insert("id".to_owned(), json!(id));
    let boss = (!attempt.pick.flag).then_some(attempt.id);
    body.insert("boss_id".to_owned(), json!(boss));
    body.insert("suspended".to_owned(), json!(attempt.pick.size == 3));
    if attempt.pick.size > 1 {
        let badge = format!("badge {}", attempt.other_id);
        body.insert("badge".to_owned(), json!(badge));
    }
    Untrusted::json(sent(body)).open(access)
}

pub async fn written(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    let writer = db.writer(access);
    let update = || patched(&writer, access, attempt, attempt.id);
    match attempt.production() {
        "client patches" => told(async { update()?.execute().await }.await),
        "client patches, returning" => {
            shown(async { update()?.returning::<PersonView>().await }.await)
        }
        "client patches, returning if visible" => {
            shown(async { update()?.returning_if_visible::<PersonView>().await }.await)
        }
        "client patches by version" => {
            let update = update().map(|it| it.if_version(Person::VERSION, attempt.version));
            shown(async { update?.returning_if_visible::<PersonView>().await }.await)
        }
        "client patches a task" => {
            let patch = Untrusted::<EditTask>::json(edit_task(attempt)).open(access);
            let update = patch.map(|patch| writer.update::<Task>(attempt.id).patch(patch));
            shown(async { update?.returning_if_visible::<TaskView>().await }.await)
        }
        "client creates" => {
            let new = new(access, attempt, 100 + attempt.other_id);
            shown(async { writer.create(new?).execute().await }.await)
        }
        "client creates, returning" => created(&writer, access, attempt).await,
        "client patches or creates" => shown(put(&writer, access, attempt).await),
        "client in a transaction" => {
            let transaction = db.begin(access).await.unwrap();
            let writer = transaction.writer();
            let update = patched(&writer, access, attempt, attempt.id);
            let mut answer = shown(async { update?.returning::<PersonView>().await }.await);
            answer += &created(&writer, access, attempt).await;
            answer += &many::people(&transaction.db(), access, attempt, false, true).await;
            answer += &read(&transaction.db(), access).await;
            answer + &told(transaction.commit().await)
        }
        other => panic!("no production `{other}`"),
    }
}

/// An update by what the client sent.
fn patched<'a>(
    writer: &Writer<'a, Write<Member>>,
    access: &Access<Write<Member>>,
    attempt: &Attempt,
    id: i64,
) -> Result<Update<'a, Write<Member>, Person>> {
    let patch = patch(access, attempt)?;
    Ok(writer.update::<Person>(id).patch(patch))
}

async fn created(
    writer: &Writer<'_, Write<Member>>,
    access: &Access<Write<Member>>,
    attempt: &Attempt,
) -> String {
    let create = match new(access, attempt, 100 + attempt.other_id) {
        Err(refused) => return told::<()>(Err(refused)),
        Ok(new) => writer.create(new),
    };
    if attempt.pick.flag {
        shown(create.returning::<PersonView>().await)
    } else {
        shown(create.returning_if_visible::<PersonView>().await)
    }
}

async fn put(
    writer: &Writer<'_, Write<Member>>,
    access: &Access<Write<Member>>,
    attempt: &Attempt,
) -> Result<bool> {
    let id = attempt.new_id();
    let update = patched(writer, access, attempt, id)?;
    let update = if attempt.flag {
        update.if_version(Person::VERSION, attempt.version)
    } else {
        update
    };
    update
        .or_create(writer.create(new(access, attempt, id)?))
        .await
}
