//! OP-05, OP-17: where a browser may be sent back to.
//!
//! `hostile_return_urls.txt` has one text a line. `{09 0a}` stands for these bytes, in hex, and
//! `{}` for none.

use std::collections::HashSet;

use clearance::route::ReturnTo;
use http::Uri;
use proptest::prelude::*;
use url::Url;

const PAGE: &str = "https://app.example/x/y";

/// What a line of the file stands for.
fn written(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (bytes, after) = after.split_once('}').unwrap();
        text.push_str(before);
        for byte in bytes.split_whitespace() {
            let byte = u8::from_str_radix(byte, 16).unwrap();
            assert!(byte.is_ascii(), "{line}");
            text.push(char::from(byte));
        }
        rest = after;
    }
    text + rest
}

fn hostile() -> Vec<String> {
    let lines = include_str!("hostile_return_urls.txt").lines();
    lines.map(written).collect()
}

const GOOD: [&str; 46] = [
    "/",
    "/orders",
    "/orders/",
    "/orders/17",
    "/orders/17/items/3",
    "/Orders",
    "/orders.html",
    "/.well-known/change-password",
    "/a..b",
    "/...",
    "/-_.~!$&()*+,:@=",
    "/orders;v=1",
    "/orders;v=1/items;sort=name",
    "/@ada",
    "/a:b",
    "/a%20b",
    "/100%25",
    "/a%2Fb",
    "/a%2fb",
    "/a%3Bb",
    "/a%3Fb",
    "/%41",
    "/caf%C3%A9",
    "/%E6%97%A5%E6%9C%AC",
    "/%F0%9F%98%80",
    "/?",
    "/?a",
    "/?a=b",
    "/orders?page=2&sort=name",
    "/orders?page=2#top",
    "/orders?a=b?c",
    "/orders?a=%20b+c",
    "/orders?a=%26%3D%25",
    "/orders?next=%2Fhome",
    "/orders?next=/home",
    "/orders?path=..%2F..",
    "/orders?site=https://other.example/",
    "/orders?site=https%3A%2F%2Fother.example%2F",
    "/orders?name=caf%C3%A9",
    "/orders?a[]=1&a[]=2",
    "/orders?return_to=%2Fa%3Freturn_to%3D%252Fb",
    "/orders#",
    "/orders#top",
    "/orders#/page/2",
    "/orders#a=b&c//d",
    "/search?q=a%5Cb",
];

#[test]
fn op_05_op_17_no_hostile_spelling_is_accepted() {
    let hostile = hostile();
    let distinct: HashSet<&String> = hostile.iter().collect();
    assert_eq!(
        distinct.len(),
        hostile.len(),
        "a spelling stands there twice"
    );
    assert!(distinct.len() >= 300, "{}", distinct.len());
    let accepted: Vec<&String> = hostile
        .iter()
        .filter(|text| ReturnTo::parse(text).is_some())
        .collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
}

/// A file of texts that lead nowhere would show nothing.
#[test]
fn op_17_many_of_them_lead_to_another_origin() {
    let page = Url::parse(PAGE).unwrap();
    let leads_away = |text: &str| {
        page.join(text)
            .is_ok_and(|url| url.origin() != page.origin() || url.path().starts_with("//"))
    };
    let leading = hostile()
        .iter()
        .filter(|text| leads_away(text) || leads_away(&decoded(text)))
        .count();
    assert!(leading >= 150, "{leading}");
}

#[test]
fn op_05_op_17_a_place_on_this_origin_is_accepted_as_it_stands() {
    let distinct: HashSet<&str> = GOOD.into_iter().collect();
    assert_eq!(distinct.len(), GOOD.len());
    for text in GOOD {
        let accepted = ReturnTo::parse(text).unwrap_or_else(|| panic!("{text} is refused"));
        assert_eq!(accepted.as_str(), text);
        assert_eq!(accepted.to_string(), text);
    }
}

