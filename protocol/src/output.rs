use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

use crate::inbox::{FlattenedBytes, word};

/// Version of the output root's preimage (OP stack, version 0).
const OUTPUT_VERSION: B256 = B256::ZERO;

/// The preimage of an output root: what an output says of the chain after some block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRoot {
    /// State root after the block.
    pub state_root: B256,
    /// Storage root of the `L2ToL1MessagePasser` in that state.
    pub message_passer_storage_root: B256,
    /// Hash of the block.
    pub block_hash: B256,
}

impl OutputRoot {
    /// `keccak256(version ++ stateRoot ++ messagePasserStorageRoot ++ blockHash)`.
    pub fn hash(&self) -> B256 {
        let words =
            [OUTPUT_VERSION, self.state_root, self.message_passer_storage_root, self.block_hash];
        keccak256(words.as_flattened_bytes())
    }
}

/// What a proposer asserts: "after entry `entry`, whose accumulator is `acc`, the output root is `output_root`", on
/// top of the parent's claim. The genesis claim has a zero parent and entry 0.
pub fn output_claim(parent: B256, entry: u64, acc: B256, output_root: B256) -> B256 {
    keccak256([parent, word(entry), acc, output_root].as_flattened_bytes())
}
