//! What `#[memo]` methods remember when the viewer changes within the request.

use std::sync::atomic::Ordering;

use clearance::Subject;

use crate::memo::{go_on, ran, slug, until_stalled, users};
use crate::signed_in::signed_in;
use crate::support::*;

#[tokio::test]
async fn vs_08_the_guard_runs_with_each_call() {
    let (users, _directory) = users().await;
    let signed_in = signed_in().await;
    let (statements, _guard) = Statements::listen();
    signed_in
        .request
        .scope(async {
            assert_eq!(users.all().await.unwrap().len(), 6);
            users.profile("person-1").await.unwrap();
            statements.take();
            signed_in.members.demoted.store(1, Ordering::SeqCst);
            signed_in.sessions.viewer_changed(&signed_in.subject);
            // The value is there, and it is not this viewer's any more.
            assert!(users.all().await.unwrap_err().is_forbidden());
            assert_eq!(statements.take(), [""; 0]);
            let profile = users.profile("person-1").await.unwrap();
            assert!(profile.salary.is_hidden());
            statements.one();
            signed_in
                .sessions
                .revoke(&signed_in.subject, signed_in.session)
                .await
                .unwrap();
            let refused = users.profile("person-1").await.unwrap_err();
            assert!(refused.is_unauthenticated());
            assert_eq!(statements.take(), [""; 0]);
        })
        .await;
}

#[tokio::test]
async fn p7_signing_in_and_out_starts_anew() {
    let (users, _directory) = users().await;
    let signed_in = signed_in().await;
    let request = &signed_in.request;
    let greeting = async || request.scope(users.greeting()).await.unwrap();
    assert_eq!(greeting().await, "1");
    assert_eq!(greeting().await, "1");
    request.sign_in(&Subject::new(7)).await.unwrap();
    assert_eq!(greeting().await, "7");
    request.sign_out().await.unwrap();
    assert_eq!(greeting().await, "nobody");
    assert_eq!(*signed_in.members.loads.lock().unwrap(), [1, 7]);
}

#[tokio::test]
async fn p7_a_public_method_that_asks_who_is_there_is_asked_again_after_a_revocation() {
    let (users, _directory) = users().await;
    let signed_in = signed_in().await;
    let greeting = async || signed_in.request.scope(users.greeting()).await.unwrap();
    // The first call finds the viewer, and what it gave may be of the time before.
    for _ in 0..3 {
        assert_eq!(greeting().await, "1");
    }
    assert_eq!(ran(), 2);
    signed_in
        .sessions
        .revoke(&signed_in.subject, signed_in.session)
        .await
        .unwrap();
    assert_eq!(greeting().await, "nobody");
}

#[tokio::test]
async fn p7_an_answer_for_this_very_call_is_not_remembered() {
    let (users, _directory) = users().await;
    let signed_in = signed_in().await;
    let current = async || signed_in.request.scope(users.current()).await.unwrap();
    assert!(current().await);
    assert!(current().await);
    signed_in
        .sessions
        .revoke(&signed_in.subject, signed_in.session)
        .await
        .unwrap();
    assert!(!current().await);
    assert_eq!(ran(), 3);
}

#[tokio::test]
async fn p7_what_was_read_for_a_viewer_who_changed_meanwhile_is_not_shared() {
    let (users, _directory) = users().await;
    let signed_in = signed_in().await;
    signed_in
        .request
        .scope(async {
            let mut reading = Box::pin(users.slow(slug(1)));
            until_stalled(&mut reading).await;
            signed_in.members.demoted.store(1, Ordering::SeqCst);
            signed_in.sessions.viewer_changed(&signed_in.subject);
            go_on(2);
            let (old, new) = tokio::join!(reading, users.slow(slug(1)));
            assert!(!old.unwrap().salary.is_hidden());
            assert!(new.unwrap().salary.is_hidden());
        })
        .await;
}
