//! Notices between nodes, and their wire format.

use std::collections::BTreeSet;
use std::fmt;

use super::seal::{Seal, Tag};
use crate::session::epoch::{Advanced, KeyId};

/// The version of the format; nodes of another version use another one.
const VERSION: &str = "3";
/// The maximum number of indices in a notice. With more, it names all groups: PostgreSQL accepts 8,000 bytes.
const MOST: usize = 255;
/// The maximum length of a notice; longer ones are dropped unread.
const LONGEST: usize = 8_000;

/// The id of a node, for as long as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u128);

/// The keys that notices are sealed with, in the order in which notices name them.
pub(super) struct Ring(pub(super) Vec<(KeyId, Seal)>);

/// A notice and its sender: `<version>:<node>:<number>:<keys>:<what>:<tags>`.
///
/// The keys are those of the sender's ring, and for each there is a tag over everything before the tags,
/// which only a holder of the key can make. Both are separated by commas.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) from: NodeId,
    /// A number that increases with each notice of a node.
    pub(super) number: u64,
    pub(super) told: Announcement,
}

/// A received notice, and the key of this node's ring that authenticates it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) notice: Notice,
    pub(super) key: KeyId,
    /// The index of that key in the notice.
    pub(super) place: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Announcement {
    /// A heartbeat with this number: `h<number>`.
    Heartbeat(u64),
    /// The groups at these indices were advanced.
    Advanced(NotifiedGroups),
}

/// NotifiedGroups of subjects: `3,17;5` are their indices for each key, and `*` is all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotifiedGroups {
    All,
    /// The indices of the same subjects' groups for each key, in the order of the notice.
    Some(Vec<BTreeSet<u8>>),
}

impl Default for NotifiedGroups {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl NotifiedGroups {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::All => false,
            Self::Some(of_keys) => of_keys.is_empty(),
        }
    }

    pub(super) fn add(&mut self, advanced: Advanced) {
        let Self::Some(of_keys) = self else {
            return;
        };
        match advanced {
            Advanced::All => *self = Self::All,
            Advanced::One(places) => {
                of_keys.resize_with(places.0.len(), BTreeSet::new);
                for (of_key, place) in of_keys.iter_mut().zip(places.0) {
                    of_key.insert(place);
                }
                if of_keys.iter().map(BTreeSet::len).sum::<usize>() > MOST {
                    *self = Self::All;
                }
            }
        }
    }
}

impl fmt::Display for NotifiedGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_keys = match self {
            Self::All => return f.write_str("*"),
            Self::Some(of_keys) => of_keys,
        };
        let of_keys = of_keys.iter().map(|places| listed(places.iter(), ","));
        f.write_str(&listed(of_keys, ";"))
    }
}

fn listed(what: impl Iterator<Item = impl ToString>, separator: &str) -> String {
    let texts: Vec<String> = what.map(|one| one.to_string()).collect();
    texts.join(separator)
}

impl Notice {
    /// Returns the sealed text to publish.
    pub(super) fn sealed(&self, ring: &Ring) -> String {
        let Self { from, number, told } = self;
        let keys = ring.0.iter().map(|(id, _)| format!("{:016x}", id.0));
        let keys = listed(keys, ",");
        let what = match told {
            Announcement::Heartbeat(number) => format!("h{number}"),
            Announcement::Advanced(groups) => groups.to_string(),
        };
        let text = format!("{VERSION}:{:032x}:{number}:{keys}:{what}", from.0);
        let tags = ring.0.iter().map(|(_, seal)| seal.tag(&text));
        let tags = listed(tags.map(|tag| format!("{:032x}", tag.0)), ",");
        format!("{text}:{tags}")
    }
}

impl Heard {
    /// Parses and authenticates a notice; `None` for anything but one of this version that a node with one of
    /// these keys sealed.
    pub(super) fn read(text: &str, ring: &Ring) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (sealed, tags) = text.rsplit_once(':')?;
        let mut parts = sealed.splitn(5, ':');
        if parts.next()? != VERSION {
            return None;
        }
        let from = NodeId(u128::from_str_radix(parts.next()?, 16).ok()?);
        let number = parts.next()?.parse().ok()?;
        let key = |key| u64::from_str_radix(key, 16).map(KeyId).ok();
        let keys: Vec<KeyId> = parts.next()?.split(',').map(key).collect::<Option<_>>()?;
        let tag = |tag| u128::from_str_radix(tag, 16).map(Tag).ok();
        let tags: Vec<Tag> = tags.split(',').map(tag).collect::<Option<_>>()?;
        if keys.len() != tags.len() {
            return None;
        }
        let mut named = keys.iter().zip(tags).enumerate();
        // Checking one key is enough: a notice has the same content for each of its keys.
        let (place, key, tag, seal) = named.find_map(|(place, (key, tag))| {
            let mut own = ring.0.iter();
            let (id, seal) = own.find(|(id, _)| id == key)?;
            Some((place, *id, tag, seal))
        })?;
        if !seal.is_of(tag, sealed) {
            return None;
        }
        let told = told(parts.next()?, keys.len())?;
        let notice = Notice { from, number, told };
        Some(Self { notice, key, place })
    }
}

