//! A sequencer without network on an L1 in memory, with users whose every acknowledged transaction is remembered.

use std::{sync::Arc, time::Duration};

use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{B256, Bytes, TxKind, U256};
use tempfile::TempDir;
use tokio::sync::{RwLock, Semaphore, mpsc, oneshot, watch};
use turnpike_executor::{Chain, EngineConfig, Mode};
use turnpike_protocol::{Genesis, GenesisAccount, SignedTx, decode_transaction};
use turnpike_storage::{BlockRecord, Database, genesis_id};

use super::{
    super::{Driver, Step},
    l1::{FakeL1, block_of},
};
use crate::{
    Pool, PoolLimits, SequencerConfig, Settlement, Shared,
    admission::check_stateless,
    restore::{Restored, restore},
    shared::Submission,
    tracker::L1News,
};

const USERS: u8 = 3;

pub(super) struct World {
    folder: TempDir,
    config: SequencerConfig,
    pub(super) genesis: Genesis,
    pub(super) users: Vec<PrivateKeySigner>,
    pub(super) l1: FakeL1,
    pub(super) node: Driver,
    /// Hashes of what was acknowledged.
    acknowledged: Vec<B256>,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = |user: u8| PrivateKeySigner::from_bytes(&B256::repeat_byte(user + 1));
        let users: Vec<_> = (0..USERS).map(|user| key(user).expect("a key")).collect();
        let mut genesis = Genesis::dev();
        genesis.timestamp = 1_750_000_000;
        for user in &users {
            let balance = U256::from(10).pow(U256::from(20));
            let account = GenesisAccount { balance, ..GenesisAccount::default() };
            genesis.alloc.insert(user.address(), account);
        }
        let config = SequencerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            database: folder.path().join("sequencer.db"),
            l1: "".into(),
            l1_confirmations: 0,
            l1_poll: Duration::ZERO,
            block_interval: Duration::ZERO,
            // Every call seals a block.
            heartbeat: Duration::ZERO,
            backlog_entries_max: u64::MAX,
            execution: EngineConfig { mode: Mode::Sequential, ..EngineConfig::default() },
            pool: PoolLimits::default(),
            body_bytes_max: 0,
            lie: false,
        };
        let parent = Chain::from_genesis(&genesis).head().parent;
        let l1 = FakeL1::new(genesis.config.clone(), parent);
        let node = start(&config, &genesis).await;
        let acknowledged = Vec::new();
        Self { folder, config, genesis, users, l1, node, acknowledged }
    }

    /// Ends the node as a crash would, and starts it again on what it left.
    pub(super) async fn restart(&mut self) {
        self.node.shared.database.close().await;
        // The lock on the database goes with its last owner.
        let placeholder = tempfile::tempdir().expect("a folder");
        let mut other = self.config.clone();
        other.database = placeholder.path().join("none.db");
        self.node = start(&other, &self.genesis).await;
        self.node = start(&self.config, &self.genesis).await;
        self.l1.forget_told();
    }

    /// Ends the node, and starts another that has nothing. What was acknowledged is the other's business.
    pub(super) async fn restart_empty(&mut self) {
        self.config.database = self.folder.path().join("empty.db");
        self.acknowledged.clear();
        self.restart().await;
    }

    /// Takes in all that L1 holds.
    pub(super) async fn sync(&mut self) -> anyhow::Result<()> {
        loop {
            let mut news = self.l1.next_news(&self.node.shared.database).await;
            let is_all = matches!(news, L1News::Progress(_));
            if let L1News::Progress(progress) = &mut news {
                let told = self.node.shared.settlement.read().await.deposits.len();
                progress.deposits.drain(..told);
            }
            self.node.take_news(news).await?;
            if is_all {
                return Ok(());
            }
        }
    }

    /// A sync that stops in the middle of a reorganisation, if there is one.
    pub(super) async fn sync_until(&mut self, step: Step) -> anyhow::Result<()> {
        self.node.stop_after = Some(step);
        let synced = self.sync().await;
        self.node.stop_after = None;
        synced
    }

    /// A plain transfer. `salt` tells two of the same nonce apart.
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

    /// Offers a transaction, and remembers it if it is taken.
    pub(super) async fn submit(&mut self, tx: &SignedTx) -> bool {
        let (reply, answer) = oneshot::channel();
        let checked = check_stateless(&self.genesis.config, Bytes::from(tx.encoded()));
        let txs = vec![checked.expect("well formed")];
        self.node.admit(vec![Submission { txs, reply }]).await.expect("admits");
        let taken = answer.await.expect("an answer").remove(0).is_ok();
        if taken {
            self.acknowledged.push(tx.hash());
        }
        taken
    }

    /// The nonce that a user's next transaction has.
    pub(super) async fn next_nonce(&self, user: usize) -> u64 {
        let address = self.users[user].address();
        let account = self.node.shared.chain.read().await.state().account(&address);
        let pooled = self.node.shared.pool.read().await.next_nonce(&address);
        pooled.unwrap_or_else(|| account.unwrap_or_default().nonce)
    }

    /// Offers a user's next transaction.
    pub(super) async fn send(&mut self, user: usize) -> B256 {
        let tx = self.transfer(user, self.next_nonce(user).await, 0);
        assert!(self.submit(&tx).await);
        tx.hash()
    }

    pub(super) async fn build(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.node.produce().await.expect("seals");
        }
    }

    pub(super) async fn post(&mut self, blocks_max: u32) -> bool {
        self.l1.post_own(&self.node.shared.database, blocks_max).await
    }

    /// Checks that the chain is what L1 gives and then the node's own blocks, in state, journal and look-ups, and that no
    /// acknowledged transaction is lost.
    pub(super) async fn check(&self) {
        let database = &self.node.shared.database;
        let chain = self.node.shared.chain.read().await;
        let mut fresh = Chain::from_genesis(&self.genesis);
        for block in self.l1.blocks() {
            fresh.execute(&block.input).expect("runs");
        }
        let journal = database.journal(1, u32::MAX).await.expect("reads");
        let safe = usize::try_from(fresh.head().header.number).expect("small");
        assert_eq!(self.node.shared.settlement.read().await.safe(), safe as u64);
        for record in &journal[safe..] {
            let block = block_of(&self.genesis.config, fresh.head().parent, record.clone());
            assert_eq!(fresh.execute(&block.input).expect("runs").hash(), record.hash);
        }
        assert_eq!(fresh.head(), chain.head());
        assert_eq!(chain.state().roots().state_root, fresh.head().header.state_root);
        assert_eq!(self.node.head(), journal.len() as u64);
        let deposits: u64 = journal.iter().map(|record| record.deposits.len() as u64).sum();
        assert_eq!(self.node.deposits_consumed, deposits);
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
        let database = &self.node.shared.database;
        let pool = self.node.shared.pool.read().await;
        let pending = database.pending().await.expect("reads");
        assert_eq!(pool.len(), pending.len(), "the pool holds what waits");
        for (arrival, raw) in &pending {
            let tx = SignedTx::recover(decode_transaction(raw).expect("decodes"));
            assert_eq!(pool.get(&tx.hash()).map(|tx| tx.arrival), Some(*arrival));
        }
        for hash in &self.acknowledged {
            if let Some(place) = database.transaction(hash).await.expect("reads") {
                let block = database.block(place.block).await.expect("reads").expect("indexed");
                let raw = &block.receipts[place.position].transaction;
                assert_eq!(alloy_primitives::keccak256(raw), *hash);
                continue;
            }
            let waits = database.pending_raw(hash).await.expect("reads").is_some();
            let refused = database.refusal(hash).await.expect("reads").is_some();
            assert!(waits || refused, "{hash} was acknowledged and is lost");
        }
    }
}

