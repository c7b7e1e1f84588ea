//! Encoding of the journal's entries. The [module above](super) documents the bytes.
//!
//! Each entry has exactly one encoding. A payload of another version is rejected.

use alloy_primitives::{Address, B64, B256, keccak256};
use alloy_rlp::{
    BufMut, Decodable, EMPTY_LIST_CODE, Encodable, Header, RlpDecodable, RlpEncodable,
};

use crate::{
    AcceptedBytes, AcceptedTx, BlockOpening, BlockPart, JournalEntry, JournalTx, ReorgEntry,
    SliceEntry,
    times::{received, waited},
};

/// Version of the format. Readers reject every other version.
const VERSION: u8 = 2;

/// Bytes before the RLP: version, kind, time.
const HEADER_BYTES: usize = 10;

const SLICE: u8 = 1;
const SEALED: u8 = 2;
const REORG: u8 = 3;

/// The first two bytes of every reorg and of no other entry.
pub(crate) const REORG_HEADER: [u8; 2] = [VERSION, REORG];

#[derive(RlpEncodable, RlpDecodable)]
struct SlicePayload {
    /// At most one.
    part: Vec<PartPayload>,
    accepted: Vec<AcceptedTx>,
    refused: Vec<RefusedPayload>,
    /// Milliseconds from reception to the row's writing, for each transaction of the part.
    waited_ms: Vec<u64>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct PartPayload {
    block: u64,
    /// At most one.
    opening: Vec<BlockOpening>,
    transactions: Vec<JournalTx>,
    outcomes: Vec<B64>,
    is_last: bool,
}

#[derive(RlpEncodable, RlpDecodable)]
struct ReorgPayload {
    first_block: u64,
    reason: String,
    waiting: Vec<AcceptedTx>,
    refused: Vec<RefusedPayload>,
}

/// Without the bytes: the log of waiting transactions holds them.
#[derive(RlpEncodable, RlpDecodable)]
struct LoggedPayload {
    arrival: u64,
    received_ms: u64,
    hash: B256,
    sender: Address,
}

/// With the bytes, as earlier builds wrote it.
#[derive(RlpEncodable, RlpDecodable)]
struct InlinePayload {
    arrival: u64,
    received_ms: u64,
    tx: JournalTx,
}

#[derive(RlpEncodable, RlpDecodable)]
struct RefusedPayload {
    hash: B256,
    reason: String,
}

/// Encodes an entry that is written at `at_ms`.
pub(crate) fn encode(at_ms: u64, entry: &JournalEntry) -> Vec<u8> {
    match entry {
        JournalEntry::Slice(slice) => tagged(SLICE, at_ms, &SlicePayload::of(at_ms, slice)),
        JournalEntry::Sealed(sealed) => tagged(SEALED, at_ms, sealed),
        JournalEntry::Reorg(reorg) => tagged(REORG, at_ms, &ReorgPayload::from(reorg)),
    }
}

/// Decodes an entry and its time of writing. The error says what is wrong with the bytes.
pub(crate) fn decode(payload: &[u8]) -> Result<(u64, JournalEntry), String> {
    let &[version, kind, ref rest @ ..] = payload else {
        return Err("payload is too short".into());
    };
    if version != VERSION {
        return Err(format!("payload has version {version}, expected {VERSION}"));
    }
    let (at_ms, rest) = rest.split_first_chunk().ok_or("payload is too short")?;
    let at_ms = u64::from_be_bytes(*at_ms);
    let entry = match kind {
        SLICE => JournalEntry::Slice(decode_all::<SlicePayload>(rest)?.into_entry(at_ms)?),
        SEALED => JournalEntry::Sealed(decode_all(rest)?),
        REORG => JournalEntry::Reorg(decode_all::<ReorgPayload>(rest)?.into()),
        _ => return Err(format!("unknown entry kind {kind}")),
    };
    Ok((at_ms, entry))
}

fn tagged(kind: u8, at_ms: u64, value: &impl Encodable) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + value.length());
    bytes.extend([VERSION, kind]);
    bytes.extend(at_ms.to_be_bytes());
    value.encode(&mut bytes);
    bytes
}

