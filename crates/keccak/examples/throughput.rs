//! Nanoseconds per message, by backend and length, next to alloy's.

use std::{hint::black_box, time::Instant};

use turnpike_keccak::{KeccakBackend, keccak256_many_with};

type Hasher<'a> = &'a dyn Fn(&[&[u8]], &mut [[u8; 32]]);

const MESSAGES: usize = 1024;
const ROUNDS: usize = 200;

fn main() {
    println!("{:>10} {:>8} {:>8} {:>8} {:>8} {:>8}", "ns/message", 32, 64, 104, 532, "mixed");
    let lengths: [&[usize]; 5] = [&[32], &[64], &[104], &[532], &[32, 64, 532, 70, 64, 104, 90]];
    let row = |name: &str, hash: Hasher<'_>| {
        let times = lengths.map(|lengths| format!("{:>8.1}", nanoseconds(lengths, hash)));
        println!("{name:>10} {}", times.join(" "));
    };
    for backend in [KeccakBackend::Avx512, KeccakBackend::Avx2, KeccakBackend::Portable] {
        let name = format!("{backend:?}");
        if backend.is_available() {
            row(&name, &|messages, hashes| keccak256_many_with(backend, messages, hashes));
        } else {
            println!("{name:>10} not available on this CPU");
        }
    }
    row("alloy", &|messages, hashes| {
        for (message, hash) in messages.iter().zip(hashes) {
            *hash = alloy_primitives::keccak256(message).0;
        }
    });
}

/// The fastest of several runs, so that other load counts little.
fn nanoseconds(lengths: &[usize], hash: Hasher<'_>) -> f64 {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
    let message = |index: usize| &bytes[index..][..lengths[index % lengths.len()]];
    let messages: Vec<&[u8]> = (0..MESSAGES).map(message).collect();
    let mut hashes = vec![[0; 32]; MESSAGES];
    let runs = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        hash(black_box(&messages), black_box(&mut hashes));
        start.elapsed().as_secs_f64()
    });
    runs.fold(f64::INFINITY, f64::min) * 1e9 / MESSAGES as f64
}
