//! When blocks became safe, as a client sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy::{
    providers::{DynProvider, Provider as _, ProviderBuilder},
    transports::http::reqwest,
};
use alloy_primitives::U64;
use anyhow::Context as _;
use serde::Deserialize;
use turnpike_protocol::time_ms;

/// Time between looks at the safe head. Each costs the sequencer as much as a small request.
const POLL: Duration = Duration::from_millis(100);

/// Longest time without a new safe block while transactions wait.
const STALL: Duration = Duration::from_secs(120);

/// Type of deposits.
const DEPOSIT_TYPE: U64 = U64::from_limbs([0x7e]);

/// Watches the safe head of a node.
#[derive(Debug)]
pub(super) struct SafeHeads {
    l2: DynProvider,
    http: reqwest::Client,
    status_url: String,
    /// Unix milliseconds, and the safe head seen then.
    seen: Vec<(u64, u64)>,
}

/// The part of a node's status that is read.
#[derive(Debug, Deserialize)]
struct NodeStatus {
    head: HeadBlock,
    safe: u64,
    /// Transactions that wait, and those that are in no complete block yet.
    pool: TransactionCount,
    preconfirmed: TransactionCount,
}

#[derive(Debug, Deserialize)]
struct HeadBlock {
    number: u64,
}

#[derive(Debug, Deserialize)]
struct TransactionCount {
    transactions: u64,
}

impl NodeStatus {
    /// Whether every accepted transaction is in a safe block.
    const fn is_settled(&self) -> bool {
        let unsealed = self.pool.transactions + self.preconfirmed.transactions;
        unsealed == 0 && self.head.number == self.safe
    }
}

/// The transactions of a block that became safe.
#[derive(Clone, Copy, Debug)]
pub(super) struct SettledBlock {
    transactions: u64,
    /// When the block was opened, and when it was seen as safe, in Unix milliseconds.
    opened: u64,
    safe: u64,
}

/// The part of a block's first transaction that is read.
#[derive(Debug, Deserialize)]
struct FirstTransaction {
    #[serde(rename = "type")]
    kind: U64,
}

/// Transactions that became safe, by block in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled(Vec<SettledBlock>);

impl SafeHeads {
    pub(super) fn connect(url: &str) -> anyhow::Result<Self> {
        let status_url = format!("{url}/v1/status");
        let url = url.parse().context("the node's URL is malformed")?;
        let l2 = DynProvider::new(ProviderBuilder::default().connect_http(url));
        Ok(Self { l2, http: reqwest::Client::new(), status_url, seen: Vec::new() })
    }

    /// Watches until `done`, and then until every transaction is in a safe block.
    pub(super) async fn watch(&mut self, done: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(done);
        let (mut is_done, mut changed) = (false, std::time::Instant::now());
        loop {
            tokio::select! {
                () = &mut done, if !is_done => is_done = true,
                () = tokio::time::sleep(POLL) => {}
            }
            let status = self.status().await?;
            let safe = status.safe;
            if self.seen.last().is_none_or(|(_, last)| *last < safe) {
                self.seen.push((now_ms(), safe));
                changed = std::time::Instant::now();
            }
            if is_done && status.is_settled() {
                return Ok(());
            }
            anyhow::ensure!(changed.elapsed() < STALL, "no block becomes safe after block {safe}");
        }
    }

    /// The transactions in the blocks after `before`, up to the newest that was seen safe.
    pub(super) async fn settled(&self, before: u64) -> anyhow::Result<Settled> {
        let mut blocks = Vec::new();
        let last = self.seen.last().map_or(0, |(_, safe)| *safe);
        for number in before + 1..=last {
            let block = self.l2.get_block_by_number(number.into()).await?;
            let block = block.with_context(|| format!("block {number} is missing"))?;
            // A block with a new origin begins with L1's attributes. This run makes no other deposits.
            let deposits = u64::from(self.begins_with_deposit(number).await?);
            let transactions = (block.transactions.len() as u64).saturating_sub(deposits);
            let opened = time_ms(&block.header.inner);
            let at = self.seen.partition_point(|(_, safe)| *safe < number);
            blocks.push(SettledBlock { transactions, opened, safe: self.seen[at].0 });
        }
        Ok(Settled(blocks))
    }

    async fn begins_with_deposit(&self, block: u64) -> anyhow::Result<bool> {
        let at = (U64::from(block), U64::ZERO);
        let first: Option<FirstTransaction> =
            self.l2.raw_request("eth_getTransactionByBlockNumberAndIndex".into(), at).await?;
        Ok(first.is_some_and(|first| first.kind == DEPOSIT_TYPE))
    }

    /// The newest block.
    pub(super) async fn head(&self) -> anyhow::Result<u64> {
        Ok(self.status().await?.head.number)
    }

    async fn status(&self) -> anyhow::Result<NodeStatus> {
        let status = self.http.get(&self.status_url).send().await?.bytes().await?;
        serde_json::from_slice(&status).context("the node's status is malformed")
    }
}

impl Settled {
    pub(super) fn transactions(&self) -> u64 {
        self.0.iter().map(|block| block.transactions).sum()
    }

    /// The rate at which the middle four fifths of the transactions became safe.
    pub(super) fn per_second(&self) -> f64 {
        let tenth = self.transactions() / 10;
        let (from, to) = (self.safe_at(tenth), self.safe_at(9 * tenth));
        let seconds = to.saturating_sub(from) as f64 / 1e3;
        if seconds > 0.0 { (8 * tenth) as f64 / seconds } else { 0.0 }
    }

    /// When the transaction with this number was seen as safe.
    fn safe_at(&self, number: u64) -> u64 {
        let mut before = 0;
        let holds = |block: &&SettledBlock| {
            before += block.transactions;
            before > number
        };
        self.0.iter().find(holds).or_else(|| self.0.last()).map_or(0, |block| block.safe)
    }

    /// The time from the opening of a transaction's block to the safe block, which this share of the
    /// transactions does not exceed, in milliseconds.
    pub(super) fn wait_ms(&self, share: f64) -> u64 {
        let mut waits: Vec<_> = self
            .0
            .iter()
            .map(|block| (block.safe.saturating_sub(block.opened), block.transactions))
            .collect();
        waits.sort_unstable();
        let mut left = share * self.transactions() as f64;
        for (wait, transactions) in &waits {
            left -= *transactions as f64;
            if left <= 0.0 {
                return *wait;
            }
        }
        waits.last().map_or(0, |(wait, _)| *wait)
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_and_rate_count_by_transaction() {
        let block = |transactions, opened, safe| SettledBlock { transactions, opened, safe };
        let settled = Settled(vec![
            block(1, 100, 1_000),
            block(97, 5_000, 5_100),
            block(0, 5_200, 9_900),
            block(2, 5_500, 6_000),
        ]);
        assert_eq!(settled.transactions(), 100);
        let waits = [0.5, 0.97, 0.99, 1.0].map(|share| settled.wait_ms(share));
        assert_eq!(waits, [100, 100, 500, 900]);
        assert_eq!(Settled::default().wait_ms(0.99), 0);
        let steady = (0..100).map(|second| block(10, 1_000 * second, 1_000 * second + 1_500));
        let rate = Settled(steady.collect()).per_second();
        assert!((rate - 10.0).abs() < 0.01, "{rate}");
    }
}
