//! Security headers of responses, and resource isolation by the Fetch Metadata headers of requests.

use std::time::Duration;

use async_trait::async_trait;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::gate::{Check, Gate};
use crate::answer::problem;
use crate::error::{Error, Result};
use crate::events;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The response headers by which a browser protects an application
/// ([ASVS 5.0, V3.4](https://github.com/OWASP/ASVS)).
///
/// | header | value | ASVS |
/// |---|---|---|
/// | `Content-Security-Policy` | `default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'` | 3.4.3, 3.4.6 |
/// | `X-Content-Type-Options` | `nosniff` | 3.4.4 |
/// | `Referrer-Policy` | `same-origin` | 3.4.5 |
/// | `Cross-Origin-Opener-Policy` | `same-origin` | 3.4.8 |
/// | `Cross-Origin-Resource-Policy` | `same-origin` | 3.5.8 |
/// | `Strict-Transport-Security` | none, unless [`hsts`](Self::hsts) says so | 3.4.1 |
///
/// A response that has one of these headers already keeps its own, which is how a single page opens
/// what the others do not: a policy with a nonce of its own, or a picture that other sites may show.
///
/// With `Referrer-Policy: same-origin` no other site learns a URL, or where somebody came from. `no-referrer`
/// would hide no more from them, and would make browsers write `Origin: null` into the application's own
/// forms ([Fetch, "append a request `Origin`
/// header"](https://fetch.spec.whatwg.org/#append-a-request-origin-header)), whose `Origin` would then look
/// like that of forged ones.
///
/// Some browsers apply `form-action` to the redirect behind a form, too. Where a form leads to another site,
/// such as that of an identity provider, name that one in a policy.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use clearance::route::SecurityHeaders;
/// use http::HeaderMap;
///
/// const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
///
/// let security = SecurityHeaders::new().hsts(YEAR, true)?;
/// let mut response = HeaderMap::new();
/// security.write(&mut response);
/// assert_eq!(response["x-content-type-options"], "nosniff");
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it does nothing until it is written into a response"]
pub struct SecurityHeaders {
    policy: HeaderValue,
    transport: Option<HeaderValue>,
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl SecurityHeaders {
    /// Builds the headers of the table above.
    pub const fn new() -> Self {
        Self {
            policy: HeaderValue::from_static(
                "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
            ),
            transport: None,
        }
    }

    /// Sets another `Content-Security-Policy`, in full: none of the strict one's directives stay.
    ///
    /// The application is responsible for what it allows. It must have the directives that ASVS 3.4.3 and
    /// 3.4.6 require: `object-src 'none'`, `base-uri 'none'`, `default-src` or `script-src`, and
    /// `frame-ancestors`, for which `default-src` is no fallback.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when one of those is missing, which the message names; and when the
    /// text cannot stand in a header, or holds a comma, behind which
    /// [another policy](https://www.w3.org/TR/CSP3/#parse-response-csp) would begin.
    pub fn content_security_policy(mut self, policy: &str) -> Result<Self> {
        let value = HeaderValue::from_str(policy).ok();
        let value = value.filter(|_| policy.is_ascii() && !policy.contains(','));
        self.policy = value.ok_or_else(|| {
            Error::configuration(
                "a `Content-Security-Policy` is one line of visible ASCII without a comma: separate its directives by `;`",
            )
        })?;
        let none = |name| directive(policy, name).is_some_and(|value| is_word(value, "'none'"));
        let stated = |name| directive(policy, name).is_some();
        let missing: Vec<&str> = [
            (none("object-src"), "`object-src 'none'`"),
            (none("base-uri"), "`base-uri 'none'`"),
            (
                stated("default-src") || stated("script-src"),
                "`default-src` or `script-src`",
            ),
            (stated("frame-ancestors"), "`frame-ancestors`"),
        ]
        .into_iter()
        .filter_map(|(there, what)| (!there).then_some(what))
        .collect();
        if missing.is_empty() {
            Ok(self)
        } else {
            Err(Error::configuration(format!(
                "the `Content-Security-Policy` does not state {}",
                missing.join(", ")
            )))
        }
    }

    /// Adds `Strict-Transport-Security`: browsers then reach the application over HTTPS alone for `max_age`,
    /// in whole seconds, from the last response on, and with `include_subdomains` every host below its own,
    /// too (ASVS 3.4.1 from level 2 on). It cannot be revoked before that time is over, so it is opt-in.
    ///
    /// It may be sent over HTTPS only ([RFC 6797, section
    /// 7.2](https://www.rfc-editor.org/rfc/rfc6797#section-7.2)), and the scheme of a response is not known
    /// here: call it where the application's URL is one of `https:`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] for less than a year of 365 days.
    pub fn hsts(mut self, max_age: Duration, include_subdomains: bool) -> Result<Self> {
        const LEAST_SECONDS: u64 = 365 * 24 * 60 * 60;

        let seconds = max_age.as_secs();
        if seconds < LEAST_SECONDS {
            return Err(Error::configuration(format!(
                "the `max-age` of `Strict-Transport-Security` must be at least a year, which is {LEAST_SECONDS} seconds"
            )));
        }
        let subdomains = if include_subdomains {
            "; includeSubDomains"
        } else {
            ""
        };
        let value = HeaderValue::try_from(format!("max-age={seconds}{subdomains}"));
        self.transport = Some(value.map_err(|_| {
            Error::internal("the header `Strict-Transport-Security` could not be written")
        })?);
        Ok(self)
    }

    /// Builds the gate, which writes the headers on every response, and refuses no request.
    #[must_use]
    pub fn build(self) -> Gate {
        Gate::new(self)
    }

    /// Adds each of the headers that the response does not have yet.
    pub fn write(&self, headers: &mut HeaderMap) {
        let same_origin = HeaderValue::from_static("same-origin");
        let all = [
            (CONTENT_SECURITY_POLICY, Some(self.policy.clone())),
            (
                X_CONTENT_TYPE_OPTIONS,
                Some(HeaderValue::from_static("nosniff")),
            ),
            (REFERRER_POLICY, Some(same_origin.clone())),
            (CROSS_ORIGIN_OPENER_POLICY, Some(same_origin.clone())),
            (CROSS_ORIGIN_RESOURCE_POLICY, Some(same_origin)),
            (STRICT_TRANSPORT_SECURITY, self.transport.clone()),
        ];
        for (name, value) in all {
            if let Some(value) = value {
                headers.entry(name).or_insert(value);
            }
        }
    }
}

/// Returns the value of a directive. Of several with one name the first counts ([CSP3, section
/// 2.2.1](https://www.w3.org/TR/CSP3/#parse-serialized-policy)).
fn directive<'p>(policy: &'p str, name: &str) -> Option<&'p str> {
    policy.split(';').find_map(|directive| {
        let directive = directive.trim_ascii();
        let end = directive.find(|letter: char| letter.is_ascii_whitespace());
        let (found, value) = directive.split_at(end.unwrap_or(directive.len()));
        is_word(found, name).then_some(value.trim_ascii())
    })
}

