use std::sync::Arc;

use alloy_primitives::B256;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use turnpike_executor::{Chain, ChainHead};
use turnpike_protocol::ChainConfig;
use turnpike_storage::{Database, StorageError, TransactionLocation};

use crate::BlockExecution;

/// The chain: its rules, its state, its database and how far both have come.
///
/// Everybody reads it. The state has one writer at a time: the producer, or the driver while the producer stands still.
#[derive(Debug)]
pub struct ChainHandle {
    /// Rules of the chain.
    pub config: ChainConfig,
    chain: RwLock<Chain>,
    /// How the newest block was executed that was built since the start.
    pub last_execution: RwLock<Option<BlockExecution>>,
    /// The journal and the index.
    pub database: Arc<Database>,
    /// The same database with connections of its own: clients' queries never delay the node's.
    pub client_database: Arc<Database>,
    /// Number of the newest block in the index.
    pub head: watch::Receiver<u64>,
    /// The end of the journal: all rows before it are durable.
    pub journal_end: watch::Receiver<u64>,
}

/// What announces how far index and journal have come.
#[derive(Debug)]
pub(crate) struct ChainSenders {
    pub(crate) head: watch::Sender<u64>,
    pub(crate) journal_end: watch::Sender<u64>,
}

impl ChainHandle {
    /// A chain and its database, which hold the same blocks.
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

    /// State and head, to read.
    pub async fn read(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().await
    }

    /// State and head, to read outside of the runtime's threads.
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.blocking_read()
    }

    /// State and head, to change: only for the part that executes blocks.
    pub async fn write(&self) -> RwLockWriteGuard<'_, Chain> {
        self.chain.write().await
    }

    /// State and head, to change outside of the runtime's threads.
    pub(crate) fn blocking_write(&self) -> RwLockWriteGuard<'_, Chain> {
        self.chain.blocking_write()
    }

    /// The newest block that everybody may see: it is durable, and can be looked up. The chain may be ahead of it; where it is so far
    /// ahead that the state after that block is gone, and where blocks were taken back, it is the chain's head.
    pub fn newest<'chain>(&self, chain: &'chain Chain) -> &'chain ChainHead {
        chain.head_at(*self.head.borrow()).unwrap_or_else(|| chain.head())
    }

    /// Where a transaction is, if everybody may see its block.
    pub async fn place_of(&self, hash: &B256) -> Result<Option<TransactionLocation>, StorageError> {
        let place = self.client_database.transaction(hash).await?;
        Ok(place.filter(|place| place.block <= *self.head.borrow()))
    }

    /// Closes the database: from then on others may write it. Who writes goes last, and leaves nothing beside the files.
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
        let (shared, senders, _events) = NodeHandles::of_new(folder.path(), &genesis).await;
        let newest = async || shared.chain.newest(&*shared.chain.read().await).header.number;
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
        assert_eq!(newest().await, 0, "what was taken back is nowhere");
    }
}
