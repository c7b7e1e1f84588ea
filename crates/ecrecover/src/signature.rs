//! A signature with the hash that it signs, and the recovery of its signer with libsecp256k1.

use alloy_consensus::crypto::secp256k1::recover_signer_unchecked;
use alloy_primitives::{Address, B256, U256};

/// A signature and the hash that it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The hash that was signed.
    pub hash: B256,
    /// The x coordinate of the signature's point. It is valid from 1 to below the group's order.
    pub r: U256,
    /// The proof, with the same range.
    pub s: U256,
    /// Whether the point's y coordinate is odd.
    pub is_odd: bool,
}

impl Signature {
    /// Recovers the signer's address with libsecp256k1. Returns `None` if no key made the
    /// signature.
    #[must_use]
    pub fn recover(&self) -> Option<Address> {
        let signature = alloy_primitives::Signature::new(self.r, self.s, self.is_odd);
        recover_signer_unchecked(&signature, self.hash).ok()
    }
}
