//! Checks any number of blobs against their commitments with one multi-scalar multiplication.
//!
//! With `r` that nobody can predict, the sums of `r^i B_i` over blobs and of `r^i C_i` over
//! commitments belong together only if every `B_i` and `C_i` do: wrong pairs cancel out with
//! probability below `n / 2^254`. `r` is a hash of all commitments and blobs, so a server cannot
//! choose them after `r` (Fiat–Shamir).

use std::iter;

use alloy_eips::eip4844::{BYTES_PER_BLOB, Bytes48, FIELD_ELEMENTS_PER_BLOB};
use alloy_primitives::{Keccak256, keccak256};
use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup as _;
use ark_ff::{BigInt, One as _, PrimeField as _, Zero as _};
use ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _};
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};

use super::{Kzg, tables::commitment};

/// Separates this use of the hash from others.
const DOMAIN: &[u8] = b"turnpike: blobs against their commitments";

/// Bytes of a field element.
const ELEMENT_BYTES: usize = 32;

/// Field elements that are worth a thread of their own.
const ELEMENTS_MIN: usize = 256;

impl Kzg {
    /// Whether these are blobs and these, in the same order, their commitments. Says nothing about
    /// which of several is wrong. The cost of further blobs is small.
    pub fn check_all<T: AsRef<[u8]> + Sync>(&self, blobs: &[T], commitments: &[Bytes48]) -> bool {
        let is_whole = |blob: &T| blob.as_ref().len() == BYTES_PER_BLOB;
        if blobs.len() != commitments.len() || !blobs.iter().all(is_whole) {
            return false;
        }
        blobs.is_empty()
            || self.pool.install(|| {
                let r = challenge(blobs, commitments);
                check_with(blobs, commitments, r).is_some_and(|is_equal| is_equal)
            })
    }
}

/// Whether the combinations with powers of `r` belong together. `None` if an element is no field
/// element or a commitment no point of the group.
fn check_with<T: AsRef<[u8]> + Sync>(blobs: &[T], commitments: &[Bytes48], r: Fr) -> Option<bool> {
    let (left, right) = rayon::join(
        || commitment(&combined_blob(blobs, r)?),
        || combined_commitment(commitments, r),
    );
    Some(left? == right?)
}

/// Hashes everything that the check is about to a field element.
fn challenge<T: AsRef<[u8]> + Sync>(blobs: &[T], commitments: &[Bytes48]) -> Fr {
    let digests: Vec<_> = blobs.par_iter().map(|blob| keccak256(blob.as_ref())).collect();
    let mut hasher = Keccak256::new();
    hasher.update(DOMAIN);
    hasher.update((blobs.len() as u64).to_be_bytes());
    for (commitment, digest) in commitments.iter().zip(&digests) {
        hasher.update(commitment);
        hasher.update(digest);
    }
    Fr::from_be_bytes_mod_order(hasher.finalize().as_slice())
}

/// The sum of `r^i B_i`, element by element.
fn combined_blob<T: AsRef<[u8]> + Sync>(blobs: &[T], r: Fr) -> Option<Vec<u8>> {
    let elements = (0..FIELD_ELEMENTS_PER_BLOB as usize).into_par_iter();
    let elements = elements.with_min_len(ELEMENTS_MIN).map(|index| {
        let mut sum = Fr::zero();
        for blob in blobs.iter().rev() {
            sum = sum * r + element(blob.as_ref(), index)?;
        }
        Some(to_bytes(sum))
    });
    Some(elements.collect::<Option<Vec<_>>>()?.concat())
}

/// A field element of a blob; `None` if it is not below the modulus.
fn element(blob: &[u8], index: usize) -> Option<Fr> {
    let bytes = blob.get(index * ELEMENT_BYTES..)?.first_chunk::<ELEMENT_BYTES>()?;
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.as_chunks().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    Fr::from_bigint(BigInt::new(limbs))
}

fn to_bytes(element: Fr) -> [u8; ELEMENT_BYTES] {
    let mut bytes = [0; ELEMENT_BYTES];
    for (bytes, limb) in
        bytes.as_chunks_mut().0.iter_mut().zip(element.into_bigint().0.iter().rev())
    {
        *bytes = limb.to_be_bytes();
    }
    bytes
}

