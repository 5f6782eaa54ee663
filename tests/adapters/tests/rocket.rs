//! Rocket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

#[path = "rocket/own.rs"]
mod own;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;
#[path = "../suite/upgrades.rs"]
mod upgrades;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use clearance::adapter::rocket::{Answer, behind, scoped};
use clearance::route::session_state;
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};
use rocket::data::{IoHandler, IoStream};
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Header};
use rocket::response::stream::{Event, EventStream, TextStream};
use rocket::response::{self, Response};
use rocket::serde::json::Json;
use rocket::{Build, Config, Data, Request, Responder, Rocket, Route, State, get, post, routes};
use suite::{App, Member, NewNote, NoteView, OWN_COOKIE, SIGNED_IN};
use tokio::sync::oneshot;

#[get("/required")]
fn required(app: &State<App>, member: Verified<Member>) -> String {
    app.handle();
    member.viewer().name.clone()
}

#[get("/optional")]
fn optional(member: Option<Verified<Member>>) -> String {
    let name = |member: Verified<Member>| member.viewer().name.clone();
    member.map_or_else(|| "nobody".to_owned(), name)
}

#[get("/current")]
fn current(member: Current<Member>) -> String {
    member.viewer().name.clone()
}

#[get("/deep")]
async fn deep() -> Result<String> {
    suite::deep().await
}

#[get("/explicit")]
async fn explicit(request: RequestContext) -> Result<String> {
    suite::explicit(request).await
}

/// A body with headers.
#[derive(Responder)]
struct With<R> {
    body: R,
    cache_control: Header<'static>,
}

fn with<R>(body: R, cache_control: &'static str) -> With<R> {
    let cache_control = Header::new("cache-control", cache_control);
    With {
        body,
        cache_control,
    }
}

#[derive(Responder)]
struct SignedIn {
    body: With<(ContentType, &'static str)>,
    own_cookie: Header<'static>,
}

#[post("/sign-in/<name>")]
async fn sign_in(request: RequestContext, name: &str) -> Result<SignedIn> {
    suite::sign_in(&request, name).await?;
    Ok(SignedIn {
        body: with((ContentType::JSON, SIGNED_IN), "public, s-maxage=600"),
        own_cookie: Header::new("set-cookie", OWN_COOKIE),
    })
}

#[get("/sign-in")]
fn form() -> &'static str {
    "a form"
}

#[post("/sign-out")]
async fn sign_out(request: RequestContext) -> Result<()> {
    suite::sign_out(&request).await
}

#[get("/sign-out")]
async fn sign_out_by_link(request: RequestContext) -> Result<()> {
    suite::sign_out(&request).await
}

#[get("/streamed")]
fn streamed() -> With<TextStream<impl Stream<Item = String>>> {
    with(TextStream(suite::parts()), "public")
}

#[get("/events")]
fn events() -> EventStream<impl Stream<Item = Event>> {
    EventStream::from(suite::parts().map(Event::data))
}

/// Rocket notices by writing alone that a client is gone.
#[get("/endless")]
fn endless(app: &State<App>) -> TextStream<impl Stream<Item = String> + use<>> {
    let beats = stream::repeat(Arc::clone(&app.beat)).then(|beat| async move {
        beat.notified().await;
        "\n".to_owned()
    });
    TextStream(stream::select(suite::endless(), beats))
}

#[post("/stalled", data = "<body>")]
async fn stalled(_member: Verified<Member>, body: Vec<u8>) -> &'static str {
    drop(body);
    "read"
}

#[get("/public")]
fn public() -> With<&'static str> {
    with("for everybody", "public, max-age=60")
}

#[get("/stray")]
async fn stray() -> Result<String> {
    suite::stray().await
}

#[get("/spawned")]
async fn spawned() -> Result<String> {
    suite::spawned().await
}

#[get("/forked")]
async fn forked(request: RequestContext) -> Result<String> {
    suite::forked(&request).await
}

#[get("/panic")]
fn panics(_member: Verified<Member>) -> &'static str {
    panic!("as a handler may")
}

#[post("/notes", data = "<note>")]
async fn add(app: &State<App>, note: Untrusted<NewNote>) -> Result<Json<NoteView>> {
    app.notes.add(note).await.map(Json)
}

