//! Which implementation recovers.

use alloy_primitives::Address;

use crate::Signature;
#[cfg(target_arch = "x86_64")]
use crate::{ifma::Ifma, many::recover_all};

/// Which implementation recovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Eight signatures at a time, with AVX-512 IFMA.
    Ifma,
    /// One signature at a time, with libsecp256k1, on any CPU.
    Library,
}

impl Lanes {
    /// The widest that this CPU has. The CPU is asked once.
    #[must_use]
    pub fn detect() -> Self {
        if Self::Ifma.is_available() { Self::Ifma } else { Self::Library }
    }

    /// Whether this CPU has what it takes.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => Ifma::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma => false,
            Self::Library => true,
        }
    }
}

/// The signer of each signature, in order, in the fastest way that this CPU has; `None` where there is none.
#[must_use]
pub fn recover_many(signatures: &[Signature]) -> Vec<Option<Address>> {
    recover_many_with(Lanes::detect(), signatures)
}

/// The same, in a given way.
///
/// # Panics
///
/// If the CPU is not known to have these `lanes`.
#[must_use]
pub fn recover_many_with(lanes: Lanes, signatures: &[Signature]) -> Vec<Option<Address>> {
    match lanes {
        #[cfg(target_arch = "x86_64")]
        Lanes::Ifma => {
            let ifma = Ifma::new().unwrap_or_else(|| panic!("this CPU does not have {lanes:?}"));
            recover_all(ifma, signatures)
        }
        #[cfg(not(target_arch = "x86_64"))]
        Lanes::Ifma => panic!("this CPU does not have {lanes:?}"),
        Lanes::Library => signatures.iter().map(Signature::recover).collect(),
    }
}
