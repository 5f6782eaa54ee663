//! Chunked cookies: a value that is too long for one is split into `name.0`, `name.1` and so on.

use crate::error::{Error, Refusal, Result};

/// The maximum number of bytes that browsers accept for a cookie's name and value together ([RFC 6265bis,
/// section
/// 5.6](https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-set-cookie-header-field)).
const MOST_BYTES: usize = 4096;
/// The maximum number of chunks. All of them go with every request, and servers refuse a request whose
/// headers are longer than 8 KiB or 16 KiB.
const MOST_CHUNKS: u8 = 3;
/// The highest number of a chunk that is removed when a request has it, though the library never sets so
/// many.
const MOST_STALE: u8 = 9;

/// Splits `value` into the cookies, each with its name, that carry it.
pub(super) fn split<'v>(name: &str, value: &'v str) -> Result<Vec<(String, &'v str)>> {
    if name.len() + value.len() <= MOST_BYTES {
        return Ok(vec![(name.to_owned(), value)]);
    }
    // A full stop and one digit.
    let room = MOST_BYTES.saturating_sub(name.len() + 2).max(1);
    let most = room * usize::from(MOST_CHUNKS);
    if value.len() > most {
        return Err(Error::cookie_too_large(value.len(), most));
    }
    let numbers = (0..MOST_CHUNKS).map(|number| format!("{name}.{number}"));
    let parts = value.as_bytes().chunks(room);
    // The value is ASCII, so that no cut goes through a letter.
    numbers
        .zip(parts)
        .map(|(name, part)| {
            let part = std::str::from_utf8(part);
            let part = part.map_err(|_| Error::internal("a session's token is not ASCII"))?;
            Ok((name, part))
        })
        .collect()
}

/// Parses `<number>=<value>`; returns `None` for a number that is not written as [`split`] does.
pub(super) fn numbered(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest {
        [digit @ b'0'..=b'9', b'=', value @ ..] => Some((digit - b'0', value)),
        _ => None,
    }
}

/// The chunks that a request has.
#[derive(Default)]
pub(super) struct Parts<'a>([Option<&'a [u8]>; MOST_CHUNKS as usize]);

impl<'a> Parts<'a> {
    pub(super) fn add(&mut self, number: u8, value: &'a [u8]) -> Result<(), Refusal> {
        let part = self.0.get_mut(usize::from(number));
        match part.ok_or(Refusal::Invalid)?.replace(value) {
            None => Ok(()),
            Some(_) => Err(Refusal::Ambiguous),
        }
    }

    /// Joins the chunks, from the first without a gap.
    pub(super) fn join(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let parts: Vec<&[u8]> = self.0.iter().map_while(|part| *part).collect();
        if parts.len() < self.0.iter().flatten().count() {
            return Err(Refusal::Invalid);
        }
        Ok((!parts.is_empty()).then(|| parts.concat()))
    }
}

/// The cookies of a session's name that a request has, so that the response removes those that it does not
/// set anew.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stale {
    plain: bool,
    /// A bit set of chunk numbers.
    chunks: u16,
    /// Set if a name occurs more than once: browsers keep one cookie for each path and domain.
    twice: bool,
}

impl Stale {
    pub(super) fn add(&mut self, suffix: Option<u8>) {
        match suffix {
            None => {
                self.twice |= self.plain;
                self.plain = true;
            }
            Some(number) => {
                let bit = 1 << number.min(MOST_STALE);
                self.twice |= self.chunks & bit != 0;
                self.chunks |= bit;
            }
        }
    }

    /// Returns whether a name occurs more than once.
    pub(super) const fn is_twice(self) -> bool {
        self.twice
    }

    pub(super) fn names(self, name: &str) -> impl Iterator<Item = String> {
        let plain = self.plain.then(|| name.to_owned());
        let there = move |number: &u8| self.chunks & (1 << number) != 0;
        let chunks = (0..=MOST_STALE).filter(there);
        plain
            .into_iter()
            .chain(chunks.map(move |number| format!("{name}.{number}")))
    }
}
