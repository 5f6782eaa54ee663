//! What a real browser makes of the library's cookies and answers. Run by `cargo xtask browser`, which names
//! the driver in `CHROMEDRIVER`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use clearance::session::{MemorySessionStore, SignIn, Strategy};
use clearance::{
    Key, RequestContext, Result, SessionLayer, Sessions, SourceError, Subject, Viewer,
    ViewerSource, async_trait,
};
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Starts a program and gives what `find` finds in a line of its output.
fn start(command: &mut Command, find: impl Fn(&str) -> Option<String>) -> (Program, String) {
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let found = lines
        .map_while(|line| line.ok())
        .find_map(|line| find(&line));
    (
        Program(process),
        found.expect("the program says where it listens"),
    )
}

async fn browser(driver: &str) -> Client {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ];
    let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
    let options = json!({ "goog:chromeOptions": { "args": arguments } });
    builder.capabilities(options.as_object().unwrap().clone());
    builder.connect(driver).await.unwrap()
}

/// What `fetch` gets, sent by the page that is open: its status.
async fn send(browser: &Client, method: &str, path: &str, body: &str) -> u64 {
    let script = "const [method, path, body, done] = arguments;
        const json = body.startsWith('{');
        const type = json ? 'application/json' : 'application/x-www-form-urlencoded';
        const options = { method, headers: { 'content-type': type } };
        if (method !== 'GET') options.body = body;
        fetch(path, options).then(response => done(response.status), error => done(String(error)));";
    let arguments = vec![json!(method), json!(path), json!(body)];
    let status = browser.execute_async(script, arguments).await.unwrap();
    status
        .as_u64()
        .unwrap_or_else(|| panic!("{method} {path}: {status}"))
}

async fn text(browser: &Client) -> String {
    let script = "return document.documentElement.innerText;";
    let text = browser.execute(script, vec![]).await.unwrap();
    text.as_str().unwrap().to_owned()
}

/// The names of the cookies in the jar for the open page.
async fn jar(browser: &Client) -> Vec<String> {
    let cookies = browser.get_all_cookies().await.unwrap();
    let mut names: Vec<_> = cookies
        .iter()
        .map(|cookie| cookie.name().to_owned())
        .collect();
    names.sort();
    names
}

