//! warp.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod served;
#[path = "../suite/sockets.rs"]
mod sockets;
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../../sessions/support.rs"]
mod support;

use std::convert::Infallible;
use std::net::SocketAddr;

use clearance::adapter::warp::{context, current, gate, optional, recover, untrusted, verified};
use clearance::route::session_state;
use clearance::{Current, RequestContext, Result, Untrusted, Verified};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use served::boxed;
use suite::{App, Member, NewNote, OWN_COOKIE, SIGNED_IN};
use sync_wrapper::SyncStream;
use tower::{Layer as _, ServiceExt as _};
use warp::filters::BoxedFilter;
use warp::reply::{Response, json, with_header};
use warp::{Filter, Rejection, Reply, get, path, post};

fn name(member: &Verified<Member>) -> String {
    member.viewer().name.clone()
}

async fn sign_in(to: String, request: RequestContext) -> Result<impl Reply> {
    suite::sign_in(&request, &to).await?;
    let reply = with_header(SIGNED_IN, "content-type", "application/json");
    let reply = with_header(reply, "set-cookie", OWN_COOKIE);
    Ok(with_header(reply, "cache-control", "public, s-maxage=600"))
}

async fn sign_out(request: RequestContext) -> Result<&'static str> {
    suite::sign_out(&request).await.map(|()| "")
}

/// warp wants streams that are `Sync`, which what waits for a store is not.
fn stream(parts: impl futures_util::Stream<Item = String> + Send + 'static) -> impl Reply {
    warp::reply::stream(SyncStream::new(parts.map(Ok::<_, Infallible>)))
}

fn streamed() -> impl Reply {
    with_header(stream(suite::parts()), "cache-control", "public")
}

fn events() -> impl Reply {
    let event = |part| Ok::<_, Infallible>(warp::sse::Event::default().data(part));
    warp::sse::reply(SyncStream::new(suite::parts().map(event)))
}

/// Every route of an application is of one type here, because there are so many.
fn route<R: Reply + 'static>(
    filter: impl Filter<Extract = (R,), Error = Rejection> + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    filter.map(Reply::into_response).boxed()
}

fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let state = app.clone();
    let app_state = warp::any().map(move || state.clone());
    let inside = |app: App| {
        app.handle();
        "inside"
    };
    let sign_out_by = |method: BoxedFilter<()>| {
        let sign_out_path = path!("sign-out").and(method);
        route(sign_out_path.and(context()).then(sign_out))
    };
    let routes = [
        route(
            path!("required")
                .and(get())
                .and(app_state.clone())
                .and(verified())
                .map(|app: App, member| {
                    app.handle();
                    name(&member)
                }),
        ),
        route(path!("optional").and(get()).and(optional()).map(
            |member: Option<Verified<Member>>| {
                member.map_or_else(|| "nobody".to_owned(), |member| name(&member))
            },
        )),
        route(
            path!("current")
                .and(get())
                .and(current())
                .map(|member: Current<Member>| member.viewer().name.clone()),
        ),
        route(path!("deep").and(get()).then(suite::deep)),
        route(
            path!("explicit")
                .and(get())
                .and(context())
                .then(suite::explicit),
        ),
        route(
            path!("sign-in" / String)
                .and(post())
                .and(context())
                .then(sign_in),
        ),
        route(path!("sign-in").and(get()).map(|| "a form")),
        sign_out_by(post().boxed()),
        sign_out_by(get().boxed()),
        route(path!("streamed").and(get()).map(streamed)),
        route(path!("events").and(get()).map(events)),
        route(path!("endless").and(get()).map(|| stream(suite::endless()))),
        // Its body comes last, so the viewer is found first.
        route(
            path!("stalled")
                .and(post())
                .and(verified::<Member>())
                .and(warp::body::bytes())
                .map(|_, _: Bytes| "read"),
        ),
        route(
            path!("public")
                .and(get())
                .map(|| with_header("for everybody", "cache-control", "public, max-age=60")),
        ),
        route(path!("stray").and(get()).then(suite::stray)),
        route(path!("spawned").and(get()).then(suite::spawned)),
        route(
            path!("forked")
                .and(get())
                .and(context())
                .then(async |request: RequestContext| suite::forked(&request).await),
        ),
        route(
            path!("panic")
                .and(get())
                .and(verified::<Member>())
                .map(|_| -> &'static str { panic!("as a handler may") }),
        ),
        route(
            path!("notes")
                .and(post())
                .and(app_state.clone())
                .and(untrusted(1 << 20))
                .then(async |app: App, note: Untrusted<NewNote>| {
                    app.notes.add(note).await.map(|note| json(&note))
                }),
        ),
        route(
            path!("notes")
                .and(get())
                .and(app_state.clone())
                .then(async |app: App| app.notes.all().await.map(|notes| json(&notes))),
        ),
        route(
            path!("notes" / "add")
                .and(get())
                .and(app_state.clone())
                .then(async |app: App| app.notes.add_one().await.map(|note| json(&note))),
        ),
        route(
            path!("page")
                .or(path!("nested" / "page"))
                .unify()
                .and(get())
                .and(gate(app.page.clone()))
                .and(app_state.clone())
                .map(inside),
        ),
        route(
            path!("api")
                .and(get())
                .and(gate(app.api.clone()))
                .and(app_state.clone())
                .map(inside),
        ),
        route(
            path!("answered")
                .and(get())
                .and(gate(app.answered.clone()))
                .and(app_state)
                .map(inside),
        ),
        route(path!("state").and(get()).then(session_state::<Member>)),
        route(
            path!("socket")
                .and(verified())
                .and(context())
                .and(warp::ws())
                .map(|_: Verified<Member>, request, upgrade: warp::ws::Ws| {
                    upgrade.on_upgrade(move |socket| talk(request, socket))
                }),
        ),
    ];
    let routes = routes
        .into_iter()
        .reduce(|routes, route| routes.or(route).unify().boxed());
    route(routes.unwrap().recover(recover))
}

