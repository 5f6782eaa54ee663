//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example rocket
//! ```

mod journal;

use clearance::adapter::rocket::{Answer, scoped};
use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use journal::{Credentials, Journal, Member, NewNote, NoteView};
use rocket::fairing::AdHoc;
use rocket::form::Form;
use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Config, FromForm, State, get, post, routes};

#[derive(FromForm)]
struct SignIn {
    user: String,
    password: String,
}

#[post("/sign-in", data = "<form>")]
async fn sign_in(request: RequestContext, form: Form<SignIn>) -> Result<Status> {
    let SignIn { user, password } = form.into_inner();
    let Some(subject) = (Credentials { user, password }).check() else {
        return Ok(Status::Unauthorized);
    };
    request.sign_in(&subject).await?;
    Ok(Status::NoContent)
}

#[post("/sign-out")]
async fn sign_out(request: RequestContext) -> Result<Status> {
    request.sign_out().await?;
    Ok(Status::NoContent)
}

#[get("/notes")]
async fn list(journal: &State<Journal>) -> Result<Json<Vec<NoteView>>> {
    journal.notes().await.map(Json)
}

#[post("/notes", data = "<note>")]
async fn add(journal: &State<Journal>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    journal.add(note).await.map(Json)
}

#[get("/session")]
async fn state() -> Answer {
    Answer(session_state::<Member>().await)
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (journal, sessions) = journal::open().await?;
    let mut config = Config::debug_default();
    config.port = 0;
    let tell = AdHoc::on_liftoff("address", |rocket| {
        Box::pin(async move {
            println!(
                "http://{}:{}",
                rocket.config().address,
                rocket.config().port
            );
        })
    });
    rocket::custom(config)
        .manage(journal)
        .attach(SecurityHeaders::new().build())
        .attach(SessionLayer::new(sessions))
        .attach(Csrf::new().build()?)
        .attach(tell)
        .mount("/", scoped(routes![sign_in, sign_out, list, add, state]))
        .launch()
        .await?;
    Ok(())
}
