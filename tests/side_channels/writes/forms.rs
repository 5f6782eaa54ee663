//! Writes of what the program itself says.

use clearance::repository::{Update, Writer};
use clearance::{Access, Db, Result, Write};

use super::attempt::Attempt;
use super::{read, set_cell, set_task_cell, set_what_rules_read, shown, told};
use crate::model::{self, Cell, Member, Person, PersonView, Task};

fn badge(id: i64) -> Option<String> {
    Some(format!("badge {id}"))
}

fn new_person(id: i64, attempt: &Attempt, viewer: &Member) -> Person {
    let mut person = Person {
        id,
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
        version: 1,
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

pub async fn written(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
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
    let new_id = 100 + other_id;
    let person = || writer.update::<Person>(id);
    match attempt.production() {
        "update" => told(set_cell!(person(), *cell, needle).execute().await),
        "update with a badge" => {
            let update = set_cell!(person(), *cell, needle).set(Person::BADGE, badge(other_id));
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
            let update = set_cell!(person(), *cell, needle).forbidden_if_denied();
            told(update.execute().await)
        }
        "update of what rules read" => {
            told(set_what_rules_read!(person(), attempt).execute().await)
        }
        "update into another company" => {
            let update =
                set_cell!(person(), *cell, needle).set(Person::COMPANY, 1 + i64::from(flag));
            told(update.execute().await)
        }
        "update to a badge" => {
            let update = person().set(Person::BADGE, badge(other_id));
            told(update.execute().await)
        }
        "update of a task" => {
            let update = set_task_cell!(writer.update::<Task>(id), *cell, needle);
            told(update.execute().await)
        }
        "update that moves a task" => {
            let update = writer.update::<Task>(id);
            let update = update.set(Task::PERSON_ID, Some(other_id));
            told(update.execute().await)
        }
        "insert of a person" => told(
            writer
                .insert(new_person(new_id, attempt, access.viewer()))
                .await,
        ),
        "insert of the same key twice" => {
            let new = || Person {
                badge: None,
                ..new_person(new_id, attempt, access.viewer())
            };
            let first = told(writer.insert(new()).await);
            first + &told(writer.insert(new()).await)
        }
        "insert of a task" => told(writer.insert(new_task(attempt)).await),
        "delete of a person" => told(writer.delete::<Person>(id).await),
        "delete of a task" => told(writer.delete::<Task>(id).await),
        "update, returning" => {
            let update = shown_or_not(person(), attempt);
            shown(update.returning::<PersonView>().await)
        }
        "update, returning if visible" => {
            let update = shown_or_not(person(), attempt);
            shown(update.returning_if_visible::<PersonView>().await)
        }
        "update by version" => {
            let update = set_cell!(person(), *cell, needle);
            let update = update.if_version(Person::VERSION, attempt.version);
            told(update.execute().await)
        }
        "update or create" => shown(update_or_create(&writer, attempt, access.viewer()).await),
        "update or create in a transaction" => {
            let transaction = db.begin(access).await.unwrap();
            let writer = transaction.writer();
            // What a conflict leaves is a transaction that goes on.
            let mut answer = shown(update_or_create(&writer, attempt, access.viewer()).await);
            answer += &told(
                set_cell!(writer.update::<Person>(id), *cell, needle)
                    .execute()
                    .await,
            );
            answer += &read(&transaction.db(), access).await;
            answer + &told(transaction.commit().await)
        }
        "insert of many" => told(writer.insert_many(many(attempt, access.viewer())).await),
        _ => in_transaction(db, access, attempt).await,
    }
}

/// An update after which the row can be one that the viewer may not read.
fn shown_or_not<'a>(
    update: Update<'a, Write<Member>, Person>,
    attempt: &Attempt,
) -> Update<'a, Write<Member>, Person> {
    let update = set_cell!(update, attempt.cell, &attempt.needle);
    match attempt.pick.size {
        1 => update,
        2 => set_what_rules_read!(update, attempt),
        _ => update.set(Person::SUSPENDED, true),
    }
}

async fn update_or_create(
    writer: &Writer<'_, Write<Member>>,
    attempt: &Attempt,
    viewer: &Member,
) -> Result<bool> {
    let id = attempt.new_id();
    let update = set_cell!(writer.update::<Person>(id), attempt.cell, &attempt.needle);
    let update = if attempt.flag {
        update.if_version(Person::VERSION, attempt.version)
    } else {
        update
    };
    let mut new = new_person(id, attempt, viewer);
    if attempt.pick.flag {
        new.boss_id = None;
        new.badge = None;
    }
    update.or_create(writer.create(new)).await
}

/// Two people, whose rules need no row, or whom a row must allow.
fn many(attempt: &Attempt, viewer: &Member) -> [Person; 2] {
    let mut people = [0, 10].map(|more| Person {
        badge: badge(attempt.other_id + more),
        ..new_person(100 + attempt.other_id + more, attempt, viewer)
    });
    if attempt.pick.flag {
        people[0].boss_id = None;
    }
    if attempt.flag {
        people[1].boss_id = None;
    }
    if attempt.pick.size == 3 {
        people[0].badge = None;
    }
    people
}

async fn in_transaction(db: &Db, access: &Access<Write<Member>>, attempt: &Attempt) -> String {
    let transaction = db.begin(access).await.unwrap();
    let writer = transaction.writer();
    let one = async || {
        let update = writer.update::<Person>(attempt.id);
        set_cell!(update, attempt.cell, &attempt.needle)
            .execute()
            .await
    };
    let two = async || {
        let update = writer.update::<Person>(attempt.other_id);
        set_cell!(update, attempt.other_cell, &attempt.other_needle)
            .execute()
            .await
    };
    let take_badge = async || {
        let update = writer.update::<Person>(attempt.id);
        let update = update.set(Person::BADGE, badge(attempt.other_id));
        update.execute().await
    };
    let mut answer = told(one().await);
    match attempt.production() {
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
