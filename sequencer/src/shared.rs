use std::{
    sync::{Arc, OnceLock, PoisonError, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use turnpike_executor::{Chain, ChainHead};
use turnpike_l1::{Disputes, L1Head, OutputStatus, ProposedOutput};
use turnpike_protocol::{
    ChainConfig, Entry, Origin, OutputRoot, QueuedDeposit, SignedTx, decode_transaction,
};
use turnpike_storage::{Database, StorageError, TransactionLocation, unix_milliseconds};

use crate::{
    BlockExecution, Pool, PoolLimits, Preconfirmation, PreconfirmationError, PromiseSigner,
    Refusal, SubmissionRoute,
    admin_control::AdminControl,
    admission::{Admission, CheckedTx},
    api::Filters,
    metrics::refused,
    notifications::Notifications,
    preconfirmation_cache::{CachedTx, PreconfirmationCache},
    producer::ProducerEvent,
    submission_route::SubmissionSink,
};

/// Calls that run the EVM at the same time: the rest of the node needs its cores as well.
const CALLS_MAX: usize = 2;

/// Traces at the same time.
const TRACES_MAX: usize = 2;

/// Bytes of transactions that may wait for the producer.
const SUBMITTED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the API reads.
#[derive(Debug)]
pub struct Shared {
    /// Rules of the chain.
    pub config: ChainConfig,
    /// State and head. Changed by the producer, the sealer and, where L1 demands it, the driver.
    pub chain: RwLock<Chain>,
    /// How the newest block ran that was built since the start.
    pub last_execution: RwLock<Option<BlockExecution>>,
    /// What L1 says of the chain.
    pub settlement: RwLock<Settlement>,
    /// Counts changes of `settlement`.
    pub settlement_changed: watch::Receiver<u64>,
    /// The journal, and the index: blocks, transactions and refusals.
    pub database: Arc<Database>,
    /// The same, to be read for clients: the node does not wait for what they ask for.
    pub(crate) client_database: Arc<Database>,
    /// Number of the newest block that the index holds.
    pub head: watch::Receiver<u64>,
    /// The end of the journal: all rows before it are durable.
    pub journal_end: watch::Receiver<u64>,
    /// Transactions that wait.
    pub(crate) pool: std::sync::RwLock<Pool>,
    /// What happened and is not in the index yet.
    pub(crate) preconfirmations: PreconfirmationCache,
    /// What listeners are told.
    pub(crate) notifications: Notifications,
    /// What clients poll.
    pub(crate) filters: Filters,
    /// Signs preconfirmations, if there is a key.
    pub signer: Option<PromiseSigner>,
    pub(crate) admission: Admission,
    pub(crate) events: mpsc::Sender<ProducerEvent>,
    /// Permits for bytes of transactions that wait for the producer.
    submitted_bytes: Arc<Semaphore>,
    /// Permits for calls that run the EVM.
    pub(crate) calls: Semaphore,
    /// Permits for traces, which may take long: no call waits for one.
    pub(crate) traces: Semaphore,
    /// Where transactions go.
    pub(crate) submission_sink: SubmissionSink,
    /// What an operator has the node do.
    pub(crate) control: AdminControl,
    /// Why nothing can be made durable any more.
    pub(crate) failure: OnceLock<String>,
    /// Cancelled when that is so.
    pub(crate) failed: CancellationToken,
}

/// How a node's parts tell what [`Shared`] shows.
#[derive(Debug)]
pub(crate) struct HeadSenders {
    pub(crate) head: watch::Sender<u64>,
    pub(crate) journal_end: watch::Sender<u64>,
    pub(crate) settlement_changed: watch::Sender<u64>,
}

/// A transaction that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its hash.
    pub hash: B256,
    /// Whether it was not here before.
    pub is_new: bool,
    /// Its place and its receipt, if it ran already.
    pub preconfirmation: Option<Arc<Preconfirmation>>,
}

/// How a request is answered: a result for each of its transactions.
pub(crate) type Reply = oneshot::Sender<Vec<Result<Accepted, Refusal>>>;

/// Transactions on their way from a request to the producer.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) txs: Vec<CheckedTx>,
    /// When they came, in Unix milliseconds.
    pub(crate) received_ms: u64,
    pub(crate) reply: Reply,
    /// Leave to wait, a permit for each byte of theirs.
    pub(crate) waits: OwnedSemaphorePermit,
}

