//! Shared access to the chain, its database and its heads.

use std::sync::Arc;

use alloy_primitives::B256;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use turnpike_executor::{Chain, ChainHead};
use turnpike_protocol::ChainConfig;
use turnpike_storage::{Database, StorageError, TransactionLocation};

use crate::BlockExecution;

/// The chain: its rules, state, database and heads.
///
/// All parts read it. The state has one writer at a time: the producer, or the driver while the
/// producer is halted.
#[derive(Debug)]
pub struct ChainHandle {
    /// The chain's rules.
    pub config: ChainConfig,
    chain: RwLock<Chain>,
    /// How the newest block since the start was executed.
    pub last_execution: RwLock<Option<BlockExecution>>,
    /// The journal and the index.
    pub database: Arc<Database>,
    /// The same database with its own connections: clients' queries never delay the node's.
    pub client_database: Arc<Database>,
    /// Number of the newest indexed block.
    pub head: watch::Receiver<u64>,
    /// The end of the journal: all rows before it are durable.
    pub journal_end: watch::Receiver<u64>,
}

/// Senders that announce the ends of index and journal.
#[derive(Debug)]
pub(crate) struct ChainSenders {
    pub(crate) head: watch::Sender<u64>,
    pub(crate) journal_end: watch::Sender<u64>,
}

impl ChainHandle {
    /// A chain and a database that hold the same blocks.
    pub(crate) async fn new(
        chain: Chain,
        database: Arc<Database>,
    ) -> anyhow::Result<(Self, ChainSenders)> {
        let (head, head_seen) = watch::channel(chain.head().header.number);
        let (journal_end, journal_end_seen) = watch::channel(database.journal_end().await?);
        let handle = Self {
            config: chain.config().clone(),
            chain: RwLock::new(chain),
            last_execution: RwLock::default(),
            client_database: Arc::new(database.for_clients().await?),
            database,
            head: head_seen,
            journal_end: journal_end_seen,
        };
        Ok((handle, ChainSenders { head, journal_end }))
    }

    /// State and head, for reading.
    pub async fn read(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().await
    }

    /// State and head, for reading outside the runtime's threads.
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.blocking_read()
    }

    /// State and head, for changes by the part that executes blocks.
    pub async fn write(&self) -> RwLockWriteGuard<'_, Chain> {
        self.chain.write().await
    }

    /// State and head, for changes outside the runtime's threads.
    pub(crate) fn blocking_write(&self) -> RwLockWriteGuard<'_, Chain> {
        self.chain.blocking_write()
    }

    /// The newest visible block: durable and indexed. The chain may be ahead of it. If the chain no
    /// longer keeps that block's state, or was rewound below it, this is the chain's head.
    pub fn newest<'chain>(&self, chain: &'chain Chain) -> &'chain ChainHead {
        chain.head_at(*self.head.borrow()).unwrap_or_else(|| chain.head())
    }

    /// A transaction's location, if its block is visible.
    pub async fn place_of(&self, hash: &B256) -> Result<Option<TransactionLocation>, StorageError> {
        let place = self.client_database.transaction(hash).await?;
        Ok(place.filter(|place| place.block <= *self.head.borrow()))
    }

    /// Closes the database, so that another process may write it. The writer closes last and leaves
    /// no files beside the database.
    pub async fn close(&self) {
        self.client_database.close().await;
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::{BlockInput, Genesis, Origin};

    use crate::NodeHandles;

    #[tokio::test]
    async fn block_is_newest_once_indexed() {
        let folder = tempfile::tempdir().expect("a folder");
        let genesis = Genesis::dev();
        let (handles, senders, _events) = NodeHandles::of_new(folder.path(), &genesis).await;
        let newest = async || handles.chain.newest(&*handles.chain.read().await).header.number;
        for number in 1..=2 {
            let origin = Origin { entry: 1, l1_time: genesis.timestamp, ..Origin::default() };
            let time_ms = genesis.timestamp_ms() + 1_000 * number;
            let (deposits, transactions) = (Vec::new(), Vec::new());
            let input = BlockInput { number, time_ms, origin, deposits, transactions };
            handles.chain.write().await.execute(&input).expect("an empty block is valid");
            assert_eq!(newest().await, 0);
        }
        senders.head.send_replace(1);
        assert_eq!(newest().await, 1);
        assert!(handles.chain.write().await.rewind(0));
        assert_eq!(newest().await, 0, "rewound blocks are gone");
    }
}
