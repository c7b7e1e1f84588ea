//! Models of numbers. Each model predicts from the values that it coded before.

use alloc::{boxed::Box, vec::Vec};

use alloy_primitives::map::HashMap;

use super::{
    BatchError,
    coder::{Chance, Coder},
};

/// A symbol below `N`, a power of two: one chance for each prefix of its bits.
#[derive(Clone, Debug)]
pub(super) struct Tree<const N: usize>([Chance; N]);

impl<const N: usize> Default for Tree<N> {
    fn default() -> Self {
        Self([Chance::default(); N])
    }
}

impl<const N: usize> Tree<N> {
    #[inline]
    pub(super) fn code<C: Coder>(&mut self, coder: &mut C, symbol: usize) -> usize {
        let mut node = 1;
        for shift in (0..N.trailing_zeros()).rev() {
            let bit = coder.bit(&mut self.0[node % N], (symbol >> shift) & 1 == 1);
            node = 2 * node + usize::from(bit);
        }
        node % N
    }
}

/// The lowest bit of `number >> shift`.
fn bit_at(number: u128, shift: u32) -> bool {
    (number >> shift) & 1 == 1
}

/// Codes the lowest `bits` bits of `value` without a model.
fn plain<C: Coder>(coder: &mut C, value: u128, bits: u32) -> Result<u128, BatchError> {
    let low_bits = bits.min(64);
    let word = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    let high = match bits {
        0..=64 => 0,
        _ => coder.plain(word(value >> 64) & (u64::MAX >> (128 - bits)), bits - 64)?,
    };
    let mask = if low_bits == 0 { 0 } else { u64::MAX >> (64 - low_bits) };
    let low = coder.plain(word(value) & mask, low_bits)?;
    Ok((u128::from(high) << 64) | u128::from(low))
}

/// A number: its length in bits, the two bits after the first, and the remaining bits without a
/// model.
#[derive(Clone, Debug)]
pub(super) struct Magnitude {
    top: [[Chance; 4]; 129],
}

impl Default for Magnitude {
    fn default() -> Self {
        Self { top: [[Chance::default(); 4]; 129] }
    }
}

impl Magnitude {
    /// Codes `value` by a model of its length.
    fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        lengths: &mut Tree<128>,
        value: u128,
    ) -> Result<u128, BatchError> {
        let given = 128 - value.leading_zeros() as usize;
        let mut length = lengths.code(coder, given.min(127));
        if length == 127 {
            length += usize::from(coder.plain(u64::from(given == 128), 1)? == 1);
        }
        let top = self.top.get_mut(length).ok_or(BatchError::Malformed("number too long"))?;
        if length <= 1 {
            return Ok(length as u128);
        }
        let mut rest = u32::try_from(length).unwrap_or(1) - 1;
        let (mut number, mut node) = (1, 1);
        for _ in 0..rest.min(2) {
            rest -= 1;
            let bit = coder.bit(&mut top[node], bit_at(value, rest));
            node = 2 * node + usize::from(bit);
            number = (number << 1) | u128::from(bit);
        }
        Ok((number << rest) | plain(coder, value, rest)?)
    }
}

/// Integers in base 2: nonces, times, counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Number {
    lengths: Tree<128>,
    magnitude: Magnitude,
}

impl Number {
    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        value: u128,
    ) -> Result<u128, BatchError> {
        self.magnitude.code(coder, &mut self.lengths, value)
    }

    pub(super) fn code_u64<C: Coder>(
        &mut self,
        coder: &mut C,
        value: u64,
    ) -> Result<u64, BatchError> {
        let value = self.code(coder, value.into())?;
        u64::try_from(value).map_err(|_| BatchError::Malformed("number too long"))
    }
}

/// Amounts that people choose: digits times a power of ten.
#[derive(Clone, Debug, Default)]
pub(super) struct Decimal {
    has_zeros: Chance,
    exponent: Tree<64>,
    lengths: [Tree<128>; 3],
    magnitude: Magnitude,
}

impl Decimal {
    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        value: u128,
    ) -> Result<u128, BatchError> {
        let (digits, exponent) = if C::WRITES { split_decimal(value) } else { (0, 0) };
        let exponent = match coder.bit(&mut self.has_zeros, exponent > 0) {
            true => self.exponent.code(coder, exponent),
            false => 0,
        };
        let lengths = match exponent {
            0 => &mut self.lengths[0],
            1..3 => &mut self.lengths[1],
            _ => &mut self.lengths[2],
        };
        let digits = self.magnitude.code(coder, lengths, digits)?;
        if exponent > 0 && ends_in_zero(digits) {
            return Err(BatchError::Malformed("a zero digit in a mantissa"));
        }
        let power = u32::try_from(exponent).ok().and_then(|e| 10u128.checked_pow(e));
        let value = power.and_then(|power| digits.checked_mul(power));
        value.ok_or(BatchError::Malformed("amount too large"))
    }
}

