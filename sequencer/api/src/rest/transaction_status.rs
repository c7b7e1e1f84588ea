//! Transaction statuses: where a transaction stands, with a timestamp per stage.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, keccak256};
use serde::Serialize;
use serde_json::Value;
use turnpike_protocol::ReceiptEnvelope;
use turnpike_storage::{BlockRecord, StoredTimes, TransactionLocation, TransactionTimes};
use utoipa::ToSchema;

use super::{
    RestResult,
    block_settlement::{BlockEntry, BlockSettlement, BlockState, CoveringOutput, block_settlement},
};
use crate::context::ApiContext;
use crate::{
    problem::Problem,
    rpc::preconfirmed_receipt,
    schema::{AddressText, Hash, Signature, Wei},
};
use turnpike_sequencer::{Preconfirmation, Promise};

/// The stage of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransactionState {
    /// Accepted, waits for execution.
    Received,
    /// Executed; its position and receipt are promised.
    Preconfirmed,
    /// In a sealed block.
    Sealed,
    /// In a block that the inbox holds.
    Safe,
    /// Covered by an output on L1.
    Proposed,
    /// Covered by a final output.
    Final,
    /// Accepted, but will not be executed.
    Refused,
    /// A reorg removed its block, and no other block holds it.
    Reverted,
}

/// The outcome of its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ReceiptStatus {
    /// It succeeded.
    Success,
    /// It reverted; its gas was paid.
    Failed,
}

/// The block of a transaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct TransactionBlock {
    number: u64,
    /// Null until the block is sealed.
    #[schema(value_type = Option<Hash>)]
    hash: Option<B256>,
}

/// The block of a transaction that a reorg removed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RewoundBlock {
    /// The block's number.
    block: u64,
    /// The reason of the reorg: `forced` (an entry with overdue deposits came before), `other-blocks`,
    /// `invalid-batch`, `old-origin` or `l1-reorg`. Null for reorgs of earlier versions.
    code: Option<String>,
    /// The reason in words.
    reason: String,
}

impl RewoundBlock {
    /// The reason begins with its code.
    fn new(block: u64, reason: &str) -> Self {
        let split = reason.split_once(": ").filter(|(code, _)| !code.contains(' '));
        let (code, reason) = split.map_or((None, reason), |(code, rest)| (Some(code), rest));
        Self { block, code: code.map(ToOwned::to_owned), reason: reason.to_owned() }
    }
}

/// When the transaction reached each stage, in Unix milliseconds. Null if it has not, or if the
/// time is
/// unknown. The first three are the node's clock, the last three are L1 block times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(examples(json!({
    "received": 1_800_000_000_123_u64,
    "preconfirmed": 1_800_000_000_127_u64,
    "sealed": 1_800_000_001_010_u64,
    "posted": 1_800_000_024_000_u64,
    "proposed": null,
    "final": null,
})))]
pub(super) struct StageTimes {
    /// The sequencer received it. Null for deposits and for transactions that came from L1.
    received: Option<u64>,
    /// Its outcome was journaled.
    preconfirmed: Option<u64>,
    /// Its block's hash was journaled.
    sealed: Option<u64>,
    /// L1 held its block's batch.
    posted: Option<u64>,
    /// An output that covers it was proposed.
    proposed: Option<u64>,
    /// The output's challenge window was over. Unknown if the output was challenged.
    r#final: Option<u64>,
}

/// A transaction's status.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionStatus {
    /// The transaction.
    #[schema(value_type = Hash)]
    hash: B256,
    pub(crate) state: TransactionState,
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AddressText)]
    sender: Option<Address>,
    /// Its nonce, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    /// The nonce that must be used before its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for_nonce: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<TransactionBlock>,
    /// Its position in the block, deposits counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ReceiptStatus>,
    /// Gas used.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas_used: Option<u64>,
    /// Its L1 fee in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Wei)]
    l1_fee: Option<String>,
    /// The receipt as in `eth_getTransactionReceipt`, while the transaction is preconfirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    receipt: Option<Value>,
    /// Keccak-256 of the receipt's EIP-2718 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Hash)]
    receipt_hash: Option<B256>,
    /// The sequencer's signature of its promise (EIP-712): block, position, transaction and
    /// receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Signature)]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    posted: Option<BlockEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<CoveringOutput>,
    /// Why it will not be executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(rename = "revertedFrom", skip_serializing_if = "Option::is_none")]
    reorged_from: Option<RewoundBlock>,
    times: StageTimes,
}

