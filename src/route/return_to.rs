//! Return URLs after a sign-in, restricted to the own origin against open redirects.

use std::fmt;
use std::ops::RangeInclusive;

use http::Uri;
use percent_encoding::percent_decode_str;
use url::{Url, form_urlencoded};

/// The maximum length of an accepted text, in bytes.
const LONGEST: usize = 2_048;

/// The maximum depth of percent-encoding: a return URL in a return URL, and so on.
const DEEPEST: usize = 8;

/// A base URL for parsing, never requested: it represents whatever origin the application has.
const BASE: &str = "https://origin.invalid";

/// A URL on this very origin, to which a browser can be sent back.
///
/// A return URL comes with the request, so anybody can write one, and a redirect to it lends the
/// application's good name to another site (an *open redirect*,
/// [CWE-601](https://cwe.mitre.org/data/definitions/601.html)).
/// [OWASP ASVS 5.0](https://github.com/OWASP/ASVS), 1.2.2, asks that URLs are built and encoded for
/// where they are used, and that only safe schemes are let through. This type goes further: it has
/// no scheme and no host at all. There is no other way to it than [`parse`](Self::parse), so
/// a function that takes a `ReturnTo` cannot be handed another site.
///
/// It accepts a path that begins with one `/`, perhaps with a query and a fragment:
///
/// - in printable ASCII without spaces and backslashes, and 2,048 bytes at most,
/// - exactly as the URL parser of browsers ([WHATWG](https://url.spec.whatwg.org/)) writes it, on
///   the origin on which it is read,
/// - in its path without dot segments, empty segments, white space around a segment, backslashes,
///   letters that look like `/`, `\` or `.`, and letters that nobody sees,
/// - without control characters anywhere.
///
/// The last two hold however often it is percent-decoded.
///
/// # Examples
///
/// ```
/// use clearance::route::ReturnTo;
///
/// let wanted = ReturnTo::parse("/orders?page=2").ok_or("another site")?;
/// assert_eq!(
///     wanted.sign_in_url("/sign-in", "return_to"),
///     "/sign-in?return_to=%2Forders%3Fpage%3D2",
/// );
///
/// assert_eq!(ReturnTo::parse("https://evil.example/"), None);
/// assert_eq!(ReturnTo::parse("//evil.example/"), None);
/// assert_eq!(ReturnTo::parse("/%5cevil.example/"), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Parses a path on this origin, and accepts nothing else. The text is kept unchanged.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (path, rest) = match text.find(['?', '#']) {
            Some(at) => text.split_at_checked(at)?,
            None => (text, ""),
        };
        let accepted = text.len() <= LONGEST
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            && holds_decoded(path, is_local_path)
            && holds_decoded(rest, |rest| !rest.contains(char::is_control))
            && is_read_as_written(text);
        accepted.then(|| Self(text.to_owned()))
    }

    /// Returns the path and query of a request, for a browser that has to sign in first. `None` where
    /// [`parse`](Self::parse) refuses them.
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        Self::parse(uri.path_and_query()?.as_str())
    }

    /// Returns the root page of this origin.
    pub(super) fn root() -> Self {
        Self("/".to_owned())
    }

    /// Returns the text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the URL of the sign-in page with this place as a query parameter. `sign_in` is the
    /// application's own URL and may have a query or a fragment.
    #[must_use]
    pub fn sign_in_url(&self, sign_in: &str, parameter: &str) -> String {
        let (page, fragment) = match sign_in.find('#') {
            Some(at) => sign_in.split_at_checked(at).unwrap_or((sign_in, "")),
            None => (sign_in, ""),
        };
        let joint = match page.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        let encoded = form_urlencoded::Serializer::new(String::new())
            .append_pair(parameter, &self.0)
            .finish();
        format!("{page}{joint}{encoded}{fragment}")
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns whether `holds` is true of the text, and of each of its percent-decoded forms. A text that is not
/// UTF-8 when decoded, or still encoded after the deepest level, is never accepted.
fn holds_decoded(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    let mut text = text.to_owned();
    for _ in 0..DEEPEST {
        if !holds(&text) {
            return false;
        }
        let Ok(next) = percent_decode_str(&text).decode_utf8() else {
            return false;
        };
        if next == text {
            return true;
        }
        text = next.into_owned();
    }
    false
}

fn is_local_path(path: &str) -> bool {
    let misleads = |letter: char| {
        letter.is_control()
            || letter == '\\'
            || LOOK_ALIKES.contains(letter)
            || INVISIBLE.iter().any(|range| range.contains(&letter))
    };
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    // Only the last segment may be empty: `/orders/`.
    let names = rest.strip_suffix('/').unwrap_or(rest);
    (rest.is_empty() || names.split('/').all(is_name)) && !path.contains(misleads)
}

fn is_name(segment: &str) -> bool {
    // Some proxies drop the parameters of a segment, and with them all of `/;/`.
    let name = segment.split(';').next().unwrap_or_default();
    let is_padded = segment.trim() != segment || name.trim() != name;
    !is_padded && !matches!(name, "" | "." | "..")
}

/// The characters that normalisation or a reader takes for `/`, `\` or `.`.
const LOOK_ALIKES: &str = "\u{2024}\u{2025}\u{2026}\u{2044}\u{2215}\u{29f5}\u{29f8}\u{29f9}\u{3002}\u{fe52}\u{fe68}\u{ff0e}\u{ff0f}\u{ff3c}\u{ff61}";

/// The invisible characters, and those that change the direction of others.
const INVISIBLE: [RangeInclusive<char>; 5] = [
    '\u{ad}'..='\u{ad}',
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// Returns whether a browser parses the text as a URL on the origin, and changes nothing of it.
fn is_read_as_written(text: &str) -> bool {
    let Ok(base) = Url::parse(BASE) else {
        return false;
    };
    base.join(text).is_ok_and(|url| {
        url.origin() == base.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && !url.path().starts_with("//")
            && url.as_str().strip_prefix(BASE) == Some(text)
    })
}
