//! Output roots and the claims of proposers on L1.

use alloc::vec::Vec;

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

use crate::inbox::{FlattenedBytes, word, words};

/// Version of the output root's preimage (OP stack, version 0).
const OUTPUT_VERSION: B256 = B256::ZERO;

/// The preimage of an output root: a commitment to the chain after a block.
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
        keccak256(self.preimage())
    }

    /// The bytes that [`Self::hash`] hashes.
    pub fn preimage(&self) -> Vec<u8> {
        let words =
            [OUTPUT_VERSION, self.state_root, self.message_passer_storage_root, self.block_hash];
        words.as_flattened_bytes()
    }

    /// Decodes an output from a [`Self::preimage`]. Returns `None` for other bytes.
    pub fn from_preimage(bytes: &[u8]) -> Option<Self> {
        let [version, state_root, message_passer_storage_root, block_hash] = words(bytes)?;
        let output = Self { state_root, message_passer_storage_root, block_hash };
        (version == OUTPUT_VERSION).then_some(output)
    }
}

/// A proposer's claim: "after entry `entry`, whose accumulator is `acc`, the output root is
/// `output_root`", on top of the parent's claim. The genesis claim has a zero parent and entry 0.
pub fn output_claim(parent: B256, entry: u64, acc: B256, output_root: B256) -> B256 {
    keccak256([parent, word(entry), acc, output_root].as_flattened_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_preimages_round_trip() {
        let [state_root, message_passer_storage_root, block_hash] =
            [1, 2, 3].map(B256::repeat_byte);
        let output = OutputRoot { state_root, message_passer_storage_root, block_hash };
        let mut bytes = output.preimage();
        assert_eq!(keccak256(&bytes), output.hash());
        assert_eq!(OutputRoot::from_preimage(&bytes), Some(output));
        assert_eq!(OutputRoot::from_preimage(&bytes[..96]), None);
        bytes[31] = 1;
        assert_eq!(OutputRoot::from_preimage(&bytes), None, "another version");
    }
}
