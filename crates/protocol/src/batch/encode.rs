//! Encodes batches, block by block.

use alloc::vec::Vec;

use alloy_primitives::Bytes;

use super::{
    BATCH_VERSION, Batch, BatchError, BatchHead, BatchLimits, DepositHint, StateRootPrefix,
    coder::Writer,
    columns::{BlockHead, Columns},
    fields::Fields,
};

/// Time that the encoder may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Encodes once, with the memory that is best on average.
    #[default]
    Fast,
    /// Encodes with every memory and keeps the shortest.
    Thorough,
}

impl Effort {
    /// The values of memory to try: logarithms of the number of bits that a chance learns from.
    const fn memories(self) -> &'static [u8] {
        match self {
            Self::Fast => &[8],
            Self::Thorough => &[6, 8, 10],
        }
    }
}

/// Encodes a batch while its blocks are sealed. Each pushed block is coded at once, so the size is
/// always known and no work remains at the end.
#[derive(Clone, Debug)]
pub struct BatchEncoder {
    streams: Vec<Stream>,
}

#[derive(Clone, Debug)]
struct Stream {
    memory: u8,
    columns: Columns,
    writer: Writer,
}

impl BatchEncoder {
    /// Creates an encoder for a batch that decodes within `limits`.
    ///
    /// # Errors
    ///
    /// None for any head.
    pub fn new(limits: BatchLimits, effort: Effort, head: BatchHead) -> Result<Self, BatchError> {
        let stream = |memory: &u8| {
            let mut columns = Columns::new(limits);
            let mut writer = Writer::new((1 << memory) - 1);
            columns.head(&mut writer, head)?;
            Ok(Stream { memory: *memory, columns, writer })
        };
        Ok(Self { streams: effort.memories().iter().map(stream).collect::<Result<_, _>>()? })
    }

    /// Appends a block: the milliseconds since the block before, the prefix of its state root (kept
    /// if it has transactions), a hint per consumed deposit, and the EIP-2718 bytes of its
    /// transactions.
    ///
    /// # Errors
    ///
    /// If [`crate::decode_transaction`] rejects a transaction or the batch exceeds the limits. The
    /// encoder is unusable afterwards.
    pub fn push(
        &mut self,
        step_ms: u64,
        state_root: StateRootPrefix,
        hints: &[DepositHint],
        transactions: &[Bytes],
    ) -> Result<(), BatchError> {
        let head = BlockHead {
            step_ms,
            state_root: Some(state_root),
            transactions: transactions.len(),
            hints: hints.to_vec(),
        };
        for Stream { columns, writer, .. } in &mut self.streams {
            columns.more(writer, true);
            columns.block(writer, &head)?;
        }
        for (index, bytes) in transactions.iter().enumerate() {
            let fields = Fields::read(bytes).ok_or(BatchError::Transaction(index))?;
            for Stream { columns, writer, .. } in &mut self.streams {
                columns.transaction(writer, &fields)?;
                columns.count_transaction(bytes.len())?;
            }
        }
        Ok(())
    }

    /// Upper bound of the batch's size in bytes if it ended here. [`Self::finish`] returns at most
    /// a dozen bytes less.
    pub fn bytes_max(&self) -> usize {
        let bytes = self.streams.iter().map(|stream| stream.writer.bytes_max()).min();
        // Version, memory, length and the final bit.
        bytes.unwrap_or(0) + 2 + 5 + 2
    }

    /// Returns the bytes to post.
    pub fn finish(self) -> Vec<u8> {
        self.streams.into_iter().map(Stream::finish).min_by_key(Vec::len).unwrap_or_default()
    }
}

impl Stream {
    fn finish(mut self) -> Vec<u8> {
        self.columns.more(&mut self.writer, false);
        let (coded, plain) = self.writer.finish();
        let mut bytes = Vec::with_capacity(coded.len() + plain.len() + 7);
        bytes.extend_from_slice(&[BATCH_VERSION, self.memory]);
        let mut length = coded.len();
        loop {
            let [low, ..] = (length & 0x7f).to_le_bytes();
            length >>= 7;
            bytes.push(low | if length > 0 { 0x80 } else { 0 });
            if length == 0 {
                break;
            }
        }
        bytes.extend_from_slice(&coded);
        bytes.extend_from_slice(&plain);
        bytes
    }
}

impl Batch {
    /// Encodes the whole batch at once.
    ///
    /// # Errors
    ///
    /// If the number of hints differs from the blocks' deposits or the batch exceeds the limits.
    pub fn encode(&self, limits: BatchLimits, effort: Effort) -> Result<Vec<u8>, BatchError> {
        let mut encoder = BatchEncoder::new(limits, effort, self.head)?;
        let mut hints = self.deposit_hints.as_slice();
        for block in &self.blocks {
            let count = usize::try_from(block.deposit_count).unwrap_or(usize::MAX);
            let (of_block, rest) =
                hints.split_at_checked(count).ok_or(BatchError::Malformed("too few hints"))?;
            hints = rest;
            let raw = |tx| alloy_eips::eip2718::Encodable2718::encoded_2718(tx).into();
            let transactions: Vec<Bytes> = block.transactions.iter().map(raw).collect();
            let state_root = block.state_root.unwrap_or_default();
            encoder.push(block.step_ms, state_root, of_block, &transactions)?;
        }
        if !hints.is_empty() {
            return Err(BatchError::Malformed("too many hints"));
        }
        Ok(encoder.finish())
    }
}
