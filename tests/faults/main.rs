//! Sessions while their server is killed and started again: users sign in and out, verify, rotate and
//! extend from many tasks, over one `Sessions` that is never built anew. `cargo xtask faults` runs
//! it, and kills the server that `FAULTS_URL` names.
//!
//! It fails when, with the server down, anything but "unavailable" is answered beyond the cache
//! bound; when a session is answered after a revocation that succeeded, or refused after a sign-in
//! that did; when a failed sign-in gives a cookie; when a call hangs; and when not every task is
//! answered again. With `FAULTS_CONDITION` the server answers, and cannot do what it is asked.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod conditions;
mod load;
mod tally;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clearance::session::{Lifetime, RedisSessionStore, SessionsBuilder};
use clearance::{Db, Key, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use load::{Dice, Found, Load};
use tally::Phase;

const SESSIONS: usize = 3_000;
const TASKS: usize = 32;
/// Short, so that the store is really asked.
const CACHE_BOUND: Duration = Duration::from_millis(200);
/// How long it may take until every task is answered again.
const RECOVERY: Duration = Duration::from_secs(60);

struct Member(Subject);

impl Viewer for Member {
    fn subject(&self) -> Subject {
        self.0.clone()
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(Some(Member(subject.clone())))
    }
}

async fn sessions(url: &str) -> clearance::Result<Sessions<Member>> {
    let key = Key::generate()?;
    if url.starts_with("redis:") {
        return built(Sessions::builder(
            key,
            RedisSessionStore::connect(url).await?,
            Members,
        ));
    }
    let db = Db::connect(url).await?;
    db.migrate().await?;
    beside(key, &db)
}

/// Sessions in that database.
fn beside(key: Key, db: &Db) -> clearance::Result<Sessions<Member>> {
    built(Sessions::builder(key, db.session_store(), Members))
}

fn built(builder: SessionsBuilder<Member>) -> clearance::Result<Sessions<Member>> {
    builder
        .app_url("https://app.example")
        .lifetime(Lifetime::sliding(
            Duration::from_secs(24 * 60 * 60),
            Duration::from_secs(30 * 24 * 60 * 60),
        ))
        .touch_interval(Duration::from_secs(1))
        .cache_bound(CACHE_BOUND)
        .build()
}

/// What the lane says.
struct Steps(Lines<BufReader<Stdin>>);

impl Steps {
    async fn next(&mut self) -> String {
        let line = self.0.next_line().await.unwrap();
        line.expect("the lane says when to end")
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let url =
        std::env::var("FAULTS_URL").expect("FAULTS_URL names a server; run `cargo xtask faults`");
    if let Ok(condition) = std::env::var("FAULTS_CONDITION") {
        return code(conditions::run(&condition, &url).await);
    }
    let load = Arc::new(Load::new(sessions(&url).await.unwrap()));
    let mut steps = Steps(BufReader::new(tokio::io::stdin()).lines());

    fill(&load).await;

    let ends = Arc::new(AtomicBool::new(false));
    let users = tokio::spawn(every_task({
        let (load, ends) = (Arc::clone(&load), Arc::clone(&ends));
        move |task| {
            let (load, ends) = (Arc::clone(&load), Arc::clone(&ends));
            let mut dice = Dice::of(task);
            async move {
                while !ends.load(Ordering::Relaxed) {
                    load.step(task, &mut dice).await;
                }
            }
        }
    }));
    println!("ready");

    let mut kills = 0;
    loop {
        let step = steps.next().await;
        match step.as_str() {
            "kill" => load.tally.enter(Phase::Breaking),
            "down" => load.tally.enter(Phase::Down),
            "starting" => load.tally.enter(Phase::Coming),
            "started" => load.tally.server_answered(),
            "end" => break,
            step => panic!("the lane says `{step}`"),
        }
        println!("{step}");
        if step == "started" {
            kills += 1;
            recover(&load, kills).await;
            println!("recovered");
        }
    }
    ends.store(true, Ordering::Relaxed);
    users.await.unwrap();
    code(load.tally.end())
}

fn code(all_was_right: bool) -> ExitCode {
    if all_was_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn fill(load: &Arc<Load>) {
    let began = Instant::now();
    every_task(|task| {
        let load = Arc::clone(load);
        async move { load.fill(task, TASKS).await }
    })
    .await;
    println!(
        "{SESSIONS} sessions signed in within {:.1?}",
        began.elapsed()
    );
}

/// Waits until every task is answered again, and asks for every session that there was.
async fn recover(load: &Arc<Load>, kill: u64) {
    let began = Instant::now();
    while !load.tally.is_recovered() && began.elapsed() < RECOVERY {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if !load.tally.is_recovered() {
        load.tally
            .wrong(format!("not every task was answered within {RECOVERY:?}"));
    }
    load.tally.enter(Phase::Up);
    let found = examine(load).await;
    load.tally.report(kill);
    found.report();
}

/// Asks for every session that there was.
async fn examine(load: &Arc<Load>) -> Arc<Found> {
    let found = Arc::new(Found::default());
    every_task(|task| {
        let (load, found) = (Arc::clone(load), Arc::clone(&found));
        async move { load.examine(task, TASKS, &found).await }
    })
    .await;
    found
}

/// Runs as many tasks as there are users at once.
async fn every_task<F>(mut task: impl FnMut(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| tokio::spawn(task(number)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
