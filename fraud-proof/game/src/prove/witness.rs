//! Collects a block's witness from L1's entries and the chain's state.

use std::convert::Infallible;

use alloy_primitives::{B256, Bytes, keccak256};
use turnpike_executor::{BlockExecutor, Chain, ChainSpec, ExecutionError, block_transactions};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{
    BLOB_BYTES, BlockInput, CHUNK_BYTES_MAX, DataKind, Deposit, Entry, EntryData, LocalInputs,
    Preimage, Preimages,
};
use turnpike_state::{RecordingView, Touched};

use super::ProveError;

/// L1's data of an entry and the entries before it.
#[derive(Clone, Copy, Debug)]
pub struct InboxData<'a> {
    /// Hash of the genesis block.
    pub genesis_hash: B256,
    /// L1's entries by index, the proven one included.
    pub entries: &'a [PostedEntry],
    /// The proven entry's data.
    pub source: &'a EntryData<'a>,
}

/// Collects everything that the program may read when it runs block `index` of an entry on top of
/// `chain`'s newest block. It holds slightly more than the program reads, and no precompile
/// outputs. `block` is that block; `None` if the entry has no such block.
pub fn witness(
    chain: &Chain,
    inbox: &InboxData<'_>,
    index: u64,
    block: Option<&BlockInput>,
) -> Result<Preimages, ProveError> {
    let InboxData { genesis_hash, entries, source } = *inbox;
    let config = chain.config();
    let head = chain.head();
    let posted = entry_at(entries, source.entry.index)?;
    let mut all = Witness(Preimages::new(LocalInputs {
        chain_config: config.hash(genesis_hash),
        output_root: head.output.hash(),
        inbox_acc: posted.acc,
        block_index: index,
        data_missing: false,
    }));
    all.add(config.preimage(genesis_hash));
    all.add(head.output.preimage());
    all.add(alloy_rlp::encode(&head.header));
    all.add_entries(entries, source.entry)?;
    all.add_data(source);
    all.add_deposits(entries, source)?;
    if let Some(block) = block {
        let touched = touched(chain, block)?;
        let nodes_and_codes = chain.state().witness(&touched).into_preimages();
        nodes_and_codes.into_values().for_each(|bytes| all.add(bytes));
    }
    Ok(all.0)
}

/// The witness under construction.
struct Witness(Preimages);

impl Witness {
    fn add(&mut self, bytes: impl Into<Bytes>) {
        self.0.add(Preimage::Keccak { bytes: bytes.into() });
    }

    /// Adds the entry, the entry before it, and all entries back to its origin.
    fn add_entries(&mut self, entries: &[PostedEntry], entry: &Entry) -> Result<(), ProveError> {
        let oldest = entry.origin.min(entry.index.saturating_sub(1));
        for index in oldest..=entry.index {
            let before = match index.checked_sub(1) {
                Some(before) => entry_at(entries, before)?.acc,
                None => self.0.local.chain_config,
            };
            self.add(entry_at(entries, index)?.entry.preimage(before));
        }
        Ok(())
    }

    /// Adds the entry's batch: the list of hashes and every part.
    fn add_data(&mut self, source: &EntryData<'_>) {
        match source.entry.data_kind {
            DataKind::None => {}
            DataKind::Calldata => {
                let chunks = source.data.chunks(CHUNK_BYTES_MAX);
                self.add(chunks.clone().map(keccak256).collect::<Vec<_>>().concat());
                chunks.for_each(|chunk| self.add(chunk.to_vec()));
            }
            DataKind::Blobs => {
                self.add(source.blob_hashes.concat());
                let blobs = source.data.chunks(BLOB_BYTES);
                for (versioned_hash, blob) in source.blob_hashes.iter().zip(blobs) {
                    let (versioned_hash, bytes) = (*versioned_hash, blob.to_vec().into());
                    self.0.add(Preimage::Blob { versioned_hash, bytes });
                }
            }
        }
    }

    /// Adds the deposits that the entry consumes.
    fn add_deposits(
        &mut self,
        entries: &[PostedEntry],
        source: &EntryData<'_>,
    ) -> Result<(), ProveError> {
        let mut acc = match source.entry.index.checked_sub(1) {
            Some(before) => entry_at(entries, before)?.entry.deposit_acc,
            None => B256::ZERO,
        };
        for deposit in source.deposits {
            let Deposit { opaque_data, .. } = deposit;
            self.add(deposit.preimage(acc));
            self.add(opaque_data.clone());
            acc = deposit.accumulate(acc);
        }
        Ok(())
    }
}

pub(super) fn entry_at(entries: &[PostedEntry], index: u64) -> Result<&PostedEntry, ProveError> {
    let entry = usize::try_from(index).ok().and_then(|at| entries.get(at));
    entry.ok_or(ProveError::EntryMissing(index))
}

/// Runs the next block and returns what it reads and writes.
fn touched(chain: &Chain, block: &BlockInput) -> Result<Touched, ExecutionError<Infallible>> {
    let config = chain.config();
    let context = chain.head().next_block(config, block.time_ms, &block.origin);
    let mut view = RecordingView::new(chain.state().flat());
    let mut executor = BlockExecutor::open(&ChainSpec::turnpike(config), &context, &mut view)?;
    executor.execute_all(block_transactions(block))?;
    let (mut executed, _) = executor.finish()?;
    let mut touched = view.into_touched();
    touched.add_diff(executed.diff());
    Ok(touched)
}
