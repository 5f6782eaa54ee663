//! What Rocket alone has: catchers, limits, forms that change the method, and clients of its own.

use std::net::SocketAddr;

use clearance::adapter::rocket::scoped;
use clearance::route::RouteRules;
use clearance::{Clock as _, RequestContext, SessionLayer, SystemClock, Untrusted, Verified};
use rocket::data::{Limits, ToByteUnit as _};
use rocket::http::{ContentType, Cookie, Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Build, Catcher, Rocket, catch, catchers, get, post, routes};

use crate::config;
use crate::suite::{Member, Rig, deep, sign_in, sign_out};

#[get("/required")]
fn required(member: Verified<Member>) -> String {
    member.viewer().name.clone()
}

#[get("/optional")]
fn optional(member: Option<Verified<Member>>) -> &'static str {
    if member.is_some() {
        "somebody"
    } else {
        "nobody"
    }
}

#[get("/optional")]
fn unscoped(member: Option<Verified<Member>>) -> &'static str {
    optional(member)
}

#[post("/sign-in")]
async fn enter(request: RequestContext) -> clearance::Result<()> {
    sign_in(&request, "ada").await
}

#[get("/sign-out")]
async fn leave(request: RequestContext) -> clearance::Result<()> {
    sign_out(&request).await
}

#[post("/notes", data = "<_note>")]
fn note(_note: Untrusted<String>) -> &'static str {
    "taken"
}

#[get("/address")]
fn address(request: RequestContext) -> String {
    format!("{:?}", request.rule_context().address)
}

#[get("/public")]
fn public() -> &'static str {
    "for everybody"
}

#[catch(default)]
async fn caught(status: Status, _: &rocket::Request<'_>) -> String {
    let who = deep().await;
    format!(
        "{}: {}",
        status.code,
        who.unwrap_or_else(|error| error.status().to_string())
    )
}

fn rocket(rig: &Rig) -> Rocket<Build> {
    let mut config = config();
    config.limits = Limits::new().limit("json", 10.bytes());
    rocket::custom(config)
        .attach(SessionLayer::new(rig.sessions.clone()))
        .mount(
            "/",
            scoped(routes![
                required, optional, enter, leave, note, address, public
            ]),
        )
        .mount("/unscoped", routes![unscoped])
}

async fn client(rocket: Rocket<Build>) -> Client {
    Client::tracked(rocket).await.unwrap()
}

async fn told(response: LocalResponse<'_>) -> (u16, String) {
    (
        response.status().code,
        response.into_string().await.unwrap_or_default(),
    )
}

fn problem(status: u16, title: &str) -> (u16, String) {
    let text = format!(r#"{{"status":{status},"title":"{title}","type":"about:blank"}}"#);
    (status, text)
}

async fn in_session(rig: &Rig, rocket: Rocket<Build>) -> Client {
    // By its own clock the client drops cookies that have expired.
    rig.clock.set(SystemClock.now());
    let client = client(rocket).await;
    let ada = rig.device("ada").await;
    let (name, value) = ada.cookie.split_once('=').unwrap();
    let cookie = Cookie::new(name.to_owned(), value.to_owned());
    assert_eq!(
        told(client.get("/required").cookie(cookie).dispatch().await)
            .await
            .0,
        200
    );
    let signed_in = client.post("/sign-in").dispatch().await;
    assert_eq!(signed_in.status(), Status::Ok);
    drop(signed_in);
    client
}

#[tokio::test]
async fn a_client_of_rockets_own_tests_stays_signed_in() {
    let rig = Rig::new();
    let client = in_session(&rig, rocket(&rig)).await;
    let ada = (200, "ada".to_owned());
    assert_eq!(told(client.get("/required").dispatch().await).await, ada);
}

#[tokio::test]
async fn what_a_guard_fails_with_goes_to_a_catcher_in_scope_where_there_is_one() {
    let rig = Rig::without_cache();
    let caught: fn() -> Vec<Catcher> = || scoped(catchers![caught]);
    let client = in_session(&rig, rocket(&rig).register("/", caught())).await;
    let nothing = client.get("/nothing").dispatch().await;
    let cache: Vec<_> = nothing.headers().get("cache-control").collect();
    assert_eq!(cache, ["private, no-store"]);
    assert_eq!(told(nothing).await, (404, "404: ada".to_owned()));
    rig.store.set_down(true);
    for path in ["/required", "/optional"] {
        let response = client.get(path).dispatch().await;
        assert_eq!(told(response).await, (503, "503: 503".to_owned()), "{path}");
    }

    // One for other paths is none.
    let elsewhere = self::client(rocket(&rig).register("/admin", caught())).await;
    let response = elsewhere.get("/required").dispatch().await;
    assert_eq!(told(response).await, problem(401, "Unauthorized"));
}

#[tokio::test]
async fn vs_20_no_guard_of_a_route_without_a_scope_takes_its_viewer_for_nobody() {
    let rig = Rig::new();
    let client = in_session(&rig, rocket(&rig)).await;
    let response = client.get("/unscoped/optional").dispatch().await;
    assert_eq!(told(response).await, problem(500, "Internal Server Error"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_the_handler() {
    let rig = Rig::new();
    let client = client(rocket(&rig)).await;
    for (body, status) in [("\"12345678\"", 200), ("\"123456789\"", 413)] {
        let request = client.post("/notes").header(ContentType::JSON).body(body);
        assert_eq!(request.dispatch().await.status().code, status);
    }
}

#[tokio::test]
async fn cs_04_a_form_that_calls_itself_a_get_signs_nobody_out() {
    let rig = Rig::new();
    let client = in_session(&rig, rocket(&rig)).await;
    let form = client.post("/sign-out").header(ContentType::Form);
    let response = form.body("_method=get").dispatch().await;
    assert_eq!(response.status().code, 500);
    assert_eq!(client.get("/required").dispatch().await.status().code, 200);
}

#[tokio::test]
async fn the_address_is_the_connections_whatever_a_header_says() {
    let rig = Rig::new();
    let client = client(rocket(&rig)).await;
    let peer: SocketAddr = "192.0.2.7:1234".parse().unwrap();
    let forged = Header::new("x-real-ip", "127.0.0.1");
    let response = client.get("/address").remote(peer).header(forged);
    let text = "Some(192.0.2.7)".to_owned();
    assert_eq!(told(response.dispatch().await).await, (200, text));
}

#[tokio::test]
async fn a_body_keeps_its_size() {
    let rig = Rig::new();
    let client = client(rocket(&rig)).await;
    let size = Some(13);
    assert_eq!(
        client.get("/public").dispatch().await.body().preset_size(),
        size
    );
    let head = client.head("/public").dispatch().await;
    assert_eq!(head.body().preset_size(), size);
    assert_eq!(told(head).await, (200, String::new()));
}

#[tokio::test]
async fn op_03_rules_are_asked_before_every_method_and_cannot_be_named() {
    let rig = Rig::new();
    let rules = RouteRules::protect_listed()
        .protect(clearance::route::Route::exact("/public").unwrap())
        .build(&rig.sessions)
        .unwrap();
    let client = client(rocket(&rig).attach(rules)).await;
    for request in [
        client.get("/public"),
        client.head("/public"),
        client.delete("/public"),
    ] {
        let response = request.dispatch().await;
        assert_eq!(response.status().code, 401);
    }
    let refused = client.get("/.clearance/refused").dispatch().await;
    assert_eq!(refused.status().code, 404);
}
