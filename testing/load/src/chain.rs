//! Watches the head and searches blocks for transactions, as a client would.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{endpoint::Endpoint, rpc::Rpc};

/// Pause between polls of the head, which bounds the precision of inclusion times.
pub(crate) const HEAD_POLL: Duration = Duration::from_millis(5);

/// Pause between polls for new blocks after the load, and before a lost connection is opened again.
const BLOCK_POLL: Duration = Duration::from_millis(50);

/// Time limit for the watch to see a head that the search has seen.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Blocks in one request. Only transaction hashes are read.
const BLOCKS_AT_ONCE: u64 = 20;

/// When each new head was seen, and its number.
pub(crate) type HeadTimes = Vec<(Instant, u64)>;

/// Polls the head until it is stopped.
#[derive(Debug)]
pub(crate) struct HeadWatch {
    /// Sends the last block of interest.
    stop: oneshot::Sender<u64>,
    task: JoinHandle<HeadTimes>,
}

impl HeadWatch {
    pub(crate) fn start(endpoint: Endpoint) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut times = HeadTimes::new();
            let last = tokio::select! {
                () = follow(&endpoint, u64::MAX, &mut times) => u64::MAX,
                last = stopped => last.unwrap_or_default(),
            };
            // The search may have seen the last block before this watch.
            let _ = timeout(HEAD_TIMEOUT, follow(&endpoint, last, &mut times)).await;
            times
        });
        Self { stop, task }
    }

    /// Stops after this block was seen.
    pub(crate) async fn stop_after(self, block: u64) -> anyhow::Result<HeadTimes> {
        let _ = self.stop.send(block);
        self.task.await.context("the head watch ended early")
    }
}

async fn follow(endpoint: &Endpoint, last: u64, times: &mut HeadTimes) {
    let seen = |times: &HeadTimes| times.last().is_some_and(|(_, head)| *head >= last);
    while !seen(times) {
        if let Ok(mut rpc) = Rpc::open(endpoint).await {
            while !seen(times)
                && let Ok(head) = rpc.head().await
            {
                if times.last().is_none_or(|(_, last)| head > *last) {
                    times.push((Instant::now(), head));
                }
                tokio::time::sleep(HEAD_POLL).await;
            }
        }
        tokio::time::sleep(BLOCK_POLL).await;
    }
}

/// The transaction hashes of a block.
#[derive(Deserialize)]
struct BlockHashes {
    transactions: Vec<B256>,
}

/// Searches blocks for transactions.
#[derive(Debug)]
pub(crate) struct TransactionSearch {
    /// Index of each wanted transaction.
    indexes: HashMap<B256, u32>,
    /// The block of each transaction, by index.
    blocks: Vec<Option<u64>>,
    missing: usize,
    twice: usize,
    next: u64,
}

impl TransactionSearch {
    /// Searches these transactions in the blocks after `after`.
    pub(crate) fn new(after: u64, count: usize, wanted: impl Iterator<Item = (u32, B256)>) -> Self {
        let indexes: HashMap<_, _> = wanted.map(|(index, hash)| (hash, index)).collect();
        let missing = indexes.len();
        Self { indexes, blocks: vec![None; count], missing, twice: 0, next: after + 1 }
    }

    /// Records the wanted transactions of a block.
    fn take(&mut self, block: u64, hashes: &[B256]) {
        for index in hashes.iter().filter_map(|hash| self.indexes.get(hash)) {
            let found = &mut self.blocks[*index as usize];
            if found.is_some() {
                self.twice += 1;
            } else {
                *found = Some(block);
                self.missing -= 1;
            }
        }
    }

    /// Reads blocks until every transaction is found, or none was found for `patience`.
    pub(crate) async fn run(&mut self, rpc: &mut Rpc, patience: Duration) -> anyhow::Result<()> {
        let mut last_found = Instant::now();
        while self.missing > 0 && last_found.elapsed() <= patience {
            let head = rpc.head().await?;
            while self.next <= head {
                let end = head.min(self.next + BLOCKS_AT_ONCE - 1);
                let params: Vec<_> = (self.next..=end)
                    .map(|number| json!([format!("{number:#x}"), false]))
                    .collect();
                let blocks =
                    rpc.batch_as::<Option<BlockHashes>>("eth_getBlockByNumber", &params).await?;
                let before = self.missing;
                for (number, block) in (self.next..).zip(blocks) {
                    // A node may report its head before it serves the block.
                    let Some(block) = block? else { break };
                    self.take(number, &block.transactions);
                    self.next = number + 1;
                }
                if self.missing < before {
                    last_found = Instant::now();
                }
                if self.next <= end {
                    break;
                }
            }
            if self.missing > 0 {
                tokio::time::sleep(BLOCK_POLL).await;
            }
        }
        Ok(())
    }

    /// The block of each transaction by index, and how many were found twice.
    pub(crate) fn finish(self) -> (Vec<Option<u64>>, usize) {
        (self.blocks, self.twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_finds_transactions_and_counts_duplicates() {
        let hash = B256::with_last_byte;
        let mut search = TransactionSearch::new(4, 3, [(0, hash(1)), (2, hash(3))].into_iter());
        search.take(5, &[hash(9), hash(3)]);
        assert_eq!(search.missing, 1);
        search.take(6, &[hash(3), hash(1)]);
        assert_eq!(search.missing, 0);
        assert_eq!(search.finish(), (vec![Some(6), None, Some(5)], 1));
    }
}
