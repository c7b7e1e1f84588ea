//! The producer's events: submissions from clients, and commands from the node.

use std::sync::Arc;

use tokio::sync::oneshot;
use turnpike_executor::ExecutedTx;

use crate::{builder::BlockPlan, submission::Submission, unindexed::UnindexedTxs};

/// An input of the producer.
#[derive(Debug)]
pub(crate) enum ProducerEvent {
    /// A client's transactions.
    Submission(Submission),
    /// A command of the node.
    Command(ProducerCommand),
}

/// A command that ends the open block.
#[derive(Debug)]
pub(crate) enum ProducerCommand {
    /// Halt, because a reorg changes the chain. The producer resumes when told to.
    Halt(oneshot::Sender<HaltedProducer>),
    /// Complete the open block, if any.
    Complete(oneshot::Sender<()>),
    /// Complete a block, even an empty one.
    #[cfg(test)]
    Seal(oneshot::Sender<()>),
    /// Complete the open block and end.
    Stop,
}

/// A halted producer. All its commits are durable. It resumes on `resume`, and ends if `resume` is
/// dropped.
#[derive(Debug)]
pub(crate) struct HaltedProducer {
    /// The open block, which is void now, if the journal holds a part of it.
    pub(crate) open: Option<VoidBlock>,
    /// Accepted and refused transactions that the index does not hold yet.
    pub(crate) unindexed: UnindexedTxs,
    /// Resumes the producer.
    pub(crate) resume: oneshot::Sender<()>,
}

/// An open block that was dropped.
#[derive(Debug)]
pub(crate) struct VoidBlock {
    pub(crate) plan: BlockPlan,
    /// Its user transactions, in order.
    pub(crate) users: Vec<Arc<ExecutedTx>>,
}
