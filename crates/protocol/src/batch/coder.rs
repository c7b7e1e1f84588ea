//! The entropy coder: predictable bits go into one stream under adaptive probabilities,
//! unpredictable bits into another as they are.

use alloc::vec::Vec;

use super::BatchError;

/// Probability that the next bit is set, learned from previous bits: 22 bits of probability (minus
/// one half, so that zero means undecided), then 10 bits that count the learned bits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chance(u32);

const COUNT_BITS: u32 = 10;
const COUNT_MASK: u32 = (1 << COUNT_BITS) - 1;
const HALF: u32 = 1 << 21;

/// 2^16 / (n + 1.5): the rate of learning after `n` bits.
const SHARES: [i64; 1 << COUNT_BITS] = {
    let mut shares = [0; 1 << COUNT_BITS];
    let mut n = 0;
    let mut halves = 3;
    while n < shares.len() {
        shares[n] = (1 << 17) / halves;
        n += 1;
        halves += 2;
    }
    shares
};

impl Chance {
    /// No bit was learned.
    pub(super) const UNDECIDED: Self = Self(0);

    /// Probability of a set bit, in 2^-16, never 0.
    pub(super) fn set(self) -> u32 {
        (((self.0 >> COUNT_BITS) ^ HALF) >> 6).max(1)
    }

    /// Learns one bit. After `limit` bits it starts to forget the oldest bits.
    pub(super) fn learn(&mut self, bit: bool, limit: u32) {
        let count = self.0 & COUNT_MASK;
        let chance = i64::from((self.0 >> COUNT_BITS) ^ HALF);
        let goal = if bit { (1 << 22) - 1 } else { 0 };
        let chance = chance + (((goal - chance) * SHARES[count as usize]) >> 16);
        // The value is between two values of 22 bits.
        let chance = u32::try_from(chance).unwrap_or(HALF);
        self.0 = ((chance ^ HALF) << COUNT_BITS) | (count + u32::from(count < limit));
    }
}

/// Writes or reads, so that one piece of code defines a model for both directions. A writer returns
/// its argument. A reader ignores its argument and returns the written value.
pub(super) trait Coder {
    /// Whether values are known before they are coded.
    const WRITES: bool;

    /// Codes a bit and learns it.
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool;

    /// Codes a bit under a probability in 2^-16. The probability is not 0, and the caller learns
    /// it.
    fn bit_by(&mut self, set: u32, bit: bool) -> bool;

    /// Codes the lowest `bits` bits of `value`, at most 64, without a model.
    fn plain(&mut self, value: u64, bits: u32) -> Result<u64, BatchError>;

    /// Codes bytes without a model.
    fn plain_bytes<const N: usize>(&mut self, mut bytes: [u8; N]) -> Result<[u8; N], BatchError> {
        self.plain_slice(&mut bytes)?;
        Ok(bytes)
    }

    /// Codes bytes without a model, in place.
    fn plain_slice(&mut self, bytes: &mut [u8]) -> Result<(), BatchError> {
        for chunk in bytes.chunks_mut(8) {
            let mut word = [0; 8];
            word[8 - chunk.len()..].copy_from_slice(chunk);
            let bits = 8 * u32::try_from(chunk.len()).unwrap_or(8);
            let word = self.plain(u64::from_be_bytes(word), bits)?.to_be_bytes();
            chunk.copy_from_slice(&word[8 - chunk.len()..]);
        }
        Ok(())
    }
}

/// The remaining interval of the arithmetic coder, in 2^-32, including both ends.
#[derive(Clone, Copy, Debug)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const WHOLE: Self = Self { low: 0, high: u32::MAX };

    /// The last number of the part for a set bit.
    fn split(self, set: u32) -> u32 {
        let range = u64::from(self.high - self.low);
        self.low + u32::try_from((range * u64::from(set)) >> 16).unwrap_or(0)
    }

    fn narrow(&mut self, split: u32, bit: bool) {
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// Shifts out the first byte if it is determined.
    fn shift(&mut self) -> Option<u8> {
        let known = (self.low ^ self.high) >> 24 == 0;
        known.then(|| {
            let [byte, ..] = self.high.to_be_bytes();
            self.low <<= 8;
            self.high = (self.high << 8) | 0xff;
            byte
        })
    }

    /// The fewest bytes that lie in the interval when zeros follow them.
    fn shortest(self) -> ([u8; 4], usize) {
        for length in 0..4 {
            let unit = 1u64 << (32 - 8 * length);
            let number = u64::from(self.low).next_multiple_of(unit);
            if let Some(number) = u32::try_from(number).ok().filter(|number| *number <= self.high) {
                return (number.to_be_bytes(), length);
            }
        }
        (self.low.to_be_bytes(), 4)
    }
}

/// Writes both streams.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    limit: u32,
    interval: Interval,
    coded: Vec<u8>,
    plain: Vec<u8>,
    /// The last bits of `plain`, left-aligned.
    pending: u64,
    pending_bits: u32,
}

