//! Authorization where the data is: whatever stands in front of the repository, and whoever
//! carries the work on.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use clearance::{
    Access, Db, Dto, Entity, Read, Result, Secret, System, repository, spawn, testing,
    verify_session,
};
use tower::ServiceExt as _;

use crate::engines::placeholders;
use crate::signed_in::signed_in;
use crate::support::*;

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, read_if(row.owner == viewer.id))]
#[entity(update_if(row.owner == viewer.id), delete_if(row.owner == viewer.id))]
struct Note {
    #[entity(key)]
    id: i64,
    #[entity(lookup)]
    slug: String,
    text: String,
    owner: i64,
    token: Secret<String>,
}

#[derive(Debug, Clone, Dto)]
#[dto(entity = Note, default = visible)]
struct NoteCard {
    id: i64,
    slug: String,
    text: String,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Notes {
    db: Db,
}

#[repository(viewer = Member)]
impl Notes {
    #[authenticated(access)]
    pub async fn by_key(&self, id: i64) -> Result<NoteCard> {
        let query = NoteCard::select().lookup(Note::ID, id);
        self.db.reader(&access).one(query).await
    }

    #[authenticated(access)]
    #[memo]
    pub async fn remembered(&self, id: i64) -> Result<NoteCard> {
        let query = NoteCard::select().lookup(Note::ID, id);
        self.db.reader(&access).one(query).await
    }

    #[authenticated(access)]
    pub async fn by_unique_column(&self, slug: &str) -> Result<NoteCard> {
        let query = NoteCard::select().lookup(Note::SLUG, slug);
        self.db.reader(&access).one(query).await
    }

    #[authenticated(access)]
    pub async fn by_filter(&self, id: i64) -> Result<NoteCard> {
        let query = NoteCard::select().filter(NoteCard::ID.eq(id));
        self.db.reader(&access).one(query).await
    }

    #[authenticated(access)]
    pub async fn by_secret(&self, id: i64) -> Result<bool> {
        let reader = self.db.reader(&access);
        let token = reader.secret(Note::TOKEN, Note::ID, id).await?;
        Ok(token.is_some_and(|token| token.expose_secret() == &format!("t{id}")))
    }

    #[authenticated(access)]
    pub async fn by_own_sql(&self, id: i64) -> Result<Vec<NoteCard>> {
        self.db
            .reader(&access)
            .unguarded_sql::<Note>("a test", placeholders("SELECT * FROM notes WHERE id = ?"))
            .bind(id)
            .project()
            .await
    }

    #[authenticated(access: Write)]
    pub async fn change(&self, id: i64) -> Result<()> {
        let writer = self.db.writer(&access);
        let update = writer.update::<Note>(id);
        update.set(Note::TEXT, "changed").execute().await
    }

    #[authenticated(access: Write)]
    pub async fn remove(&self, id: i64) -> Result<()> {
        self.db.writer(&access).delete::<Note>(id).await
    }
}

async fn notes() -> (Notes, Directory) {
    let directory = empty_directory(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE,
             text TEXT NOT NULL, owner INTEGER NOT NULL, token TEXT NOT NULL);
         INSERT INTO notes VALUES (1, 'note-1', 'of one', 1, 't1'), (2, 'note-2', 'of two', 2, 't2')",
    )
    .await;
    let notes = Notes {
        db: directory.db.clone(),
    };
    (notes, directory)
}

fn member(id: i64) -> Member {
    Member { id, ..stranger() }
}

/// What a call by id comes to, as the caller can tell it.
fn told<T: std::fmt::Debug>(outcome: &Result<T>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{} {error} {error:?}", error.status()),
    }
}

#[tokio::test]
async fn asvs_8_2_2_the_row_of_another_is_as_if_it_were_not_there() {
    const NOBODYS: i64 = 3;
    let (notes, _directory) = notes().await;
    let call = async |viewer: i64, method: &str, id: i64| {
        let slug = format!("note-{id}");
        as_viewer(member(viewer), async {
            match method {
                "by_key" => told(&notes.by_key(id).await),
                "remembered" => {
                    let first = told(&notes.remembered(id).await);
                    assert_eq!(first, told(&notes.remembered(id).await));
                    first
                }
                "by_unique_column" => told(&notes.by_unique_column(&slug).await),
                "by_filter" => told(&notes.by_filter(id).await),
                "by_secret" => told(&notes.by_secret(id).await),
                "by_own_sql" => told(&notes.by_own_sql(id).await),
                "change" => told(&notes.change(id).await),
                "remove" => told(&notes.remove(id).await),
                method => panic!("{method}"),
            }
        })
        .await
    };
    // Every method of the repository, the deletion last.
    for method in [
        "by_key",
        "remembered",
        "by_unique_column",
        "by_filter",
        "by_secret",
        "by_own_sql",
        "change",
        "remove",
    ] {
        for (viewer, own, other) in [(1, 1, 2), (2, 2, 1)] {
            let missing = call(viewer, method, NOBODYS).await;
            assert_eq!(call(viewer, method, other).await, missing, "{method}");
            match method {
                "by_secret" => assert_eq!(missing, "false"),
                "by_own_sql" => assert_eq!(missing, "[]"),
                _ => assert!(missing.starts_with("404"), "{method}: {missing}"),
            }
            if method != "remove" {
                let found = call(viewer, method, own).await;
                assert_ne!(found, missing, "{method}");
            }
        }
    }
    for id in [1, 2] {
        assert!(call(id, "by_key", id).await.contains("changed"));
        assert_eq!(call(id, "remove", id).await, "()");
    }
}

