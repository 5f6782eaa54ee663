//! The `Cookie` headers of a request: one for each line of the input.
#![no_main]

use std::sync::LazyLock;

use clearance::session::MemorySessionStore;
use clearance::{
    Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

struct Member(Subject);

impl Viewer for Member {
    fn subject(&self) -> Subject {
        self.0.clone()
    }
}

struct Members;

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        Ok(Some(Member(subject.clone())))
    }
}

static SESSIONS: LazyLock<Sessions<Member>> = LazyLock::new(|| {
    let key = Key::generate().expect("a key");
    Sessions::builder(key, MemorySessionStore::new(), Members)
        .app_url("https://app.example")
        .build()
        .expect("sessions")
});

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, value);
        }
    }
    // The key is new, so nothing is signed in, and that is all that there is to know.
    let refused = RequestContext::new(&*SESSIONS, &headers).optimistic();
    assert!(refused.is_err_and(|error| error.is_unauthenticated()));
});
