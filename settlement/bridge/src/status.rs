use alloy_primitives::B256;

use crate::{BridgeError, DepositStage, Node, SentDeposit, Settlement};

/// A deposit and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositStatus {
    /// The deposit.
    pub deposit: SentDeposit,
    /// Its queue index.
    pub index: u64,
    /// Hash of the L2 transaction that holds it, or will hold it if the sequencer includes it.
    pub l2_transaction: B256,
    /// Its stage.
    pub stage: DepositStage,
}

impl DepositStatus {
    /// The status of an L1 transaction's first deposit. `None` if L1 does not hold the transaction
    /// or it made no deposit. Without `l2`, whether L2 holds the deposit stays unknown.
    pub async fn read(
        l1: &Settlement,
        l2: Option<&Node>,
        transaction: B256,
    ) -> Result<Option<Self>, BridgeError> {
        let Some(deposit) = l1.deposits_of(transaction).await?.into_iter().next() else {
            return Ok(None);
        };
        let index = l1.queue_index(&deposit).await?;
        let hashes = deposit.l2_hashes(index)?;
        let receipt = match l2 {
            Some(l2) => l2.any_receipt(&hashes).await?,
            None => None,
        };
        let included = receipt.as_ref().map(|receipt| (receipt.block(), receipt.is_success()));
        let l2_transaction = receipt.map_or(hashes[0], |receipt| receipt.transaction_hash);
        let stage = l1.deposit_facts(index, included).await?.stage();
        Ok(Some(Self { deposit, index, l2_transaction, stage }))
    }
}
