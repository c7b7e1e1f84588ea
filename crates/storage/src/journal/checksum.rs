//! Checksums of rows: see the Format of the [module above](super).

use alloy_primitives::{B256, keccak256};

/// A row's checksum.
pub(super) type Checksum = [u8; 8];

/// The checksum that row 0 continues. It binds the journal to its chain.
pub(super) fn first_checksum(chain: B256) -> Checksum {
    chain[..8].try_into().expect("invariant: a hash has eight bytes")
}

/// Computes the checksum of a row from that of the row before.
pub(super) fn checksum(previous: &Checksum, sequence: u64, epoch: u64, payload: &[u8]) -> Checksum {
    let hash = keccak256(checksum_input(previous, sequence, epoch, payload));
    hash[..8].try_into().expect("invariant: a hash has eight bytes")
}

/// The bytes that a row's checksum hashes.
pub(super) fn checksum_input(
    previous: &Checksum,
    sequence: u64,
    epoch: u64,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24 + payload.len());
    bytes.extend_from_slice(previous);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}
