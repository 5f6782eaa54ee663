//! Conversions between the types of http 0.2, which actix-web uses, and those of http 1.

use actix_web::dev::ServiceRequest;
use actix_web::http::header as actix;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::error::{Error, Result};

/// Converts the head of a request. With HTTP/2 the URI already has the authority.
pub(super) fn head(request: &ServiceRequest) -> Result<Parts> {
    let uri: Uri = request
        .uri()
        .to_string()
        .parse()
        .map_err(|_| Error::invalid())?;
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method(request)?;
    head.uri = uri;
    head.headers = headers(request)?;
    Ok(head)
}

pub(super) fn method(request: &ServiceRequest) -> Result<Method> {
    Method::from_bytes(request.method().as_str().as_bytes()).map_err(|_| Error::invalid())
}

/// Converts all headers, or fails: a check must not pass because it does not see one.
pub(super) fn headers(request: &ServiceRequest) -> Result<HeaderMap> {
    let mut copy = HeaderMap::new();
    for (name, value) in request.headers() {
        let (name, value) = pair(name, value).ok_or_else(Error::invalid)?;
        copy.try_append(name, value).map_err(|_| Error::invalid())?;
    }
    Ok(copy)
}

/// Edits the headers of a response as those of http 1. Headers that `change` leaves alone stay as they are.
pub(super) fn edit(headers: &mut actix::HeaderMap, change: impl FnOnce(&mut HeaderMap)) {
    let mut before = HeaderMap::new();
    for (name, value) in headers.iter().filter_map(|(name, value)| pair(name, value)) {
        // Of more than there may be, the rest is not seen here, and stays.
        let _full = before.try_append(name, value);
    }
    let mut after = before.clone();
    change(&mut after);
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        headers.remove(name.as_str());
    }
    for name in after.keys() {
        if before.get_all(name) == after.get_all(name) {
            continue;
        }
        headers.remove(name.as_str());
        for value in after.get_all(name) {
            if let Some((name, value)) = pair_back(name, value) {
                headers.append(name, value);
            }
        }
    }
}

fn pair(name: &actix::HeaderName, value: &actix::HeaderValue) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    Some((name, self::value(value)?))
}

pub(super) fn value(value: &actix::HeaderValue) -> Option<HeaderValue> {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    copy.set_sensitive(value.is_sensitive());
    Some(copy)
}

fn pair_back(
    name: &HeaderName,
    value: &HeaderValue,
) -> Option<(actix::HeaderName, actix::HeaderValue)> {
    let name = actix::HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    let mut copy = actix::HeaderValue::from_bytes(value.as_bytes()).ok()?;
    copy.set_sensitive(value.is_sensitive());
    Some((name, copy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'a>(headers: &'a actix::HeaderMap, name: &str) -> Vec<&'a [u8]> {
        headers
            .get_all(name)
            .map(actix::HeaderValue::as_bytes)
            .collect()
    }

    #[test]
    fn what_is_changed_is_written_back_and_the_rest_stays() {
        let mut headers = actix::HeaderMap::new();
        let mut secret = actix::HeaderValue::from_static("a=1");
        secret.set_sensitive(true);
        headers.append(actix::SET_COOKIE, secret);
        headers.append(actix::SET_COOKIE, actix::HeaderValue::from_static("b=2"));
        headers.insert(actix::EXPIRES, actix::HeaderValue::from_static("0"));
        headers.insert(
            actix::CACHE_CONTROL,
            actix::HeaderValue::from_static("public"),
        );
        let foreign = actix::HeaderValue::from_bytes(b"caf\xe9").unwrap();
        headers.insert(actix::ETAG, foreign);
        edit(&mut headers, |headers| {
            assert_eq!(headers.len(), 5);
            headers.append(http::header::SET_COOKIE, HeaderValue::from_static("c=3"));
            headers.remove(http::header::EXPIRES);
            headers.insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            );
        });
        assert_eq!(all(&headers, "set-cookie"), [b"a=1", b"b=2", b"c=3"]);
        assert!(headers.get("set-cookie").unwrap().is_sensitive());
        assert!(!headers.contains_key("expires"));
        assert_eq!(all(&headers, "cache-control"), [b"no-store"]);
        assert_eq!(all(&headers, "etag"), [b"caf\xe9"]);
    }

    #[test]
    fn the_head_of_a_request_is_whole() {
        let request = actix_web::test::TestRequest::with_uri("https://a.example/x%2Fy?z=1")
            .method(actix_web::http::Method::from_bytes(b"PURGE").unwrap())
            .append_header(("cookie", "a=1"))
            .append_header(("cookie", "b=2"))
            .to_srv_request();
        let head = head(&request).unwrap();
        assert_eq!(head.method.as_str(), "PURGE");
        assert_eq!(head.uri, "https://a.example/x%2Fy?z=1");
        let cookies: Vec<_> = head.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
    }

    /// Checks the limit of `http`, which panics with this many headers.
    #[test]
    fn more_headers_than_can_be_held_are_refused() {
        let mut request = actix_web::test::TestRequest::default().to_srv_request();
        for number in 0..40_000 {
            let name = actix::HeaderName::try_from(format!("x-{number}")).unwrap();
            let value = actix::HeaderValue::from_static("");
            request.headers_mut().insert(name, value);
        }
        assert!(headers(&request).unwrap_err().is_invalid());
        assert!(head(&request).unwrap_err().is_invalid());
    }
}
