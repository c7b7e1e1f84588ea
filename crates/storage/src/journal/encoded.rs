use alloy_primitives::{B64, Bytes};

use super::{checksum, codec};
use crate::JournalRow;

/// Bytes of a row's frame before its payload: sequence, epoch, checksum.
const HEADER_BYTES: usize = 24;

/// A row of the journal as it is written, for whoever takes it over and wants to check that it is whole and in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRow {
    /// Its place, counted from 0 without gaps.
    pub sequence: u64,
    /// Who led when it was written.
    pub epoch: u64,
    /// First eight bytes of the hash of the checksum before, sequence, epoch and payload.
    pub checksum: B64,
    /// The entry's bytes.
    pub payload: Bytes,
}

impl EncodedRow {
    /// The row as one piece: sequence, epoch and checksum, eight bytes each, the numbers big-endian, then the payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.checksum.as_slice());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The row in these bytes, or why there is none. Its checksum is not looked at.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, payload)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(format!("it has {} bytes, and a row at least {HEADER_BYTES}", bytes.len()));
        };
        let word = |at: usize| {
            let word = head[at..at + 8].try_into().expect("invariant: eight bytes");
            u64::from_be_bytes(word)
        };
        Ok(Self {
            sequence: word(0),
            epoch: word(8),
            checksum: B64::from_slice(&head[16..]),
            payload: Bytes::copy_from_slice(payload),
        })
    }

    /// The checksum that the row has if the row before has `previous`.
    pub fn checksum_after(&self, previous: B64) -> B64 {
        checksum(&previous.0, self.sequence, self.epoch, &self.payload).into()
    }

    /// What the row says, or why it says nothing.
    pub fn decode(&self) -> Result<JournalRow, String> {
        let Self { sequence, epoch, payload, .. } = self;
        let (written_at_ms, entry) = codec::decode(payload)?;
        Ok(JournalRow { sequence: *sequence, epoch: *epoch, written_at_ms, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JournalEntry, SliceEntry};

    #[test]
    fn a_row_is_one_piece() {
        let entry = JournalEntry::Slice(SliceEntry::default());
        let payload = codec::encode(9, &entry).into();
        let mut row = EncodedRow { sequence: 7, epoch: 2, checksum: B64::ZERO, payload };
        row.checksum = row.checksum_after(B64::repeat_byte(1));
        let read = EncodedRow::from_bytes(&row.to_bytes()).expect("is one");
        assert_eq!(read, row);
        assert_eq!(
            read.decode(),
            Ok(JournalRow { sequence: 7, epoch: 2, written_at_ms: 9, entry })
        );
        assert_ne!(read.checksum_after(B64::repeat_byte(2)), row.checksum);
        for byte in 0..row.to_bytes().len() {
            let mut bytes = row.to_bytes();
            bytes[byte] ^= 1;
            let read = EncodedRow::from_bytes(&bytes).expect("is one");
            assert_ne!(read.checksum_after(B64::repeat_byte(1)), read.checksum, "byte {byte}");
        }
        assert!(EncodedRow::from_bytes(&[0; HEADER_BYTES - 1]).is_err());
    }
}
