//! Blocks, as a client sees them: when the head moved, and which transactions they hold.

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

/// Pause between looks at the head: how exactly inclusion is timed.
pub(crate) const HEAD_POLL: Duration = Duration::from_millis(5);

/// Pause between looks for new blocks when everything was sent, and before a lost connection is opened anew.
const BLOCK_POLL: Duration = Duration::from_millis(50);

/// How long the watch may take to see a head that others have seen.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Blocks that are read at once. Of each only hashes come.
const BLOCKS_AT_ONCE: u64 = 20;

/// When the head was seen to move, to which block.
pub(crate) type HeadTimes = Vec<(Instant, u64)>;

/// Looks at the head until it is stopped.
#[derive(Debug)]
pub(crate) struct HeadWatch {
    /// Takes the block after which nothing is of interest.
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
            // Whoever found something in the last block may have been quicker.
            let _ = timeout(HEAD_TIMEOUT, follow(&endpoint, last, &mut times)).await;
            times
        });
        Self { stop, task }
    }

    /// Stops once this block was seen.
    pub(crate) async fn stop_after(self, block: u64) -> anyhow::Result<HeadTimes> {
        let _ = self.stop.send(block);
        self.task.await.context("the watch over the head ended early")
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

/// A block, as far as it is read.
#[derive(Deserialize)]
struct Block {
    transactions: Vec<B256>,
}

/// Looks for transactions in blocks.
#[derive(Debug)]
pub(crate) struct Search {
    /// Index of each transaction that is looked for.
    indexes: HashMap<B256, u32>,
    /// The block that holds each, by index.
    blocks: Vec<Option<u64>>,
    missing: usize,
    twice: usize,
    next: u64,
}

impl Search {
    /// For these transactions, in the blocks after one.
    pub(crate) fn new(after: u64, count: usize, wanted: impl Iterator<Item = (u32, B256)>) -> Self {
        let indexes: HashMap<_, _> = wanted.map(|(index, hash)| (hash, index)).collect();
        let missing = indexes.len();
        Self { indexes, blocks: vec![None; count], missing, twice: 0, next: after + 1 }
    }

    /// Takes over what a block holds.
    fn take(&mut self, block: u64, hashes: &[B256]) {
        for index in hashes.iter().filter_map(|hash| self.indexes.get(hash)) {
            let place = &mut self.blocks[*index as usize];
            if place.is_some() {
                self.twice += 1;
            } else {
                *place = Some(block);
                self.missing -= 1;
            }
        }
    }

    /// Reads blocks until all is found, or there was nothing new for this long.
    pub(crate) async fn run(&mut self, rpc: &mut Rpc, patience: Duration) -> anyhow::Result<()> {
        let mut last_found = Instant::now();
        loop {
            let head = rpc.head().await?;
            while self.next <= head {
                let end = head.min(self.next + BLOCKS_AT_ONCE - 1);
                let params: Vec<_> = (self.next..=end)
                    .map(|number| json!([format!("{number:#x}"), false]))
                    .collect();
                let blocks = rpc.batch_as::<Option<Block>>("eth_getBlockByNumber", &params).await?;
                let before = self.missing;
                for (number, block) in (self.next..).zip(blocks) {
                    // A node may show its head before the block itself.
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
            if self.missing == 0 || last_found.elapsed() > patience {
                return Ok(());
            }
            tokio::time::sleep(BLOCK_POLL).await;
        }
    }

    /// The block of each transaction by index, and how many were found a second time.
    pub(crate) fn finish(self) -> (Vec<Option<u64>>, usize) {
        (self.blocks, self.twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_looks_for_and_notices_what_is_there_twice() {
        let hash = B256::with_last_byte;
        let mut search = Search::new(4, 3, [(0, hash(1)), (2, hash(3))].into_iter());
        search.take(5, &[hash(9), hash(3)]);
        assert_eq!(search.missing, 1);
        search.take(6, &[hash(3), hash(1)]);
        assert_eq!(search.missing, 0);
        assert_eq!(search.finish(), (vec![Some(6), None, Some(5)], 1));
    }
}
