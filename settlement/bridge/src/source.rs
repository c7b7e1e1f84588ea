use alloy_primitives::B256;
use turnpike_protocol::Withdrawal;

use crate::{BridgeError, Node, Replay, Settlement, WithdrawalFacts, WithdrawalProof, Withdrawn};

/// Where the owner of a withdrawal reads L2.
#[derive(Debug)]
pub enum L2Source {
    /// From a node, whose answers are checked against L1.
    Node(Node),
    /// From the chain derived from L1 alone.
    Replay(Box<Replay>),
}

impl L2Source {
    /// Finds a withdrawal's L2 transaction, by its own hash or by that of the L1 transaction that
    /// forced it. A replay calls `progress` with each executed entry and the last entry.
    pub async fn find(
        &mut self,
        l1: &Settlement,
        transaction: B256,
        progress: impl FnMut(u64, u64),
    ) -> Result<Withdrawn, BridgeError> {
        match self {
            Self::Node(node) => find_on(node, l1, transaction).await,
            Self::Replay(replay) => {
                let deposits = l1.deposits_of(transaction).await?;
                let mut hashes = vec![transaction];
                for deposit in &deposits {
                    hashes.extend(replay.l2_hashes(deposit)?);
                }
                let found = replay.find(&hashes, progress).await?;
                found.ok_or(if deposits.is_empty() {
                    BridgeError::Unknown(transaction)
                } else {
                    BridgeError::NotOnL2(transaction)
                })
            }
        }
    }

    /// Proves a withdrawal on the first undisputed output that equals this source's: the output's
    /// index and the proof. Call it after [`Self::find`].
    pub async fn prove(
        &mut self,
        l1: &Settlement,
        withdrawal: &Withdrawal,
        facts: &WithdrawalFacts,
        progress: impl FnMut(u64, u64),
    ) -> Result<(u64, WithdrawalProof), BridgeError> {
        match self {
            Self::Node(node) => prove_on(node, l1, withdrawal, facts).await,
            Self::Replay(replay) => {
                replay.refresh().await?;
                replay.prove(facts.l2_block, withdrawal, progress).await
            }
        }
    }
}

async fn find_on(
    node: &Node,
    l1: &Settlement,
    transaction: B256,
) -> Result<Withdrawn, BridgeError> {
    if let Some(receipt) = node.receipt(transaction).await? {
        return receipt.withdrawn();
    }
    let deposits = l1.deposits_of(transaction).await?;
    for deposit in &deposits {
        let hashes = deposit.l2_hashes(l1.queue_index(deposit).await?)?;
        if let Some(receipt) = node.any_receipt(&hashes).await? {
            return receipt.withdrawn();
        }
    }
    Err(if !deposits.is_empty() {
        BridgeError::NotOnL2(transaction)
    } else if node.knows(transaction).await? {
        BridgeError::NotIncluded(transaction)
    } else {
        BridgeError::Unknown(transaction)
    })
}

async fn prove_on(
    node: &Node,
    l1: &Settlement,
    withdrawal: &Withdrawal,
    facts: &WithdrawalFacts,
) -> Result<(u64, WithdrawalProof), BridgeError> {
    let mut disagreeing = Vec::new();
    for candidate in facts.provable_on() {
        let claimed = l1.output_root(candidate.index).await?;
        match node.withdrawal_proof(candidate.l2_block, withdrawal).await? {
            Some((output, nodes)) if output.hash() == claimed => {
                return Ok((candidate.index, WithdrawalProof::new(output, withdrawal, nodes)?));
            }
            _ => disagreeing.push(candidate.index),
        }
    }
    Err(BridgeError::NoTrueOutput { disagreeing })
}
