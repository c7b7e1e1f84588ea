//! Checks blobs against their versioned hashes (EIP-4844) by computing each blob's commitment, so
//! that the server of a blob need not be trusted.

use alloy_eips::eip4844::{Bytes48, kzg_to_versioned_hash};
use alloy_primitives::B256;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::{Kzg, tables::commitment};

/// Why blobs do not match their hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// There are more or fewer blobs than hashes.
    #[error("expected {expected} blobs, found {found}")]
    Count {
        /// Number of hashes.
        expected: usize,
        /// Number of blobs.
        found: usize,
    },
    /// The bytes of a blob, by index, are not 4,096 numbers below the field's modulus.
    #[error("blob {0} is not 4,096 field elements")]
    Malformed(usize),
    /// A blob has another hash.
    #[error("blob {index} has versioned hash {found}, expected {expected}")]
    Hash {
        /// Index of the blob.
        index: usize,
        /// The hash given.
        expected: B256,
        /// The hash computed.
        found: B256,
    },
}

impl Kzg {
    /// Computes the versioned hash of each blob, in parallel. `None` stands for bytes that are not
    /// a blob. The first call loads the trusted setup.
    pub fn versioned_hashes<T: AsRef<[u8]> + Sync>(&self, blobs: &[T]) -> Vec<Option<B256>> {
        let hash = |commitment: Bytes48| kzg_to_versioned_hash(commitment.as_slice());
        self.commitments(blobs).into_iter().map(|commitment| commitment.map(hash)).collect()
    }

    /// Computes the commitment to each blob, in parallel. `None` stands for bytes that are not a
    /// blob. The first call loads the trusted setup.
    pub fn commitments<T: AsRef<[u8]> + Sync>(&self, blobs: &[T]) -> Vec<Option<Bytes48>> {
        self.pool.install(|| blobs.par_iter().map(|blob| commitment(blob.as_ref())).collect())
    }

    /// Checks that these blobs, in this order, have these versioned hashes. Computes each blob's
    /// commitment, in parallel.
    pub fn check_each<T: AsRef<[u8]> + Sync>(
        &self,
        blobs: &[T],
        hashes: &[B256],
    ) -> Result<(), BlobError> {
        if blobs.len() != hashes.len() {
            return Err(BlobError::Count { expected: hashes.len(), found: blobs.len() });
        }
        let found = self.versioned_hashes(blobs);
        for (index, (found, expected)) in found.into_iter().zip(hashes).enumerate() {
            let found = found.ok_or(BlobError::Malformed(index))?;
            if found != *expected {
                return Err(BlobError::Hash { index, expected: *expected, found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;
    use turnpike_protocol::{BLOB_BYTES, pack_blobs};

    use super::*;

    fn versioned_hash(blob: &[u8]) -> Option<B256> {
        Kzg::shared().versioned_hashes(&[blob])[0]
    }

    #[test]
    fn empty_blob_has_ethereums_hash() {
        // The commitment to the zero polynomial is the point at infinity.
        let expected = b256!("010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");
        assert_eq!(versioned_hash(&[0; BLOB_BYTES]), Some(expected));
    }

    #[test]
    fn blob_with_another_hash_is_rejected() {
        let kzg = Kzg::shared();
        let blobs = pack_blobs(b"a batch").expect("data fits a blob");
        let hash = versioned_hash(&blobs).expect("a blob");
        assert_eq!(kzg.check_each(&[&blobs], &[hash]), Ok(()));
        let mut tampered = blobs.clone();
        tampered[40] ^= 1;
        let found = versioned_hash(&tampered).expect("a blob");
        let refused = BlobError::Hash { index: 0, expected: hash, found };
        assert_eq!(kzg.check_each(&[&tampered], &[hash]), Err(refused));
        tampered[0] = 0xff;
        assert_eq!(kzg.check_each(&[&tampered], &[hash]), Err(BlobError::Malformed(0)));
        assert_eq!(kzg.check_each(&[&blobs[1..]], &[hash]), Err(BlobError::Malformed(0)));
        let too_many = BlobError::Count { expected: 1, found: 2 };
        assert_eq!(kzg.check_each(&[&blobs, &blobs], &[hash]), Err(too_many));
    }
}
