use std::collections::VecDeque;

use turnpike_protocol::ChainConfig;
use turnpike_storage::JournalRecord;

use crate::builder::{bytes_in_block, entry_bytes_max};

/// What a sealed block takes of an inbox entry.
#[derive(Clone, Copy, Debug)]
struct Unposted {
    block: u64,
    origin: u64,
    bytes: u64,
    deposits: u64,
}

/// Sealed blocks that L1 does not hold yet. Its bound is the back-pressure: past it no block is sealed, so that none
/// gets so old that the inbox would not take it any more.
#[derive(Debug, Default)]
pub(crate) struct Backlog(VecDeque<Unposted>);

impl Backlog {
    /// Adds a sealed block.
    pub(crate) fn push(&mut self, record: &JournalRecord) {
        let bytes: usize = record.transactions.iter().map(|raw| bytes_in_block(raw)).sum();
        self.0.push_back(Unposted {
            block: record.number,
            origin: record.origin.entry,
            bytes: bytes as u64,
            deposits: record.deposits.len() as u64,
        });
    }

    /// Takes out what L1 holds.
    pub(crate) fn drop_to(&mut self, safe: u64) {
        while self.0.front().is_some_and(|unposted| unposted.block <= safe) {
            self.0.pop_front();
        }
    }

    /// Takes out blocks from `first` on.
    pub(crate) fn truncate(&mut self, first: u64) {
        while self.0.back().is_some_and(|unposted| unposted.block >= first) {
            self.0.pop_back();
        }
    }

    /// Entries that the blocks will take, at most: uncompressed, each as full as blobs or calldata can make it, split where an
    /// entry must be.
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
    use alloy_primitives::{B256, Bytes};
    use turnpike_protocol::{Genesis, Origin};

    use super::*;

    fn record(number: u64, entry: u64, bytes: usize) -> JournalRecord {
        JournalRecord {
            number,
            timestamp: 0,
            origin: Origin { entry, ..Origin::default() },
            deposits: Vec::new(),
            transactions: vec![Bytes::from(vec![0; bytes])],
            hash: B256::ZERO,
            state_root: B256::ZERO,
        }
    }

    #[test]
    fn counts_the_entries_that_blocks_will_take() {
        let config = ChainConfig { entry_inflated_bytes_max: 98_304, ..Genesis::dev().config };
        let mut backlog = Backlog::default();
        assert_eq!(backlog.entries(&config), 0);
        for number in 1..=10 {
            backlog.push(&record(number, 0, 30_000));
        }
        // Three of them fit one entry.
        assert_eq!(backlog.entries(&config), 4);
        backlog.push(&record(11, 1, 10));
        assert_eq!(backlog.entries(&config), 5);
        backlog.drop_to(9);
        assert_eq!(backlog.entries(&config), 2);
        backlog.drop_to(20);
        assert_eq!(backlog.entries(&config), 0);
    }
}
