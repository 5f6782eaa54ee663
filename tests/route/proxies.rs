//! ASVS 15.3.4: whose word on a client's address counts.

use std::net::IpAddr;

use clearance::route::TrustedProxies;
use http::{HeaderMap, HeaderValue};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn forwarded(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
        headers.append("x-forwarded-for", value);
    }
    headers
}

fn proxies() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/8", "192.0.2.10", "2001:db8:1::/48", "::1"]).unwrap()
}

/// The client of a request from the proxy `10.0.0.1`.
fn client(lines: &[&str]) -> IpAddr {
    proxies().client(ip("10.0.0.1"), &forwarded(lines))
}

#[test]
fn asvs_15_3_4_the_header_of_a_stranger_is_not_read() {
    let spoof = forwarded(&["127.0.0.1", "10.0.0.9"]);
    for peer in ["198.51.100.9", "2001:db8:2::9", "11.0.0.1", "192.0.2.11"] {
        assert_eq!(proxies().client(ip(peer), &spoof), ip(peer));
    }
    let nobody = TrustedProxies::new([] as [&str; 0]).unwrap();
    assert_eq!(nobody.client(ip("10.0.0.1"), &spoof), ip("10.0.0.1"));
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client(ip("127.0.0.1"), &spoof), ip("127.0.0.1"));
}

#[test]
fn asvs_15_3_4_what_a_client_writes_itself_does_not_count() {
    // The proxy adds whom it heard to what the client sent: in the same line, or in one of its own.
    assert_eq!(client(&["127.0.0.1, 203.0.113.7"]), ip("203.0.113.7"));
    assert_eq!(client(&["127.0.0.1", "203.0.113.7"]), ip("203.0.113.7"));
    assert_eq!(
        client(&["10.0.0.7, 10.0.0.8", "203.0.113.7, 10.0.0.2"]),
        ip("203.0.113.7")
    );
    // A client that names itself in another header is not heard at all.
    let mut headers = forwarded(&["203.0.113.7"]);
    for name in [
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
    ] {
        headers.insert(name, HeaderValue::from_static("127.0.0.1"));
    }
    assert_eq!(
        proxies().client(ip("10.0.0.1"), &headers),
        ip("203.0.113.7")
    );
    headers.remove("x-forwarded-for");
    assert_eq!(proxies().client(ip("10.0.0.1"), &headers), ip("10.0.0.1"));
}

#[test]
fn asvs_15_3_4_the_first_address_from_the_right_that_is_not_trusted_is_the_client() {
    let table = [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7,10.0.0.2,192.0.2.10", "203.0.113.7"),
        ("203.0.113.7 ,\t10.0.0.2", "203.0.113.7"),
        ("2001:db8:2::7, 2001:db8:1::1, ::1", "2001:db8:2::7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8:2::7]:4711", "2001:db8:2::7"),
        ("[2001:db8:2::7]", "2001:db8:2::7"),
        (
            "203.0.113.7, 10.0.0.2:443, [2001:db8:1::1]:443",
            "203.0.113.7",
        ),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
        ("203.0.113.7, [::ffff:10.0.0.2]:80", "203.0.113.7"),
        // All trusted.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    ];
    for (line, expected) in table {
        assert_eq!(client(&[line]), ip(expected), "{line}");
    }
    let mapped = ip("::ffff:10.0.0.1");
    let headers = forwarded(&["203.0.113.7"]);
    assert_eq!(proxies().client(mapped, &headers), ip("203.0.113.7"));
    let mapped = ip("::ffff:198.51.100.9");
    assert_eq!(proxies().client(mapped, &headers), ip("198.51.100.9"));
}

#[test]
fn asvs_15_3_4_what_is_no_address_ends_the_search() {
    for bad in [
        "",
        " ",
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.7.1",
        "0203.0.113.7",
        "203.0.113.256",
        "203.0.113.7/32",
        "203.0.113.7:",
        "203.0.113.7:99999",
        "[2001:db8::7",
        "2001:db8::7]",
        "[203.0.113.7]",
        "\"203.0.113.7\"",
        "for=203.0.113.7",
        "203.0.113.7 10.0.0.2",
        "é",
    ] {
        let line = format!("127.0.0.1, {bad}, 10.0.0.3, 10.0.0.2");
        assert_eq!(client(&[&line]), ip("10.0.0.3"), "{bad}");
        let line = format!("127.0.0.1, {bad}");
        assert_eq!(client(&[&line]), ip("10.0.0.1"), "{bad}");
    }
    let mut headers = forwarded(&["127.0.0.1"]);
    headers.append("x-forwarded-for", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(proxies().client(ip("10.0.0.1"), &headers), ip("10.0.0.1"));
}

#[test]
fn asvs_15_3_4_a_forged_chain_is_not_followed_for_long() {
    let chain = |hops: u8| {
        let hops = (1..=hops).rev().map(|hop| format!(", 10.1.1.{hop}"));
        format!("127.0.0.1{}", hops.collect::<String>())
    };
    assert_eq!(client(&[&chain(31)]), ip("127.0.0.1"));
    assert_eq!(client(&[&chain(32)]), ip("10.1.1.32"));
    assert_eq!(client(&[&chain(200)]), ip("10.1.1.32"));
}

#[test]
fn asvs_15_3_4_networks_are_checked_when_they_are_given() {
    for bad in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "proxy.example",
        "10.0.0.1-9",
        " 10.0.0.1",
        "10.0.0.1:80",
    ] {
        let error = TrustedProxies::new(["10.0.0.0/8", bad]).unwrap_err();
        assert!(error.is_configuration(), "{bad}");
        let text = error.to_string();
        assert!(
            text.contains("proxy 2") && text.contains(&format!("`{bad}`")),
            "{text}"
        );
    }
    for everybody in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
        let error = TrustedProxies::new([everybody]).unwrap_err();
        assert!(error.is_configuration(), "{everybody}");
    }
    let mapped = TrustedProxies::new([String::from("::ffff:10.0.0.0/104")]).unwrap();
    let headers = forwarded(&["203.0.113.7"]);
    assert_eq!(mapped.client(ip("10.9.9.9"), &headers), ip("203.0.113.7"));
    assert_eq!(mapped.client(ip("11.9.9.9"), &headers), ip("11.9.9.9"));
}
