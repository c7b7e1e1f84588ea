//! Mutates inputs without feedback: what a fuzzer does, for runs that have no fuzzer.

use turnpike_random::Rng;

/// Maximum bytes of a mutated input.
const BYTES_MAX: usize = 4_096;

/// Maximum number of changes to one input.
const CHANGES_MAX: usize = 4;

/// Numbers at which limits and signs change.
const NUMBERS: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0xffff, 1 << 31, u32::MAX as u64, 1 << 32, 1 << 63, u64::MAX];

/// `input` with a few random changes. Some of them copy bytes from `other`.
pub fn mutated(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.below(CHANGES_MAX) {
        change(rng, &mut bytes, other);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = rng.below(bytes.len() + 1);
    let end = at + rng.below(bytes.len() - at + 1).min(1 + rng.below(64));
    match rng.below(8) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
        2 if at < bytes.len() => bytes[at] = rng.next_u64().to_le_bytes()[0],
        3 => {
            let number = rng.pick(&NUMBERS).to_be_bytes();
            for (byte, new) in bytes[at..].iter_mut().zip(number) {
                *byte = new;
            }
        }
        4 => drop(bytes.drain(at..end)),
        5 => {
            let copy = bytes[at..end].to_vec();
            let to = rng.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        6 => {
            let from = rng.below(other.len() + 1);
            let copy = other[from..].iter().copied().take(end - at).collect::<Vec<_>>();
            bytes.splice(at..end, copy);
        }
        _ => {
            let noise = (0..rng.below(8)).map(|_| rng.next_u64().to_le_bytes()[0]);
            let noise = noise.collect::<Vec<_>>();
            bytes.splice(at..at, noise);
        }
    }
}
