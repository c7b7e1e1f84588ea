//! Checks the blobs that a server sends, and finds those with the requested hashes.
//!
//! The server says which commitments the block has and in which order. If its blobs match them, one
//! check covers all of them. Otherwise each blob's commitment is computed, so that a wrong blob or
//! commitment costs time and is never believed.

use std::collections::{HashMap, HashSet};

use alloy_consensus::{TxEip4844Variant, TxEnvelope};
use alloy_eips::{
    eip4844::{Bytes48, kzg_to_versioned_hash},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{B256, Bytes};
use tracing::debug;

use crate::kzg::Kzg;

/// Blobs keyed by the versioned hashes that their bytes have.
pub(crate) type CheckedBlobs = HashMap<B256, Bytes>;

/// Blobs as a server sends them, unchecked.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServedBlobs {
    /// Blobs of one L1 block, in its order. There may be more than requested, or others.
    pub(crate) blobs: Vec<Bytes>,
    /// The block's commitments, in its order; empty if the server does not send them.
    pub(crate) commitments: Vec<Bytes48>,
}

impl ServedBlobs {
    /// The blobs that a transaction has attached, as in the pool. Development nodes serve them so.
    pub(crate) fn attached_to(tx: TxEnvelope) -> Option<Self> {
        let TxEnvelope::Eip4844(signed) = tx else { return None };
        let TxEip4844Variant::TxEip4844WithSidecar(tx) = signed.strip_signature() else {
            return None;
        };
        let (blobs, commitments) = match tx.sidecar {
            BlobTransactionSidecarVariant::Eip4844(sidecar) => (sidecar.blobs, sidecar.commitments),
            BlobTransactionSidecarVariant::Eip7594(sidecar) => (sidecar.blobs, sidecar.commitments),
        };
        let blobs = blobs.iter().map(|blob| Bytes::copy_from_slice(blob.as_slice())).collect();
        Some(Self { blobs, commitments })
    }

    /// [`check_served`] on KZG's threads.
    pub(crate) async fn check(self, requested: &[B256]) -> CheckedBlobs {
        let requested = requested.to_vec();
        let Self { blobs, commitments } = self;
        Kzg::shared().run(move |kzg| check_served(kzg, blobs, &commitments, &requested)).await
    }
}

/// The blobs with these hashes, concatenated. The error is the first hash without a blob.
pub(crate) fn concatenate(found: &CheckedBlobs, hashes: &[B256]) -> Result<Bytes, B256> {
    let mut data = Vec::new();
    for hash in hashes {
        data.extend_from_slice(found.get(hash).ok_or(*hash)?);
    }
    Ok(data.into())
}

/// Returns the served blobs that were requested. May also return other blobs. `commitments` are
/// those of the block, in its order, or empty if the server does not tell.
fn check_served(
    kzg: &Kzg,
    served: Vec<Bytes>,
    commitments: &[Bytes48],
    requested: &[B256],
) -> CheckedBlobs {
    if served.is_empty() {
        return CheckedBlobs::new();
    }
    let requested: HashSet<_> = requested.iter().copied().collect();
    if let Some(checked) = check_together(kzg, &served, commitments, &requested) {
        return checked;
    }
    if !commitments.is_empty() {
        debug!(blobs = served.len(), "blobs do not match the block's commitments: checking each");
    }
    let hashes = kzg.versioned_hashes(&served);
    hashes.into_iter().zip(served).filter_map(|(hash, blob)| Some((hash?, blob))).collect()
}

