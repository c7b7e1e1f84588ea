//! Entries of runs, and the rows that hold them.

use alloy_primitives::B256;

use crate::StorageError;

/// Entries in a row: two rows fill a page. A row takes more if one key has more.
const ROW_ENTRIES: usize = 48;

const HASH_BYTES: usize = 32;

/// Bytes of an entry: the hash, and eight for the location.
pub(super) const ENTRY_BYTES: usize = HASH_BYTES + 8;

/// Number of low bits of the location that hold the position in the block. The other bits hold the
/// block's number.
const POSITION_BITS: u32 = 24;

/// The location of a transaction in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionLocation {
    /// Number of its block.
    pub block: u64,
    /// Its position in the block, deposits counted.
    pub position: usize,
}

/// A transaction hash and its location. Entries sort by hash, then by location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LocationEntry([u8; ENTRY_BYTES]);

impl LocationEntry {
    pub(super) fn new(hash: &B256, block: u64, position: usize) -> Self {
        let position = position as u64;
        assert!(
            block >> (u64::BITS - POSITION_BITS) == 0 && position >> POSITION_BITS == 0,
            "invariant: the gas limit bounds positions, time bounds block numbers"
        );
        let mut entry = [0; ENTRY_BYTES];
        entry[..HASH_BYTES].copy_from_slice(hash.as_slice());
        let location = block << POSITION_BITS | position;
        entry[HASH_BYTES..].copy_from_slice(&location.to_be_bytes());
        Self(entry)
    }

    pub(super) fn hash(&self) -> &[u8] {
        &self.0[..HASH_BYTES]
    }

    pub(super) fn location(&self) -> TransactionLocation {
        let location = self.0[HASH_BYTES..].try_into().expect("invariant: eight bytes");
        let location = u64::from_be_bytes(location);
        let position = usize::try_from(location & ((1 << POSITION_BITS) - 1))
            .expect("invariant: a position indexes memory");
        TransactionLocation { block: location >> POSITION_BITS, position }
    }

    /// The key of its row: the first seven bytes of the hash.
    pub(super) fn key(&self) -> i64 {
        key_of(self.hash())
    }
}

pub(super) fn key_of(hash: &[u8]) -> i64 {
    let mut key = [0; 8];
    key[1..].copy_from_slice(&hash[..7]);
    i64::from_be_bytes(key)
}

/// Divides sorted entries into rows, each with its last key.
pub(super) fn rows_of(mut entries: &[LocationEntry]) -> Vec<(i64, &[LocationEntry])> {
    let mut rows = Vec::with_capacity(entries.len() / ROW_ENTRIES + 1);
    while let Some(last) = entries.get(ROW_ENTRIES - 1).or_else(|| entries.last()) {
        let last = last.key();
        let (row, rest) = entries.split_at(entries.partition_point(|entry| entry.key() <= last));
        rows.push((last, row));
        entries = rest;
    }
    rows
}

pub(super) fn to_bytes(entries: &[LocationEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.0).collect()
}

pub(super) fn entries_in(run: u64, bytes: &[u8]) -> Result<Vec<LocationEntry>, StorageError> {
    let (entries, rest) = bytes.as_chunks();
    if rest.is_empty() {
        return Ok(entries.iter().map(|entry| LocationEntry(*entry)).collect());
    }
    let reason = "an entry is incomplete".to_owned();
    Err(StorageError::Damaged { table: "transactions", key: run, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_holds_hash_and_location() {
        for (block, position) in [(0, 0), (1, 2), ((1 << 40) - 1, (1 << 24) - 1)] {
            let entry = LocationEntry::new(&B256::repeat_byte(7), block, position);
            assert_eq!(entry.hash(), [7; 32]);
            assert_eq!(entry.location(), TransactionLocation { block, position });
        }
    }

    #[test]
    fn entries_of_one_key_share_a_row() {
        let entry = |key: u8, end: u8| {
            let mut hash = B256::repeat_byte(key);
            hash[31] = end;
            LocationEntry::new(&hash, 1, 1)
        };
        let entries: Vec<_> =
            (0..40).map(|key| entry(key, 0)).chain((0..60).map(|end| entry(40, end))).collect();
        let entries = [entries, vec![entry(41, 0)]].concat();
        let rows = rows_of(&entries);
        let lens: Vec<_> = rows.iter().map(|(_, row)| row.len()).collect();
        assert_eq!(lens, [100, 1]);
        assert!(rows.iter().all(|(last, row)| row.last().is_some_and(|e| e.key() == *last)));
        assert!(rows_of(&[]).is_empty());
    }
}
