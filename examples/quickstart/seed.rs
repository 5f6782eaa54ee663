//! The application's own table, and who is in it: a company of 200 people in 8 teams.

use clearance::{Access, Db, Secret};
use sqlx::SqlitePool;
use uuid::Uuid;

use super::Failure;
use super::directory::{Role, User};

/// Written by the application, like all of its tables. The library's own are another matter:
/// `db.migrate()` creates them, and all their names start with `clearance_`.
const TABLE: &str = "
CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('staff', 'lead', 'admin')),
    team          TEXT,
    email         TEXT    NOT NULL,
    phone         TEXT,
    birthday      TEXT,
    salary        INTEGER NOT NULL,
    notes         TEXT,
    suspended     INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    password_hash TEXT    NOT NULL
) STRICT";

pub(crate) const PEOPLE: u32 = 200;

const TEAMS: [&str; 8] = [
    "Design",
    "Finance",
    "Legal",
    "Logistics",
    "Research",
    "Sales",
    "Software",
    "Support",
];

const GIVEN: [&str; 40] = [
    "Ada", "Amir", "Anneke", "Bilal", "Carmen", "Chidi", "Clara", "Dmitri", "Elif", "Emil",
    "Fatima", "Femi", "Greta", "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Julia", "Kamal", "Keiko",
    "Lars", "Leila", "Lucia", "Mateo", "Mei", "Milan", "Nadia", "Noor", "Olga", "Oscar", "Paula",
    "Priya", "Rafael", "Rosa", "Samir", "Sofia", "Tomas", "Wanda", "Yusuf",
];

const FAMILY: [&str; 50] = [
    "Abara", "Almeida", "Andersen", "Baker", "Banerjee", "Bauer", "Bianchi", "Castro", "Chen",
    "Costa", "Demir", "Dubois", "Eriksen", "Farah", "Fischer", "Fontana", "Garcia", "Haddad",
    "Hansen", "Ivanova", "Jansen", "Kaya", "Keller", "Kowalski", "Laurent", "Lindgren", "Lopez",
    "Marino", "Mbeki", "Moreau", "Nakamura", "Novak", "Nunes", "Okafor", "Olsen", "Park", "Petrov",
    "Quinn", "Ramos", "Reyes", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Tanaka", "Vargas",
    "Weber", "Yilmaz", "Zhang",
];

const NOTES: [Option<&str>; 5] = [
    None,
    Some("asked for part time"),
    None,
    Some("will lead the next project"),
    Some("contract ends in June"),
];

/// Person `number` of 200, the same in each run.
pub(crate) fn person(number: u32) -> User {
    let row = number / 40;
    let given = pick(&GIVEN, number);
    let family = pick(&FAMILY, number * 3 + row * 11);
    let role = match number {
        0..8 => Role::Lead,
        8 => Role::Admin,
        _ => Role::Staff,
    };
    let handle = |between: &str| format!("{given}{between}{family}").to_lowercase();
    User {
        id: Uuid::from_u128(0x5d1c_7f20_94b3_4e6a_8000_0000_0000_0000 + u128::from(number)),
        slug: handle("-"),
        name: format!("{given} {family}"),
        role,
        team: Some(pick(&TEAMS, number).to_owned()),
        email: format!("{}@company.example", handle(".")),
        // A range that is kept free for fiction.
        phone: (number % 9 != 4).then(|| format!("+44 20 7946 0{:03}", 100 + number)),
        birthday: (number % 11 != 6).then(|| birthday(number)),
        salary: 38_000 + i64::from(number * 7919 % 61) * 500,
        notes: pick_note(number).map(str::to_owned),
        suspended: number % 33 == 20,
        // Nothing hashes to this. Nobody gives a password in this example.
        password_hash: Secret::new("!".to_owned()),
    }
}

fn birthday(number: u32) -> String {
    let (year, month, day) = (
        1961 + number * 17 % 43,
        1 + number * 5 % 12,
        1 + number * 13 % 28,
    );
    format!("{year}-{month:02}-{day:02}")
}

fn pick(from: &[&'static str], number: u32) -> &'static str {
    from.iter()
        .cycle()
        .nth(number as usize)
        .copied()
        .unwrap_or_default()
}

fn pick_note(number: u32) -> Option<&'static str> {
    NOTES.iter().cycle().nth(number as usize).copied().flatten()
}

/// Creates the application's table, through a pool of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the library writes its SQL in one place; this is the application's"
)]
pub(crate) async fn create_table(pool: &SqlitePool) -> Result<(), Failure> {
    sqlx::query(TABLE).execute(pool).await?;
    Ok(())
}

/// Fills the table, as the program itself: there is no viewer whose rules could be asked.
pub(crate) async fn fill(db: &Db) -> Result<(), Failure> {
    let access = Access::system("the people of the demonstration")?;
    let users = db.writer(&access);
    for number in 0..PEOPLE {
        users.insert(person(number)).await?;
    }
    Ok(())
}