fn decode_all<T: Decodable>(mut bytes: &[u8]) -> Result<T, String> {
    let value = T::decode(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.is_empty() { Ok(value) } else { Err("payload has trailing bytes".into()) }
}

fn at_most_one<T>(mut values: Vec<T>) -> Result<Option<T>, String> {
    let value = values.pop();
    if values.is_empty() {
        Ok(value)
    } else {
        Err("payload has more than one part or opening".into())
    }
}

impl SlicePayload {
    fn of(at_ms: u64, slice: &SliceEntry) -> Self {
        Self {
            part: slice.part.iter().map(PartPayload::from).collect(),
            accepted: slice.accepted.clone(),
            refused: to_payload(&slice.refused),
            waited_ms: slice.received_ms.iter().map(|ms| waited(at_ms, *ms)).collect(),
        }
    }

    fn into_entry(self, at_ms: u64) -> Result<SliceEntry, String> {
        Ok(SliceEntry {
            part: at_most_one(self.part)?.map(BlockPart::try_from).transpose()?,
            accepted: self.accepted,
            refused: from_payload(self.refused),
            received_ms: self.waited_ms.iter().map(|ms| received(at_ms, *ms)).collect(),
        })
    }
}

impl From<&BlockPart> for PartPayload {
    fn from(part: &BlockPart) -> Self {
        Self {
            block: part.block,
            opening: part.opening.iter().cloned().collect(),
            transactions: part.transactions.clone(),
            outcomes: part.outcomes.clone(),
            is_last: part.is_last,
        }
    }
}

impl TryFrom<PartPayload> for BlockPart {
    type Error = String;

    fn try_from(part: PartPayload) -> Result<Self, String> {
        Ok(Self {
            block: part.block,
            opening: at_most_one(part.opening)?,
            transactions: part.transactions,
            outcomes: part.outcomes,
            is_last: part.is_last,
        })
    }
}

impl From<&ReorgEntry> for ReorgPayload {
    fn from(entry: &ReorgEntry) -> Self {
        Self {
            first_block: entry.first_block,
            reason: entry.reason.clone(),
            waiting: entry.waiting.clone(),
            refused: to_payload(&entry.refused),
        }
    }
}

impl From<ReorgPayload> for ReorgEntry {
    fn from(entry: ReorgPayload) -> Self {
        Self {
            first_block: entry.first_block,
            reason: entry.reason,
            waiting: entry.waiting,
            refused: from_payload(entry.refused),
        }
    }
}

impl Encodable for AcceptedTx {
    fn encode(&self, out: &mut dyn BufMut) {
        let Self { arrival, received_ms, hash, sender, ref raw } = *self;
        match raw {
            AcceptedBytes::Log(_) => {
                LoggedPayload { arrival, received_ms, hash, sender }.encode(out);
            }
            AcceptedBytes::Row(raw) => {
                let tx = JournalTx { raw: raw.clone(), sender };
                InlinePayload { arrival, received_ms, tx }.encode(out);
            }
        }
    }
}

impl Decodable for AcceptedTx {
    fn decode(bytes: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let mut fields = *bytes;
        Header::decode(&mut fields)?;
        u64::decode(&mut fields)?;
        u64::decode(&mut fields)?;
        // A list of bytes and sender, or a hash.
        if fields.first().is_some_and(|first| *first >= EMPTY_LIST_CODE) {
            let InlinePayload { arrival, received_ms, tx } = Decodable::decode(bytes)?;
            let (hash, sender, raw) = (keccak256(&tx.raw), tx.sender, AcceptedBytes::Row(tx.raw));
            return Ok(Self { arrival, received_ms, hash, sender, raw });
        }
        let LoggedPayload { arrival, received_ms, hash, sender } = Decodable::decode(bytes)?;
        Ok(Self { arrival, received_ms, hash, sender, raw: AcceptedBytes::Log(None) })
    }
}

fn to_payload(reasons: &[(B256, String)]) -> Vec<RefusedPayload> {
    reasons
        .iter()
        .map(|(hash, reason)| RefusedPayload { hash: *hash, reason: reason.clone() })
        .collect()
}

fn from_payload(refused: Vec<RefusedPayload>) -> Vec<(B256, String)> {
    refused.into_iter().map(|RefusedPayload { hash, reason }| (hash, reason)).collect()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, Bytes, U256};
    use proptest::{collection::vec, option, prelude::*};
    use turnpike_protocol::{Deposit, DepositHint, Origin, QueuedDeposit};

    use super::*;
    use crate::SealedEntry;

    fn hash() -> impl Strategy<Value = B256> {
        any::<[u8; 32]>().prop_map(B256::from)
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        vec(any::<u8>(), 0..80).prop_map(Bytes::from)
    }

    fn transaction() -> impl Strategy<Value = JournalTx> {
        (bytes(), any::<[u8; 20]>())
            .prop_map(|(raw, sender)| JournalTx { raw, sender: Address::from(sender) })
    }

    fn accepted() -> impl Strategy<Value = Vec<AcceptedTx>> {
        vec(
            (any::<u64>(), any::<u64>(), transaction(), any::<bool>()).prop_map(
                |(arrival, received_ms, JournalTx { raw, sender }, is_logged)| {
                    let hash = keccak256(&raw);
                    let raw =
                        if is_logged { AcceptedBytes::Log(None) } else { AcceptedBytes::Row(raw) };
                    AcceptedTx { arrival, received_ms, hash, sender, raw }
                },
            ),
            0..3,
        )
    }

    fn refused() -> impl Strategy<Value = Vec<(B256, String)>> {
        vec((hash(), ".*"), 0..3)
    }

    prop_compose! {
        fn deposit()(index: u64, from: [u8; 20], opaque_data in bytes(), hint in option::of((hash(), any::<u64>()))) -> QueuedDeposit {
            let hint = hint.map(|(l1_block_hash, log_index)| DepositHint { l1_block_hash, log_index });
            let from = Address::from(from);
            let deposit = Deposit { index, l1_block_number: 7, from, to: from, version: U256::from(index), opaque_data };
            QueuedDeposit { deposit, hint }
        }
    }

    prop_compose! {
        fn opening()(time_ms: u64, entry: u64, l1_hash in hash(), deposits in vec(deposit(), 0..3)) -> BlockOpening {
            let origin = Origin { entry, l1_hash, ..Origin::default() };
            BlockOpening { time_ms, origin, deposits }
        }
    }

    prop_compose! {
        fn part()(
            block: u64,
            opening in option::of(opening()),
            transactions in vec(transaction(), 0..4),
            outcomes in vec(any::<[u8; 8]>().prop_map(B64::from), 0..4),
            is_last: bool,
        ) -> BlockPart {
            BlockPart { block, opening, transactions, outcomes, is_last }
        }
    }

    fn entry() -> impl Strategy<Value = JournalEntry> {
        let slice = (option::of(part()), accepted(), refused(), vec(any::<u64>(), 0..4)).prop_map(
            |(part, accepted, refused, received_ms)| {
                JournalEntry::Slice(SliceEntry { part, accepted, refused, received_ms })
            },
        );
        let sealed = (any::<u64>(), hash(), hash()).prop_map(|(number, hash, state_root)| {
            JournalEntry::Sealed(SealedEntry { number, hash, state_root })
        });
        let reorg = (any::<u64>(), ".*", accepted(), refused()).prop_map(
            |(first_block, reason, waiting, refused)| {
                JournalEntry::Reorg(ReorgEntry { first_block, reason, waiting, refused })
            },
        );
        prop_oneof![slice, sealed, reorg]
    }

    proptest! {
        #[test]
        fn decode_inverts_encode(at_ms: u64, entry in entry()) {
            prop_assert_eq!(decode(&encode(at_ms, &entry)), Ok((at_ms, entry)));
        }

        #[test]
        fn cut_or_extended_payload_is_refused(entry in entry(), cut in any::<usize>()) {
            let payload = encode(7, &entry);
            let cut = cut % payload.len();
            prop_assert!(decode(&payload[..cut]).is_err());
            prop_assert!(decode(&[&payload[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn unknown_version_or_kind_is_refused() {
        let mut payload = encode(7, &JournalEntry::Slice(SliceEntry::default()));
        payload[0] = 1;
        assert_eq!(decode(&payload), Err("payload has version 1, expected 2".into()));
        payload[..2].copy_from_slice(&[2, 9]);
        assert_eq!(decode(&payload), Err("unknown entry kind 9".into()));
    }
}
