//! What clients send to be written, from the socket to the database.

use axum::extract::State;
use axum::routing::{post, put};
use axum::{Json, Router};
use clearance::input::Assign;
use clearance::{Db, Dto, Entity, Input, Patch, Result, SessionLayer, Untrusted, repository};
use garde::Validate;
use serde_json::{Value, json};

use crate::server::Server;
use crate::support::logs::Capture;
use crate::support::{Member, Rig};

/// In the log, a statement that is sent to a database.
const STATEMENT: &str = "clearance::sql: statement=";

#[derive(Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    read_if(row.author == viewer.name),
    create_if(row.author == viewer.name),
    update_if(row.author == viewer.name)
)]
struct Note {
    #[entity(key)]
    id: i64,
    author: String,
    text: String,
    pinned: Option<bool>,
}

#[derive(Dto)]
#[dto(entity = Note, default = visible)]
struct NoteView {
    id: i64,
    text: String,
    pinned: Option<bool>,
}

#[derive(Input, Validate)]
#[input(entity = Note)]
#[preset(author = viewer.name.clone())]
struct NewNote {
    #[writable]
    #[garde(length(max = 10))]
    text: String,
    #[writable_if(viewer.name == "ada")]
    #[garde(skip)]
    pinned: Assign<Option<bool>>,
}

#[derive(Patch)]
#[patch(entity = Note, reads = NoteView)]
struct EditNote {
    #[writable]
    text: Assign<String>,
    #[writable]
    pinned: Assign<Option<bool>>,
}

#[derive(Clone)]
struct Notes {
    db: Db,
}

#[repository(viewer = Member)]
impl Notes {
    #[authenticated(access: Write)]
    async fn add(&self, note: Untrusted<NewNote>) -> Result<NoteView> {
        let note = note.open(&access)?;
        self.db.writer(&access).create(note).returning().await
    }

    #[authorize(access: Write, if viewer.name == "ada")]
    async fn import(&self, note: Untrusted<NewNote>) -> Result<NoteView> {
        let note = note.open(&access)?;
        self.db.writer(&access).create(note).returning().await
    }

    #[authenticated(access: Write)]
    async fn edit(&self, id: i64, note: Untrusted<EditNote>) -> Result<NoteView> {
        let patch = note.open(&access)?;
        let update = self.db.writer(&access).update::<Note>(id);
        update.patch(patch).returning().await
    }
}

async fn add(State(notes): State<Notes>, body: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    Ok(Json(notes.add(body).await?))
}

async fn import(State(notes): State<Notes>, body: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    Ok(Json(notes.import(body).await?))
}

async fn edit(State(notes): State<Notes>, body: Untrusted<EditNote>) -> Result<Json<NoteView>> {
    Ok(Json(notes.edit(1, body).await?))
}

/// A server with notes; the directory is its database.
async fn server() -> (Server, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/notes.db?mode=rwc", directory.path().display());
    #[expect(clippy::disallowed_methods, reason = "a test makes its own table")]
    let db = {
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, \
            text TEXT NOT NULL, pinned BOOLEAN)";
        sqlx::query(table).execute(&pool).await.unwrap();
        Db::unguarded_pool(pool, "the pool that made the table")
    };
    let rig = Rig::new();
    let layer = SessionLayer::new(rig.sessions.clone());
    let routes = Router::new()
        .route("/notes", post(add))
        .route("/import", post(import))
        .route("/note", put(edit))
        .with_state(Notes { db });
    let server = Server::serve(rig, |router| router.merge(routes).layer(layer)).await;
    (server, directory)
}

/// Status and body of the answer to this body of JSON.
async fn send(server: &Server, cookie: &str, path: &str, body: &str) -> (u16, Value) {
    send_as(server, cookie, path, "application/json", body).await
}

