//! A transaction's life so far, as REST tells it.

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
    Answer,
    settled::{BlockState, Covering, Posted, Settled, settled},
};
use crate::context::ApiContext;
use crate::{
    openapi::{AddressText, Hash, Signature, Wei},
    problem::Problem,
    rpc::preconfirmed_receipt,
};
use turnpike_sequencer::{Preconfirmation, Promise};

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// It was accepted, and waits.
    Received,
    /// It ran; its place and its receipt will not change.
    Preconfirmed,
    /// Its block has a hash.
    Sealed,
    /// L1 holds its block.
    Safe,
    /// An output on L1 speaks for its block.
    Proposed,
    /// That output is final.
    Final,
    /// It was accepted, and will not run.
    Refused,
    /// It was in a block that was taken back, and is nowhere now.
    Reverted,
}

/// What came of running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum ReceiptStatus {
    /// It did what it was to.
    Success,
    /// It was reverted, and paid for.
    Failed,
}

/// The block of a transaction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LifeBlock {
    number: u64,
    /// Null until it is sealed.
    #[schema(value_type = Option<Hash>)]
    hash: Option<B256>,
}

/// The block in which a transaction was that was taken back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Reverted {
    /// Its number.
    block: u64,
    /// Why L1 demanded it.
    reason: String,
}

/// When a transaction came so far, in Unix milliseconds; null where it has not, or where that is not known. The first three
/// are the node's clock, the last three the times of L1's blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(examples(json!({
    "received": 1_800_000_000_123_u64,
    "preconfirmed": 1_800_000_000_127_u64,
    "sealed": 1_800_000_001_010_u64,
    "posted": 1_800_000_024_000_u64,
    "proposed": null,
    "final": null,
})))]
pub(super) struct Times {
    /// The node that runs it had it. Never known of deposits and of what L1 gave.
    received: Option<u64>,
    /// What came of it was written to the journal.
    preconfirmed: Option<u64>,
    /// The hash of its block was.
    sealed: Option<u64>,
    /// L1 held its block.
    posted: Option<u64>,
    /// An output spoke for it.
    proposed: Option<u64>,
    /// The window in which that output could be challenged was over. Not known if it was challenged.
    r#final: Option<u64>,
}

/// A transaction's life so far.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Life {
    /// The transaction.
    #[schema(value_type = Hash)]
    hash: B256,
    pub(crate) state: State,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = AddressText)]
    sender: Option<Address>,
    /// Its nonce, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    /// The nonce that is missing before its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for_nonce: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<LifeBlock>,
    /// Its place in the block, deposits counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ReceiptStatus>,
    /// Gas that it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas_used: Option<u64>,
    /// What it paid for L1, in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Wei)]
    l1_fee: Option<String>,
    /// The receipt as `eth_getTransactionReceipt` gives it, while the transaction is preconfirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    receipt: Option<Value>,
    /// Keccak-256 of the receipt's EIP-2718 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Hash)]
    receipt_hash: Option<B256>,
    /// The sequencer's promise of block, place, transaction and receipt, as EIP-712 typed data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Signature)]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    posted: Option<Posted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Covering>,
    /// Why it will not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(rename = "revertedFrom", skip_serializing_if = "Option::is_none")]
    reorged_from: Option<Reverted>,
    times: Times,
}

impl Life {
    /// A transaction of which no more is known.
    pub(super) fn new(hash: B256, state: State) -> Self {
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
            times: Times::default(),
        }
    }

    /// Adds what the sequencer can be held to.
    fn sign(&mut self, shared: &ApiContext, promise: &Promise) {
        self.receipt_hash = Some(promise.receipt_hash);
        self.signature = shared
            .signer
            .as_ref()
            .map(|signer| alloy_primitives::hex::encode_prefixed(signer.sign(promise).as_bytes()));
    }

    fn ran_at(&mut self, times: TransactionTimes) {
        self.times.received = times.received_ms;
        self.times.preconfirmed = times.preconfirmed_ms;
    }
}

impl From<BlockState> for State {
    fn from(state: BlockState) -> Self {
        match state {
            BlockState::Sealed => Self::Sealed,
            BlockState::Safe => Self::Safe,
            BlockState::Proposed => Self::Proposed,
            BlockState::Final => Self::Final,
        }
    }
}

/// A block, with the times of it.
#[derive(Debug)]
struct KnownBlock {
    record: BlockRecord,
    times: StoredTimes,
}

/// Blocks that one answer has been told of: many transactions have few.
#[derive(Debug)]
pub(crate) struct Lives<'a> {
    shared: &'a ApiContext,
    blocks: HashMap<u64, Option<Arc<KnownBlock>>>,
}

impl<'a> Lives<'a> {
    pub(crate) fn new(shared: &'a ApiContext) -> Self {
        Self { shared, blocks: HashMap::new() }
    }

    /// What is known of a transaction; `None` if nothing is.
    pub(crate) async fn of(&mut self, hash: B256) -> Answer<Option<Life>> {
        let life = match self.latest(hash).await? {
            // Its block may have been taken back while it was looked for: then it waits again.
            None => self.latest(hash).await?,
            life => life,
        };
        let Some(from) = self.shared.chain.client_database.reorged_from(&hash).await? else {
            return Ok(life);
        };
        // A deposit under the name that it had is nowhere else.
        let mut life = life.unwrap_or_else(|| Life::new(hash, State::Reverted));
        life.reorged_from = Some(Reverted { block: from.block, reason: from.reason });
        Ok(Some(life))
    }

