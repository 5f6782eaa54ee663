//! Guards of single routes.

use std::time::Duration;

use clearance::RequestContext;
use clearance::route::{
    Denied, Gate, GroupRule, Groups, Protect, ReturnTo, session_state, sign_in_link, sign_out_form,
    viewer_state,
};
use clearance::session::{RequestOrigin, SessionHooks, Verdict};
use clearance::{Verified, async_trait};
use http::{Method, Response, StatusCode};

use crate::support::{Answer, Member, Rig, answer, head};

const HTML: (&str, &str) = ("accept", "text/html");

/// The answer of a gate to a request within the session layer.
async fn guarded(rig: &Rig, gate: &Gate, uri: &str, cookie: &str) -> Answer {
    let head = head(Method::GET, uri, &[("cookie", cookie), HTML]);
    let context = RequestContext::of_parts(&rig.sessions, &head, None);
    context.scope(answer(gate, &head)).await
}

#[tokio::test]
async fn op_28_rb_04_a_condition_sees_the_viewer_and_the_request() {
    let rig = Rig::new();
    let own = Protect::<Member>::page("/sign-in")
        .authorize(|verified, head| head.uri.path() == format!("/of/{}", verified.viewer().name))
        .denied_page("/unauthorized")
        .build()
        .unwrap();
    let ada = rig.cookie("ada", &[]).await;
    assert_eq!(guarded(&rig, &own, "/of/ada", &ada).await, Answer::Passes);
    let denied = Answer::to("/unauthorized");
    assert_eq!(guarded(&rig, &own, "/of/eve", &ada).await, denied);
    let to = Answer::to("/sign-in?return_to=%2Fof%2Fada");
    assert_eq!(guarded(&rig, &own, "/of/ada", "").await, to);
}

#[tokio::test]
async fn rb_10_rb_11_rb_14_rb_15_groups_of_the_session_or_of_the_viewer() {
    let rig = Rig::new();
    let staff = || GroupRule::any_of(["staff", "board"]).unwrap();
    let both = GroupRule::all_of(["staff", "board"]).unwrap();
    let any = Protect::<Member>::api().groups(staff()).build().unwrap();
    let all = Protect::<Member>::api().groups(both).build().unwrap();
    let named = |member: &Member| Groups::from_iter([member.name.as_str()]);
    let own = Protect::<Member>::api()
        .groups_of(staff(), named)
        .build()
        .unwrap();
    let plain = rig.cookie("staff", &[]).await;
    let one = rig.cookie("ada", &["board"]).await;
    let two = rig.cookie("eve", &["board", "staff"]).await;
    for (gate, cookie, expected) in [
        (&any, "", Answer::Status(401)),
        (&any, &*plain, Answer::Status(403)),
        (&any, &*one, Answer::Passes),
        (&all, &*one, Answer::Status(403)),
        (&all, &*two, Answer::Passes),
        (&own, &*plain, Answer::Passes),
        (&own, &*two, Answer::Status(403)),
    ] {
        assert_eq!(guarded(&rig, gate, "/x", cookie).await, expected);
    }
}

#[tokio::test]
async fn op_14_rb_17_a_guard_is_a_function_and_the_answer_the_applications() {
    let rig = Rig::new();
    let gate = Protect::<Member>::api()
        .require(|member| member.name == "ada")
        .on_denied(|_, why| {
            let mut response = Response::new(String::new());
            *response.status_mut() = match why {
                Denied::SignedOut => StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                Denied::Forbidden => StatusCode::PAYMENT_REQUIRED,
            };
            response
        })
        .build()
        .unwrap();
    let (ada, eve) = (rig.cookie("ada", &[]).await, rig.cookie("eve", &[]).await);
    assert_eq!(guarded(&rig, &gate, "/x", "").await, Answer::Status(407));
    assert_eq!(guarded(&rig, &gate, "/x", &eve).await, Answer::Status(402));
    assert_eq!(guarded(&rig, &gate, "/x", &ada).await, Answer::Passes);
    // In no request there is nobody to guard against, nor for.
    let alone = head(Method::GET, "/x", &[("cookie", &ada)]);
    assert_eq!(answer(&gate, &alone).await, Answer::Status(500));
    let wrong = Protect::<Member>::page("//evil.example").build();
    assert!(wrong.unwrap_err().is_configuration());
}

/// Wants another proof of everybody.
struct Strict;

#[async_trait]
impl SessionHooks<Member> for Strict {
    async fn on_verify(&self, _: &Verified<Member>, _: &RequestOrigin) -> Verdict {
        Verdict::StepUp
    }
}

#[tokio::test]
async fn op_03_who_must_prove_again_is_sent_to_the_sign_in_and_apis_say_so() {
    let rig = Rig::with(|builder| builder.hooks(Strict));
    let ada = rig.cookie("ada", &[]).await;
    let page = Protect::<Member>::page("/sign-in").build().unwrap();
    let to = Answer::to("/sign-in?return_to=%2Fx");
    assert_eq!(guarded(&rig, &page, "/x", &ada).await, to);
    let api = Protect::<Member>::api().build().unwrap();
    let head = head(Method::GET, "/x", &[("cookie", &ada)]);
    let context = RequestContext::of_parts(&rig.sessions, &head, None);
    let response = context.scope(api.check(&head)).await.unwrap_err();
    let challenge = &response.headers()["www-authenticate"];
    assert_eq!(
        challenge,
        "Cookie error=\"insufficient_user_authentication\""
    );
}

#[tokio::test]
async fn fw_07_fw_08_a_pages_scripts_learn_what_the_application_shows() {
    let rig = Rig::new();
    let ada = rig.cookie("ada", &["staff"]).await;
    let state = async |cookie: &str, named: bool| {
        let head = head(Method::GET, "/session", &[("cookie", cookie)]);
        let context = RequestContext::of_parts(&rig.sessions, &head, None);
        let shown = async |member: Verified<Member>| Ok(member.viewer().name.clone());
        if named {
            context.scope(viewer_state::<Member, _>(shown)).await
        } else {
            context.scope(session_state::<Member>()).await
        }
    };
    let response = state("", true).await;
    assert_eq!(
        (response.status(), response.body().as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    assert_eq!(state(&ada, true).await.body(), r#""ada""#);
    let response = state(&ada, false).await;
    assert!(response.body().starts_with(r#"{"id":"ada","expires_at":"#));
    assert!(
        !response.body().contains("staff"),
        "only the claims that are shown"
    );
    rig.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
    assert_eq!(state(&ada, false).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn fw_09_cs_02_links_and_forms_hold_no_more_than_text() {
    let rig = Rig::new();
    let ada = rig.cookie("ada", &[]).await;
    let head = head(Method::GET, "/", &[("cookie", &ada)]);
    let token = RequestContext::of_parts(&rig.sessions, &head, None)
        .csrf_token()
        .unwrap();
    let form = sign_out_form("/out?a=1&b=\"", Some(&token), "<Out>");
    assert_eq!(
        form,
        format!(
            "<form method=\"post\" action=\"/out?a=1&amp;b=&quot;\">{}<button>&lt;Out&gt;</button></form>",
            token.hidden_field()
        )
    );
    let back = ReturnTo::parse("/a?b=%27c%27&d").unwrap();
    let link = sign_in_link("/sign-in?lang=en", &back, "In & out");
    assert_eq!(
        link,
        "<a href=\"/sign-in?lang=en&amp;return_to=%2Fa%3Fb%3D%2527c%2527%26d\">In &amp; out</a>"
    );
}
