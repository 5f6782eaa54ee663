//! A directory of people: the entity, the viewers and the database that the tests share.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};

use chrono::{DateTime, TimeZone as _, Utc};
use clearance::policy::Context;
use clearance::{
    Access, Dto, Entity, Field, Key, Public, Read, RequestContext, Roles, Secret, Sessions,
    SourceError, Subject, System, TextEnum, Viewer, ViewerSource, Write, async_trait, rule,
    testing,
};
use tracing::field::{Field as TracedField, Visit};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub enum Role {
    Viewer,
    Editor,
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum)]
pub enum Status {
    Active,
    Away,
    Left,
}

impl serde::Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

#[derive(Debug, Clone, Viewer)]
pub struct Member {
    pub id: i64,
    pub role: Role,
    pub team: Option<String>,
}

#[derive(Entity)]
#[entity(
    table = "people",
    viewer = Member,
    read_if(!row.suspended || viewer.role >= Role::Admin),
    create_if(viewer.role >= Role::Editor && row.author == viewer.id),
    update_if(row.author == viewer.id || viewer.role >= Role::Admin),
    delete_if(viewer.role >= Role::Admin)
)]
pub struct Person {
    #[entity(key)]
    pub id: i64,
    #[entity(lookup)]
    pub slug: String,
    pub username: String,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub salary: i64,
    pub team: Option<String>,
    pub status: Status,
    pub suspended: bool,
    pub published_at: Option<DateTime<Utc>>,
    pub author: i64,
    pub password_hash: Secret<String>,
}

#[rule]
pub fn same_team_or_admin(viewer: &Member, row: &Person) -> bool {
    viewer.role >= Role::Admin || same(viewer.team, row.team)
}

/// Who may see the phone number: an admin, or somebody of the same team.
#[derive(Debug, Clone, Dto)]
#[dto(entity = Person, default = visible)]
pub struct Profile {
    pub id: i64,
    pub username: String,
    #[visible_if(rule = same_team_or_admin)]
    pub phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub salary: Field<i64>,
}

/// How often [`counted`] was asked, in this thread's test.
#[derive(Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub fn admin() -> Member {
    Member {
        id: 1,
        role: Role::Admin,
        team: None,
    }
}

pub fn editor() -> Member {
    Member {
        id: 2,
        role: Role::Editor,
        team: Some("red".into()),
    }
}

/// A viewer of no team.
pub fn stranger() -> Member {
    Member {
        id: 3,
        role: Role::Viewer,
        team: None,
    }
}

pub fn person(id: i64, team: Option<&str>) -> Person {
    Person {
        id,
        slug: format!("person-{id}"),
        username: format!("user{id}"),
        phone: Some(format!("+49 30 55500{id}")),
        email: Some(format!("user{id}@example.org")),
        salary: 1_000 * id,
        team: team.map(Into::into),
        status: Status::Active,
        suspended: false,
        published_at: Some(instant(id)),
        author: 2,
        password_hash: Secret::new(format!("hash-of-{id}")),
    }
}

pub fn instant(day: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap() + chrono::Duration::days(day)
}

/// The people that most tests ask for: two of each team, one of none, one suspended.
pub fn people() -> Vec<Person> {
    vec![
        person(1, Some("red")),
        person(2, Some("red")),
        person(3, Some("blue")),
        person(4, None),
        Person {
            phone: None,
            ..person(5, Some("red"))
        },
        Person {
            suspended: true,
            ..person(6, Some("red"))
        },
    ]
}

pub use crate::engines::{Database as Directory, TestPool};

pub const SCHEMA: &str = "CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    slug KEYTEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    phone KEYTEXT,
    email TEXT,
    salary INTEGER NOT NULL,
    team TEXT,
    status TEXT NOT NULL,
    suspended BOOLEAN NOT NULL,
    published_at INSTANT,
    author INTEGER NOT NULL,
    password_hash TEXT NOT NULL
)";

