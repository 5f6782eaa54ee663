//! The tour: the same calls as four viewers, and what became of them.

use std::time::Duration;

use clearance::testing::ManualClock;
use reqwest::Method;
use serde_json::{Value, json};

use super::Failure;
use super::client::{Answer, Client};
use super::expected::{Cast, HIDDEN, IN_A_CASE, NAMED, NONE, NOT_NAMED, VIEWERS};
use super::table::{Table, print_wrapped};

/// What was observed, table by table, and the statements as they ran.
pub(crate) struct Observed {
    pub(crate) fields: Table,
    pub(crate) statements: Table,
    pub(crate) others: Table,
    pub(crate) cookies: Table,
    pub(crate) sql: String,
}

/// Signs everybody in, in the order of [`VIEWERS`].
pub(crate) async fn sign_in(client: &Client, cast: &Cast) -> Result<[Option<String>; 4], Failure> {
    Ok([
        Some(client.sign_in(&cast.admin.slug).await?),
        Some(client.sign_in(&cast.mate.slug).await?),
        Some(client.sign_in(&cast.stranger.slug).await?),
        None,
    ])
}

pub(crate) async fn observe(
    client: &Client,
    cast: &Cast,
    clock: &ManualClock,
) -> Result<Observed, Failure> {
    let cookies = sign_in(client, cast).await?;
    let shown = format!("/people/{}", cast.shown.slug);

    let mut answers = Vec::new();
    for cookie in &cookies {
        answers.push(client.get(&shown, cookie.as_deref()).await?);
    }
    let (others, updates) = others(client, cast, &cookies).await?;
    let mut sql = String::new();
    print_sql(
        &mut sql,
        "the SELECT that ran (names shown without quotes)",
        &selects(&answers),
    );
    print_sql(&mut sql, "the UPDATE that ran", &updates);
    Ok(Observed {
        fields: fields(&shown, &answers),
        statements: statements(&answers),
        others,
        cookies: refusals(client, cast, clock, &shown).await?,
        sql,
    })
}

fn fields(path: &str, answers: &[Answer]) -> Table {
    let mut table = Table::new(format!("GET {path}"), &VIEWERS);
    table.row(
        "status",
        answers.iter().map(|answer| answer.status.to_string()),
    );
    for field in [
        "name", "team", "email", "phone", "birthday", "salary", "notes",
    ] {
        table.row(field, answers.iter().map(|answer| seen(answer, field)));
    }
    table.row("keys in all", answers.iter().map(keys));
    table
}

/// How many keys the answer has, known to this program or not.
fn keys(answer: &Answer) -> String {
    match answer.body.as_object() {
        Some(object) if answer.status == 200 => object.len().to_string(),
        _ => NONE.to_owned(),
    }
}

