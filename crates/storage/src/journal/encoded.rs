//! A row in its encoded form, as replicas fetch it.

use alloy_primitives::{B64, Bytes};

use super::{checksum::checksum, codec};
use crate::JournalRow;

/// Bytes of a row before its payload: sequence, epoch, checksum.
const HEADER_BYTES: usize = 24;

/// A row of the journal in its encoded form. Before a replica copies the row, it checks with this
/// form that the row is complete and at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRow {
    /// Position, counted from 0 without gaps.
    pub sequence: u64,
    /// Epoch of the process that wrote it.
    pub epoch: u64,
    /// First eight bytes of the hash over the previous checksum, sequence, epoch and payload.
    pub checksum: B64,
    /// The encoded entry.
    pub payload: Bytes,
}

impl EncodedRow {
    /// Encodes the row as one piece: sequence and epoch (8 bytes each, big-endian), checksum (8
    /// bytes), payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.checksum.as_slice());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Decodes a row from one piece. Does not check its checksum.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, payload)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(format!("row has {} bytes, expected at least {HEADER_BYTES}", bytes.len()));
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

    /// Computes the checksum that the row must have if the row before has `previous`.
    pub fn checksum_after(&self, previous: B64) -> B64 {
        checksum(&previous.0, self.sequence, self.epoch, &self.payload).into()
    }

    /// Decodes the payload. The error says what is wrong with it.
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
    fn row_survives_encoding_and_any_flipped_bit_is_found() {
        let entry = JournalEntry::Slice(SliceEntry::default());
        let payload = codec::encode(9, &entry).into();
        let mut row = EncodedRow { sequence: 7, epoch: 2, checksum: B64::ZERO, payload };
        row.checksum = row.checksum_after(B64::repeat_byte(1));
        let read = EncodedRow::from_bytes(&row.to_bytes()).expect("valid row");
        assert_eq!(read, row);
        assert_eq!(
            read.decode(),
            Ok(JournalRow { sequence: 7, epoch: 2, written_at_ms: 9, entry })
        );
        assert_ne!(read.checksum_after(B64::repeat_byte(2)), row.checksum);
        for byte in 0..row.to_bytes().len() {
            let mut bytes = row.to_bytes();
            bytes[byte] ^= 1;
            let read = EncodedRow::from_bytes(&bytes).expect("valid row");
            assert_ne!(read.checksum_after(B64::repeat_byte(1)), read.checksum, "byte {byte}");
        }
        assert!(EncodedRow::from_bytes(&[0; HEADER_BYTES - 1]).is_err());
    }
}
