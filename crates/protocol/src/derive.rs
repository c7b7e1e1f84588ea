//! Derives the blocks of one inbox entry.
//!
//! The input is an entry with everything that its accumulator authenticates, and the block before
//! it. The output is the input of the state transition, block by block. Invariant: no data on L1
//! makes derivation fail. A batch that breaks a rule is skipped, and the entry derives one block
//! with its deposits.

use alloc::{borrow::Cow, vec::Vec};

use alloy_primitives::B256;

use crate::{
    BLOB_BYTES, Batch, BatchBlock, BatchError, BlockInput, ChainConfig, DataKind, Deposit,
    DepositError, DepositHint, Entry, Origin, Parent, QueuedDeposit, SignedTx, StateRootPrefix,
    TxEnvelope, blob_data_bytes, blobs_hash, calldata_hash, unpack_blobs,
};

/// An inbox entry with everything that its accumulator authenticates.
#[derive(Clone, Debug)]
pub struct EntryData<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Number of deposits consumed before the entry: the previous entry's count.
    pub deposits_before: u64,
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
    /// At least one block.
    pub blocks: Vec<BlockInput>,
    /// Hints that identify the entry's deposits, in queue order. Empty if queue positions identify
    /// the deposits.
    pub deposit_hints: Vec<DepositHint>,
    /// Prefixes of the state roots that the sequencer claims, one per block; `None` for a block
    /// without transactions. No rule reads them.
    pub claimed_state_roots: Vec<Option<StateRootPrefix>>,
    /// Why the entry's data was skipped. The entry then derives one block with its deposits.
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
    /// A block's time is outside the range that origin, entry and the previous block of the batch
    /// allow.
    #[error("block {block} has timestamp {found}, allowed are {min} to {max}")]
    Timestamp {
        /// Position of the block in the batch.
        block: usize,
        /// The block's timestamp.
        found: u64,
        /// The earliest allowed timestamp.
        min: u64,
        /// The latest allowed timestamp.
        max: u64,
    },
    /// The sum of the blocks' deposit counts differs from the entry's count.
    #[error("blocks hold {found} deposits, the entry consumes {expected}")]
    DepositCount {
        /// Number of deposits that the entry consumes.
        expected: usize,
        /// Sum over the blocks.
        found: usize,
    },
    /// The deposit hints are not strictly increasing.
    #[error("deposit hints are not in the order of L1")]
    DepositHints,
}

/// Derives the blocks of an inbox entry on top of `parent`.
///
/// Accepts all data that L1 can hold: every entry derives at least one block. An error means that
/// the accumulator does not authenticate the arguments.
pub fn derive(
    config: &ChainConfig,
    parent: Parent,
    source: &EntryData<'_>,
) -> Result<Derived, DeriveError> {
    let entry = EntryBlocks::open(config, source)?;
    let claimed_state_roots = entry.blocks.iter().map(|block| block.state_root).collect();
    let (deposit_hints, fault) = (entry.deposit_hints.clone(), entry.fault.clone());
    let blocks = entry.all(parent)?;
    Ok(Derived { blocks, deposit_hints, claimed_state_roots, fault })
}

/// The plan of an entry's blocks. A block depends only on the plan, the rules and the previous
/// block. The number of blocks does not depend on the previous block.
#[derive(Clone, Debug)]
pub struct EntryBlocks<'a> {
    config: &'a ChainConfig,
    origin: Origin,
    deposits: &'a [Deposit],
    /// Empty if queue positions identify the deposits.
    deposit_hints: Vec<DepositHint>,
    /// At least one block. The sum of the deposit counts equals the entry's count.
    blocks: Vec<BatchBlock>,
    fault: Option<BatchFault>,
}

impl<'a> EntryBlocks<'a> {
    /// Reads the entry's data and applies every rule of batches. Accepts all data, like
    /// [`derive()`].
    pub fn open(config: &'a ChainConfig, source: &EntryData<'a>) -> Result<Self, DeriveError> {
        check_arguments(source)?;
        let origin = Origin::from(source.origin);
        let deposits = source.deposits;
        let (batch, fault) = match source.entry.data_kind {
            DataKind::None => (forced(source), None),
            DataKind::Calldata | DataKind::Blobs => match read_batch(config, source) {
                Ok(batch) => (batch, None),
                Err(fault) => (forced(source), Some(fault)),
            },
        };
        let Batch { blocks, deposit_hints } = batch;
        Ok(Self { config, origin, deposits, deposit_hints, blocks, fault })
    }

