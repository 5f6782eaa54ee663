//! Replay protection: the last notice number of each node, so that none is accepted twice.

use std::collections::BTreeMap;

use super::notice::NodeId;

/// The maximum number of nodes that are remembered; beyond it, the one that was silent for the longest is
/// dropped.
const MOST: usize = 1_024;

#[derive(Default)]
pub(super) struct Senders {
    last: BTreeMap<NodeId, Last>,
    heard: u64,
}

struct Last {
    number: u64,
    /// The total of notices received when this one was.
    at: u64,
}

impl Senders {
    /// Returns whether a notice with this number is later than all that were received from its node. Anybody
    /// who listens could replay one.
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
