//! Compares every backend with an independent implementation.

use proptest::{collection, prelude::*};
use turnpike_keccak::{KeccakBackend, keccak256, keccak256_many, keccak256_many_with};

/// The backends of this machine; prints the ones that it lacks.
fn available() -> Vec<KeccakBackend> {
    let (available, missing): (Vec<_>, Vec<_>) =
        [KeccakBackend::Avx512, KeccakBackend::Avx2, KeccakBackend::Portable]
            .into_iter()
            .partition(|l| l.is_available());
    if !missing.is_empty() {
        eprintln!("NOT TESTED, since this CPU does not have it: {missing:?}");
    }
    available
}

fn check(messages: &[&[u8]]) {
    let expected: Vec<_> =
        messages.iter().map(|message| alloy_primitives::keccak256(message).0).collect();
    for backend in available() {
        let mut hashes = vec![[0xee; 32]; messages.len()];
        keccak256_many_with(backend, messages, &mut hashes);
        assert_eq!(hashes, expected, "{backend:?}");
    }
    let mut hashes = vec![[0xee; 32]; messages.len()];
    keccak256_many(messages, &mut hashes);
    assert_eq!(hashes, expected, "detected");
    let single: Vec<_> = messages.iter().map(|message| keccak256(message)).collect();
    assert_eq!(single, expected, "one by one");
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + length) as u8).collect()
}

#[test]
fn every_length_hashes_correctly_in_every_simd_lane() {
    for length in 0..=700 {
        let message = bytes(length);
        let others: Vec<_> = (1..8).map(|index| bytes(index * 90)).collect();
        for place in [0, length % 8] {
            let mut messages: Vec<&[u8]> = others.iter().map(Vec::as_slice).collect();
            messages.insert(place, &message);
            check(&messages);
        }
        check(&[message.as_slice(); 9]);
    }
}

#[test]
fn known_vectors() {
    let vectors: [(&[u8], &str); 2] = [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ];
    let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (message, expected) in vectors {
        assert_eq!(hex(&keccak256(message)), expected);
        for backend in available() {
            let mut hashes = [[0; 32]; 3];
            keccak256_many_with(backend, &[message; 3], &mut hashes);
            assert!(hashes.iter().all(|hash| hex(hash) == expected), "{backend:?}");
        }
    }
}

#[test]
fn hashing_no_messages_succeeds() {
    check(&[]);
}

#[test]
fn detected_backend_is_available() {
    assert!(KeccakBackend::detect().is_available());
    assert!(KeccakBackend::Portable.is_available());
}

#[test]
#[should_panic(expected = "one hash for each message")]
fn different_lengths_panic() {
    keccak256_many(&[b"a", b"b"], &mut [[0; 32]]);
}

proptest! {
    #[test]
    fn any_mix_of_lengths_and_counts_hashes_correctly(
        messages in collection::vec(
            prop_oneof![
                2 => collection::vec(any::<u8>(), 0..=137),
                1 => collection::vec(any::<u8>(), 0..=900),
            ],
            1..=40,
        ),
    ) {
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        check(&messages);
    }
}
