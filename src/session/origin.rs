//! The origin of a request: address, program, and the headers that show how it came about.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use super::cookie::CookieHeaders;
use crate::events::is_hidden;

/// The address, program and request id of an event in a session's life.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// The headers' hints at how a request came about: prefetch, embedding, handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    agent: Option<HeaderValue>,
    prefetch: bool,
    unintended: bool,
    handshake: bool,
}

impl Hints {
    /// Reads the hints and the cookies in one pass: a lookup for each header would cost every request more
    /// than its verification.
    pub(crate) fn of(headers: &HeaderMap) -> (Self, CookieHeaders) {
        let (mut agent, mut destination, mut site) = (None, None, None);
        let (mut sec_purpose, mut purpose, mut upgrade) = (None, None, None);
        let (mut cookie, mut more_cookies) = (None, false);
        for (name, value) in headers {
            let name = name.as_str();
            // The length of the name rules most headers out.
            let hint = match name.len() {
                6 if name == "cookie" => {
                    more_cookies = cookie.replace(value).is_some();
                    continue;
                }
                7 if name == "purpose" => &mut purpose,
                7 if name == "upgrade" => &mut upgrade,
                10 if name == "user-agent" => &mut agent,
                11 if name == "sec-purpose" => &mut sec_purpose,
                14 if name == "sec-fetch-dest" => &mut destination,
                14 if name == "sec-fetch-site" => &mut site,
                20 if name == "next-router-prefetch" => {
                    purpose.get_or_insert(&PREFETCH);
                    continue;
                }
                _ => continue,
            };
            hint.get_or_insert(value);
        }
        let prefetch = sec_purpose.or(purpose).is_some_and(is_prefetch);
        let hints = Self {
            agent: agent.cloned(),
            prefetch,
            unintended: prefetch || is_unintended(destination, site),
            handshake: upgrade.is_some_and(is_handshake),
        };
        let cookies = match cookie {
            Some(only) if !more_cookies => CookieHeaders::One(only.clone()),
            Some(_) => CookieHeaders::of(headers),
            None => CookieHeaders::None,
        };
        (hints, cookies)
    }

    /// Returns the `User-Agent`, cut to what a store keeps.
    pub(crate) fn agent(&self) -> Option<String> {
        const LONGEST: usize = 255;
        let agent = String::from_utf8_lossy(self.agent.as_ref()?.as_bytes());
        let shown = |letter: &char| !is_hidden(*letter);
        Some(agent.chars().filter(shown).take(LONGEST).collect())
    }

    /// Returns whether the browser loads the page before the user requested it: such a request may have no
    /// effect ([`Sec-Purpose`](https://fetch.spec.whatwg.org/#sec-purpose-header)).
    pub(crate) const fn is_prefetch(&self) -> bool {
        self.prefetch
    }

    /// Returns whether the request upgrades the connection, as that of a socket. Another site can have a
    /// browser send that only by the handshake of a WebSocket.
    pub(crate) const fn is_handshake(&self) -> bool {
        self.handshake
    }

    /// Returns whether no user can have intended to sign in with this request ([ASVS
    /// 7.6.2](https://github.com/OWASP/ASVS)): it is a prefetch, or loads something other than a page or
    /// data, or a frame within a page of another site.
    pub(crate) const fn is_unintended(&self) -> bool {
        self.unintended
    }
}

fn is_prefetch(purpose: &HeaderValue) -> bool {
    let purpose = purpose.as_bytes();
    [&b"prefetch"[..], b"prerender", b"preview"]
        .iter()
        .any(|word| {
            let mut parts = purpose.windows(word.len());
            parts.any(|part| part.eq_ignore_ascii_case(word))
        })
}

/// Returns whether the header asks for a handshake. Some clients offer HTTP/2 with every request, which is no
/// handshake.
fn is_handshake(upgrade: &HeaderValue) -> bool {
    !upgrade.as_bytes().trim_ascii().eq_ignore_ascii_case(b"h2c")
}

fn is_unintended(destination: Option<&HeaderValue>, site: Option<&HeaderValue>) -> bool {
    match destination.map(HeaderValue::as_bytes) {
        // A page, data for `fetch`, or no information from the browser.
        None | Some(b"document" | b"empty" | b"") => false,
        Some(b"iframe" | b"frame" | b"fencedframe") => {
            site.is_some_and(|site| site.as_bytes() == b"cross-site")
        }
        Some(_) => true,
    }
}

static PREFETCH: HeaderValue = HeaderValue::from_static("prefetch");
