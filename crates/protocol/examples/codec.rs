//! Measures the batch codec: bytes and processor time per transaction.
//!
//! `codec FILE…`: each file holds EIP-2718 bytes, each transaction preceded by its length as u32,
//! little-endian. All transactions of a file make one batch of one block. `testing/bench/op-span`
//! measures the OP stack's encoder on the same files.

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Bytes;
use turnpike_protocol::{Batch, BatchEncoder, BatchHead, BatchLimits, Effort, StateRootPrefix};

type Failure = Box<dyn std::error::Error>;

/// Number of repetitions. The fastest one counts.
const ROUNDS: usize = 20;

/// The block's time is near this one, in seconds.
const HEAD: BatchHead = BatchHead { first_deposit: 0, reference_time: 1_760_000_000 };

const LIMITS: BatchLimits = BatchLimits {
    blocks_max: 1,
    block_transactions_max: usize::MAX,
    deposits_max: 0,
    inflated_bytes_max: usize::MAX,
    mixed_bytes_max: 1 << 16,
};

fn main() -> Result<(), Failure> {
    println!(
        "{:<28}{:>10}{:>12}{:>12}{:>12}",
        "turnpike batch", "txs", "bytes/tx", "us/tx", "decode us"
    );
    for path in std::env::args().skip(1) {
        let transactions = read(&path)?;
        println!("{path}");
        for effort in [Effort::Fast, Effort::Thorough] {
            measure(effort, &transactions)?;
        }
    }
    Ok(())
}

fn measure(effort: Effort, transactions: &[Bytes]) -> Result<(), Failure> {
    let (mut encode, mut decode) = (f64::MAX, f64::MAX);
    let mut bytes = Vec::new();
    for _ in 0..ROUNDS {
        let start = processor_seconds()?;
        let mut encoder = BatchEncoder::new(LIMITS, effort, HEAD)?;
        encoder.push(100, StateRootPrefix::ZERO, &[], transactions)?;
        bytes = encoder.finish();
        encode = encode.min(processor_seconds()? - start);
        let start = processor_seconds()?;
        let batch = Batch::decode(&bytes, &LIMITS)?;
        decode = decode.min(processor_seconds()? - start);
        let same =
            |(raw, tx): (&Bytes, &turnpike_protocol::TxEnvelope)| **raw == *tx.encoded_2718();
        if !transactions.iter().zip(&batch.blocks[0].transactions).all(same) {
            return Err("decodes to other transactions".into());
        }
    }
    let count = transactions.len();
    let per_tx = |amount: f64| amount / count as f64;
    let (encode, decode) = (per_tx(encode * 1e6), per_tx(decode * 1e6));
    let length = per_tx(bytes.len() as f64);
    let name = format!("  {effort:?}");
    println!("{name:<28}{count:>10}{length:>12.2}{encode:>12.2}{decode:>12.2}");
    Ok(())
}

fn read(path: &str) -> Result<Vec<Bytes>, Failure> {
    let file = std::fs::read(path)?;
    let mut rest = file.as_slice();
    let mut transactions = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        let (bytes, after) = after.split_at_checked(length).ok_or("the file is cut off")?;
        transactions.push(Bytes::copy_from_slice(bytes));
        rest = after;
    }
    if !rest.is_empty() || transactions.is_empty() {
        return Err(format!("{path} holds no transactions").into());
    }
    Ok(transactions)
}

/// Processor time of this thread, in seconds, so that other load does not count. Linux only.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
