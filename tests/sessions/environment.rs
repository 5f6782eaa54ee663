//! Settings from environment variables.

use std::process::Command;
use std::time::Duration;

use clearance::Sessions;
use clearance::session::{Lifetime, MemorySessionStore};

use crate::support::{Member, Source, key};

const CHILD: &str = "CLEARANCE_TEST_SETTINGS_OF";

/// Reads the settings in a process of its own: a running process must not change its environment.
fn built(prefix: &str, variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "environment::in_a_child_the_settings_are_read",
            "--nocapture",
        ])
        .env(CHILD, prefix);
    for (name, value) in variables {
        child.env(format!("{prefix}{name}"), value);
    }
    let output = child.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn in_a_child_the_settings_are_read() {
    let Ok(prefix) = std::env::var(CHILD) else {
        return;
    };
    let store = MemorySessionStore::new();
    let built = Sessions::<Member>::builder(key(0), store, Source(Default::default()))
        .app_url("https://of.the.program")
        .remembered(Lifetime::fixed(Duration::from_secs(5_000_000)))
        .env(&prefix)
        .build();
    match built {
        Ok(sessions) => println!("{}", sessions.explain()),
        Err(error) => {
            assert!(error.is_configuration());
            println!("refused {error}");
        }
    }
}

#[test]
fn sd_20_every_variable_makes_the_setting_that_it_names() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 18] = [
        (
            &[],
            &["application: https://of.the.program (set by the program)"],
        ),
        (
            &[("URL", "https://a.example")],
            &["application: https://a.example (from `T_URL`)"],
        ),
        (
            &[("PROFILE", "development"), ("URL", "http://localhost:80")],
            &[
                "profile: development (from `T_PROFILE`)",
                "cookie: session; HttpOnly; SameSite=Lax; Path=/",
            ],
        ),
        (
            &[("SESSION_STRATEGY", "database")],
            &["strategy: database (from `T_SESSION_STRATEGY`)"],
        ),
        (
            &[("SESSION_STRATEGY", "hybrid")],
            &["strategy: hybrid (from `T_SESSION_STRATEGY`)"],
        ),
        (
            &[
                ("SESSION_STRATEGY", " stateless\n"),
                ("SESSION_MAX_PAYLOAD_BYTES", "2000"),
            ],
            &[
                "strategy: stateless (from `T_SESSION_STRATEGY`)",
                "token: 2000 bytes of JSON at most (from `T_SESSION_MAX_PAYLOAD_BYTES`)",
            ],
        ),
        (
            &[("SESSION_PRESET", "aal2")],
            &[
                "idle limit: 3600.000 s (preset AAL2 from `T_SESSION_PRESET`)",
                "absolute limit: 86400.000 s (preset AAL2 from `T_SESSION_PRESET`)",
            ],
        ),
        (
            &[("SESSION_PRESET", "aal3"), ("SESSION_IDLE_SECONDS", "600")],
            &[
                "idle limit: 600.000 s (from `T_SESSION_IDLE_SECONDS`)",
                "absolute limit: 43200.000 s (preset AAL3 from `T_SESSION_PRESET`)",
            ],
        ),
        (
            &[("SESSION_ABSOLUTE_SECONDS", "700000")],
            &[
                "idle limit: 604800.000 s (default)",
                "absolute limit: 700000.000 s (from `T_SESSION_ABSOLUTE_SECONDS`)",
            ],
        ),
        (
            &[
                ("SESSION_REMEMBERED_IDLE_SECONDS", "1000"),
                ("SESSION_REMEMBERED_ABSOLUTE_SECONDS", "2000"),
            ],
            &[
                "remembered, idle limit: 1000.000 s (from `T_SESSION_REMEMBERED_IDLE_SECONDS`)",
                "remembered, absolute limit: 2000.000 s (from `T_SESSION_REMEMBERED_ABSOLUTE_SECONDS`)",
            ],
        ),
        (
            &[("SESSION_LIMIT", "reject:3")],
            &[
                "sessions of a subject: 3 at most, one more sign-in is refused (from `T_SESSION_LIMIT`)",
            ],
        ),
        (
            &[("SESSION_LIMIT", "evict-oldest:1")],
            &[
                "sessions of a subject: 1 at most, one more sign-in ends the oldest (from `T_SESSION_LIMIT`)",
            ],
        ),
        (
            &[("SESSION_LIMIT", "none")],
            &["sessions of a subject: any number (from `T_SESSION_LIMIT`)"],
        ),
        (
            &[("SESSION_GROUPS_CLAIM", "teams")],
            &["groups: claim `teams` (from `T_SESSION_GROUPS_CLAIM`)"],
        ),
        (
            &[("SESSION_TOUCH_SECONDS", "30")],
            &["touch interval: 30.000 s (from `T_SESSION_TOUCH_SECONDS`)"],
        ),
        (
            &[
                ("SESSION_CACHE_BOUND_MILLISECONDS", "1500"),
                ("SESSION_CACHE_CAPACITY", "77"),
            ],
            &[
                "verified: at most 1.500 s old; a change through this library on this node takes effect at once (from `T_SESSION_CACHE_BOUND_MILLISECONDS`)",
                "cache: 77 sessions (from `T_SESSION_CACHE_CAPACITY`)",
            ],
        ),
        (
            &[
                ("SESSION_COOKIE_NAME", "mine"),
                ("SESSION_COOKIE_SAME_SITE", "strict"),
            ],
            &["cookie: mine; HttpOnly; Secure; SameSite=Strict; Path=/"],
        ),
        (
            &[
                ("URL", "https://app.a.example"),
                ("SESSION_COOKIE_PATH", "/x"),
                ("SESSION_COOKIE_DOMAIN", "a.example"),
                ("SESSION_COOKIE_SAME_SITE", "none"),
            ],
            &[
                "cookie: __Secure-session; HttpOnly; Secure; SameSite=None; Path=/x; Domain=a.example",
            ],
        ),
    ];
    for (variables, lines) in cases {
        let explained = built("T_", variables);
        for line in lines {
            assert!(
                explained.lines().any(|explained| explained == *line),
                "{variables:?}: {line} in:\n{explained}"
            );
        }
    }
}

