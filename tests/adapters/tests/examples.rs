//! The example of each framework, started as a program of its own and driven over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// A running example, ended with the test.
struct Example {
    process: Child,
    /// Held open, since a program may go on writing to it.
    _lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Example {
    /// Cargo puts examples beside the folder of the tests.
    fn start(name: &str) -> Self {
        let tests = std::env::current_exe().unwrap();
        let target = tests.parent().unwrap().parent().unwrap();
        let mut process = Command::new(target.join("examples").join(name))
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo test -p clearance-adapters` builds the examples, `--test examples` alone does not");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let urls = |line: std::io::Result<String>| {
            let line = line.unwrap();
            line.starts_with("http://").then_some(line)
        };
        let url = lines.find_map(urls).unwrap();
        Self {
            process,
            _lines: lines,
            url,
        }
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// As a page of the example's own sends it.
async fn from_own_page(request: RequestBuilder) -> Response {
    let request = request.header("sec-fetch-site", "same-origin");
    request.send().await.unwrap()
}

async fn sign_in(example: &Example, user: &str, password: &str) -> (Client, StatusCode) {
    let browser = Client::builder().cookie_store(true).build().unwrap();
    let form = format!("user={user}&password={password}");
    let request = browser
        .post(example.path("/sign-in"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let status = from_own_page(request).await.status();
    (browser, status)
}

async fn works(name: &str) {
    let example = Example::start(name);
    let notes = example.path("/notes");
    let (nobody, status) = sign_in(&example, "ada", "guess").await;
    assert_eq!(status, 401);
    assert_eq!(nobody.get(&notes).send().await.unwrap().status(), 401);

    let (ada, status) = sign_in(&example, "ada", "analytical").await;
    assert_eq!(status, 204);
    let note = json!({ "text": "the engine weaves" });
    let response = from_own_page(ada.post(&notes).json(&note)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let stored = json!({ "id": 1, "text": "the engine weaves" });
    assert_eq!(response.json::<Value>().await.unwrap(), stored);
    let forged = json!({ "text": "x", "author": 2 });
    let response = from_own_page(ada.post(&notes).json(&forged)).await;
    assert_eq!(response.status(), 422);

    let (grace, status) = sign_in(&example, "grace", "nanosecond").await;
    assert_eq!(status, 204);
    let seen = async |browser: &Client| {
        let response = browser.get(&notes).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };
    assert_eq!(seen(&ada).await, json!([stored]));
    assert_eq!(seen(&grace).await, json!([]));

    let sign_out = example.path("/sign-out");
    let elsewhere = ada.post(&sign_out).header("sec-fetch-site", "cross-site");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);
    let state = ada.get(example.path("/session")).send().await.unwrap();
    assert_eq!(state.json::<Value>().await.unwrap()["id"], "1");
    let response = from_own_page(ada.post(&sign_out)).await;
    assert_eq!(response.status(), 204);
    let state = ada.get(example.path("/session")).send().await.unwrap();
    assert_eq!(state.status(), 204);
    assert_eq!(ada.get(&notes).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn fw_02_the_example_of_actix_web_works() {
    works("actix_web").await;
}

#[tokio::test]
async fn fw_02_the_example_of_axum_works() {
    works("axum").await;
}

#[tokio::test]
async fn fw_02_the_example_of_rocket_works() {
    works("rocket").await;
}

#[tokio::test]
async fn fw_02_the_example_of_poem_works() {
    works("poem").await;
}

#[tokio::test]
async fn fw_02_the_example_of_salvo_works() {
    works("salvo").await;
}