async fn serve(app: App) -> SocketAddr {
    let service = boxed(warp::service(routes(&app)));
    served::serve(&app, service).await
}

suite::tests!(serve);

/// Status and body of what these routes answer to a request of nobody.
async fn answer(
    routes: impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send + Sync + 'static,
    request: http::request::Builder,
) -> (u16, String) {
    let sessions = suite::Rig::new().sessions;
    let service = clearance::SessionLayer::new(sessions).layer(warp::service(routes));
    let request = request.body("12345".to_owned()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// warp answers with the debug output of what it does not know.
#[tokio::test]
async fn rb_09_rf_16_a_rejection_that_nobody_recovers_shows_a_status_alone() {
    let routes = path!("a").and(verified::<Member>()).map(|_| "for members");
    let answer = answer(routes, http::Request::get("/a")).await;
    assert_eq!(
        answer,
        (500, "Unhandled rejection: Rejected(401)".to_owned())
    );
}

#[tokio::test]
async fn rb_09_a_refusal_comes_before_what_other_routes_say() {
    let guarded = || path!("a").and(get()).and(verified::<Member>()).map(|_| "");
    let other = || path!("a").and(post()).map(|| "");
    let query = || {
        path!("a")
            .and(warp::query::<Vec<(String, u8)>>())
            .map(|_| "")
    };
    let request = || http::Request::get("/a?b=c");
    let routes = guarded().or(other()).or(query()).recover(recover);
    assert_eq!(answer(routes, request()).await.0, 401);
    let routes = query().or(other()).or(guarded()).recover(recover);
    assert_eq!(answer(routes, request()).await.0, 401);
    let routes = query().recover(recover);
    assert_eq!(answer(routes, request()).await.0, 400);
}

#[tokio::test]
async fn vs_13_a_body_says_how_long_it_is_and_is_not_too_long() {
    let routes = untrusted::<NewNote>(4).map(|_| "read").recover(recover);
    let request = || http::Request::post("/");
    assert_eq!(answer(routes, request()).await.0, 411);
    let long = request().header("content-length", "5");
    assert_eq!(answer(routes, long).await.0, 413);
    let routes = untrusted::<NewNote>(5).map(|_| "read").recover(recover);
    let short = request().header("content-length", "5");
    assert_eq!(answer(routes, short).await.0, 200);
}

/// As over HTTP/2, where no `Host` has to be sent.
#[tokio::test]
async fn cs_03_a_gate_before_a_route_sees_what_the_request_is_for() {
    let csrf = || clearance::route::Csrf::new().build().unwrap();
    let routes = path!("a").and(gate(csrf())).map(|| "").recover(recover);
    for (origin, status) in [
        ("https://app.example", 200),
        ("http://app.example", 403),
        ("https://evil.example", 403),
    ] {
        let request = http::Request::post("http://app.example/a").header("origin", origin);
        assert_eq!(answer(routes.clone(), request).await.0, status);
    }
}

/// Says who asks, for each message anew.
async fn talk(request: RequestContext, mut socket: warp::ws::WebSocket) {
    while let Some(Ok(_)) = socket.next().await {
        let Ok(name) = request.fork().scope(suite::deep()).await else {
            break;
        };
        let message = warp::ws::Message::text(name);
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn rf_14_fw_02_a_revocation_ends_a_socket() {
    sockets::rf_14_a_revocation_ends_a_socket(serve).await;
}
