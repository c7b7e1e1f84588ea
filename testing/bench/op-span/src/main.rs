//! Measures the OP stack's span batches (crate `kona-protocol`), compressed as by op-batcher, on
//! recorded transactions.
//!
//! `op-span FILE…`: each file holds EIP-2718 bytes, each transaction preceded by its length as u32,
//! little-endian. All transactions of a file make one batch of one block, as in Turnpike's
//! measurement (`crates/protocol/examples/codec.rs`).

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use alloy_primitives::Bytes;
use anyhow::Context as _;
use kona_protocol::{
    RawSpanBatch, SpanBatchBits, SpanBatchPayload, SpanBatchPrefix, SpanBatchTransactions,
};

/// Chain id of the transactions.
const CHAIN_ID: u64 = 4242;

/// Repetitions. The fastest is reported.
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    println!("{:<28}{:>10}{:>12}{:>12}", "op span batch", "txs", "bytes/tx", "us/tx");
    for path in std::env::args().skip(1) {
        let transactions = read(&path)?;
        println!("{path}");
        row("  uncompressed", &transactions, |span| Ok(span))?;
        row("  zlib-9", &transactions, zlib)?;
        row("  brotli-10", &transactions, brotli)?;
    }
    Ok(())
}

fn read(path: &str) -> anyhow::Result<Vec<Bytes>> {
    let file = std::fs::read(path).with_context(|| path.to_owned())?;
    let mut rest = file.as_slice();
    let mut transactions = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        let (bytes, after) = after.split_at_checked(length).context("the file is cut off")?;
        transactions.push(Bytes::copy_from_slice(bytes));
        rest = after;
    }
    anyhow::ensure!(rest.is_empty() && !transactions.is_empty(), "{path} holds no transactions");
    Ok(transactions)
}

/// Encodes the transactions as a span batch.
fn span(transactions: &[Bytes]) -> anyhow::Result<Vec<u8>> {
    let mut txs = SpanBatchTransactions::default();
    txs.add_txs(transactions.to_vec(), CHAIN_ID).map_err(|error| anyhow::anyhow!("{error}"))?;
    let payload = SpanBatchPayload {
        block_count: 1,
        origin_bits: SpanBatchBits::default(),
        block_tx_counts: vec![transactions.len() as u64],
        txs,
    };
    // The type byte precedes the batch.
    let mut bytes = vec![1];
    RawSpanBatch { prefix: SpanBatchPrefix::default(), payload }
        .encode(&mut bytes)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(bytes)
}

fn zlib(span: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&span)?;
    Ok(encoder.finish()?)
}

fn brotli(span: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams { quality: 10, lgwin: 22, ..Default::default() };
    let mut bytes = Vec::new();
    brotli::BrotliCompress(&mut span.as_slice(), &mut bytes, &params)?;
    Ok(bytes)
}

fn row(
    name: &str,
    transactions: &[Bytes],
    compress: impl Fn(Vec<u8>) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<()> {
    let (mut best, mut length) = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        length = compress(span(transactions)?)?.len();
        best = best.min(start.elapsed());
    }
    let count = transactions.len();
    let per_tx = |amount: f64| amount / count as f64;
    let time = per_tx(best.as_secs_f64() * 1e6);
    println!("{name:<28}{count:>10}{:>12.2}{time:>12.2}", per_tx(length as f64));
    Ok(())
}
