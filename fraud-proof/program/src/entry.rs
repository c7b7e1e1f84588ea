//! The disputed inbox entry, with everything that its accumulator authenticates: data, origin and
//! deposits.
//!
//! Limits: `entry_bytes_max`, `entry_blobs_max` and `entry_deposits_max` of the
//! chain's configuration bound what is read. An entry beyond them is a [`Fault`].

use alloc::{collections::VecDeque, vec::Vec};

use alloy_primitives::{B256, Bytes};
use turnpike_protocol::{
    BLOB_BYTES, CHUNK_BYTES_MAX, ChainConfig, DataKind, Deposit, DepositPreimage, Entry, EntryData,
    Oracle, keccak_key,
};

use crate::{Fault, reader::Reader};

/// Owns what [`EntryData`] borrows.
#[derive(Debug)]
pub(crate) struct OpenedEntry {
    pub(crate) entry: Entry,
    /// The entry before `entry`.
    pub(crate) previous: Entry,
    origin: Entry,
    data: Vec<u8>,
    blob_hashes: Vec<B256>,
    deposits: Vec<Deposit>,
}

impl OpenedEntry {
    /// Reads the entry that the inbox accumulator `acc` ends with. `None` for entry 0, which
    /// derives nothing.
    pub(crate) fn open(
        oracle: &mut Reader<'_, impl Oracle>,
        config: &ChainConfig,
        acc: &B256,
    ) -> Result<Option<Self>, Fault> {
        let (before, entry) = read_entry(oracle, acc)?;
        if entry.index == 0 {
            return Ok(None);
        }
        let (_, previous) = read_entry(oracle, &before)?;
        let (_, origin) = read_entry(oracle, &entry.origin_acc)?;
        let (data, blob_hashes) = read_data(oracle, config, &entry)?;
        let deposits = read_deposits(oracle, config, &entry, previous.deposit_count)?;
        Ok(Some(Self { entry, previous, origin, data, blob_hashes, deposits }))
    }

    pub(crate) fn as_data(&self) -> EntryData<'_> {
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

fn read_entry(oracle: &mut Reader<'_, impl Oracle>, acc: &B256) -> Result<(B256, Entry), Fault> {
    oracle.parsed(acc, "inbox entry", Entry::from_preimage)
}

fn read_data(
    oracle: &mut Reader<'_, impl Oracle>,
    config: &ChainConfig,
    entry: &Entry,
) -> Result<(Vec<u8>, Vec<B256>), Fault> {
    let mut data = Vec::new();
    let mut hashes = |max: u64, expected| {
        oracle.parsed(&entry.data_hash, expected, |bytes| {
            let (hashes, rest) = bytes.as_chunks::<32>();
            let fits = rest.is_empty() && hashes.len() as u64 <= max;
            fits.then(|| hashes.iter().map(B256::from).collect::<Vec<_>>())
        })
    };
    match entry.data_kind {
        DataKind::None => Ok((data, Vec::new())),
        DataKind::Calldata => {
            let chunks_max = config.entry_bytes_max.div_ceil(CHUNK_BYTES_MAX as u64);
            for chunk in hashes(chunks_max, "list of chunks")? {
                data.extend_from_slice(&oracle.keccak(&chunk)?);
            }
            Ok((data, Vec::new()))
        }
        DataKind::Blobs => {
            let hashes = hashes(config.entry_blobs_max, "list of blobs")?;
            data.reserve_exact(hashes.len() * BLOB_BYTES);
            for hash in &hashes {
                oracle.append_blob(hash, &mut data)?;
            }
            Ok((data, hashes))
        }
    }
}

/// Reads the deposits that the entry consumes. The queue's hash chain gives the newest first.
fn read_deposits(
    oracle: &mut Reader<'_, impl Oracle>,
    config: &ChainConfig,
    entry: &Entry,
    before: u64,
) -> Result<Vec<Deposit>, Fault> {
    let mut acc = entry.deposit_acc;
    let count = entry.deposit_count.checked_sub(before);
    if count.is_none_or(|count| count > config.entry_deposits_max) {
        return Err(malformed(&acc, "queue of as many deposits as an entry consumes"));
    }
    let mut deposits = VecDeque::new();
    for index in (before..entry.deposit_count).rev() {
        let DepositPreimage { previous, mut deposit, opaque_data_hash } =
            oracle.parsed(&acc, "deposit", |bytes| {
                Deposit::from_preimage(bytes).filter(|found| found.deposit.index == index)
            })?;
        deposit.opaque_data = Bytes::from(oracle.keccak(&opaque_data_hash)?);
        deposits.push_front(deposit);
        acc = previous;
    }
    Ok(deposits.into())
}

fn malformed(hash: &B256, expected: &'static str) -> Fault {
    Fault::Malformed { key: keccak_key(*hash), expected }
}
