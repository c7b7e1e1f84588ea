//! Encodes nodes as RLP, as Ethereum hashes them. All functions append to `out`.

use alloc::vec::Vec;
use alloy_primitives::B256;
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};

use super::{arena::nibbles, nibbles::HexPrefix, reference::NodeRef};

/// The prefix of a 32-byte string.
const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;
/// The longest encoding of a branch: 16 hashes, an empty value and the header.
const BRANCH_RLP_MAX: usize = 16 * 33 + 1 + 3;

/// Encodes a leaf at depth `start`.
pub(crate) fn encode_leaf(key: &B256, start: u8, value: &[u8], out: &mut Vec<u8>) {
    let path = HexPrefix::leaf(key, start);
    let payload_length = path.as_slice().length() + value.length();
    Header { list: true, payload_length }.encode(out);
    path.as_slice().encode(out);
    value.encode(out);
}

/// Encodes an extension over nibbles `start..end` of `key`. There is at least one nibble.
pub(crate) fn encode_extension(key: &B256, start: u8, end: u8, child: &NodeRef, out: &mut Vec<u8>) {
    let path = HexPrefix::extension(key, start, end);
    let prefix = usize::from(!child.is_inline());
    let payload_length = path.as_slice().length() + prefix + child.as_slice().len();
    Header { list: true, payload_length }.encode(out);
    path.as_slice().encode(out);
    if !child.is_inline() {
        out.push(HASH_CODE);
    }
    out.extend_from_slice(child.as_slice());
}

/// Encodes a branch without a value. `mask` lists its children; the references of those in `inline`
/// are encodings, the others are hashes.
#[inline]
pub(crate) fn encode_branch(mask: u16, inline: u16, references: &[[u8; 32]], out: &mut Vec<u8>) {
    let mut bytes = [EMPTY_STRING_CODE; BRANCH_RLP_MAX];
    let mut at = 3;
    let mut references = references.iter();
    for nibble in 0..16 {
        if mask >> nibble & 1 == 0 {
            at += 1;
            continue;
        }
        let Some(reference) = references.next() else { break };
        if inline >> nibble & 1 == 0 {
            bytes[at] = HASH_CODE;
            bytes[at + 1..at + 33].copy_from_slice(reference);
            at += 33;
        } else {
            let reference = NodeRef::from_record(reference, true);
            let encoding = reference.as_slice();
            bytes[at..at + encoding.len()].copy_from_slice(encoding);
            at += encoding.len();
        }
    }
    let end = at + 1;
    let start = list_header(&mut bytes, end - 3);
    out.extend_from_slice(&bytes[start..end]);
}

/// Writes the header of a list with this payload length before `bytes[3..]`. Returns where the
/// header begins.
fn list_header(bytes: &mut [u8; BRANCH_RLP_MAX], payload: usize) -> usize {
    let [.., high, low] = payload.to_be_bytes();
    match payload {
        0..56 => {
            bytes[2] = 0xc0 + low;
            2
        }
        56..256 => {
            bytes[1..3].copy_from_slice(&[0xf8, low]);
            1
        }
        _ => {
            bytes[..3].copy_from_slice(&[0xf9, high, low]);
            0
        }
    }
}

/// [`encode_branch`] with the references indexed by nibble.
pub(crate) fn encode_branch_of(children: &[Option<NodeRef>; 16], out: &mut Vec<u8>) {
    let (mut mask, mut inline) = (0, 0);
    let mut references = [[0; 32]; 16];
    let mut count = 0;
    for (nibble, child) in children.iter().enumerate() {
        let Some(child) = child else { continue };
        mask |= 1 << nibble;
        inline |= u16::from(child.is_inline()) << nibble;
        references[count] = *child.bytes();
        count += 1;
    }
    debug_assert_eq!(nibbles(mask).count(), count);
    encode_branch(mask, inline, &references[..count], out);
}
