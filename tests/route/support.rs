//! Sessions over a store that counts what it is asked, and heads of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clearance::route::Gate;
use clearance::session::{MemorySessionStore, SessionsBuilder, SignIn};
use clearance::testing::ManualClock;
use clearance::{Key, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait};
use http::request::Parts;
use http::{Method, Request, Response};

pub(crate) struct Member {
    pub(crate) name: String,
}

impl Viewer for Member {
    fn subject(&self) -> Subject {
        Subject::new(&self.name)
    }
}

struct Members(Arc<AtomicUsize>);

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let name = subject.as_str().to_owned();
        Ok(Some(Member { name }))
    }
}

pub(crate) struct Rig {
    pub(crate) sessions: Sessions<Member>,
    pub(crate) clock: ManualClock,
    /// How many viewers were loaded, each after the store was asked.
    pub(crate) loads: Arc<AtomicUsize>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(
        settings: impl FnOnce(SessionsBuilder<Member>) -> SessionsBuilder<Member>,
    ) -> Self {
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let loads = Arc::<AtomicUsize>::default();
        let members = Members(Arc::clone(&loads));
        let builder =
            Sessions::builder(Key::generate().unwrap(), MemorySessionStore::new(), members)
                .app_url("https://app.example")
                .clock(clock.clone());
        let sessions = settings(builder).build().unwrap();
        Self {
            sessions,
            clock,
            loads,
        }
    }

    /// Signs `name` in and gives its cookie.
    pub(crate) async fn cookie(&self, name: &str, groups: &[&str]) -> String {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        let sign_in = SignIn::new(Subject::new(name))
            .claim("groups", groups)
            .unwrap();
        let session = self.sessions.create(sign_in).await.unwrap();
        let cookie = session.into_set_cookies().remove(0);
        cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }
}

/// The head of a request with these headers.
pub(crate) fn head(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        if !value.is_empty() {
            request = request.header(*name, *value);
        }
    }
    request.body(()).unwrap().into_parts().0
}

/// The answer of a gate to a browser that asks for a page with this cookie.
pub(crate) async fn page(gate: &Gate, uri: &str, cookie: &str) -> Answer {
    let accept = ("accept", "text/html");
    answer(gate, &head(Method::GET, uri, &[("cookie", cookie), accept])).await
}

pub(crate) async fn answer(gate: &Gate, head: &Parts) -> Answer {
    match gate.check(head).await {
        Ok(()) => Answer::Passes,
        Err(response) => Answer::of(&response),
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Passes,
    To(String),
    Status(u16),
}

impl Answer {
    fn of(response: &Response<String>) -> Self {
        match response.headers().get("location") {
            Some(location) => Self::To(location.to_str().unwrap().to_owned()),
            None => Self::Status(response.status().as_u16()),
        }
    }

    pub(crate) fn to(location: &str) -> Self {
        Self::To(location.to_owned())
    }
}
