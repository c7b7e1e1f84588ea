//! Blobs as polynomials over the scalar field.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup as _, BigInt, FftField as _, Field as _, PrimeField as _};

use crate::{BLOB_BYTES, CELLS, ELEMENTS};

/// Bytes of a field element.
const ELEMENT_BYTES: usize = 32;

/// Coefficients of a proof's polynomial for each step of the sums.
pub(crate) const STEPS: usize = ELEMENTS / (CELLS / 2);

/// A primitive root of unity of this order.
pub(crate) fn root_of_unity(order: u64) -> Fr {
    Fr::get_root_of_unity(order).expect("invariant: a power of two up to 2^32")
}

/// The coefficients of a blob's polynomial; `None` if the bytes are not a blob.
pub(crate) fn coefficients(blob: &[u8]) -> Option<Vec<Fr>> {
    if blob.len() != BLOB_BYTES {
        return None;
    }
    // A blob holds the values at the roots of unity, in the order of reversed bits, as the transform
    // takes them.
    let elements = blob.as_chunks::<ELEMENT_BYTES>().0.iter().map(element);
    let mut values = elements.collect::<Option<Vec<_>>>()?;
    let order = ELEMENTS as u64;
    transform(&mut values, root_of_unity(order).inverse()?);
    let scale = Fr::from(order).inverse()?;
    values.iter_mut().for_each(|value| *value *= scale);
    Some(values)
}

/// A field element; `None` if it is not below the modulus.
fn element(bytes: &[u8; ELEMENT_BYTES]) -> Option<Fr> {
    let mut limbs = [0; 4];
    for (limb, bytes) in limbs.iter_mut().rev().zip(bytes.as_chunks().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    Fr::from_bigint(BigInt::new(limbs))
}

/// The scalars of the sums, for each step those of each sum, divided by their number.
///
/// The proofs are the product of a Toeplitz matrix of coefficients with points of the setup, which a
/// transform turns into one sum for each cell (Feist and Khovratovich, "Fast amortized KZG proofs",
/// section 3).
pub(crate) fn sum_scalars(coefficients: &[Fr]) -> Vec<[Fr; CELLS]> {
    let (root, order) = (root_of_unity(CELLS as u64), Fr::from(CELLS as u64));
    let scale = order.inverse().expect("invariant: a power of two is not zero");
    let of_step = |step: usize| {
        let mut scalars = [Fr::ZERO; CELLS];
        scalars[0] = coefficients[ELEMENTS - 1 - step] * scale;
        for (at, scalar) in scalars[CELLS / 2 + 2..].iter_mut().enumerate() {
            *scalar = coefficients[(at + 2) * STEPS - 1 - step] * scale;
        }
        // These act on results that are dropped. Were they zero, so would be some of those, and the
        // last step of the transform would add points to themselves.
        scalars[CELLS / 2 - 1..CELLS / 2 + 2].fill(scale);
        reverse_bits(&mut scalars);
        transform(&mut scalars, root);
        scalars
    };
    (0..STEPS).map(of_step).collect()
}

/// Fourier transform of values in the order of reversed bits.
fn transform(values: &mut [Fr], root: Fr) {
    let size = values.len();
    let mut powers = Vec::with_capacity(size / 2);
    let mut power = Fr::ONE;
    for _ in 0..size / 2 {
        powers.push(power);
        power *= root;
    }
    let mut half = 1;
    while half < size {
        for block in values.chunks_exact_mut(2 * half) {
            let (left, right) = block.split_at_mut(half);
            let powers = powers.iter().step_by(size / 2 / half);
            for ((left, right), power) in left.iter_mut().zip(right).zip(powers) {
                let product = *right * power;
                *right = *left - product;
                *left += product;
            }
        }
        half *= 2;
    }
}

/// Brings the items to the order of their indices with reversed bits. Their number is a power of two.
pub(crate) fn reverse_bits<T>(items: &mut [T]) {
    let unused = usize::BITS - items.len().trailing_zeros();
    for at in 0..items.len() {
        let other = at.reverse_bits() >> unused;
        if at < other {
            items.swap(at, other);
        }
    }
}
