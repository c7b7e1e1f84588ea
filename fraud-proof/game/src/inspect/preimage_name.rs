//! Names what a step reads from the preimage oracle.

use crate::prove::grouped;
use alloy_primitives::{Address, B256};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{DataKind, LocalInput, ORACLE_WORD_BYTES, Preimage, Preimages, keccak_key};

/// Describes the preimage of `key` and the part of it at `offset`.
pub(super) fn describe(
    preimages: &Preimages,
    entries: &[PostedEntry],
    key: &B256,
    offset: u64,
) -> String {
    let what = match preimages.get(key) {
        None => return local(key),
        Some(Preimage::Blob { versioned_hash, .. }) => {
            let element = offset / ORACLE_WORD_BYTES as u64;
            return format!("element {element} of blob {versioned_hash}");
        }
        Some(Preimage::Precompile { address, input, .. }) => {
            let name = precompile(address);
            format!("the answer of precompile {address}{name} to {} bytes of input", input.len())
        }
        Some(Preimage::Keccak { bytes }) => hashed(preimages, entries, key, bytes),
    };
    format!("{what}, from byte {} on", grouped(offset))
}

/// A local input, which the dispute contract sets from the disputed position.
fn local(key: &B256) -> String {
    let inputs = [
        (LocalInput::ChainConfig, "the hash of the chain's configuration"),
        (LocalInput::OutputRoot, "the output root before the block, on which both sides agree"),
        (LocalInput::InboxAcc, "the inbox's accumulator after the entry"),
        (LocalInput::BlockIndex, "which of the entry's blocks it is"),
        (LocalInput::DataMissing, "whether the entry's data is missing"),
    ];
    let named = inputs.into_iter().find(|(input, _)| input.key() == *key);
    named.map_or_else(|| format!("key {key}, which is unknown"), |(_, name)| name.to_owned())
}

/// Describes a keccak preimage by where the chain refers to it.
fn hashed(preimages: &Preimages, entries: &[PostedEntry], key: &B256, bytes: &[u8]) -> String {
    let is = |hash: B256| keccak_key(hash) == *key;
    let local = &preimages.local;
    if is(local.chain_config) {
        return "the chain's configuration".to_owned();
    }
    if is(local.output_root) {
        return "the parts of the output root before the block".to_owned();
    }
    if let Some(posted) = entries.iter().find(|posted| is(posted.acc)) {
        return format!("inbox entry {}", posted.entry.index);
    }
    let disputed = entries.iter().find(|posted| posted.acc == local.inbox_acc);
    if let Some(part) = disputed.and_then(|posted| of_entry(preimages, posted, &is)) {
        return part;
    }
    if is_header(preimages, local.output_root, &is) {
        return "the header of the block before".to_owned();
    }
    let length = grouped(bytes.len() as u64);
    if is_rlp_list(bytes) {
        format!("a trie node of {length} bytes")
    } else {
        format!("{length} bytes that hash to it: a contract's code, or a deposit's data")
    }
}

/// A part of the disputed entry: a deposit or a part of its batch.
fn of_entry(
    preimages: &Preimages,
    posted: &PostedEntry,
    is: &impl Fn(B256) -> bool,
) -> Option<String> {
    let entry = &posted.entry;
    if is(entry.deposit_acc) {
        return Some(format!("the last deposit of inbox entry {}", entry.index));
    }
    let index = entry.index;
    let parts = match entry.data_kind {
        DataKind::None => return None,
        DataKind::Calldata => "calldata chunks",
        DataKind::Blobs => "blobs",
    };
    if is(entry.data_hash) {
        return Some(format!("the list of {parts} of inbox entry {index}"));
    }
    let Preimage::Keccak { bytes: list } = preimages.get(&keccak_key(entry.data_hash))? else {
        return None;
    };
    let chunk = list.chunks_exact(B256::len_bytes()).position(|hash| is(B256::from_slice(hash)))?;
    Some(format!("chunk {chunk} of the calldata of inbox entry {index}"))
}

