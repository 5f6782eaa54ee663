//! What the programs of all frameworks share: users, notes that only their author sees, and sessions.

use clearance::session::MemorySessionStore;
use clearance::{
    Db, Dto, Entity, Input, Key, Result, Sessions, SourceError, Subject, Untrusted, Viewer,
    ViewerSource, async_trait, repository,
};
use serde::Deserialize;
use sqlx::sqlite::SqlitePoolOptions;

/// Who asks.
#[derive(Viewer)]
pub(crate) struct Member {
    id: i64,
}

#[derive(Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    read_if(row.author == viewer.id),
    create_if(row.author == viewer.id)
)]
pub(crate) struct Note {
    #[entity(key)]
    id: i64,
    author: i64,
    text: String,
}

/// A note as its author sees it.
#[derive(Dto)]
#[dto(entity = Note, default = visible)]
pub(crate) struct NoteView {
    id: i64,
    text: String,
}

/// A note as it is sent. Who wrote it nobody is asked.
#[derive(Input)]
#[input(entity = Note)]
#[preset(author = viewer.id)]
pub(crate) struct NewNote {
    #[writable]
    text: String,
}

/// The one way to the notes.
#[derive(Clone)]
pub(crate) struct Journal {
    db: Db,
}

#[repository(viewer = Member)]
impl Journal {
    #[authenticated(access)]
    pub(crate) async fn notes(&self) -> Result<Vec<NoteView>> {
        self.db.reader(&access).all(NoteView::select()).await
    }

    #[authenticated(access: Write)]
    pub(crate) async fn add(&self, note: Untrusted<NewNote>) -> Result<NoteView> {
        let note = note.open(&access)?;
        self.db.writer(&access).create(note).returning().await
    }
}

/// What a sign-in sends.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Credentials {
    /// Whose they are. A program of yours compares the password with a hash that only it can read.
    pub(crate) fn check(&self) -> Option<Subject> {
        match (self.user.as_str(), self.password.as_str()) {
            ("ada", "analytical") => Some(Subject::new(1)),
            ("grace", "nanosecond") => Some(Subject::new(2)),
            _ => None,
        }
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

/// An empty journal in memory, and sessions for it.
///
/// # Errors
///
/// When the database cannot be opened.
pub(crate) async fn open() -> Result<(Journal, Sessions<Member>), Box<dyn std::error::Error>> {
    // One connection: each would have a memory of its own.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None);
    let pool = pool.connect("sqlite::memory:").await?;
    let table =
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL, text TEXT NOT NULL)";
    #[expect(
        clippy::disallowed_methods,
        reason = "the tables are the application's own"
    )]
    sqlx::query(table).execute(&pool).await?;
    let db = Db::unguarded_pool(pool, "the pool that made the table");
    let sessions = Sessions::builder(Key::generate()?, MemorySessionStore::new(), Members)
        .app_url("http://localhost")
        .development()
        .build()?;
    Ok((Journal { db }, sessions))
}
