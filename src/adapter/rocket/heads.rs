//! Conversions between Rocket's request and response heads and those of `http`.

use std::collections::HashSet;

use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use rocket::http::Header;
use rocket::{Request, Response};

fn of<'h>(headers: impl Iterator<Item = Header<'h>>) -> HeaderMap {
    let pair = |header: Header<'_>| {
        let name = HeaderName::try_from(header.name().as_str()).ok()?;
        Some((name, HeaderValue::try_from(header.value()).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.filter_map(pair) {
        map.append(name, value);
    }
    map
}

pub(super) fn of_request(request: &Request<'_>) -> HeaderMap {
    let mut headers = of(request.headers().iter());
    // The clients of Rocket's own tests send cookies without a header.
    if !headers.contains_key(COOKIE) {
        let cookies = request.cookies().iter();
        for cookie in cookies.map(|cookie| cookie.stripped().to_string()) {
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(COOKIE, cookie);
            }
        }
    }
    headers
}

pub(super) fn method(request: &Request<'_>) -> Method {
    // Rocket knows fewer methods than `http`, and each by its standard name.
    Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default()
}

/// Builds the head of a request for gates.
pub(super) fn parts(request: &Request<'_>) -> Result<Parts, http::Error> {
    let headers = of_request(request);
    let mut uri = Uri::builder().path_and_query(request.uri().to_string());
    // HTTP/2 has the host in the URI.
    if let Some(host) = request.host().filter(|_| !headers.contains_key(HOST)) {
        uri = uri.scheme("http").authority(host.to_string());
    }
    let head = http::Request::builder()
        .method(method(request))
        .uri(uri.build()?);
    let (mut head, ()) = head.body(())?.into_parts();
    head.headers = headers;
    Ok(head)
}

/// Edits a response's headers, and leaves those alone that `change` does not touch.
pub(super) fn change(response: &mut Response<'_>, change: impl FnOnce(&mut HeaderMap)) {
    let before = of(response.headers().iter());
    let mut after = before.clone();
    change(&mut after);
    let names: HashSet<&HeaderName> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (old, new) = (before.get_all(name), after.get_all(name));
        if old.iter().eq(&new) {
            continue;
        }
        response.remove_header(name.as_str());
        for value in &new {
            add_one(response, name, value);
        }
    }
}

pub(super) fn add(response: &mut Response<'_>, headers: &HeaderMap) {
    for (name, value) in headers {
        add_one(response, name, value);
    }
}

fn add_one(response: &mut Response<'_>, name: &HeaderName, value: &HeaderValue) {
    // Rocket allows no other values, and the library writes none.
    if let Ok(value) = std::str::from_utf8(value.as_bytes()) {
        response.adjoin_raw_header(name.as_str().to_owned(), value.to_owned());
    }
}
