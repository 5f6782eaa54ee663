//! A directory of people: sessions in a table, and rules of what each viewer may read of a person.
//!
//! ```text
//! people seed     # adds people to the database, each with the password SEED_PASSWORD
//! people          # serves, and prints its address
//! ```
//!
//! DATABASE names a SQLite file, SESSION_KEY is `base64:` and 32 bytes, LISTEN an address.

mod cookie;
mod failure;
#[path = "../../people/password.rs"]
mod password;
mod people;
#[path = "../../people/seed.rs"]
mod seed;
mod sessions;
mod web;

use std::env;
use std::error::Error;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use tokio::net::TcpListener;

use cookie::Cookie;
use people::People;
use sessions::Sessions;

const SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = open(&env::var("DATABASE")?).await?;
    if env::args().nth(1).as_deref() == Some("seed") {
        seed::add_people(&pool, &env::var("SEED_PASSWORD")?).await?;
        return Ok(());
    }
    let listener = TcpListener::bind(env::var("LISTEN")?).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app_url = env::var("APP_URL").unwrap_or_else(|_| url.clone());
    let cookie = Cookie::new(&env::var("SESSION_KEY")?, &app_url)?;
    let sessions = Sessions::new(pool.clone(), cookie);
    tokio::spawn(sweep(sessions.clone()));
    println!("{url}");
    axum::serve(listener, web::router(People::new(pool), sessions))
        .with_graceful_shutdown(async {
            let _interrupted = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}

async fn open(file: &str) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePool::connect_with(options).await?;
    seed::create_table(&pool).await?;
    sessions::create_table(&pool).await?;
    Ok(pool)
}

async fn sweep(sessions: Sessions) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        if let Ok(swept) = sessions.sweep().await {
            tracing::debug!(swept, "expired sessions were deleted");
        }
    }
}
