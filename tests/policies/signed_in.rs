//! A request with a real session, whose viewer the test can change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clearance::session::{MemorySessionStore, NewSession};
use clearance::{
    Key, RequestContext, Result, SessionId, Sessions, SourceError, Subject, Viewer, ViewerSource,
    async_trait,
};
use http::HeaderMap;
use http::header::COOKIE;

use crate::support::*;

/// Admins, until the test demotes them.
#[derive(Clone, Default)]
pub struct Members {
    pub demoted: Arc<AtomicUsize>,
    pub loads: Arc<Mutex<Vec<i64>>>,
}

#[async_trait]
impl ViewerSource<Member> for Members {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let id = subject.parse().unwrap();
        self.loads.lock().unwrap().push(id);
        let role = if self.demoted.load(Ordering::SeqCst) > 0 {
            Role::Viewer
        } else {
            Role::Admin
        };
        Ok(Some(Member {
            id,
            role,
            team: None,
        }))
    }
}

/// A request that came with a session of subject 1.
pub struct SignedIn {
    pub members: Members,
    pub sessions: Sessions<Member>,
    pub subject: Subject,
    pub session: SessionId,
    pub request: RequestContext,
}

pub async fn signed_in() -> SignedIn {
    let members = Members::default();
    let sessions = Sessions::builder(
        Key::generate().unwrap(),
        MemorySessionStore::new(),
        members.clone(),
    )
    .app_url("https://app.example")
    .build()
    .unwrap();
    let subject = admin().subject();
    let created = sessions.create(&subject).await.unwrap();
    let session = created.id();
    SignedIn {
        request: RequestContext::new(&sessions, &headers_of(created)),
        members,
        sessions,
        subject,
        session,
    }
}

/// What a browser with this session sends.
pub fn headers_of(created: NewSession) -> HeaderMap {
    let cookie = created.into_set_cookies().remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    HeaderMap::from_iter([(COOKIE, pair.parse().unwrap())])
}
