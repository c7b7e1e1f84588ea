//! Withdrawals: messages from L2 to L1, and their hash.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::{Deserialize, Serialize};

use crate::inbox::{FlattenedBytes, word};

/// Bytes of a word of the ABI encoding.
const WORD_BYTES: usize = 32;
/// Offset of the data in the ABI encoding: after six words, of which the last holds this offset.
const DATA_OFFSET: u64 = 6 * 32;
/// The slot of `L2ToL1MessagePasser`'s mapping of sent messages.
const SENT_MESSAGES_SLOT: B256 = B256::ZERO;

/// A message from L2 to L1, as `L2ToL1MessagePasser` records it and the portal executes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    /// Number of the message; its version is in the upper 16 bits.
    pub nonce: U256,
    /// Sender on L2.
    pub sender: Address,
    /// Target on L1.
    pub target: Address,
    /// Wei that the call carries.
    pub value: U256,
    /// Minimum L1 gas of the call.
    pub gas_limit: U256,
    /// L1 calldata.
    pub data: Bytes,
}

impl Withdrawal {
    /// `keccak256(abi.encode(nonce, sender, target, value, gasLimit, data))`: the message's id.
    pub fn hash(&self) -> B256 {
        let length = u64::try_from(self.data.len()).expect("invariant: a length fits 64 bits");
        let words = [
            self.nonce.into(),
            self.sender.into_word(),
            self.target.into_word(),
            self.value.into(),
            self.gas_limit.into(),
            word(DATA_OFFSET),
            word(length),
        ];
        let mut preimage = words.as_flattened_bytes();
        preimage.extend_from_slice(&self.data);
        preimage.resize(preimage.len().next_multiple_of(WORD_BYTES), 0);
        keccak256(preimage)
    }

    /// The storage slot of `L2ToL1MessagePasser` that holds 1 after the message is sent.
    pub fn slot(&self) -> B256 {
        keccak256([self.hash(), SENT_MESSAGES_SLOT].as_flattened_bytes())
    }
}
