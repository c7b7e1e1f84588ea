//! Reads one segment and rejects it on any defect.

use alloy_primitives::{Address, B256, U256, keccak256};
use std::{
    fs::File,
    io::{self, BufReader},
    panic::resume_unwind,
    path::Path,
    sync::mpsc::sync_channel,
    thread,
};

use super::{
    Segment,
    codec::Record,
    error::{ReadError, SegmentError},
    frame::FrameReader,
};
use crate::{Account, AccountDiff, FlatState, MergedDiff, NodeState, StateDiff, workers::Workers};

/// Codes, accounts and slots that are collected before they are applied to a base.
const CHUNK_ITEMS_MAX: usize = 1 << 18;

/// Records that the reading thread sends to the applying thread in one batch.
const BATCH_RECORDS: usize = 4_096;

/// Maximum number of batches that wait to be applied.
const BATCHES_WAITING_MAX: usize = 4;

/// Reads the state of a base. Returns it with its root and the file's length in bytes.
pub(crate) fn read_base(
    directory: &Path,
    segment: Segment,
    workers: Workers<'_>,
) -> Result<(NodeState, B256, u64), ReadError> {
    read_base_with(directory, segment, workers, CHUNK_ITEMS_MAX)
}

fn read_base_with(
    directory: &Path,
    segment: Segment,
    workers: Workers<'_>,
    chunk_items_max: usize,
) -> Result<(NodeState, B256, u64), ReadError> {
    let reader = SegmentReader::open(directory, segment)?;
    let mut state = NodeState::default();
    let mut chunk = Chunk::new(segment);
    let reader = reader.for_each(|record, offset| {
        chunk.add(record, state.flat()).map_err(malformed(offset))?;
        if chunk.items >= chunk_items_max {
            state.apply_with(&chunk.take(), workers);
        }
        Ok(())
    })?;
    let found = state.apply_with(&chunk.take(), workers).state_root;
    reader.check_root(found)?;
    Ok((state, found, reader.bytes))
}

/// Applies a delta to `state`. Returns the new root and the file's length in bytes. If the delta is
/// rejected, `state` does not change.
pub(crate) fn read_delta(
    directory: &Path,
    segment: Segment,
    workers: Workers<'_>,
    state: &mut NodeState,
) -> Result<(B256, u64), ReadError> {
    let reader = SegmentReader::open(directory, segment)?;
    let mut chunk = Chunk::new(segment);
    let reader = reader
        .for_each(|record, offset| chunk.add(record, state.flat()).map_err(malformed(offset)))?;
    let diff = chunk.take();
    let before = state.roots();
    let undo = state.flat().undo_of(&diff);
    let found = state.apply_with(&diff, workers).state_root;
    if let Err(error) = reader.check_root(found) {
        assert_eq!(state.apply_with(&undo, workers), before, "invariant: undoing leads back");
        return Err(error.into());
    }
    Ok((found, reader.bytes))
}

fn malformed(offset: u64) -> impl FnOnce(&'static str) -> SegmentError {
    move |what| SegmentError::Malformed { offset, what }
}

/// Reads the records between header and footer and checks their order.
struct SegmentReader {
    frames: FrameReader<BufReader<File>>,
    state_root: B256,
    records: u64,
    /// Position of the last record's kind in the prescribed order.
    stage: u8,
    bytes: u64,
}

impl SegmentReader {
    fn open(directory: &Path, segment: Segment) -> Result<Self, ReadError> {
        let file = File::open(segment.path(directory))?;
        let bytes = file.metadata()?.len();
        let mut frames = FrameReader::new(BufReader::new(file), bytes);
        let (header, offset, _) = frames.read()?;
        match header {
            Record::Header { segment: found, state_root } if found == segment => {
                Ok(Self { frames, state_root, records: 0, stage: 0, bytes })
            }
            Record::Header { .. } => Err(malformed(offset)("header of another segment").into()),
            _ => Err(malformed(offset)("no header").into()),
        }
    }

    /// Reads records on a separate thread and passes each record and its offset to `take`. Ends
    /// after a valid footer.
    fn for_each(
        mut self,
        mut take: impl FnMut(Record, u64) -> Result<(), SegmentError>,
    ) -> Result<Self, ReadError> {
        let (send, batches) = sync_channel(BATCHES_WAITING_MAX);
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                loop {
                    let mut batch = Vec::with_capacity(BATCH_RECORDS);
                    let end = self.fill(&mut batch);
                    // The receiver is gone only if it found an error before.
                    if send.send(batch).is_err() || end.as_ref().is_ok_and(|is_end| *is_end) {
                        return Ok(self);
                    }
                    end?;
                }
            });
            for (record, offset) in batches.into_iter().flatten() {
                take(record, offset)?;
            }
            reading.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Fills a batch. Returns whether the segment is at its end.
    fn fill(&mut self, batch: &mut Vec<(Record, u64)>) -> Result<bool, ReadError> {
        while batch.len() < BATCH_RECORDS {
            let Some(next) = self.next()? else { return Ok(true) };
            batch.push(next);
        }
        Ok(false)
    }

    /// Returns the next record and its offset, or `None` after a valid footer.
    fn next(&mut self) -> Result<Option<(Record, u64)>, ReadError> {
        let (record, offset, checksum) = self.frames.read()?;
        let stage = match record {
            Record::Header { .. } => return Err(malformed(offset)("second header").into()),
            Record::Code(_) => 0,
            Record::Account { .. } => 1,
            Record::Slots { .. } => 2,
            Record::Footer { records, checksum: expected } => {
                if expected != checksum {
                    return Err(SegmentError::Checksum { offset }.into());
                }
                if records != self.records || !self.frames.is_at_end() {
                    return Err(malformed(offset)("footer that does not end the segment").into());
                }
                return Ok(None);
            }
        };
        if stage < self.stage {
            return Err(malformed(offset)("record out of order").into());
        }
        self.stage = stage;
        self.records += 1;
        Ok(Some((record, offset)))
    }

    fn check_root(&self, found: B256) -> Result<(), SegmentError> {
        let expected = self.state_root;
        if found == expected { Ok(()) } else { Err(SegmentError::StateRoot { expected, found }) }
    }
}

