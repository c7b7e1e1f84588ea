//! Writes one segment, completely or not at all.

use alloy_primitives::{Address, B256, Bytes, U256};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use super::{
    CheckpointError, Segment,
    codec::Record,
    frame::{FrameWriter, PAYLOAD_BYTES_MAX},
};
use crate::{FlatState, StateDiff};

/// Slots in one record.
const SLOTS_PER_RECORD_MAX: usize = 512;

/// Writes the whole state as a segment; returns its length in bytes.
pub(crate) fn write_state(
    directory: &Path,
    segment: Segment,
    state_root: B256,
    state: &FlatState,
) -> Result<u64, CheckpointError> {
    write_segment(directory, segment, state_root, |out| {
        state.iter_codes().try_for_each(|(_, code)| out.code(code))?;
        for (address, account) in state.iter_accounts() {
            let account = Some(account);
            out.record(&Record::Account { address, account, storage_cleared: false })?;
        }
        state.iter_slots().try_for_each(|(address, slot, value)| out.slot(address, slot, value))
    })
}

/// Writes a diff as a segment; returns its length in bytes.
pub(crate) fn write_diff(
    directory: &Path,
    segment: Segment,
    state_root: B256,
    diff: &StateDiff,
) -> Result<u64, CheckpointError> {
    write_segment(directory, segment, state_root, |out| {
        diff.codes.iter().try_for_each(|(_, code)| out.code(code.clone()))?;
        for change in &diff.accounts {
            let (address, account) = (change.address, change.account);
            let storage_cleared = change.storage_cleared;
            out.record(&Record::Account { address, account, storage_cleared })?;
        }
        // The slots of a removed account are void.
        for change in diff.accounts.iter().filter(|change| change.account.is_some()) {
            for (slot, value) in &change.storage {
                out.slot(change.address, *slot, *value)?;
            }
        }
        Ok(())
    })
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), CheckpointError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(CheckpointError::io(directory))
}

fn write_segment(
    directory: &Path,
    segment: Segment,
    state_root: B256,
    content: impl FnOnce(&mut SegmentWriter) -> Result<(), WriteError>,
) -> Result<u64, CheckpointError> {
    let temporary = segment.temporary_path(directory);
    let written = write_file(&temporary, segment, state_root, content).map_err(|error| {
        // The next start would remove the rest of the file, but a full disk needs the space now.
        let _ = fs::remove_file(&temporary);
        match error {
            WriteError::Io(source) => CheckpointError::Io { path: temporary.clone(), source },
            WriteError::CodeTooLong { bytes } => CheckpointError::CodeTooLong { bytes },
        }
    })?;
    let path = segment.path(directory);
    fs::rename(&temporary, &path).map_err(CheckpointError::io(&path))?;
    sync_directory(directory)?;
    Ok(written)
}

fn write_file(
    path: &Path,
    segment: Segment,
    state_root: B256,
    content: impl FnOnce(&mut SegmentWriter) -> Result<(), WriteError>,
) -> Result<u64, WriteError> {
    let frames = FrameWriter::new(BufWriter::new(File::create(path)?));
    let mut out = SegmentWriter { frames, records: 0, run: None };
    out.frames.write(&Record::Header { segment, state_root })?;
    content(&mut out)?;
    out.finish()
}

enum WriteError {
    Io(io::Error),
    CodeTooLong { bytes: usize },
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The content of a segment: codes, then accounts, then slots.
struct SegmentWriter {
    frames: FrameWriter<BufWriter<File>>,
    records: u64,
    /// Slots of one account for the next record.
    run: Option<(Address, Vec<(U256, U256)>)>,
}

impl SegmentWriter {
    fn record(&mut self, record: &Record) -> Result<(), WriteError> {
        self.records += 1;
        Ok(self.frames.write(record)?)
    }

    fn code(&mut self, code: Bytes) -> Result<(), WriteError> {
        if code.len() >= PAYLOAD_BYTES_MAX {
            return Err(WriteError::CodeTooLong { bytes: code.len() });
        }
        self.record(&Record::Code(code.into()))
    }

    fn slot(&mut self, address: Address, slot: U256, value: U256) -> Result<(), WriteError> {
        let run = self.run.as_ref();
        if run.is_some_and(|(of, slots)| *of != address || slots.len() == SLOTS_PER_RECORD_MAX) {
            self.flush_slots()?;
        }
        self.run.get_or_insert_with(|| (address, Vec::new())).1.push((slot, value));
        Ok(())
    }

    fn flush_slots(&mut self) -> Result<(), WriteError> {
        let Some((address, slots)) = self.run.take() else { return Ok(()) };
        self.record(&Record::Slots { address, slots })
    }

    /// Ends the segment and makes it durable under its temporary name.
    fn finish(mut self) -> Result<u64, WriteError> {
        self.flush_slots()?;
        let checksum = self.frames.checksum();
        self.frames.write(&Record::Footer { records: self.records, checksum })?;
        let bytes = self.frames.bytes();
        let mut file = self.frames.into_inner();
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(bytes)
    }
}
