use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use turnpike_protocol::{Header, Origin, OutputRoot, QueuedDeposit};

/// A sealed block as the journal holds it: all that is needed to run it again, and what came out.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct JournalRecord {
    /// Block number.
    pub number: u64,
    /// Timestamp, in seconds.
    pub timestamp: u64,
    /// The L1 attributes it saw.
    pub origin: Origin,
    /// Deposits of the queue that it consumed.
    pub deposits: Vec<QueuedDeposit>,
    /// EIP-2718 bytes of its transactions, deposits apart.
    pub transactions: Vec<Bytes>,
    /// Hash of the block.
    pub hash: B256,
    /// State root after the block.
    pub state_root: B256,
}

/// A block with its receipts, as the look-ups hold it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockRecord {
    /// The header.
    pub header: Header,
    /// Storage root of the message passer after the block: with the header, the output root's preimage.
    pub message_passer_storage_root: B256,
    /// The L1 attributes the block saw.
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

/// A transaction with its receipt, as the look-ups hold it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct ReceiptRecord {
    /// EIP-2718 bytes of the transaction.
    pub transaction: Bytes,
    /// Who sent it.
    pub sender: Address,
    /// EIP-2718 bytes of the receipt.
    pub receipt: Bytes,
    /// Gas it used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub effective_gas_price: u128,
    /// L1 data fee, in wei.
    pub l1_fee: U256,
}
