//! A row in its encoded form, as replicas fetch it.

use alloy_primitives::{B64, Bytes, keccak256, map::B256Map};

use super::{AcceptedBytes, JournalEntry, checksum::checksum, codec};
use crate::JournalRow;

/// Bytes of a row before its payload: sequence, epoch, checksum.
const HEADER_BYTES: usize = 24;

/// Bytes of the length before the payload and before each waiting transaction.
const LENGTH_BYTES: usize = 4;

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
    /// Transactions that the row accepted, while they wait. The payload holds their hashes.
    pub waiting: Vec<Bytes>,
}

impl EncodedRow {
    /// Encodes the row as one piece: sequence and epoch (8 bytes each, big-endian), checksum (8
    /// bytes), then the payload and the waiting transactions, each after its length (4 bytes,
    /// big-endian).
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = || std::iter::once(&self.payload).chain(&self.waiting);
        let length: usize = parts().map(|part| LENGTH_BYTES + part.len()).sum();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + length);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.checksum.as_slice());
        for part in parts() {
            let length = u32::try_from(part.len()).expect("invariant: an intake is bounded");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Decodes a row from one piece. Does not check its checksum.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let Some((head, mut rest)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err(format!("row has {} bytes, expected at least {HEADER_BYTES}", bytes.len()));
        };
        let payload = take_part(&mut rest)?;
        let mut waiting = Vec::new();
        while !rest.is_empty() {
            waiting.push(take_part(&mut rest)?);
        }
        let word = |at: usize| {
            let word = head[at..at + 8].try_into().expect("invariant: eight bytes");
            u64::from_be_bytes(word)
        };
        Ok(Self {
            sequence: word(0),
            epoch: word(8),
            checksum: B64::from_slice(&head[16..]),
            payload,
            waiting,
        })
    }

    /// Computes the checksum that the row must have if the row before has `previous`.
    pub fn checksum_after(&self, previous: B64) -> B64 {
        checksum(&previous.0, self.sequence, self.epoch, &self.payload).into()
    }

    /// Decodes the payload, with the waiting transactions. The error says what is wrong with it.
    pub fn decode(&self) -> Result<JournalRow, String> {
        let Self { sequence, epoch, payload, waiting, .. } = self;
        let (written_at_ms, mut entry) = codec::decode(payload)?;
        attach(&mut entry, waiting)?;
        Ok(JournalRow { sequence: *sequence, epoch: *epoch, written_at_ms, entry })
    }
}

/// Takes the next part, after its length.
fn take_part(rest: &mut &[u8]) -> Result<Bytes, String> {
    let too_short = || "row is too short".to_owned();
    let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or_else(too_short)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| too_short())?;
    let (part, after) = after.split_at_checked(length).ok_or_else(too_short)?;
    *rest = after;
    Ok(Bytes::copy_from_slice(part))
}

/// Puts the bytes of waiting transactions into the entry that accepted them. The error says what
/// does not fit.
fn attach(entry: &mut JournalEntry, waiting: &[Bytes]) -> Result<(), String> {
    if waiting.is_empty() {
        return Ok(());
    }
    let mut by_hash: B256Map<_> = waiting.iter().map(|raw| (keccak256(raw), raw)).collect();
    let accepted = match entry {
        JournalEntry::Slice(slice) => &mut slice.accepted,
        JournalEntry::Reorg(reorg) => &mut reorg.waiting,
        JournalEntry::Sealed(_) => return Err("a sealed block accepts no transactions".into()),
    };
    for tx in accepted {
        let found = by_hash.remove(&tx.hash);
        if let (AcceptedBytes::Log(raw), Some(found)) = (&mut tx.raw, found) {
            *raw = Some(found.clone());
        }
    }
    match by_hash.keys().min() {
        Some(hash) => Err(format!("the row does not accept the transaction {hash}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, keccak256};

    use super::*;
    use crate::{AcceptedBytes, AcceptedTx, JournalEntry, SliceEntry};

    #[test]
    fn row_survives_encoding_and_any_flipped_bit_is_found() {
        let accepted = |raw: &'static [u8], is_attached: bool| AcceptedTx {
            arrival: 3,
            received_ms: 4,
            hash: keccak256(raw),
            sender: Address::ZERO,
            raw: AcceptedBytes::Log(is_attached.then(|| Bytes::from_static(raw))),
        };
        let accepted = vec![accepted(b"gone", false), accepted(b"waits", true)];
        let entry = JournalEntry::Slice(SliceEntry { accepted, ..SliceEntry::default() });
        let payload = codec::encode(9, &entry).into();
        let waiting = vec![Bytes::from_static(b"waits")];
        let mut row = EncodedRow { sequence: 7, epoch: 2, checksum: B64::ZERO, payload, waiting };
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
            let Ok(read) = EncodedRow::from_bytes(&bytes) else { continue };
            let is_checked = read.checksum_after(B64::repeat_byte(1)) == read.checksum;
            assert!(!is_checked || read.decode().is_err(), "byte {byte}");
        }
        assert!(EncodedRow::from_bytes(&[0; HEADER_BYTES - 1]).is_err());
    }
}
