//! The table of the application and the people in it, for a first look and for the test.

use sqlx::SqlitePool;
use uuid::Uuid;

use crate::password;

const SCHEMA: &str = include_str!("schema.sql");

struct Person {
    slug: &'static str,
    name: &'static str,
    role: &'static str,
    team: Option<&'static str>,
    phone: Option<&'static str>,
    salary: i64,
    suspended: bool,
}

const PEOPLE: [Person; 5] = [
    Person {
        slug: "ada",
        name: "Ada Marino",
        role: "admin",
        team: None,
        phone: None,
        salary: 90_000,
        suspended: false,
    },
    Person {
        slug: "bilal",
        name: "Bilal Rossi",
        role: "staff",
        team: Some("Research"),
        phone: Some("+44 20 7946 0143"),
        salary: 45_500,
        suspended: false,
    },
    Person {
        slug: "chidi",
        name: "Chidi Laurent",
        role: "staff",
        team: Some("Research"),
        phone: None,
        salary: 52_000,
        suspended: false,
    },
    Person {
        slug: "dmitri",
        name: "Dmitri Weber",
        role: "staff",
        team: Some("Sales"),
        phone: None,
        salary: 47_000,
        suspended: false,
    },
    Person {
        slug: "elif",
        name: "Elif Novak",
        role: "staff",
        team: Some("Research"),
        phone: Some("+44 20 7946 0187"),
        salary: 61_000,
        suspended: true,
    },
];

/// Creates the table where it is missing.
pub(crate) async fn create_table(pool: &SqlitePool) -> sqlx::Result<()> {
    sqlx::raw_sql(SCHEMA).execute(pool).await.map(|_| ())
}

/// Adds the people, each with this password.
pub(crate) async fn add_people(pool: &SqlitePool, password: &str) -> sqlx::Result<()> {
    for person in &PEOPLE {
        let hash = password::hash(password.to_owned()).await;
        let insert = sqlx::query(
            "INSERT INTO users (id, slug, name, role, team, email, phone, salary, suspended, password_hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        );
        insert
            .bind(Uuid::new_v4())
            .bind(person.slug)
            .bind(person.name)
            .bind(person.role)
            .bind(person.team)
            .bind(format!("{}@company.example", person.slug))
            .bind(person.phone)
            .bind(person.salary)
            .bind(person.suspended)
            .bind(hash.ok_or(sqlx::Error::WorkerCrashed)?)
            .execute(pool)
            .await?;
    }
    Ok(())
}
