//! Nodes to RLP, in the form that Ethereum hashes.

use alloc::vec::Vec;
use alloy_primitives::B256;
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};

use super::{nibbles::HexPrefix, node::NodeRef};

/// The prefix of a 32-byte string.
const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;

/// Encodes a leaf that hangs at `start`.
pub(super) fn encode_leaf(key: &B256, start: u8, value: &[u8], out: &mut Vec<u8>) {
    let path = HexPrefix::leaf(key, start);
    let payload_length = path.as_slice().length() + value.length();
    Header { list: true, payload_length }.encode(out);
    path.as_slice().encode(out);
    value.encode(out);
}

/// Encodes an extension over nibbles `start..end` of `key`, not none.
pub(super) fn encode_extension(key: &B256, start: u8, end: u8, child: &NodeRef, out: &mut Vec<u8>) {
    let path = HexPrefix::extension(key, start, end);
    let payload_length = path.as_slice().length() + reference_length(child);
    Header { list: true, payload_length }.encode(out);
    path.as_slice().encode(out);
    encode_reference(child, out);
}

/// Encodes a branch without a value.
pub(super) fn encode_branch(children: &[Option<NodeRef>; 16], out: &mut Vec<u8>) {
    let lengths = children.iter().map(|child| child.as_ref().map_or(1, reference_length));
    let payload_length = lengths.sum::<usize>() + 1;
    Header { list: true, payload_length }.encode(out);
    for child in children {
        match child {
            Some(reference) => encode_reference(reference, out),
            None => out.push(EMPTY_STRING_CODE),
        }
    }
    out.push(EMPTY_STRING_CODE);
}

fn reference_length(reference: &NodeRef) -> usize {
    reference.as_slice().len() + usize::from(reference.as_hash().is_some())
}

fn encode_reference(reference: &NodeRef, out: &mut Vec<u8>) {
    if reference.as_hash().is_some() {
        out.push(HASH_CODE);
    }
    out.extend_from_slice(reference.as_slice());
}
