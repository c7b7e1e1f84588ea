//! The L1 inbox: entries, their accumulator, and commitments to batch data.
//!
//! Format: `acc_k = keccak256(abi.encode(acc_{k-1}, entry_k))`, where `acc_{-1}` is the
//! chain-config hash. Beside it runs the content chain, which only batches extend: it commits to
//! what the batcher decided and to nothing that only L1 knows ([`BatchContent::extend`]). Field order and
//! widths are those of `Inbox.sol`.

use alloc::vec::Vec;

use alloy_primitives::{B256, U256, keccak256};
use serde::{Deserialize, Serialize};

/// Maximum bytes of calldata under one hash. A list of chunk hashes commits to longer data, so that
/// no preimage that a proof opens on L1 is longer.
pub const CHUNK_BYTES_MAX: usize = 96 * 1024;

/// Words of an entry's preimage.
const ENTRY_WORDS: usize = 14;

/// The place where L1 holds an entry's batch data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    /// No data: a forced entry, which derives blocks with its deposits only.
    None,
    /// In the calldata of the L1 transaction that appended the entry.
    Calldata,
    /// In the blobs of the L1 transaction that appended the entry.
    Blobs,
}

impl DataKind {
    /// The byte that the inbox contract hashes.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Calldata => 1,
            Self::Blobs => 2,
        }
    }

    /// The kind of the contract's byte; `None` for an unknown byte.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::None),
            1 => Some(Self::Calldata),
            2 => Some(Self::Blobs),
            _ => None,
        }
    }
}

/// One entry of the L1 inbox, as the contract records it.
///
/// Field order and widths are the contract's `Entry`; [`Entry::accumulate`] is its `acc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the inbox. The contract's constructor wrote entry 0.
    pub index: u64,
    /// Where L1 holds the batch data.
    pub data_kind: DataKind,
    /// Commitment to the batch data: [`calldata_hash`] or [`blobs_hash`]; zero without data.
    pub data_hash: B256,
    /// Deposit accumulator after this entry.
    pub deposit_acc: B256,
    /// Number of deposits consumed up to and including this entry.
    pub deposit_count: u64,
    /// L1 block that holds the entry.
    pub l1_block_number: u64,
    /// Timestamp of that block, in seconds.
    pub l1_time: u64,
    /// Base fee of that block, in wei.
    pub l1_base_fee: U256,
    /// Blob base fee of that block, in wei.
    pub l1_blob_base_fee: U256,
    /// Hash of that block's parent.
    pub l1_parent_hash: B256,
    /// Index of the earlier entry whose L1 attributes this entry's blocks see.
    pub origin: u64,
    /// Accumulator after that entry; zero for entry 0, which has no origin.
    pub origin_acc: B256,
    /// Time of the newest entry up to this one whose data L1 does not carry, in seconds; zero for
    /// none. No contract function creates such an entry.
    pub offchain_time: u64,
}

impl Entry {
    /// The accumulator after this entry: `keccak256(abi.encode(previous, entry))`. For entry 0
    /// `previous` is the chain-config hash.
    pub fn accumulate(&self, previous: B256) -> B256 {
        keccak256(self.preimage(previous))
    }

    /// The bytes that [`Self::accumulate`] hashes.
    pub fn preimage(&self, previous: B256) -> Vec<u8> {
        let words: [B256; ENTRY_WORDS] = [
            previous,
            word(self.index),
            B256::with_last_byte(self.data_kind.as_u8()),
            self.data_hash,
            self.deposit_acc,
            word(self.deposit_count),
            word(self.l1_block_number),
            word(self.l1_time),
            self.l1_base_fee.into(),
            self.l1_blob_base_fee.into(),
            self.l1_parent_hash,
            word(self.origin),
            self.origin_acc,
            word(self.offchain_time),
        ];
        words.as_flattened_bytes()
    }

    /// Decodes the previous accumulator and the entry. Returns `None` for bytes that are not a
    /// [`Self::preimage`].
    pub fn from_preimage(bytes: &[u8]) -> Option<(B256, Self)> {
        let [
            previous,
            index,
            data_kind,
            data_hash,
            deposit_acc,
            deposit_count,
            l1_block_number,
            l1_time,
            l1_base_fee,
            l1_blob_base_fee,
            l1_parent_hash,
            origin,
            origin_acc,
            offchain_time,
        ] = words::<ENTRY_WORDS>(bytes)?;
        let entry = Self {
            index: number(index)?,
            data_kind: DataKind::from_u8(number(data_kind)?.try_into().ok()?)?,
            data_hash,
            deposit_acc,
            deposit_count: number(deposit_count)?,
            l1_block_number: number(l1_block_number)?,
            l1_time: number(l1_time)?,
            l1_base_fee: l1_base_fee.into(),
            l1_blob_base_fee: l1_blob_base_fee.into(),
            l1_parent_hash,
            origin: number(origin)?,
            origin_acc,
            offchain_time: number(offchain_time)?,
        };
        Some((previous, entry))
    }
}

