//! What only a recent and strong proof may do.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use clearance::session::{Assurance, Freshness, SignIn};
use clearance::{RequestContext, Result, SessionLayer, Subject};
use tower::ServiceExt as _;

use crate::browser::Browser;
use crate::support::{DAY, MINUTE, Member, Rig, SECOND, STRATEGIES, count};

fn ada() -> Subject {
    Subject::new("ada")
}

async fn proves(rig: &Rig, browser: &Browser, freshness: Freshness) -> u16 {
    let request = browser.request(rig);
    match request.verify_fresh::<Member>(freshness).await {
        Ok(proof) => {
            assert_eq!(proof.subject(), &ada());
            200
        }
        Err(error) => {
            assert!(error.is_step_up());
            error.status()
        }
    }
}

#[tokio::test]
async fn asvs_7_5_1_asvs_7_5_3_a_proof_is_recent_and_strong_enough_or_refused() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let five = Freshness::within(5 * MINUTE);
        let strong = five.assurance(Assurance::Aal2);
        assert_eq!(proves(&rig, &browser, five).await, 200);
        assert_eq!(proves(&rig, &browser, strong).await, 401, "too weak");
        assert_eq!(
            proves(&rig, &browser, Freshness::within(Duration::MAX)).await,
            200
        );

        rig.clock.advance(5 * MINUTE);
        assert_eq!(proves(&rig, &browser, five).await, 200, "not longer ago");
        rig.clock.advance(SECOND);
        assert_eq!(proves(&rig, &browser, five).await, 401, "too old");
        // Use does not make a proof younger.
        assert_eq!(browser.visit(&rig).await, 200);
        assert_eq!(proves(&rig, &browser, five).await, 401);

        let request = browser.request(&rig);
        request.step_up(&ada(), Assurance::Aal2).await.unwrap();
        browser.finish(&request);
        assert_eq!(proves(&rig, &browser, strong).await, 200, "{strategy:?}");
        let stronger = five.assurance(Assurance::Aal3);
        assert_eq!(proves(&rig, &browser, stronger).await, 401);

        // A new id is no proof.
        rig.clock.advance(5 * MINUTE + SECOND);
        let request = browser.request(&rig);
        request.rotate_session().await.unwrap();
        browser.finish(&request);
        assert_eq!(proves(&rig, &browser, strong).await, 401, "{strategy:?}");
    }
}

#[tokio::test]
async fn asvs_7_5_3_a_clock_that_was_set_back_makes_no_proof_fresh() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        rig.clock.advance(DAY);
        let browser = Browser::signed_in(&rig, &ada()).await;
        rig.clock.set(rig.now() - chrono::TimeDelta::minutes(1));
        let within = Freshness::within(2 * DAY);
        let request = browser.request(&rig);
        let refused = request.verify_fresh::<Member>(within).await.unwrap_err();
        assert!(
            refused.is_step_up() || refused.is_unauthenticated(),
            "{strategy:?}"
        );
    }
}

#[tokio::test]
async fn asvs_7_5_1_a_fresh_proof_asks_the_store_in_the_call() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        request.verify_session::<Member>().await.unwrap();
        let within = Freshness::within(MINUTE);
        for asked in 1..4 {
            request.verify_fresh::<Member>(within).await.unwrap();
            assert_eq!(count(&rig.store.loads), 1 + asked, "{strategy:?}");
        }
        // Another node ends it: the cache here still knows it.
        let node = rig.beside(crate::support::key(0), |builder| builder.strategy(strategy));
        browser.request(&node).sign_out().await.unwrap();
        let error = request.verify_fresh::<Member>(within).await.unwrap_err();
        assert!(error.is_unauthenticated() && !error.is_step_up());
    }
}

async fn change_address(request: RequestContext) -> Result<String> {
    let freshness = Freshness::within(5 * MINUTE).assurance(Assurance::Aal2);
    let proof = request.verify_fresh::<Member>(freshness).await?;
    Ok(proof.viewer().name.clone())
}

async fn prove_again(request: RequestContext) -> Result<()> {
    request.step_up(&ada(), Assurance::Aal2).await.map(|_| ())
}

#[tokio::test]
async fn asvs_7_5_3_a_client_is_told_that_it_must_prove_again() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let app = Router::new()
            .route("/address", get(change_address))
            .route("/proof", get(prove_again))
            .layer(SessionLayer::new(rig.sessions.clone()));
        let mut browser = Browser::signed_in(&rig, SignIn::new(ada())).await;
        let answer = async |path: &str, browser: &Browser| {
            let mut request = axum::http::Request::get(path).body(Body::empty()).unwrap();
            *request.headers_mut() = browser.headers();
            app.clone().oneshot(request).await.unwrap()
        };
        let response = answer("/address", &browser).await;
        assert_eq!(response.status(), 401);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!(
            challenge,
            "Cookie error=\"insufficient_user_authentication\""
        );
        // Whoever has no session is not told so.
        let response = answer("/address", &Browser::default()).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Cookie");

        let response = answer("/proof", &browser).await;
        assert_eq!(response.status(), 200);
        for set in response.headers().get_all("set-cookie") {
            let pair = crate::support::pair(set);
            let (name, value) = pair.split_once('=').unwrap();
            browser.jar.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(answer("/address", &browser).await.status(), 200);
    }
}
