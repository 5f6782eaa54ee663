//! What a request with a safe method does with its session, and what it does not.

use clearance::session::{Assurance, Fresh, Freshness, SessionData, SignIn};
use clearance::{Access, Error, Read, RequestContext, SessionId, Subject, Write};
use http::request::Parts;
use http::{Method, Request};

use crate::browser::Browser;
use crate::support::{MINUTE, Member, Rig};

/// What of the public functions changes nothing, or nothing but what the response says.
const READS: &[&str] = &[
    "new",
    "from_address",
    "of_parts",
    "fork",
    "with_request_id",
    "request_id",
    "verify_session",
    "verify_current",
    "finish",
    "rule_context",
    "optimistic",
    "subject_to_prove",
    "csrf_token",
    "verify_csrf_token",
    "verify_fresh",
    "list_sessions",
    "session_view",
    "session_data",
    "current",
    "scope",
    "sync_scope",
];

/// What changes something, and whether a request with a safe method may.
const CHANGES: &[(&str, bool)] = &[
    // The callback of a sign-in, a redeemed link: they carry a proof of their own.
    ("sign_in", true),
    ("step_up", true),
    ("extend_session", true),
    ("set_session_data", true),
    ("sign_out", false),
    ("rotate_session", false),
    ("revoke_session", false),
    ("revoke_other_sessions", false),
    ("clear_session_data", false),
];

/// Those of `Sessions`, which are the program's own and belong to no request.
const OF_THE_PROGRAM: &[&str] = &[
    "builder",
    "create",
    "revoke",
    "revoke_all",
    "revoke_others",
    "revoke_everyone",
    "list",
    "sweep",
    "sweep_every",
    "viewer_changed",
    "explain",
];

fn ada() -> Subject {
    Subject::new("ada")
}

/// The public functions in each such `impl` of a source file.
fn public_functions(source: &str, of: &str) -> Vec<String> {
    let blocks = source.split(of).skip(1);
    let within = blocks.map(|from| from.split_once("\n}\n").unwrap().0);
    let lines = within
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("    pub "));
    let names = lines.filter_map(|line| {
        let (_, name) = line.split_once("fn ")?;
        name.split(['(', '<']).next()
    });
    names.map(str::to_owned).collect()
}

#[test]
fn cs_23_every_function_of_a_request_is_said_to_change_something_or_not() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/request");
    let files = std::fs::read_dir(&room).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut named = Vec::new();
    for file in files.chain([room.with_extension("rs")]) {
        let source = std::fs::read_to_string(file).unwrap();
        named.extend(public_functions(&source, "\nimpl RequestContext {"));
    }
    let changes = CHANGES.iter().map(|(name, _)| *name);
    let mut listed: Vec<&str> = READS.iter().copied().chain(changes).collect();
    named.sort_unstable();
    listed.sort_unstable();
    assert_eq!(named, listed);
    let source = include_str!("../../src/session/sessions.rs");
    let mut named = public_functions(source, "impl<V: Viewer> Sessions<V> {");
    named.retain(|name| !OF_THE_PROGRAM.contains(&name.as_str()));
    assert_eq!(named, [""; 0], "belongs to no request, or to `CHANGES`");
}

