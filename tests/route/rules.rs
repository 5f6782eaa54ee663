//! Which routes need a session, by the cookie alone.

use std::sync::atomic::Ordering;

use clearance::route::{Denied, Gate, GroupRule, Route, RouteRules};
use clearance::session::Strategy;
use http::{Method, Response};

use crate::support::{Answer, Rig, answer, head, page};

fn build(rig: &Rig, rules: RouteRules) -> Gate {
    rules.sign_in_page("/sign-in").build(&rig.sessions).unwrap()
}

fn exact(path: &str) -> Route {
    Route::exact(path).unwrap()
}

fn prefix(path: &str) -> Route {
    Route::prefix(path).unwrap()
}

/// Whether somebody without a session may not have the path.
async fn refuses(gate: &Gate, path: &str) -> bool {
    page(gate, path, "").await != Answer::Passes
}

#[tokio::test]
async fn op_01_op_08_op_32_everything_is_protected_but_what_is_public() {
    let rig = Rig::new();
    let rules = RouteRules::protect_all()
        .public(exact("/"))
        .public(prefix("/docs"));
    let gate = build(&rig, rules);
    for path in [
        "/",
        "/docs",
        "/docs/",
        "/docs/a/b",
        "/sign-in",
        "/sign-in?return_to=%2F",
    ] {
        assert!(!refuses(&gate, path).await, "{path}");
    }
    for path in ["/nowhere", "/docsx", "/doc", "/sign-in/x", "/sign-inx"] {
        assert!(refuses(&gate, path).await, "{path}");
    }
    let ada = rig.cookie("ada", &[]).await;
    assert_eq!(page(&gate, "/nowhere", &ada).await, Answer::Passes);
}

#[tokio::test]
async fn op_02_every_spelling_of_a_protected_path_is_protected() {
    let rig = Rig::new();
    let rules = RouteRules::protect_listed().protect(prefix("/dashboard"));
    let gate = build(&rig, rules);
    for path in [
        "/dashboard",
        "/dashboard/",
        "/dashboard/x",
        "//dashboard",
        "/%64ashboard",
        "/%2564ashboard",
        "/a/../dashboard",
        "/a/%2e%2e/dashboard",
        "/dashboard%2fx",
        "/x%5c..%5cdashboard",
        "/./dashboard",
        "/dashboard;v=1",
        "/dashboard?x=/public",
    ] {
        assert!(refuses(&gate, path).await, "{path}");
    }
    for path in ["/dashboardx", "/x/dashboard", "/Dashboard", "/dash"] {
        assert!(!refuses(&gate, path).await, "{path}");
    }
    let rules = RouteRules::protect_listed().protect(prefix("/dashboard"));
    let gate = build(&rig, rules.ignore_case());
    for path in ["/Dashboard", "/DASHBOARD/x", "/%44ashboard"] {
        assert!(refuses(&gate, path).await, "{path}");
    }
}

#[tokio::test]
async fn op_02_a_path_is_public_in_every_reading_or_not_at_all() {
    let rig = Rig::new();
    let rules = RouteRules::protect_all().public(prefix("/assets"));
    let gate = build(&rig, rules);
    assert!(!refuses(&gate, "/assets/a.css").await);
    for path in [
        "/assets/../admin",
        "/assets/%2e%2e/admin",
        "/assets%2f..%2fadmin",
        "/assets/..;/admin",
    ] {
        assert!(refuses(&gate, path).await, "{path}");
    }
}

#[tokio::test]
async fn op_02_a_path_too_long_to_compare_is_refused() {
    let rig = Rig::new();
    let gate = build(&rig, RouteRules::protect_listed());
    let path = format!("/{}", "a".repeat(4096));
    assert_eq!(page(&gate, &path, "").await, Answer::Status(414));
}