/// The sum of `r^i C_i`, compressed; `None` if one is not in the group of prime order.
fn combined_commitment(commitments: &[Bytes48], r: Fr) -> Option<Bytes48> {
    let powers: Vec<_> = iter::successors(Some(Fr::one()), |power| Some(*power * r))
        .take(commitments.len())
        .collect();
    let terms = commitments.par_iter().zip(&powers).map(|(commitment, power)| {
        // This checks that the point is on the curve and in the subgroup.
        let point = G1Affine::deserialize_compressed(commitment.as_slice()).ok()?;
        Some(point * power)
    });
    let terms = terms.collect::<Option<Vec<G1Projective>>>()?;
    let mut bytes = [0; 48];
    let sum = terms.into_iter().sum::<G1Projective>().into_affine();
    sum.serialize_compressed(&mut bytes[..]).ok()?;
    Some(bytes.into())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;

    use super::*;

    /// Different blobs with their commitments. Few elements are set: the check takes as long, and
    /// commitments less.
    fn committed(count: usize) -> (Vec<Vec<u8>>, Vec<Bytes48>) {
        let blobs: Vec<_> = (0..count)
            .map(|number| {
                let mut blob = vec![0; BYTES_PER_BLOB];
                for at in (1..BYTES_PER_BLOB).step_by(1_024) {
                    blob[at] = (at / 1_024 + 7 * number) as u8;
                }
                blob
            })
            .collect();
        let commitments = blobs.iter().map(|blob| commitment(blob).expect("a blob")).collect();
        (blobs, commitments)
    }

    fn check(blobs: &[Vec<u8>], commitments: &[Bytes48]) -> bool {
        Kzg::shared().check_all(blobs, commitments)
    }

    #[test]
    fn right_blobs_pass() {
        for count in [0, 1, 2, 6, 21] {
            let (blobs, commitments) = committed(count);
            assert!(check(&blobs, &commitments), "{count} blobs");
        }
    }

    #[test]
    fn every_tampered_blob_is_refused() {
        let (blobs, commitments) = committed(6);
        for index in 0..6 {
            for at in [31, BYTES_PER_BLOB - 1] {
                let mut blobs = blobs.clone();
                blobs[index][at] ^= 1;
                assert!(!check(&blobs, &commitments), "byte {at} of blob {index}");
            }
        }
    }

    #[test]
    fn order_and_count_are_checked() {
        let (blobs, commitments) = committed(3);
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            let mut swapped = blobs.clone();
            swapped.swap(one, other);
            assert!(!check(&swapped, &commitments), "{one} and {other}");
            let mut swapped = commitments.clone();
            swapped.swap(one, other);
            assert!(!check(&blobs, &swapped), "{one} and {other}");
        }
        assert!(!check(&blobs[..2], &commitments), "too few blobs");
        assert!(!check(&blobs, &commitments[..2]), "too many blobs");
        let zeros = [blobs[0].clone(), vec![0; BYTES_PER_BLOB]];
        assert!(!check(&zeros, &commitments[..1]), "a blob that adds nothing to the sum");
        let cut = blobs[2][..BYTES_PER_BLOB - 32].to_vec();
        assert!(!check(&[blobs[0].clone(), blobs[1].clone(), cut], &commitments), "not whole");
    }

    #[test]
    fn errors_that_cancel_in_a_plain_sum_are_refused() {
        let (mut blobs, commitments) = committed(2);
        // The same number is added to one blob and taken from the other.
        blobs[0][1] += 5;
        blobs[1][1] -= 5;
        assert_eq!(check_with(&blobs, &commitments, Fr::one()), Some(true), "they cancel");
        assert!(!check(&blobs, &commitments));
        // With r = 0 only the first pair counts.
        let (mut blobs, commitments) = committed(2);
        blobs[1][1] -= 5;
        assert_eq!(check_with(&blobs, &commitments, Fr::zero()), Some(true), "it is not read");
        assert!(!check(&blobs, &commitments));
    }

    #[test]
    fn challenge_depends_on_every_blob_and_commitment() {
        let (blobs, commitments) = committed(2);
        let r = challenge(&blobs, &commitments);
        assert_eq!(challenge(&blobs, &commitments), r);
        for index in 0..2 {
            let mut other = blobs.clone();
            other[index][BYTES_PER_BLOB - 1] ^= 1;
            assert_ne!(challenge(&other, &commitments), r, "blob {index}");
            let mut other = commitments.clone();
            other[index][47] ^= 1;
            assert_ne!(challenge(&blobs, &other), r, "commitment {index}");
        }
        assert_ne!(challenge(&blobs[..1], &commitments[..1]), r);
    }

    #[test]
    fn other_commitments_are_refused() {
        let (blobs, commitments) = committed(3);
        let (_, others) = committed(4);
        for index in 0..3 {
            let mut wrong = commitments.clone();
            wrong[index] = others[3];
            assert!(!check(&blobs, &wrong), "another blob's, {index}");
            wrong[index] = Bytes48::from([0xff; 48]);
            assert!(!check(&blobs, &wrong), "no point, {index}");
            wrong[index] = outside_subgroup();
            assert!(!check(&blobs, &wrong), "not in the subgroup, {index}");
            assert_eq!(
                combined_commitment(&wrong, Fr::one()),
                None,
                "not in the subgroup, {index}"
            );
        }
    }

    /// A point on the curve that is not in the group of prime order.
    fn outside_subgroup() -> Bytes48 {
        let candidates = (0..u8::MAX).map(|x| {
            let mut bytes = [0; 48];
            (bytes[0], bytes[47]) = (0x80, x);
            bytes
        });
        let mut outside = candidates.filter(|bytes| {
            let point = G1Affine::deserialize_compressed_unchecked(&bytes[..]);
            point.is_ok_and(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        });
        Bytes48::from(outside.next().expect("most points of the curve"))
    }

    #[test]
    fn numbers_from_the_modulus_on_are_refused() {
        let mut modulus = [0; ELEMENT_BYTES];
        for (bytes, limb) in modulus.as_chunks_mut().0.iter_mut().zip(Fr::MODULUS.0.iter().rev()) {
            *bytes = limb.to_be_bytes();
        }
        let mut largest = modulus;
        largest[31] -= 1;
        assert_eq!(element(&largest, 0).map(to_bytes), Some(largest));
        assert_eq!(element(&modulus, 0), None);
        assert_eq!(element(&largest[1..], 0), None);
        // The modulus stands for zero, which the blob's commitment commits to.
        let (mut blobs, commitments) = committed(2);
        let element = &mut blobs[1][32..64];
        assert_eq!(element, [0; ELEMENT_BYTES]);
        element.copy_from_slice(&modulus);
        assert!(!check(&blobs, &commitments));
    }

    #[test]
    fn threads_do_not_change_the_combination() {
        let (blobs, commitments) = committed(3);
        let blobs: Vec<Bytes> = blobs.into_iter().map(Into::into).collect();
        for threads in [1, 3] {
            let kzg = Kzg::with_threads(threads);
            assert!(kzg.check_all(&blobs, &commitments), "{threads} threads");
            assert!(!kzg.check_all(&blobs[1..], &commitments[..2]), "{threads} threads");
        }
    }
}
