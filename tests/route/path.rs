//! OP-02, OP-10: what a path is, for those who read paths in different ways.

use clearance::route::NormalPath;
use proptest::prelude::*;

/// A prefix ends at a segment.
fn is_below(reading: &str, prefix: &str) -> bool {
    reading
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_dashboard(path: &str) -> bool {
    NormalPath::of(path).is_any(|reading| is_below(reading, "/dashboard"))
}

#[test]
fn op_02_every_spelling_of_a_path_is_seen() {
    let table = [
        // What it is, and what it is called.
        ("/dashboard", "/dashboard"),
        ("/dashboard/", "/dashboard"),
        ("/dashboard?x=/public", "/dashboard"),
        ("/dashboard/x", "/dashboard/x"),
        ("/dashboard/x/?a=b", "/dashboard/x"),
        // Slashes.
        ("//dashboard", "/dashboard"),
        ("///dashboard//x", "/dashboard/x"),
        ("/dashboard//", "/dashboard"),
        ("dashboard", "/dashboard"),
        ("\\dashboard", "/dashboard"),
        ("/\\dashboard\\x", "/dashboard/x"),
        // Dot segments.
        ("/./dashboard", "/dashboard"),
        ("/dashboard/.", "/dashboard"),
        ("/a/../dashboard", "/dashboard"),
        ("/../../dashboard", "/dashboard"),
        ("/a/b/../../dashboard", "/dashboard"),
        ("/dashboard/x/..", "/dashboard"),
        ("/a/..//dashboard", "/dashboard"),
        // Escapes.
        ("/%64ashboard", "/dashboard"),
        ("/%64%61%73%68%62%6f%61%72%64", "/dashboard"),
        ("%2fdashboard", "/dashboard"),
        ("/dashboard%2fx", "/dashboard/x"),
        ("/dashboard%2Fx", "/dashboard/x"),
        ("/a/%2e%2e/dashboard", "/dashboard"),
        ("/a/.%2E/dashboard", "/dashboard"),
        ("/a%2f..%2fdashboard", "/dashboard"),
        ("/x%5c..%5cdashboard", "/dashboard"),
        ("/%5Cdashboard", "/dashboard"),
        // Escapes of escapes.
        ("/%2564ashboard", "/%64ashboard"),
        ("/%252564ashboard", "/%2564ashboard"),
        ("/a/%252e%252e/dashboard", "/a/%2e%2e/dashboard"),
        ("/dashboard%252fx", "/dashboard%2fx"),
        // Parameters, and ends of texts.
        ("/dashboard;v=1", "/dashboard;v=1"),
        ("/dashboard;v=1/x", "/dashboard;v=1/x"),
        ("/;/dashboard", "/;/dashboard"),
        ("/a/..;/dashboard", "/a/..;/dashboard"),
        ("/dashboard%3bv=1", "/dashboard;v=1"),
        ("/dashboard%00", "/dashboard%00"),
        ("/dashboard%00.png", "/dashboard%00.png"),
        ("/dashboard%2500", "/dashboard%00"),
        ("/dashboard%3fx", "/dashboard?x"),
        ("/dashboard%23x", "/dashboard#x"),
        ("/dashboard#x", "/dashboard#x"),
        // Those who resolve nothing take the first name, those who do take the last.
        ("/dashboard/../public", "/public"),
        ("/%64ashboard/../public", "/public"),
        ("//%64ashboard/../public", "/public"),
        ("/dashboard/..%2fpublic", "/public"),
        ("/%64ashboard/x%5c..%5c..%5cpublic", "/public"),
        ("/./%64ashboard/x%5c..%5c..%5cpublic", "/public"),
        ("/dashboard;x/..", "/"),
        // One takes an empty name for a segment, the other does not.
        ("/a//../dashboard", "/a/dashboard"),
        ("/dashboard/b/..//..//x", "/dashboard/x"),
    ];
    for (path, called) in table {
        assert!(is_dashboard(path), "{path}");
        assert_eq!(NormalPath::of(path).as_str(), called, "{path}");
        assert_eq!(NormalPath::of(path).to_string(), called, "{path}");
    }
}

#[test]
fn op_02_another_path_is_not_seen() {
    let table = [
        ("/dashboardx", "/dashboardx"),
        ("/Dashboard", "/Dashboard"),
        ("/DASHBOARD/x", "/DASHBOARD/x"),
        ("/x/dashboard", "/x/dashboard"),
        ("/dash/board", "/dash/board"),
        ("/dashboard.html", "/dashboard.html"),
        ("/public?next=/dashboard", "/public"),
        ("/public?/../dashboard", "/public"),
        ("/%44ashboard", "/Dashboard"),
        ("/dashboard%20", "/dashboard%20"),
        ("/dashboard%ff", "/dashboard%FF"),
        ("/dashboard%zz", "/dashboard%zz"),
        ("/dashboard%", "/dashboard%"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/café\u{7f}", "/caf%C3%A9%7F"),
        ("/a%0d%0ab", "/a%0D%0Ab"),
        ("/...", "/..."),
        ("/", "/"),
        ("//", "/"),
        ("", "/"),
        ("?", "/"),
        ("*", "/*"),
        ("/..", "/"),
    ];
    for (path, called) in table {
        assert!(!is_dashboard(path), "{path}");
        assert_eq!(NormalPath::of(path).as_str(), called, "{path}");
    }
}

#[test]
fn op_02_what_permits_has_to_hold_for_every_reading() {
    let is_public = |path: &str| NormalPath::of(path).all(|reading| is_below(reading, "/public"));
    for path in [
        "/public",
        "/public/",
        "/public/a?b",
        "/public/%61",
        "/public/a%2fb",
    ] {
        assert!(is_public(path), "{path}");
    }
    for path in [
        "/public/../dashboard",
        "/public/%2e%2e/dashboard",
        "/public/..%2fdashboard",
        "/public/%252e%252e/dashboard",
        "/public/%25252e%25252e/dashboard",
        "/public/..;/dashboard",
        "/public/..%5cdashboard",
        "/dashboard/../public",
        "/%64ashboard/../public",
        "//public",
        "/publicx",
    ] {
        assert!(!is_public(path), "{path}");
    }
}

#[test]
fn op_02_an_ordinary_path_has_one_reading() {
    let readings = |path: &str| {
        let readings = std::cell::RefCell::new(Vec::new());
        let path = NormalPath::of(path);
        let _ = path.all(|reading| {
            readings.borrow_mut().push(reading.to_owned());
            true
        });
        readings.into_inner()
    };
    assert_eq!(readings("/"), ["/"]);
    assert_eq!(readings("/orders/17?page=2"), ["/orders/17"]);
    assert_eq!(readings("/orders/"), ["/orders/", "/orders"]);
    assert_eq!(readings("/%64"), ["/%64", "/d"]);
    assert_eq!(readings("/a%2fb"), ["/a%2fb", "/a/b"]);
}

/// One segment as somebody may write it who wants it not to be found.
fn disguised(segment: &'static str) -> impl Strategy<Value = String> {
    let letter = |letter: char| {
        prop_oneof![
            Just(letter.to_string()),
            Just(format!("%{:02x}", letter as u32)),
            Just(format!("%{:02X}", letter as u32)),
            Just(format!("%25{:02x}", letter as u32)),
            Just(format!("%2525{:02x}", letter as u32)),
        ]
    };
    let letters: Vec<_> = segment.chars().map(letter).collect();
    let before = prop_oneof![
        Just(""),
        Just("/"),
        Just("\\"),
        Just("%5c"),
        Just("/."),
        Just("/%2e"),
        Just("/a/.."),
        Just("/a/%2e."),
        Just("/a/b/../.."),
    ];
    (before, letters).prop_map(|(before, letters)| format!("{before}/{}", letters.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn op_02_a_disguise_does_not_help(
        path in (disguised("dashboard"), disguised("x")).prop_map(|(one, two)| one + &two)
    ) {
        prop_assert!(NormalPath::of(&path).is_any(|reading| reading == "/dashboard/x"), "{}", path);
    }

    #[test]
    fn op_02_no_text_makes_it_panic(text in prop_oneof![any::<String>(), "([/.;%\\\\a25cfe?#]|%[0-9a-f]{2}){0,40}"]) {
        let path = NormalPath::of(&text);
        prop_assert!(path.as_str().starts_with('/'));
        prop_assert!(path.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert!(!path.as_str().contains("//"));
        prop_assert!(path.is_any(|reading| text.starts_with(reading)));
    }
}