#[tokio::test]
async fn op_07_a_rule_may_leave_out_what_another_one_is_about() {
    let rig = Rig::new();
    let files = Route::pattern(r"/.*\.(png|css|js)").unwrap();
    let pages = !(prefix("/api").or(prefix("/static")).or(files));
    let gate = build(&rig, RouteRules::protect_listed().protect(pages));
    for path in ["/", "/reports", "/apis", "/a.pngx"] {
        assert!(refuses(&gate, path).await, "{path}");
    }
    for path in ["/api", "/api/users", "/static/x", "/logo.png", "/a/b.js"] {
        assert!(!refuses(&gate, path).await, "{path}");
    }
    let inner = prefix("/app").and(!exact("/app/about"));
    let gate = build(&rig, RouteRules::protect_listed().protect(inner));
    assert!(refuses(&gate, "/app/x").await);
    assert!(!refuses(&gate, "/app/about").await);
}

#[tokio::test]
async fn op_09_an_empty_list_protects_nothing_and_the_sign_in_is_served() {
    let rig = Rig::new();
    let gate = build(&rig, RouteRules::protect_listed());
    for path in ["/", "/admin", "/sign-in"] {
        assert!(!refuses(&gate, path).await, "{path}");
    }
}

#[tokio::test]
async fn op_10_op_11_paths_and_patterns_are_anchored() {
    let rig = Rig::new();
    let pattern = Route::pattern("^/api/protected(/.*)?$").unwrap();
    let rules = RouteRules::protect_listed()
        .protect(exact("/api/admin"))
        .protect(pattern);
    let gate = build(&rig, rules);
    for path in [
        "/api/admin",
        "/api/protected",
        "/api/protected/",
        "/api/protected/x/y",
    ] {
        assert!(refuses(&gate, path).await, "{path}");
    }
    for path in [
        "/x/api/admin2",
        "/x/api/admin",
        "/api/admin2",
        "/api/protectedx",
        "/x/api/protected",
    ] {
        assert!(!refuses(&gate, path).await, "{path}");
    }
    // Time that grows with the path alone: another engine would not come back from this.
    let slow = Route::pattern("/(a+)+b").unwrap();
    let gate = build(&rig, RouteRules::protect_listed().protect(slow));
    assert!(!refuses(&gate, &format!("/{}", "a".repeat(4000))).await);
    for wrong in ["(", "a{99999}{99999}"] {
        assert!(Route::pattern(wrong).unwrap_err().is_configuration());
    }
    for wrong in ["", "admin", "https://app.example/"] {
        assert!(Route::exact(wrong).unwrap_err().is_configuration());
        assert!(Route::prefix(wrong).unwrap_err().is_configuration());
    }
}

#[tokio::test]
async fn op_12_a_function_decides_and_its_panic_protects() {
    let rig = Rig::new();
    let beta = Route::when(|head| head.headers.contains_key("x-beta"));
    let late = Route::when_async(|head| {
        let path = head.uri.path().to_owned();
        async move {
            tokio::task::yield_now().await;
            path == "/late"
        }
    });
    let gate = build(
        &rig,
        RouteRules::protect_listed().protect(beta).protect(late),
    );
    assert!(!refuses(&gate, "/").await);
    assert!(refuses(&gate, "/late").await);
    let asked = head(Method::GET, "/", &[("x-beta", "1")]);
    assert_eq!(answer(&gate, &asked).await, Answer::Status(401));

    for panics in [
        Route::when(|_| panic!("as a function may")),
        Route::when_async(|_| async { panic!("while it is waited for") }),
        Route::when_async(|head| {
            assert!(head.uri.path().is_empty(), "before it is waited for");
            async { true }
        }),
    ] {
        let listed = RouteRules::protect_listed().protect(panics.clone());
        assert!(refuses(&build(&rig, listed), "/x").await);
        let all = RouteRules::protect_all().public(panics.clone());
        assert!(refuses(&build(&rig, all), "/x").await);
        let public = RouteRules::protect_listed().public(!panics);
        assert!(refuses(&build(&rig, public), "/x").await);
    }
}