/// Commitment to calldata: the hash of the hashes of its chunks of [`CHUNK_BYTES_MAX`] bytes.
pub fn calldata_hash(data: &[u8]) -> B256 {
    let hashes: Vec<B256> = data.chunks(CHUNK_BYTES_MAX).map(keccak256).collect();
    keccak256(hashes.as_flattened_bytes())
}

/// Commitment to blobs: the hash of their versioned hashes (EIP-4844).
pub fn blobs_hash(versioned_hashes: &[B256]) -> B256 {
    keccak256(versioned_hashes.as_flattened_bytes())
}

/// A batch as the batcher decided on it: what one step of the content chain commits to. What the
/// inbox records may differ in deposits and origin, if other entries came in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchContent {
    /// Where L1 holds the batch data.
    pub data_kind: DataKind,
    /// Commitment to the batch data.
    pub data_hash: B256,
    /// Number of deposits that the chain has consumed after the batch.
    pub deposit_count: u64,
    /// Accumulator over these deposits.
    pub deposit_acc: B256,
    /// Index of the origin.
    pub origin: u64,
    /// Accumulator after the origin.
    pub origin_acc: B256,
}

impl BatchContent {
    /// The content of a batch that the inbox recorded as the batcher made it.
    pub const fn of(entry: &Entry) -> Self {
        let &Entry { data_kind, data_hash, deposit_count, deposit_acc, origin, origin_acc, .. } =
            entry;
        Self { data_kind, data_hash, deposit_count, deposit_acc, origin, origin_acc }
    }

    /// The content chain after this batch: `keccak256(abi.encode(content, batch))`. Before the
    /// first batch it is the chain-config hash.
    pub fn extend(&self, content: B256) -> B256 {
        let words = [
            content,
            B256::with_last_byte(self.data_kind.as_u8()),
            self.data_hash,
            word(self.deposit_count),
            self.deposit_acc,
            word(self.origin),
            self.origin_acc,
        ];
        keccak256(words.as_flattened_bytes())
    }
}

/// A number as a 32-byte big-endian word.
pub(crate) fn word(value: u64) -> B256 {
    U256::from(value).into()
}

/// The number in a word; `None` if it exceeds 64 bits.
pub(crate) fn number(word: B256) -> Option<u64> {
    U256::from_be_bytes(word.0).try_into().ok()
}

/// Splits bytes into exactly `N` words.
pub(crate) fn words<const N: usize>(bytes: &[u8]) -> Option<[B256; N]> {
    let (words, rest) = bytes.as_chunks::<32>();
    let words = <[[u8; 32]; N]>::try_from(words).ok()?;
    rest.is_empty().then(|| words.map(B256::from))
}

/// Words as one byte string.
pub(crate) trait FlattenedBytes {
    /// Concatenates the words.
    fn as_flattened_bytes(&self) -> Vec<u8>;
}

impl FlattenedBytes for [B256] {
    fn as_flattened_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|word| word.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_preimages_round_trip() {
        let entry = Entry {
            index: 1,
            data_kind: DataKind::Blobs,
            data_hash: B256::repeat_byte(2),
            deposit_acc: B256::repeat_byte(3),
            deposit_count: 4,
            l1_block_number: u64::MAX,
            l1_time: 6,
            l1_base_fee: U256::MAX,
            l1_blob_base_fee: U256::from(8),
            l1_parent_hash: B256::repeat_byte(9),
            origin: 10,
            origin_acc: B256::repeat_byte(11),
            offchain_time: 12,
        };
        let previous = B256::repeat_byte(7);
        let bytes = entry.preimage(previous);
        assert_eq!(keccak256(&bytes), entry.accumulate(previous));
        assert_eq!(Entry::from_preimage(&bytes), Some((previous, entry)));

        assert_eq!(Entry::from_preimage(&bytes[1..]), None);
        assert_eq!(Entry::from_preimage(&[&bytes[..], &[0; 32]].concat()), None);
        // Set an index, a kind and an origin out of range.
        for (at, byte) in [(32, 1), (64 + 31, 3), (64, 1), (11 * 32 + 23, 1), (13 * 32, 1)] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            assert_eq!(Entry::from_preimage(&bytes), None, "byte {at}");
        }
    }
}
