//! Selection of the implementation that recovers signers.

use alloy_primitives::Address;
#[cfg(target_arch = "x86_64")]
use turnpike_simd::Ifma;

use crate::Signature;
#[cfg(target_arch = "x86_64")]
use crate::many::recover_all;

/// An implementation of signer recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryBackend {
    /// Eight signatures at a time, with AVX-512 IFMA.
    Ifma,
    /// One signature at a time, with libsecp256k1, on any CPU.
    Library,
}

impl RecoveryBackend {
    /// The widest backend of this CPU. The CPU is queried once.
    #[must_use]
    pub fn detect() -> Self {
        if Self::Ifma.is_available() { Self::Ifma } else { Self::Library }
    }

    /// Whether this CPU has the backend's instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => Ifma::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma => false,
            Self::Library => true,
        }
    }
}

/// Recovers the signer of each signature, in order, with the fastest backend of this CPU. `None`
/// marks a signature without a signer.
#[must_use]
pub fn recover_many(signatures: &[Signature]) -> Vec<Option<Address>> {
    recover_many_with(RecoveryBackend::detect(), signatures)
}

/// [`recover_many`] with the given backend.
///
/// # Panics
///
/// If the CPU is not known to have this backend.
#[must_use]
pub fn recover_many_with(
    backend: RecoveryBackend,
    signatures: &[Signature],
) -> Vec<Option<Address>> {
    match backend {
        #[cfg(target_arch = "x86_64")]
        RecoveryBackend::Ifma => {
            let ifma =
                Ifma::detect().unwrap_or_else(|| panic!("this CPU does not have {backend:?}"));
            recover_all(ifma, signatures)
        }
        #[cfg(not(target_arch = "x86_64"))]
        RecoveryBackend::Ifma => panic!("this CPU does not have {backend:?}"),
        RecoveryBackend::Library => signatures.iter().map(Signature::recover).collect(),
    }
}