#[tokio::test]
async fn op_13_rb_16_the_strictest_rule_holds_in_whatever_order() {
    let rig = Rig::with(|builder| builder.strategy(Strategy::Stateless));
    let staff = || GroupRule::any_of(["staff", "board"]).unwrap();
    let both = || GroupRule::all_of(["staff", "admins"]).unwrap();
    let orders = [
        RouteRules::protect_all()
            .public(prefix("/admin"))
            .protect(prefix("/admin"))
            .groups(prefix("/admin"), staff())
            .groups(exact("/admin/keys"), both()),
        RouteRules::protect_all()
            .groups(exact("/admin/keys"), both())
            .groups(prefix("/admin"), staff())
            .protect(prefix("/admin"))
            .public(prefix("/admin")),
    ];
    let nobody = String::new();
    let plain = rig.cookie("ada", &[]).await;
    let board = rig.cookie("eve", &["board"]).await;
    let chief = rig.cookie("bob", &["admins", "staff"]).await;
    let sign_in = |path: &str| Answer::to(&format!("/sign-in?return_to={path}"));
    for rules in orders {
        let gate = build(&rig, rules);
        assert_eq!(page(&gate, "/admin", &nobody).await, sign_in("%2Fadmin"));
        assert_eq!(page(&gate, "/admin", &plain).await, Answer::Status(403));
        assert_eq!(page(&gate, "/admin", &board).await, Answer::Passes);
        assert_eq!(
            page(&gate, "/admin/keys", &board).await,
            Answer::Status(403)
        );
        assert_eq!(page(&gate, "/admin/keys", &chief).await, Answer::Passes);
        assert_eq!(page(&gate, "/other", &plain).await, Answer::Passes);
    }
    assert_eq!(rig.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn op_13_groups_of_which_the_cookie_says_nothing_are_refused_at_the_start() {
    for strategy in [Strategy::Hybrid, Strategy::Database] {
        let rig = Rig::with(|builder| builder.strategy(strategy));
        let staff = GroupRule::any_of(["staff"]).unwrap();
        let rules = RouteRules::protect_all().groups(prefix("/admin"), staff);
        let error = rules.build(&rig.sessions).unwrap_err();
        assert!(error.is_configuration());
        assert!(error.to_string().contains("Protect::groups"), "{error}");
    }
}

#[tokio::test]
async fn op_15_pages_are_redirected_and_everything_else_gets_a_status() {
    let rig = Rig::new();
    let gate = build(&rig, RouteRules::protect_all().api(prefix("/api")));
    let html = ("accept", "application/xhtml+xml, text/html;q=0.9");
    let cases = [
        ("/x", vec![html], true),
        ("/x", vec![("sec-fetch-mode", "navigate")], true),
        ("/x", vec![("sec-fetch-mode", "cors"), html], false),
        ("/x", vec![("accept", "application/json")], false),
        ("/x", vec![("accept", "*/*")], false),
        ("/x", vec![], false),
        ("/api/x", vec![html], false),
        ("/a/../api/x", vec![html], false),
    ];
    for (path, headers, redirected) in cases {
        let outcome = answer(&gate, &head(Method::GET, path, &headers)).await;
        let expected = if redirected {
            Answer::to("/sign-in?return_to=%2Fx")
        } else {
            Answer::Status(401)
        };
        assert_eq!(outcome, expected, "{path} {headers:?}");
    }
    // Without a page to send anybody to.
    let gate = RouteRules::protect_all().build(&rig.sessions).unwrap();
    assert_eq!(page(&gate, "/x", "").await, Answer::Status(401));
}

#[tokio::test]
async fn op_05_op_17_the_way_back_is_the_path_and_query_and_never_another_site() {
    let rig = Rig::new();
    let gate = build(&rig, RouteRules::protect_all());
    for (asked, back) in [
        ("/orders?page=2&sort=a", "%2Forders%3Fpage%3D2%26sort%3Da"),
        ("//evil.example", "%2F"),
        ("/%5cevil.example", "%2F"),
        (
            "/x?return_to=https://evil.example",
            "%2Fx%3Freturn_to%3Dhttps%3A%2F%2Fevil.example",
        ),
    ] {
        let to = Answer::to(&format!("/sign-in?return_to={back}"));
        assert_eq!(page(&gate, asked, "").await, to, "{asked}");
    }
    // What was sent is gone: the way back is not where it was sent to.
    let sent = head(Method::POST, "/orders", &[("accept", "text/html")]);
    assert_eq!(
        answer(&gate, &sent).await,
        Answer::to("/sign-in?return_to=%2F")
    );
    for wrong in [
        "sign-in",
        "//evil.example",
        "javascript:alert(1)",
        "/a\nb",
        "/a#b",
        "/\\evil.example",
        "",
    ] {
        let rules = RouteRules::protect_all().sign_in_page(wrong);
        assert!(
            rules.build(&rig.sessions).unwrap_err().is_configuration(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn op_04_only_who_comes_by_themselves_with_a_sealed_cookie_leaves_the_sign_in_page() {
    for strategy in [Strategy::Hybrid, Strategy::Stateless, Strategy::Database] {
        let rig = Rig::with(|builder| builder.strategy(strategy));
        let gate = build(&rig, RouteRules::protect_all().home("/dashboard"));
        let ada = rig.cookie("ada", &[]).await;
        // Of an opaque cookie nobody knows whether it is a session's.
        let leaves = if strategy == Strategy::Database {
            Answer::Passes
        } else {
            Answer::to("/dashboard")
        };
        assert_eq!(page(&gate, "/sign-in", &ada).await, leaves);
        assert_eq!(
            page(&gate, "/sign-in?return_to=%2Fx", &ada).await,
            Answer::Passes
        );
        assert_eq!(page(&gate, "/sign-in", "").await, Answer::Passes);
        assert_eq!(
            page(&gate, "/sign-in", "__Host-session=x").await,
            Answer::Passes
        );
        let post = head(Method::POST, "/sign-in", &[("cookie", &ada)]);
        assert_eq!(answer(&gate, &post).await, Answer::Passes);
        assert_eq!(page(&gate, "/dashboard", &ada).await, Answer::Passes);
    }
}

#[tokio::test]
async fn op_06_op_26_op_29_the_cookie_alone_decides_and_an_old_one_is_nobodys() {
    for strategy in [Strategy::Hybrid, Strategy::Stateless, Strategy::Database] {
        let rig = Rig::with(|builder| builder.strategy(strategy));
        let gate = build(&rig, RouteRules::protect_all());
        let ada = rig.cookie("ada", &[]).await;
        assert_eq!(page(&gate, "/x", &ada).await, Answer::Passes);
        let twice = format!("{ada}; {ada}");
        for cookie in ["", "__Host-session=forged", "session=x", &twice] {
            assert_ne!(page(&gate, "/x", cookie).await, Answer::Passes, "{cookie}");
        }
        if strategy != Strategy::Database {
            rig.clock
                .advance(std::time::Duration::from_secs(400 * 24 * 60 * 60));
            assert_ne!(page(&gate, "/x", &ada).await, Answer::Passes);
        }
        assert_eq!(rig.loads.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn op_14_op_28_rb_17_the_application_answers_and_asks_by_itself() {
    let rig = Rig::new();
    let rules = RouteRules::protect_all().on_denied(|head, why| {
        assert_eq!(why, Denied::SignedOut);
        Response::new(format!("not for you: {}", head.uri.path()))
    });
    let gate = build(&rig, rules);
    let response = gate.check(&head(Method::GET, "/x", &[])).await.unwrap_err();
    assert_eq!(response.body(), "not for you: /x");
    assert_eq!(response.headers()["cache-control"], "private, no-store");

    // A redirect for who may not have a page.
    let rig = Rig::with(|builder| builder.strategy(Strategy::Stateless));
    let staff = GroupRule::any_of(["staff"]).unwrap();
    let rules = RouteRules::protect_listed().groups(prefix("/admin"), staff);
    let gate = build(&rig, rules.denied_page("/unauthorized"));
    let ada = rig.cookie("ada", &[]).await;
    assert_eq!(
        page(&gate, "/admin", &ada).await,
        Answer::to("/unauthorized")
    );
    let script = head(Method::GET, "/admin", &[("cookie", &ada)]);
    assert_eq!(answer(&gate, &script).await, Answer::Status(403));
}