fn told(what: &str, keys: usize) -> Option<Announcement> {
    if let Some(number) = what.strip_prefix('h') {
        return number.parse().ok().map(Announcement::Heartbeat);
    }
    if what == "*" {
        return Some(Announcement::Advanced(NotifiedGroups::All));
    }
    let places = |places: &str| places.split(',').map(|it| it.parse().ok()).collect();
    let of_keys = what.split(';').map(places).collect::<Option<Vec<_>>>()?;
    (of_keys.len() == keys).then_some(Announcement::Advanced(NotifiedGroups::Some(of_keys)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::epoch::Places;

    fn ring(keys: &[u8]) -> Ring {
        let key = |key: &u8| (KeyId((*key).into()), Seal::test(*key));
        Ring(keys.iter().map(key).collect())
    }

    fn of(told: Announcement) -> Notice {
        Notice {
            from: NodeId(7),
            number: 3,
            told,
        }
    }

    fn some() -> Announcement {
        let places = [BTreeSet::from([0, 7, 255]), BTreeSet::from([3])];
        Announcement::Advanced(NotifiedGroups::Some(places.into()))
    }

    #[test]
    fn rf_4_a_notice_is_read_as_it_was_written() {
        for told in [
            || Announcement::Heartbeat(u64::MAX),
            some,
            || Announcement::Advanced(NotifiedGroups::All),
        ] {
            let text = of(told()).sealed(&ring(&[1, 2]));
            for (own, key, place) in [(&[1, 3][..], 1, 0), (&[3, 2], 2, 1), (&[2, 1], 1, 0)] {
                let (notice, key) = (of(told()), KeyId(key));
                let heard = Heard { notice, key, place };
                assert_eq!(Heard::read(&text, &ring(own)), Some(heard));
            }
            assert_eq!(Heard::read(&text, &ring(&[3, 4])), None);
        }
    }

    #[test]
    fn rf_50_no_change_of_a_notice_is_read() {
        let (own, told) = (ring(&[1, 2]), some());
        let text = of(told).sealed(&own);
        assert!(Heard::read(&text, &own).is_some());
        for place in 0..text.len() {
            let (before, after) = (&text[..place], &text[place + 1..]);
            for other in ["", "0", "1", ",", ":", "*", "h", "f"] {
                let changed = format!("{before}{other}{after}");
                let second_tag = place > text.rfind(',').unwrap();
                if changed != text && !second_tag {
                    assert_eq!(Heard::read(&changed, &own), None, "{changed}");
                }
            }
        }
    }

    #[test]
    fn rf_4_what_is_no_notice_says_nothing() {
        let own = ring(&[10]);
        let sealed = |text: &str| {
            let tag = Seal::test(10).tag(text);
            format!("{text}:{:032x}", tag.0)
        };
        assert!(Heard::read(&sealed("3:7:1:a:*"), &own).is_some());
        for text in [
            "",
            "3",
            "3:7:",
            "3:7:1:",
            "3:7:1:a",
            "3:7:1:a:",
            "2:7:1:a:*",
            "4:7:1:a:*",
            "3:x:1:a:*",
            "3:7:x:a:*",
            "3:7:1:x:*",
            "3:7:1::*",
            "3:7:1:a:256",
            "3:7:1:a:h",
            "3:7:1:a:-1",
            "3:7:1:a:1;2",
            "3:7:1:a,b:1",
        ] {
            for text in [
                text,
                &sealed(text),
                &format!("{text}:"),
                &format!("{text}:0"),
            ] {
                assert_eq!(Heard::read(text, &own), None, "{text}");
            }
        }
        let long = format!("3:7:1:a:{}", "1,".repeat(LONGEST) + "1");
        assert_eq!(Heard::read(&sealed(&long), &own), None);
    }

    #[test]
    fn rf_4_however_many_groups_there_are_a_notice_is_short() {
        let mut groups = NotifiedGroups::default();
        assert!(groups.is_empty());
        for place in 0..=127 {
            groups.add(Advanced::One(Places(Box::new([place, 255 - place]))));
        }
        assert_eq!(groups, NotifiedGroups::All);
        groups.add(Advanced::One(Places(Box::new([1, 2]))));
        assert_eq!(groups, NotifiedGroups::All);
    }
}