#[test]
fn sd_20_any_prefix_will_do_and_no_other_is_read() {
    for prefix in ["", "MY_APP_", "x"] {
        let explained = built(prefix, &[("SESSION_STRATEGY", "database")]);
        let line = format!("strategy: database (from `{prefix}SESSION_STRATEGY`)");
        assert!(explained.contains(&line), "{explained}");
    }
}

#[test]
fn sd_20_all_that_is_wrong_is_said_at_once_by_name_and_never_by_value() {
    let variables = [
        ("URL", ""),
        ("PROFILE", "hunter2"),
        ("SESSION_STRATEGY", "Hybrid-hunter2"),
        ("SESSION_PRESET", "aal4-hunter2"),
        ("SESSION_IDLE_SECONDS", "-1-hunter2"),
        ("SESSION_ABSOLUTE_SECONDS", "1.5-hunter2"),
        ("SESSION_REMEMBERED_IDLE_SECONDS", "hunter2"),
        (
            "SESSION_REMEMBERED_ABSOLUTE_SECONDS",
            "18446744073709551616",
        ),
        ("SESSION_LIMIT", "reject:0"),
        ("SESSION_TOUCH_SECONDS", "hunter2"),
        ("SESSION_CACHE_BOUND_MILLISECONDS", "5s-hunter2"),
        ("SESSION_CACHE_CAPACITY", "hunter2"),
        ("SESSION_MAX_PAYLOAD_BYTES", "hunter2"),
        ("SESSION_GROUPS_CLAIM", ""),
        ("SESSION_COOKIE_NAME", " "),
        ("SESSION_COOKIE_PATH", ""),
        ("SESSION_COOKIE_DOMAIN", ""),
        ("SESSION_COOKIE_SAME_SITE", "Lax-hunter2"),
    ];
    let output = built("T_", &variables);
    let refused = output
        .lines()
        .find(|line| line.contains("refused "))
        .unwrap();
    for (name, _) in variables {
        assert!(
            refused.contains(&format!("`T_{name}`")),
            "{name} in {refused}"
        );
    }
    assert!(!output.contains("hunter2"), "{output}");
    assert!(!output.contains("18446744073709551616"), "{output}");
    for name in ["REMEMBERED_IDLE", "REMEMBERED_ABSOLUTE"] {
        let name = format!("SESSION_{name}_SECONDS");
        let output = built("T_", &[(&name, "1000")]);
        assert!(output.contains("must both be set, or neither"), "{output}");
    }
    // What can be read may still contradict something else.
    let output = built("T_", &[("SESSION_IDLE_SECONDS", "99999999")]);
    assert!(output.contains("refused configuration"), "{output}");
    for limit in [
        "3",
        "reject",
        "reject:",
        "reject:-1",
        "reject:4294967296",
        "evict:3",
        ":3",
    ] {
        let output = built("T_", &[("SESSION_LIMIT", limit)]);
        assert!(
            output.contains("`T_SESSION_LIMIT` must be"),
            "{limit}: {output}"
        );
    }
    // Neither words in other letters nor empty ones.
    for word in ["", "HYBRID", "redis"] {
        let output = built("T_", &[("SESSION_STRATEGY", word)]);
        assert!(
            output.contains("`T_SESSION_STRATEGY` must be"),
            "{word}: {output}"
        );
    }
}

