//! A directory of people: sessions in a table, and rules of what each viewer may read of a person.
//!
//! ```text
//! people seed     # adds people to the database, each with the password SEED_PASSWORD
//! people          # serves, and prints its address
//! ```
//!
//! DATABASE names a SQLite file, SESSION_KEY is `base64:` and 32 bytes, LISTEN an address.

#[path = "../../people/password.rs"]
mod password;
mod people;
#[path = "../../people/seed.rs"]
mod seed;
mod web;

use std::env;
use std::error::Error;
use std::time::Duration;

use clearance::session::Lifetime;
use clearance::{Db, Key, Sessions};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::net::TcpListener;

use people::{APP, Membership, People, User};

const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(8 * 60 * 60);
const SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = env::var("DATABASE")?;
    let pool = open(&file).await?;
    if env::args().nth(1).as_deref() == Some("seed") {
        seed::add_people(&pool, &env::var("SEED_PASSWORD")?).await?;
        return Ok(());
    }
    pool.close().await;
    let db = Db::connect(&format!("sqlite://{file}")).await?;
    db.migrate().await?;
    db.check(&APP).await?;

    let listener = TcpListener::bind(env::var("LISTEN")?).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let reason = "a session's viewer is loaded before there is one";
    let viewers = db.viewers(User::ID, reason, Membership::member);
    let key = Key::from_env("SESSION_KEY")?;
    let sessions = Sessions::builder(key, db.session_store(), viewers)
        .lifetime(Lifetime::sliding(IDLE, ABSOLUTE));
    let sessions = match env::var("APP_URL") {
        Ok(app_url) => sessions.app_url(app_url).build()?,
        Err(_) => sessions.app_url(&url).development().build()?,
    };
    sessions.sweep_every(SWEEP_INTERVAL)?;
    println!("{url}");
    axum::serve(listener, web::router(People::new(db), sessions))
        .with_graceful_shutdown(async {
            let _interrupted = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}

/// Opens the file for the application itself, which creates its own table.
async fn open(file: &str) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    seed::create_table(&pool).await?;
    Ok(pool)
}
