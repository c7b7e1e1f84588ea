//! Keys as sequences of 64 nibbles, and the hex-prefix encoding of a part of one.
//!
//! A position in a key is a `u8` from 0 to [`KEY_NIBBLES`].

use alloy_primitives::B256;

/// Nibbles in a key.
pub(super) const KEY_NIBBLES: u8 = 64;

/// The flag of a hex-prefix path that ends in a leaf.
const FLAG_LEAF: u8 = 0x20;
/// The flag of a hex-prefix path with an odd number of nibbles.
const FLAG_ODD: u8 = 0x10;

/// The nibble at `position`, as an index.
#[inline]
pub(crate) fn nibble(key: &B256, position: u8) -> usize {
    let byte = key[usize::from(position / 2)];
    usize::from(if position.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}

/// `key` with the nibble at `position` replaced.
pub(crate) fn with_nibble(key: &B256, position: u8, value: u8) -> B256 {
    let mut key = *key;
    let byte = &mut key[usize::from(position / 2)];
    *byte =
        if position.is_multiple_of(2) { *byte & 0x0f | value << 4 } else { *byte & 0xf0 | value };
    key
}

/// Number of leading nibbles that two keys share.
#[inline]
pub(super) fn common_nibbles(a: &B256, b: &B256) -> u8 {
    for (position, (a, b)) in (0..KEY_NIBBLES).step_by(2).zip(a.iter().zip(b)) {
        if a != b {
            return position + u8::from(a >> 4 == b >> 4);
        }
    }
    KEY_NIBBLES
}

/// A part of a key in hex-prefix encoding.
pub(super) struct HexPrefix {
    bytes: [u8; 33],
    len: usize,
}

impl HexPrefix {
    /// The path of an extension: nibbles `from..to` of `key`.
    pub(super) fn extension(key: &B256, from: u8, to: u8) -> Self {
        Self::new(key, from, to, 0)
    }

    /// The path of a leaf: all nibbles of `key` from `from`.
    pub(super) fn leaf(key: &B256, from: u8) -> Self {
        Self::new(key, from, KEY_NIBBLES, FLAG_LEAF)
    }

    fn new(key: &B256, from: u8, to: u8, flag: u8) -> Self {
        let mut bytes = [0; 33];
        let len = 1 + usize::from((to - from) / 2);
        let mut start = from;
        bytes[0] = flag;
        if !(to - from).is_multiple_of(2) {
            let byte = key[usize::from(from / 2)];
            bytes[0] |= FLAG_ODD | if from.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f };
            start += 1;
        }
        let offset = usize::from(start / 2);
        for (index, byte) in bytes[1..len].iter_mut().enumerate() {
            *byte = if start.is_multiple_of(2) {
                key[offset + index]
            } else {
                key[offset + index] << 4 | key[offset + index + 1] >> 4
            };
        }
        Self { bytes, len }
    }

    /// The encoded path.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A decoded hex-prefix path.
pub(super) struct DecodedPath {
    /// The key up to `end`, followed by zeros.
    pub(super) key: B256,
    /// The position after the path.
    pub(super) end: u8,
    /// Whether the path ends in a leaf.
    pub(super) is_leaf: bool,
}

/// Decodes a hex-prefix path of a node at depth `from`, below the first nibbles of `prefix`.
/// Returns `None` if the path is not canonical or exceeds the length of a key.
pub(super) fn decode_path(encoded: &[u8], prefix: &B256, from: u8) -> Option<DecodedPath> {
    let (&first, rest) = encoded.split_first()?;
    let odd = first & FLAG_ODD != 0;
    if first & !(FLAG_LEAF | FLAG_ODD | 0x0f) != 0 || (!odd && first & 0x0f != 0) {
        return None;
    }
    let mut key = truncated(prefix, from);
    let mut end = from;
    let nibbles = rest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    for value in odd.then_some(first & 0x0f).into_iter().chain(nibbles) {
        if end == KEY_NIBBLES {
            return None;
        }
        key = with_nibble(&key, end, value);
        end += 1;
    }
    Some(DecodedPath { key, end, is_leaf: first & FLAG_LEAF != 0 })
}

/// `key` with all nibbles from `position` on set to zero.
fn truncated(key: &B256, position: u8) -> B256 {
    let mut result = B256::ZERO;
    let whole = usize::from(position / 2);
    result[..whole].copy_from_slice(&key[..whole]);
    if !position.is_multiple_of(2) {
        result[whole] = key[whole] & 0xf0;
    }
    result
}
