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
    let media_type = response.headers()["content-type"].to_str().unwrap();
    assert!(media_type.starts_with("application/json"), "{media_type}");
    let stored = json!({ "id": 1, "text": "the engine weaves" });
    assert_eq!(response.json::<Value>().await.unwrap(), stored);
    let forged = json!({ "text": "x", "author": 2 });
    let response = from_own_page(ada.post(&notes).json(&forged)).await;
    assert_eq!(response.status(), 422);

    let (grace, status) = sign_in(&example, "grace", "nanosecond").await;
    assert_eq!(status, 204);
    let seen = async |browser: &Client| {
        let response = browser.get(&notes).send().await.unwrap();
        let media_type = response.headers()["content-type"].to_str().unwrap();
        assert!(media_type.starts_with("application/json"), "{media_type}");
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

#[tokio::test]
async fn fw_02_the_example_of_warp_works() {
    works("warp").await;
}

#[tokio::test]
async fn fw_02_the_example_of_hyper_works() {
    works("hyper").await;
}

#[derive(Clone, PartialEq, prost::Message)]
struct SignIn {
    #[prost(string, tag = "1")]
    user: String,
    #[prost(string, tag = "2")]
    password: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(int64, tag = "1")]
    id: i64,
    #[prost(string, tag = "2")]
    text: String,
}

struct Caller {
    client: tonic::client::Grpc<tonic::transport::Channel>,
    cookie: String,
}

impl Caller {
    fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if !self.cookie.is_empty() {
            let metadata = request.metadata_mut();
            metadata.insert("cookie", self.cookie.parse().unwrap());
        }
        request
    }

    async fn call<M, A>(&mut self, method: &str, message: M) -> Result<A, tonic::Status>
    where
        M: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let request = self.request(message);
        let path = format!("/journal.Journal/{method}").parse().unwrap();
        self.client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::default();
        let response = self.client.unary(request, path, codec).await?;
        if let Some(cookie) = response.metadata().get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = pair.to_owned();
        }
        Ok(response.into_inner())
    }

    async fn list(&mut self) -> Result<Vec<Note>, tonic::Status> {
        let request = self.request(());
        let path = "/journal.Journal/List".parse().unwrap();
        self.client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::default();
        let response = self.client.server_streaming(request, path, codec).await?;
        let (mut messages, mut notes) = (response.into_inner(), Vec::new());
        while let Some(note) = messages.message().await? {
            notes.push(note);
        }
        Ok(notes)
    }
}

#[tokio::test]
async fn fw_02_the_example_of_tonic_works() {
    let example = Example::start("tonic");
    let channel = tonic::transport::Channel::from_shared(example.url.clone());
    let channel = channel.unwrap().connect().await.unwrap();
    let caller = || Caller {
        client: tonic::client::Grpc::new(channel.clone()),
        cookie: String::new(),
    };
    let credentials = |user: &str, password: &str| SignIn {
        user: user.to_owned(),
        password: password.to_owned(),
    };
    let note = |id, text: &str| Note {
        id,
        text: text.to_owned(),
    };
    let (mut ada, mut grace) = (caller(), caller());
    let guess = credentials("ada", "guess");
    let status = ada.call::<_, ()>("SignIn", guess).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    let status = ada.list().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);

    let signed_in = ada.call("SignIn", credentials("ada", "analytical"));
    let () = signed_in.await.unwrap();
    let signed_in = grace.call("SignIn", credentials("grace", "nanosecond"));
    let () = signed_in.await.unwrap();
    let added: Note = ada.call("Add", note(7, "weaves")).await.unwrap();
    assert_eq!(added, note(1, "weaves"));
    assert_eq!(ada.list().await.unwrap(), [added]);
    assert_eq!(grace.list().await.unwrap(), []);

    let () = ada.call("SignOut", ()).await.unwrap();
    let status = ada.list().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
}