/// The field as the answer shows it. A hidden one has no key; `null` is a value that is seen.
fn seen(answer: &Answer, field: &str) -> String {
    match answer.body.get(field) {
        _ if answer.status != 200 => NONE.to_owned(),
        None => HIDDEN.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn statements(answers: &[Answer]) -> Table {
    let mut table = Table::new("columns in the SELECT from users", &VIEWERS);
    for column in ["name", "phone", "salary", "password_hash"] {
        table.row(column, answers.iter().map(|answer| named(answer, column)));
    }
    table
}

fn named(answer: &Answer, column: &str) -> &'static str {
    match answer.sql.last() {
        None => NONE,
        Some(sql) if sql.contains(&format!("THEN \"t0\".\"{column}\"")) => IN_A_CASE,
        Some(sql) if sql.contains(column) => NAMED,
        Some(_) => NOT_NAMED,
    }
}

/// The statement that read the table of users, of each viewer.
fn selects(answers: &[Answer]) -> Vec<Option<String>> {
    answers
        .iter()
        .map(|answer| answer.sql.last().cloned())
        .collect()
}

/// The statements with the viewers for whom they ran, the same text once.
fn print_sql(out: &mut String, title: &str, statements: &[Option<String>]) {
    out.push_str(&format!("  {title}\n"));
    let mut groups: Vec<(String, &Option<String>)> = Vec::new();
    for (viewer, statement) in VIEWERS.iter().zip(statements) {
        match groups.iter_mut().find(|(_, known)| *known == statement) {
            Some((viewers, _)) => *viewers = format!("{viewers}, {viewer}"),
            None => groups.push(((*viewer).to_owned(), statement)),
        }
    }
    for (viewers, statement) in groups {
        // Names without quotes and table are easier to read, and there is one table only.
        let text = statement.as_deref().unwrap_or("none");
        print_wrapped(
            out,
            &viewers,
            &text.replace("\"users\".", "").replace('"', ""),
        );
    }
    out.push('\n');
}

async fn others(
    client: &Client,
    cast: &Cast,
    cookies: &[Option<String>; 4],
) -> Result<(Table, Vec<Option<String>>), Failure> {
    let (mut rows, mut suspended) = (Vec::new(), Vec::new());
    let (mut renamed, mut names, mut updates) = (Vec::new(), Vec::new(), Vec::new());
    let hidden_row = format!("/people/{}", cast.suspended.slug);
    let shown = format!("/people/{}", cast.shown.slug);
    let [admin, ..] = cookies;
    for (viewer, cookie) in VIEWERS.iter().zip(cookies) {
        let cookie = cookie.as_deref();
        let list = client.get("/people", cookie).await?;
        rows.push(match list.body.as_array() {
            Some(list) => list.len().to_string(),
            None => NONE.to_owned(),
        });
        suspended.push(client.get(&hidden_row, cookie).await?.status.to_string());
        let name = json!({ "name": format!("By {viewer}") });
        let answer = client
            .call(Method::PATCH, &shown, cookie, Some(name))
            .await?;
        renamed.push(answer.status.to_string());
        updates.push(answer.sql.into_iter().find(|sql| sql.starts_with("UPDATE")));
        names.push(seen(&client.get(&shown, admin.as_deref()).await?, "name"));
    }
    let mut table = Table::new("other calls", &VIEWERS);
    table.row("GET /people, rows", rows);
    table.row(format!("GET {hidden_row} (suspended)"), suspended);
    table.row(format!("PATCH {shown} (rename)"), renamed);
    table.row("the name afterwards", names);
    Ok((table, updates))
}

/// Comes back with a cookie that is no longer, or never was, what the server gave.
async fn refusals(
    client: &Client,
    cast: &Cast,
    clock: &ManualClock,
    path: &str,
) -> Result<Table, Failure> {
    let mut table = Table::new("GET with a cookie", &["status", "store reads"]);
    let mut row = |name: &str, answer: &Answer| {
        table.row(
            name,
            [answer.status.to_string(), answer.store_reads().to_string()],
        );
    };

    let cookie = client.sign_in(&cast.mate.slug).await?;
    row("genuine", &client.get(path, Some(&cookie)).await?);
    row(
        "genuine, once more",
        &client.get(path, Some(&cookie)).await?,
    );

    let forged = forge(&cookie);
    row(
        "forged: one character changed",
        &client.get(path, Some(&forged)).await?,
    );

    client
        .call(Method::POST, "/sign-out", Some(&cookie), None)
        .await?;
    row(
        "revoked: its session signed out",
        &client.get(path, Some(&cookie)).await?,
    );

    let cookie = client.sign_in(&cast.mate.slug).await?;
    clock.advance(Duration::from_secs(9 * 60 * 60));
    row(
        "expired: nine hours later",
        &client.get(path, Some(&cookie)).await?,
    );
    Ok(table)
}

/// The same cookie with its thirtieth character exchanged.
fn forge(cookie: &str) -> String {
    let change = |(index, character): (usize, char)| match (index, character) {
        (29, 'A') => 'B',
        (29, _) => 'A',
        (_, same) => same,
    };
    cookie.chars().enumerate().map(change).collect()
}