    /// Number of blocks, at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub const fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Block `index` on top of `parent`, with its signers recovered by `recover`. `None` past the
    /// last block.
    pub fn block(
        mut self,
        index: usize,
        parent: Parent,
        recover: impl FnMut(TxEnvelope) -> SignedTx,
    ) -> Result<Option<BlockInput>, DeriveError> {
        if index >= self.blocks.len() {
            return Ok(None);
        }
        let block = self.blocks.swap_remove(index);
        let before: u64 = self.blocks[..index].iter().map(|block| block.deposit_count).sum();
        self.make(parent, before, block, recover).map(Some)
    }

    fn all(mut self, mut parent: Parent) -> Result<Vec<BlockInput>, DeriveError> {
        let mut deposits_before = 0;
        let mut made = Vec::with_capacity(self.blocks.len());
        for block in core::mem::take(&mut self.blocks) {
            let deposit_count = block.deposit_count;
            let block = self.make(parent, deposits_before, block, SignedTx::recover)?;
            deposits_before += deposit_count;
            parent = block.as_parent();
            made.push(block);
        }
        Ok(made)
    }

    fn make(
        &self,
        parent: Parent,
        deposits_before: u64,
        block: BatchBlock,
        recover: impl FnMut(TxEnvelope) -> SignedTx,
    ) -> Result<BlockInput, DeriveError> {
        let at = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let queued: Vec<_> = self
            .deposits
            .iter()
            .enumerate()
            .skip(at(deposits_before))
            .take(at(block.deposit_count))
            .map(|(i, deposit)| QueuedDeposit {
                deposit: deposit.clone(),
                hint: self.deposit_hints.get(i).copied(),
            })
            .collect();
        let timestamp = parent.timestamp.max(block.timestamp);
        let transactions = block.transactions.into_iter().map(recover).collect();
        Ok(BlockInput::new(self.config, parent, self.origin, timestamp, &queued, transactions)?)
    }
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
    if source.origin.index != entry.origin {
        return Err(DeriveError::Origin {
            index,
            expected: entry.origin,
            found: source.origin.index,
        });
    }
    let expected = entry.deposit_count.saturating_sub(source.deposits_before);
    let in_place =
        source.deposits.iter().zip(source.deposits_before..).all(|(deposit, i)| deposit.index == i);
    if source.deposits.len() as u64 != expected || !in_place {
        let found = source.deposits.len() as u64;
        return Err(DeriveError::Deposits { index, expected, found });
    }
    Ok(())
}

/// A batch of one block, for an entry without usable data.
fn forced(source: &EntryData<'_>) -> Batch {
    let block = BatchBlock {
        timestamp: source.entry.l1_time,
        deposit_count: source.deposits.len() as u64,
        ..BatchBlock::default()
    };
    Batch { blocks: alloc::vec![block], deposit_hints: Vec::new() }
}

/// Decodes the entry's data and checks it against every rule of batches.
fn read_batch(config: &ChainConfig, source: &EntryData<'_>) -> Result<Batch, BatchFault> {
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
    check_timestamps(config, source, &batch.blocks)?;
    check_deposits(source.deposits, &batch)?;
    Ok(batch)
}

/// The time of the previous block plays no role: if it is later, the blocks take that time. So an
/// entry's data alone determines how many blocks it derives, and a proof need not know where
/// earlier entries end.
fn check_timestamps(
    config: &ChainConfig,
    source: &EntryData<'_>,
    blocks: &[BatchBlock],
) -> Result<(), BatchFault> {
    let max = source.entry.l1_time.saturating_add(config.time_drift_max);
    let mut min = source.origin.l1_time;
    for (block, BatchBlock { timestamp: found, .. }) in blocks.iter().enumerate() {
        if *found < min || *found > max {
            return Err(BatchFault::Timestamp { block, found: *found, min, max });
        }
        min = *found;
    }
    Ok(())
}

fn check_deposits(deposits: &[Deposit], batch: &Batch) -> Result<(), BatchFault> {
    let hints = &batch.deposit_hints;
    if hints.len() != deposits.len() {
        return Err(BatchFault::DepositCount { expected: deposits.len(), found: hints.len() });
    }
    // Within an L1 block the hash stays and the log index increases. Another L1 block has another
    // hash.
    let increasing = deposits.windows(2).zip(hints.windows(2)).all(|(deposits, hints)| {
        let same_hash = hints[0].l1_block_hash == hints[1].l1_block_hash;
        if deposits[0].l1_block_number == deposits[1].l1_block_number {
            same_hash && hints[0].log_index < hints[1].log_index
        } else {
            !same_hash
        }
    });
    if !increasing {
        return Err(BatchFault::DepositHints);
    }
    Ok(())
}