#[test]
fn op_17_a_text_of_more_than_2048_bytes_is_refused() {
    let long = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert!(ReturnTo::parse(&long(2_048)).is_some());
    assert!(ReturnTo::parse(&long(2_049)).is_none());
    assert!(ReturnTo::parse(&format!("/?{}", "%25".repeat(682))).is_some());
    assert!(ReturnTo::parse(&format!("/?%{}", "25".repeat(1_000))).is_none());
}

#[test]
fn op_05_path_and_query_of_a_request_are_kept() {
    let of = |uri: &str| ReturnTo::of(&uri.parse::<Uri>().unwrap()).map(|kept| kept.to_string());
    assert_eq!(
        of("/orders/17?page=2").as_deref(),
        Some("/orders/17?page=2")
    );
    assert_eq!(of("/").as_deref(), Some("/"));
    // The origin that a client names is not kept.
    assert_eq!(
        of("https://evil.example/orders?a=b").as_deref(),
        Some("/orders?a=b")
    );
    assert_eq!(of("https://evil.example").as_deref(), Some("/"));
    for refused in [
        "//evil.example",
        "/%5cevil.example",
        "/a/../b",
        "*",
        "evil.example:443",
    ] {
        assert_eq!(of(refused), None, "{refused}");
    }
}

#[test]
fn op_05_the_sign_in_url_says_where_to_go_back_to() {
    let place = ReturnTo::parse("/orders?page=2&q=a+b%20c#top").unwrap();
    let encoded = "%2Forders%3Fpage%3D2%26q%3Da%2Bb%2520c%23top";
    let table = [
        ("/sign-in", format!("/sign-in?return_to={encoded}")),
        ("/sign-in?", format!("/sign-in?return_to={encoded}")),
        ("/sign-in?a=b", format!("/sign-in?a=b&return_to={encoded}")),
        ("/sign-in?a=b&", format!("/sign-in?a=b&return_to={encoded}")),
        (
            "/sign-in#form",
            format!("/sign-in?return_to={encoded}#form"),
        ),
        (
            "/sign-in?a=b#f?g",
            format!("/sign-in?a=b&return_to={encoded}#f?g"),
        ),
        ("/sign-in#f?g", format!("/sign-in?return_to={encoded}#f?g")),
        (
            "https://id.example/in",
            format!("https://id.example/in?return_to={encoded}"),
        ),
    ];
    for (page, expected) in table {
        assert_eq!(place.sign_in_url(page, "return_to"), expected);
    }
    let url = place.sign_in_url("/sign-in", "a&b=c");
    assert!(url.starts_with("/sign-in?a%26b%3Dc="), "{url}");
}

/// What is sent away comes back as it was.
#[test]
fn op_05_every_place_survives_the_way_through_the_sign_in_page() {
    let page = Url::parse(PAGE).unwrap();
    for text in GOOD {
        let place = ReturnTo::parse(text).unwrap();
        let url = page
            .join(&place.sign_in_url("/sign-in?a=b", "return_to"))
            .unwrap();
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1].0, "return_to");
        assert_eq!(ReturnTo::parse(&pairs[1].1), Some(place));
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn op_17_whatever_is_accepted_stays_on_this_origin(
        text in prop_oneof![
            any::<String>(),
            "/([/\\\\.;:@?#%a\t]|%(2f|5c|2e|09|25|3b|40|c0|af)){0,12}",
            "/([.;:@a]|%2[5fFe]|%41|[/?#]){0,12}",
        ]
    ) {
        let page = Url::parse(PAGE).unwrap();
        if let Some(place) = ReturnTo::parse(&text) {
            prop_assert_eq!(place.as_str(), &text);
            // As it stands, and for those who decode it first.
            let mut read = text;
            for _ in 0..4 {
                let url = page.join(&read).unwrap();
                prop_assert_eq!(url.origin(), page.origin());
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(!url.path().starts_with("//"));
                read = decoded(&read);
            }
        }
    }
}
