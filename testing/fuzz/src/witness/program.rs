//! The proof program on an oracle that the input tampers with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use turnpike_executor::{Chain, precompile_outcome};
use turnpike_program::{Fault, run};
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, BlockInput, DataKind, Deposit, DepositHint, Effort, Entry,
    EntryData, Genesis, LocalInputs, Oracle, OracleWord, Preimage, Preimages, SignedTx, TxEnvelope,
    calldata_hash, derive, history_slot, predeploys::HISTORY_STORAGE,
};
use turnpike_state::{PrecompileOutcome, Touched};

use super::tamper::Tamper;
use crate::{Outcome, input::Input};

/// Key of an account of the development chain.
const KEY: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// False preimages, at most.
const TAMPERS_MAX: usize = 4;

/// The witness of a block with a deposit and a transfer, and the output root after it.
static BLOCK: LazyLock<(Preimages, B256)> = LazyLock::new(block);

/// An oracle with some preimages changed.
#[derive(Debug)]
struct Tampered {
    honest: Preimages,
    /// False preimages by key; `None` where the oracle has none.
    changed: BTreeMap<B256, Option<Vec<u8>>>,
    /// A key whose preimage claims another length than it has.
    length: Option<(B256, u64)>,
    was_read: bool,
}

impl Oracle for Tampered {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        let changed = self.changed.get(key);
        let length = self.length.filter(|(changed, _)| changed == key);
        self.was_read |= changed.is_some() || length.is_some();
        let word = match changed {
            Some(changed) => OracleWord::of(changed.as_ref()?, offset),
            None => self.honest.read(key, offset)?,
        };
        Some(OracleWord { len: length.map_or(word.len, |(_, len)| len), ..word })
    }
}

/// Runs the program.
pub(super) fn check(input: &mut Input<'_>) -> Outcome {
    let (honest, expected) = BLOCK.clone();
    let keys: Vec<B256> = honest.iter().map(|(key, _)| *key).collect();
    let mut oracle = Tampered { honest, changed: BTreeMap::new(), length: None, was_read: false };
    let mut only_missing = true;
    for _ in 0..input.below(TAMPERS_MAX + 1) {
        let (key, tamper) = (*input.pick(&keys), Tamper::read(input));
        let Some(preimage) = oracle.honest.get(&key) else { continue };
        oracle.changed.insert(key, tamper.apply(&bytes(preimage)));
        only_missing &= tamper == Tamper::Missing;
    }
    if input.byte() & 1 == 1 {
        oracle.length = Some((*input.pick(&keys), input.u64()));
        only_missing = false;
    }
    let outcome = run(&mut oracle);
    if !oracle.was_read {
        assert_eq!(outcome, Ok(expected), "nothing false was read");
    }
    match outcome {
        Ok(root) => {
            assert!(!only_missing || root == expected, "a missing preimage changes the root");
            Outcome::Checked
        }
        Err(fault) => {
            assert!((2..=6).contains(&fault.exit_code()), "{fault}");
            let missing = matches!(fault, Fault::Missing(_) | Fault::Execute);
            assert!(!only_missing || missing, "a missing preimage is no {fault}");
            Outcome::Refused
        }
    }
}

/// The bytes that the oracle answers with.
fn bytes(preimage: &Preimage) -> Vec<u8> {
    match preimage {
        Preimage::Keccak { bytes } | Preimage::Blob { bytes, .. } => bytes.to_vec(),
        Preimage::Precompile { output: None, .. } => vec![0],
        Preimage::Precompile { output: Some(output), .. } => [&[1], &output[..]].concat(),
    }
}

/// Derives and executes the block as a node does, and records what the program reads.
fn block() -> (Preimages, B256) {
    let genesis = Genesis::dev();
    let mut chain = Chain::from_genesis(&genesis);
    let before = chain.head().clone();
    let config_hash = genesis.config.hash(before.hash());
    let state = chain.state().clone();
    let posted = Posted::new(&genesis, config_hash);
    let derived = derive(&genesis.config, before.parent, &posted.data()).expect("derives");
    let block = derived.blocks.into_iter().next().expect("an entry derives a block");
    let block: BlockInput = block.map_transactions(SignedTx::recover);
    let outcome = chain.execute(&block).expect("executes");
    assert_eq!(outcome.transactions.len(), 3, "attributes, deposit and transfer");

    let mut touched = Touched::default();
    touched.accounts.entry(HISTORY_STORAGE).or_default().insert(history_slot(0));
    for (address, account) in &genesis.alloc {
        touched.accounts.entry(*address).or_default().extend(account.storage.keys());
        touched.codes.insert(keccak256(&account.code));
    }
    touched.add_diff(&outcome.diff);
    let mut preimages = Preimages::new(LocalInputs {
        chain_config: config_hash,
        output_root: before.output.hash(),
        inbox_acc: posted.acc,
        block_index: 0,
        data_missing: false,
    });
    let witness = state.witness(&touched).into_preimages().into_values();
    let agreed = [
        genesis.config.preimage(before.hash()).into(),
        before.output.preimage().into(),
        alloy_rlp::encode(&before.header).into(),
    ];
    for bytes in posted.preimages.iter().cloned().chain(agreed).chain(witness) {
        preimages.add(Preimage::Keccak { bytes });
    }
    let mut recording = Recording { preimages, used: BTreeSet::new() };
    let root = outcome.output.hash();
    assert_eq!(run(&mut recording), Ok(root), "the program agrees with the node");
    (recording.into_used(), root)
}