/// Whether the key is of the header that the output root before the block commits to.
fn is_header(preimages: &Preimages, output_root: B256, is: &impl Fn(B256) -> bool) -> bool {
    match preimages.get(&keccak_key(output_root)) {
        Some(Preimage::Keccak { bytes }) => {
            bytes.last_chunk().is_some_and(|hash: &[u8; 32]| is(B256::from(*hash)))
        }
        _ => false,
    }
}

/// Whether the bytes are one RLP list: trie nodes are, code is not.
fn is_rlp_list(bytes: &[u8]) -> bool {
    let Some((&first, rest)) = bytes.split_first() else { return false };
    match first {
        0xc0..=0xf7 => rest.len() == usize::from(first - 0xc0),
        0xf8.. => {
            let (length, payload) = rest.split_at(usize::from(first - 0xf7).min(rest.len()));
            let length = length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
            payload.len() == length
        }
        _ => false,
    }
}

/// A precompile's name in brackets.
fn precompile(address: &Address) -> &'static str {
    let (number, rest) = (address[19], &address[..19]);
    let is_low = rest.iter().all(|byte| *byte == 0);
    match number {
        1 if is_low => " (ecrecover)",
        2 if is_low => " (sha256)",
        3 if is_low => " (ripemd160)",
        5 if is_low => " (modexp)",
        6 if is_low => " (bn254 addition)",
        7 if is_low => " (bn254 multiplication)",
        8 if is_low => " (bn254 pairing)",
        9 if is_low => " (blake2f)",
        10 if is_low => " (KZG point evaluation)",
        11..=17 if is_low => " (BLS12-381)",
        0 if rest[18] == 1 && rest[..18].iter().all(|byte| *byte == 0) => " (secp256r1)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, address, keccak256};
    use turnpike_protocol::{LocalInputs, precompile_key};

    use super::*;

    #[test]
    fn preimages_are_named_by_their_place_in_the_chain() {
        let header = Bytes::from_static(b"a header");
        let root = [B256::ZERO; 3].map(|part| part.0).concat();
        let root = [root, keccak256(&header).to_vec()].concat();
        let output_root = keccak256(&root);
        let mut all = Preimages::new(LocalInputs { output_root, ..LocalInputs::default() });
        let ecrecover = address!("0000000000000000000000000000000000000001");
        // A list of one empty string.
        let node = Bytes::from_static(&[0xc1, 0x80]);
        let code = Bytes::from_static(&[0x60, 0x00]);
        for bytes in [root.into(), header.clone(), node.clone(), code.clone()] {
            all.add(Preimage::Keccak { bytes });
        }
        let input = Bytes::from_static(&[7; 128]);
        let call = precompile_key(&ecrecover, &input);
        all.add(Preimage::Precompile { address: ecrecover, input, output: None });

        let said = |key: B256, offset| describe(&all, &[], &key, offset);
        let of = |bytes: &[u8]| keccak_key(keccak256(bytes));
        assert_eq!(said(LocalInput::BlockIndex.key(), 0), "which of the entry's blocks it is");
        assert_eq!(
            said(keccak_key(output_root), 96),
            "the parts of the output root before the block, from byte 96 on"
        );
        assert_eq!(said(of(&header), 0), "the header of the block before, from byte 0 on");
        assert_eq!(said(of(&node), 0), "a trie node of 2 bytes, from byte 0 on");
        assert_eq!(
            said(of(&code), 0),
            "2 bytes that hash to it: a contract's code, or a deposit's data, from byte 0 on"
        );
        assert_eq!(
            said(call, 32),
            format!(
                "the answer of precompile {ecrecover} (ecrecover) to 128 bytes of input, from byte 32 on"
            )
        );
    }

    #[test]
    fn rlp_list_fills_its_bytes() {
        assert!(is_rlp_list(&[0xc0]));
        assert!(is_rlp_list(&[[0xf8, 56].as_slice(), &[0; 56]].concat()));
        assert!(!is_rlp_list(&[0xc1]));
        assert!(!is_rlp_list(&[0xef, 1, 0, 7]));
        assert!(!is_rlp_list(&[0x60, 0]));
        assert!(!is_rlp_list(&[]));
    }
}