impl TransactionStatus {
    /// A status with nothing but hash and stage.
    pub(super) fn new(hash: B256, state: TransactionState) -> Self {
        Self {
            hash,
            state,
            sender: None,
            nonce: None,
            waiting_for_nonce: None,
            block: None,
            position: None,
            status: None,
            gas_used: None,
            l1_fee: None,
            receipt: None,
            receipt_hash: None,
            signature: None,
            posted: None,
            output: None,
            reason: None,
            reorged_from: None,
            times: StageTimes::default(),
        }
    }

    /// Adds the signed promise.
    fn sign(&mut self, context: &ApiContext, promise: &Promise) {
        self.receipt_hash = Some(promise.receipt_hash);
        self.signature = context
            .signer
            .as_ref()
            .map(|signer| alloy_primitives::hex::encode_prefixed(signer.sign(promise).as_bytes()));
    }

    fn ran_at(&mut self, times: TransactionTimes) {
        self.times.received = times.received_ms;
        self.times.preconfirmed = times.preconfirmed_ms;
    }
}

impl From<BlockState> for TransactionState {
    fn from(state: BlockState) -> Self {
        match state {
            BlockState::Sealed => Self::Sealed,
            BlockState::Safe => Self::Safe,
            BlockState::Proposed => Self::Proposed,
            BlockState::Final => Self::Final,
        }
    }
}

/// A block and its times.
#[derive(Debug)]
struct KnownBlock {
    record: BlockRecord,
    times: StoredTimes,
}

/// Reads statuses for one response. Caches blocks: many transactions share few.
#[derive(Debug)]
pub(crate) struct StatusReader<'a> {
    context: &'a ApiContext,
    blocks: HashMap<u64, Option<Arc<KnownBlock>>>,
}

impl<'a> StatusReader<'a> {
    pub(crate) fn new(context: &'a ApiContext) -> Self {
        Self { context, blocks: HashMap::new() }
    }

    /// A transaction's status; `None` if it is unknown.
    pub(crate) async fn of(&mut self, hash: B256) -> RestResult<Option<TransactionStatus>> {
        let status = match self.latest(hash).await? {
            // A reorg may have removed its block meanwhile: then it waits again.
            None => self.latest(hash).await?,
            status => status,
        };
        let Some(from) = self.context.chain.client_database.reorged_from(&hash).await? else {
            return Ok(status);
        };
        // A deposit has another hash after the reorg: under the old one it is unknown.
        let mut status =
            status.unwrap_or_else(|| TransactionStatus::new(hash, TransactionState::Reverted));
        status.reorged_from = Some(RewoundBlock::new(from.block, &from.reason));
        Ok(Some(status))
    }

    /// Looks in pool, cache and index, in the order in which a transaction moves, so that it is not
    /// missed.
    async fn latest(&mut self, hash: B256) -> RestResult<Option<TransactionStatus>> {
        if let Some(status) = self.waiting(hash) {
            return Ok(Some(status));
        }
        if let Some(status) = self.sealed(hash).await? {
            return Ok(Some(status));
        }
        let reason = self.context.transactions.refusal(&hash).await?;
        Ok(reason.map(|reason| TransactionStatus {
            reason: Some(reason),
            ..TransactionStatus::new(hash, TransactionState::Refused)
        }))
    }

    /// The status of a transaction that is not indexed yet.
    fn waiting(&self, hash: B256) -> Option<TransactionStatus> {
        let mut status = TransactionStatus::new(hash, TransactionState::Received);
        {
            let pool = self.context.transactions.pool();
            if let Some(tx) = pool.get(&hash) {
                let nonce = tx.tx.nonce();
                let next = pool.next_nonce(&tx.sender).unwrap_or(nonce);
                (status.sender, status.nonce) = (Some(tx.sender), Some(nonce));
                status.waiting_for_nonce = (next < nonce).then_some(next);
                status.times.received = Some(tx.received_ms);
                return Some(status);
            }
        }
        if let Some(promise) = self.context.transactions.preconfirmed(&hash) {
            return Some(self.preconfirmed(&promise));
        }
        let (_, sender) = self.context.transactions.waiting(&hash)?;
        // It may have been preconfirmed in between.
        if let Some(promise) = self.context.transactions.preconfirmed(&hash) {
            return Some(self.preconfirmed(&promise));
        }
        status.sender = Some(sender);
        Some(status)
    }

