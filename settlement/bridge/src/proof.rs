use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable as _, Header};
use alloy_trie::{Nibbles, proof::verify_proof};
use turnpike_protocol::{OutputRoot, Withdrawal};

use crate::BridgeError;

/// Items of a branch node.
const BRANCH_ITEMS: usize = 17;

/// Proof to L1 that the state of an output records a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalProof {
    /// Preimage of the output root.
    pub output: OutputRoot,
    /// Nodes from the message passer's storage root to the withdrawal's slot. A leaf embedded in
    /// its branch is repeated as a node of its own, as the OP stack's portal expects.
    pub nodes: Vec<Bytes>,
}

impl WithdrawalProof {
    /// Checks the nodes of a storage proof (`eth_getProof`) against the output.
    pub(crate) fn new(
        output: OutputRoot,
        withdrawal: &Withdrawal,
        nodes: Vec<Bytes>,
    ) -> Result<Self, BridgeError> {
        let key = keccak256(withdrawal.slot());
        let value = alloy_rlp::encode(U256::ONE);
        let root = output.message_passer_storage_root;
        verify_proof(root, Nibbles::unpack(key), Some(value), &nodes).map_err(|error| {
            BridgeError::Inconsistent(format!("invalid storage proof: {error}"))
        })?;
        Ok(Self { output, nodes: with_embedded_leaf(&key, nodes) })
    }
}

/// Repeats the leaf of `key` behind its branch if it is embedded there, as nodes of less than 32
/// bytes are.
fn with_embedded_leaf(key: &B256, mut nodes: Vec<Bytes>) -> Vec<Bytes> {
    let embedded = nodes.last().and_then(|last| embedded_leaf(&Nibbles::unpack(key), last));
    nodes.extend(embedded);
    nodes
}

fn embedded_leaf(key: &Nibbles, node: &[u8]) -> Option<Bytes> {
    let children = items(node).filter(|items| items.len() == BRANCH_ITEMS)?;
    children.iter().take(BRANCH_ITEMS - 1).enumerate().find_map(|(nibble, child)| {
        let leaf = items(child)?;
        let path = Bytes::decode(&mut leaf.first().copied()?).ok()?;
        let rest = leaf_path(&path)?;
        let branch_at = key.len().checked_sub(rest.len() + 1)?;
        let is_ours =
            usize::from(key.get(branch_at)?) == nibble && key.slice(branch_at + 1..) == rest;
        is_ours.then(|| Bytes::copy_from_slice(child))
    })
}

/// The items of an RLP list, each with its own header; `None` if the bytes are no list.
fn items(mut node: &[u8]) -> Option<Vec<&[u8]>> {
    let mut payload = Header::decode_bytes(&mut node, true).ok()?;
    let mut items = Vec::new();
    while !payload.is_empty() {
        let whole = payload;
        let header = Header::decode(&mut payload).ok()?;
        let length = whole.len() - payload.len() + header.payload_length;
        items.push(whole.get(..length)?);
        payload = whole.get(length..)?;
    }
    Some(items)
}

