use alloc::vec::Vec;

use alloy_primitives::{B256, Bytes, FixedBytes};
use alloy_rlp::{Decodable, Encodable as _, RlpDecodable, RlpEncodable};
use ruzstd::{
    decoding::{BlockDecodingStrategy, FrameDecoder},
    io::Read as _,
};

use crate::SourceHash;

/// Version byte of the batch format: RLP, compressed as one zstd frame.
pub const BATCH_VERSION: u8 = 0;

/// What the sequencer posts in one inbox entry: blocks that share an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Batch {
    /// The blocks, in order.
    pub blocks: Vec<BatchBlock>,
    /// Where L1 has the deposits that the blocks consume, one for each, in queue order.
    pub deposit_hints: Vec<DepositHint>,
}

/// The first bytes of a state root: enough to tell in which block a false chain begins.
pub type StateRootPrefix = FixedBytes<4>;

/// The beginning of a state root.
pub fn state_root_prefix(state_root: &B256) -> StateRootPrefix {
    StateRootPrefix::from_slice(&state_root[..StateRootPrefix::len_bytes()])
}

/// One block of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BatchBlock {
    /// Timestamp, in seconds.
    pub timestamp: u64,
    /// Deposits of the queue that the block consumes.
    pub deposit_count: u64,
    /// Beginning of the state root that the sequencer computed. No rule reads it: it tells a verifier where a false
    /// chain begins.
    pub state_root: StateRootPrefix,
    /// EIP-2718 bytes of the transactions, in order.
    pub transactions: Vec<Bytes>,
}

/// Where L1 has a deposit; names its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct DepositHint {
    /// Hash of the L1 block that queued it.
    pub l1_block_hash: B256,
    /// Index of its log in that block.
    pub log_index: u64,
}

impl DepositHint {
    /// What names the deposit's transaction.
    pub const fn source(self) -> SourceHash {
        SourceHash::User { l1_block_hash: self.l1_block_hash, log_index: self.log_index }
    }
}

/// Why bytes are not a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No version byte.
    #[error("batch is empty")]
    Empty,
    /// A version that this chain does not know.
    #[error("batch version {0} is unknown")]
    Version(u8),
    /// Not one zstd frame within the bound.
    #[error("batch does not inflate within {0} bytes")]
    Inflate(usize),
    /// Not the canonical RLP of a batch.
    #[error("batch is malformed: {0}")]
    Rlp(alloy_rlp::Error),
}

impl Batch {
    /// The bytes to compress.
    pub fn to_rlp(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length());
        self.encode(&mut bytes);
        bytes
    }

    /// The posted bytes, from the batch's RLP compressed as one zstd frame.
    pub fn frame(compressed: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(compressed.len() + 1);
        bytes.push(BATCH_VERSION);
        bytes.extend_from_slice(compressed);
        bytes
    }

    /// Decodes posted bytes, inflating to `inflated_bytes_max` at most. All or nothing.
    pub fn decode(bytes: &[u8], inflated_bytes_max: usize) -> Result<Self, BatchError> {
        let (version, compressed) = bytes.split_first().ok_or(BatchError::Empty)?;
        if *version != BATCH_VERSION {
            return Err(BatchError::Version(*version));
        }
        let inflated = inflate(compressed, inflated_bytes_max)
            .ok_or(BatchError::Inflate(inflated_bytes_max))?;
        let mut rest = inflated.as_slice();
        let batch = Self::decode_rlp(&mut rest).map_err(BatchError::Rlp)?;
        if !rest.is_empty() {
            return Err(BatchError::Rlp(alloy_rlp::Error::UnexpectedLength));
        }
        Ok(batch)
    }

    fn decode_rlp(bytes: &mut &[u8]) -> Result<Self, alloy_rlp::Error> {
        <Self as Decodable>::decode(bytes)
    }
}

