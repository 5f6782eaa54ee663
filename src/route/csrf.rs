//! Protection against cross-site request forgery (CSRF), by `Sec-Fetch-Site`, `Origin` or a token.

use async_trait::async_trait;
use http::header::{CONNECTION, COOKIE, HOST, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use url::Url;

use super::gate::{Check, Gate};
use crate::answer::problem;
use crate::error::{Error, Result};
use crate::events;
use crate::request::RequestContext;
use crate::session::{CsrfToken, is_loopback};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A gate against cross-site request forgery: it refuses requests that another site had a browser send ([ASVS
/// 3.5.1](https://github.com/OWASP/ASVS)).
///
/// A request with a safe method passes, since it [changes nothing](crate::RequestContext::of_parts); a
/// handshake that upgrades the connection does not count as one. Of the others,
///
/// 1. [`Sec-Fetch-Site`](https://www.w3.org/TR/fetch-metadata/) decides, where the browser says it:
///    `same-origin` and `none` pass;
/// 2. else `Origin` does: it must be that of the application's
///    [address](crate::session::SessionsBuilder::app_url), in scheme, host and port, or a
///    [trusted one](Self::trust). Where the session cookie has a
///    [domain](crate::session::CookieConfig::domain), it may also be the one that `Host` names, below that
///    domain and over the scheme of the address;
/// 3. where neither is said, by an old browser or by no browser, a request without any cookie passes, and one
///    with cookies only with the session's [token](crate::RequestContext::csrf_token): in the header
///    `x-csrf-token`, or in a form field that the handler gives to
///    [`verify_csrf_token`](crate::RequestContext::verify_csrf_token). Until then such a request can
///    read and change nothing.
///
/// Put it inside of the session layer, and around everything else. Outside of it the application's address is
/// unknown, and `Origin` must be the one that `Host` names: over `https:`, or over `http:` at a loopback
/// address.
///
/// # Example
///
/// ```
/// use clearance::route::{Csrf, Gate};
///
/// fn gate() -> clearance::Result<Gate> {
///     Csrf::new().trust("https://pay.example").build()
/// }
/// # gate().unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Csrf {
    trusted: Vec<String>,
}

impl Csrf {
    /// Builds a check that trusts the application's own origin alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts another origin, such as `https://pay.example`, also where `Sec-Fetch-Site` calls it cross-site.
    /// Name every other address at which browsers reach the application.
    #[must_use]
    pub fn trust(mut self, origin: &str) -> Self {
        self.trusted.push(origin.to_owned());
        self
    }

    /// Builds the gate.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] for a text that is no origin: a scheme, a host and no path.
    pub fn build(self) -> Result<Gate> {
        let origin = |text: &String| {
            let parsed = parse(text).filter(|url| {
                url.path() == "/" && url.query().is_none() && url.fragment().is_none()
            });
            parsed.map(|url| url.origin()).ok_or_else(|| {
                Error::configuration(format!(
                    "`{text}` is not an origin: write a scheme, a host and, unless it is the default, a port, as in `https://pay.example`"
                ))
            })
        };
        let trusted = self.trusted.iter().map(origin).collect::<Result<_>>()?;
        Ok(Gate::new(Checked { trusted }))
    }
}

/// The origin of a request, judged by its headers.
#[derive(Debug, PartialEq, Eq)]
enum Provenance {
    /// The application itself, a trusted origin, or a client that is no browser.
    Own,
    /// Another site, or contradictory headers.
    Foreign,
    /// Undecided: the headers do not show it.
    Unknown,
}

struct Checked {
    trusted: Vec<url::Origin>,
}

impl Checked {
    fn judge(&self, head: &Parts) -> Provenance {
        if head.method.is_safe() && !is_upgrade(head) {
            return Provenance::Own;
        }
        let Ok((site, origin)) =
            one(&head.headers, &SITE).and_then(|site| Ok((site, one(&head.headers, &ORIGIN)?)))
        else {
            return Provenance::Foreign;
        };
        let origin = origin.map(|value| value.to_str().ok().and_then(parse));
        if let Some(Some(origin)) = &origin
            && self.trusted.contains(&origin.origin())
        {
            return Provenance::Own;
        }
        match (site.map(HeaderValue::as_bytes), origin) {
            (Some(b"same-origin" | b"none"), _) => Provenance::Own,
            (Some(_), _) => Provenance::Foreign,
            (None, Some(Some(origin))) if is_own(&origin, head) => Provenance::Own,
            (None, Some(_)) => Provenance::Foreign,
            (None, None) if head.headers.contains_key(COOKIE) => Provenance::Unknown,
            (None, None) => Provenance::Own,
        }
    }
}

#[async_trait]
impl Check for Checked {
    async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        match self.judge(head) {
            Provenance::Own => Ok(()),
            Provenance::Foreign => Err(refused("another site")),
            Provenance::Unknown => {
                let Ok(context) = RequestContext::current() else {
                    return Err(refused("no session layer around the gate"));
                };
                context.doubt();
                let token = one(&head.headers, &HeaderName::from_static(CsrfToken::HEADER));
                match token.map(|token| token.map(HeaderValue::to_str)) {
                    Ok(None) => Ok(()),
                    Ok(Some(Ok(token))) if context.verify_csrf_token(token).is_ok() => Ok(()),
                    Ok(Some(_)) | Err(_) => Err(refused("a wrong token")),
                }
            }
        }
    }
}

fn refused(why: &'static str) -> Response<String> {
    events::forged_request(why);
    let detail = "this request does not come from the application's own pages";
    problem(StatusCode::FORBIDDEN, Some(detail), &[])
}

/// Returns the single value of a header. Two values are an error: either could be the browser's.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value),
    }
}

/// Parses an origin with a host: not `null`, and without user information.
fn parse(origin: &str) -> Option<Url> {
    let url = Url::parse(origin).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    (plain && url.has_host() && url.origin().is_tuple()).then_some(url)
}

/// Returns whether pages of `origin` are the application's own. `Host` has no scheme, so the scheme is
/// compared as well: otherwise a page that an attacker on the network forged at `http:` would pass as one of
/// an application over `https:`.
fn is_own(origin: &Url, head: &Parts) -> bool {
    let context = RequestContext::current().ok();
    match context.as_ref().and_then(RequestContext::app_address) {
        Some(address) => {
            address.is(origin) || (address.shares_cookie(origin) && is_host(origin, head))
        }
        None => {
            let encrypted = origin.scheme() == "https";
            let private = origin.host_str().is_some_and(is_loopback);
            (encrypted || private) && is_host(origin, head)
        }
    }
}

/// Returns whether the request was sent to the host of `origin`.
fn is_host(origin: &Url, head: &Parts) -> bool {
    let named = match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => one(&head.headers, &HOST)
            .ok()
            .flatten()
            .and_then(|host| host.to_str().ok()),
    };
    named
        .and_then(|host| parse(&format!("{}://{host}", origin.scheme())))
        .is_some_and(|own| own.path() == "/" && own.origin() == origin.origin())
}

/// Returns whether the request is a handshake that upgrades the connection, such as that of a WebSocket: its
/// method is safe, but it can lead to more than other requests with one.
fn is_upgrade(head: &Parts) -> bool {
    let upgrades = head.headers.get_all(CONNECTION).iter().any(|value| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    head.method == Method::GET && (upgrades || head.headers.contains_key(UPGRADE))
}
