//! Packing of batch data into EIP-4844 blobs.
//!
//! A blob is 4,096 field elements of 32 bytes, each below a prime a little above 2^254, so 254 bits
//! of each element carry data. Four elements make a group of 127 bytes: the first 124 bytes fill
//! the elements' lower 31 bytes in order, and the last three fill the lower six bits of their top
//! bytes, first element in the most significant bits. Groups follow one another through the blobs
//! of an entry. The carried data begins with its length and ends in zeros.

use alloc::vec::Vec;

/// Bytes of a blob.
pub const BLOB_BYTES: usize = ELEMENT_BYTES * 4_096;

/// Bytes that a blob carries.
const BLOB_CARRIED_BYTES: usize = BLOB_BYTES / GROUP_BYTES * CARRIED_BYTES;

/// Bytes of a field element.
const ELEMENT_BYTES: usize = 32;

/// Field elements of a group.
const GROUP_ELEMENTS: usize = 4;

/// Bytes of a group.
const GROUP_BYTES: usize = GROUP_ELEMENTS * ELEMENT_BYTES;

/// Bytes that a field element carries below its top byte.
const LOW_BYTES: usize = ELEMENT_BYTES - 1;

/// Bytes that a group carries.
const CARRIED_BYTES: usize = GROUP_ELEMENTS * LOW_BYTES + 3;

/// Bits that a top byte carries.
const TOP_BITS: u32 = 6;

/// Bytes of the length before the data, big-endian.
const LENGTH_BYTES: usize = 4;

/// Bytes of data that `blobs` blobs carry.
pub const fn blob_data_bytes(blobs: usize) -> usize {
    (blobs * BLOB_CARRIED_BYTES).saturating_sub(LENGTH_BYTES)
}

/// Number of blobs that `data_bytes` bytes of data take, at least one.
pub const fn blobs_for(data_bytes: usize) -> usize {
    (data_bytes + LENGTH_BYTES).div_ceil(BLOB_CARRIED_BYTES)
}

/// Returns the blobs that carry `data`, concatenated. `None` if four bytes cannot hold its length.
pub fn pack_blobs(data: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(data.len()).ok()?;
    let blobs = blobs_for(data.len());
    let mut carried = Vec::with_capacity(blobs * BLOB_CARRIED_BYTES);
    carried.extend_from_slice(&length.to_be_bytes());
    carried.extend_from_slice(data);
    carried.resize(blobs * BLOB_CARRIED_BYTES, 0);
    let mut packed = alloc::vec![0; blobs * BLOB_BYTES];
    for (group, carried) in
        packed.chunks_exact_mut(GROUP_BYTES).zip(carried.chunks_exact(CARRIED_BYTES))
    {
        let (low, top) = carried.split_at(GROUP_ELEMENTS * LOW_BYTES);
        let top = u32::from_be_bytes([0, top[0], top[1], top[2]]);
        for (i, element) in group.chunks_exact_mut(ELEMENT_BYTES).enumerate() {
            element[0] = top_byte(top, i);
            element[1..].copy_from_slice(&low[i * LOW_BYTES..(i + 1) * LOW_BYTES]);
        }
    }
    Some(packed)
}

/// Returns the data that whole blobs carry. `None` unless they are exactly the blobs that
/// [`pack_blobs`] returns for the data.
pub fn unpack_blobs(blobs: &[u8]) -> Option<Vec<u8>> {
    if blobs.is_empty() || !blobs.len().is_multiple_of(BLOB_BYTES) {
        return None;
    }
    let mut carried = Vec::with_capacity(blobs.len() / GROUP_BYTES * CARRIED_BYTES);
    for group in blobs.chunks_exact(GROUP_BYTES) {
        let mut top = 0;
        for element in group.chunks_exact(ELEMENT_BYTES) {
            if element[0] >> TOP_BITS != 0 {
                return None;
            }
            top = top << TOP_BITS | u32::from(element[0]);
            carried.extend_from_slice(&element[1..]);
        }
        carried.extend_from_slice(&top.to_be_bytes()[1..]);
    }
    let (length, rest) = carried.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (data, padding) = rest.split_at_checked(length)?;
    let is_canonical =
        blobs_for(length) * BLOB_BYTES == blobs.len() && padding.iter().all(|byte| *byte == 0);
    is_canonical.then(|| data.to_vec())
}

/// The bits of `top` that the group's `i`-th element carries.
#[expect(clippy::cast_possible_truncation, reason = "six bits")]
const fn top_byte(top: u32, i: usize) -> u8 {
    (top >> (TOP_BITS * (GROUP_ELEMENTS - 1 - i) as u32)) as u8 & ((1 << TOP_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(bytes: usize) -> Vec<u8> {
        (0..251u8).map(|byte| byte.wrapping_mul(31) | 0x81).cycle().take(bytes).collect()
    }

    #[test]
    fn blob_carries_254_bits_of_each_element() {
        assert_eq!(BLOB_CARRIED_BYTES * 8, 4_096 * 254);
        assert_eq!(blob_data_bytes(1), 130_044);
        assert_eq!((blobs_for(0), blobs_for(130_044), blobs_for(130_045)), (1, 1, 2));
    }

    #[test]
    fn unpack_inverts_pack() {
        for bytes in [0, 1, 120, 123, 124, 127, 130_043, 130_044, 130_045, 400_000] {
            let data = data(bytes);
            let blobs = pack_blobs(&data).expect("length fits four bytes");
            assert_eq!(blobs.len(), blobs_for(bytes) * BLOB_BYTES);
            // Every element is below the modulus, whose top byte is 0x73.
            assert!(blobs.chunks(ELEMENT_BYTES).all(|element| element[0] < 0x40));
            assert_eq!(unpack_blobs(&blobs), Some(data));
        }
    }

    #[test]
    fn only_canonical_packings_unpack() {
        assert_eq!(unpack_blobs(&[]), None);
        let blobs = pack_blobs(&data(1_000)).expect("length fits four bytes");
        assert_eq!(unpack_blobs(&blobs[1..]), None);
        let broken = |at: usize, byte: u8| {
            let mut blobs = blobs.clone();
            blobs[at] |= byte;
            unpack_blobs(&blobs)
        };
        assert_eq!(broken(32, 0x40), None, "more than 254 bits");
        assert_eq!(broken(BLOB_BYTES - 1, 1), None, "padding is not zero");
        let two = [blobs.clone(), blobs.clone()].concat();
        assert_eq!(unpack_blobs(&two), None, "one blob too many");
        let mut long = blobs.clone();
        long[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(unpack_blobs(&long), None, "length exceeds the blobs");
    }
}
