//! A sequencer without network on an L1 in memory. It remembers every acknowledged transaction of
//! its users.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use tempfile::TempDir;
use turnpike_executor::{Chain, EngineConfig, Mode};
use turnpike_protocol::{Genesis, GenesisAccount, SignedTx};
use turnpike_storage::SealedInput;

use super::{
    super::{Driver, ReorgStep},
    l1::{FakeL1, block_of},
};
use crate::{
    BacklogLimits, CHECKPOINT_BLOCKS, NodeHandles, PoolLimits, SequencerConfig,
    service::Node,
    tracker::{L1Event, recover_signers},
};

const HOUR: Duration = Duration::from_secs(3_600);

const USERS: u8 = 3;

/// A contract that writes a log with the first word of its input as its topic.
pub(super) const LOGGER: Address = Address::repeat_byte(0x10);
const LOGGER_CODE: &[u8] = &hex!("5f355f5fa100");

/// Configuration of a node that makes blocks on demand only and keeps its data in `folder`.
pub(crate) fn config_in(folder: &Path) -> SequencerConfig {
    SequencerConfig {
        database: folder.join("sequencer.db").into(),
        state: folder.join("sequencer.state"),
        l1: "".into(),
        l1_confirmations: 0,
        l1_poll: Duration::ZERO,
        // Blocks are made on demand.
        block_interval: HOUR,
        heartbeat: HOUR,
        origin_step: 0,
        backlog: BacklogLimits::default(),
        checkpoint_blocks: CHECKPOINT_BLOCKS,
        execution: EngineConfig { mode: Mode::Sequential, ..EngineConfig::default() },
        pool: PoolLimits::default(),
        key: None,
        submission_route: crate::SubmissionRoute::LocalPool,
    }
}

pub(crate) struct TestSequencer {
    folder: TempDir,
    config: SequencerConfig,
    pub(super) genesis: Genesis,
    pub(super) users: Vec<PrivateKeySigner>,
    pub(super) l1: FakeL1,
    /// `None` during a restart.
    node: Option<Node>,
    /// Hashes of the acknowledged transactions.
    acknowledged: Vec<B256>,
}

impl TestSequencer {
    pub(crate) async fn new() -> Self {
        Self::with_genesis_at(1_750_000_000).await
    }

    /// L1 begins `timestamp` seconds after 1970.
    pub(super) async fn with_genesis_at(timestamp: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = |user: u8| PrivateKeySigner::from_bytes(&B256::repeat_byte(user + 1));
        let users: Vec<_> = (0..USERS).map(|user| key(user).expect("a key")).collect();
        let mut genesis = Genesis::dev();
        genesis.timestamp = timestamp;
        for user in &users {
            let balance = U256::from(10).pow(U256::from(20));
            let account = GenesisAccount { balance, ..GenesisAccount::default() };
            genesis.alloc.insert(user.address(), account);
        }
        let code = Bytes::from_static(LOGGER_CODE);
        genesis.alloc.insert(LOGGER, GenesisAccount { code, ..GenesisAccount::default() });
        let config = config_in(folder.path());
        let parent = Chain::from_genesis(&genesis).head().parent;
        let l1 = FakeL1::new(genesis.config.clone(), parent);
        let node = Node::start(&genesis, config.clone(), None).await.expect("starts");
        let node = Some(node);
        let acknowledged = Vec::new();
        Self { folder, config, genesis, users, l1, node, acknowledged }
    }

    /// Crashes the node and starts it again on its data.
    pub(super) async fn restart(&mut self) {
        self.node.take().expect("runs").crash().await;
        let node = Node::start(&self.genesis, self.config.clone(), None).await;
        self.node = Some(node.expect("starts again"));
        self.l1.forget_reported();
    }

    /// Crashes the node and starts it on an empty database. Its acknowledged transactions are
    /// forgotten.
    pub(super) async fn restart_empty(&mut self) {
        self.config.database = self.folder.path().join("empty.db").into();
        self.acknowledged.clear();
        self.restart().await;
    }

    /// Handles everything that L1 holds.
    pub(crate) async fn sync(&mut self) -> anyhow::Result<()> {
        loop {
            let handles = Arc::clone(self.handles());
            let mut event = self.l1.next_event(&handles.chain.database).await;
            let is_all = matches!(event, L1Event::Progress(_));
            if let L1Event::Progress(progress) = &mut event {
                let reported = handles.settlement.read().await.deposits.len();
                progress.deposits.drain(..reported);
            }
            self.driver().handle_l1_event(event).await?;
            if is_all {
                return Ok(());
            }
        }
    }

    /// Like [`Self::sync`], but interrupts a reorg after `step`.
    pub(super) async fn sync_until(&mut self, step: ReorgStep) -> anyhow::Result<()> {
        self.driver().stop_after = Some(step);
        let synced = self.sync().await;
        self.driver().stop_after = None;
        synced
    }

    /// A plain transfer. `salt` distinguishes two with the same nonce.
    pub(super) fn transfer(&self, user: usize, nonce: u64, salt: u64) -> SignedTx {
        let tx = TxEip1559 {
            chain_id: self.genesis.config.chain_id,
            nonce,
            gas_limit: 30_000,
            max_fee_per_gas: 10_000_000_000,
            to: TxKind::Call(self.users[(user + 1) % self.users.len()].address()),
            value: U256::from(1 + salt),
            ..TxEip1559::default()
        };
        let signature = self.users[user].sign_hash_sync(&tx.signature_hash()).expect("signs");
        SignedTx::recover(tx.into_signed(signature).into())
    }

