//! The right answers, written down once more without the library: the run fails on any other.

use super::directory::User;
use super::seed::PEOPLE;
use super::table::Table;

/// The people of the tour, by their numbers.
pub(crate) struct Cast {
    pub(crate) shown: User,
    pub(crate) suspended: User,
    pub(crate) admin: User,
    pub(crate) mate: User,
    pub(crate) stranger: User,
}

impl Cast {
    /// `mate` leads the team of `shown`, and `stranger` another one.
    pub(crate) fn new(person: fn(u32) -> User) -> Self {
        Self {
            shown: person(43),
            suspended: person(20),
            admin: person(8),
            mate: person(3),
            stranger: person(5),
        }
    }
}

/// What every table of the tour should hold.
pub(crate) struct Expected {
    pub(crate) fields: Table,
    pub(crate) statements: Table,
    pub(crate) others: Table,
    pub(crate) cookies: Table,
}

pub(crate) const VIEWERS: [&str; 4] = ["admin", "team mate", "stranger", "nobody"];
pub(crate) const NONE: &str = "-";
pub(crate) const HIDDEN: &str = "hidden";
pub(crate) const NOT_NAMED: &str = "not named";
pub(crate) const NAMED: &str = "named";
pub(crate) const IN_A_CASE: &str = "in a CASE";
pub(crate) const SUSPENDED: usize = 6;

impl Expected {
    pub(crate) fn new(cast: &Cast) -> Self {
        Self {
            fields: fields(&cast.shown),
            statements: statements(),
            others: others(cast),
            cookies: cookies(),
        }
    }
}

fn fields(shown: &User) -> Table {
    let mut table = Table::new(format!("GET /people/{}", shown.slug), &VIEWERS);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let name = shown.name.as_str();
    let team = &*text(&shown.team);
    let email = shown.email.as_str();
    let phone = &*text(&shown.phone);
    let birthday = &*text(&shown.birthday);
    let salary = &*shown.salary.to_string();
    let notes = &*text(&shown.notes);
    table.row("status", ["200", "200", "200", "401"]);
    table.row("name", [name, name, name, NONE]);
    table.row("team", [team, team, team, NONE]);
    table.row("email", [email, email, "***@company.example", NONE]);
    table.row("phone", [phone, phone, HIDDEN, NONE]);
    table.row("birthday", [birthday, birthday, HIDDEN, NONE]);
    table.row("salary", [salary, HIDDEN, HIDDEN, NONE]);
    table.row("notes", [notes, HIDDEN, HIDDEN, NONE]);
    table.row("keys in all", ["8", "6", "4", NONE]);
    table
}

fn statements() -> Table {
    let mut table = Table::new("columns in the SELECT from users", &VIEWERS);
    table.row("name", [NAMED, NAMED, NAMED, NONE]);
    table.row("phone", [NAMED, IN_A_CASE, IN_A_CASE, NONE]);
    table.row("salary", [NAMED, NOT_NAMED, NOT_NAMED, NONE]);
    table.row("password_hash", [NOT_NAMED, NOT_NAMED, NOT_NAMED, NONE]);
    table
}

fn others(cast: &Cast) -> Table {
    let everybody = &*PEOPLE.to_string();
    let active = &*(PEOPLE as usize - SUSPENDED).to_string();
    let mut table = Table::new("other calls", &VIEWERS);
    table.row("GET /people, rows", [everybody, active, active, NONE]);
    table.row(
        format!("GET /people/{} (suspended)", cast.suspended.slug),
        ["200", "404", "404", "401"],
    );
    table.row(
        format!("PATCH /people/{} (rename)", cast.shown.slug),
        ["200", "200", "403", "401"],
    );
    table.row(
        "the name afterwards",
        ["By admin", "By team mate", "By team mate", "By team mate"],
    );
    table
}

fn cookies() -> Table {
    let mut table = Table::new("GET with a cookie", &["status", "store reads"]);
    table.row("genuine", ["200", "1"]);
    table.row("genuine, once more", ["200", "0"]);
    table.row("forged: one character changed", ["401", "0"]);
    table.row("revoked: its session signed out", ["401", "2"]);
    table.row("expired: nine hours later", ["401", "0"]);
    table
}
