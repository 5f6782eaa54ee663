//! Headers of responses, and what is refused by those of a request.

use std::time::Duration;

use clearance::route::{ResourceIsolation, SecurityHeaders};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const STRICT: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn written(security: &SecurityHeaders) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    security.write(&mut headers);
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let mut written: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    written.sort();
    written
}

#[test]
fn op_27_asvs_3_4_3_asvs_3_4_4_asvs_3_4_5_asvs_3_4_6_asvs_3_4_8_each_response_is_as_closed_as_can_be()
 {
    let expected = [
        ("content-security-policy", STRICT),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(written(&SecurityHeaders::new()), expected);
    assert_eq!(SecurityHeaders::default(), SecurityHeaders::new());
}

#[test]
fn op_27_what_the_application_set_stays() {
    let security = SecurityHeaders::new().hsts(YEAR, false).unwrap();
    let mut all = HeaderMap::new();
    security.write(&mut all);
    assert_eq!(all.len(), 6);
    for name in all.keys() {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("its own"));
        headers.append(name, HeaderValue::from_static("and another"));
        headers.insert("content-type", HeaderValue::from_static("text/html"));
        security.write(&mut headers);
        let kept: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(kept, ["its own", "and another"], "{name}");
        assert_eq!(headers["content-type"], "text/html");
        for (other, value) in all.iter().filter(|(other, _)| *other != name) {
            let there: Vec<_> = headers.get_all(other).iter().collect();
            assert_eq!(there, [value], "{other} beside {name}");
        }
    }
    // Twice is as once.
    let once = all.clone();
    security.write(&mut all);
    assert_eq!(all, once);
}

#[test]
fn op_27_asvs_3_4_3_asvs_3_4_6_another_policy_states_what_every_policy_must() {
    let policies = [
        "script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors https://a.example",
        "Default-Src 'none';OBJECT-SRC 'NONE';\tbase-uri  'none' ; frame-ancestors",
        ";;object-src 'none';base-uri 'none';default-src https:;frame-ancestors *;",
    ];
    for policy in policies {
        let security = SecurityHeaders::new();
        let security = security.content_security_policy(policy).unwrap();
        let sent = written(&security);
        assert_eq!(sent[0].1, policy);
        assert_eq!(sent.len(), 5);
    }

    let (object, base) = ("`object-src 'none'`", "`base-uri 'none'`");
    let (sources, frames) = ("`default-src` or `script-src`", "`frame-ancestors`");
    let cases: [(&str, &[&str]); 9] = [
        ("", &[object, base, sources, frames]),
        ("default-src 'none'", &[object, base, frames]),
        (
            "object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
            &[sources],
        ),
        (
            "default-src 'self'; object-src 'none'; base-uri 'none'",
            &[frames],
        ),
        (
            "default-src 'self'; object-src 'self'; base-uri 'none'; frame-ancestors 'none'",
            &[object],
        ),
        (
            "default-src 'self'; object-src none; base-uri 'self'; frame-ancestors 'none'",
            &[object, base],
        ),
        // A browser goes by the first.
        (
            "default-src 'self'; object-src *; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
            &[object],
        ),
        (
            "default-src 'self'; object-src 'none' https://a.example; base-uri 'none'; frame-ancestors 'none'",
            &[object],
        ),
        (
            "default-src 'self'; x-object-src 'none'; base-uri-x 'none'; frame-ancestors 'none'",
            &[object, base],
        ),
    ];
    for (policy, missing) in cases {
        let error = SecurityHeaders::new().content_security_policy(policy);
        let error = error.unwrap_err();
        assert!(error.is_configuration(), "{policy}: {error}");
        let advice = format!("does not state {}", missing.join(", "));
        assert!(error.to_string().ends_with(&advice), "{policy}: {error}");
    }

    for bad in ["\n", "\r\nset-cookie: a=b", "\0", "é", ", default-src *"] {
        let policy = format!("{STRICT}{bad}");
        let error = SecurityHeaders::new().content_security_policy(&policy);
        let error = error.unwrap_err();
        assert!(error.is_configuration(), "{bad:?}: {error}");
        assert!(error.to_string().contains("one line"), "{bad:?}: {error}");
    }
}

#[test]
fn ck_15_asvs_3_4_1_https_alone_is_for_a_year_at_least_and_only_when_asked_for() {
    let name = "strict-transport-security".to_owned();
    for (max_age, subdomains, value) in [
        (YEAR, false, "max-age=31536000"),
        (YEAR, true, "max-age=31536000; includeSubDomains"),
        (2 * YEAR, true, "max-age=63072000; includeSubDomains"),
        (YEAR + Duration::from_millis(999), false, "max-age=31536000"),
        (Duration::MAX, false, "max-age=18446744073709551615"),
    ] {
        let security = SecurityHeaders::new().hsts(max_age, subdomains).unwrap();
        let sent = written(&security);
        assert!(sent.contains(&(name.clone(), value.to_owned())), "{sent:?}");
        assert_eq!(sent.len(), 6);
    }
    for short in [Duration::ZERO, YEAR / 2, YEAR - Duration::from_nanos(1)] {
        let error = SecurityHeaders::new().hsts(short, true).unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert!(error.to_string().contains("31536000"), "{error}");
    }
    let sent = written(&SecurityHeaders::new());
    assert!(sent.iter().all(|(sent, _)| *sent != name));
}

fn request(metadata: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in metadata {
        let name = HeaderName::from_static(name);
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn of(site: &'static str, mode: &'static str, dest: &'static str) -> HeaderMap {
    request(&[
        ("sec-fetch-site", site),
        ("sec-fetch-mode", mode),
        ("sec-fetch-dest", dest),
    ])
}

const MODES: [&str; 7] = [
    "navigate",
    "nested-navigate",
    "no-cors",
    "cors",
    "same-origin",
    "websocket",
    "",
];
const DESTINATIONS: [&str; 12] = [
    "document", "iframe", "frame", "object", "embed", "image", "script", "style", "video", "empty",
    "worker", "",
];

#[test]
fn asvs_3_5_8_another_site_opens_pages_and_nothing_else() {
    let policy = ResourceIsolation::new();
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ];
    for method in &methods {
        for mode in MODES {
            for dest in DESTINATIONS {
                let opens_a_page =
                    *method == Method::GET && mode == "navigate" && dest == "document";
                for site in ["cross-site", "CROSS-SITE", "same-party", "", " none"] {
                    let passes = policy.check(&of(site, mode, dest), method);
                    assert_eq!(passes, opens_a_page, "{method} {site} {mode} {dest}");
                }
                for site in ["same-origin", "same-site", "none"] {
                    assert!(policy.check(&of(site, mode, dest), method), "{site}");
                }
            }
        }
    }
}

#[test]
fn asvs_3_5_8_what_sends_no_metadata_passes_and_half_of_it_does_not() {
    let policy = ResourceIsolation::new();
    for method in [Method::GET, Method::POST] {
        assert!(policy.check(&HeaderMap::new(), &method));
    }
    let cross = ("sec-fetch-site", "cross-site");
    let navigates = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    for half in [vec![cross], vec![cross, navigates], vec![cross, document]] {
        assert!(!policy.check(&request(&half), &Method::GET), "{half:?}");
    }
    // One of two sites is another one, whichever stands first.
    let own = ("sec-fetch-site", "same-origin");
    for both in [[own, cross], [cross, own]] {
        assert!(!policy.check(&request(&both), &Method::GET), "{both:?}");
    }
}
