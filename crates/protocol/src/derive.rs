//! Derives the blocks of one inbox entry.
//!
//! The input is an entry with everything that its accumulator authenticates, and the block before
//! it. The output is the input of the state transition, block by block.
//!
//! ```text
//! entry, previous, origin, data ─► EntryBlocks: batch blocks, then tail blocks ─► BlockInput
//!                                    (their number, deposits, transactions)        ▲
//!                                                                  parent: number, time, origin
//! ```
//!
//! Invariant: no data on L1 makes derivation fail. A batch that breaks a rule is skipped, and the
//! entry derives tail blocks with its deposits. Deposit counts and times of a good batch are
//! clamped: other entries may come between what the batcher saw and its batch.

use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

use alloy_primitives::B256;

use crate::{
    BLOB_BYTES, Batch, BatchBlock, BatchError, BlockInput, ChainConfig, DataKind, Deposit,
    DepositError, DepositHint, Entry, Origin, Parent, QueuedDeposit, StateRootPrefix, TxEnvelope,
    blob_data_bytes, blobs_hash, calldata_hash, unpack_blobs,
};

/// An inbox entry with everything that its accumulator authenticates.
#[derive(Clone, Debug)]
pub struct EntryData<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// The entry before it.
    pub previous: &'a Entry,
    /// The entry at index `entry.origin`.
    pub origin: &'a Entry,
    /// Batch data as posted: calldata, or the concatenated blobs. Empty for a forced entry.
    pub data: &'a [u8],
    /// Versioned hashes of the blobs. The caller has checked that the blobs have these hashes.
    pub blob_hashes: &'a [B256],
    /// The deposits that the entry consumes, in queue order.
    pub deposits: &'a [Deposit],
}

/// The blocks of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// At least one block. Signers are not recovered.
    pub blocks: Vec<BlockInput<TxEnvelope>>,
    /// The deposits that the blocks take from the queue, in order.
    pub queued: Vec<QueuedDeposit>,
    /// Prefixes of the state roots that the sequencer claims, one per block; `None` for a block
    /// without transactions. No rule reads them.
    pub claimed_state_roots: Vec<Option<StateRootPrefix>>,
    /// Why the entry's data was skipped. The entry then derives tail blocks only.
    pub fault: Option<BatchFault>,
}

/// The arguments do not belong to the entry. This is a fault of the caller, not of the chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// The data does not match the entry's commitment.
    #[error("entry {index}: data hashes to {found}, the entry commits to {expected}")]
    DataHash {
        /// The entry.
        index: u64,
        /// The entry's commitment.
        expected: B256,
        /// The hash of the data.
        found: B256,
    },
    /// The number of blobs differs from the number of hashes.
    #[error("entry {index}: expected {expected} whole blobs")]
    Blobs {
        /// The entry.
        index: u64,
        /// Number of blobs that the entry commits to.
        expected: usize,
    },
    /// The given previous entry is not the one before.
    #[error("entry {index}: entry {found} was given as the one before")]
    Previous {
        /// The entry.
        index: u64,
        /// The given entry.
        found: u64,
    },
    /// The given origin is not the entry's.
    #[error("entry {index}: origin is entry {expected}, entry {found} was given")]
    Origin {
        /// The entry.
        index: u64,
        /// Origin of the entry.
        expected: u64,
        /// The given entry.
        found: u64,
    },
    /// The number of deposits differs from the number that the entry consumes.
    #[error("entry {index}: consumes {expected} deposits, {found} were given")]
    Deposits {
        /// The entry.
        index: u64,
        /// Number of deposits that the entry consumes.
        expected: u64,
        /// Number of given deposits.
        found: u64,
    },
    /// The deposit cannot come from the portal.
    #[error(transparent)]
    Deposit(#[from] DepositError),
}

