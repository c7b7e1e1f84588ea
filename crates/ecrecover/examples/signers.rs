//! Microseconds per signature, by backend and number of signatures at once.

use std::{hint::black_box, time::Instant};

use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_primitives::{B256, keccak256};
use turnpike_ecrecover::{RecoveryBackend, Signature, recover_many_with};

const SIGNATURES: usize = 256;
const ROUNDS: usize = 100;
const AT_ONCE: [usize; 8] = [1, 2, 3, 4, 8, 32, 128, 256];

fn main() {
    let signatures: Vec<_> = (0..SIGNATURES).map(signature).collect();
    let (library, ifma) = (RecoveryBackend::Library, RecoveryBackend::Ifma);
    println!("{:>8} {:>10} {:>10} {:>6}", "at once", "library us", "ifma us", "ratio");
    for at_once in AT_ONCE {
        let library = microseconds(library, &signatures, at_once);
        if !ifma.is_available() {
            println!("{at_once:>8} {library:>10.2} not available on this CPU");
            continue;
        }
        let ifma_us = microseconds(ifma, &signatures, at_once);
        println!("{at_once:>8} {library:>10.2} {ifma_us:>10.2} {:>6.2}", library / ifma_us);
    }
}

fn signature(index: usize) -> Signature {
    let hash = keccak256(index.to_be_bytes());
    let signature = sign_message(keccak256(hash), hash).expect("a hash is a key");
    Signature { hash: B256::from(hash), r: signature.r(), s: signature.s(), is_odd: signature.v() }
}

/// The fastest of several runs, so that other load has little effect.
fn microseconds(backend: RecoveryBackend, signatures: &[Signature], at_once: usize) -> f64 {
    let runs = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        for signatures in signatures.chunks(at_once) {
            black_box(recover_many_with(backend, black_box(signatures)));
        }
        start.elapsed().as_secs_f64()
    });
    runs.fold(f64::INFINITY, f64::min) * 1e6 / signatures.len() as f64
}