/// Answers what the host computes, and records which preimages are used.
struct Recording {
    preimages: Preimages,
    used: BTreeSet<B256>,
}

impl Recording {
    fn into_used(self) -> Preimages {
        let mut used = Preimages::new(self.preimages.local);
        let read = self.preimages.iter().filter(|(key, _)| self.used.contains(*key));
        read.for_each(|(_, preimage)| used.add(preimage.clone()));
        used
    }
}

impl Oracle for Recording {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        self.used.insert(*key);
        self.preimages.read(key, offset)
    }

    fn hint_precompile(&mut self, address: &Address, input: &[u8]) {
        let output = match precompile_outcome(address, input).expect("L1 computes it") {
            PrecompileOutcome::Output(output) => Some(output),
            PrecompileOutcome::Failure => None,
        };
        let input = Bytes::copy_from_slice(input);
        self.preimages.add(Preimage::Precompile { address: *address, input, output });
    }
}

/// Two entries of an inbox: the constructor's, and one with a batch and a deposit.
struct Posted {
    first: Entry,
    entry: Entry,
    data: Vec<u8>,
    deposit: Deposit,
    /// The accumulator after the second entry.
    acc: B256,
    preimages: Vec<Bytes>,
}

impl Posted {
    fn new(genesis: &Genesis, config_hash: B256) -> Self {
        let deposit = deposit();
        let batch = Batch {
            head: BatchHead::default(),
            blocks: vec![BatchBlock {
                deposit_count: 1,
                transactions: vec![transfer(genesis)],
                ..BatchBlock::default()
            }],
            deposit_hints: vec![DepositHint::default()],
        };
        let limits = genesis.config.batch_limits();
        let data = batch.encode(limits, Effort::Fast).expect("it fits its limits");
        let first = Entry {
            index: 0,
            data_kind: DataKind::None,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 10,
            l1_time: genesis.timestamp,
            l1_base_fee: U256::from(7),
            l1_blob_base_fee: U256::from(1),
            l1_parent_hash: B256::repeat_byte(9),
            origin: 0,
            origin_acc: B256::ZERO,
            offchain_time: 0,
        };
        let first_acc = first.accumulate(config_hash);
        let entry = Entry {
            index: 1,
            data_kind: DataKind::Calldata,
            data_hash: calldata_hash(&data),
            deposit_acc: deposit.accumulate(B256::ZERO),
            deposit_count: 1,
            l1_block_number: 11,
            l1_time: genesis.timestamp + 12,
            origin_acc: first_acc,
            ..first
        };
        let preimages = [
            first.preimage(config_hash),
            entry.preimage(first_acc),
            deposit.preimage(B256::ZERO),
            deposit.opaque_data.to_vec(),
            keccak256(&data).to_vec(),
            data.clone(),
        ];
        let preimages = preimages.map(Bytes::from).to_vec();
        Self { acc: entry.accumulate(first_acc), first, entry, data, deposit, preimages }
    }

    fn data(&self) -> EntryData<'_> {
        EntryData {
            entry: &self.entry,
            previous: &self.first,
            origin: &self.first,
            data: &self.data,
            blob_hashes: &[],
            deposits: std::slice::from_ref(&self.deposit),
        }
    }
}

/// A deposit that mints and creates a contract.
fn deposit() -> Deposit {
    let mut data = U256::from(1_000).to_be_bytes::<32>().to_vec();
    data.extend(U256::from(5).to_be_bytes::<32>());
    data.extend(200_000_u64.to_be_bytes());
    data.push(1);
    data.extend(hex!("602a5f5560015ff3"));
    Deposit {
        index: 0,
        l1_block_number: 5,
        from: Address::repeat_byte(0xd0),
        to: Address::ZERO,
        version: U256::ZERO,
        opaque_data: data.into(),
    }
}

/// A transfer of one wei.
fn transfer(genesis: &Genesis) -> TxEnvelope {
    let tx = TxEip1559 {
        chain_id: genesis.config.chain_id,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(0xee)),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let hash = tx.signature_hash();
    let signature = alloy_consensus::crypto::secp256k1::sign_message(KEY.into(), hash);
    tx.into_signed(signature.expect("signs")).into()
}
