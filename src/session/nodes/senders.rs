//! The last notice of each node, so that none is heard twice.

use std::collections::BTreeMap;

use super::notice::NodeId;

/// The most nodes that are remembered; the one that was not heard for the longest is forgotten for one more.
const MOST: usize = 1_024;

#[derive(Default)]
pub(super) struct Senders {
    last: BTreeMap<NodeId, Last>,
    heard: u64,
}

struct Last {
    number: u64,
    /// The number of notices that had been heard by then.
    at: u64,
}

impl Senders {
    /// Tells whether a notice of this number is later than all that were heard of its node. Whoever listens could
    /// send one again.
    pub(super) fn is_new(&mut self, from: NodeId, number: u64) -> bool {
        self.heard += 1;
        let at = self.heard;
        if let Some(last) = self.last.get_mut(&from) {
            let is_new = number > last.number;
            if is_new {
                *last = Last { number, at };
            }
            return is_new;
        }
        if self.last.len() == MOST {
            let longest = self.last.iter().min_by_key(|(_, last)| last.at);
            if let Some(id) = longest.map(|(id, _)| *id) {
                self.last.remove(&id);
            }
        }
        self.last.insert(from, Last { number, at });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rf_50_a_notice_is_heard_once() {
        let mut senders = Senders::default();
        for (number, is_new) in [(2, true), (2, false), (1, false), (3, true), (3, false)] {
            assert_eq!(senders.is_new(NodeId(7), number), is_new, "{number}");
        }
    }

    #[test]
    fn av_33_few_nodes_are_remembered_and_none_that_goes_on() {
        let mut senders = Senders::default();
        for other in 0..3_000 {
            assert!(senders.is_new(NodeId(other), 1));
            assert!(senders.is_new(NodeId(u128::MAX), other.try_into().unwrap_or_default()));
        }
        assert_eq!(senders.last.len(), MOST);
        assert!(!senders.is_new(NodeId(u128::MAX), 0));
        assert!(!senders.is_new(NodeId(2_999), 1));
    }
}
