//! The types of http 0.2, which actix-web has, as those of http 1, and back.

use actix_web::dev::ServiceRequest;
use actix_web::http::header as actix;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::error::{Error, Result};

/// The head of a request. That of HTTP/2 has its authority in the URI already.
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

/// All headers, or an error: a check must not pass because it does not see one.
pub(super) fn headers(request: &ServiceRequest) -> Result<HeaderMap> {
    let mut copy = HeaderMap::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        let (name, value) = pair(name, value).ok_or_else(Error::invalid)?;
        copy.try_append(name, value).map_err(|_| Error::invalid())?;
    }
    Ok(copy)
}

/// Changes headers of a response as if they were those of http 1. What is not changed stays as it is.
pub(super) fn edit(headers: &mut actix::HeaderMap, change: impl FnOnce(&mut HeaderMap)) {
    let before: HeaderMap = headers
        .iter()
        .filter_map(|(name, value)| pair(name, value))
        .collect();
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
