//! One endpoint, asked by four viewers over real HTTP.
//!
//! ```text
//! cargo run --example quickstart              # the tour; fails unless every answer is right
//! cargo run --example quickstart -- --serve   # stays up afterwards, with curl lines to try
//! ```
//!
//! Start reading at `directory.rs`, which holds the rules, and `server.rs`, which holds none.

mod capture;
mod client;
pub(crate) mod directory;
pub(crate) mod expected;
pub(crate) mod seed;
mod server;
mod table;
mod tour;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clearance::session::Lifetime;
use clearance::testing::ManualClock;
use clearance::{Clock, Db, Key, Sessions, SystemClock};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use capture::SqlLog;
use client::Client;
use directory::{APP, Members, Users};
use expected::{Cast, Expected, VIEWERS};
use tour::Observed;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The tour in words, and every answer that was not the right one.
pub(crate) struct Outcome {
    pub(crate) report: String,
    pub(crate) mismatches: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let serve = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--serve") => true,
        Some(other) => {
            eprintln!("unknown argument `{other}`; there is `--serve`");
            return ExitCode::FAILURE;
        }
    };
    match demonstrate(serve).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("the quickstart could not run: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(serve: bool) -> Result<bool, Failure> {
    let directory = tempfile::tempdir()?;
    let database = prepare(directory.path()).await?;
    let cast = Cast::new(seed::person);
    let outcome = run(&database, &cast, &Expected::new(&cast)).await?;
    print!("{}", outcome.report);
    if !outcome.mismatches.is_empty() {
        return Ok(false);
    }
    if serve {
        stay_up(&database, &cast).await?;
    }
    Ok(true)
}

/// Makes the database: the application's table by the application, the library's by the library.
pub(crate) async fn prepare(directory: &std::path::Path) -> Result<Db, Failure> {
    let _log = SqlLog::of_the_process();
    let file = directory.join("company.db");
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    seed::create_table(&pool).await?;
    pool.close().await;

    let db = Db::connect(&format!("sqlite://{}", file.display())).await?;
    db.migrate().await?;
    db.check(&APP).await?;
    seed::fill(&db).await?;
    Ok(db)
}

/// Takes the tour on a clock of its own and compares it with what is expected.
pub(crate) async fn run(db: &Db, cast: &Cast, expected: &Expected) -> Result<Outcome, Failure> {
    let clock = ManualClock::at("2026-03-02T09:00:00Z".parse()?);
    let (server, address) = start(db, clock.clone()).await?;
    let client = Client::new(address, SqlLog::of_the_process());
    let observed = tour::observe(&client, cast, &clock).await;
    server.abort();
    Ok(report(&observed?, expected))
}

fn report(observed: &Observed, expected: &Expected) -> Outcome {
    let mut report = format!(
        "\n  A directory of {} people in 8 teams, on SQLite. One endpoint, four viewers.\n\n",
        seed::PEOPLE
    );
    observed.fields.print(&mut report);
    observed.statements.print(&mut report);
    observed.others.print(&mut report);
    report.push_str(&observed.sql);
    observed.cookies.print(&mut report);

    let pairs = [
        (&observed.fields, &expected.fields),
        (&observed.statements, &expected.statements),
        (&observed.others, &expected.others),
        (&observed.cookies, &expected.cookies),
    ];
    let compare =
        |(observed, expected): (&table::Table, &table::Table)| observed.mismatches(expected);
    let mismatches: Vec<String> = pairs.into_iter().flat_map(compare).collect();
    if mismatches.is_empty() {
        report.push_str("  Every answer was the right one.\n\n");
    } else {
        report.push_str(&format!("  {} WRONG ANSWERS\n", mismatches.len()));
        for mismatch in &mismatches {
            report.push_str(&format!("  - {mismatch}\n"));
        }
        report.push('\n');
    }
    Outcome { report, mismatches }
}

/// Starts the application on a free port.
async fn start(
    db: &Db,
    clock: impl Clock,
) -> Result<(tokio::task::JoinHandle<std::io::Result<()>>, SocketAddr), Failure> {
    let (listener, address) = server::listen().await?;
    let sessions = Sessions::builder(
        // A real program keeps its key between starts: `Key::from_env("SESSION_KEY")?`.
        Key::generate()?,
        db.session_store(),
        Members { db: db.clone() },
    )
    .app_url(format!("http://{address}"))
    .development()
    .lifetime(Lifetime::sliding(
        Duration::from_secs(30 * 60),
        Duration::from_secs(8 * 60 * 60),
    ))
    .clock(clock)
    .build()?;
    let router = server::router(Users { db: db.clone() }, sessions);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((server, address))
}

/// Serves the same directory until it is interrupted, on the system's clock.
async fn stay_up(db: &Db, cast: &Cast) -> Result<(), Failure> {
    let (server, address) = start(db, SystemClock).await?;
    let client = Client::new(address, SqlLog::of_the_process());
    let cookies = tour::sign_in(&client, cast).await?;
    let path = format!("/people/{}", cast.shown.slug);
    let url = format!("http://{address}{path}");
    // The tour left the name of whoever renamed last.
    let [admin, ..] = &cookies;
    let name = serde_json::json!({ "name": cast.shown.name });
    let patch = reqwest::Method::PATCH;
    client
        .call(patch, &path, admin.as_deref(), Some(name))
        .await?;
    println!("  Serving at http://{address} until Ctrl-C. Try:\n");
    for (viewer, cookie) in VIEWERS.iter().zip(&cookies) {
        println!("  # as {viewer}");
        match cookie {
            Some(cookie) => println!("  curl -s -H 'Cookie: {cookie}' {url}\n"),
            None => println!("  curl -s {url}\n"),
        }
    }
    println!("  Add `-i` for the status, and `-X PATCH --json '{{\"name\":\"..\"}}'` to rename.\n");
    tokio::signal::ctrl_c().await?;
    server.abort();
    Ok(())
}
