//! Decodes batches. Invariant: no input takes more memory or time than the limits allow.

use alloc::vec::Vec;

use alloy_eips::eip2718::Encodable2718 as _;

use super::{
    BATCH_VERSION, Batch, BatchBlock, BatchError, BatchHead, BatchLimits,
    coder::Reader,
    columns::{BlockHead, Columns},
    fields::Fields,
};

/// Plain bytes of every transaction, at least.
const SIGNATURE_BYTES: usize = 64;

/// The valid values of the memory byte.
const MEMORIES: core::ops::RangeInclusive<u8> = 4..=10;

impl Batch {
    /// Decodes posted bytes within limits, completely or not at all.
    pub fn decode(bytes: &[u8], limits: &BatchLimits) -> Result<Self, BatchError> {
        let (version, rest) = bytes.split_first().ok_or(BatchError::Empty)?;
        if *version != BATCH_VERSION {
            return Err(BatchError::Version(*version));
        }
        let (memory, rest) = rest.split_first().ok_or(BatchError::Truncated)?;
        if !MEMORIES.contains(memory) {
            return Err(BatchError::Malformed("no such memory"));
        }
        let (length, rest) = split_length(rest)?;
        let (coded, plain) = rest.split_at_checked(length).ok_or(BatchError::Truncated)?;
        let mut reader = Reader::new((1 << memory) - 1, coded, plain);
        let mut columns = Columns::new(*limits);
        let head = columns.head(&mut reader, BatchHead::default())?;
        let mut batch = Self { head, ..Self::default() };
        while columns.more(&mut reader, false) {
            let head = columns.block(&mut reader, &BlockHead::default())?;
            // More transactions than signatures is an error of a later read.
            let signatures = reader.plain_left() / SIGNATURE_BYTES;
            let mut transactions = Vec::with_capacity(head.transactions.min(signatures));
            for _ in 0..head.transactions {
                let fields = columns.transaction(&mut reader, &Fields::default())?;
                let envelope = fields.into_envelope();
                let envelope = envelope.ok_or(BatchError::Malformed("no transaction"))?;
                columns.count_transaction(envelope.encode_2718_len())?;
                transactions.push(envelope);
            }
            batch.blocks.push(BatchBlock {
                step_ms: head.step_ms,
                deposit_count: head.hints.len() as u64,
                state_root: head.state_root,
                transactions,
            });
            batch.deposit_hints.extend_from_slice(&head.hints);
        }
        reader.finish()?;
        Ok(batch)
    }
}

/// Splits off a minimal LEB128 number.
fn split_length(bytes: &[u8]) -> Result<(usize, &[u8]), BatchError> {
    let mut length = 0;
    for (place, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            if *byte == 0 && place > 0 {
                return Err(BatchError::Malformed("an overlong length"));
            }
            return Ok((length, &bytes[place + 1..]));
        }
    }
    Err(BatchError::Truncated)
}
