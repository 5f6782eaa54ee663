//! What the layer costs a request that asks nothing, as a call of a service and as a request over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

mod support;

use std::cell::RefCell;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use clearance::session::MemorySessionStore;
use clearance::{
    Key, SessionLayer, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
};
use http::{HeaderValue, Request, Response};
use tower::{Layer, Service};

use support::{Comparison, Judged, Report, is_measured};

#[derive(Viewer)]
struct Member {
    id: i64,
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

/// The argument under which this program only calls the service, for an instrument to count.
const CALLS: &str = "--calls";

fn layer() -> SessionLayer<Member> {
    // A random one costs another number of instructions each time.
    let key = Key::from_bytes(b"not random, and it protects nobody").unwrap();
    let sessions = Sessions::builder(key, MemorySessionStore::new(), Members)
        .app_url("https://app.example")
        .build()
        .unwrap();
    SessionLayer::new(sessions)
}

thread_local! {
    /// What was handled. To free it is not the layer's work, and would leave its marks on what is.
    static HANDLED: RefCell<Vec<Request<Body>>> = const { RefCell::new(Vec::new()) };
}

/// A handler that asks nothing.
fn handler() -> impl Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Body>, Infallible>>,
> + Clone {
    tower::service_fn(|request: Request<Body>| {
        HANDLED.with_borrow_mut(|handled| handled.push(request));
        std::future::ready(Ok(Response::new(Body::from("ok"))))
    })
}

/// What a browser sends, as hyper reads it: all values are parts of one buffer.
fn request() -> Request<Body> {
    const HEADERS: [(&str, &str); 9] = [
        ("host", "app.example"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-GB,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        (
            "cookie",
            "theme=dark; __Host-session=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789; locale=en-GB",
        ),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
    ];
    let text: String = HEADERS.iter().map(|(_, value)| *value).collect();
    let buffer = Bytes::from(text.into_bytes());
    // As soon as there are two parts of a buffer, they are counted.
    let _counted = buffer.clone();
    let mut request = Request::get("https://app.example/people?page=2");
    let mut at = 0;
    for (name, value) in HEADERS {
        let value = buffer.slice(at..at + value.len());
        at += value.len();
        request = request.header(name, HeaderValue::from_maybe_shared(value).unwrap());
    }
    request.body(Body::empty()).unwrap()
}

/// The time of the calls alone: requests are made before, and responses dropped within.
fn calls<S>(service: &mut S, number: u32) -> Duration
where
    S: Service<Request<Body>, Error = Infallible>,
{
    let requests: Vec<_> = (0..number).map(|_| request()).collect();
    HANDLED.with_borrow_mut(|handled| handled.reserve(requests.len()));
    let began = Instant::now();
    let mut context = Context::from_waker(Waker::noop());
    for request in requests {
        // Where it is, as a server does: moving it is not the layer's work.
        let mut response = pin!(service.call(request));
        let response = response.as_mut().poll(&mut context);
        assert!(black_box(response).is_ready());
    }
    began.elapsed()
}

/// How many instructions one call has executed, by callgrind.
fn instructions(layered: bool) -> Option<u64> {
    let count = |calls: u32| -> Option<u64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([CALLS, &calls.to_string(), &layered.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stderr).ok()?;
        let (_, count) = text.split_once("Collected : ")?;
        count.split_whitespace().next()?.parse().ok()
    };
    Some((count(20_000)? - count(10_000)?) / 10_000)
}

fn main() {
    const OPERATIONS: u32 = 50;

    let mut arguments = std::env::args()
        .skip_while(|argument| argument != CALLS)
        .skip(1);
    if let Some(number) = arguments.next() {
        let number = number.parse().unwrap();
        if arguments.next().unwrap() == "true" {
            calls(&mut layer().layer(handler()), number);
        } else {
            calls(&mut handler(), number);
        }
        // Without what freeing all of it at once would cost.
        std::process::exit(0);
    }
    let mut layered = layer().layer(handler());
    let mut bare = handler();
    let mut report = Report::default();
    report.compare(
        Comparison {
            name: "a request through the layer, nothing asked",
            target: Some(150.0),
            judged: Judged::Added,
            rounds: 4_000,
            operations: OPERATIONS,
        },
        || {
            HANDLED.take();
            calls(&mut layered, OPERATIONS)
        },
        || {
            HANDLED.take();
            calls(&mut bare, OPERATIONS)
        },
    );
    println!("{report}");
    println!("{}", report.rates());
    if is_measured() {
        match (instructions(true), instructions(false)) {
            (Some(with), Some(without)) => println!(
                "instructions for a call, by callgrind: {with} with the layer, {without} without it, {} more",
                with.saturating_sub(without)
            ),
            _ => println!("instructions for a call: not counted, as there is no valgrind"),
        }
    }
}
