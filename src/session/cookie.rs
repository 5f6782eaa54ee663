//! The session's cookie: found in a request by bytes, written through the `cookie` crate.

use std::borrow::Cow;

use cookie::time::OffsetDateTime;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Uri};

use super::chunks;
pub(crate) use super::chunks::Stale;
use crate::error::{Error, Refusal, Result};

/// The maximum `Max-Age` of a cookie that browsers honour, 400 days, in seconds ([RFC 6265bis, section
/// 5.5](https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-max-age-attribute)).
pub(crate) const MAX_AGE_LIMIT_SECONDS: i64 = 400 * 24 * 60 * 60;

/// The `SameSite` attribute: the requests from other sites with which a browser sends the session cookie.
///
/// Exhaustive: the standard has these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Sent when the user follows a link to the application, and with its own requests.
    #[default]
    Lax,
    /// Sent with the application's own requests only.
    Strict,
    /// Sent with all; needs HTTPS, and the application's own protection against forged requests.
    None,
}

impl SameSite {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

/// The attributes of the session cookie. It is always `HttpOnly`.
///
/// By default it is named `__Host-session` over HTTPS, `__Secure-session` when a path or domain is set, and
/// `session` over plain HTTP. `Secure` follows from the scheme of the application's URL.
///
/// # Example
///
/// ```
/// use clearance::session::{CookieConfig, SameSite};
///
/// let cookie = CookieConfig::new().path("/app").same_site(SameSite::Strict);
/// # let _ = cookie;
/// ```
#[derive(Debug, Clone, Default)]
pub struct CookieConfig {
    name: Option<String>,
    path: Option<String>,
    domain: Option<String>,
    same_site: SameSite,
    secure: Option<bool>,
}

impl CookieConfig {
    /// Builds the default attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the whole name, including a prefix if it is to have one.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the path below which browsers send the cookie.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets the domain that shares the cookie with all its subdomains: the application's host or one above
    /// it.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets the [`SameSite`] attribute; `Lax` by default.
    #[must_use]
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Asserts that the cookie is `Secure`, or not. The value follows from the application's URL, and a
    /// contradiction fails when the sessions are built.
    #[must_use]
    pub const fn secure(mut self, secure: bool) -> Self {
        self.secure = Some(secure);
        self
    }

    /// Checks all attributes against each other and the application's URL, so that an invalid configuration
    /// fails before any request.
    pub(super) fn resolve(self, app_url: &str, development: bool) -> Result<Cookie> {
        let (secure, host) = parse_app_url(app_url)?;
        let refuse = |advice: &'static str| Err(Error::configuration(advice));

        let permitted = secure || (development && is_loopback(&host));
        if !permitted {
            return refuse(
                "the application's URL must be `https:`, so that nobody on the way reads the session cookie; on a developer's own machine, `.development()` permits `http://localhost`",
            );
        }

        if self.secure.is_some_and(|stated| stated != secure) {
            return refuse(
                "the session cookie's `Secure` does not agree with the application's URL: it is on for `https:` and off for `http:`, so remove `secure`",
            );
        }
        if self.same_site == SameSite::None && !secure {
            return refuse(
                "`SameSite=None` needs `Secure`: serve the application over `https:` or use `Lax`",
            );
        }
        if let Some(path) = &self.path
            && !(path.starts_with('/')
                && path.bytes().all(|b| matches!(b, 0x20..0x7f) && b != b';'))
        {
            return refuse(
                "the session cookie's path must start with `/` and hold neither `;` nor control characters",
            );
        }
        if let Some(domain) = &self.domain
            && !covers(domain, &host)
        {
            return refuse(
                "the session cookie's domain must be the host of the application's URL or a domain above it, written without a leading dot",
            );
        }
        let narrow = self.domain.is_none() && self.path.as_deref().is_none_or(|path| path == "/");
        let name = self.name.unwrap_or_else(|| {
            let default = match (secure, narrow) {
                (true, true) => "__Host-session",
                (true, false) => "__Secure-session",
                (false, _) => "session",
            };
            default.to_owned()
        });
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return refuse(
                "the session cookie's name must be a token: letters, digits and `!#$%&'*+-.^_`|~`",
            );
        }
        // Browsers compare the prefixes without regard to case.
        let lower = name.to_ascii_lowercase();
        if (lower.starts_with("__host-") || lower.starts_with("__secure-")) && !secure {
            return refuse(
                "a cookie named `__Host-` or `__Secure-` needs `Secure`: serve the application over `https:` or choose another name",
            );
        }
        if lower.starts_with("__host-") && !narrow {
            return refuse(
                "a cookie named `__Host-` has no domain and the path `/`: leave both out or name it `__Secure-`",
            );
        }
        Ok(Cookie {
            name: name.into(),
            host,
            path: self.path.map_or(Cow::Borrowed("/"), Cow::Owned),
            domain: self.domain,
            same_site: self.same_site,
            secure,
        })
    }
}

