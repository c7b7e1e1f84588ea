//! Scratch measurement.
use std::time::Instant;
use alloy_primitives::Bytes;
use alloy_eips::eip2718::Encodable2718 as _;
use turnpike_protocol::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let data = std::fs::read(path).unwrap();
    let mut txs = Vec::new();
    let mut rest = &data[..];
    while !rest.is_empty() {
        let n = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        txs.push(Bytes::copy_from_slice(&rest[4..4 + n]));
        rest = &rest[4 + n..];
    }
    let limits = BatchLimits { blocks_max: 10000, block_transactions_max: 100000, deposits_max: 10, inflated_bytes_max: 1 << 26 };
    let n = txs.len() as f64;
    for effort in [Effort::Fast, Effort::Thorough] {
        let mut best = f64::MAX; let mut out = Vec::new();
        for _ in 0..15 {
            let t = Instant::now();
            let mut e = BatchEncoder::new(limits, effort);
            e.push(1_760_000_000, Default::default(), &[], &txs).unwrap();
            let max = e.bytes_max();
            out = e.finish();
            assert!(max >= out.len(), "{max} {}", out.len());
            best = best.min(t.elapsed().as_secs_f64());
        }
        let mut bd = f64::MAX;
        let mut b = Batch::default();
        for _ in 0..5 {
            let t = Instant::now();
            b = Batch::decode(&out, &limits).unwrap();
            bd = bd.min(t.elapsed().as_secs_f64());
        }
        for (a, b) in txs.iter().zip(&b.blocks[0].transactions) { assert_eq!(a[..], b.encoded_2718()[..]); }
        println!("{effort:?} {} memory {} bytes/tx {:.3} encode us/tx {:.3} decode us/tx {:.3}", txs.len(), out[1], out.len() as f64 / n, best * 1e6 / n, bd * 1e6 / n);
    }
    for size in [10, 100, 1000] {
        let mut total = 0;
        let mut k = 0;
        for chunk in txs.chunks(size).take(20) {
            let mut e = BatchEncoder::new(limits, Effort::Thorough);
            e.push(1_760_000_000, Default::default(), &[], chunk).unwrap();
            total += e.finish().len(); k += chunk.len();
        }
        println!("batches of {size}: {:.2}", total as f64 / k as f64);
    }
    let mut e = BatchEncoder::new(limits, Effort::Fast);
    for i in 0..1000 { e.push(1_760_000_000 + i, Default::default(), &[], &[]).unwrap(); }
    println!("1000 empty blocks: {}", e.finish().len());
}