    /// Submits a transaction, and remembers it if it is accepted.
    pub(crate) async fn submit(&mut self, tx: &SignedTx) -> bool {
        let raw = Bytes::from(tx.encoded());
        let taken = self.handles().submissions.submit(vec![raw]).await.remove(0).is_ok();
        if taken {
            self.acknowledged.push(tx.hash());
        }
        taken
    }

    pub(crate) fn handles(&self) -> &Arc<NodeHandles> {
        &self.node().driver.handles
    }

    pub(super) fn node(&self) -> &Node {
        self.node.as_ref().expect("runs")
    }

    pub(super) fn driver(&mut self) -> &mut Driver {
        &mut self.node.as_mut().expect("runs").driver
    }

    pub(super) fn head(&self) -> u64 {
        self.node().driver.head()
    }

    /// The nonce of a user's next transaction.
    pub(super) async fn next_nonce(&self, user: usize) -> u64 {
        let address = self.users[user].address();
        let account = self.handles().chain.read().await.state().account(&address);
        let nonce = account.unwrap_or_default().nonce;
        self.handles().transactions.next_nonce(&address).unwrap_or(0).max(nonce)
    }

    /// Submits a user's next transaction.
    pub(crate) async fn send(&mut self, user: usize) -> B256 {
        let tx = self.transfer(user, self.next_nonce(user).await, 0);
        assert!(self.submit(&tx).await);
        tx.hash()
    }

    /// Submits a user's next transaction, which writes a log with this topic.
    pub(super) async fn log(&mut self, user: usize, topic: B256) -> B256 {
        let tx = TxEip1559 {
            chain_id: self.genesis.config.chain_id,
            nonce: self.next_nonce(user).await,
            gas_limit: 60_000,
            max_fee_per_gas: 10_000_000_000,
            to: TxKind::Call(LOGGER),
            input: topic.into(),
            ..TxEip1559::default()
        };
        let signature = self.users[user].sign_hash_sync(&tx.signature_hash()).expect("signs");
        let tx = SignedTx::recover(tx.into_signed(signature).into());
        assert!(self.submit(&tx).await);
        tx.hash()
    }

    /// Complete blocks from `first` on, as the journal holds them.
    pub(super) async fn journal(&self, first: u64) -> Vec<SealedInput> {
        let database = &self.handles().chain.database;
        database.sealed_blocks(first, u32::MAX).await.expect("reads")
    }

    pub(crate) async fn build(&mut self, blocks: usize) {
        self.node().seal(blocks).await;
    }

    pub(crate) async fn post(&mut self, blocks_max: u32) -> bool {
        let database = Arc::clone(&self.handles().chain.database);
        self.l1.post_own(&database, blocks_max).await
    }

    /// Checks that the chain consists of the derived blocks and then the node's own, in state,
    /// journal and index, and that no acknowledged transaction is lost.
    pub(super) async fn check(&self) {
        let handles = self.handles();
        let database = &handles.chain.database;
        let chain = handles.chain.read().await;
        let mut fresh = Chain::from_genesis(&self.genesis);
        for block in recover_signers(self.l1.blocks()) {
            fresh.execute(&block.input).expect("runs");
        }
        let journal = database.sealed_blocks(1, u32::MAX).await.expect("reads");
        let safe = usize::try_from(fresh.head().header.number).expect("small");
        assert_eq!(handles.settlement.read().await.safe(), safe as u64);
        for record in &journal[safe..] {
            let block = block_of(&self.genesis.config, fresh.head().parent, record.clone());
            let [block] = &recover_signers(vec![block])[..] else { panic!("one block") };
            assert_eq!(fresh.execute(&block.input).expect("runs").hash(), record.hash);
        }
        assert_eq!(fresh.head(), chain.head());
        assert_eq!(chain.state().roots().state_root, fresh.head().header.state_root);
        assert_eq!(self.head(), journal.len() as u64);
        let deposits: u64 = journal.iter().map(|record| record.deposits.len() as u64).sum();
        assert_eq!(self.deposits_consumed(), deposits);
        for record in &journal {
            let block = database.block(record.number).await.expect("reads").expect("indexed");
            assert_eq!(block.header.hash_slow(), record.hash);
            assert!(database.passer_proof(record.number).await.expect("reads").is_some());
        }
        assert_eq!(database.block(journal.len() as u64 + 1).await.expect("reads"), None);
        drop(chain);
        self.check_acknowledged().await;
    }

    async fn check_acknowledged(&self) {
        let database = &self.handles().chain.database;
        let logged = database.waiting().await.expect("reads");
        let logged: HashSet<_> = logged.iter().map(|waits| waits.hash).collect();
        {
            let pool = self.handles().transactions.pool();
            let of_sender = |sender| pool.of_sender(&sender);
            let all = pool.senders().into_iter().map(of_sender);
            let pooled = all.flat_map(|(in_turn, gapped)| [in_turn, gapped]).flatten();
            for tx in pooled {
                assert!(logged.contains(&tx.tx.hash()), "the log lacks a pooled transaction");
            }
        }
        for hash in &self.acknowledged {
            if let Some(place) = database.transaction(hash).await.expect("reads") {
                let block = database.block(place.block).await.expect("reads").expect("indexed");
                let raw = &block.receipts[place.position].transaction;
                assert_eq!(alloy_primitives::keccak256(raw), *hash);
                continue;
            }
            let waits = self.handles().transactions.waiting(hash).is_some();
            let refused = self.handles().transactions.refusal(hash).await.expect("reads").is_some();
            assert!(waits || refused, "{hash} was acknowledged and is lost");
        }
    }

    /// Number of deposits that blocks hold.
    pub(super) fn deposits_consumed(&self) -> u64 {
        self.node().driver.production.lock().expect("no panic").deposits_consumed
    }
}