/// Why an entry's batch data is skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchFault {
    /// The batch does not decode.
    #[error(transparent)]
    Codec(#[from] BatchError),
    /// The blobs are not packed as `pack_blobs` packs them.
    #[error("blobs hold no batch")]
    Blobs,
    /// The batch has more bytes than allowed.
    #[error("batch of {0} bytes is too long")]
    TooLong(usize),
    /// The batch has no blocks.
    #[error("batch has no block")]
    NoBlock,
    /// The origin is too old.
    #[error("the origin is {age} seconds old, {max} are allowed")]
    OriginAge {
        /// Seconds of L1 time between the origin and the entry.
        age: u64,
        /// The chain's limit.
        max: u64,
    },
}

/// Maximum number of tail blocks of an entry. [`ChainConfig::validate`] makes sure that they hold
/// every entry's deposits.
pub const TAIL_BLOCKS_MAX: u64 = 24;

/// Derives the blocks of an inbox entry on top of `parent`.
///
/// Accepts all data that L1 can hold: every entry derives at least one block. An error means that
/// the accumulator does not authenticate the arguments.
pub fn derive(
    config: &ChainConfig,
    mut parent: Parent,
    source: &EntryData<'_>,
) -> Result<Derived, DeriveError> {
    let mut entry = EntryBlocks::open(config, source)?;
    let claimed_state_roots = entry.blocks.iter().map(|block| block.state_root).collect();
    let mut blocks = Vec::with_capacity(entry.blocks.len());
    for planned in core::mem::take(&mut entry.blocks) {
        let block = entry.make(parent, planned)?;
        parent = block.as_parent();
        blocks.push(block);
    }
    Ok(Derived { blocks, queued: entry.queued, claimed_state_roots, fault: entry.fault })
}

/// The plan of an entry's blocks. A block depends only on the plan, the rules and the previous
/// block. The number of blocks does not depend on the previous block.
#[derive(Clone, Debug)]
pub struct EntryBlocks<'a> {
    config: &'a ChainConfig,
    origin: Origin,
    l1_time: u64,
    queued: Vec<QueuedDeposit>,
    /// At least one block. Together they take all of `queued`, in order.
    blocks: Vec<PlannedBlock>,
    fault: Option<BatchFault>,
}

/// A block of an entry, without what depends on the block before it.
#[derive(Clone, Debug)]
struct PlannedBlock {
    /// Milliseconds since the block before it; `None` for a tail block.
    step_ms: Option<u64>,
    /// Its deposits among the entry's.
    deposits: Range<usize>,
    state_root: Option<StateRootPrefix>,
    transactions: Vec<TxEnvelope>,
}

impl<'a> EntryBlocks<'a> {
    /// Reads the entry's data and applies every rule of batches. Accepts all data, like
    /// [`derive()`].
    pub fn open(config: &'a ChainConfig, source: &EntryData<'a>) -> Result<Self, DeriveError> {
        check_arguments(source)?;
        let (batch, fault) = match source.entry.data_kind {
            DataKind::None => (Batch::default(), None),
            DataKind::Calldata | DataKind::Blobs => match read_batch(config, source) {
                Ok(batch) => (batch, None),
                Err(fault) => (Batch::default(), Some(fault)),
            },
        };
        let gas_limits: Vec<_> =
            source.deposits.iter().map(Deposit::gas_limit).collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            origin: Origin::from(source.origin),
            l1_time: source.entry.l1_time,
            queued: name_deposits(source, &batch),
            blocks: plan(config, source, batch, &gas_limits),
            fault,
        })
    }

    /// Number of blocks, at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Block `index` on top of `parent`. `None` past the last block.
    pub fn block(
        mut self,
        index: usize,
        parent: Parent,
    ) -> Result<Option<BlockInput<TxEnvelope>>, DeriveError> {
        if index >= self.blocks.len() {
            return Ok(None);
        }
        let block = self.blocks.swap_remove(index);
        self.make(parent, block).map(Some)
    }

    fn make(
        &self,
        parent: Parent,
        block: PlannedBlock,
    ) -> Result<BlockInput<TxEnvelope>, DeriveError> {
        let PlannedBlock { step_ms, deposits, transactions, .. } = block;
        let queued = &self.queued[deposits];
        let time_ms = block_time(self.config, parent.time_ms, &self.origin, self.l1_time, step_ms);
        Ok(BlockInput::new(self.config, parent, self.origin, time_ms, queued, transactions)?)
    }
}

