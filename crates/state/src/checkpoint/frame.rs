//! Records as frames: length, payload, checksum.

use crc32fast::Hasher;
use std::io::{Read, Write};

use super::{
    codec::Record,
    error::{ReadError, SegmentError},
};

/// Bytes of the longest payload: a code and a tag.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 1 << 24;

/// Bytes of a frame besides its payload.
const OVERHEAD_BYTES: u64 = 8;

/// Writes frames and computes the checksum over all of them.
#[derive(Debug)]
pub(crate) struct FrameWriter<W> {
    out: W,
    payload: Vec<u8>,
    all: Hasher,
    bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, payload: Vec::new(), all: Hasher::new(), bytes: 0 }
    }

    /// Writes one frame. Every record fits: the writer checks the length of codes, the longest
    /// kind, before.
    pub(crate) fn write(&mut self, record: &Record) -> std::io::Result<()> {
        self.payload.clear();
        record.encode(&mut self.payload);
        assert!(self.payload.len() <= PAYLOAD_BYTES_MAX, "invariant: a record fits into a frame");
        let length = u32::try_from(self.payload.len()).expect("invariant: 24 bits");
        let length = length.to_le_bytes();
        let checksum = checksum(length, &self.payload).to_le_bytes();
        for bytes in [&length[..], &self.payload, &checksum] {
            self.out.write_all(bytes)?;
            self.all.update(bytes);
        }
        self.bytes += OVERHEAD_BYTES + u64::from(u32::from_le_bytes(length));
        Ok(())
    }

    /// The checksum of all frames so far.
    pub(crate) fn checksum(&self) -> u32 {
        self.all.clone().finalize()
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

/// Reads frames and checks the checksum of each before returning it.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    input: R,
    payload: Vec<u8>,
    all: Hasher,
    /// Where the next frame begins.
    offset: u64,
    /// Length of the file.
    length: u64,
}

impl<R: Read> FrameReader<R> {
    /// Reads frames from `input`, which holds `length` bytes.
    pub(crate) fn new(input: R, length: u64) -> Self {
        Self { input, payload: Vec::new(), all: Hasher::new(), offset: 0, length }
    }

    /// Reads the next record. Returns it with its offset and the checksum of all frames before it.
    pub(crate) fn read(&mut self) -> Result<(Record, u64, u32), ReadError> {
        let offset = self.offset;
        let before = self.all.clone().finalize();
        let length = self.read_payload()?;
        let expected = checksum(length, &self.payload).to_le_bytes();
        let mut found = [0; 4];
        self.input.read_exact(&mut found).map_err(|error| torn(error, offset))?;
        if found != expected {
            return Err(SegmentError::Checksum { offset }.into());
        }
        for bytes in [&length[..], &self.payload, &found] {
            self.all.update(bytes);
        }
        self.offset += OVERHEAD_BYTES + u64::from(u32::from_le_bytes(length));
        let record = Record::decode(&self.payload);
        let record = record.map_err(|what| SegmentError::Malformed { offset, what })?;
        Ok((record, offset, before))
    }

    /// Reads a length and that many bytes. Fails before allocating if the file has fewer bytes
    /// left.
    fn read_payload(&mut self) -> Result<[u8; 4], ReadError> {
        let offset = self.offset;
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(|error| torn(error, offset))?;
        let bytes = u32::from_le_bytes(length);
        let size = usize::try_from(bytes).ok().filter(|size| *size <= PAYLOAD_BYTES_MAX);
        let size = size.ok_or(SegmentError::TooLong { offset, bytes })?;
        if self.length.saturating_sub(offset) < OVERHEAD_BYTES + u64::from(bytes) {
            return Err(SegmentError::Torn { offset }.into());
        }
        self.payload.resize(size, 0);
        self.input.read_exact(&mut self.payload).map_err(|error| torn(error, offset))?;
        Ok(length)
    }

    /// Whether all of the file was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.offset == self.length
    }
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

fn torn(error: std::io::Error, offset: u64) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => SegmentError::Torn { offset }.into(),
        _ => error.into(),
    }
}