#[tokio::test]
async fn asvs_8_3_1_without_a_layer_in_front_the_repository_refuses_by_itself() {
    let (notes, _directory) = notes().await;
    let (statements, _guard) = Statements::listen();
    // A router that forgot the layer.
    async fn handler(State(notes): State<Notes>) -> Result<String> {
        Ok(notes.by_key(1).await?.text)
    }
    let app = axum::Router::new()
        .route("/", get(handler))
        .with_state(notes.clone());
    let request = Request::builder()
        .uri("/")
        .header("cookie", "__Host-session=anything")
        .body(Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);

    // No adapter at all, and a request of nobody.
    assert!(notes.by_key(1).await.unwrap_err().is_misuse());
    assert!(notes.remembered(1).await.unwrap_err().is_misuse());
    assert!(notes.remove(1).await.unwrap_err().is_misuse());
    as_nobody(async {
        assert!(notes.by_key(1).await.unwrap_err().is_unauthenticated());
        assert!(notes.remembered(1).await.unwrap_err().is_unauthenticated());
        assert!(notes.remove(1).await.unwrap_err().is_unauthenticated());
    })
    .await;
    assert_eq!(statements.take(), [""; 0]);

    // With a context by hand and no adapter, the rules are the same.
    let request = testing::as_viewer(member(1));
    assert_eq!(notes.with(&request).by_key(1).await.unwrap().text, "of one");
    let other = notes.with(&request).by_key(2).await;
    assert!(other.unwrap_err().is_not_found());
}

#[tokio::test]
async fn asvs_8_3_3_a_job_acts_for_the_subject_that_started_it_and_for_nobody_else() {
    let (notes, _directory) = notes().await;
    let by_two = testing::as_viewer(member(2));
    let job = {
        let notes = notes.clone();
        async move { (notes.by_key(1).await, notes.by_key(2).await) }
    };
    // Started by one and awaited by another.
    let started = testing::as_viewer(member(1))
        .sync_scope(|| spawn(job))
        .unwrap();
    let (own, other) = by_two.scope(started).await.unwrap();
    assert_eq!(own.unwrap().text, "of one");
    assert!(other.unwrap_err().is_not_found());

    // A plain task has no viewer to act for.
    let stray = {
        let notes = notes.clone();
        async move {
            let access = Access::<Read<Member>>::authenticated().await.map(drop);
            (notes.by_key(1).await.map(drop), access)
        }
    };
    let stray = by_two.sync_scope(|| tokio::spawn(stray));
    let (called, access) = stray.await.unwrap();
    assert!(called.unwrap_err().is_misuse());
    assert!(access.unwrap_err().is_misuse());
}

#[tokio::test]
async fn asvs_8_3_3_the_program_acts_for_itself_only_where_it_says_so() {
    fn system() -> Result<Access<System>> {
        Access::system("a nightly job")
    }

    let (notes, _directory) = notes().await;
    // Inside a request, and in what it started, there is a subject: nobody acts past it.
    testing::as_viewer(member(1))
        .scope(async {
            assert!(system().unwrap_err().is_misuse());
            let job = spawn(async { system().map(drop) }).unwrap();
            assert!(job.await.unwrap().unwrap_err().is_misuse());
        })
        .await;
    let job = tokio::spawn(async move {
        let access = system().unwrap();
        let query = NoteCard::select().order(NoteCard::ID.asc());
        let rows = notes.db.reader(&access).all(query).await.unwrap();
        // The access is no viewer: a repository still asks for one.
        assert!(notes.by_key(1).await.unwrap_err().is_misuse());
        rows.len()
    });
    assert_eq!(job.await.unwrap(), 2);
    assert!(Access::system(" ").unwrap_err().is_misuse());
}

#[tokio::test]
async fn asvs_8_3_3_a_job_ends_with_the_session_of_its_subject() {
    let signed_in = signed_in().await;
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let job = signed_in.request.sync_scope(|| {
        spawn(async {
            let before = verify_session::<Member>()
                .await
                .map(|member| member.viewer().id);
            wait.await.unwrap();
            (before, verify_session::<Member>().await.map(drop))
        })
    });
    // Revoked by somebody else's request while the job is under way.
    tokio::task::yield_now().await;
    signed_in
        .sessions
        .revoke(&signed_in.subject, signed_in.session)
        .await
        .unwrap();
    go.send(()).unwrap();
    let (before, after) = job.unwrap().await.unwrap();
    assert_eq!(before.unwrap(), 1);
    assert!(after.unwrap_err().is_unauthenticated());
}