impl Writer {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            interval: Interval::WHOLE,
            coded: Vec::new(),
            plain: Vec::new(),
            pending: 0,
            pending_bits: 0,
        }
    }

    /// Maximum bytes of both streams if they ended here.
    pub(super) fn bytes_max(&self) -> usize {
        self.coded.len() + self.plain.len() + 4 + 8
    }

    /// Returns the coded and the plain stream.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        let (tail, length) = self.interval.shortest();
        self.coded.extend_from_slice(&tail[..length]);
        let length = self.pending_bits.div_ceil(8) as usize;
        self.plain.extend_from_slice(&self.pending.to_be_bytes()[..length]);
        (self.coded, self.plain)
    }
}

impl Coder for Writer {
    const WRITES: bool = true;

    #[inline]
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        self.bit_by(chance.set(), bit);
        chance.learn(bit, self.limit);
        bit
    }

    #[inline]
    fn bit_by(&mut self, set: u32, bit: bool) -> bool {
        let split = self.interval.split(set);
        self.interval.narrow(split, bit);
        while let Some(byte) = self.interval.shift() {
            self.coded.push(byte);
        }
        bit
    }

    #[inline]
    fn plain(&mut self, value: u64, bits: u32) -> Result<u64, BatchError> {
        if bits == 0 {
            return Ok(0);
        }
        let aligned = value << (64 - bits);
        self.pending |= aligned >> self.pending_bits;
        let free = 64 - self.pending_bits;
        if bits < free {
            self.pending_bits += bits;
        } else {
            self.plain.extend_from_slice(&self.pending.to_be_bytes());
            self.pending_bits = bits - free;
            self.pending = if free == 64 { 0 } else { aligned << free };
        }
        Ok(value)
    }
}

/// Reads both streams. Reads zeros past the end of the coded stream; [`Self::finish`] detects that.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    limit: u32,
    interval: Interval,
    number: u32,
    coded: &'a [u8],
    /// Bytes of `coded` that were shifted into `number`.
    read: usize,
    plain: &'a [u8],
    plain_bits: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(limit: u32, coded: &'a [u8], plain: &'a [u8]) -> Self {
        let mut reader = Self {
            limit,
            interval: Interval::WHOLE,
            number: 0,
            coded,
            read: 0,
            plain,
            plain_bits: 0,
        };
        (0..4).for_each(|_| reader.shift());
        reader
    }

    fn shift(&mut self) {
        let byte = self.coded.get(self.read).copied().unwrap_or(0);
        self.number = (self.number << 8) | u32::from(byte);
        self.read += 1;
    }

    /// Whole bytes of the plain stream that were not read yet.
    pub(super) const fn plain_left(&self) -> usize {
        self.plain.len() - self.plain_bits.div_ceil(8)
    }

    /// Checks that both streams end as a writer ends them.
    pub(super) fn finish(self) -> Result<(), BatchError> {
        let (tail, length) = self.interval.shortest();
        let coded = self.coded.get(self.read - 4..).ok_or(BatchError::Truncated)?;
        if coded != &tail[..length] {
            return Err(BatchError::Malformed("the coded stream goes on"));
        }
        let used = self.plain_bits.div_ceil(8);
        let padding = self.plain.get(used.wrapping_sub(1)).map_or(0, |last| {
            let bits = u32::try_from(8 * used - self.plain_bits).unwrap_or(0);
            last & ((1u16 << bits) - 1).to_le_bytes()[0]
        });
        if self.plain.len() != used || padding != 0 {
            return Err(BatchError::Malformed("the plain stream goes on"));
        }
        Ok(())
    }
}

impl Coder for Reader<'_> {
    const WRITES: bool = false;

    #[inline]
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bit = self.bit_by(chance.set(), bit);
        chance.learn(bit, self.limit);
        bit
    }

    #[inline]
    fn bit_by(&mut self, set: u32, _: bool) -> bool {
        let split = self.interval.split(set);
        let bit = self.number <= split;
        self.interval.narrow(split, bit);
        while self.interval.shift().is_some() {
            self.shift();
        }
        bit
    }

    #[inline]
    fn plain(&mut self, _: u64, bits: u32) -> Result<u64, BatchError> {
        if bits == 0 {
            return Ok(0);
        }
        let end = self.plain_bits + bits as usize;
        if end > 8 * self.plain.len() {
            return Err(BatchError::Truncated);
        }
        let rest = &self.plain[self.plain_bits / 8..];
        let mut window = [0; 16];
        let length = rest.len().min(16);
        window[..length].copy_from_slice(&rest[..length]);
        let aligned = u128::from_be_bytes(window) << (self.plain_bits % 8);
        self.plain_bits = end;
        // The highest 64 bits.
        Ok(u64::try_from(aligned >> 64).unwrap_or(0) >> (64 - bits))
    }
}