/// Time of a block in an entry of L1 time `l1_time`, in milliseconds. `step_ms` counts from the
/// parent, so that another entry before a batch does not change the distances of its blocks; a tail
/// block has none and takes the entry's time. The time is clamped: not before the parent and the
/// origin, and not more than `time_drift_max` seconds after the entry, unless those are.
pub fn block_time(
    config: &ChainConfig,
    parent_ms: u64,
    origin: &Origin,
    l1_time: u64,
    step_ms: Option<u64>,
) -> u64 {
    let floor = parent_ms.max(origin.l1_time.saturating_mul(1_000));
    let bound = l1_time.saturating_add(config.time_drift_max).saturating_mul(1_000).max(floor);
    let own = step_ms
        .map_or_else(|| l1_time.saturating_mul(1_000), |step_ms| parent_ms.saturating_add(step_ms));
    own.clamp(floor, bound)
}

fn check_arguments(source: &EntryData<'_>) -> Result<(), DeriveError> {
    let entry = source.entry;
    let index = entry.index;
    let found = match entry.data_kind {
        DataKind::None => B256::ZERO,
        DataKind::Calldata => calldata_hash(source.data),
        DataKind::Blobs => blobs_hash(source.blob_hashes),
    };
    if found != entry.data_hash {
        return Err(DeriveError::DataHash { index, expected: entry.data_hash, found });
    }
    let blobs = source.data.len() / BLOB_BYTES;
    let whole_blobs = source.data.len().is_multiple_of(BLOB_BYTES);
    if entry.data_kind == DataKind::Blobs && (blobs != source.blob_hashes.len() || !whole_blobs) {
        return Err(DeriveError::Blobs { index, expected: source.blob_hashes.len() });
    }
    let found = source.previous.index;
    if found.checked_add(1) != Some(index) {
        return Err(DeriveError::Previous { index, found });
    }
    let (expected, found) = (entry.origin, source.origin.index);
    if expected != found {
        return Err(DeriveError::Origin { index, expected, found });
    }
    let before = source.previous.deposit_count;
    let expected = entry.deposit_count.saturating_sub(before);
    let in_place = source.deposits.iter().zip(before..).all(|(deposit, i)| deposit.index == i);
    if source.deposits.len() as u64 != expected || !in_place {
        let found = source.deposits.len() as u64;
        return Err(DeriveError::Deposits { index, expected, found });
    }
    Ok(())
}

/// Decodes the entry's data and checks it against every rule of batches.
fn read_batch(config: &ChainConfig, source: &EntryData<'_>) -> Result<Batch, BatchFault> {
    check_origin_age(config, source)?;
    let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let (data, bytes_max) = match source.entry.data_kind {
        DataKind::Blobs => {
            let data = unpack_blobs(source.data).ok_or(BatchFault::Blobs)?;
            (Cow::Owned(data), blob_data_bytes(at_most(config.entry_blobs_max)))
        }
        DataKind::None | DataKind::Calldata => {
            (Cow::Borrowed(source.data), at_most(config.entry_bytes_max))
        }
    };
    if data.len() > bytes_max {
        return Err(BatchFault::TooLong(data.len()));
    }
    let batch = Batch::decode(&data, &config.batch_limits())?;
    if batch.blocks.is_empty() {
        return Err(BatchFault::NoBlock);
    }
    Ok(batch)
}

