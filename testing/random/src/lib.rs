//! Seeded random numbers for tests, benchmarks and load.
//!
//! [`Rng`] wraps `SplitMix64`, whose sequence is fixed by its published definition: a seed that is
//! written down in a test or a report keeps its meaning. Not for secrets.

use rand_xoshiro::{
    SplitMix64,
    rand_core::{RngCore as _, SeedableRng as _},
};

/// A generator whose numbers follow from its seed.
#[derive(Clone, Debug)]
pub struct Rng(SplitMix64);

impl Rng {
    /// The generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The low half of the next number.
    pub fn word(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next_u64().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// A number less than `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("invariant: a usize has at most 64 bits");
        usize::try_from(self.next_u64() % end).expect("invariant: less than a usize")
    }

    /// A number from `from` on and less than `end`.
    pub fn between(&mut self, from: u64, end: u64) -> u64 {
        from + self.next_u64() % (end - from)
    }

    /// A byte less than `end`, which is not zero.
    pub fn byte(&mut self, end: u8) -> u8 {
        u8::try_from(self.next_u64() % u64::from(end)).expect("invariant: less than a byte")
    }

    /// True with this chance in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.next_u64() % 100 < chance
    }

    /// A number above 0 and up to 1, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Two different numbers less than `end`, which is at least 2.
    pub fn pair_below(&mut self, end: usize) -> (usize, usize) {
        let one = self.below(end);
        (one, (one + 1 + self.below(end - 1)) % end)
    }

    /// One of these items.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// An index, each with a chance in proportion to its weight. The weights' sum is not zero.
    pub fn weighted<const N: usize>(&mut self, weights: [usize; N]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.into_iter().enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        unreachable!("invariant: the draw is less than the sum of the weights")
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's first numbers for seed 0
    /// (<https://prng.di.unimi.it/splitmix64.c>).
    #[test]
    fn sequence_is_splitmix64() {
        let mut rng = Rng::new(0);
        let expected = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([(); 3].map(|()| rng.next_u64()), expected);
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            assert!(rng.below(3) < 3);
            assert!((5..9).contains(&rng.between(5, 9)));
            assert!(rng.byte(7) < 7);
            let unit = rng.unit();
            assert!(unit > 0.0 && unit <= 1.0);
            let (one, other) = rng.pair_below(2);
            assert_eq!(one + other, 1);
            assert_ne!(rng.weighted([1, 0, 1]), 1);
        }
        let mut items = [0, 1, 2, 3];
        rng.shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2, 3]);
    }
}
