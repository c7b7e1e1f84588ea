//! Inbox entries with their batch data, as derivation reads them.

use alloy_primitives::{B256, Bytes};
use turnpike_protocol::{DataKind, Deposit, Entry, EntryData, blobs_hash, calldata_hash};

use crate::{L1Error, L1Source, L1View};

/// An inbox entry and the transaction that appended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedEntry {
    /// The entry.
    pub entry: Entry,
    /// Accumulator after the entry.
    pub acc: B256,
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

    /// Checks that the blobs have their versioned hashes. Takes about 40 ms per blob.
    #[cfg(any(test, feature = "memory"))]
    pub(crate) fn check_blobs(&self) -> Result<(), L1Error> {
        let blobs: Vec<&[u8]> = self.data.chunks(turnpike_protocol::BLOB_BYTES).collect();
        crate::blobs::check_blobs(&blobs, &self.blob_hashes)
            .map_err(|error| L1Error::Inconsistent(error.to_string()))
    }
}

/// An entry with everything that its derivation needs, owned.
#[derive(Clone, Debug)]
pub struct EntrySource {
    entry: Entry,
    deposits_before: u64,
    origin: Entry,
    data: Bytes,
    blob_hashes: Vec<B256>,
    deposits: Vec<Deposit>,
}

impl EntrySource {
    /// Borrows the input of derivation.
    pub fn as_data(&self) -> EntryData<'_> {
        EntryData {
            entry: &self.entry,
            deposits_before: self.deposits_before,
            origin: &self.origin,
            data: &self.data,
            blob_hashes: &self.blob_hashes,
            deposits: &self.deposits,
        }
    }
}

impl<S: L1Source> L1View<S> {
    /// Reads an entry with its data, deposits and origin. Returns `None` if L1 does not have the
    /// entry yet.
    pub async fn source(&self, index: u64) -> Result<Option<EntrySource>, L1Error> {
        let at = usize::try_from(index).ok();
        let Some(posted) = at.and_then(|at| self.entries().get(at)) else { return Ok(None) };
        let payload = self.client().payload(posted).await?;
        self.source_of(posted.entry, payload).map(Some)
    }

    /// Combines an entry and its payload with the L1 data that the view holds. The entry need not
    /// be posted.
    pub fn source_of(&self, entry: Entry, payload: EntryPayload) -> Result<EntrySource, L1Error> {
        let index = entry.index;
        let missing =
            |what| L1Error::Inconsistent(format!("the {what} of entry {index} are missing"));
        let entry_at = |index: u64| {
            let posted = usize::try_from(index).ok().and_then(|at| self.entries().get(at));
            posted.map(|posted| posted.entry)
        };
        let previous = index.checked_sub(1).and_then(entry_at);
        let deposits_before = previous.map_or(0, |previous| previous.deposit_count);
        let origin = entry_at(entry.origin).ok_or_else(|| missing("origin's attributes"))?;
        let queue = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let consumed = queue(deposits_before)..queue(entry.deposit_count);
        let queued = self.deposits().get(consumed).ok_or_else(|| missing("deposits"))?;
        let deposits = queued.iter().map(|queued| queued.deposit.clone()).collect();
        let EntryPayload { data, blob_hashes } = payload;
        Ok(EntrySource { entry, deposits_before, origin, data, blob_hashes, deposits })
    }
}