/// Records that are read but not applied yet.
struct Chunk {
    is_base: bool,
    diff: MergedDiff,
    items: usize,
}

impl Chunk {
    fn new(segment: Segment) -> Self {
        let is_base = matches!(segment, Segment::Base { .. });
        Self { is_base, diff: MergedDiff::default(), items: 0 }
    }

    fn take(&mut self) -> StateDiff {
        self.items = 0;
        self.diff.take()
    }

    /// Adds a record that will be applied to `state`. The accounts and codes that it names must
    /// exist.
    fn add(&mut self, record: Record, state: &FlatState) -> Result<(), &'static str> {
        self.items += 1;
        match record {
            Record::Code(code) => {
                self.diff.push_code(keccak256(&code), code.into());
                Ok(())
            }
            Record::Account { address, account, storage_cleared } => {
                let storage = Vec::new();
                self.add_account(AccountDiff { address, account, storage_cleared, storage }, state)
            }
            Record::Slots { address, slots } => self.add_slots(address, slots, state),
            Record::Header { .. } | Record::Footer { .. } => Err("record that is no content"),
        }
    }

    fn add_account(&mut self, change: AccountDiff, state: &FlatState) -> Result<(), &'static str> {
        if self.account(&change.address, state).is_some() {
            return Err("account for the second time");
        }
        if self.is_base && (change.account.is_none() || change.storage_cleared) {
            return Err("removal in a base");
        }
        if let Some(Account { code_hash, .. }) = change.account
            && self.diff.code(&code_hash).is_none()
            && state.code(&code_hash).is_none()
        {
            return Err("account without its code");
        }
        self.diff.push_account(&change);
        Ok(())
    }

    fn add_slots(
        &mut self,
        address: Address,
        storage: Vec<(U256, U256)>,
        state: &FlatState,
    ) -> Result<(), &'static str> {
        let account = self.account(&address, state).flatten();
        if account.is_none() {
            return Err("slots of no account");
        }
        if self.is_base && storage.iter().any(|(_, value)| value.is_zero()) {
            return Err("empty slot in a base");
        }
        self.items += storage.len();
        self.diff.push_account(&AccountDiff { address, account, storage_cleared: false, storage });
        Ok(())
    }

    /// The account as earlier records of the segment leave it. A base knows only its own records,
    /// and some of those are already applied to `state`.
    fn account(&self, address: &Address, state: &FlatState) -> Option<Option<Account>> {
        let here = self.diff.account(address).map(|change| change.account);
        here.or_else(|| state.account(address).filter(|_| self.is_base).map(Some))
    }
}

impl ReadError {
    /// Separates a failing file system from a defective segment.
    pub(crate) fn refused(self) -> Result<SegmentError, io::Error> {
        match self {
            Self::Io(error) => Err(error),
            Self::Refused(error) => Ok(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::write::write_state;

    #[test]
    fn base_loads_the_same_state_with_any_chunk_size() {
        let code = vec![0x60, 0x00];
        let code_hash = keccak256(&code);
        let account = |index: u8| AccountDiff {
            address: Address::with_last_byte(index),
            account: Some(Account { nonce: index.into(), balance: U256::MAX, code_hash }),
            storage_cleared: false,
            storage: (0..u64::from(index) * 100)
                .map(|slot| (U256::from(slot), U256::from(slot + 1)))
                .collect(),
        };
        let accounts = (0..12).map(account).collect();
        let diff = StateDiff { accounts, codes: vec![(code_hash, code.into())] };
        let (state, roots) = NodeState::from_genesis(&diff);
        let directory = tempfile::TempDir::new().expect("temporary directory");
        let segment = Segment::Base { block: 1 };
        write_state(directory.path(), segment, roots.state_root, state.flat()).expect("written");
        for chunk_items_max in [1, 2, 7, 600, usize::MAX] {
            let read =
                read_base_with(directory.path(), segment, Workers::default(), chunk_items_max);
            let (read, root, _) = read.expect("intact");
            assert_eq!((read.roots(), root), (roots, roots.state_root));
            assert_eq!(read.flat().iter_slots().count(), state.flat().iter_slots().count());
        }
    }
}
