//! The headers of a response that a request's session sets: its cookies, and that no cache may keep the response.

use std::sync::atomic::Ordering;

use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{RequestContext, lock};

impl RequestContext {
    /// Writes the session's headers to the response: the session cookie, if it was set or removed, and that
    /// no cache may keep a response that depends on it. Call it once, when the handler is done; the layers of
    /// this library do.
    pub fn finish(&self, headers: &mut HeaderMap) {
        self.write_headers(headers, false);
    }

    /// Writes the session's headers, once. `reads_later` says that the credential may be read after they are
    /// sent, so that the response must not be cached.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap, reads_later: bool) {
        self.inner.finished.store(true, Ordering::Release);
        let read = self.inner.credential_read.load(Ordering::Acquire);
        // Setting a cookie implies having read the credential.
        let mut cookies = Vec::new();
        if read {
            cookies = std::mem::take(&mut *lock(&self.inner.notes().set_cookies));
        }
        if cookies.is_empty() && read && !self.inner.hints.is_prefetch() {
            cookies = self.inner.slot().leftovers(&self.inner.first);
        }
        let depends = reads_later || read;
        if !cookies.is_empty() || depends {
            forbid_caching(headers);
        }
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
    }
}

/// Overrides the application's caching headers. Headers for one kind of cache (RFC 9213) would take
/// precedence over `Cache-Control`, so they are removed.
fn forbid_caching(headers: &mut HeaderMap) {
    let targeted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.ends_with("-cache-control") || name == "surrogate-control" || name == "expires"
        })
        .cloned()
        .collect();
    for name in targeted {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    let varies = headers.get_all(VARY).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|field| field == b"*" || field.eq_ignore_ascii_case(COOKIE.as_str().as_bytes()))
    });
    if !varies {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}
