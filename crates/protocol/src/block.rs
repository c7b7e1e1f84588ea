//! Blocks: origin, parent and input of the state transition, and header fields that rules compute.

use alloc::vec::Vec;

use alloy_primitives::{B256, U256, keccak256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{
    ChainConfig, Deposit, DepositError, DepositHint, Entry, ReceiptEnvelope, SignedTx, SourceHash,
    TxEnvelope, attributes_deposit,
    inbox::{FlattenedBytes, word},
};

/// Slots of the EIP-2935 ring buffer.
const HISTORY_SERVE_WINDOW: u64 = 8_191;

/// The L1 attributes that the blocks of an entry see. An earlier entry recorded them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable,
)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// Index of the entry that recorded the attributes.
    pub entry: u64,
    /// L1 block number of that entry.
    pub l1_block_number: u64,
    /// L1 timestamp of that entry, in seconds.
    pub l1_time: u64,
    /// L1 base fee of that entry, in wei.
    pub l1_base_fee: U256,
    /// L1 blob base fee of that entry, in wei.
    pub l1_blob_base_fee: U256,
    /// Hash of the L1 block before that entry's. The rules of L2 blocks use it as the origin's
    /// hash.
    pub l1_hash: B256,
}

impl From<&Entry> for Origin {
    fn from(entry: &Entry) -> Self {
        Self {
            entry: entry.index,
            l1_block_number: entry.l1_block_number,
            l1_time: entry.l1_time,
            l1_base_fee: entry.l1_base_fee,
            l1_blob_base_fee: entry.l1_blob_base_fee,
            l1_hash: entry.l1_parent_hash,
        }
    }
}

/// The fields of the previous block that derivation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Number of the block.
    pub number: u64,
    /// Time of the block, in milliseconds.
    pub time_ms: u64,
    /// Index of the block's origin; `None` for the genesis block.
    pub origin: Option<u64>,
}

/// The input of the state transition: everything that determines a block except the state before
/// it. Derivation returns decoded transactions; execution needs their signers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInput<T = SignedTx> {
    /// Block number.
    pub number: u64,
    /// Time, in milliseconds. The header holds it in `timestamp` and
    /// [`extra_data`](crate::extra_data()).
    pub time_ms: u64,
    /// The L1 attributes that the block sees.
    pub origin: Origin,
    /// Deposits: the attributes transaction, if the origin changed, then the queued deposits, in
    /// order.
    pub deposits: Vec<TxEnvelope>,
    /// Transactions in the sequencer's order. A transaction that is invalid at its turn is skipped.
    pub transactions: Vec<T>,
}

/// A deposit and the source of its transaction hash.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
#[rlp(trailing)]
pub struct QueuedDeposit {
    /// The deposit.
    pub deposit: Deposit,
    /// L1 block hash and log index of the deposit. `None` in the block of an entry without usable
    /// hints: there the position in the queue identifies the deposit.
    pub hint: Option<DepositHint>,
}

impl QueuedDeposit {
    /// The source of the deposit's transaction hash.
    pub fn source(&self) -> SourceHash {
        let queue = SourceHash::Queue { index: self.deposit.index };
        self.hint.map_or(queue, DepositHint::source)
    }

    /// The deposit as an L2 transaction.
    pub fn to_transaction(&self) -> Result<TxEnvelope, DepositError> {
        self.deposit.to_transaction(self.source())
    }
}

impl<T> BlockInput<T> {
    /// Builds the sequencer's block after `parent`. Deriving the same block from a batch gives the
    /// same input.
    pub fn new(
        config: &ChainConfig,
        parent: Parent,
        origin: Origin,
        time_ms: u64,
        queued: &[QueuedDeposit],
        transactions: Vec<T>,
    ) -> Result<Self, DepositError> {
        let number = parent.number + 1;
        let mut deposits = Vec::with_capacity(queued.len() + 1);
        if parent.origin != Some(origin.entry) {
            deposits.push(attributes_deposit(config, &origin, number));
        }
        for queued in queued {
            deposits.push(queued.to_transaction()?);
        }
        Ok(Self { number, time_ms, origin, deposits, transactions })
    }

    /// This block as the parent of the next one.
    pub const fn as_parent(&self) -> Parent {
        Parent { number: self.number, time_ms: self.time_ms, origin: Some(self.origin.entry) }
    }

    /// The block with each transaction replaced by `map` of it, in order.
    pub fn map_transactions<U>(mut self, map: impl FnMut(T) -> U) -> BlockInput<U> {
        let transactions = core::mem::take(&mut self.transactions);
        self.with_transactions(transactions.into_iter().map(map).collect())
    }

    /// The block with these transactions instead of its own.
    pub fn with_transactions<U>(self, transactions: Vec<U>) -> BlockInput<U> {
        let Self { number, time_ms, origin, deposits, .. } = self;
        BlockInput { number, time_ms, origin, deposits, transactions }
    }
}

/// A transaction's receipt with fields outside the consensus encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Status, cumulative gas, logs and bloom, as hashed into the receipts root.
    pub envelope: ReceiptEnvelope,
    /// Gas the transaction used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub effective_gas_price: u128,
    /// L1 data fee, in wei; 0 for deposits.
    pub l1_fee: U256,
}

/// `prevRandao` of a block. It is as unpredictable as the block's origin and differs in every
/// block.
pub fn mix_hash(origin: &Origin, number: u64) -> B256 {
    keccak256([origin.l1_hash, word(number)].as_flattened_bytes())
}

/// Slot of the EIP-2935 history contract that holds the hash of block `number`.
pub fn history_slot(number: u64) -> U256 {
    U256::from(number % HISTORY_SERVE_WINDOW)
}