async fn start(config: &SequencerConfig, genesis: &Genesis) -> Driver {
    let chain = Chain::from_genesis(genesis);
    let database = Database::open(&config.database, genesis_id(genesis)).await.expect("opens");
    let genesis_block = BlockRecord {
        header: chain.head().header.clone(),
        message_passer_storage_root: chain.head().output.message_passer_storage_root,
        origin: Default::default(),
        receipts: Vec::new(),
    };
    database.record_genesis(&chain.head().hash(), &genesis_block).await.expect("records");
    let restored = restore(chain, &database, &config.checkpoints(), config.execution).await;
    let Restored { chain, checkpoints, replayed } = restored.expect("restores");
    let (head, head_seen) = watch::channel(chain.head().header.number);
    let (submissions, _) = mpsc::channel(1);
    let shared = Arc::new(Shared {
        config: genesis.config.clone(),
        chain: RwLock::new(chain),
        last_execution: RwLock::default(),
        pool: RwLock::new(Pool::new(config.pool)),
        settlement: RwLock::new(Settlement::default()),
        database: Arc::new(database),
        head: head_seen,
        submissions,
        calls: Semaphore::new(1),
    });
    let mut driver =
        Driver::new(config.clone(), genesis.clone(), shared, head, replayed, checkpoints);
    driver.take_pending().await.expect("reads");
    driver
}
