//! A viewer source runs outside of the request that waits for it.

use std::time::Duration;

use clearance::session::MemorySessionStore;
use clearance::{
    Access, Key, RequestContext, Sessions, SourceError, Subject, Viewer, ViewerSource, async_trait,
    verify_session,
};
use http::HeaderMap;
use http::header::COOKIE;

#[derive(Viewer)]
struct Member {
    id: i64,
}

/// Takes the access that a program itself takes, as a source that reads through the library does.
struct AsSystem;

#[async_trait]
impl ViewerSource<Member> for AsSystem {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let _access = Access::system("the viewer of a session is loaded")?;
        Ok(subject.parse().ok().map(|id| Member { id }))
    }
}

/// Asks for the viewer that it is to load.
struct AsksItself;

#[async_trait]
impl ViewerSource<Member> for AsksItself {
    async fn load(&self, _: &Subject) -> Result<Option<Member>, SourceError> {
        let member = verify_session::<Member>().await?;
        let id = member.viewer().id;
        Ok(Some(Member { id }))
    }
}

/// A request with the cookie of a new session.
async fn signed_in(source: impl ViewerSource<Member>) -> RequestContext {
    let store = MemorySessionStore::new();
    let sessions = Sessions::builder(Key::generate().unwrap(), store, source)
        .app_url("https://app.example")
        .build()
        .unwrap();
    let session = sessions.create(&Subject::new(7)).await.unwrap();
    let set_cookie = session.into_set_cookies().remove(0);
    let pair = set_cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, pair.parse().unwrap());
    RequestContext::new(&sessions, &headers)
}

#[tokio::test]
async fn vs_a_viewer_source_may_read_as_the_program_itself() {
    let request = signed_in(AsSystem).await;
    let member = request.scope(verify_session::<Member>()).await.unwrap();
    assert_eq!(member.viewer().id, 7);
    // The request's own scope is as it was.
    let system = request.scope(async { Access::system("from a handler") });
    assert!(system.await.unwrap_err().is_misuse());
}

#[tokio::test]
async fn vs_a_viewer_source_that_asks_for_its_own_viewer_does_not_wait_for_ever() {
    let request = signed_in(AsksItself).await;
    let verified = request.scope(verify_session::<Member>());
    let verified = tokio::time::timeout(Duration::from_secs(10), verified).await;
    let outcome = verified.expect("the source waits for itself");
    assert!(outcome.unwrap_err().is_unavailable());
}
