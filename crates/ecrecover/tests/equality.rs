//! Compares all implementations with libsecp256k1 and, where a key is known, with another library.

use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_primitives::{Address, B256, U256, keccak256, uint};
use turnpike_ecrecover::{RecoveryBackend, Signature, recover_many, recover_many_with};

/// Order of the group.
const N: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// The field's prime.
const P: U256 = uint!(0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f_U256);

/// Number of signatures in the random test, and in its long variant.
const RANDOM_SIGNATURES: u64 = 4_000;
const LONG_SIGNATURES: u64 = 1_000_000;

/// Number of signatures that the random test recovers at once.
const AT_ONCE: u64 = 400;

/// The backends of this machine. Prints the missing ones.
fn available() -> Vec<RecoveryBackend> {
    let (available, missing): (Vec<_>, Vec<_>) = [RecoveryBackend::Ifma, RecoveryBackend::Library]
        .into_iter()
        .partition(|backend| backend.is_available());
    if !missing.is_empty() {
        eprintln!("NOT TESTED, since this CPU does not have it: {missing:?}");
    }
    available
}

fn check(signatures: &[Signature]) -> Vec<Option<Address>> {
    let expected: Vec<_> = signatures.iter().map(Signature::recover).collect();
    for backend in available() {
        let signers = recover_many_with(backend, signatures);
        assert_eq!(signers.len(), expected.len(), "{backend:?}");
        for (at, (signer, expected)) in signers.iter().zip(&expected).enumerate() {
            assert_eq!(signer, expected, "{backend:?}, place {at}: {:?}", signatures[at]);
        }
    }
    assert_eq!(recover_many(signatures), expected, "detected");
    expected
}

fn number(seed: u64, of: &str) -> U256 {
    keccak256([&seed.to_be_bytes(), of.as_bytes()].concat()).into()
}

/// A valid signature, sometimes with the other `s` for the same key.
fn signed(seed: u64) -> Signature {
    let hash = B256::from(number(seed, "hash"));
    let signature = sign_message(number(seed, "key").into(), hash).expect("valid key");
    let made = Signature { hash, r: signature.r(), s: signature.s(), is_odd: signature.v() };
    if seed.is_multiple_of(3) {
        Signature { s: N - made.s, is_odd: !made.is_odd, ..made }
    } else {
        made
    }
}

/// A random signature. About half of these have no signer.
fn unsigned(seed: u64) -> Signature {
    let [hash, r, s] = ["hash", "r", "s"].map(|of| number(seed, of));
    Signature { hash: hash.into(), r, s, is_odd: hash.bit(17) }
}

/// The signer, recovered by another library.
fn by_another(signature: &Signature) -> Option<Address> {
    let Signature { hash, r, s, is_odd } = *signature;
    alloy_primitives::Signature::new(r, s, is_odd).recover_address_from_prehash(&hash).ok()
}

/// Values at the edges of the range and small values. Some are on no point.
fn edges() -> Vec<U256> {
    let one = U256::from(1);
    let high = [
        N - one,
        N,
        N + one,
        P - N,
        P - N - one,
        P - one,
        P,
        P + one,
        U256::MAX,
        N / U256::from(2),
    ];
    (0..12).map(U256::from).chain(high).collect()
}

#[test]
fn random_signatures_recover_the_librarys_signers() {
    let is_long = std::env::var_os("TURNPIKE_LONG").is_some();
    let count = if is_long { LONG_SIGNATURES } else { RANDOM_SIGNATURES };
    for first in (0..count).step_by(AT_ONCE as usize) {
        let seeds = first..first + AT_ONCE;
        let signatures: Vec<_> =
            seeds.map(|seed| if seed % 8 == 7 { unsigned(seed) } else { signed(seed) }).collect();
        let signers = check(&signatures);
        assert!(signers.iter().flatten().count() as u64 >= AT_ONCE * 7 / 8);
        for (signature, signer) in signatures.iter().zip(&signers).take(8) {
            assert_eq!(by_another(signature), *signer, "{signature:?}");
        }
    }
}

#[test]
fn signatures_of_a_key_recover_its_address() {
    let key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    let account = alloy_primitives::address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    let signatures: Vec<_> = (0..20)
        .map(|seed| {
            let hash = number(seed, "message").into();
            let signature =
                sign_message(key.parse().expect("valid hexadecimal"), hash).expect("valid key");
            Signature { hash, r: signature.r(), s: signature.s(), is_odd: signature.v() }
        })
        .collect();
    assert_eq!(check(&signatures), vec![Some(account); 20]);
}

#[test]
fn edge_values_recover_like_the_library() {
    let mut signatures = Vec::new();
    let edges = edges();
    for &r in edges.iter().chain(&[number(1, "r")]) {
        for &s in edges.iter().chain(&[number(1, "s")]) {
            for hash in [0, 1, 12, 13, 14, 20].map(|at| edges[at]) {
                let hash = hash.into();
                signatures.extend([false, true].map(|is_odd| Signature { hash, r, s, is_odd }));
            }
        }
    }
    let signers = check(&signatures);
    let some = signers.iter().flatten().count();
    let none = signers.len() - some;
    assert!(some > 500 && none > 500, "{some} and {none}");
}

#[test]
fn simd_lanes_are_independent() {
    let edges = edges();
    for lane in 0..8 {
        for (at, &edge) in edges.iter().enumerate() {
            let mut signatures: Vec<_> = (0..8).map(signed).collect();
            signatures[lane].r = edge;
            signatures[7 - lane].hash = edge.into();
            if at % 3 == 0 {
                signatures[(lane + 3) % 8].s = edge;
            }
            check(&signatures);
        }
    }
}

#[test]
fn any_number_of_signatures_recovers() {
    for count in (0..=33).chain([255, 256, 257, 258, 265, 519]) {
        let signatures: Vec<_> = (0..count).map(signed).collect();
        assert!(check(&signatures).iter().all(Option::is_some));
    }
}

#[test]
fn detected_backend_is_available() {
    assert!(RecoveryBackend::detect().is_available());
    assert!(RecoveryBackend::Library.is_available());
}