/// Parses the application's URL into whether it is HTTPS, and its host.
fn parse_app_url(app_url: &str) -> Result<(bool, String)> {
    let advice =
        "the application's URL is its scheme, host and port, for instance `https://app.example`";
    let url: Uri = app_url.parse().map_err(|_| Error::configuration(advice))?;
    let secure = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(Error::configuration(advice)),
    };
    // A password in it would be shown with the settings; a path would have no effect.
    let authority = url.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') || !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err(Error::configuration(advice));
    }
    let host = url.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Error::configuration(advice))?;
    Ok((secure, host.to_ascii_lowercase()))
}

fn address(host: &str) -> Option<std::net::IpAddr> {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse().ok()
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// Returns whether a browser accepts a cookie of `domain` from `host`. An address has no parent domain, and
/// no browser accepts a cookie for a whole top-level domain.
pub(super) fn covers(domain: &str, host: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let above = || {
        domain.contains('.')
            && host
                .strip_suffix(&domain)
                .is_some_and(|below| below.ends_with('.'))
    };
    host.parse::<std::net::Ipv4Addr>().is_err()
        && domain.split('.').all(label)
        && (host == domain || above())
}

/// Returns whether the byte is a character of an RFC 9110 token.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// The `Max-Age` and `Expires` of a removal: zero seconds, and an instant long past.
const REMOVED: Option<(i64, i64)> = Some((0, 0));

/// The session cookie's attributes, checked.
#[derive(Debug)]
pub(crate) struct Cookie {
    name: Box<str>,
    /// The host of the application's URL.
    host: String,
    path: Cow<'static, str>,
    domain: Option<String>,
    same_site: SameSite,
    secure: bool,
}

impl Cookie {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Builds the `Set-Cookie` headers that carry `value` until `expires_at`, or until the browser is closed,
    /// and remove the request's other cookies of the session's name.
    pub(super) fn set(
        &self,
        value: &str,
        now: i64,
        expires_at: Option<i64>,
        stale: &Stale,
    ) -> Result<Vec<HeaderValue>> {
        let until = expires_at.map(|expires_at| {
            let age = (expires_at - now).clamp(0, MAX_AGE_LIMIT_SECONDS);
            (age, now + age)
        });
        let parts = chunks::split(&self.name, value)?;
        let kept: Vec<&str> = parts.iter().map(|(name, _)| &**name).collect();
        let removals = stale
            .names(&self.name)
            .filter(|name| !kept.contains(&&**name))
            .map(|name| self.write(&name, "", REMOVED));
        let sets = parts
            .iter()
            .map(|(name, part)| self.write(name, part, until));
        sets.chain(removals).chain(self.strays(stale)).collect()
    }

    /// Builds the removals of duplicate cookies, which were set for another domain or path and which the
    /// configured one does not replace, so that browsers send them beside it. They cover the host and its
    /// parent domains, and every path that leads to the configured one.
    fn strays(&self, stale: &Stale) -> Vec<Result<HeaderValue>> {
        if !stale.is_twice() || self.name.to_ascii_lowercase().starts_with("__host-") {
            return Vec::new();
        }
        let is_address = address(&self.host).is_some();
        let above = std::iter::successors(Some(&*self.host), |host| Some(host.split_once('.')?.1));
        let domains = above.take_while(|domain| !is_address && domain.contains('.'));
        let domains = std::iter::once(None).chain(domains.map(Some));
        let slashes = self.path.match_indices('/').map(|(place, _)| place.max(1));
        let paths = slashes.filter_map(|end| self.path.get(..end));
        let mut paths: Vec<&str> = paths.chain([&*self.path]).collect();
        paths.dedup();
        let mut strays = Vec::new();
        for domain in domains {
            for path in &paths {
                if (domain, *path) != (self.domain.as_deref(), &*self.path) {
                    let names = stale.names(&self.name);
                    strays
                        .extend(names.map(|name| self.write_for(&name, "", REMOVED, domain, path)));
                }
            }
        }
        strays
    }

    /// Builds the `Set-Cookie` headers that remove the cookies of [`Cookie::set`]. Every attribute is the
    /// same, or a browser would treat it as another cookie.
    pub(super) fn removal(&self, stale: &Stale) -> Result<Vec<HeaderValue>> {
        let plain = self.name.to_string();
        let chunks = stale.names(&self.name).filter(|name| *name != *self.name);
        std::iter::once(plain)
            .chain(chunks)
            .map(|name| self.write(&name, "", REMOVED))
            .chain(self.strays(stale))
            .collect()
    }

    /// Builds a `Set-Cookie` with this `Max-Age` and `Expires`, for the configured domain and path.
    fn write(&self, name: &str, value: &str, until: Option<(i64, i64)>) -> Result<HeaderValue> {
        self.write_for(name, value, until, self.domain.as_deref(), &self.path)
    }

    fn write_for(
        &self,
        name: &str,
        value: &str,
        until: Option<(i64, i64)>,
        domain: Option<&str>,
        path: &str,
    ) -> Result<HeaderValue> {
        let cannot = || Error::internal("a session cookie could not be written");
        let mut cookie = cookie::Cookie::build((name, value))
            .http_only(true)
            .secure(self.secure)
            .same_site(match self.same_site {
                SameSite::Lax => cookie::SameSite::Lax,
                SameSite::Strict => cookie::SameSite::Strict,
                SameSite::None => cookie::SameSite::None,
            })
            .path(path.to_owned());
        if let Some((age, expires_at)) = until {
            let expires = OffsetDateTime::from_unix_timestamp(expires_at).map_err(|_| cannot())?;
            cookie = cookie
                .max_age(cookie::time::Duration::seconds(age))
                .expires(expires);
        }
        if let Some(domain) = domain {
            cookie = cookie.domain(domain.to_owned());
        }
        let mut header = HeaderValue::try_from(cookie.build().to_string()).map_err(|_| cannot())?;
        header.set_sensitive(true);
        Ok(header)
    }

    pub(super) fn explain(&self) -> String {
        format!(
            "cookie: {}; HttpOnly; {}SameSite={}; Path={}{}",
            self.name,
            if self.secure { "Secure; " } else { "" },
            self.same_site.as_str(),
            self.path,
            self.domain
                .as_ref()
                .map(|domain| format!("; Domain={domain}"))
                .unwrap_or_default(),
        )
    }
}

/// The `Cookie` headers of a request, unparsed.
#[derive(Clone)]
pub(crate) enum CookieHeaders {
    None,
    One(HeaderValue),
    /// More than one header: HTTP/2 clients may send each cookie in a header of its own.
    Many(Vec<HeaderValue>),
}

impl CookieHeaders {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(COOKIE).iter().cloned();
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(one), None) => Self::One(one),
            (Some(one), Some(other)) => {
                Self::Many([one, other].into_iter().chain(values).collect())
            }
        }
    }

    fn as_slice(&self) -> &[HeaderValue] {
        match self {
            Self::None => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// Returns the value of the one cookie called `name`, or of its chunks joined.
    ///
    /// Nothing is decoded, trimmed or read as text: another reader must not see another name, or another end
    /// of the value, than this one.
    pub(crate) fn find<'a>(&'a self, name: &'a str) -> std::result::Result<Cow<'a, [u8]>, Refusal> {
        let mut found = None;
        let mut parts = chunks::Parts::default();
        for (suffix, value) in self.pairs(name) {
            match suffix {
                None if found.replace(value).is_some() => return Err(Refusal::Ambiguous),
                None => {}
                Some(number) => parts.add(number, value)?,
            }
        }
        match (found, parts.join()?) {
            (Some(_), Some(_)) => Err(Refusal::Ambiguous),
            (Some(value), None) => Ok(Cow::Borrowed(value)),
            (None, Some(joined)) => Ok(Cow::Owned(joined)),
            (None, None) => Err(Refusal::Missing),
        }
    }

    /// Returns the cookies called `name`, and its chunks, that the request has.
    pub(crate) fn stale(&self, name: &str) -> Stale {
        let mut stale = Stale::default();
        for (suffix, _) in self.pairs(name) {
            stale.add(suffix);
        }
        stale
    }

    /// Iterates over the values of the cookies called `name` and of its chunks.
    fn pairs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (Option<u8>, &'a [u8])> {
        self.as_slice().iter().flat_map(move |header| {
            let header = header.as_bytes();
            let mut start = 0;
            let ends = memchr::memchr_iter(b';', header).chain([header.len()]);
            ends.filter_map(move |end| {
                let pair = header.get(start..end).unwrap_or_default();
                let pair = match pair.strip_prefix(b" ") {
                    // The standard's separator is a semicolon and one space.
                    Some(rest) if start > 0 => rest,
                    _ => pair,
                };
                start = end + 1;
                match pair.strip_prefix(name.as_bytes())? {
                    [b'=', value @ ..] => Some((None, value)),
                    [b'.', rest @ ..] => {
                        chunks::numbered(rest).map(|(number, value)| (Some(number), value))
                    }
                    _ => None,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ck_07_the_token_bytes_are_those_of_rfc_9110() {
        let tokens: String = (0..=255u8)
            .filter(|byte| is_token_byte(*byte))
            .map(char::from)
            .collect();
        assert_eq!(
            tokens,
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"
        );
    }
}
