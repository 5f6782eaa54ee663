//! The same small program in every framework: sign in, sign out, and notes that only their author sees.
//!
//! ```sh
//! cargo run -p clearance-adapters --example actix_web
//! ```

mod journal;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Form, Json};
use actix_web::{App, HttpResponse, HttpServer};
use clearance::adapter::actix_web::response;
use clearance::route::{Csrf, SecurityHeaders, session_state};
use clearance::{RequestContext, Result, SessionLayer, Untrusted};
use journal::{Credentials, Journal, Member, NewNote, NoteView};

async fn sign_in(request: RequestContext, credentials: Form<Credentials>) -> Result<HttpResponse> {
    let Some(subject) = credentials.check() else {
        return Ok(HttpResponse::new(StatusCode::UNAUTHORIZED));
    };
    request.sign_in(&subject).await?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

async fn sign_out(request: RequestContext) -> Result<HttpResponse> {
    request.sign_out().await?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

async fn list(journal: Data<Journal>) -> Result<Json<Vec<NoteView>>> {
    journal.notes().await.map(Json)
}

async fn add(journal: Data<Journal>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    journal.add(note).await.map(Json)
}

async fn state() -> HttpResponse {
    response(session_state::<Member>().await)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Made once: each worker calls the closure below for an `App` of its own, and they share these.
    let (journal, sessions) = journal::open().await?;
    let journal = Data::new(journal);
    let layer = SessionLayer::new(sessions);
    let csrf = Csrf::new().build()?;
    let headers = SecurityHeaders::new().build();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(journal.clone())
            .route("/sign-in", web::post().to(sign_in))
            .route("/sign-out", web::post().to(sign_out))
            .route("/notes", web::get().to(list))
            .route("/notes", web::post().to(add))
            .route("/session", web::get().to(state))
            .wrap(csrf.clone())
            .wrap(layer.clone())
            .wrap(headers.clone())
    })
    // Else what waits is kept when its client is gone.
    .h1_allow_half_closed(false)
    .bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    server.run().await?;
    Ok(())
}
