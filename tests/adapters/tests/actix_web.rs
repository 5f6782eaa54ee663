//! actix-web.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "actix_web/own.rs"]
mod own;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use actix_web::web::{self, Bytes, Data, Json, Path};
use actix_web::{HttpResponse, HttpServer};
use clearance::adapter::Optional;
use clearance::adapter::actix_web::response;
use clearance::route::{Gate, session_state};
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::StreamExt as _;
use suite::{App, Member, NewNote, NoteView, OWN_COOKIE, SIGNED_IN};

async fn required(app: Data<App>, member: Verified<Member>) -> String {
    app.handle();
    member.viewer().name.clone()
}

async fn optional(Optional(member): Optional<Member>) -> String {
    let name = |member: Verified<Member>| member.viewer().name.clone();
    member.map_or_else(|| "nobody".to_owned(), name)
}

async fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

async fn sign_in(request: RequestContext, name: Path<String>) -> Result<HttpResponse> {
    suite::sign_in(&request, &name).await?;
    Ok(HttpResponse::Ok()
        .append_header(("set-cookie", OWN_COOKIE))
        .insert_header(("cache-control", "public, s-maxage=600"))
        .content_type("application/json")
        .body(SIGNED_IN))
}

async fn sign_out(request: RequestContext) -> Result<HttpResponse> {
    suite::sign_out(&request).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn streamed() -> HttpResponse {
    let parts = suite::parts().map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    HttpResponse::Ok()
        .insert_header(("cache-control", "public"))
        .streaming(parts)
}

async fn events() -> HttpResponse {
    let event = |part| Ok::<_, Infallible>(Bytes::from(format!("data: {part}\n\n")));
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(suite::parts().map(event))
}

async fn endless() -> HttpResponse {
    let parts = suite::endless().map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    HttpResponse::Ok().streaming(parts)
}

async fn stalled(_: Verified<Member>, _: Bytes) -> &'static str {
    "read"
}

async fn public() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "public, max-age=60"))
        .body("for everybody")
}

async fn forked(request: RequestContext) -> Result<String> {
    suite::forked(&request).await
}

async fn panics(_: Verified<Member>) -> &'static str {
    panic!("as a handler may")
}

async fn add(app: Data<App>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    app.notes.add(note).await.map(Json)
}

async fn add_by_link(app: Data<App>) -> Result<Json<NoteView>> {
    app.notes.add_one().await.map(Json)
}

async fn all(app: Data<App>) -> Result<Json<Vec<NoteView>>> {
    app.notes.all().await.map(Json)
}

async fn inside(app: Data<App>) -> &'static str {
    app.handle();
    "inside"
}

async fn state() -> HttpResponse {
    response(session_state::<Member>().await)
}

fn routes(app: &App, config: &mut web::ServiceConfig) {
    let behind = |path: &str, gate: &Gate| {
        let inside = web::get().to(inside);
        web::resource(path).route(inside).wrap(gate.clone())
    };
    config
        .app_data(Data::new(app.clone()))
        .route("/required", web::get().to(required))
        .route("/optional", web::get().to(optional))
        .route("/current", web::get().to(current))
        .route("/deep", web::get().to(suite::deep))
        .route("/explicit", web::get().to(suite::explicit))
        .route("/sign-in/{name}", web::post().to(sign_in))
        .route("/sign-in", web::get().to(async || "a form"))
        .route("/sign-out", web::post().to(sign_out))
        .route("/sign-out", web::get().to(sign_out))
        .route("/streamed", web::get().to(streamed))
        .route("/events", web::get().to(events))
        .route("/endless", web::get().to(endless))
        .route("/stalled", web::post().to(stalled))
        .route("/public", web::get().to(public))
        .route("/stray", web::get().to(suite::stray))
        .route("/spawned", web::get().to(suite::spawned))
        .route("/forked", web::get().to(forked))
        .route("/panic", web::get().to(panics))
        .route("/notes", web::post().to(add))
        .route("/notes", web::get().to(all))
        .route("/notes/add", web::get().to(add_by_link))
        .service(behind("/page", &app.page))
        .service(web::scope("/nested").service(behind("/page", &app.page)))
        .service(behind("/api", &app.api))
        .service(behind("/answered", &app.answered))
        .route("/state", web::get().to(state))
        .configure(own::routes);
}

/// Each `wrap` has another type, but a scope that holds a service has the one.
fn app(app: &App) -> actix_web::Scope {
    let mut scope = web::scope("").configure(|config| routes(app, config));
    for gate in &app.gates {
        scope = web::scope("").service(scope.wrap(gate.clone()));
    }
    match &app.layer {
        Some(layer) => web::scope("").service(scope.wrap(layer.clone())),
        None => scope,
    }
}

async fn serve(parts: App) -> SocketAddr {
    let server = HttpServer::new(move || actix_web::App::new().service(app(&parts)))
        .workers(2)
        .h1_allow_half_closed(false)
        .disable_signals()
        .bind_auto_h2c(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

suite::tests!(serve);
