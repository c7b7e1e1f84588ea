//! Which implementation hashes.

use crate::portable::keccak256;
#[cfg(target_arch = "x86_64")]
use crate::{avx2::Avx2, avx512::Avx512, batch::hash_all};

/// Which implementation hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Eight messages at a time, with AVX-512F.
    Avx512,
    /// Four messages at a time, with AVX2.
    Avx2,
    /// One message at a time, on any CPU.
    Portable,
}

impl Lanes {
    /// The widest that this CPU has. The CPU is asked once; without the feature `std` it is not
    /// asked at all, and what counts is what the target is compiled for.
    #[must_use]
    pub fn detect() -> Self {
        let simd = [Self::Avx512, Self::Avx2];
        simd.into_iter().find(|lanes| lanes.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this CPU has what it takes.
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

    /// Fewer messages than this are faster one after the other.
    fn messages_min(self) -> usize {
        match self {
            Self::Avx512 => 2,
            Self::Avx2 => 3,
            Self::Portable => 0,
        }
    }
}

/// Hashes `messages[i]` into `hashes[i]`, in the fastest way that this CPU has.
///
/// # Panics
///
/// If the lengths differ.
pub fn keccak256_many(messages: &[&[u8]], hashes: &mut [[u8; 32]]) {
    let lanes = Lanes::detect();
    let worth_it = messages.len() >= lanes.messages_min();
    keccak256_many_with(if worth_it { lanes } else { Lanes::Portable }, messages, hashes);
}

/// Hashes `messages[i]` into `hashes[i]` in a given way.
///
/// # Panics
///
/// If the lengths differ, or if the CPU is not known to have these `lanes`.
pub fn keccak256_many_with(lanes: Lanes, messages: &[&[u8]], hashes: &mut [[u8; 32]]) {
    assert_eq!(messages.len(), hashes.len(), "expected one hash for each message");
    match lanes {
        #[cfg(target_arch = "x86_64")]
        Lanes::Avx512 => hash_all(available(lanes, Avx512::new()), messages, hashes),
        #[cfg(target_arch = "x86_64")]
        Lanes::Avx2 => hash_all(available(lanes, Avx2::new()), messages, hashes),
        Lanes::Portable => {
            for (message, hash) in messages.iter().zip(hashes) {
                *hash = keccak256(message);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        _ => panic!("{lanes:?} is not available"),
    }
}

#[cfg(target_arch = "x86_64")]
fn available<S>(lanes: Lanes, sponge: Option<S>) -> S {
    sponge.unwrap_or_else(|| panic!("{lanes:?} is not available"))
}