#[get("/notes/add")]
async fn add_by_link(app: &State<App>) -> Result<Json<NoteView>> {
    app.notes.add_one().await.map(Json)
}

#[get("/notes")]
async fn all(app: &State<App>) -> Result<Json<Vec<NoteView>>> {
    app.notes.all().await.map(Json)
}

#[get("/page")]
fn page(app: &State<App>) -> &'static str {
    app.handle();
    "inside"
}

#[get("/api")]
fn api(app: &State<App>) -> &'static str {
    app.handle();
    "inside"
}

#[get("/answered")]
fn answered(app: &State<App>) -> &'static str {
    app.handle();
    "inside"
}

#[get("/state")]
async fn state() -> Answer {
    Answer(session_state::<Member>().await)
}

struct Echo(RequestContext);

#[rocket::async_trait]
impl IoHandler for Echo {
    async fn io(self: Pin<Box<Self>>, io: IoStream) -> std::io::Result<()> {
        upgrades::echo(self.0.clone(), io).await;
        Ok(())
    }
}

impl<'r> response::Responder<'r, 'r> for Echo {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'r> {
        Response::build().upgrade("echo", self).ok()
    }
}

#[get("/echo")]
fn echo(request: RequestContext) -> Echo {
    Echo(request)
}

fn everything(app: &App) -> Vec<Route> {
    let mut everything = routes![
        required,
        optional,
        current,
        deep,
        explicit,
        sign_in,
        form,
        sign_out,
        sign_out_by_link,
        streamed,
        events,
        endless,
        stalled,
        public,
        stray,
        spawned,
        forked,
        panics,
        add,
        add_by_link,
        all,
        state,
        echo
    ];
    everything.extend(behind(&app.page, routes![page]));
    everything.extend(behind(&app.api, routes![api]));
    everything.extend(behind(&app.answered, routes![answered]));
    everything
}

fn config() -> Config {
    let mut config = Config::debug_default();
    config.address = [127, 0, 0, 1].into();
    config.port = 0;
    config.log_level = rocket::config::LogLevel::Off;
    // The signals are the test's.
    config.shutdown.ctrlc = false;
    config.shutdown.signals.clear();
    config
}

/// The gates outermost first, since fairings are asked in the order in which they are attached.
fn rocket(app: &App, routes: Vec<Route>) -> Rocket<Build> {
    let mut rocket = rocket::custom(config()).manage(app.clone());
    if let Some(layer) = &app.layer {
        rocket = rocket.attach(layer.clone());
    }
    for gate in app.gates.iter().rev() {
        rocket = rocket.attach(gate.clone());
    }
    let nested = behind(&app.page, routes![page]);
    rocket
        .mount("/", scoped(routes))
        .mount("/nested", scoped(nested))
}

async fn serve(app: App) -> SocketAddr {
    let mut routes = everything(&app);
    if app.layer.is_none() {
        // Rocket does not even launch. Without its sentinels, it does.
        let refused = rocket(&app, routes.clone()).ignite().await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::SentinelAborts(_)));
        routes = routes.into_iter().map(without_sentinels).collect();
    }
    let (told, launched) = oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let tell = AdHoc::on_liftoff("address", move |rocket| {
        Box::pin(async move {
            let address = SocketAddr::new(rocket.config().address, rocket.config().port);
            let told = told.lock().unwrap().take().unwrap();
            told.send(address).unwrap();
        })
    });
    tokio::spawn(rocket(&app, routes).attach(tell).launch());
    launched.await.unwrap()
}

fn without_sentinels(route: Route) -> Route {
    fn nothing<'r>(_: &'r Request<'_>, data: Data<'r>) -> rocket::route::BoxFuture<'r> {
        rocket::route::Outcome::forward(data, rocket::http::Status::NotFound).pin()
    }
    let mut bare = Route::ranked(route.rank, route.method, route.uri.as_str(), nothing);
    bare.handler = route.handler;
    bare
}

suite::tests!(serve);

#[tokio::test]
async fn rf_14_a_revocation_ends_what_a_connection_was_upgraded_to() {
    upgrades::rf_14_a_revocation_ends_what_a_connection_was_upgraded_to(serve).await;
}
