//! Where a request comes from, as far as sessions note it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use super::cookie::CookieHeaders;
use crate::audit::is_hidden;

/// From where, with what program, and in which request something happens to a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// What the headers tell of how a request came about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    agent: Option<HeaderValue>,
    prefetch: bool,
    unintended: bool,
    handshake: bool,
}

impl Hints {
    /// With the cookies, in one pass: a look for each of them would cost every request more than its
    /// verification.
    pub(crate) fn of(headers: &HeaderMap) -> (Self, CookieHeaders) {
        let (mut agent, mut destination, mut site) = (None, None, None);
        let (mut sec_purpose, mut purpose, mut upgrade) = (None, None, None);
        let (mut cookie, mut more_cookies) = (None, false);
        for (name, value) in headers {
            let name = name.as_str();
            // Most are told by their length alone.
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

    /// The program that the request names, cut to what a store keeps.
    pub(crate) fn agent(&self) -> Option<String> {
        const LONGEST: usize = 255;
        let agent = String::from_utf8_lossy(self.agent.as_ref()?.as_bytes());
        let shown = |letter: &char| !is_hidden(*letter);
        Some(agent.chars().filter(shown).take(LONGEST).collect())
    }

    /// Whether the browser loads the page before anybody asked for it: nothing may come of that
    /// ([`Sec-Purpose`](https://fetch.spec.whatwg.org/#sec-purpose-header)).
    pub(crate) const fn is_prefetch(&self) -> bool {
        self.prefetch
    }

    /// Whether the connection is to become another one, as that of a socket. No site can have a browser send
    /// that but with the handshake of a WebSocket.
    pub(crate) const fn is_handshake(&self) -> bool {
        self.handshake
    }

    /// Whether no user can have meant to sign in with this request
    /// ([ASVS 7.6.2](https://github.com/OWASP/ASVS)): one that loads ahead, that loads something
    /// other than a page or data, or a frame within a page of another site.
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

/// Some clients offer HTTP/2 with every request that they make, which is still that request.
fn is_handshake(upgrade: &HeaderValue) -> bool {
    !upgrade.as_bytes().trim_ascii().eq_ignore_ascii_case(b"h2c")
}

fn is_unintended(destination: Option<&HeaderValue>, site: Option<&HeaderValue>) -> bool {
    match destination.map(HeaderValue::as_bytes) {
        // A page, what `fetch` asks for, and what a browser does not say.
        None | Some(b"document" | b"empty" | b"") => false,
        Some(b"iframe" | b"frame" | b"fencedframe") => {
            site.is_some_and(|site| site.as_bytes() == b"cross-site")
        }
        Some(_) => true,
    }
}

static PREFETCH: HeaderValue = HeaderValue::from_static("prefetch");