/// The nibbles of a leaf's hex-prefix path; `None` for an extension.
fn leaf_path(path: &[u8]) -> Option<Nibbles> {
    let nibbles = Nibbles::unpack(path);
    match nibbles.get(0)? {
        2 => Some(nibbles.slice(2..)),
        3 => Some(nibbles.slice(1..)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use alloy_trie::{HashBuilder, proof::ProofRetainer};

    use super::*;

    fn withdrawal(nonce: u64) -> Withdrawal {
        Withdrawal {
            nonce: U256::from(nonce),
            sender: Address::repeat_byte(1),
            target: Address::repeat_byte(2),
            value: U256::from(7),
            gas_limit: U256::from(21_000),
            data: Bytes::new(),
        }
    }

    /// A storage with these withdrawals, and the proof of the first.
    fn storage(withdrawals: &[Withdrawal]) -> (OutputRoot, Vec<Bytes>) {
        let key = |withdrawal: &Withdrawal| Nibbles::unpack(keccak256(withdrawal.slot()));
        let target = key(&withdrawals[0]);
        let mut keys: Vec<_> = withdrawals.iter().map(key).collect();
        keys.sort();
        let mut builder =
            HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![target]));
        keys.iter().for_each(|key| builder.add_leaf(*key, &alloy_rlp::encode(U256::ONE)));
        let message_passer_storage_root = builder.root();
        let output = OutputRoot {
            state_root: B256::repeat_byte(3),
            message_passer_storage_root,
            block_hash: B256::repeat_byte(4),
        };
        let nodes = builder.take_proof_nodes().matching_nodes_sorted(&target);
        (output, nodes.into_iter().map(|(_, node)| node).collect())
    }

    #[test]
    fn wrong_proofs_are_rejected() {
        let all: Vec<_> = (0..20).map(withdrawal).collect();
        let (output, nodes) = storage(&all);
        let proof = WithdrawalProof::new(output, &all[0], nodes.clone()).expect("proven");
        assert_eq!((proof.output, &proof.nodes), (output, &nodes));
        WithdrawalProof::new(output, &all[1], nodes.clone()).expect_err("another withdrawal");
        WithdrawalProof::new(output, &withdrawal(99), nodes.clone()).expect_err("never sent");
        let other = OutputRoot { message_passer_storage_root: B256::repeat_byte(9), ..output };
        WithdrawalProof::new(other, &all[0], nodes.clone()).expect_err("another state");
        WithdrawalProof::new(output, &all[0], nodes[1..].to_vec()).expect_err("a node is missing");
        let mut tampered = nodes;
        let mut last = tampered.pop().expect("has nodes").to_vec();
        *last.last_mut().expect("not empty") ^= 1;
        tampered.push(last.into());
        WithdrawalProof::new(output, &all[0], tampered).expect_err("a node is tampered with");
    }

    /// A branch at `depth` with the leaf of `key`, and with the leaf of another key that differs in
    /// that nibble only.
    fn branch(key: &Nibbles, depth: usize) -> (Vec<u8>, Vec<u8>) {
        let rest: Vec<u8> = (depth + 1..key.len()).filter_map(|at| key.get(at)).collect();
        let path = match rest.len() % 2 {
            0 => [vec![0x20], pack(&rest)].concat(),
            _ => [vec![0x30 | rest[0]], pack(&rest[1..])].concat(),
        };
        let mut leaf = Vec::new();
        alloy_rlp::encode_list::<_, [u8]>(&[path.as_slice(), &[1]], &mut leaf);
        let at = key.get(depth).expect("within the key");
        let children = (0..16).flat_map(|nibble| match nibble {
            _ if nibble == at => leaf.clone(),
            _ if nibble == (at + 1) % 16 => leaf.clone(),
            _ => vec![0x80],
        });
        let payload: Vec<u8> = children.chain([0x80]).collect();
        let mut node = Vec::new();
        Header { list: true, payload_length: payload.len() }.encode(&mut node);
        node.extend(payload);
        (node, leaf)
    }

    fn pack(nibbles: &[u8]) -> Vec<u8> {
        nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn embedded_leaf_is_repeated() {
        let key = keccak256(withdrawal(0).slot());
        for depth in [40, 41] {
            let (node, leaf) = branch(&Nibbles::unpack(key), depth);
            let nodes = with_embedded_leaf(&key, vec![node.clone().into()]);
            assert_eq!(nodes, [Bytes::from(node), Bytes::from(leaf)]);
        }
        // A leaf with the same path exists under another nibble.
        let mut other = key;
        let at = 20;
        other.0[at] ^= 0x80;
        let (node, _) = branch(&Nibbles::unpack(key), 40);
        assert_eq!(with_embedded_leaf(&other, vec![node.clone().into()]), [Bytes::from(node)]);
    }
}
