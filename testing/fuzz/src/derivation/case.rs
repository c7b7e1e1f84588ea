//! An entry with everything that its accumulator authenticates, made from an input's fields.

use alloy_primitives::{Address, B256, U256, keccak256};
use turnpike_protocol::{
    BLOB_BYTES, ChainConfig, DataKind, Deposit, Entry, EntryData, Genesis, Parent, blobs_hash,
    calldata_hash, pack_blobs,
};

use super::Fields;

/// The largest gas limit that the portal accepts (EIP-7825).
const DEPOSIT_GAS_MAX: u64 = 1 << 24;

/// Bytes of a deposit's opaque data without call data.
const OPAQUE_BYTES: usize = 73;

/// Place of the gas limit in the opaque data.
const GAS_LIMIT_AT: usize = 64;

/// Owns what [`EntryData`] borrows.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) config: ChainConfig,
    pub(super) parents: [Parent; 2],
    pub(super) entry: Entry,
    previous: Entry,
    pub(super) origin: Entry,
    pub(super) data: Vec<u8>,
    blob_hashes: Vec<B256>,
    pub(super) deposits: Vec<Deposit>,
    /// Whether L1 can have such an entry.
    pub(super) is_honest: bool,
}

impl Case {
    pub(super) fn new(fields: &Fields) -> Self {
        let is_honest = fields.flags & Fields::DISHONEST == 0;
        let config = config(fields);
        let previous = previous(fields);
        let deposits = deposits(fields, &config, previous.deposit_count, is_honest);
        let kind = kind(fields.kind);
        let (data, blob_hashes, data_hash) = publish(fields, kind);
        let origin = if fields.flags & Fields::ORIGIN_BEFORE == 0 {
            entry(fields.origin[0], fields.origin[1])
        } else {
            previous
        };
        // A dishonest reader takes the origin's index for the entry's.
        let index = if is_honest { previous.index + 1 } else { fields.origin[0] };
        let entry = Entry {
            data_kind: kind,
            data_hash,
            deposit_count: previous.deposit_count.saturating_add(deposits.len() as u64),
            origin: origin.index,
            ..entry(index, fields.l1_time)
        };
        let parents = fields.parents.map(|(number, time_ms, origin)| Parent {
            number: number.into(),
            time_ms,
            origin: (origin != u64::MAX).then_some(origin),
        });
        Self { config, parents, entry, previous, origin, data, blob_hashes, deposits, is_honest }
    }

    pub(super) fn source(&self) -> EntryData<'_> {
        EntryData {
            entry: &self.entry,
            previous: &self.previous,
            origin: &self.origin,
            data: &self.data,
            blob_hashes: &self.blob_hashes,
            deposits: &self.deposits,
        }
    }
}

fn config(fields: &Fields) -> ChainConfig {
    let config = ChainConfig {
        entry_blocks_max: 1 + u64::from(fields.blocks_max),
        time_drift_max: fields.drift.into(),
        origin_age_max: 1 + u64::from(fields.age_max),
        ..Genesis::dev().config
    };
    config.validate().expect("rules that a chain may have");
    config
}

fn kind(byte: u8) -> DataKind {
    DataKind::from_u8(byte).expect("a known kind")
}

fn entry(index: u64, l1_time: u64) -> Entry {
    Entry {
        index,
        data_kind: DataKind::None,
        data_hash: B256::ZERO,
        deposit_acc: B256::ZERO,
        deposit_count: 0,
        l1_block_number: index,
        l1_time,
        l1_base_fee: U256::from(index),
        l1_blob_base_fee: U256::from(1),
        l1_parent_hash: keccak256(index.to_be_bytes()),
        origin: 0,
        origin_acc: B256::ZERO,
        offchain_time: 0,
    }
}

fn previous(fields: &Fields) -> Entry {
    let [index, deposit_count, l1_time] = fields.previous;
    let data_kind = kind(fields.previous_kind);
    // There is an entry after it.
    Entry { data_kind, deposit_count, ..entry(index.min(u64::MAX - 1), l1_time) }
}

/// The deposits behind the first `before` ones: as many as an entry consumes and the queue counts.
fn deposits(fields: &Fields, config: &ChainConfig, before: u64, is_honest: bool) -> Vec<Deposit> {
    let gas_max = if is_honest { DEPOSIT_GAS_MAX } else { u64::MAX };
    let count = config.entry_deposits_max.min(u64::MAX - before);
    let runs = fields.runs.iter().flat_map(|run| std::iter::repeat_n(run, run.count.into()));
    let deposits = (before..before.saturating_add(count)).zip(runs).map(|(index, run)| {
        let mut opaque_data = vec![0; OPAQUE_BYTES];
        let gas_limit = run.gas_limit.min(gas_max).to_be_bytes();
        opaque_data[GAS_LIMIT_AT..GAS_LIMIT_AT + 8].copy_from_slice(&gas_limit);
        Deposit {
            index,
            l1_block_number: run.l1_block.into(),
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            version: U256::ZERO,
            opaque_data: opaque_data.into(),
        }
    });
    deposits.collect()
}

/// The data as L1 holds it, the hashes of its blobs, and the entry's commitment.
fn publish(fields: &Fields, kind: DataKind) -> (Vec<u8>, Vec<B256>, B256) {
    match kind {
        DataKind::None => (Vec::new(), Vec::new(), B256::ZERO),
        DataKind::Calldata => (fields.data.clone(), Vec::new(), calldata_hash(&fields.data)),
        DataKind::Blobs => {
            let mut blobs = pack_blobs(&fields.data).expect("few bytes");
            for flip in &fields.flips {
                let at = usize::try_from(flip.at).expect("32 bits") % blobs.len();
                blobs[at] ^= flip.mask;
            }
            // Derivation does not check that blobs have their hashes.
            let hashes: Vec<B256> =
                (0..blobs.len() / BLOB_BYTES).map(|blob| keccak256(blob.to_be_bytes())).collect();
            let commitment = blobs_hash(&hashes);
            (blobs, hashes, commitment)
        }
    }
}