/// Inflates exactly one zstd frame; `None` if it is damaged, followed by anything, or larger than `bytes_max`.
fn inflate(mut compressed: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    /// Inflated bytes asked for at a time: bounds what a hostile frame can make us hold beyond the limit.
    const STEP_BYTES: usize = 64 * 1024;

    let mut decoder = FrameDecoder::new();
    // A window larger than all that may come out of it buys nothing but memory.
    decoder.set_max_window_size(u64::try_from(bytes_max).ok()?.max(1024));
    decoder.reset(&mut compressed).ok()?;
    let mut inflated = Vec::new();
    let mut step = alloc::vec![0; STEP_BYTES];
    loop {
        let finished = decoder
            .decode_blocks(&mut compressed, BlockDecodingStrategy::UptoBytes(STEP_BYTES))
            .ok()?;
        while decoder.can_collect() > 0 {
            let count = decoder.read(&mut step).ok()?;
            inflated.extend_from_slice(&step[..count]);
            if inflated.len() > bytes_max {
                return None;
            }
        }
        if finished {
            return compressed.is_empty().then_some(inflated);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 1 << 20;

    fn post(batch: &Batch) -> Vec<u8> {
        Batch::frame(&zstd::bulk::compress(&batch.to_rlp(), 3).expect("compresses"))
    }

    fn any_batch() -> impl Strategy<Value = Batch> {
        let block = (
            any::<u64>(),
            any::<u64>(),
            any::<[u8; 4]>(),
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        )
            .prop_map(|(timestamp, deposit_count, root, transactions)| BatchBlock {
                timestamp,
                deposit_count,
                state_root: root.into(),
                transactions: transactions.into_iter().map(Bytes::from).collect(),
            });
        let hint = (any::<[u8; 32]>(), any::<u64>())
            .prop_map(|(hash, log_index)| DepositHint { l1_block_hash: hash.into(), log_index });
        (prop::collection::vec(block, 0..6), prop::collection::vec(hint, 0..4))
            .prop_map(|(blocks, deposit_hints)| Batch { blocks, deposit_hints })
    }

    proptest! {
        #[test]
        fn decode_inverts_encode(batch in any_batch()) {
            prop_assert_eq!(Batch::decode(&post(&batch), MAX), Ok(batch));
        }

        #[test]
        fn garbage_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Batch::decode(&bytes, MAX);
            let mut framed = post(&Batch { blocks: alloc::vec![BatchBlock::default(); 3], deposit_hints: Vec::new() });
            for (i, byte) in bytes.iter().enumerate().take(4) {
                let at = (usize::from(*byte) + i * 7) % framed.len();
                framed[at] ^= byte | 1;
            }
            let _ = Batch::decode(&framed, MAX);
        }
    }

    #[test]
    fn large_batches_span_many_steps() {
        let transactions = (0..3_000u32)
            .map(|i| Bytes::from(alloy_primitives::keccak256(i.to_be_bytes()).repeat(7)))
            .collect();
        let batch = Batch {
            blocks: alloc::vec![BatchBlock { transactions, ..Default::default() }],
            deposit_hints: Vec::new(),
        };
        assert_eq!(Batch::decode(&post(&batch), MAX), Ok(batch));
    }

    #[test]
    fn bounds_and_versions() {
        let batch = Batch { blocks: alloc::vec![BatchBlock::default()], deposit_hints: Vec::new() };
        let bytes = post(&batch);
        assert_eq!(Batch::decode(&[], MAX), Err(BatchError::Empty));
        assert_eq!(Batch::decode(&[9], MAX), Err(BatchError::Version(9)));
        let length = batch.to_rlp().len();
        assert_eq!(Batch::decode(&bytes, length), Ok(batch));
        assert_eq!(Batch::decode(&bytes, length - 1), Err(BatchError::Inflate(length - 1)));
        let bomb = Batch::frame(&zstd::bulk::compress(&alloc::vec![0; 64 << 20], 19).expect("ok"));
        assert_eq!(Batch::decode(&bomb, MAX), Err(BatchError::Inflate(MAX)));
        let mut trailing = bytes;
        trailing.push(0);
        assert_eq!(Batch::decode(&trailing, MAX), Err(BatchError::Inflate(MAX)));
    }
}