    /// The status of a preconfirmed transaction.
    pub(super) fn preconfirmed(&self, found: &Preconfirmation) -> TransactionStatus {
        let receipt = &found.transaction.receipt;
        let mut status = TransactionStatus::new(found.hash(), TransactionState::Preconfirmed);
        status.sender = Some(found.transaction.sender);
        status.block = Some(TransactionBlock { number: found.block, hash: None });
        status.position = Some(found.index);
        status.status = Some(receipt_status(&receipt.envelope));
        status.gas_used = Some(receipt.gas_used);
        status.l1_fee = Some(receipt.l1_fee.to_string());
        let shown = serde_json::to_value(preconfirmed_receipt(found));
        status.receipt = Some(shown.expect("invariant: a receipt is JSON"));
        status.ran_at(found.times());
        status.sign(self.context, &found.promise());
        status
    }

    /// The status of an indexed transaction.
    pub(super) async fn sealed(&mut self, hash: B256) -> RestResult<Option<TransactionStatus>> {
        let context = self.context;
        let Some(place) = context.chain.place_of(&hash).await? else { return Ok(None) };
        let TransactionLocation { block, position } = place;
        let known = self.block(block).await?;
        // A reorg may have removed the block in between.
        let held = known.as_ref().and_then(|known| known.record.receipts.get(position));
        let held = held.filter(|receipt| keccak256(&receipt.transaction) == hash);
        let Some((known, receipt)) = known.as_ref().zip(held) else { return Ok(None) };
        let envelope = ReceiptEnvelope::decode_2718(&mut receipt.receipt.as_ref())
            .map_err(|error| Problem::internal(&error))?;
        let settlement = context.settlement.read().await;
        let BlockSettlement { state, posted, output, times } =
            block_settlement(&settlement, block, context.chain.config.challenge_window);
        drop(settlement);
        let mut status = TransactionStatus::new(hash, state.into());
        status.sender = Some(receipt.sender);
        let block_hash = known.record.header.hash_slow();
        status.block = Some(TransactionBlock { number: block, hash: Some(block_hash) });
        status.position = Some(position as u64);
        status.status = Some(receipt_status(&envelope));
        status.gas_used = Some(receipt.gas_used);
        status.l1_fee = Some(receipt.l1_fee.to_string());
        (status.posted, status.output) = (posted, output);
        status.ran_at(known.times.parts.of(position));
        status.times.sealed = known.times.sealed_ms;
        status.times.posted = times.posted;
        status.times.proposed = times.proposed;
        status.times.r#final = times.r#final;
        let promise = Promise {
            block,
            index: position as u64,
            transaction_hash: hash,
            receipt_hash: keccak256(&receipt.receipt),
        };
        status.sign(context, &promise);
        Ok(Some(status))
    }

    async fn block(&mut self, number: u64) -> RestResult<Option<Arc<KnownBlock>>> {
        let vacant = match self.blocks.entry(number) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(vacant) => vacant,
        };
        let known = match self.context.chain.client_database.block(number).await? {
            Some(record) => {
                let times = self.context.chain.client_database.block_times(number).await?;
                Some(Arc::new(KnownBlock { record, times }))
            }
            None => None,
        };
        Ok(vacant.insert(known).clone())
    }
}

fn receipt_status(receipt: &ReceiptEnvelope) -> ReceiptStatus {
    if receipt.status() { ReceiptStatus::Success } else { ReceiptStatus::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_reorgs_begin_with_their_code() {
        let rewound = |reason| {
            let RewoundBlock { code, reason, .. } = RewoundBlock::new(7, reason);
            (code, reason)
        };
        let (code, reason) = rewound("forced: inbox entry 1 was forced");
        assert_eq!(
            (code.as_deref(), reason.as_str()),
            (Some("forced"), "inbox entry 1 was forced")
        );
        let (code, reason) = rewound("inbox entry 1: forced");
        assert_eq!((code, reason.as_str()), (None, "inbox entry 1: forced"));
    }
}
