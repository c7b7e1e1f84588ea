//! Measures how long the slowest batches take to decode: nanoseconds for each byte that an entry's
//! limit counts, and seconds for the 64 entries that one L1 block may hold.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use turnpike_protocol::{
    Batch, BatchEncoder, BatchHead, Effort, Genesis, StateRootPrefix, TxEnvelope, blob_data_bytes,
};

type Failure = Box<dyn std::error::Error>;

/// Number of repetitions. The fastest one counts.
const ROUNDS: usize = 5;

/// Bytes of calldata of a large transaction.
const LARGE: usize = 120_000;

const HEAD: BatchHead = BatchHead { first_deposit: 0, reference_time: 1_760_000_000 };

fn main() -> Result<(), Failure> {
    let noise = |at: usize| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8;
    let zeros = |bytes: usize| vec![0; bytes];
    let noisy = |bytes: usize| (0..bytes).map(noise).collect::<Vec<_>>();
    println!(
        "{:<44}{:>12}{:>10}{:>10}{:>14}",
        "batch", "bytes", "of L1", "ns/byte", "s, 64 entries"
    );
    // Creations have no words: their bytes are mixed until the budget is spent.
    measure("65,536 mixed zeros", &[create(zeros(65_536))])?;
    measure("65,536 mixed bytes of noise", &[create(noisy(65_536))])?;
    measure("zeros, as many as fit", &vec![create(zeros(LARGE)); 69])?;
    measure("words of zeros, as many as fit", &vec![call(zeros(LARGE / 32 * 32 + 4)); 69])?;
    measure("noise in six blobs", &vec![create(noisy(LARGE)); 6])?;
    measure("words of noise in six blobs", &vec![call(noisy(LARGE / 32 * 32 + 4)); 6])?;
    measure("a mixed byte in each of 7,000 transactions", &vec![call(zeros(1)); 7_000])?;
    measure("7,000 transactions without calldata", &vec![call(zeros(0)); 7_000])
}

fn create(input: Vec<u8>) -> Bytes {
    transaction(TxKind::Create, input)
}

fn call(input: Vec<u8>) -> Bytes {
    transaction(TxKind::Call(Address::repeat_byte(7)), input)
}

fn transaction(to: TxKind, input: Vec<u8>) -> Bytes {
    let tx = TxEip1559 { chain_id: 4_242, to, input: input.into(), ..TxEip1559::default() };
    let signature = Signature::new(U256::from(7), U256::from(9), false);
    TxEnvelope::from(tx.into_signed(signature)).encoded_2718().into()
}

fn measure(name: &str, transactions: &[Bytes]) -> Result<(), Failure> {
    let config = Genesis::dev().config;
    let limits = config.batch_limits();
    let mut encoder = BatchEncoder::new(limits, Effort::Fast, HEAD)?;
    encoder.push(100, StateRootPrefix::ZERO, &[], transactions)?;
    let encoded = encoder.finish();
    let blobs = usize::try_from(config.entry_blobs_max)?;
    if encoded.len() > blob_data_bytes(blobs) {
        return Err(format!("{name}: {} bytes do not fit an entry", encoded.len()).into());
    }
    let mut best = std::time::Duration::MAX;
    for _ in 0..ROUNDS {
        let start = std::time::Instant::now();
        let batch = Batch::decode(&encoded, &limits)?;
        best = best.min(start.elapsed());
        if batch.blocks[0].transactions.len() != transactions.len() {
            return Err(format!("{name}: decodes to other transactions").into());
        }
    }
    let bytes: usize = transactions.iter().map(|raw| raw.len()).sum();
    let each = best.as_secs_f64() * 1e9 / bytes as f64;
    let block = best.as_secs_f64() * f64::from(config.entries_per_l1_block_max);
    println!("{name:<44}{bytes:>12}{:>10}{each:>10.2}{block:>14.2}", encoded.len());
    Ok(())
}
