//! Groups of an identity provider, noted in sessions.

use std::sync::LazyLock;

use clearance::route::{GroupKey, GroupRule, Groups, Membership};
use clearance::session::{MemorySessionStore, SessionClaims, SignIn};
use clearance::token::ClaimValue;
use clearance::{Sessions, Verified};
use serde_json::json;

use crate::browser::Browser;
use crate::strategies::ada;
use crate::support::{Member, Rig, STRATEGIES, Source, key};

fn any_of<const N: usize>(groups: [&str; N]) -> GroupRule {
    GroupRule::any_of(groups).unwrap()
}

fn all_of<const N: usize>(groups: [&str; N]) -> GroupRule {
    GroupRule::all_of(groups).unwrap()
}

fn named<const N: usize>(names: [&str; N]) -> GroupRule {
    GroupRule::any_of(names.map(GroupKey::name)).unwrap()
}

/// What an identity provider sends of somebody in a group with a name and one without.
fn provided() -> Groups {
    let claim =
        json!([{ "id": "g-17", "name": "Research" }, "press", { "id": "g-4", "name": null }]);
    Groups::from_json(&claim).unwrap()
}

async fn verified(browser: &Browser, rig: &Rig) -> Verified<Member> {
    browser.request(rig).verify_session().await.unwrap()
}

fn sign_in(claim: &str, value: impl Into<ClaimValue>) -> SignIn {
    SignIn::new(ada()).claim(claim, value).unwrap()
}

#[tokio::test]
async fn rb_10_a_member_of_any_of_the_groups_may() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let mut browser = Browser::signed_in(&rig, sign_in("groups", provided().to_claim())).await;
        for _ in 0..2 {
            let ada = verified(&browser, &rig).await;
            let groups = ada.groups();
            for allowed in [
                any_of(["press"]),
                any_of(["board", "press"]),
                any_of(["press", "g-17"]),
            ] {
                assert!(allowed.allows(groups), "{strategy:?}: {allowed:?}");
            }
            assert!(!any_of(["board"]).allows(groups), "{strategy:?}");
            assert!(!any_of(["board", "staff"]).allows(groups), "{strategy:?}");
            // They go on with the session.
            let request = browser.request(&rig);
            request.rotate_session().await.unwrap();
            browser.finish(&request);
        }

        let nobody = Browser::signed_in(&rig, &ada()).await;
        let nobody = verified(&nobody, &rig).await;
        assert_eq!(nobody.groups(), &Groups::default());
        assert!(!any_of(["press"]).allows(nobody.groups()), "{strategy:?}");
    }
}

#[tokio::test]
async fn rb_11_only_a_member_of_all_of_the_groups_may() {
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, sign_in("groups", provided().to_claim())).await;
        let ada = verified(&browser, &rig).await;
        let groups = ada.groups();
        for allowed in [
            all_of(["press"]),
            all_of(["press", "press"]),
            all_of(["g-17", "press", "g-4"]),
        ] {
            assert!(allowed.allows(groups), "{strategy:?}: {allowed:?}");
        }
        for refused in [
            all_of(["board"]),
            all_of(["press", "board"]),
            all_of(["board", "press"]),
        ] {
            assert!(!refused.allows(groups), "{strategy:?}: {refused:?}");
        }
        assert!(!all_of(["press"]).allows(&Groups::default()));
    }
}

#[tokio::test]
async fn rb_12_a_group_goes_by_its_id_and_by_its_name() {
    let rules = [
        (any_of(["g-17"]), true),
        (named(["Research"]), true),
        (all_of(["g-17", "press", "g-4"]), true),
        // Byte for byte, and whole.
        (
            named(["research", "RESEARCH", " Research", "Research "]),
            false,
        ),
        (
            any_of(["Resear", "G-17", "g-1", "g", "g-17,press", "null", "name"]),
            false,
        ),
        (named(["Re\u{73}\u{0323}earch"]), false),
    ];
    for (rule, allowed) in &rules {
        assert_eq!(rule.allows(&provided()), *allowed, "{rule:?}");
    }
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let browser = Browser::signed_in(&rig, sign_in("groups", provided().to_claim())).await;
        let ada = verified(&browser, &rig).await;
        for (rule, allowed) in &rules {
            assert_eq!(
                rule.allows(ada.groups()),
                *allowed,
                "{strategy:?}: {rule:?}"
            );
        }
    }
}

