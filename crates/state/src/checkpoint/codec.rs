//! Encodes and decodes the records of a segment.
//!
//! A number is encoded as its length in bytes, followed by its little-endian bytes without leading
//! zeros. Each number has exactly one encoding.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};

use super::Segment;
use crate::Account;

const MAGIC: [u8; 8] = *b"TPSTATE\0";
const VERSION: u32 = 1;

const HEADER: u8 = 0;
const CODE: u8 = 1;
const ACCOUNT: u8 = 2;
const SLOTS: u8 = 3;
const FOOTER: u8 = 4;

const BASE: u8 = 0;
const DELTA: u8 = 1;

/// Flags of an account record.
const EXISTS: u8 = 1;
const CLEARED: u8 = 2;
const HAS_CODE: u8 = 4;

/// A record of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The segment's name and the state root after it.
    Header { segment: Segment, state_root: B256 },
    /// A code. Its hash is computed on reading and not stored.
    Code(Vec<u8>),
    /// An account without its slots.
    Account { address: Address, account: Option<Account>, storage_cleared: bool },
    /// Some slots of an account that an earlier record holds.
    Slots { address: Address, slots: Vec<(U256, U256)> },
    /// The number of records between header and footer, and the checksum of all frames before the
    /// footer.
    Footer { records: u64, checksum: u32 },
}

impl Record {
    /// Appends the record's bytes to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Header { segment, state_root } => {
                let (kind, from, to) = match *segment {
                    Segment::Base { block } => (BASE, block, block),
                    Segment::Delta { from, to } => (DELTA, from, to),
                };
                out.push(HEADER);
                out.extend(MAGIC);
                out.extend(VERSION.to_le_bytes());
                out.push(kind);
                out.extend(from.to_le_bytes());
                out.extend(to.to_le_bytes());
                out.extend(state_root);
            }
            Self::Code(code) => {
                out.push(CODE);
                out.extend(code);
            }
            Self::Account { address, account, storage_cleared } => {
                encode_account(address, *account, *storage_cleared, out);
            }
            Self::Slots { address, slots } => {
                out.push(SLOTS);
                out.extend(address);
                for (slot, value) in slots {
                    put_number(*slot, out);
                    put_number(*value, out);
                }
            }
            Self::Footer { records, checksum } => {
                out.push(FOOTER);
                out.extend(records.to_le_bytes());
                out.extend(checksum.to_le_bytes());
            }
        }
    }

    /// Decodes the record in `payload`. The error says what is wrong with the record.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, &'static str> {
        let mut bytes = payload;
        let [tag] = take(&mut bytes)?;
        let record = match tag {
            HEADER => decode_header(&mut bytes)?,
            CODE => Self::Code(core::mem::take(&mut bytes).to_vec()),
            ACCOUNT => decode_account(&mut bytes)?,
            SLOTS => {
                let address = take(&mut bytes)?.into();
                let mut slots = Vec::new();
                while !bytes.is_empty() {
                    slots.push((number(&mut bytes)?, number(&mut bytes)?));
                }
                Self::Slots { address, slots }
            }
            FOOTER => Self::Footer {
                records: u64::from_le_bytes(take(&mut bytes)?),
                checksum: u32::from_le_bytes(take(&mut bytes)?),
            },
            _ => return Err("unknown record"),
        };
        if bytes.is_empty() { Ok(record) } else { Err("record that is too long") }
    }
}

fn encode_account(
    address: &Address,
    account: Option<Account>,
    storage_cleared: bool,
    out: &mut Vec<u8>,
) {
    let exists = if account.is_some() { EXISTS } else { 0 };
    let cleared = if storage_cleared { CLEARED } else { 0 };
    let has_code = if account.is_some_and(|account| account.has_code()) { HAS_CODE } else { 0 };
    out.push(ACCOUNT);
    out.extend(address);
    out.push(exists | cleared | has_code);
    let Some(account) = account else { return };
    put_number(U256::from(account.nonce), out);
    put_number(account.balance, out);
    if account.has_code() {
        out.extend(account.code_hash);
    }
}

