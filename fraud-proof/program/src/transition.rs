//! One inbox entry, derived and executed on a partial state.

use alloc::vec::Vec;

use alloy_primitives::{B256, Bytes};
use serde::Deserialize;
use turnpike_executor::execute_next_block;
use turnpike_protocol::{ChainConfig, Deposit, Entry, EntryData, Header, Parent, derive};
use turnpike_state::{PartialState, Witness};

/// All that the blocks of an entry depend on, as JSON. It is believed, apart from what the state root commits to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    config: ChainConfig,
    /// The block before the entry's first.
    header: Header,
    /// That block's origin.
    parent_origin: Option<u64>,
    entry: Entry,
    deposits_before: u64,
    origin: Entry,
    data: Bytes,
    #[serde(default)]
    blob_hashes: Vec<B256>,
    deposits: Vec<Deposit>,
    /// Trie nodes and codes.
    preimages: Vec<Bytes>,
}

/// Why there is no output root; the values are the program's exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The input is empty.
    NoInput = 2,
    /// The input does not parse.
    Input = 3,
    /// Derivation refused its arguments.
    Derive = 4,
    /// The witness lacks what execution reads.
    Execute = 5,
}

/// The output root after the entry's last block.
pub fn transition(input: &[u8]) -> Result<B256, Fault> {
    if input.is_empty() {
        return Err(Fault::NoInput);
    }
    let input: Input = serde_json::from_slice(input).map_err(|_| Fault::Input)?;
    let Input { config, mut header, entry, origin, .. } = input;
    let parent =
        Parent { number: header.number, timestamp: header.timestamp, origin: input.parent_origin };
    let source = EntryData {
        entry: &entry,
        deposits_before: input.deposits_before,
        origin: &origin,
        data: &input.data,
        blob_hashes: &input.blob_hashes,
        deposits: &input.deposits,
    };
    let derived = derive(&config, parent, &source).map_err(|_| Fault::Derive)?;
    let mut witness = Witness::default();
    input.preimages.into_iter().for_each(|preimage| witness.add(preimage));
    let mut state = PartialState::new(header.state_root, witness);
    let mut output_root = B256::ZERO;
    for block in &derived.blocks {
        let parent_hash = header.hash_slow();
        let outcome = execute_next_block(&config, &header, parent_hash, block, &mut state)
            .map_err(|_| Fault::Execute)?;
        output_root = outcome.output.hash();
        header = outcome.header;
    }
    Ok(output_root)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{KECCAK256_EMPTY, U256, keccak256};
    use serde_json::{Value, json};
    use turnpike_protocol::{DataKind, Genesis};
    use turnpike_state::{Account, AccountDiff, NodeState, StateDiff, Touched};

    use super::*;

    fn genesis_diff(genesis: &Genesis) -> StateDiff {
        let mut diff = StateDiff::default();
        for (address, account) in &genesis.alloc {
            let mut code_hash = KECCAK256_EMPTY;
            if !account.code.is_empty() {
                code_hash = keccak256(&account.code);
                diff.codes.push((code_hash, account.code.clone()));
            }
            let (nonce, balance) = (account.nonce, account.balance);
            let account = AccountDiff {
                address: *address,
                account: Some(Account { nonce, balance, code_hash }),
                storage: account.storage.iter().map(|(slot, value)| (*slot, *value)).collect(),
                ..Default::default()
            };
            diff.accounts.push(account);
        }
        diff
    }

    fn entry(index: u64) -> Entry {
        Entry {
            index,
            data_kind: DataKind::None,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 10 + index,
            l1_time: 2_000_000_000 + index,
            l1_base_fee: U256::from(7),
            l1_blob_base_fee: U256::from(1),
            l1_parent_hash: B256::repeat_byte(9),
            origin: 0,
        }
    }

    /// A forced entry on the development genesis, and its output root by the node's state.
    fn forced_entry() -> (Value, B256) {
        let genesis = Genesis::dev();
        let diff = genesis_diff(&genesis);
        let (mut state, roots) = NodeState::from_genesis(&diff);
        let before = state.clone();
        let header = genesis.header(roots.state_root);
        let (entry, origin) = (entry(1), entry(0));
        let parent = Parent { number: 0, timestamp: header.timestamp, origin: None };
        let (data, deposits): (&[u8], &[Deposit]) = (&[], &[]);
        let source = EntryData {
            entry: &entry,
            deposits_before: 0,
            origin: &origin,
            data,
            blob_hashes: &[],
            deposits,
        };
        let derived = derive(&genesis.config, parent, &source).expect("derives");
        let [block] = derived.blocks.as_slice() else { panic!("a forced entry has one block") };
        let hash = header.hash_slow();
        let outcome = execute_next_block(&genesis.config, &header, hash, block, &mut state)
            .expect("executes");

        let mut touched = Touched::default();
        touched.add_diff(&diff);
        touched.add_diff(&outcome.diff);
        touched.codes.extend(diff.codes.iter().map(|(hash, _)| *hash));
        let witness = before.witness(&touched).into_preimages();
        let input = json!({
            "config": genesis.config,
            "header": header,
            "parentOrigin": null,
            "entry": entry,
            "depositsBefore": 0,
            "origin": origin,
            "data": "0x",
            "deposits": deposits,
            "preimages": witness.values().collect::<Vec<_>>(),
        });
        (input, outcome.output.hash())
    }

    fn transition_of(input: &Value) -> Result<B256, Fault> {
        transition(&serde_json::to_vec(input).expect("serializes"))
    }

    #[test]
    fn agrees_with_the_node_on_a_forced_entry() {
        let (input, output_root) = forced_entry();
        assert_eq!(transition_of(&input), Ok(output_root));
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(transition(&[]), Err(Fault::NoInput));
        assert_eq!(transition(b"{}"), Err(Fault::Input));
        let (mut input, _) = forced_entry();
        input["preimages"] = json!([]);
        assert_eq!(transition_of(&input), Err(Fault::Execute));
        input["depositsBefore"] = json!(1);
        input["entry"]["depositCount"] = json!(2);
        assert_eq!(transition_of(&input), Err(Fault::Derive));
    }
}
