//! What nodes tell each other.

use std::collections::BTreeSet;
use std::fmt;

/// Nodes of another version speak of other things.
const VERSION: &str = "1";

/// A node, for as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) u128);

/// A notice and who sent it: `<version>:<node>:<what>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) from: NodeId,
    pub(super) told: Told,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The heartbeat of this number: `h<number>`.
    Heartbeat(u64),
    /// The shards at these places were advanced: `3,17`, or `*` for all.
    Advanced(BTreeSet<u8>),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}:{:032x}:", self.from.0)?;
        match &self.told {
            Told::Heartbeat(number) => write!(f, "h{number}"),
            Told::Advanced(places) if places.len() > usize::from(u8::MAX) => f.write_str("*"),
            Told::Advanced(places) => {
                let places: Vec<String> = places.iter().map(u8::to_string).collect();
                f.write_str(&places.join(","))
            }
        }
    }
}

impl Notice {
    /// Anything else than a notice of this version is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        if parts.next()? != VERSION {
            return None;
        }
        let from = NodeId(u128::from_str_radix(parts.next()?, 16).ok()?);
        let what = parts.next()?;
        let told = match what.strip_prefix('h') {
            Some(number) => Told::Heartbeat(number.parse().ok()?),
            None if what == "*" => Told::Advanced((0..=u8::MAX).collect()),
            None => {
                let places = what.split(',').map(str::parse);
                Told::Advanced(places.collect::<Result<_, _>>().ok()?)
            }
        };
        Some(Self { from, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rf_4_a_notice_is_read_as_it_was_written() {
        for told in [
            Told::Heartbeat(u64::MAX),
            Told::Advanced(BTreeSet::from([0, 7, 255])),
            Told::Advanced((0..=u8::MAX).collect()),
        ] {
            let from = NodeId(7);
            let notice = Notice { from, told };
            assert_eq!(Notice::read(&notice.to_string()), Some(notice));
        }
    }

    #[test]
    fn rf_4_what_is_no_notice_says_nothing() {
        for text in [
            "", "1", "1:7", "1:7:", "2:7:*", "1:x:*", "1:7:256", "1:7:h", "1:7:-1",
        ] {
            assert_eq!(Notice::read(text), None, "{text}");
        }
    }
}