/// Checks the requested blobs with one multiplication. `None` if the served blobs cannot be matched
/// with commitments by their number, or do not have them.
fn check_together(
    kzg: &Kzg,
    served: &[Bytes],
    commitments: &[Bytes48],
    requested: &HashSet<B256>,
) -> Option<CheckedBlobs> {
    let hashed: Vec<_> = commitments
        .iter()
        .map(|commitment| (kzg_to_versioned_hash(commitment.as_slice()), commitment))
        .collect();
    let is_requested = |hash: &B256| requested.contains(hash);
    let expected = hashed.iter().filter(|(hash, _)| is_requested(hash)).count();
    // The server filtered its blobs, or it serves those of the whole block.
    let pairs: Vec<_> = if served.len() == expected {
        served.iter().zip(hashed.iter().filter(|(hash, _)| is_requested(hash))).collect()
    } else if served.len() == hashed.len() {
        served.iter().zip(&hashed).filter(|(_, (hash, _))| is_requested(hash)).collect()
    } else {
        return None;
    };
    let (blobs, commitments): (Vec<_>, Vec<_>) =
        pairs.iter().map(|(blob, (_, commitment))| (*blob, **commitment)).unzip();
    if blobs.is_empty() || !kzg.check_all(&blobs, &commitments) {
        return None;
    }
    Some(pairs.into_iter().map(|(blob, (hash, _))| (*hash, blob.clone())).collect())
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::{BLOB_BYTES, pack_blobs};

    use super::*;

    /// A block with blobs of different content, their commitments and hashes.
    struct Block {
        blobs: Vec<Bytes>,
        commitments: Vec<Bytes48>,
        hashes: Vec<B256>,
    }

    impl Block {
        fn new(count: u8) -> Self {
            let content = |number| pack_blobs(&[number; 100]).expect("data fits a blob").into();
            let blobs: Vec<Bytes> = (0..count).map(content).collect();
            let commitments = Kzg::shared().commitments(&blobs).into_iter();
            let commitments: Vec<_> = commitments.map(|it| it.expect("a blob")).collect();
            let hashes =
                commitments.iter().map(|it| kzg_to_versioned_hash(it.as_slice())).collect();
            Self { blobs, commitments, hashes }
        }

        /// The result of one check without fallback, for the requested blobs by index.
        fn together(&self, served: &[usize], requested: &[usize]) -> Option<CheckedBlobs> {
            let served: Vec<_> = served.iter().map(|index| self.blobs[*index].clone()).collect();
            let requested = requested.iter().map(|index| self.hashes[*index]).collect();
            check_together(Kzg::shared(), &served, &self.commitments, &requested)
        }

        fn named(&self, indices: &[usize]) -> CheckedBlobs {
            indices.iter().map(|index| (self.hashes[*index], self.blobs[*index].clone())).collect()
        }

        fn check(&self, served: &[Bytes], commitments: &[Bytes48]) -> CheckedBlobs {
            check_served(Kzg::shared(), served.to_vec(), commitments, &self.hashes)
        }
    }

    #[test]
    fn filtered_and_unfiltered_blobs_are_checked_together() {
        let block = Block::new(4);
        for (served, requested) in [
            (&[0, 1, 2, 3][..], &[0, 1, 2, 3][..]),
            (&[1, 3], &[1, 3]),
            (&[1, 3], &[3, 1]),
            (&[0, 1, 2, 3], &[1, 3]),
        ] {
            let checked = block.together(served, requested);
            assert_eq!(checked, Some(block.named(requested)), "{served:?} for {requested:?}");
        }
        assert_eq!(block.together(&[1], &[1, 3]), None, "a part");
        assert_eq!(block.together(&[3, 1], &[1, 3]), None, "another order");
        assert_eq!(block.together(&[0, 1], &[]), None, "of other transactions");
    }

    #[test]
    fn same_blob_of_two_transactions_is_found() {
        let mut block = Block::new(2);
        block.blobs.push(block.blobs[0].clone());
        block.commitments.push(block.commitments[0]);
        block.hashes.push(block.hashes[0]);
        assert_eq!(block.together(&[0, 2], &[0]), Some(block.named(&[0])));
        assert_eq!(block.together(&[0, 1, 2], &[0]), Some(block.named(&[0])));
        // A server that serves it once.
        let checked = block.check(&block.blobs[..2], &block.commitments);
        assert_eq!(checked, block.named(&[0, 1]));
    }

    #[test]
    fn right_blobs_are_found_whatever_the_commitments() {
        let block = Block::new(3);
        let all = block.named(&[0, 1, 2]);
        let mut wrong = block.commitments.clone();
        wrong.swap(0, 2);
        let mut reversed = block.blobs.clone();
        reversed.reverse();
        let not_a_point = [Bytes48::from([0xff; 48]); 3];
        for (served, commitments) in [
            (&block.blobs, &[][..]),
            (&block.blobs, &wrong),
            (&block.blobs, &not_a_point),
            (&block.blobs, &block.commitments[..2]),
            (&reversed, &block.commitments),
        ] {
            assert_eq!(block.check(served, commitments), all);
        }
    }

    #[test]
    fn tampered_blob_is_never_returned_under_its_hash() {
        let block = Block::new(3);
        for commitments in [&block.commitments[..], &[]] {
            for index in 0..3 {
                let mut served = block.blobs.clone();
                let mut tampered = served[index].to_vec();
                tampered[BLOB_BYTES - 1] ^= 1;
                served[index] = tampered.into();
                let checked = block.check(&served, commitments);
                assert_eq!(checked.get(&block.hashes[index]), None);
                let others: Vec<_> = (0..3).filter(|other| *other != index).collect();
                for (hash, blob) in block.named(&others) {
                    assert_eq!(checked.get(&hash), Some(&blob));
                }
            }
        }
    }

    #[test]
    fn commitments_of_other_blobs_prove_nothing() {
        // The server commits to its own blobs.
        let (block, other) = (Block::new(1), Block::new(2));
        let checked = block.check(&other.blobs[1..], &other.commitments[1..]);
        assert_eq!(checked.get(&block.hashes[0]), None);
        let checked = block.check(&[Bytes::from_static(b"short")], &block.commitments);
        assert_eq!(checked, CheckedBlobs::new());
    }
}
