//! Records of blocks, receipts and withdrawals, as the index stores them in RLP.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use turnpike_protocol::{
    BlockInput, DEPOSITOR_ACCOUNT, Header, Origin, OutputRoot, QueuedDeposit, SignedTx, TxEnvelope,
};

/// A sealed block's input and result: everything that executing it again needs, with its hash and
/// state root. The batcher posts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedInput {
    /// Block number.
    pub number: u64,
    /// Timestamp, in seconds.
    pub timestamp: u64,
    /// L1 attributes that it saw.
    pub origin: Origin,
    /// Deposits that it consumed from the queue.
    pub deposits: Vec<QueuedDeposit>,
    /// EIP-2718 encodings of its transactions, without deposits.
    pub transactions: Vec<Bytes>,
    /// Hash of the block.
    pub hash: B256,
    /// State root after the block.
    pub state_root: B256,
}

impl SealedInput {
    /// Whether `block` has this record's number, timestamp, origin, deposits and transactions.
    pub fn is_block(&self, block: &BlockInput) -> bool {
        let transactions = block.transactions.iter().map(SignedTx::encoded);
        self.number == block.number
            && self.timestamp == block.timestamp
            && self.origin == block.origin
            && self.transactions.iter().map(|raw| raw.to_vec()).eq(transactions)
            && self.has_deposits(block)
    }

    /// Whether the block takes exactly this record's deposits from the queue, in order. The
    /// attributes transaction before them is not compared: it depends on the origins, and only the
    /// block's parent decides whether there is one.
    fn has_deposits(&self, block: &BlockInput) -> bool {
        let attributes = block.deposits.first().filter(|first| {
            first.as_deposit().is_some_and(|deposit| deposit.from == DEPOSITOR_ACCOUNT)
        });
        let queue = &block.deposits[usize::from(attributes.is_some())..];
        let is_same = |(queued, expected): (&QueuedDeposit, &TxEnvelope)| {
            queued.to_transaction().is_ok_and(|found| found == *expected)
        };
        self.deposits.len() == queue.len() && self.deposits.iter().zip(queue).all(is_same)
    }
}

/// Proof of the message passer's account in the state after a block. Proofs of its slots are
/// computed from its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct PasserProof {
    /// Nonce of the account.
    pub nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
    /// Storage root.
    pub storage_root: B256,
    /// Code hash.
    pub code_hash: B256,
    /// Nodes from the state root to the account, root first.
    pub account_proof: Vec<Bytes>,
}

/// A message from L2 to L1, as the event `MessagePassed` logs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct WithdrawalRecord {
    /// Withdrawal hash, its id on L1 and L2.
    pub hash: B256,
    /// L2 transaction that sent it.
    pub transaction: B256,
    /// Nonce with the version in its upper bytes.
    pub nonce: U256,
    /// Sender on L2.
    pub sender: Address,
    /// Account that L1 calls.
    pub target: Address,
    /// Wei that the call carries.
    pub value: U256,
    /// Minimum gas of the call.
    pub gas_limit: U256,
    /// Call data.
    pub data: Bytes,
}

/// A block with its transactions and receipts.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockRecord {
    /// The header.
    pub header: Header,
    /// Storage root of the message passer after the block. With the header it gives the output
    /// root.
    pub message_passer_storage_root: B256,
    /// L1 attributes that the block saw.
    pub origin: Origin,
    /// Transactions and receipts, in order.
    pub receipts: Vec<ReceiptRecord>,
}

impl BlockRecord {
    /// The preimage of the output root after the block.
    pub fn output(&self) -> OutputRoot {
        OutputRoot {
            state_root: self.header.state_root,
            message_passer_storage_root: self.message_passer_storage_root,
            block_hash: self.header.hash_slow(),
        }
    }
}

/// A transaction with its receipt.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct ReceiptRecord {
    /// EIP-2718 encoding of the transaction.
    pub transaction: Bytes,
    /// Recovered signer.
    pub sender: Address,
    /// EIP-2718 encoding of the receipt.
    pub receipt: Bytes,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub effective_gas_price: u128,
    /// L1 data fee, in wei.
    pub l1_fee: U256,
}