impl Submission {
    /// Bytes of its transactions.
    pub(crate) fn bytes(&self) -> usize {
        self.waits.num_permits()
    }
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
    /// When L1 last answered.
    pub l1_seen_at: Option<Instant>,
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
    /// What a node shows whose chain and whose database have come equally far, and that knows nothing of L1.
    pub(crate) async fn new(
        chain: Chain,
        database: Arc<Database>,
        submission_route: SubmissionRoute,
        pool: PoolLimits,
        signer: Option<PromiseSigner>,
        events: mpsc::Sender<ProducerEvent>,
    ) -> anyhow::Result<(Arc<Self>, HeadSenders)> {
        let (head, head_seen) = watch::channel(chain.head().header.number);
        let (journal_end, journal_end_seen) = watch::channel(database.journal_end().await?);
        let (settlement_changed, settlement_changed_seen) = watch::channel(0);
        let config = chain.config().clone();
        let shared = Self {
            admission: Admission::new(config.clone())?,
            config,
            chain: RwLock::new(chain),
            last_execution: RwLock::default(),
            settlement: RwLock::default(),
            settlement_changed: settlement_changed_seen,
            client_database: Arc::new(database.for_clients().await?),
            database,
            head: head_seen,
            journal_end: journal_end_seen,
            pool: std::sync::RwLock::new(Pool::new(pool)),
            preconfirmations: PreconfirmationCache::default(),
            notifications: Notifications::default(),
            filters: Filters::default(),
            signer,
            events,
            submitted_bytes: Arc::new(Semaphore::new(SUBMITTED_BYTES_MAX)),
            calls: Semaphore::new(CALLS_MAX),
            traces: Semaphore::new(TRACES_MAX),
            submission_sink: submission_route.open()?,
            control: AdminControl::default(),
            failure: OnceLock::new(),
            failed: CancellationToken::new(),
        };
        Ok((Arc::new(shared), HeadSenders { head, journal_end, settlement_changed }))
    }

    /// Offers raw transactions. The result of each is in the order given, and durable. One that is known already is accepted again
    /// for as long as it waits or is in a block.
    pub async fn submit(self: &Arc<Self>, raws: Vec<Bytes>) -> Vec<Result<Accepted, Refusal>> {
        match &self.submission_sink {
            SubmissionSink::LocalPool => {}
            SubmissionSink::Rejected => return vec![Err(Refusal::ReadOnly); raws.len()],
            SubmissionSink::Forwarded(sequencer) => {
                let results = sequencer.submit(raws.clone()).await;
                self.notifications.accepted(results.iter(), |hash| signed(&raws, hash));
                return results;
            }
        }
        if self.failure.get().is_some() {
            return vec![Err(self.failed_refusal()); raws.len()];
        }
        let _let_in = match self.control.let_in().await {
            Ok(let_in) => let_in,
            Err(refusal) => {
                refused(&refusal);
                return vec![Err(refusal); raws.len()];
            }
        };
        let received_ms = unix_milliseconds();
        let (txs, mut results) = split(self.admission.check(raws.clone()).await);
        if !txs.is_empty() {
            let count = txs.len();
            let answers = self.hand_over(txs, received_ms).await;
            let mut answers =
                answers.unwrap_or_else(|refusal| vec![Err(refusal); count]).into_iter();
            for result in results.iter_mut().filter(|result| result.is_none()) {
                *result = answers.next();
            }
        }
        let mut settled = Vec::with_capacity(results.len());
        for (result, raw) in results.into_iter().zip(raws) {
            let mut result = result.expect("invariant: one answer for each");
            if let Err(Refusal::NonceTooLow { .. }) = result {
                // One that a block holds has no nonce left to it.
                let hash = keccak256(&raw);
                if let Ok(Some(_)) = self.client_database.transaction(&hash).await {
                    result = Ok(Accepted { hash, is_new: false, preconfirmation: None });
                }
            }
            result.as_ref().inspect_err(|refusal| refused(refusal)).ok();
            settled.push(result);
        }
        settled
    }

