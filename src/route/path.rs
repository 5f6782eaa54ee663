//! Path normalisation: the path of a request, in every way in which a server may read it.

use std::borrow::Cow;
use std::fmt;
use std::iter;

use percent_encoding::{percent_decode_str, percent_encode_byte};

/// The path of a request, normalised once, for rules, limits and logs.
///
/// Frameworks and proxies do not agree on what a path is. Some match the bytes as they came, some
/// decode percent escapes first, some merge slashes, resolve `..` or drop what follows a `;`. So
/// a path has several *readings*, and a rule takes the strictest answer over all of them: what is
/// protected is protected if [any](Self::is_any) reading says so, and what is public is public
/// only if [all](Self::all) do.
///
/// The readings are the path as it came, without its query, and what it becomes when
///
/// - percent escapes are decoded, once (with and without `%2f`), twice and three times,
/// - a backslash is a slash, or not,
/// - parameters of segments (`;v=1`) and what follows a NUL, `?` or `#` are left out, or not,
/// - runs of slashes are merged, and dot segments removed as in
///   [RFC 3986, section 5.2.4](https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4), in either
///   order, or neither is.
///
/// An escape that is not UTF-8 when decoded stays one. Upper and lower case are kept. An
/// ordinary path has one reading, which is borrowed.
///
/// # Examples
///
/// ```
/// use clearance::route::NormalPath;
///
/// let path = NormalPath::of("/a/%2e%2e//%64ashboard/?tab=1");
/// assert_eq!(path.as_str(), "/dashboard");
/// assert!(path.is_any(|reading| reading == "/dashboard"));
/// assert!(!path.all(|reading| reading == "/dashboard"));
/// ```
#[derive(Debug, Clone)]
pub struct NormalPath<'p> {
    raw: &'p str,
    /// The readings that differ from `raw`, and from one another.
    others: Vec<Cow<'p, str>>,
    shown: Cow<'p, str>,
}

impl<'p> NormalPath<'p> {
    /// Reads `path`, which may have a query. It never fails: a text that is no valid path has readings too.
    #[must_use]
    pub fn of(path: &'p str) -> Self {
        let raw = path.split('?').next().unwrap_or_default();
        if !is_plain(raw) {
            return Self {
                raw,
                others: others(raw),
                shown: Cow::Owned(shown(raw)),
            };
        }
        let bare = raw
            .strip_suffix('/')
            .filter(|bare| !bare.is_empty())
            .unwrap_or(raw);
        let others = (bare != raw).then_some(Cow::Borrowed(bare));
        Self {
            raw,
            others: others.into_iter().collect(),
            shown: Cow::Borrowed(bare),
        }
    }

    /// Returns the path as a careful server reads it: decoded once, with merged slashes, without dot segments
    /// and without a trailing slash. It begins with `/`, and all but printable ASCII is percent-encoded, so
    /// that it can be logged or used as the key of a rate limit.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Returns whether `f` is true of at least one reading: the question for rules that *restrict*.
    #[must_use]
    pub fn is_any(&self, f: impl Fn(&str) -> bool) -> bool {
        self.readings().any(f)
    }

    /// Returns whether `f` is true of every reading: the question for rules that *permit*.
    #[must_use]
    pub fn all(&self, f: impl Fn(&str) -> bool) -> bool {
        self.readings().all(f)
    }

    /// Iterates over every reading once. The first is the path as it came.
    pub(crate) fn readings(&self) -> impl Iterator<Item = &str> {
        iter::once(self.raw).chain(self.others.iter().map(Cow::as_ref))
    }
}

impl fmt::Display for NormalPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Returns whether every server reads this path in the same way, but for a trailing slash.
fn is_plain(raw: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%\\;#".contains(&byte);
    let named = |segment: &str| !matches!(segment, "" | "." | "..");
    raw == "/"
        || raw.strip_prefix('/').is_some_and(|rest| {
            let rest = rest.strip_suffix('/').unwrap_or(rest);
            rest.bytes().all(plain) && rest.split('/').all(named)
        })
}

fn others<'p>(raw: &str) -> Vec<Cow<'p, str>> {
    let mut found: Vec<Cow<'p, str>> = Vec::new();
    for text in spellings(raw) {
        for text in either(text, |text| text.replace('\\', "/")) {
            for text in either(text, without_parameters) {
                let merged = path(named(&text));
                let resolved = path(without_dots(segments(&text)));
                let both = path(without_dots(named(&text)));
                for reading in [text, resolved, merged, both] {
                    if reading != raw && !found.contains(&Cow::Borrowed(reading.as_str())) {
                        found.push(Cow::Owned(reading));
                    }
                }
            }
        }
    }
    found
}

fn shown(raw: &str) -> String {
    let text = decoded(raw).replace('\\', "/");
    let mut shown = String::with_capacity(text.len());
    for letter in path(without_dots(segments(&text))).chars() {
        if letter.is_ascii_graphic() {
            shown.push(letter);
        } else {
            let mut bytes = [0; 4];
            let bytes = letter.encode_utf8(&mut bytes).bytes();
            shown.extend(bytes.map(percent_encode_byte));
        }
    }
    shown
}

/// Returns the text itself, and its percent-decoded forms. Three times is once more than any chain of a proxy
/// and a framework decodes.
fn spellings(raw: &str) -> Vec<String> {
    let mut found = vec![raw.to_owned(), decoded_but_slashes(raw)];
    let mut last = decoded(raw);
    for _ in 0..2 {
        let next = decoded(&last);
        found.push(last);
        last = next;
    }
    found.push(last);
    found.dedup();
    found
}

fn either(text: String, other: impl FnOnce(&str) -> String) -> impl Iterator<Item = String> {
    let other = Some(other(&text)).filter(|other| *other != text);
    iter::once(text).chain(other)
}

/// Decodes once. Bytes that are not UTF-8 stay escaped.
fn decoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().copied().map(percent_encode_byte));
    }
    decoded
}

/// Decodes once, but leaves `%2f` alone.
fn decoded_but_slashes(text: &str) -> String {
    decoded(&text.replace("%2f", "%252f").replace("%2F", "%252F"))
}

/// Removes the parameters of segments, and everything from a NUL, `?` or `#` on, as some servers do.
fn without_parameters(text: &str) -> String {
    let text = text.split(['\0', '?', '#']).next().unwrap_or_default();
    let names = text
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default());
    names.collect::<Vec<_>>().join("/")
}

fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.strip_prefix('/').unwrap_or(text).split('/')
}

fn named(text: &str) -> impl Iterator<Item = &str> {
    segments(text).filter(|segment| !segment.is_empty())
}

fn without_dots<'t>(segments: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut kept = Vec::new();
    for segment in segments {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    kept
}

/// Joins segments, without the empty ones.
fn path<'t>(segments: impl IntoIterator<Item = &'t str>) -> String {
    let mut path = String::new();
    for segment in segments {
        if !segment.is_empty() {
            path.push('/');
            path.push_str(segment);
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}