#[test]
fn rb_12_both_shapes_are_read_and_noted() {
    let groups = provided();
    let seen: Vec<_> = groups
        .iter()
        .map(|group| (group.id(), group.name()))
        .collect();
    let expected = [("g-17", Some("Research")), ("press", None), ("g-4", None)];
    assert_eq!(seen, expected);
    let texts = ["g-17", "~nResearch", "press", "g-4"].map(str::to_owned);
    assert_eq!(groups.to_claim(), ClaimValue::TextList(texts.to_vec()));
    for id in ["g-17", "press", "g-4"] {
        assert!(groups.contains(id), "{id}");
    }
    assert!(!groups.contains("G-17"));

    // Each group once.
    let same: Groups = [
        Membership::new("a").with_name("a"),
        Membership::new("b").with_name("a"),
        Membership::new("a").with_name("a"),
    ]
    .into_iter()
    .collect();
    let texts = ["a", "~na", "b", "~na"].map(str::to_owned);
    assert_eq!(same.to_claim(), ClaimValue::TextList(texts.to_vec()));

    assert_eq!(Groups::from_json(&json!([])).unwrap(), Groups::default());
    let texts: Groups = ["press", "staff"].into_iter().collect();
    assert_eq!(
        Groups::from_json(&json!(["press", "staff"])).unwrap(),
        texts
    );
    // What else a provider tells of a group is not asked for.
    let more = json!([{ "id": "press", "type": "unit", "size": 4 }, { "id": "staff" }]);
    assert_eq!(Groups::from_json(&more).unwrap(), texts);
}

#[tokio::test]
async fn rb_31_a_group_that_is_only_named_like_an_id_is_another_group() {
    // Somebody could name groups as they like, and named theirs like the one of the board, and like what is
    // noted of one.
    let names = [
        "board", "~iboard", "~nboard", "~i~board", "~", "~n", "board\n",
    ];
    let theirs: Groups = (1..)
        .zip(names)
        .map(|(number, name)| Membership::new(format!("u-{number}")).with_name(name))
        .collect();
    let board: Groups = [Membership::new("board").with_name("The Board")]
        .into_iter()
        .collect();
    for strategy in STRATEGIES {
        let rig = Rig::of(strategy);
        let session = async |groups: &Groups| {
            let sign_in = sign_in("groups", groups.to_claim());
            let browser = Browser::signed_in(&rig, sign_in).await;
            verified(&browser, &rig).await
        };
        let (eve, ada) = (session(&theirs).await, session(&board).await);
        assert_eq!(eve.groups(), &theirs, "as they were noted, {strategy:?}");
        assert_eq!(ada.groups(), &board);
        for (groups, of_board) in [
            (&theirs, false),
            (eve.groups(), false),
            (&board, true),
            (ada.groups(), true),
        ] {
            for rule in [any_of(["board"]), all_of(["board"])] {
                assert_eq!(rule.allows(groups), of_board, "{strategy:?}: {rule:?}");
            }
            assert_eq!(groups.contains("board"), of_board);
            assert_eq!(groups.contains_named("board"), !of_board);
            // Nor is a group met by its name that only has this id.
            assert_eq!(named(["board"]).allows(groups), !of_board);
            assert_eq!(named(["The Board"]).allows(groups), of_board);
        }
        for id in ["~board", "~iboard", "~nboard", "", "~"] {
            assert!(!eve.groups().contains(id), "{strategy:?}: {id}");
        }
    }
    // Ids that look like a marked text come back, and a text that nothing marked so is no group.
    let odd: Groups = ["~", "~n", "~iboard", "~nboard", "~~"]
        .into_iter()
        .collect();
    let claims = SessionClaims::new()
        .with("groups", odd.to_claim())
        .and_then(|claims| claims.with("by hand", ["~iboard", "~x", "~nboard", "", "~nboard"]))
        .unwrap();
    assert_eq!(Groups::from_claims(&claims, "groups"), odd);
    assert_eq!(
        Groups::from_claims(&claims, "by hand"),
        Groups::default(),
        "a name without an id is of no group"
    );
}