    /// Has the producer take transactions in, and waits for what it says of each. An error is about all of them.
    async fn hand_over(
        &self,
        txs: Vec<CheckedTx>,
        received_ms: u64,
    ) -> Result<Vec<Result<Accepted, Refusal>>, Refusal> {
        let bytes = txs.iter().map(|tx| tx.raw.len()).sum::<usize>();
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::Busy)?;
        let waits = Arc::clone(&self.submitted_bytes).try_acquire_many_owned(bytes);
        let waits = waits.map_err(|_| Refusal::Busy)?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { txs, received_ms, reply, waits };
        let sent = self.events.send(ProducerEvent::Submission(submission)).await;
        sent.map_err(|_| self.failed_refusal())?;
        answer.await.map_err(|_| self.failed_refusal())
    }

    /// What was promised of a transaction, from its slice's commit until its block is in the index.
    pub fn preconfirmed(&self, hash: &B256) -> Option<Arc<Preconfirmation>> {
        self.preconfirmations.preconfirmed(hash)
    }

    /// Waits until a transaction is preconfirmed that waits or runs. The caller bounds the wait.
    pub async fn wait_preconfirmed(
        &self,
        hash: B256,
    ) -> Result<Arc<Preconfirmation>, PreconfirmationError> {
        match self.preconfirmations.wait(hash) {
            Ok(found) => Ok(found),
            Err(wait) => wait.await.unwrap_or(Err(PreconfirmationError::Stopping)),
        }
    }

    /// A transaction that was accepted and is in no block yet: its bytes and its sender.
    pub fn waiting(&self, hash: &B256) -> Option<(Bytes, Address)> {
        // In the order in which they move: a transaction that is found nowhere has moved on.
        if let Some(tx) = self.pool().get(hash) {
            return Some((tx.raw.clone(), tx.sender));
        }
        match self.preconfirmations.get(hash)? {
            CachedTx::Running { raw, sender } => Some((raw, sender)),
            CachedTx::Preconfirmed(promise) => {
                let tx = &promise.transaction;
                Some((tx.envelope().encoded_2718().into(), tx.sender))
            }
        }
    }

    /// The nonce that a waiting transaction waits for, if it is not its own.
    pub(crate) fn missing_nonce(&self, hash: &B256) -> Option<u64> {
        let pool = self.pool();
        let tx = pool.get(hash)?;
        pool.next_nonce(&tx.sender).filter(|next| *next < tx.tx.nonce())
    }

    /// Whether a transaction will be in a block as soon as there is one.
    pub(crate) fn is_on_its_way(&self, hash: &B256) -> bool {
        self.missing_nonce(hash).is_none()
            && (self.pool().get(hash).is_some() || self.preconfirmations.get(hash).is_some())
    }

    /// Why a transaction that was accepted will not run.
    pub async fn refusal(&self, hash: &B256) -> Result<Option<String>, StorageError> {
        match self.preconfirmations.refusal(hash) {
            Some(reason) => Ok(Some(reason)),
            None => self.client_database.refusal(hash).await,
        }
    }

    /// Closes the database: from then on others may write it. Who writes goes last, and leaves nothing beside the files.
    pub(crate) async fn close(&self) {
        self.client_database.close().await;
        self.database.close().await;
    }

    /// The newest block that everybody may see: it is durable, and can be looked up. The chain may be ahead of it; where it is so far
    /// ahead that the state after that block is gone, and where blocks were taken back, it is the chain's head.
    pub(crate) fn newest<'chain>(&self, chain: &'chain Chain) -> &'chain ChainHead {
        chain.head_at(*self.head.borrow()).unwrap_or_else(|| chain.head())
    }

    /// Where a transaction is, if everybody may see its block.
    pub(crate) async fn place_of(
        &self,
        hash: &B256,
    ) -> Result<Option<TransactionLocation>, StorageError> {
        let place = self.client_database.transaction(hash).await?;
        Ok(place.filter(|place| place.block <= *self.head.borrow()))
    }

    /// The nonce that a sender's next transaction should have, if that is not the account's: preconfirmed ones count, and those
    /// that wait without a gap.
    pub fn next_nonce(&self, sender: &Address) -> Option<u64> {
        let pooled = self.pool().next_nonce(sender);
        pooled.max(self.preconfirmations.next_nonce(sender))
    }

    /// The pool, to read.
    pub(crate) fn pool(&self) -> RwLockReadGuard<'_, Pool> {
        self.pool.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool, for the producer, and the driver while that stands still.
    pub(crate) fn pool_mut(&self) -> RwLockWriteGuard<'_, Pool> {
        self.pool.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is promised of accepted transactions by now.
    pub(crate) fn with_promises(
        &self,
        mut results: Vec<Result<Accepted, Refusal>>,
    ) -> Vec<Result<Accepted, Refusal>> {
        self.preconfirmations.add_preconfirmations(results.iter_mut().flatten());
        results
    }

    /// Nothing can be made durable any more: nothing is accepted.
    pub(crate) fn fail(&self, reason: String) {
        let _ = self.failure.set(reason);
        self.failed.cancel();
        self.preconfirmations.stop();
    }

    /// Why nothing is accepted.
    pub(crate) fn failed_refusal(&self) -> Refusal {
        match self.failure.get() {
            Some(reason) => Refusal::JournalFailed { reason: reason.clone() },
            None => Refusal::Stopping,
        }
    }
}

