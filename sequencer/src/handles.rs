//! Handles to a node, shared by its parts and its API.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use turnpike_executor::Chain;
use turnpike_storage::Database;

use crate::{
    AdminControl, ChainHandle, NodeFailure, PoolLimits, PromiseSigner, SettlementView,
    SubmissionHandle, SubmissionRoute, TransactionView, admin_control::IntakeGate,
    admission::Admission, chain_handle::ChainSenders, notifications::Notifications,
    producer_event::ProducerEvent,
};

/// All handles to a node.
#[derive(Clone, Debug)]
pub struct NodeHandles {
    /// State, database and head.
    pub chain: Arc<ChainHandle>,
    /// What the node knows from L1.
    pub settlement: Arc<SettlementView>,
    /// Transactions that the index does not hold yet.
    pub transactions: Arc<TransactionView>,
    /// Takes submissions.
    pub submissions: Arc<SubmissionHandle>,
    /// Notifications about blocks, pending transactions and slices.
    pub notifications: Arc<Notifications>,
    /// The operator's controls.
    pub control: Arc<AdminControl>,
    /// Whether a part failed.
    pub failure: Arc<NodeFailure>,
    /// Signs preconfirmations, if there is a key.
    pub signer: Option<Arc<PromiseSigner>>,
}

/// Senders that announce the ends of index and journal, and changes of the settlement.
#[derive(Debug)]
pub struct HeadSenders {
    /// Number of the newest indexed block.
    pub head: watch::Sender<u64>,
    /// The end of the journal.
    pub journal_end: watch::Sender<u64>,
    /// Counts changes of the settlement.
    pub settlement_changed: watch::Sender<u64>,
}

impl NodeHandles {
    /// Handles to a node that makes no blocks. Transactions go where `submission_route` says.
    pub async fn without_producer(
        chain: Chain,
        database: Arc<Database>,
        submission_route: SubmissionRoute,
    ) -> anyhow::Result<(Self, HeadSenders)> {
        let (events, _) = mpsc::channel(1);
        Self::new(chain, database, submission_route, PoolLimits::default(), None, events).await
    }

    /// Handles to a node whose chain and database hold the same blocks, before it reads L1.
    pub(crate) async fn new(
        chain: Chain,
        database: Arc<Database>,
        submission_route: SubmissionRoute,
        pool: PoolLimits,
        signer: Option<PromiseSigner>,
        events: mpsc::Sender<ProducerEvent>,
    ) -> anyhow::Result<(Self, HeadSenders)> {
        let (chain, ChainSenders { head, journal_end }) = ChainHandle::new(chain, database).await?;
        let chain = Arc::new(chain);
        let (settlement, settlement_changed) = SettlementView::new();
        let client_database = || Arc::clone(&chain.client_database);
        let transactions = Arc::new(TransactionView::new(pool, client_database()));
        let notifications = Arc::new(Notifications::default());
        let (failure, gate) = (Arc::new(NodeFailure::default()), Arc::new(IntakeGate::default()));
        let submissions = Arc::new(SubmissionHandle::new(
            Admission::new(chain.config.clone())?,
            events.clone(),
            submission_route.open()?,
            Arc::clone(&gate),
            Arc::clone(&failure),
            Arc::clone(&notifications),
            client_database(),
        ));
        let control =
            AdminControl::new(gate, events, Arc::clone(&chain), Arc::clone(&transactions));
        let handles = Self {
            chain,
            settlement: Arc::new(settlement),
            transactions,
            submissions,
            notifications,
            control: Arc::new(control),
            failure,
            signer: signer.map(Arc::new),
        };
        Ok((handles, HeadSenders { head, journal_end, settlement_changed }))
    }

    /// Records that a part failed. Nothing becomes durable after that, so nothing is accepted.
    pub(crate) fn fail(&self, reason: String) {
        self.failure.set(reason);
        self.transactions.preconfirmations.stop();
    }
}

#[cfg(test)]
impl NodeHandles {
    /// Handles to a new chain whose database is in `folder`, and the events for its producer.
    pub(crate) async fn of_new(
        folder: &std::path::Path,
        genesis: &turnpike_protocol::Genesis,
    ) -> (Arc<Self>, HeadSenders, mpsc::Receiver<ProducerEvent>) {
        let location = folder.join("sequencer.db").into();
        let id = turnpike_storage::genesis_id(genesis);
        let database = Arc::new(Database::open(&location, id).await.expect("opens"));
        let (send, events) = mpsc::channel(16);
        let (chain, pool) = (Chain::from_genesis(genesis), PoolLimits::default());
        let route = SubmissionRoute::default();
        let made = Self::new(chain, database, route, pool, None, send).await;
        let (handles, senders) = made.expect("is ready");
        (Arc::new(handles), senders, events)
    }
}
