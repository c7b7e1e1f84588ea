use std::sync::Arc;

use tokio::sync::Semaphore;
use turnpike_sequencer::{
    AdminControl, ChainHandle, NodeFailure, NodeHandles, PromiseSigner, SettlementView,
    SubmissionHandle, TransactionView, notifications::Notifications,
};

use crate::rpc::Filters;

/// Calls that execute in the EVM at the same time: the rest of the node needs its cores as well.
const CALLS_MAX: usize = 2;

/// Traces at the same time.
const TRACES_MAX: usize = 2;

/// What requests are answered from: the node's handles, and what the API itself keeps between
/// requests.
#[derive(Debug)]
pub(crate) struct ApiContext {
    pub(crate) chain: Arc<ChainHandle>,
    pub(crate) settlement: Arc<SettlementView>,
    pub(crate) transactions: Arc<TransactionView>,
    pub(crate) submissions: Arc<SubmissionHandle>,
    pub(crate) notifications: Arc<Notifications>,
    pub(crate) control: Arc<AdminControl>,
    pub(crate) failure: Arc<NodeFailure>,
    pub(crate) signer: Option<Arc<PromiseSigner>>,
    /// Filters that clients poll.
    pub(crate) filters: Filters,
    /// Permits for calls that execute in the EVM.
    pub(crate) calls: Semaphore,
    /// Permits for traces. They may take long, so no call waits for one.
    pub(crate) traces: Semaphore,
}

impl ApiContext {
    pub(crate) fn new(node: &NodeHandles) -> Self {
        let NodeHandles {
            chain,
            settlement,
            transactions,
            submissions,
            notifications,
            control,
            failure,
            signer,
        } = node.clone();
        Self {
            chain,
            settlement,
            transactions,
            submissions,
            notifications,
            control,
            failure,
            signer,
            filters: Filters::default(),
            calls: Semaphore::new(CALLS_MAX),
            traces: Semaphore::new(TRACES_MAX),
        }
    }
}