#[cfg(test)]
impl Shared {
    /// What a node shows of a new chain, whose database is in `folder`; and what is offered to it.
    pub(crate) async fn of_new(
        folder: &std::path::Path,
        genesis: &turnpike_protocol::Genesis,
    ) -> (Arc<Self>, HeadSenders, mpsc::Receiver<ProducerEvent>) {
        let location = folder.join("sequencer.db").into();
        let id = turnpike_storage::genesis_id(genesis);
        let database = Arc::new(Database::open(&location, id).await.expect("opens"));
        let (send, events) = mpsc::channel(16);
        let (chain, pool) = (Chain::from_genesis(genesis), PoolLimits::default());
        let made = Self::new(chain, database, SubmissionRoute::LocalPool, pool, None, send).await;
        let (shared, senders) = made.expect("is ready");
        (shared, senders, events)
    }
}

/// The one of these transactions that has this hash, and who signed it.
fn signed(raws: &[Bytes], hash: &B256) -> Option<(Bytes, Address)> {
    let raw = raws.iter().find(|raw| keccak256(raw) == *hash)?;
    let sender = SignedTx::recover(decode_transaction(raw).ok()?).signer().ok()?;
    Some((raw.clone(), sender))
}

/// Separates what goes on from what is refused already, keeping the places.
fn split(
    checked: Vec<Result<CheckedTx, Refusal>>,
) -> (Vec<CheckedTx>, Vec<Option<Result<Accepted, Refusal>>>) {
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
    use turnpike_protocol::{BlockInput, DataKind, Genesis, Origin};

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

    #[tokio::test]
    async fn block_is_newest_once_indexed() {
        let folder = tempfile::tempdir().expect("a folder");
        let genesis = Genesis::dev();
        let (shared, senders, _events) = Shared::of_new(folder.path(), &genesis).await;
        let newest = async || shared.newest(&*shared.chain.read().await).header.number;
        for number in 1..=2 {
            let origin = Origin { entry: 1, l1_time: genesis.timestamp, ..Origin::default() };
            let timestamp = genesis.timestamp + number;
            let (deposits, transactions) = (Vec::new(), Vec::new());
            let input = BlockInput { number, timestamp, origin, deposits, transactions };
            shared.chain.write().await.execute(&input).expect("an empty block is valid");
            assert_eq!(newest().await, 0);
        }
        senders.head.send_replace(1);
        assert_eq!(newest().await, 1);
        assert!(shared.chain.write().await.rewind(0));
        assert_eq!(newest().await, 0, "rewound blocks are gone");
    }

    #[tokio::test]
    async fn submitted_bytes_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let genesis = Genesis::dev();
        let (shared, _tellers, mut events) = Shared::of_new(folder.path(), &genesis).await;
        let tx = |bytes: usize| CheckedTx {
            tx: turnpike_protocol::SignedTx::new_unchecked(
                alloy_consensus::SignableTransaction::into_signed(
                    alloy_consensus::TxEip1559::default(),
                    alloy_primitives::Signature::new(U256::from(1), U256::from(1), false),
                )
                .into(),
                Address::ZERO,
            ),
            raw: vec![0; bytes].into(),
            sender: Address::ZERO,
        };
        let mut most = Box::pin(shared.hand_over(vec![tx(SUBMITTED_BYTES_MAX - 10)], 0));
        assert!(futures_util::poll!(&mut most).is_pending());
        let busy = shared.hand_over(vec![tx(6), tx(5)], 0).await;
        assert!(matches!(busy, Err(Refusal::Busy)), "{busy:?}");
        let Some(ProducerEvent::Submission(taken)) = events.recv().await else {
            panic!("it waits")
        };
        assert_eq!(taken.bytes(), SUBMITTED_BYTES_MAX - 10);
        drop(taken);
        let mut next = Box::pin(shared.hand_over(vec![tx(6), tx(5)], 0));
        assert!(futures_util::poll!(&mut next).is_pending(), "there is room again");
    }

    #[test]
    fn challenged_output_agrees_but_covers_no_block() {
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
