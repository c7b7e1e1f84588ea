//! The model of bytes that no column fits (init code, packed calldata). It mixes the predictions of
//! several contexts. The weight of a context grows with its past accuracy.
//!
//! # Limits
//!
//! A mixed byte takes a reader some 50 times as long as any other, so a batch may hold only
//! [`BatchLimits::mixed_bytes_max`](super::BatchLimits) of them. Every field has a flag: its bytes
//! are mixed, or raw. A writer turns to raw once the next field would not fit.

use alloc::{vec, vec::Vec};

use super::{
    BatchError,
    coder::{Chance, Coder},
};

/// Number of mixed predictions: by the last 1, 2, 3, 4 and 6 bytes, and by the longest match.
const INPUTS: usize = 6;
const CONTEXTS: usize = INPUTS - 1;

/// Number of chances of one context, a power of two. Collisions cost bytes, not correctness.
const SLOTS: usize = 1 << 19;

/// Positions at which a match may begin, by the hash of the last [`MATCH_BYTES`] bytes.
const MATCHES: usize = 1 << 14;
const MATCH_BYTES: usize = 6;

/// Number of bits after which a chance forgets the oldest bits.
const LIMIT: u32 = 250;

/// Rate at which the weights learn from an error of prediction.
const RATE: i32 = 40;

/// ln(p / (1 - p)) in 2^-8, for p in 2^-12. The inverse of [`squash`].
#[expect(clippy::cast_sign_loss, reason = "probabilities are not negative")]
static STRETCHED: [i16; 4096] = {
    let mut table = [0; 4096];
    let mut p = 0;
    let mut x: i16 = -2047;
    while x <= 2047 {
        let until = squash(x as i32);
        while p <= until {
            table[p as usize] = x;
            p += 1;
        }
        x += 1;
    }
    while p < 4096 {
        table[p as usize] = 2047;
        p += 1;
    }
    table
};

/// 1 / (1 + e^-x) in 2^-12, for x in 2^-8. Interpolates between multiples of 128.
const fn squash(x: i32) -> i32 {
    const TABLE: [i32; 33] = [
        1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994,
        3348, 3607, 3785, 3901, 3975, 4024, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
    ];
    if x > 2047 {
        return 4095;
    }
    if x < -2047 {
        return 0;
    }
    let low = x & 127;
    // The value is between 0 and 31.
    #[allow(clippy::cast_sign_loss)]
    let at = ((x >> 7) + 16) as usize;
    (TABLE[at] * (128 - low) + TABLE[at + 1] * low + 64) >> 7
}

/// Learns from all bytes that it codes.
#[derive(Clone, Debug)]
pub(super) struct ByteModel {
    /// Number of bytes that the batch may still mix.
    budget: usize,
    is_raw: Chance,
    history: Vec<u8>,
    /// Empty until the first byte is coded, because most batches have none.
    chances: Vec<Chance>,
    /// Chances of the match's prediction, by the match's length.
    confidence: Vec<Chance>,
    weights: Vec<[i32; INPUTS]>,
    /// Position after the last occurrence of each hash.
    matches: Vec<usize>,
    /// Position in the history whose continuation is expected here, if `match_bytes` is not 0.
    match_at: usize,
    match_bytes: usize,
}

impl ByteModel {
    /// A model that mixes at most `budget` bytes.
    pub(super) const fn new(budget: usize) -> Self {
        Self {
            budget,
            is_raw: Chance::UNDECIDED,
            history: Vec::new(),
            chances: Vec::new(),
            confidence: Vec::new(),
            weights: Vec::new(),
            matches: Vec::new(),
            match_at: 0,
            match_bytes: 0,
        }
    }