fn is_word(text: &str, word: &str) -> bool {
    text.eq_ignore_ascii_case(word)
}

/// A gate that refuses to be loaded or embedded by pages of other sites, so that they get nothing by the
/// cookies of a visitor (ASVS 3.5.8): a [resource isolation policy](https://web.dev/articles/fetch-metadata)
/// over the headers of [Fetch Metadata](https://www.w3.org/TR/fetch-metadata/), which no page can set.
///
/// Another site may still link to the application: a `GET` that opens a page in a tab passes. It may
/// not frame a page, show a picture, load a script, call an API or submit a form. Leave paths out
/// that are meant for other sites, such as an API with `CORS`, or to which an identity provider posts
/// its answer.
///
/// A request without `Sec-Fetch-Site` passes, since programs other than browsers do not send it, and browsers
/// only over HTTPS. So use it beside a `SameSite` session cookie and the protection against forged requests,
/// and not instead of them. Pages of other hosts of the same site are not refused.
///
/// # Example
///
/// ```
/// use clearance::route::ResourceIsolation;
/// use http::{HeaderMap, HeaderValue, Method};
///
/// let mut headers = HeaderMap::new();
/// headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
/// headers.insert("sec-fetch-mode", HeaderValue::from_static("no-cors"));
/// headers.insert("sec-fetch-dest", HeaderValue::from_static("image"));
/// assert!(!ResourceIsolation::new().check(&headers, &Method::GET));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceIsolation(());

impl ResourceIsolation {
    /// Builds the policy.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    /// Builds the gate, which answers 403 to what the policy refuses.
    #[must_use]
    pub fn build(self) -> Gate {
        Gate::new(self)
    }

    /// Returns whether the policy allows a request with this method and these headers; answer 403 where not.
    ///
    /// An unknown value of `Sec-Fetch-Site` counts as another site.
    #[must_use]
    pub fn check(&self, headers: &HeaderMap, method: &Method) -> bool {
        let sites = headers.get_all(SEC_FETCH_SITE);
        let is_own =
            |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"same-site" | b"none");
        let says = |name, word: &str| headers.get(name).is_some_and(|value| value == word);
        sites.iter().all(is_own)
            || (method == Method::GET
                && says(SEC_FETCH_MODE, "navigate")
                && says(SEC_FETCH_DEST, "document"))
    }
}

#[async_trait]
impl Check for SecurityHeaders {
    async fn check(&self, _: &Parts) -> Result<(), Response<String>> {
        Ok(())
    }

    fn finish(&self, headers: &mut HeaderMap) {
        self.write(headers);
    }
}

#[async_trait]
impl Check for ResourceIsolation {
    async fn check(&self, head: &Parts) -> Result<(), Response<String>> {
        if Self::check(self, &head.headers, &head.method) {
            return Ok(());
        }
        events::forged_request("embedded by another site");
        Err(problem(StatusCode::FORBIDDEN, None, &[]))
    }
}
