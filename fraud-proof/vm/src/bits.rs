//! Named narrowing functions: no other module cuts off bits.
#![allow(clippy::cast_possible_truncation, reason = "these functions narrow on purpose")]

/// The low half.
#[inline(always)]
pub(crate) const fn low(value: u64) -> u32 {
    value as u32
}

/// The high half of a product.
#[inline(always)]
pub(crate) const fn high(value: u128) -> u64 {
    (value >> 64) as u64
}

/// The low `bytes` (1, 2, 4 or 8) of a value, sign-extended.
#[inline(always)]
pub(crate) const fn sign_extend(value: u64, bytes: u64) -> u64 {
    let unused = 64 - 8 * bytes as u32;
    ((value << unused).cast_signed() >> unused).cast_unsigned()
}

/// A 32-bit result, sign-extended as registers hold it.
#[inline(always)]
pub(crate) const fn sign_extend_word(value: u32) -> u64 {
    (value.cast_signed() as i64).cast_unsigned()
}

/// Index of the 4 KiB page of an address below 2^32.
#[inline(always)]
pub(crate) const fn page_of(address: u64) -> usize {
    (address as u32 >> 12) as usize
}

/// Index within its page of the 8-byte word of an address.
#[inline(always)]
pub(crate) const fn word_of(address: u64) -> usize {
    (address as usize >> 3) & 511
}

/// Index within its page of the instruction at an address.
#[inline(always)]
pub(crate) const fn slot_of(address: u64) -> usize {
    (address as usize >> 2) & 1023
}

/// Index within its page of the Merkle leaf at an address.
pub(crate) const fn leaf_of(address: u64) -> usize {
    (address as usize >> 5) & 127
}