#[test]
fn rb_12_a_claim_of_another_shape_is_an_error_and_not_no_group() {
    for claim in [
        json!(null),
        json!(true),
        json!(17),
        json!("press"),
        json!("press staff"),
        json!({}),
        json!({ "id": "press" }),
        json!([null]),
        json!([17]),
        json!([["press"]]),
        json!([""]),
        json!([{}]),
        json!([{ "name": "Research" }]),
        json!([{ "id": null, "name": "Research" }]),
        json!([{ "id": 17 }]),
        json!([{ "id": "" }]),
        json!([{ "ID": "press" }]),
        json!([{ "id": "press", "name": 17 }]),
        json!([{ "id": "press", "name": "" }]),
        json!([{ "id": "press", "name": ["Research"] }]),
    ] {
        let error = Groups::from_json(&claim).unwrap_err();
        assert!(error.is_invalid(), "{claim}: {error}");
        assert!(!error.to_string().contains("press"), "{error}");
        // One that cannot be read spoils the list.
        if let Some(item) = claim.as_array().and_then(|items| items.first()) {
            let among = json!(["staff", item, "board"]);
            assert!(Groups::from_json(&among).is_err(), "{among}");
        }
    }
}

#[test]
fn rb_12_what_was_noted_otherwise_is_no_group() {
    let claims = SessionClaims::new()
        .with("text", "press")
        .and_then(|claims| claims.with("number", 17))
        .and_then(|claims| claims.with("yes", true))
        .and_then(|claims| claims.with("list", ["press"]))
        .unwrap();
    for claim in ["text", "number", "yes", "missing", "LIST"] {
        assert_eq!(Groups::from_claims(&claims, claim), Groups::default());
    }
    assert!(any_of(["press"]).allows(&Groups::from_claims(&claims, "list")));
}

#[tokio::test]
async fn rb_13_the_claim_of_groups_can_have_any_name() {
    for strategy in STRATEGIES {
        let rig = Rig::with(|builder| builder.strategy(strategy).groups_claim("teams"));
        let explained = rig.sessions.explain();
        let line = "groups: claim `teams` (set by the program)\n";
        assert!(explained.contains(line), "{explained}");

        let sign_in = sign_in("teams", ["press"])
            .claim("groups", ["board"])
            .unwrap();
        let browser = Browser::signed_in(&rig, sign_in).await;
        let ada = verified(&browser, &rig).await;
        assert!(any_of(["press"]).allows(ada.groups()), "{strategy:?}");
        assert!(!any_of(["board"]).allows(ada.groups()), "{strategy:?}");

        // Another node, which nobody told.
        let node = rig.beside(key(0), |builder| builder.strategy(strategy));
        let ada = verified(&browser, &node).await;
        assert!(!any_of(["press"]).allows(ada.groups()), "{strategy:?}");
        assert!(any_of(["board"]).allows(ada.groups()), "{strategy:?}");
    }
}

/// The variable of the environment is tested in `environment.rs`, with all others.
#[test]
fn rb_13_a_name_that_no_claim_of_a_session_has_is_refused() {
    let long = "a".repeat(65);
    for name in ["", "sub", "exp", "iss", "session_groups", "a\nb", &*long] {
        let store = MemorySessionStore::new();
        let error = Sessions::<Member>::builder(key(0), store, Source(Default::default()))
            .app_url("https://app.example")
            .groups_claim(name)
            .build()
            .unwrap_err();
        assert!(error.is_configuration(), "{name}: {error}");
        let text = error.to_string();
        assert!(text.contains("`groups_claim`"), "{text}");
        assert!(
            text.ends_with("(claim of groups set by the program)"),
            "{text}"
        );
    }
    for name in ["groups", "https://idp.example/groups", "cognito:groups"] {
        Rig::with(|builder| builder.groups_claim(name));
    }
}

#[test]
fn rb_21_a_rule_without_a_group_is_refused() {
    for groups in [vec![], vec![""], vec!["press", ""], vec!["", "press"]] {
        for rule in [
            GroupRule::any_of(groups.clone()),
            GroupRule::all_of(groups.clone()),
        ] {
            let error = rule.unwrap_err();
            assert!(error.is_misuse(), "{groups:?}: {error}");
        }
    }
}

#[test]
fn rb_22_a_rule_decides_outside_of_requests_and_on_any_thread() {
    static RULE: LazyLock<GroupRule> = LazyLock::new(|| all_of(["press", "g-17"]));

    let groups = provided();
    let elsewhere = std::thread::spawn(move || RULE.allows(&groups));
    assert!(elsewhere.join().unwrap());
    assert!(!RULE.allows(&["press"].into_iter().collect()));
}
