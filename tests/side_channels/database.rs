//! Filling a database with rows: a statement for each table, written by the test itself.

use std::fmt::Write as _;

use crate::engines::{Database, Engine, database, engine};
use crate::model::Rows;

pub async fn tables() -> Database {
    database(
        "CREATE TABLE people (
            id INTEGER PRIMARY KEY, company INTEGER NOT NULL, boss_id INTEGER, team KEYTEXT8 COLLATE NOCASE,
            suspended BOOLEAN NOT NULL, public BOOLEAN NOT NULL, name KEYTEXT8 COLLATE NOCASE NOT NULL, phone KEYTEXT,
            salary INTEGER NOT NULL, card TEXT NOT NULL, note TEXT, born INSTANT, email TEXT NOT NULL,
            badge KEYTEXT UNIQUE, version INTEGER NOT NULL);
         CREATE TABLE tasks (
            id INTEGER PRIMARY KEY, person_id INTEGER, open BOOLEAN NOT NULL, title TEXT NOT NULL,
            points INTEGER NOT NULL, secret TEXT);
         CREATE INDEX people_by_phone ON people (phone)",
    )
    .await
}

fn text(text: &str) -> String {
    let text = text.replace('\'', "''");
    match engine() {
        Engine::Sqlite | Engine::Postgres => format!("'{text}'"),
        Engine::Mysql => format!("'{}'", text.replace('\\', "\\\\")),
    }
}

fn optional(value: Option<&String>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| text(value))
}

pub async fn fill(database: &Database, rows: &Rows) {
    let mut sql = "DELETE FROM people; DELETE FROM tasks; INSERT INTO people VALUES ".to_owned();
    for (index, person) in rows.people.iter().enumerate() {
        let born = person.born.map_or_else(
            || "NULL".to_owned(),
            |born| match engine() {
                Engine::Sqlite => born.timestamp_micros().to_string(),
                Engine::Postgres => text(&born.to_rfc3339()),
                Engine::Mysql => text(&born.naive_utc().format("%F %T%.6f").to_string()),
            },
        );
        let boss = person
            .boss_id
            .map_or_else(|| "NULL".to_owned(), |id| id.to_string());
        write!(
            sql,
            "{}({}, {}, {boss}, {}, {}, {}, {}, {}, {}, {}, {}, {born}, {}, {}, {})",
            if index == 0 { "" } else { ", " },
            person.id,
            person.company,
            optional(person.team.as_ref()),
            person.suspended,
            person.public,
            text(&person.name),
            optional(person.phone.as_ref()),
            person.salary,
            text(&person.card),
            optional(person.note.as_ref()),
            text(&person.email),
            optional(person.badge.as_ref()),
            person.version,
        )
        .unwrap();
    }
    sql += "; INSERT INTO tasks VALUES ";
    for (index, task) in rows.tasks.iter().enumerate() {
        let person = task
            .person_id
            .map_or_else(|| "NULL".to_owned(), |id| id.to_string());
        write!(
            sql,
            "{}({}, {person}, {}, {}, {}, {})",
            if index == 0 { "" } else { ", " },
            task.id,
            task.open,
            text(&task.title),
            task.points,
            optional(task.secret.as_ref()),
        )
        .unwrap();
    }
    database.pool.execute(&sql).await;
}