#[test]
fn sd_20_what_is_out_of_range_is_said_with_the_source_of_each_setting_that_takes_part() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 15] = [
        (
            &[("SESSION_IDLE_SECONDS", "0")],
            "(idle limit of 0.000 s from `T_SESSION_IDLE_SECONDS`, absolute limit of 2592000.000 s by default)",
        ),
        (
            &[
                ("SESSION_IDLE_SECONDS", "90000"),
                ("SESSION_PRESET", "aal2"),
            ],
            "(idle limit of 90000.000 s from `T_SESSION_IDLE_SECONDS`, absolute limit of 86400.000 s by preset AAL2 from `T_SESSION_PRESET`)",
        ),
        (
            &[("SESSION_IDLE_SECONDS", "65")],
            "(idle limit of 65.000 s from `T_SESSION_IDLE_SECONDS`, touch interval of 60.000 s by default, cache bound of 5.000 s by default)",
        ),
        (
            &[("SESSION_TOUCH_SECONDS", "34560001")],
            "(touch interval of 34560001.000 s from `T_SESSION_TOUCH_SECONDS`)",
        ),
        (
            &[
                ("SESSION_IDLE_SECONDS", "6000000"),
                ("SESSION_ABSOLUTE_SECONDS", "6000000"),
                ("SESSION_TOUCH_SECONDS", "4999999"),
            ],
            "(remembered idle limit of 5000000.000 s set by the program, touch interval of 4999999.000 s from `T_SESSION_TOUCH_SECONDS`, cache bound of 5.000 s by default)",
        ),
        (
            &[
                ("SESSION_REMEMBERED_IDLE_SECONDS", "2000"),
                ("SESSION_REMEMBERED_ABSOLUTE_SECONDS", "1000"),
            ],
            "(remembered idle limit of 2000.000 s from `T_SESSION_REMEMBERED_IDLE_SECONDS`, remembered absolute limit of 1000.000 s from `T_SESSION_REMEMBERED_ABSOLUTE_SECONDS`)",
        ),
        (
            &[("SESSION_CACHE_CAPACITY", "0")],
            "(cache capacity from `T_SESSION_CACHE_CAPACITY`, cache bound of 5.000 s by default)",
        ),
        (
            &[
                ("SESSION_STRATEGY", "stateless"),
                ("SESSION_LIMIT", "reject:3"),
            ],
            "(strategy from `T_SESSION_STRATEGY`, session limit from `T_SESSION_LIMIT`)",
        ),
        (
            &[("SESSION_GROUPS_CLAIM", "session_hunter2")],
            "(claim of groups from `T_SESSION_GROUPS_CLAIM`)",
        ),
        (
            &[("SESSION_COOKIE_NAME", "hunter 2")],
            "(URL set by the program, profile by default, cookie name from `T_SESSION_COOKIE_NAME`)",
        ),
        (
            &[("SESSION_COOKIE_PATH", "hunter2")],
            "(URL set by the program, profile by default, cookie path from `T_SESSION_COOKIE_PATH`)",
        ),
        (
            &[
                ("URL", "https://a.example"),
                ("SESSION_COOKIE_DOMAIN", "hunter2.example"),
            ],
            "(URL from `T_URL`, profile by default, cookie domain from `T_SESSION_COOKIE_DOMAIN`)",
        ),
        (
            &[
                ("URL", "http://localhost"),
                ("PROFILE", "development"),
                ("SESSION_COOKIE_SAME_SITE", "none"),
            ],
            "(URL from `T_URL`, profile from `T_PROFILE`, cookie `SameSite` from `T_SESSION_COOKIE_SAME_SITE`)",
        ),
        (
            &[
                ("URL", "http://hunter2.example"),
                ("PROFILE", "development"),
            ],
            "(URL from `T_URL`, profile from `T_PROFILE`)",
        ),
        (
            &[("URL", "hunter2.example")],
            "(URL from `T_URL`, profile by default)",
        ),
    ];
    for (variables, concerned) in cases {
        let output = built("T_", variables);
        let refused = output.lines().find(|line| line.contains("refused "));
        assert!(
            refused.is_some_and(|refused| refused.ends_with(concerned)),
            "{variables:?}: {concerned} in:\n{output}"
        );
        assert!(!output.contains("hunter"), "{output}");
    }
}

#[test]
fn sd_20_a_number_that_is_too_large_is_told_how_large_it_may_be() {
    let too_large = "99999999999999999999";
    for (name, most) in [
        ("SESSION_IDLE_SECONDS", "34560000 (400 days) at most"),
        (
            "SESSION_CACHE_BOUND_MILLISECONDS",
            "34560000000 (400 days) at most",
        ),
        ("SESSION_CACHE_CAPACITY", "18446744073709551615 at most"),
        ("SESSION_LIMIT", "a number from 1 to 4294967295"),
    ] {
        let limit = format!("reject:{too_large}");
        let value = if name == "SESSION_LIMIT" {
            &limit
        } else {
            too_large
        };
        let output = built("T_", &[(name, value)]);
        let line = format!("`T_{name}` must be ");
        assert!(output.contains(&line), "{output}");
        assert!(output.contains(most), "{output}");
        assert!(!output.contains(too_large), "{output}");
    }
}
