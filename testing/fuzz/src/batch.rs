//! The batch codec: bytes are refused, or they are a batch that every encoder round-trips.

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Bytes;
use turnpike_protocol::{Batch, BatchEncoder, BatchLimits, Effort};

use crate::Outcome;

/// The limits that batches are decoded with. The golden vectors fit them.
pub const LIMITS: BatchLimits = BatchLimits {
    blocks_max: 64,
    block_transactions_max: 64,
    deposits_max: 16,
    inflated_bytes_max: 1 << 16,
    mixed_bytes_max: 256,
};

/// Inflated bytes of a block.
const BLOCK_BYTES: usize = 64;

/// Inflated bytes of a deposit.
const DEPOSIT_BYTES: usize = 40;

/// Bytes by which [`BatchEncoder::bytes_max`] may exceed the size.
const SLACK_BYTES: usize = 24;

/// Decodes posted bytes and checks what is accepted.
pub fn batch(data: &[u8]) -> Outcome {
    let Ok(batch) = Batch::decode(data, &LIMITS) else { return Outcome::Refused };
    check_counts(&batch);
    check_limits(data, &batch);
    check_length(data);
    check_whole(&batch);
    check_streamed(&batch);
    Outcome::Checked
}

fn check_counts(batch: &Batch) {
    let deposits: u64 = batch.blocks.iter().map(|block| block.deposit_count).sum();
    assert_eq!(deposits, batch.deposit_hints.len() as u64, "each deposit has a hint");
    for block in &batch.blocks {
        let has_work = !block.transactions.is_empty();
        assert_eq!(block.state_root.is_some(), has_work, "a root of each block with transactions");
    }
}

/// The limits that the batch uses up accept it, and one less of any of them does not.
fn check_limits(data: &[u8], batch: &Batch) {
    let transactions = batch.blocks.iter().map(|block| block.transactions.len());
    let bytes = batch.blocks.iter().flat_map(|block| &block.transactions);
    let exact = BatchLimits {
        blocks_max: batch.blocks.len(),
        block_transactions_max: transactions.max().unwrap_or(0),
        deposits_max: batch.deposit_hints.len(),
        inflated_bytes_max: BLOCK_BYTES * batch.blocks.len()
            + DEPOSIT_BYTES * batch.deposit_hints.len()
            + bytes.map(|tx| tx.encode_2718_len()).sum::<usize>(),
        ..LIMITS
    };
    assert_eq!(Batch::decode(data, &exact).as_ref(), Ok(batch), "{exact:?}");
    let less = |limit: usize| limit.checked_sub(1);
    let lower = [
        less(exact.blocks_max).map(|blocks_max| BatchLimits { blocks_max, ..exact }),
        less(exact.block_transactions_max)
            .map(|block_transactions_max| BatchLimits { block_transactions_max, ..exact }),
        less(exact.deposits_max).map(|deposits_max| BatchLimits { deposits_max, ..exact }),
        less(exact.inflated_bytes_max)
            .map(|inflated_bytes_max| BatchLimits { inflated_bytes_max, ..exact }),
    ];
    for limits in lower.into_iter().flatten() {
        assert!(Batch::decode(data, &limits).is_err(), "accepted beyond {limits:?}");
    }
    for (used, limit) in [
        (exact.blocks_max, LIMITS.blocks_max),
        (exact.block_transactions_max, LIMITS.block_transactions_max),
        (exact.deposits_max, LIMITS.deposits_max),
        (exact.inflated_bytes_max, LIMITS.inflated_bytes_max),
    ] {
        assert!(used <= limit, "{used} exceed {limit}");
    }
}

/// A byte less or more is no batch.
fn check_length(data: &[u8]) {
    let shorter = &data[..data.len() - 1];
    assert!(Batch::decode(shorter, &LIMITS).is_err(), "a truncated batch is accepted");
    for byte in [0, 0xff] {
        let longer = [data, &[byte]].concat();
        assert!(Batch::decode(&longer, &LIMITS).is_err(), "an extended batch is accepted");
    }
}

/// Both efforts encode it within the same limits, and the result decodes to it. Its encoding is
/// that of its decoding.
fn check_whole(batch: &Batch) {
    let encode = |batch: &Batch, effort| batch.encode(LIMITS, effort).expect("it fits its limits");
    let sizes = [Effort::Fast, Effort::Thorough].map(|effort| {
        let bytes = encode(batch, effort);
        let decoded = Batch::decode(&bytes, &LIMITS);
        assert_eq!(decoded.as_ref(), Ok(batch), "{effort:?}");
        assert_eq!(encode(&decoded.expect("decodes"), effort), bytes, "{effort:?}");
        bytes.len()
    });
    assert!(sizes[1] <= sizes[0], "the thorough encoding is longer: {sizes:?}");
}

/// An encoder that gets the blocks one by one ends, after each of them, with the batch up to there.
fn check_streamed(batch: &Batch) {
    let mut encoder = BatchEncoder::new(LIMITS, Effort::Fast, batch.head).expect("opens");
    let mut prefix = Batch { head: batch.head, ..Batch::default() };
    let mut hints = batch.deposit_hints.as_slice();
    for block in &batch.blocks {
        let count = usize::try_from(block.deposit_count).expect("few");
        let (own, rest) = hints.split_at(count);
        hints = rest;
        let raw: Vec<Bytes> =
            block.transactions.iter().map(|tx| tx.encoded_2718().into()).collect();
        let root = block.state_root.unwrap_or_default();
        encoder.push(block.step_ms, root, own, &raw).expect("it fits its limits");
        prefix.blocks.push(block.clone());
        prefix.deposit_hints.extend_from_slice(own);
        let (bytes_max, bytes) = (encoder.bytes_max(), encoder.clone().finish());
        let length = bytes.len();
        assert!(
            (length..=length + SLACK_BYTES).contains(&bytes_max),
            "{length} bytes, at most {bytes_max}"
        );
        assert_eq!(Batch::decode(&bytes, &LIMITS).as_ref(), Ok(&prefix));
    }
    let whole = batch.encode(LIMITS, Effort::Fast).expect("it fits its limits");
    assert_eq!(encoder.finish(), whole, "block by block and at once");
}
