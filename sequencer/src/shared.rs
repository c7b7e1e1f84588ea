use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use tokio::sync::{RwLock, Semaphore, mpsc, oneshot, watch};
use turnpike_executor::Chain;
use turnpike_l1::{Disputes, L1Head, OutputStatus, ProposedOutput};
use turnpike_protocol::{ChainConfig, Entry, Origin, OutputRoot, QueuedDeposit};
use turnpike_storage::Database;

use crate::{BlockExecution, Pool, Refusal, admission::CheckedTx};

/// What the API reads.
#[derive(Debug)]
pub struct Shared {
    /// Rules of the chain.
    pub config: ChainConfig,
    /// State and head. Changed by the driver only, together with the journal.
    pub chain: RwLock<Chain>,
    /// How the newest block ran that was built since the start.
    pub last_execution: RwLock<Option<BlockExecution>>,
    /// Transactions that wait.
    pub pool: RwLock<Pool>,
    /// What L1 says of the chain.
    pub settlement: RwLock<Settlement>,
    /// Blocks, transactions and refusals.
    pub database: Arc<Database>,
    /// Number of the newest block that is durable.
    pub head: watch::Receiver<u64>,
    pub(crate) submissions: mpsc::Sender<Submission>,
    /// Permits for calls that run the EVM.
    pub(crate) calls: Semaphore,
}

/// Transactions on their way from a request to the driver.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) txs: Vec<CheckedTx>,
    pub(crate) reply: oneshot::Sender<Vec<Result<B256, Refusal>>>,
}

/// Blocks that an inbox entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedRange {
    /// The entry.
    pub entry: Entry,
    /// First block it holds.
    pub first_block: u64,
    /// Last block it holds.
    pub last_block: u64,
    /// The output root's preimage after that block.
    pub output: OutputRoot,
    /// L1 transaction that appended it.
    pub l1_transaction: B256,
    /// Bytes of its data on L1: of calldata, or of whole blobs.
    pub bytes: u64,
    /// Transactions in its blocks, deposits apart.
    pub transactions: u64,
    /// Why its batch was passed over.
    pub fault: Option<String>,
}

/// What L1 says of the chain.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Where L1 was when it last answered.
    pub l1: Option<L1Head>,
    /// Why L1 did not answer the last time it was asked.
    pub l1_error: Option<String>,
    /// The newest entry's attributes: the origin of the next block.
    pub origin: Option<Origin>,
    /// The inbox's own entry, number 0.
    pub first_entry: Option<Entry>,
    /// All deposits of the queue.
    pub deposits: Vec<QueuedDeposit>,
    /// Which blocks each entry after the first holds, in order.
    pub posted: Vec<PostedRange>,
    /// Outputs, by index.
    pub outputs: Vec<ProposedOutput>,
    /// Those of them that say what this chain says, and so does what they are built on, by index.
    pub agreed: Vec<usize>,
    /// Those of the agreed ones that are not challenged or rejected, nor is what they are built on, by index.
    pub standing: Vec<usize>,
    /// Challenges of outputs, and their games.
    pub disputes: Arc<Disputes>,
}

impl Settlement {
    /// An entry, by its index.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        match usize::try_from(index).ok()?.checked_sub(1) {
            Some(at) => self.posted.get(at).map(|range| &range.entry),
            None => self.first_entry.as_ref(),
        }
    }

    /// The newest entry.
    pub fn newest_entry(&self) -> Option<&Entry> {
        self.posted.last().map(|range| &range.entry).or(self.first_entry.as_ref())
    }

    /// Deposits that entries have consumed: so many of the queue's first.
    pub fn deposits_consumed(&self) -> u64 {
        self.newest_entry().map_or(0, |entry| entry.deposit_count)
    }

    /// Forgets what L1 has dropped: `entries`, entry 0 counted, and `deposits` are left.
    pub(crate) fn rewind(&mut self, entries: u64, deposits: u64) {
        let at_most = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.posted.truncate(at_most(entries.saturating_sub(1)));
        self.deposits.truncate(at_most(deposits));
        self.origin = None;
        self.agree();
    }

    /// Finds the outputs that say what this chain says, and those of them that stand.
    pub(crate) fn agree(&mut self) {
        // By index; the genesis output does both.
        let (mut agreed, mut standing) = (vec![true], vec![true]);
        for output in self.outputs.iter().skip(1) {
            let parent = usize::try_from(output.parent).unwrap_or(usize::MAX);
            let of_parent = |all: &[bool]| all.get(parent).copied().unwrap_or(false);
            let says_the_same = of_parent(&agreed) && self.says_the_same(output);
            let stands = match output.status {
                OutputStatus::Final => true,
                OutputStatus::Proposed => of_parent(&standing),
                OutputStatus::Challenged | OutputStatus::Rejected | OutputStatus::Void => false,
            };
            agreed.push(says_the_same);
            standing.push(stands && says_the_same);
        }
        let places = |all: Vec<bool>| (1..all.len()).filter(|at| all[*at]).collect();
        (self.agreed, self.standing) = (places(agreed), places(standing));
    }

    fn says_the_same(&self, output: &ProposedOutput) -> bool {
        let at = usize::try_from(output.entry).ok().and_then(|entry| entry.checked_sub(1));
        at.and_then(|at| self.posted.get(at)).is_some_and(|range| range.output == output.output)
    }

    /// The newest block that L1 holds.
    pub fn safe(&self) -> u64 {
        self.posted.last().map_or(0, |range| range.last_block)
    }

    /// The newest block in an L1 block that is final.
    pub fn finalized(&self) -> u64 {
        let Some(final_l1) = self.l1.and_then(|l1| l1.finalized) else { return 0 };
        let is_final = |range: &&PostedRange| range.entry.l1_block_number <= final_l1;
        self.posted.iter().rev().find(is_final).map_or(0, |range| range.last_block)
    }

    /// The entry that holds a block.
    pub fn posted(&self, block: u64) -> Option<&PostedRange> {
        let at = self.posted.partition_point(|range| range.last_block < block);
        self.posted.get(at).filter(|range| range.first_block <= block)
    }

    /// The output that speaks for a block: the first standing one at or after it.
    pub fn output(&self, block: u64) -> Option<&ProposedOutput> {
        let mut standing = self.standing.iter().filter_map(|index| self.outputs.get(*index));
        standing.find(|output| output.l2_block >= block)
    }
}

