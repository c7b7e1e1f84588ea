//! Inbox entries with their batch data, as derivation reads them.

use alloy_primitives::{B256, Bytes};
use turnpike_protocol::{DataKind, Deposit, Entry, EntryData, blobs_hash, calldata_hash};

use crate::L1Error;

/// An inbox entry and the transaction that appended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedEntry {
    /// The entry.
    pub entry: Entry,
    /// Accumulator after the entry.
    pub acc: B256,
    /// Content chain after the entry. Only batches extend it.
    pub content: B256,
    /// L1 transaction that appended it.
    pub l1_transaction: B256,
}

/// The batch data of an entry on L1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPayload {
    /// Calldata, or concatenated whole blobs; empty for a forced entry.
    pub data: Bytes,
    /// Versioned hashes of the blobs.
    pub blob_hashes: Vec<B256>,
}

impl EntryPayload {
    /// Checks the data against the commitment of `entry`. Does not check that blobs have their
    /// versioned hashes, because the reader of the blobs does.
    pub(crate) fn check(&self, entry: &Entry) -> Result<(), L1Error> {
        let (what, hash) = match entry.data_kind {
            DataKind::None => ("data is", B256::ZERO),
            DataKind::Calldata => ("calldata is", calldata_hash(&self.data)),
            DataKind::Blobs => ("blobs' hashes are", blobs_hash(&self.blob_hashes)),
        };
        if hash == entry.data_hash {
            return Ok(());
        }
        let index = entry.index;
        let what = format!("the {what} not what entry {index} commits to");
        Err(L1Error::Inconsistent(what))
    }

    /// Checks that the blobs have their versioned hashes. Computes their commitments.
    #[cfg(any(test, feature = "memory"))]
    pub(crate) async fn check_blobs(&self) -> Result<(), L1Error> {
        let Self { data, blob_hashes } = self.clone();
        let check = move |kzg: &crate::Kzg| {
            let blobs: Vec<&[u8]> = data.chunks(turnpike_protocol::BLOB_BYTES).collect();
            kzg.check_each(&blobs, &blob_hashes)
        };
        let checked = crate::Kzg::shared().run(check).await;
        checked.map_err(|error| L1Error::Inconsistent(error.to_string()))
    }
}

/// An entry with everything that its derivation needs, owned.
#[derive(Clone, Debug)]
pub struct EntrySource {
    pub(crate) entry: Entry,
    pub(crate) previous: Entry,
    pub(crate) origin: Entry,
    pub(crate) data: Bytes,
    pub(crate) blob_hashes: Vec<B256>,
    pub(crate) deposits: Vec<Deposit>,
}

impl EntrySource {
    /// The entry with its batch data, which was read after everything else.
    #[must_use]
    pub fn with_payload(self, payload: EntryPayload) -> Self {
        let EntryPayload { data, blob_hashes } = payload;
        Self { data, blob_hashes, ..self }
    }

    /// Borrows the input of derivation.
    pub fn as_data(&self) -> EntryData<'_> {
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