fn decode_header(bytes: &mut &[u8]) -> Result<Record, &'static str> {
    if take(bytes)? != MAGIC {
        return Err("no magic");
    }
    if u32::from_le_bytes(take(bytes)?) != VERSION {
        return Err("unknown version");
    }
    let [kind] = take(bytes)?;
    let (from, to) = (u64::from_le_bytes(take(bytes)?), u64::from_le_bytes(take(bytes)?));
    let segment = match kind {
        BASE if from == to => Segment::Base { block: to },
        DELTA if from < to => Segment::Delta { from, to },
        _ => return Err("unknown kind or range"),
    };
    Ok(Record::Header { segment, state_root: take(bytes)?.into() })
}

fn decode_account(bytes: &mut &[u8]) -> Result<Record, &'static str> {
    let address = take(bytes)?.into();
    let [flags] = take(bytes)?;
    if flags & !(EXISTS | CLEARED | HAS_CODE) != 0 || flags & (EXISTS | HAS_CODE) == HAS_CODE {
        return Err("unknown flags");
    }
    let account = if flags & EXISTS == 0 {
        None
    } else {
        let nonce = number(bytes)?.try_into().map_err(|_| "nonce that is too large")?;
        let balance = number(bytes)?;
        let has_code = flags & HAS_CODE != 0;
        let code_hash = if has_code { take(bytes)?.into() } else { KECCAK256_EMPTY };
        if has_code && code_hash == KECCAK256_EMPTY {
            return Err("code that is empty");
        }
        Some(Account { nonce, balance, code_hash })
    };
    Ok(Record::Account { address, account, storage_cleared: flags & CLEARED != 0 })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (first, rest) = bytes.split_first_chunk().ok_or("record that is too short")?;
    *bytes = rest;
    Ok(*first)
}

fn put_number(number: U256, out: &mut Vec<u8>) {
    let bytes = number.to_le_bytes_trimmed_vec();
    out.push(u8::try_from(bytes.len()).expect("invariant: a number has at most 32 bytes"));
    out.extend(bytes);
}

fn number(bytes: &mut &[u8]) -> Result<U256, &'static str> {
    let [length] = take(bytes)?;
    let (first, rest) =
        bytes.split_at_checked(usize::from(length)).ok_or("record that is too short")?;
    if first.last() == Some(&0) {
        return Err("number with leading zeros");
    }
    *bytes = rest;
    U256::try_from_le_slice(first).ok_or("number that is too long")
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;

    fn u256() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0_usize..=256)
            .prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift)
    }

    fn account() -> impl Strategy<Value = Account> {
        let hash = prop_oneof![Just(KECCAK256_EMPTY), any::<[u8; 32]>().prop_map(B256::from)];
        (any::<u64>(), u256(), hash).prop_map(|(nonce, balance, code_hash)| Account {
            nonce,
            balance,
            code_hash,
        })
    }

    fn record() -> impl Strategy<Value = Record> {
        let address = any::<[u8; 20]>().prop_map(Address::from);
        let account = (address.clone(), prop::option::of(account()), any::<bool>());
        let segment = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| match a.cmp(&b) {
            core::cmp::Ordering::Less => Segment::Delta { from: a, to: b },
            _ => Segment::Base { block: a },
        });
        prop_oneof![
            (segment, any::<[u8; 32]>())
                .prop_map(|(segment, root)| Record::Header { segment, state_root: root.into() }),
            collection::vec(any::<u8>(), 0..40).prop_map(Record::Code),
            account.prop_map(|(address, account, storage_cleared)| Record::Account {
                address,
                account,
                storage_cleared
            }),
            (address, collection::vec((u256(), u256()), 0..5))
                .prop_map(|(address, slots)| Record::Slots { address, slots }),
            (any::<u64>(), any::<u32>())
                .prop_map(|(records, checksum)| Record::Footer { records, checksum }),
        ]
    }

    proptest! {
        #[test]
        fn records_round_trip(record in record()) {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            prop_assert_eq!(Record::decode(&bytes), Ok(record));
        }

        /// Every decodable record encodes to the same bytes: the encoding is unique.
        #[test]
        fn decodable_bytes_have_one_encoding(
            record in record(),
            cut in any::<prop::sample::Index>(),
            flips in collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            for (at, xor) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= xor;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            if let Ok(decoded) = Record::decode(&bytes) {
                let mut again = Vec::new();
                decoded.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