pub async fn directory() -> Directory {
    directory_of(people()).await
}

pub async fn directory_of(people: Vec<Person>) -> Directory {
    let directory = empty_directory(SCHEMA).await;
    let access = system();
    for person in people {
        directory.db.writer(&access).insert(person).await.unwrap();
    }
    directory
}

pub async fn empty_directory(schema: &'static str) -> Directory {
    crate::engines::database(schema).await
}

/// Runs a statement as an application would on its own pool.
pub async fn execute(pool: &TestPool, sql: &'static str) {
    pool.execute(sql).await;
}

pub fn system() -> Access<System> {
    Access::system("fills in the rows of a test").unwrap()
}

/// Runs `call` in a request of `viewer`.
pub async fn as_viewer<T>(viewer: Member, call: impl Future<Output = T>) -> T {
    testing::as_viewer(viewer).scope(call).await
}

pub async fn as_nobody<T>(call: impl Future<Output = T>) -> T {
    testing::as_nobody().scope(call).await
}

/// The viewers of this directory.
pub struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok([admin(), editor(), stranger()]
            .into_iter()
            .find(|member| member.subject() == *subject))
    }
}

/// Sessions kept beside the data, in the same database.
pub async fn sessions_beside(directory: &Directory) -> Sessions<Member> {
    directory.db.migrate().await.unwrap();
    Sessions::builder(
        Key::generate().unwrap(),
        directory.db.session_store(),
        Members,
    )
    .app_url("https://app.example")
    .build()
    .unwrap()
}

/// A request that carries a new session of `member`.
pub async fn signed_in(sessions: &Sessions<Member>, member: &Member) -> RequestContext {
    let session = sessions.create(&member.subject()).await.unwrap();
    let cookie = session.into_set_cookies().remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::COOKIE, pair.parse().unwrap());
    RequestContext::new(sessions, &headers)
}

pub async fn read() -> Access<Read<Member>> {
    Access::<Read<Member>>::authenticated().await.unwrap()
}

pub async fn write() -> Access<Write<Member>> {
    Access::<Write<Member>>::authenticated().await.unwrap()
}

pub fn public() -> Access<Public> {
    Access::<Public>::public("a test of what everybody sees").unwrap()
}

pub fn request_context() -> Context {
    RequestContext::current().unwrap().rule_context()
}

/// Has this thread's events given to `layer` while the guard is there.
///
/// A subscriber of the whole program, which takes everything, stands behind all of them: without one
/// an event that is met first in a thread with no subscriber can be switched off for every thread.
pub fn listen_with<L>(layer: L) -> tracing::subscriber::DefaultGuard
where
    L: Layer<tracing_subscriber::Registry> + Send + Sync,
{
    static BEHIND: Once = Once::new();
    BEHIND.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}

/// The statements that ran while it was there, in this thread.
#[derive(Clone, Default)]
pub struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    /// Starts listening; ends when the guard is dropped.
    pub fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let statements = Self::default();
        let guard = listen_with(statements.clone());
        (statements, guard)
    }

    /// What ran since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The one statement that ran since the last call.
    pub fn one(&self) -> String {
        let mut statements = self.take();
        assert_eq!(statements.len(), 1, "{statements:#?}");
        statements.pop().unwrap()
    }
}

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        if event.metadata().target() == "clearance::sql" {
            event.record(&mut Recorder(self));
        }
    }
}

/// A statement as SQLite would quote its names and mark its values, so that one expectation holds
/// for every engine.
fn plain(statement: &str) -> String {
    let mut plain = String::with_capacity(statement.len());
    let mut letters = statement.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '`' => plain.push('"'),
            '$' if letters.peek().is_some_and(char::is_ascii_digit) => {
                while letters.peek().is_some_and(char::is_ascii_digit) {
                    letters.next();
                }
                plain.push('?');
            }
            letter => plain.push(letter),
        }
    }
    // The ways to compare bytes.
    let plain = without_casts_to_text(&plain);
    let plain = plain.replace("COLLATE \"C\"", "COLLATE BINARY");
    let plain = exchanged(&plain, ("CAST(", "("), (" AS BINARY)", " COLLATE BINARY)"));
    let plain = exchanged(&plain, ("COALESCE(", ""), (", FALSE)", ""));
    with_bound_limit(plain.replace(" LIMIT (SELECT ?)", " LIMIT ?"))
}