/// Whether the last decimal digit is zero. Modulo 5 the high half counts like the low half, because
/// 2^64 = 1 modulo 5.
fn ends_in_zero(value: u128) -> bool {
    let half = |shift| u64::try_from((value >> shift) & u128::from(u64::MAX)).unwrap_or(0) % 5;
    value & 1 == 0 && (half(64) + half(0)).is_multiple_of(5)
}

/// The number without its trailing decimal zeros, and their count.
fn split_decimal(mut value: u128) -> (u128, usize) {
    let mut exponent = 0;
    if value == 0 || !ends_in_zero(value) {
        return (value, exponent);
    }
    for step in [32, 16, 8, 4, 2, 1] {
        let power = 10u128.pow(step);
        if value.trailing_zeros() >= step && value.is_multiple_of(power) {
            value /= power;
            exponent += step as usize;
        }
    }
    (value, exponent)
}

/// A position in a list in which early positions are more frequent. Codes its length in bits, then
/// up to 8 bits by a tree per length, or three such bits and the remaining bits without a model.
#[derive(Clone, Debug)]
pub(super) struct Index {
    lengths: Tree<16>,
    low: Box<[Chance; 512]>,
    high: [[Chance; 8]; 32],
}

impl Default for Index {
    fn default() -> Self {
        Self {
            lengths: Tree::default(),
            low: Box::new([Chance::default(); 512]),
            high: [[Chance::default(); 8]; 32],
        }
    }
}

impl Index {
    /// Codes a position in a list of `count`.
    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        index: usize,
        count: usize,
    ) -> Result<usize, BatchError> {
        let index = self.code_any(coder, index)?;
        if index < count { Ok(index) } else { Err(BatchError::Malformed("index past the end")) }
    }

    /// Codes a position in the list, or the end of the list.
    pub(super) fn code_any<C: Coder>(
        &mut self,
        coder: &mut C,
        index: usize,
    ) -> Result<usize, BatchError> {
        let value = index as u64 + 1;
        let given = 63 - value.leading_zeros();
        let mut length = self.lengths.code(coder, given.min(15) as usize);
        if length == 15 {
            let more = coder.plain(u64::from(given.saturating_sub(15)), 4)?;
            length += usize::try_from(more).unwrap_or(0);
        }
        let mut rest = u32::try_from(length).unwrap_or(0);
        let mut node = 1;
        if length < 9 {
            let tree = &mut self.low[(1 << length)..(2 << length)];
            while rest > 0 {
                rest -= 1;
                let bit = coder.bit(&mut tree[node], (value >> rest) & 1 == 1);
                node = 2 * node + usize::from(bit);
            }
            return Ok(node - 1);
        }
        let tree = &mut self.high[length];
        for _ in 0..3 {
            rest -= 1;
            let bit = coder.bit(&mut tree[node], (value >> rest) & 1 == 1);
            node = 2 * node + usize::from(bit);
        }
        let low = coder.plain(value & ((1 << rest) - 1), rest)?;
        usize::try_from(((node as u64) << rest) | low)
            .map(|value| value - 1)
            .map_err(|_| BatchError::Malformed("index past the end"))
    }
}

/// Numbers with few distinct values. Each is coded by its position among the values seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Scalar {
    is_new: Tree<2>,
    index: Index,
    decimal: Decimal,
    seen: Vec<u128>,
    /// Set in a writer only.
    places: HashMap<u128, usize>,
}

impl Scalar {
    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        value: u128,
    ) -> Result<u128, BatchError> {
        let place = if C::WRITES { self.places.get(&value).copied() } else { None };
        if self.is_new.code(coder, usize::from(place.is_none())) == 0 {
            let place = self.index.code(coder, place.unwrap_or(0), self.seen.len())?;
            return Ok(self.seen[place]);
        }
        let value = self.decimal.code(coder, value)?;
        if C::WRITES {
            self.places.insert(value, self.seen.len());
        }
        self.seen.push(value);
        Ok(value)
    }

    pub(super) fn code_u64<C: Coder>(
        &mut self,
        coder: &mut C,
        value: u64,
    ) -> Result<u64, BatchError> {
        let value = self.code(coder, value.into())?;
        u64::try_from(value).map_err(|_| BatchError::Malformed("number too long"))
    }
}