    /// Looks where a transaction may be, in the order in which it moves: what is not found has moved on.
    async fn latest(&mut self, hash: B256) -> Answer<Option<Life>> {
        if let Some(life) = self.waiting(hash) {
            return Ok(Some(life));
        }
        if let Some(life) = self.sealed(hash).await? {
            return Ok(Some(life));
        }
        let reason = self.shared.transactions.refusal(&hash).await?;
        Ok(reason.map(|reason| Life { reason: Some(reason), ..Life::new(hash, State::Refused) }))
    }

    /// A transaction whose block the index does not hold.
    fn waiting(&self, hash: B256) -> Option<Life> {
        let mut life = Life::new(hash, State::Received);
        {
            let pool = self.shared.transactions.pool();
            if let Some(tx) = pool.get(&hash) {
                let nonce = tx.tx.nonce();
                let next = pool.next_nonce(&tx.sender).unwrap_or(nonce);
                (life.sender, life.nonce) = (Some(tx.sender), Some(nonce));
                life.waiting_for_nonce = (next < nonce).then_some(next);
                life.times.received = Some(tx.received_ms);
                return Some(life);
            }
        }
        if let Some(promise) = self.shared.transactions.preconfirmed(&hash) {
            return Some(self.preconfirmed(&promise));
        }
        let (_, sender) = self.shared.transactions.waiting(&hash)?;
        // It may have been preconfirmed in between.
        if let Some(promise) = self.shared.transactions.preconfirmed(&hash) {
            return Some(self.preconfirmed(&promise));
        }
        life.sender = Some(sender);
        Some(life)
    }

    /// A transaction that has its place and its receipt.
    pub(super) fn preconfirmed(&self, found: &Preconfirmation) -> Life {
        let receipt = &found.transaction.receipt;
        let mut life = Life::new(found.hash(), State::Preconfirmed);
        life.sender = Some(found.transaction.sender);
        life.block = Some(LifeBlock { number: found.block, hash: None });
        life.position = Some(found.index);
        life.status = Some(status(&receipt.envelope));
        life.gas_used = Some(receipt.gas_used);
        life.l1_fee = Some(receipt.l1_fee.to_string());
        let shown = serde_json::to_value(preconfirmed_receipt(found));
        life.receipt = Some(shown.expect("invariant: a receipt is JSON"));
        life.ran_at(found.times());
        life.sign(self.shared, &found.promise());
        life
    }

    /// A transaction that a block of the index holds.
    pub(super) async fn sealed(&mut self, hash: B256) -> Answer<Option<Life>> {
        let shared = self.shared;
        let Some(place) = shared.chain.place_of(&hash).await? else { return Ok(None) };
        let TransactionLocation { block, position } = place;
        let known = self.block(block).await?;
        // The block may have been taken back in between.
        let held = known.as_ref().and_then(|known| known.record.receipts.get(position));
        let held = held.filter(|receipt| keccak256(&receipt.transaction) == hash);
        let Some((known, receipt)) = known.as_ref().zip(held) else { return Ok(None) };
        let envelope = ReceiptEnvelope::decode_2718(&mut receipt.receipt.as_ref())
            .map_err(|error| Problem::internal(&error))?;
        let settlement = shared.settlement.read().await;
        let Settled { state, posted, output, times } =
            settled(&settlement, block, shared.chain.config.challenge_window);
        drop(settlement);
        let mut life = Life::new(hash, state.into());
        life.sender = Some(receipt.sender);
        let block_hash = known.record.header.hash_slow();
        life.block = Some(LifeBlock { number: block, hash: Some(block_hash) });
        life.position = Some(position as u64);
        life.status = Some(status(&envelope));
        life.gas_used = Some(receipt.gas_used);
        life.l1_fee = Some(receipt.l1_fee.to_string());
        (life.posted, life.output) = (posted, output);
        life.ran_at(known.times.parts.of(position));
        life.times.sealed = known.times.sealed_ms;
        life.times.posted = times.posted;
        life.times.proposed = times.proposed;
        life.times.r#final = times.r#final;
        let promise = Promise {
            block,
            index: position as u64,
            transaction_hash: hash,
            receipt_hash: keccak256(&receipt.receipt),
        };
        life.sign(shared, &promise);
        Ok(Some(life))
    }

    async fn block(&mut self, number: u64) -> Answer<Option<Arc<KnownBlock>>> {
        let vacant = match self.blocks.entry(number) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(vacant) => vacant,
        };
        let known = match self.shared.chain.client_database.block(number).await? {
            Some(record) => {
                let times = self.shared.chain.client_database.block_times(number).await?;
                Some(Arc::new(KnownBlock { record, times }))
            }
            None => None,
        };
        Ok(vacant.insert(known).clone())
    }
}

fn status(receipt: &ReceiptEnvelope) -> ReceiptStatus {
    if receipt.status() { ReceiptStatus::Success } else { ReceiptStatus::Failed }
}
