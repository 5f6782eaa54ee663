//! Where a request comes from, as far as sessions note it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

/// From where, with what program, and in which request something happens to a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// The headers that tell how a request came about, as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    agent: Option<HeaderValue>,
    destination: Option<HeaderValue>,
    site: Option<HeaderValue>,
    purpose: Option<HeaderValue>,
}

impl Hints {
    /// In one pass: a look for each of them would cost every request more than its verification.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut hints = Self::default();
        let first = |hint: &mut Option<HeaderValue>, value: &HeaderValue| {
            hint.get_or_insert_with(|| value.clone());
        };
        let mut purpose = None;
        for (name, value) in headers {
            match name.as_str() {
                "user-agent" => first(&mut hints.agent, value),
                "sec-fetch-dest" => first(&mut hints.destination, value),
                "sec-fetch-site" => first(&mut hints.site, value),
                "sec-purpose" => first(&mut hints.purpose, value),
                "purpose" => first(&mut purpose, value),
                "next-router-prefetch" => first(&mut purpose, &PREFETCH),
                _ => {}
            }
        }
        hints.purpose = hints.purpose.or(purpose);
        hints
    }

    /// The program that the request names, cut to what a store keeps.
    pub(crate) fn agent(&self) -> Option<String> {
        const LONGEST: usize = 255;
        let agent = String::from_utf8_lossy(self.agent.as_ref()?.as_bytes());
        let shown = |letter: &char| !letter.is_control();
        Some(agent.chars().filter(shown).take(LONGEST).collect())
    }

    /// Whether the browser loads the page before anybody asked for it: nothing may come of that
    /// ([`Sec-Purpose`](https://fetch.spec.whatwg.org/#sec-purpose-header)).
    pub(crate) fn is_prefetch(&self) -> bool {
        self.purpose.as_ref().is_some_and(|purpose| {
            let purpose = purpose.as_bytes();
            [&b"prefetch"[..], b"prerender", b"preview"]
                .iter()
                .any(|word| {
                    purpose
                        .windows(word.len())
                        .any(|part| part.eq_ignore_ascii_case(word))
                })
        })
    }

    /// Whether no user can have meant to sign in with this request
    /// ([ASVS 7.6.2](https://github.com/OWASP/ASVS)): one that loads ahead, that loads something
    /// other than a page or data, or a frame within a page of another site.
    pub(crate) fn is_unintended(&self) -> bool {
        let destination = self.destination.as_ref().map(HeaderValue::as_bytes);
        let elsewhere = self
            .site
            .as_ref()
            .is_some_and(|site| site.as_bytes() == b"cross-site");
        self.is_prefetch()
            || match destination {
                // A page, what `fetch` asks for, and what a browser does not say.
                None | Some(b"document" | b"empty" | b"") => false,
                Some(b"iframe" | b"frame" | b"fencedframe") => elsewhere,
                Some(_) => true,
            }
    }
}

const PREFETCH: HeaderValue = HeaderValue::from_static("prefetch");