fn head(method: &Method, browser: &Browser, more: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/");
    request.headers_mut().unwrap().extend(browser.headers());
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// A request and what its functions ask for, found before it changes anything.
struct Before {
    request: RequestContext,
    proof: Fresh<Member>,
    data: SessionData<u8>,
    other: SessionId,
}

impl Before {
    async fn of(rig: &Rig, method: &Method, browser: &Browser, other: &Browser) -> Self {
        let other = other.request(rig).verify_session::<Member>().await.unwrap();
        let head = head(method, browser, &[]);
        let request = RequestContext::of_parts(&rig.sessions, &head, None);
        let within = Freshness::within(MINUTE);
        let mut data = request.session_data().await.unwrap();
        *data = Some(7);
        Self {
            proof: request.verify_fresh(within).await.unwrap(),
            data,
            other: other.session_id(),
            request,
        }
    }

    async fn call(self, name: &str) -> Option<Error> {
        let Self {
            request,
            proof,
            mut data,
            other,
        } = self;
        match name {
            "sign_in" => request.sign_in(&ada()).await.err(),
            "step_up" => request.step_up(&ada(), Assurance::Aal2).await.err(),
            "extend_session" => request.extend_session().await.err(),
            "set_session_data" => request.set_session_data(&mut data).await.err(),
            "sign_out" => request.sign_out().await.err(),
            "rotate_session" => request.rotate_session().await.err(),
            "revoke_session" => request.revoke_session(&proof, other).await.err(),
            "revoke_other_sessions" => request.revoke_other_sessions(&proof).await.err(),
            "clear_session_data" => request.clear_session_data().await.err(),
            name => panic!("nothing calls `{name}`"),
        }
    }
}

#[tokio::test]
async fn cs_23_cs_04_asvs_3_5_3_a_safe_method_changes_four_things_and_no_others() {
    for method in [
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
        Method::POST,
    ] {
        for (name, allowed) in CHANGES {
            let rig = Rig::new();
            let browser = Browser::signed_in(&rig, SignIn::new(ada())).await;
            let other = Browser::signed_in(&rig, SignIn::new(ada())).await;
            let refused = Before::of(&rig, &method, &browser, &other)
                .await
                .call(name)
                .await;
            let may = *allowed || !method.is_safe();
            assert_eq!(refused.is_none(), may, "{name} in {method}: {refused:?}");
            if !may {
                assert!(refused.unwrap().is_misuse(), "{name}");
                for browser in [&browser, &other] {
                    assert_eq!(browser.status(&rig).await, 200, "{name}");
                }
            }
        }
    }
    let rig = Rig::new();
    let browser = Browser::signed_in(&rig, SignIn::new(ada())).await;
    let mut before = Before::of(&rig, &Method::GET, &browser, &browser).await;
    *before.data = None;
    let removed = before.request.set_session_data(&mut before.data).await;
    assert!(removed.unwrap_err().is_misuse(), "it would clear them");
}

#[test]
fn cs_23_the_four_are_named() {
    for page in [
        include_str!("../../README.md"),
        include_str!("../../SECURITY.md"),
    ] {
        let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let four =
            "the callback of a sign-in, a redeemed link, `extend_session` and `set_session_data`";
        assert!(words.contains(four));
    }
}

async fn writes(context: &RequestContext) -> bool {
    let access = context
        .scope(Access::<Write<Member>>::authenticated())
        .await;
    match access {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is_misuse());
            false
        }
    }
}

#[tokio::test]
async fn cs_24_a_fork_writes_where_its_request_may_or_is_a_handshake() {
    let rig = Rig::new();
    let browser = Browser::signed_in(&rig, SignIn::new(ada())).await;
    let upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")];
    let offers = [
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
    ];
    for (method, more, forks_write) in [
        (Method::GET, &[][..], false),
        (Method::HEAD, &[], false),
        (Method::OPTIONS, &[], false),
        (Method::TRACE, &[], false),
        (Method::GET, &offers, false),
        (Method::GET, &upgrade, true),
        (Method::POST, &[], true),
        (Method::CONNECT, &[], true),
    ] {
        let head = head(&method, &browser, more);
        let request = RequestContext::of_parts(&rig.sessions, &head, None);
        assert_eq!(writes(&request).await, !method.is_safe(), "{method}");
        let fork = request.fork();
        assert_eq!(writes(&fork).await, forks_write, "{method} {more:?}");
        assert_eq!(writes(&fork.fork()).await, forks_write, "a fork of it");
        let read = fork.scope(Access::<Read<Member>>::authenticated()).await;
        assert!(read.is_ok());
        if !forks_write {
            assert!(fork.sign_out().await.unwrap_err().is_misuse());
            assert!(fork.clear_session_data().await.unwrap_err().is_misuse());
        }
    }
    // Where nobody said what the method is, nothing is refused for it.
    let unknown = browser.request(&rig);
    assert!(writes(&unknown).await && writes(&unknown.fork()).await);
}
