//! Divides signatures between SIMD lanes and libsecp256k1.

use alloy_primitives::Address;
use turnpike_keccak::keccak256_many;
use turnpike_simd::{Ifma, LANES};

use crate::{
    Signature, ifma,
    scalar::{self, ORDER},
};

/// Maximum number of signatures that are computed together. It makes their shared inversions cheap.
const CHUNK_SIGNATURES_MAX: usize = 32 * LANES;

/// With fewer signatures, libsecp256k1 is faster.
const LANES_MIN: usize = 2;

/// The signer of each signature.
pub(crate) fn recover_all(ifma: Ifma, signatures: &[Signature]) -> Vec<Option<Address>> {
    let mut signers = vec![None; signatures.len()];
    let (in_range, mut rest): (Vec<_>, Vec<_>) =
        (0..signatures.len()).partition(|&index| is_in_range(&signatures[index]));
    let (groups, tail) = in_range.split_at(in_lanes(in_range.len()));
    rest.extend(tail);
    for chunk in groups.chunks(CHUNK_SIGNATURES_MAX) {
        let of_chunk: Vec<_> = chunk.iter().map(|&index| signatures[index]).collect();
        for (&index, signer) in chunk.iter().zip(recover_regular(ifma, &of_chunk)) {
            signers[index] = signer;
            if signer.is_none() {
                rest.push(index);
            }
        }
    }
    for index in rest {
        signers[index] = signatures[index].recover();
    }
    signers
}

fn is_in_range(signature: &Signature) -> bool {
    [signature.r, signature.s].iter().all(|value| !value.is_zero() && *value < ORDER)
}

/// The number of signatures, out of `count`, that are faster in SIMD lanes.
fn in_lanes(count: usize) -> usize {
    let tail = count % LANES;
    if tail < LANES_MIN { count - tail } else { count }
}

/// The signers of signatures that are in range; `None` for exceptional cases.
fn recover_regular(ifma: Ifma, signatures: &[Signature]) -> Vec<Option<Address>> {
    let keys = ifma::sums(ifma, &scalar::terms(signatures));
    let encoded: Vec<&[u8]> = keys.iter().flatten().map(<[u8; 64]>::as_slice).collect();
    let mut hashes = vec![[0; 32]; encoded.len()];
    keccak256_many(&encoded, &mut hashes);
    let mut hashes = hashes.into_iter();
    let mut address = |_| hashes.next().map(|hash| Address::from_word(hash.into()));
    keys.into_iter().map(|key| key.and_then(&mut address)).collect()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;
    use crate::curve::{GENERATOR, Point};

    fn times(scalar: U256, point: Point) -> Point {
        let bits = (0..scalar.bit_len() - 1).rev();
        bits.fold(point, |sum, at| {
            let double = sum.add(sum);
            if scalar.bit(at) { double.add(point) } else { double }
        })
    }

    fn negate(scalar: U256) -> U256 {
        ORDER - scalar
    }

    fn over(a: U256, b: U256) -> U256 {
        a.mul_mod(b.inv_mod(ORDER).expect("value is not zero"), ORDER)
    }

    /// The signature whose key is `generators` times the generator plus `points` times the point
    /// with discrete logarithm `log`.
    fn summing(generators: U256, points: U256, log: U256) -> Signature {
        let Point { x: r, y } = times(log, GENERATOR);
        let [z, s] = [negate(generators), points].map(|scalar| scalar.mul_mod(r, ORDER));
        Signature { hash: z.into(), r, s, is_odd: y.bit(0) }
    }

    /// Asserts that all signers equal the library's. Returns the number of signatures that the SIMD
    /// lanes decide.
    fn regular(signatures: &[Signature]) -> Option<usize> {
        let Some(ifma) = Ifma::detect() else {
            eprintln!("NOT TESTED: this CPU does not have AVX-512 IFMA");
            return None;
        };
        let expected: Vec<_> = signatures.iter().map(Signature::recover).collect();
        assert_eq!(recover_all(ifma, signatures), expected);
        let by_lanes = recover_regular(ifma, signatures);
        for (signer, expected) in
            by_lanes.iter().zip(expected).filter(|(signer, _)| signer.is_some())
        {
            assert_eq!(*signer, expected);
        }
        Some(by_lanes.iter().flatten().count())
    }

    /// Sums whose last addition adds a point to itself or to its negative.
    #[test]
    fn sum_that_adds_a_point_to_itself_falls_back_to_the_library() {
        let log = U256::from(0x1234_5678_9abc_def1_u64);
        for small in [1, 2, 3, 77, 511, 512] {
            let small = U256::from(small);
            let points = over(small, log);
            let twice = summing(small, points, log);
            let none = summing(small, negate(points), log);
            let thrice = summing(small, over(small + small, log), log);
            let signatures = [twice, none, thrice, thrice, twice, none, thrice, none];
            assert_eq!(none.recover(), None, "infinity is no key");
            assert!(twice.recover().is_some());
            if let Some(count) = regular(&signatures) {
                assert_eq!(count, 3, "sums without an exceptional addition");
            }
        }
    }

    #[test]
    fn sums_that_cancel_out_have_no_signer() {
        for log in 2_u64..10 {
            let log = U256::from(log);
            for generators in
                [ORDER / U256::from(3), ORDER - U256::from(1), U256::from(1_u64 << 40)]
            {
                let same = over(generators, log);
                let signatures =
                    [summing(generators, same, log), summing(generators, negate(same), log)];
                assert!(signatures[0].recover().is_some());
                assert_eq!(signatures[1].recover(), None);
                regular(&signatures.repeat(4));
            }
        }
    }

    #[test]
    fn multipliers_with_few_digits_recover() {
        let log = U256::from(99);
        let few = (0..256).map(|bit| (U256::from(1) << bit) % ORDER).flat_map(|points| {
            [U256::ZERO, U256::from(1), points].map(|generators| (generators, points))
        });
        // Scalars with one half equal to zero.
        let lambda = U256::from_be_bytes(alloy_primitives::hex!(
            "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72"
        ));
        let halves = (1_u64..64).map(|of| {
            let of = U256::from(of).mul_mod(lambda, ORDER);
            (of, of.mul_mod(of, ORDER))
        });
        let signatures: Vec<_> = few
            .chain(halves)
            .map(|(generators, points)| summing_any(generators, points, log))
            .collect();
        if let Some(count) = regular(&signatures) {
            assert!(count + 8 > signatures.len(), "{count} of {}", signatures.len());
        }
    }

    fn summing_any(generators: U256, points: U256, log: U256) -> Signature {
        let mut signature = summing(generators.max(U256::from(1)), points, log);
        if generators.is_zero() {
            signature.hash = Default::default();
        }
        signature
    }
}