    /// Codes a field.
    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        bytes: &mut [u8],
    ) -> Result<(), BatchError> {
        let rest = self.budget.checked_sub(bytes.len());
        if coder.bit(&mut self.is_raw, rest.is_none()) {
            return coder.plain_slice(bytes);
        }
        self.budget = rest.ok_or(BatchError::TooMany("mixed bytes", bytes.len()))?;
        self.mix(coder, bytes);
        Ok(())
    }

    fn mix<C: Coder>(&mut self, coder: &mut C, bytes: &mut [u8]) {
        if self.chances.is_empty() {
            self.chances = vec![Chance::default(); CONTEXTS * SLOTS];
            self.confidence = vec![Chance::default(); 64];
            self.weights = vec![[(1 << 16) * 3 / 10; INPUTS]; 64 * 256];
            self.matches = vec![0; MATCHES];
        }
        for byte in bytes {
            *byte = self.code_byte(coder, *byte);
        }
    }

    fn code_byte<C: Coder>(&mut self, coder: &mut C, byte: u8) -> u8 {
        let bases = self.bases();
        let expected = match self.match_bytes {
            0 => None,
            _ => self.history.get(self.match_at).copied(),
        };
        let confidence = self.match_bytes.min(31);
        let mut node = 1;
        for shift in (0..8).rev() {
            // The match predicts a bit as long as its earlier predictions in this byte were right.
            let expected = expected
                .map(usize::from)
                .filter(|expected| (expected | 256) >> (shift + 1) == node);
            let expected = expected.map(|byte| (byte >> shift) & 1 == 1);
            let bit = (byte >> shift) & 1 == 1;
            node = 2 * node
                + usize::from(self.code_bit(coder, &bases, node, expected, confidence, bit));
        }
        let [byte, ..] = node.to_le_bytes();
        self.append(byte);
        byte
    }

    fn code_bit<C: Coder>(
        &mut self,
        coder: &mut C,
        bases: &[usize; CONTEXTS],
        node: usize,
        expected: Option<bool>,
        confidence: usize,
        bit: bool,
    ) -> bool {
        let slots = bases.map(|base| (base ^ (node * 0x9e5)) % SLOTS);
        let mut inputs = [0; INPUTS];
        for (order, slot) in slots.iter().enumerate() {
            inputs[order] = stretch(self.chances[order * SLOTS + slot]);
        }
        let confidence_of = confidence;
        if let Some(expected) = expected {
            let right = stretch(self.confidence[confidence_of]);
            inputs[CONTEXTS] = if expected { right } else { -right };
        }
        let set = if expected.is_some() { (confidence / 2 + 1) * 256 } else { 0 } + node;
        let weights = &mut self.weights[set];
        let sum: i64 =
            inputs.iter().zip(&*weights).map(|(i, w)| i64::from(*i) * i64::from(*w)).sum();
        let mixed = squash(i32::try_from((sum >> 16).clamp(-2047, 2047)).unwrap_or(0));
        let set = u32::try_from(mixed * 16 + 8).unwrap_or(1 << 15).max(1);
        let bit = coder.bit_by(set, bit);

        let error = ((i32::from(bit) << 12) - mixed) * RATE;
        for (weight, input) in weights.iter_mut().zip(inputs) {
            *weight = (*weight + ((input * error + 0x8000) >> 16)).clamp(-(1 << 20), 1 << 20);
        }
        for (order, slot) in slots.iter().enumerate() {
            self.chances[order * SLOTS + slot].learn(bit, LIMIT);
        }
        if let Some(expected) = expected {
            self.confidence[confidence_of].learn(expected == bit, LIMIT);
        }
        bit
    }

    /// Positions of the contexts' chances.
    fn bases(&self) -> [usize; CONTEXTS] {
        let back = |n: usize| {
            let at = self.history.len().checked_sub(n);
            u64::from(at.and_then(|at| self.history.get(at).copied()).unwrap_or(0))
        };
        let one = back(1);
        let two = one | (back(2) << 8);
        let three = two | (back(3) << 16);
        let four = three | (back(4) << 24);
        let six = four | (back(5) << 32) | (back(6) << 40);
        [one << 8, hash(two), hash(three), hash(four), hash(six)]
            .map(|base| usize::try_from(base).unwrap_or(0))
    }

    fn append(&mut self, byte: u8) {
        if self.match_bytes > 0 && self.history.get(self.match_at) == Some(&byte) {
            self.match_bytes += 1;
            self.match_at += 1;
        } else {
            self.match_bytes = 0;
        }
        self.history.push(byte);
        let Some(recent) = self.history.last_chunk::<MATCH_BYTES>() else { return };
        let key = recent.iter().fold(0, |key, byte| (key << 8) | u64::from(*byte));
        let place = &mut self.matches[usize::try_from(hash(key) >> 8).unwrap_or(0) % MATCHES];
        if self.match_bytes == 0 && *place > 0 {
            self.match_at = *place;
            let same = |(a, b): &(&u8, &u8)| a == b;
            let (before, now) = (self.history[..*place].iter().rev(), self.history.iter().rev());
            self.match_bytes = before.zip(now).take(31).take_while(same).count();
        }
        *place = self.history.len();
    }
}

fn hash(key: u64) -> u64 {
    (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn stretch(chance: Chance) -> i32 {
    i32::from(STRETCHED[(chance.set() >> 4) as usize % 4096])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BatchError;

    /// Chooses the less likely value of each bit and sums the cost in bits.
    struct Adversary(f64);

    impl Coder for Adversary {
        const WRITES: bool = false;

        fn bit(&mut self, _: &mut Chance, bit: bool) -> bool {
            bit
        }

        fn bit_by(&mut self, set: u32, _: bool) -> bool {
            let set = f64::from(set) / 65_536.0;
            self.0 -= set.min(1.0 - set).log2();
            set < 0.5
        }

        fn plain(&mut self, value: u64, _: u32) -> Result<u64, BatchError> {
            Ok(value)
        }
    }

    /// The batcher reserves an eighth of an entry for this expansion.
    #[test]
    fn adversarial_bytes_expand_only_slightly() {
        for bytes in [1_000, 90_000, 700_000] {
            let mut adversary = Adversary(0.0);
            ByteModel::new(bytes).mix(&mut adversary, &mut vec![0; bytes]);
            let coded = adversary.0 / 8.0;
            assert!(coded < bytes as f64 * 1.1 + 8_192.0, "{bytes} bytes take {coded}");
        }
    }
}
