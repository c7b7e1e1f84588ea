//! Checks blobs against their versioned hashes (EIP-4844) by computing each blob's KZG commitment,
//! so that the server of a blob need not be trusted.

use alloy_eips::eip4844::{c_kzg, kzg_to_versioned_hash};
use alloy_primitives::B256;

/// No precomputed tables: commitments do not need them.
const PRECOMPUTE: u64 = 0;

/// Why blobs do not match their hashes.
#[cfg(any(test, feature = "memory"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("expected {expected} blobs, found {found}")]
    Count { expected: usize, found: usize },
    #[error("blob {0} is not 4,096 field elements")]
    Malformed(usize),
    #[error("blob {index} has versioned hash {found}, expected {expected}")]
    Hash { index: usize, expected: B256, found: B256 },
}

/// Computes the versioned hash of a blob. Returns `None` if the bytes are not a blob. The first
/// call loads the trusted setup.
pub(crate) fn versioned_hash(blob: &[u8]) -> Option<B256> {
    let blob = c_kzg::Blob::from_bytes(blob).ok()?;
    let settings = c_kzg::ethereum_kzg_settings(PRECOMPUTE);
    let commitment = settings.blob_to_kzg_commitment(&blob).ok()?;
    Some(kzg_to_versioned_hash(commitment.to_bytes().as_slice()))
}

/// Checks that these blobs, in this order, have these versioned hashes.
#[cfg(any(test, feature = "memory"))]
pub(crate) fn check_blobs(blobs: &[&[u8]], hashes: &[B256]) -> Result<(), BlobError> {
    if blobs.len() != hashes.len() {
        return Err(BlobError::Count { expected: hashes.len(), found: blobs.len() });
    }
    for (index, (blob, expected)) in blobs.iter().zip(hashes).enumerate() {
        let found = versioned_hash(blob).ok_or(BlobError::Malformed(index))?;
        if found != *expected {
            return Err(BlobError::Hash { index, expected: *expected, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;
    use turnpike_protocol::{BLOB_BYTES, pack_blobs};

    use super::*;

    #[test]
    fn empty_blob_has_ethereums_hash() {
        // The commitment to the zero polynomial is the point at infinity.
        let expected = b256!("010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");
        assert_eq!(versioned_hash(&[0; BLOB_BYTES]), Some(expected));
    }

    #[test]
    fn blob_with_another_hash_is_rejected() {
        let blobs = pack_blobs(b"a batch").expect("data fits a blob");
        let hash = versioned_hash(&blobs).expect("a blob");
        assert_eq!(check_blobs(&[&blobs], &[hash]), Ok(()));
        let mut tampered = blobs.clone();
        tampered[40] ^= 1;
        let found = versioned_hash(&tampered).expect("a blob");
        let refused = BlobError::Hash { index: 0, expected: hash, found };
        assert_eq!(check_blobs(&[&tampered], &[hash]), Err(refused));
        tampered[0] = 0xff;
        assert_eq!(check_blobs(&[&tampered], &[hash]), Err(BlobError::Malformed(0)));
        assert_eq!(check_blobs(&[&blobs[1..]], &[hash]), Err(BlobError::Malformed(0)));
        let too_many = BlobError::Count { expected: 1, found: 2 };
        assert_eq!(check_blobs(&[&blobs, &blobs], &[hash]), Err(too_many));
    }
}
