//! Which messages of others this node passes on: enough copies that everybody gets each, and not as many as there are
//! members.
//!
//! A set of up to [`MESH`] + 1 members has each message from its author; relays only make up for a link between two of
//! them that is broken. In larger sets they are how it travels. Each member throws a coin for each message, which nothing
//! that the author chooses goes into: it cannot look for a message which nobody relays.

use std::hash::{BuildHasher, RandomState};

use crate::gossip::MESH;

/// How many members relay a message which its author sends to all, on average.
const RELAYS: usize = 3;
/// How many copies of a message reach a member of a larger set, on average.
const COPIES: usize = 6;

/// The coins of one node: a keyed hash of how many were thrown.
#[derive(Default)]
pub(crate) struct Coins {
    key: RandomState,
    thrown: u64,
}

impl Coins {
    /// Whether to relay a message in a set of so many members; another coin each time.
    pub(crate) fn throw(&mut self, members: usize) -> bool {
        self.thrown = self.thrown.wrapping_add(1);
        let (share, of) = share(members);
        let coin = usize::try_from(self.key.hash_one(self.thrown) >> 32).unwrap_or_default();
        coin.checked_rem(of).is_none_or(|coin| coin < share)
    }
}

/// The part of all messages which a member relays: so many of so many.
fn share(members: usize) -> (usize, usize) {
    if members <= MESH + 1 { (RELAYS, members.saturating_sub(2)) } else { (COPIES, MESH) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P2P-28.
    #[test]
    fn as_many_members_relay_as_are_needed_and_other_ones_each_time() {
        for (members, expected) in
            [(2, 0), (3, 1), (4, 2), (5, 3), (8, 3), (13, 3), (14, 6), (50, 24), (150, 74)]
        {
            let others = members - 2;
            let mut nodes: Vec<_> = (0..others).map(|_| Coins::default()).collect();
            let total: usize = (0..2_000)
                .map(|_| nodes.iter_mut().filter_map(|node| node.throw(members).then_some(())).count())
                .sum();
            let expected: usize = expected * 2_000;
            assert!(total.abs_diff(expected) < 1_000, "{members} members: {total}, not {expected}");
            let mut first = Coins::default();
            let relayed = (0..2_000).filter(|_| first.throw(members)).count();
            assert!(others > RELAYS || relayed == 2_000, "of few members each relays: {relayed}");
        }
    }
}