async fn send_as(
    server: &Server,
    cookie: &str,
    path: &str,
    media_type: &str,
    body: &str,
) -> (u16, Value) {
    let method = if path == "/note" {
        reqwest::Method::PUT
    } else {
        reqwest::Method::POST
    };
    let response = server.send(method, path, cookie, media_type, body).await;
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn vs_13_sr_18_sr_19_whoever_is_not_signed_in_gets_401_whatever_they_send() {
    let (server, _directory) = server().await;
    // The server answers in this thread.
    let logs = Capture::start();
    for body in ["{", "[]", "{}", r#"{"text":7}"#, r#"{"text":"fine"}"#] {
        for cookie in ["", "__Host-session=forged"] {
            for path in ["/notes", "/note"] {
                let (status, problem) = send(&server, cookie, path, body).await;
                assert_eq!(status, 401, "{body}");
                assert_eq!(problem.get("errors"), None);
            }
        }
    }
    assert_eq!(crate::support::count(&server.rig.store.loads), 0);
    assert_eq!(logs.count(STATEMENT), 0);

    let ada = server.rig.device("ada").await;
    let (status, _) = send(&server, &ada.cookie, "/notes", r#"{"text":"fine"}"#).await;
    assert_eq!(status, 200);
    assert_ne!(logs.count(STATEMENT), 0, "statements are counted");
}

#[tokio::test]
async fn vs_13_what_is_wrong_is_said_field_by_field() {
    let (server, _directory) = server().await;
    let device = server.rig.device("ada").await;
    let (status, problem) = send(&server, &device.cookie, "/notes", r#"{"a/b":1}"#).await;
    assert_eq!(status, 422);
    assert_eq!(
        problem,
        json!({
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "errors": [
                { "pointer": "#/text", "detail": "is missing" },
                { "pointer": "#/a~1b", "detail": "is not a field of this request" },
            ],
        })
    );
    let long = r#"{"text":"much too long for a note"}"#;
    let (status, problem) = send(&server, &device.cookie, "/notes", long).await;
    assert_eq!(status, 422);
    assert_eq!(problem["errors"][0]["pointer"], "#/text");
    assert!(!problem.to_string().contains("much too long"));

    let (status, problem) = send(&server, &device.cookie, "/notes", "{").await;
    assert_eq!(
        (status, problem),
        (
            400,
            json!({
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "detail": "the body is not valid JSON",
            })
        )
    );
}

/// As axum's own `Json` answers, but behind the questions who asks and whether they may call.
#[tokio::test]
async fn vs_13_a_body_that_is_not_sent_as_json_is_415_to_those_who_may_call() {
    let (server, _directory) = server().await;
    let ada = server.rig.device("ada").await;
    let bob = server.rig.device("bob").await;
    // The last is not even JSON: what is said of a body comes before what is in it.
    for (media_type, body) in [
        ("application/x-www-form-urlencoded", r#"{"text":"x"}"#),
        ("text/plain; charset=utf-8", r#"{"text":"x"}"#),
        ("application/jsonp", r#"{"text":"x"}"#),
        ("", r#"{"text":"x"}"#),
        ("text/plain", "{"),
    ] {
        for path in ["/notes", "/note", "/import"] {
            let (status, problem) = send_as(&server, "", path, media_type, body).await;
            assert_eq!(status, 401, "{media_type} {path}");
            assert_eq!(problem.get("detail"), None);
        }
        let (status, problem) = send_as(&server, &bob.cookie, "/import", media_type, body).await;
        assert_eq!((status, problem.get("detail")), (403, None), "{media_type}");

        for path in ["/notes", "/note", "/import"] {
            let (status, problem) = send_as(&server, &ada.cookie, path, media_type, body).await;
            assert_eq!(status, 415, "{media_type} {path}");
            assert_eq!(
                problem,
                json!({
                    "type": "about:blank",
                    "title": "Unsupported Media Type",
                    "status": 415,
                    "detail": "the body must be JSON, with the content type `application/json`",
                })
            );
        }
    }
    let post = reqwest::Method::POST;
    let response = server
        .send(post, "/notes", &ada.cookie, "text/csv", "x")
        .await;
    assert_eq!(response.headers()["accept"], "application/json");
}

#[tokio::test]
async fn vs_13_w9_w21_a_body_that_is_allowed_is_written_and_comes_back() {
    let (server, _directory) = server().await;
    let ada = server.rig.device("ada").await;
    let bob = server.rig.device("bob").await;
    let body = r#"{"text":"hello","pinned":true}"#;
    let (status, _) = send(&server, &bob.cookie, "/notes", body).await;
    assert_eq!(status, 403);
    let json = "application/vnd.notes+json; charset=utf-8";
    let (status, note) = send_as(&server, &ada.cookie, "/notes", json, body).await;
    assert_eq!(status, 200);
    assert_eq!(note, json!({ "id": 1, "text": "hello", "pinned": true }));

    let (status, note) = send(&server, &ada.cookie, "/note", r#"{"pinned":null}"#).await;
    assert_eq!(status, 200);
    assert_eq!(note, json!({ "id": 1, "text": "hello", "pinned": null }));
    let (status, _) = send(&server, &bob.cookie, "/note", r#"{"text":"mine"}"#).await;
    assert_eq!(status, 404);
}