/// After a quiet time the entry before is the newest origin that there is, or the one before that
/// if the entry before was forced: the batcher may not have known it.
fn check_origin_age(config: &ChainConfig, source: &EntryData<'_>) -> Result<(), BatchFault> {
    let (entry, previous) = (source.entry, source.previous);
    let age = entry.l1_time.saturating_sub(source.origin.l1_time);
    let is_forced = previous.data_kind == DataKind::None;
    let is_newest = entry.origin == previous.index
        || (is_forced && entry.origin.checked_add(1) == Some(previous.index));
    if age > config.origin_age_max && !is_newest {
        return Err(BatchFault::OriginAge { age, max: config.origin_age_max });
    }
    Ok(())
}

/// The entry's deposits with the hints of the batch, if those that name them are in the order of
/// L1. Otherwise, and where the batch has no hint, the position in the queue names a deposit.
fn name_deposits(source: &EntryData<'_>, batch: &Batch) -> Vec<QueuedDeposit> {
    let hint_of = |deposit: &Deposit| {
        let at = deposit.index.checked_sub(batch.head.first_deposit)?;
        batch.deposit_hints.get(usize::try_from(at).ok()?).copied()
    };
    let hints: Vec<_> = source.deposits.iter().map(hint_of).collect();
    let are_usable = are_in_order(source.deposits, &hints);
    let named = source.deposits.iter().zip(hints).map(|(deposit, hint)| QueuedDeposit {
        deposit: deposit.clone(),
        hint: hint.filter(|_| are_usable),
    });
    named.collect()
}

/// Within an L1 block the hash stays and the log index increases. Another L1 block has another
/// hash.
fn are_in_order(deposits: &[Deposit], hints: &[Option<DepositHint>]) -> bool {
    deposits.windows(2).zip(hints.windows(2)).all(|(deposits, hints)| {
        let &[Some(first), Some(second)] = hints else { return true };
        let same_hash = first.l1_block_hash == second.l1_block_hash;
        if deposits[0].l1_block_number == deposits[1].l1_block_number {
            same_hash && first.log_index < second.log_index
        } else {
            !same_hash
        }
    })
}

/// The blocks of a batch, then tail blocks for the deposits that it leaves. The batch counts
/// deposits from its own first one: those that an earlier entry took are not taken again.
fn plan(
    config: &ChainConfig,
    source: &EntryData<'_>,
    batch: Batch,
    gas_limits: &[u64],
) -> Vec<PlannedBlock> {
    let before = source.previous.deposit_count;
    let mut blocks = Vec::with_capacity(batch.blocks.len() + 1);
    let mut next = 0;
    let mut counted = batch.head.first_deposit;
    for BatchBlock { step_ms, deposit_count, state_root, transactions } in batch.blocks {
        counted = counted.saturating_add(deposit_count);
        let goal = usize::try_from(counted.saturating_sub(before)).unwrap_or(usize::MAX);
        let goal = goal.clamp(next, gas_limits.len());
        let end = next + deposits_of_block(config, gas_limits[next..goal].iter().copied());
        let (step_ms, deposits) = (Some(step_ms), next..end);
        blocks.push(PlannedBlock { step_ms, deposits, state_root, transactions });
        next = end;
    }
    while next < gas_limits.len() || blocks.is_empty() {
        let rest = &gas_limits[next..];
        // The portal takes no deposit that is larger than a block.
        let count = deposits_of_block(config, rest.iter().copied()).max(1).min(rest.len());
        let end = next + count;
        let deposits = next..end;
        blocks.push(PlannedBlock {
            step_ms: None,
            deposits,
            state_root: None,
            transactions: Vec::new(),
        });
        next = end;
    }
    blocks
}

/// Number of deposits with these gas limits that one block may hold, from the first on.
pub fn deposits_of_block(config: &ChainConfig, gas_limits: impl IntoIterator<Item = u64>) -> usize {
    let mut gas = 0u64;
    let fits = |limit: &u64| {
        gas = gas.saturating_add(*limit);
        gas <= config.deposit_gas_per_block
    };
    gas_limits.into_iter().take_while(fits).count()
}
