//! The backlog: sealed blocks that L1 does not hold yet, and the inbox entries that they will need.

use std::collections::VecDeque;

use turnpike_protocol::ChainConfig;

use crate::builder::entry_bytes_max;

/// A sealed block's share of an inbox entry.
#[derive(Clone, Copy, Debug)]
struct Unposted {
    block: u64,
    origin: u64,
    bytes: u64,
    deposits: u64,
}

/// Sealed blocks that L1 does not hold yet. The limit on their entries is the back-pressure: beyond
/// it no block is sealed, so that no block becomes too old for the inbox.
#[derive(Debug, Default)]
pub(crate) struct Backlog(VecDeque<Unposted>);

impl Backlog {
    /// Adds a complete block with `bytes` bytes of transactions. `origin` is the entry of its
    /// origin.
    pub(crate) fn push(&mut self, block: u64, origin: u64, bytes: usize, deposits: usize) {
        let (bytes, deposits) = (bytes as u64, deposits as u64);
        self.0.push_back(Unposted { block, origin, bytes, deposits });
    }

    /// Removes the blocks up to `safe`, which L1 holds.
    pub(crate) fn drop_to(&mut self, safe: u64) {
        while self.0.front().is_some_and(|unposted| unposted.block <= safe) {
            self.0.pop_front();
        }
    }

    /// Removes the blocks from `first` on.
    pub(crate) fn truncate(&mut self, first: u64) {
        while self.0.back().is_some_and(|unposted| unposted.block >= first) {
            self.0.pop_back();
        }
    }

    /// Number of entries that the blocks need at most: uncompressed, each as full as blobs or
    /// calldata allow, split where the rules demand it.
    pub(crate) fn entries(&self, config: &ChainConfig) -> u64 {
        let bytes_max = entry_bytes_max(config) as u64;
        let (mut entries, mut blocks, mut bytes, mut deposits) = (0, 0, 0, 0);
        let mut origin = None;
        for unposted in &self.0 {
            blocks += 1;
            bytes += unposted.bytes;
            deposits += unposted.deposits;
            let fits = origin == Some(unposted.origin)
                && blocks <= config.entry_blocks_max
                && bytes <= bytes_max
                && deposits <= config.entry_deposits_max;
            if !fits {
                entries += 1;
                (blocks, bytes, deposits) = (1, unposted.bytes, unposted.deposits);
                origin = Some(unposted.origin);
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::Genesis;

    use super::*;

    #[test]
    fn backlog_counts_needed_entries() {
        let config = ChainConfig { entry_inflated_bytes_max: 98_304, ..Genesis::dev().config };
        let mut backlog = Backlog::default();
        assert_eq!(backlog.entries(&config), 0);
        for number in 1..=10 {
            backlog.push(number, 0, 30_004, 0);
        }
        // Three of them fit an entry.
        assert_eq!(backlog.entries(&config), 4);
        backlog.push(11, 1, 14, 0);
        assert_eq!(backlog.entries(&config), 5);
        backlog.drop_to(9);
        assert_eq!(backlog.entries(&config), 2);
        backlog.drop_to(20);
        assert_eq!(backlog.entries(&config), 0);
    }
}