/// PostgreSQL compares every column of text as `text`.
fn without_casts_to_text(statement: &str) -> String {
    let mut plain = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some((before, cast)) = rest.split_once("CAST(") {
        let Some((cell, after)) = cast.split_once(')') else {
            break;
        };
        plain.push_str(before);
        rest = after;
        match cell.strip_suffix(" AS text") {
            Some(cell) if before.ends_with('(') && after.starts_with(')') => {
                plain.pop();
                plain.push_str(cell);
                rest = after.strip_prefix(')').unwrap();
            }
            Some(cell) => plain.push_str(cell),
            None => plain.push_str(&format!("CAST({cell})")),
        }
    }
    plain + rest
}

/// PostgreSQL has the number of rows in the text, or a larger one inside and the number bound around it.
fn with_bound_limit(statement: String) -> String {
    let within = statement
        .strip_prefix("SELECT * FROM (")
        .and_then(|rest| rest.strip_suffix(") AS \"page\" LIMIT ?"));
    let limited = within.unwrap_or(&statement);
    match limited.rsplit_once(" LIMIT ") {
        Some((rows, number)) if number.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{rows} LIMIT ?")
        }
        Some(_) | None => statement,
    }
}

/// With other words around each part that stands between these.
fn exchanged(text: &str, begin: (&str, &str), end: (&str, &str)) -> String {
    let mut parts = text.split(begin.0);
    let mut same = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        same += begin.1;
        same += &part.replacen(end.0, end.1, 1);
    }
    same
}

struct Recorder<'a>(&'a Statements);

impl Visit for Recorder<'_> {
    fn record_str(&mut self, field: &TracedField, value: &str) {
        if field.name() == "statement" {
            self.0.0.lock().unwrap().push(plain(value));
        }
    }

    fn record_debug(&mut self, _: &TracedField, _: &dyn std::fmt::Debug) {}
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

/// The events of one target, as text, while it is there, in this thread.
pub struct Events {
    lines: Arc<Mutex<Vec<String>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Events {
    pub fn of(target: &'static str) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let layer = EventLines {
            target,
            lines: Arc::clone(&lines),
        };
        Self {
            lines,
            _guard: listen_with(layer),
        }
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }
}

struct EventLines {
    target: &'static str,
    lines: Arc<Mutex<Vec<String>>>,
}

impl<S: tracing::Subscriber> Layer<S> for EventLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        if event.metadata().target() == self.target {
            let mut line = format!("{}", event.metadata().level());
            event.record(&mut |field: &TracedField, value: &dyn std::fmt::Debug| {
                line.push_str(&format!(" {field}={value:?}"));
            });
            self.lines.lock().unwrap().push(line);
        }
    }
}

/// The events while it was there, in this thread, each as a line of text.
#[derive(Clone, Default)]
pub struct AllEvents(Arc<Mutex<Vec<String>>>);

impl AllEvents {
    pub fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let events = Self::default();
        let guard = listen_with(events.clone());
        (events, guard)
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: tracing::Subscriber> Layer<S> for AllEvents {
    fn on_event(&self, event: &tracing::Event<'_>, _: LayerContext<'_, S>) {
        struct Line(String);

        impl Visit for Line {
            fn record_str(&mut self, field: &TracedField, value: &str) {
                self.0 += &format!(" {}={value}", field.name());
            }

            fn record_debug(&mut self, field: &TracedField, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {}={value:?}", field.name());
            }
        }

        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}