/// The example: a cookie that scripts cannot see, sign-out, the back button, and other sites.
async fn the_example(browser: &Client, url: &str) {
    let page = url.replace("127.0.0.1", "localhost");
    let open = |path: &str| format!("{page}{path}");
    browser.goto(&open("/notes")).await.unwrap();
    assert!(
        text(browser).await.contains("401"),
        "vs_16: a page without a session says so"
    );
    assert_eq!(
        send(browser, "POST", "/sign-in", "user=ada&password=guess").await,
        401
    );
    assert_eq!(jar(browser).await, [""; 0]);
    assert_eq!(
        send(browser, "POST", "/sign-in", "user=ada&password=analytical").await,
        204
    );
    assert_eq!(jar(browser).await, ["session"]);
    let cookie = browser.get_named_cookie("session").await.unwrap();
    assert_eq!(cookie.http_only(), Some(true), "ck_01");
    assert_eq!(cookie.path(), Some("/"), "ck_05");
    assert_eq!(format!("{:?}", cookie.same_site()), "Some(Lax)", "ck_03");
    let seen = browser
        .execute("return document.cookie;", vec![])
        .await
        .unwrap();
    assert_eq!(seen, "", "ck_14: no script sees it");
    println!("ok  ck_01 ck_03 ck_05 ck_14 the browser keeps the cookie's attributes");

    assert_eq!(
        send(browser, "POST", "/notes", r#"{"text":"only for Ada"}"#).await,
        200
    );
    browser.goto(&open("/notes")).await.unwrap();
    assert!(text(browser).await.contains("only for Ada"));

    other_sites(browser, &page).await;

    browser.goto(&open("/notes")).await.unwrap();
    assert_eq!(send(browser, "POST", "/sign-out", "").await, 204);
    assert_eq!(jar(browser).await, [""; 0], "sl_11");
    println!("ok  sl_11 signing out empties the jar");
    browser.goto(&open("/session")).await.ok();
    browser.back().await.unwrap();
    let shown = text(browser).await;
    assert!(!shown.contains("only for Ada"), "cb_8: {shown}");
    println!("ok  cb_8 the back button shows nothing that was protected");
}

/// A page of another site that sends forms, and one of its scripts.
async fn other_sites(browser: &Client, page: &str) {
    let forms = format!(
        "<form id=out method=post action='{page}/sign-out'></form>\
         <form id=in method=post action='{page}/sign-in'>\
         <input name=user value=grace><input name=password value=nanosecond></form>"
    );
    let router = Router::new().route("/", get(move || async move { Html(forms) }));
    // Another site than localhost, to the browser.
    let elsewhere = format!("http://{}/", serve(router).await);
    for form in ["out", "in"] {
        browser.goto(&elsewhere).await.unwrap();
        let submit = format!("document.getElementById('{form}').submit();");
        browser.execute(&submit, vec![]).await.unwrap();
        while !browser
            .current_url()
            .await
            .unwrap()
            .as_str()
            .starts_with(page)
        {
            tokio::task::yield_now().await;
        }
        assert!(text(browser).await.contains("403"), "cs_03: {form}");
    }
    browser.goto(&elsewhere).await.unwrap();
    let script = format!(
        "const done = arguments[0];
        fetch('{page}/sign-out', {{ method: 'POST', mode: 'no-cors', credentials: 'include' }})
            .then(() => done('sent'), error => done(String(error)));"
    );
    browser.execute_async(&script, vec![]).await.unwrap();
    browser.goto(&format!("{page}/notes")).await.unwrap();
    assert!(
        text(browser).await.contains("only for Ada"),
        "cs_03: still signed in as Ada"
    );
    println!("ok  cs_03 what another site sends signs nobody in or out");
}

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

/// A stateless session as large as the body says, in as many cookies as that takes.
async fn grow(request: RequestContext, Json(size): Json<Value>) -> Result<()> {
    let size = usize::try_from(size["bytes"].as_u64().unwrap()).unwrap();
    let mut sign_in = SignIn::new(Subject::new(1));
    for (number, part) in "x".repeat(size).as_bytes().chunks(1_000).enumerate() {
        let part = String::from_utf8(part.to_vec()).unwrap();
        sign_in = sign_in.claim(format!("part{number}"), part)?;
    }
    request.sign_in(sign_in).await.map(drop)
}

async fn sign_out(request: RequestContext) -> Result<()> {
    request.sign_out().await
}

async fn me(member: clearance::Verified<Member>) -> String {
    format!("member {}", member.viewer().id)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Cookies with a prefix, in parts that come and go. A browser takes loopback for a safe place, so that they
/// are `Secure` here, too.
async fn chunks(browser: &Client) {
    let sessions = Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), Members)
        .app_url("https://app.example")
        .strategy(Strategy::Stateless)
        .max_payload_bytes(8_000)
        .build()
        .unwrap();
    let router = Router::new()
        .route("/grow", post(grow))
        .route("/sign-out", post(sign_out))
        .route("/me", get(me))
        .layer(SessionLayer::new(sessions));
    let url = format!("http://localhost:{}", serve(router).await.port());
    browser.goto(&format!("{url}/me")).await.unwrap();
    let name = "__Host-session";
    let parts = |number: usize| -> Vec<String> {
        (0..number).map(|part| format!("{name}.{part}")).collect()
    };
    for (bytes, expected) in [
        (10, vec![name.to_owned()]),
        (4_000, parts(2)),
        (6_500, parts(3)),
        (3_500, parts(2)),
        (10, vec![name.to_owned()]),
        (6_500, parts(3)),
    ] {
        let body = json!({ "bytes": bytes }).to_string();
        assert_eq!(send(browser, "POST", "/grow", &body).await, 200, "{bytes}");
        assert_eq!(jar(browser).await, expected, "cb_4: {bytes}");
        assert_eq!(send(browser, "GET", "/me", "").await, 200, "cb_4: {bytes}");
        let cookie = browser.get_named_cookie(&expected[0]).await.unwrap();
        assert_eq!(
            (cookie.secure(), cookie.http_only()),
            (Some(true), Some(true))
        );
    }
    println!("ok  cb_4 ck_02 ck_12 the jar holds exactly the parts of the last session");
    assert_eq!(send(browser, "POST", "/sign-out", "").await, 200);
    assert_eq!(jar(browser).await, [""; 0], "cb_5");
    assert_eq!(send(browser, "GET", "/me", "").await, 401);
    println!("ok  cb_5 removal takes every part, prefix and all");
}

#[tokio::main]
async fn main() {
    let driver = std::env::var("CHROMEDRIVER")
        .expect("CHROMEDRIVER names no driver; `cargo xtask browser` does");
    let mut driver = Command::new(driver);
    let (_driver, driver) = start(driver.arg("--port=0"), |line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        Some(format!("http://127.0.0.1:{}", port.trim_end_matches('.')))
    });
    let target = std::env::current_exe().unwrap();
    let example = target.ancestors().nth(2).unwrap().join("examples/axum");
    let url = |line: &str| line.starts_with("http://").then(|| line.to_owned());
    let (_example, url) = start(&mut Command::new(example), url);

    let browser = browser(&driver).await;
    let version = browser
        .execute("return navigator.userAgent;", vec![])
        .await
        .unwrap();
    println!("{version}");
    the_example(&browser, &url).await;
    chunks(&browser).await;
    browser.close().await.unwrap();
}
