//! Selection of the implementation that hashes.

use crate::portable::keccak256;
#[cfg(target_arch = "x86_64")]
use crate::{avx2::Avx2, avx512::Avx512, batch::hash_all};

/// The implementation that hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeccakBackend {
    /// Eight messages at a time, with AVX-512F.
    Avx512,
    /// Four messages at a time, with AVX2.
    Avx2,
    /// One message at a time, on any CPU.
    Portable,
}

impl KeccakBackend {
    /// The widest backend of this CPU. The CPU is queried once. Without the feature `std` the
    /// target's compiled features decide.
    #[must_use]
    pub fn detect() -> Self {
        let simd = [Self::Avx512, Self::Avx2];
        simd.into_iter().find(|backend| backend.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this CPU has its instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Fewer messages are faster one by one.
    fn messages_min(self) -> usize {
        match self {
            Self::Avx512 => 2,
            Self::Avx2 => 3,
            Self::Portable => 0,
        }
    }
}

/// Hashes `messages[i]` into `hashes[i]`, with the fastest backend of this CPU.
///
/// # Panics
///
/// If the lengths differ.
pub fn keccak256_many(messages: &[&[u8]], hashes: &mut [[u8; 32]]) {
    let backend = KeccakBackend::detect();
    let worth_it = messages.len() >= backend.messages_min();
    keccak256_many_with(if worth_it { backend } else { KeccakBackend::Portable }, messages, hashes);
}

/// Hashes `messages[i]` into `hashes[i]` with the given backend.
///
/// # Panics
///
/// If the lengths differ, or if the CPU is not known to have this backend.
pub fn keccak256_many_with(backend: KeccakBackend, messages: &[&[u8]], hashes: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), hashes.len(), "expected one hash for each message");
    match backend {
        #[cfg(target_arch = "x86_64")]
        KeccakBackend::Avx512 => hash_all(available(backend, Avx512::new()), messages, hashes),
        #[cfg(target_arch = "x86_64")]
        KeccakBackend::Avx2 => hash_all(available(backend, Avx2::new()), messages, hashes),
        KeccakBackend::Portable => {
            for (message, hash) in messages.iter().zip(hashes) {
                *hash = keccak256(message);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        _ => panic!("{backend:?} is not available"),
    }
}

#[cfg(target_arch = "x86_64")]
fn available<S>(backend: KeccakBackend, sponge: Option<S>) -> S {
    sponge.unwrap_or_else(|| panic!("{backend:?} is not available"))
}