impl Shared {
    /// Offers raw transactions to the pool. The result of each is in the order given; an accepted one is durable.
    pub async fn submit(self: &Arc<Self>, raws: Vec<Bytes>) -> Vec<Result<B256, Refusal>> {
        let shared = Arc::clone(self);
        let checked = tokio::task::spawn_blocking(move || {
            let check = |raw| crate::admission::check_stateless(&shared.config, raw);
            raws.into_iter().map(check).collect::<Vec<_>>()
        })
        .await
        .expect("invariant: checking does not panic");
        let (txs, mut results): (Vec<_>, Vec<_>) = split(checked);
        if txs.is_empty() {
            return results.into_iter().map(|result| result.expect("all were refused")).collect();
        }
        let (reply, answer) = oneshot::channel();
        let count = txs.len();
        let sent = self.submissions.send(Submission { txs, reply }).await;
        let answers = match sent {
            Ok(()) => answer.await.unwrap_or_else(|_| vec![Err(Refusal::Stopping); count]),
            Err(_) => vec![Err(Refusal::Stopping); count],
        };
        let mut answers = answers.into_iter();
        for result in results.iter_mut().filter(|result| result.is_none()) {
            *result = answers.next();
        }
        results.into_iter().map(|result| result.expect("one answer for each")).collect()
    }
}

/// Separates what goes on from what is refused already, keeping the places.
fn split(
    checked: Vec<Result<CheckedTx, Refusal>>,
) -> (Vec<CheckedTx>, Vec<Option<Result<B256, Refusal>>>) {
    let mut txs = Vec::new();
    let results = checked
        .into_iter()
        .map(|result| match result {
            Ok(tx) => {
                txs.push(tx);
                None
            }
            Err(refusal) => Some(Err(refusal)),
        })
        .collect();
    (txs, results)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, Bytes, U256};
    use turnpike_protocol::DataKind;

    use super::*;

    fn root(seed: u8) -> OutputRoot {
        let word = B256::repeat_byte(seed);
        OutputRoot { state_root: word, message_passer_storage_root: word, block_hash: word }
    }

    fn posted(index: u8) -> PostedRange {
        let entry = Entry {
            index: index.into(),
            data_kind: DataKind::None,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 1,
            l1_time: 1,
            l1_base_fee: U256::ZERO,
            l1_blob_base_fee: U256::ZERO,
            l1_parent_hash: B256::ZERO,
            origin: 0,
        };
        PostedRange {
            entry,
            first_block: index.into(),
            last_block: index.into(),
            output: root(index),
            l1_transaction: B256::ZERO,
            bytes: 0,
            transactions: 0,
            fault: None,
        }
    }

    fn output(parent: u64, entry: u8, seed: u8, status: OutputStatus) -> ProposedOutput {
        ProposedOutput {
            index: 0,
            claim: B256::ZERO,
            parent,
            entry: entry.into(),
            output: root(seed),
            header: Bytes::new(),
            l2_block: entry.into(),
            proposer: Address::ZERO,
            proposed_at: 0,
            l1_transaction: B256::ZERO,
            status,
        }
    }

    #[test]
    fn an_output_agrees_though_it_is_challenged_but_speaks_for_a_block_only_if_it_stands() {
        use OutputStatus::{Challenged, Final, Proposed, Rejected, Void};
        let mut settlement = Settlement {
            posted: (1..=4).map(posted).collect(),
            outputs: vec![
                output(0, 0, 0, Final),
                output(0, 1, 1, Final),
                output(1, 2, 2, Challenged),
                output(2, 3, 3, Proposed),
                output(1, 2, 0x66, Rejected),
                output(4, 3, 3, Void),
                output(1, 4, 4, Proposed),
                output(6, 5, 5, Proposed),
            ],
            ..Settlement::default()
        };
        settlement.agree();
        assert_eq!(
            settlement.agreed,
            [1, 2, 3, 6],
            "not on what is wrong, nor beyond what is posted"
        );
        assert_eq!(settlement.standing, [1, 6]);
        let entry_of = |block| settlement.output(block).map(|output| output.entry);
        assert_eq!([1, 2, 3, 4, 5].map(entry_of), [Some(1), Some(4), Some(4), Some(4), None]);
    }
}
