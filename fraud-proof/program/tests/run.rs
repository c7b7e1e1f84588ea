//! Compares the program with the node's derivation and execution, block by block.

mod fixture;

use alloy_primitives::{Address, B256, U256};
use fixture::{Chain, Posted, deposit, deposit_of, machine, output_root, transfer};
use turnpike_program::{Fault, run};
use turnpike_protocol::{
    BatchBlock, DataKind, LocalInput, Oracle, OracleWord, Preimage, Preimages, keccak_key,
};

fn block(step_ms: u64, deposit_count: u64, nonces: core::ops::Range<u64>) -> BatchBlock {
    BatchBlock {
        step_ms,
        deposit_count,
        transactions: nonces.map(transfer).collect(),
        ..Default::default()
    }
}

/// Checks every block of an entry, and two indexes past its last block.
fn check(posted: &Posted) {
    assert!(!posted.blocks.is_empty());
    for (index, (preimages, expected)) in posted.blocks.iter().enumerate() {
        assert_eq!(run(&mut preimages.clone()), Ok(*expected), "block {index}");
        let mut machine = machine();
        machine.run(&mut preimages.clone(), u64::MAX).expect("all that it reads is there");
        assert_eq!(output_root(&machine), *expected, "block {index} in the machine");
    }
    let (preimages, last) = posted.blocks.last().expect("not empty");
    for index in [posted.blocks.len() as u64, u64::MAX] {
        let mut after = preimages.clone();
        after.add(Preimage::Keccak { bytes: posted.last_output.clone() });
        after.add(Preimage::Keccak { bytes: posted.last_header.clone() });
        (after.local.output_root, after.local.block_index) = (*last, index);
        assert_eq!(run(&mut after), Ok(*last), "there is no block {index}");
    }
}

#[test]
fn program_agrees_with_the_node_on_every_kind_of_entry() {
    let mut chain = Chain::new();
    // Entry 1: calldata on the genesis block.
    check(&chain.batch(
        DataKind::Calldata,
        0,
        &[],
        vec![block(0, 0, 0..3), block(0, 0, 0..0), block(1_007, 0, 3..5)],
    ));
    // Entry 2: forced, with deposits. One of them creates a contract.
    check(&chain.entry(DataKind::None, 1, &[deposit(0), deposit(1)], Vec::new()));
    // Entry 3: blobs, deposits, the same origin as the entry before it.
    check(&chain.batch(
        DataKind::Blobs,
        1,
        &[deposit(2), deposit(3), deposit(4)],
        vec![block(0, 1, 5..6), block(0, 0, 6..8), block(1_007, 2, 8..8)],
    ));
    // Entry 4: garbage.
    check(&chain.entry(DataKind::Calldata, 3, &[deposit(5)], b"garbage".to_vec()));
    // Entry 5: calldata without bytes.
    check(&chain.entry(DataKind::Calldata, 3, &[], Vec::new()));
    // Entry 6: an earlier origin, and a batch of invalid transactions.
    check(&chain.batch(DataKind::Calldata, 3, &[], vec![block(2_000, 0, 0..2)]));
    // Entry 7: a batch that leaves two of its deposits to a tail block.
    let deposits = [deposit(6), deposit(7), deposit(8)];
    let posted = chain.batch(DataKind::Calldata, 3, &deposits, vec![block(0, 1, 8..9)]);
    assert_eq!(posted.blocks.len(), 2);
    check(&posted);
}

/// Fifteen of the largest deposits fit no block.
#[test]
fn program_agrees_with_the_node_on_deposits_that_fill_two_tail_blocks() {
    let mut chain = Chain::new();
    let largest = |index| deposit_of(index, Address::repeat_byte(0xe0), 1 << 24, Vec::new());
    let deposits: Vec<_> = (0..16).map(largest).collect();
    let posted = chain.batch(DataKind::Calldata, 0, &deposits, vec![block(0, 1, 0..1)]);
    assert_eq!(posted.blocks.len(), 3, "one of the batch, two tail blocks");
    check(&posted);
    let deposits: Vec<_> = (16..32).map(largest).collect();
    let posted = chain.entry(DataKind::None, 0, &deposits, Vec::new());
    assert_eq!(posted.blocks.len(), 2, "a forced entry has tail blocks only");
    check(&posted);
}

#[test]
fn entry_0_derives_no_block() {
    let chain = Chain::new();
    let mut preimages = chain.witness_before_any_entry();
    assert_eq!(run(&mut preimages), Ok(preimages.local.output_root));
}

/// L1 proves every value that it gives to the program, so the program does not check them again. A
/// false one may lead to a false root, but never to a panic.
#[test]
fn tampered_preimages_never_make_the_program_panic() {
    let mut chain = Chain::new();
    let posted = chain.batch(DataKind::Calldata, 0, &[deposit(0)], vec![block(0, 1, 0..1)]);
    let (preimages, expected) = &posted.blocks[0];
    let keys: Vec<B256> = preimages.iter().map(|(key, _)| *key).collect();
    let (mut read, mut wrong) = (0, 0);
    for key in keys {
        let mut tampered =
            Tampered { inner: preimages.clone(), key, with: Tamper::Missing, hit: false };
        let missing = run(&mut tampered);
        if !tampered.hit {
            continue;
        }
        read += 1;
        assert!(matches!(missing, Err(Fault::Missing(_) | Fault::Execute)), "{missing:?}");
        for with in [Tamper::Short, Tamper::Long] {
            match run(&mut Tampered { inner: preimages.clone(), key, with, hit: false }) {
                Ok(root) => wrong += u32::from(root != *expected),
                Err(fault) => {
                    assert!((2..=6).contains(&fault.exit_code()));
                    wrong += 1;
                }
            }
        }
    }
    assert!(wrong > read, "{wrong} of {} tampered runs end in another way", 2 * read);
    assert!(read > 20, "{read} preimages read");
    let endless = Fault::TooLong {
        key: keccak_key(preimages.local.chain_config),
        found: u64::MAX,
        max: 98_304,
    };
    let key = keccak_key(preimages.local.chain_config);
    let mut tampered =
        Tampered { inner: preimages.clone(), key, with: Tamper::Endless, hit: false };
    assert_eq!(run(&mut tampered), Err(endless));
}

#[test]
fn machine_exits_with_the_faults_code() {
    let mut chain = Chain::new();
    let posted = chain.batch(DataKind::Calldata, 0, &[], vec![block(0, 0, 0..1)]);
    let preimages = &posted.blocks[0].0;
    let exit = |key, with| {
        let mut machine = machine();
        let mut oracle = Tampered { inner: preimages.clone(), key, with, hit: false };
        machine.run(&mut oracle, u64::MAX).expect("all that it reads is there");
        machine.exit()
    };
    let config = keccak_key(preimages.local.chain_config);
    assert_eq!(exit(config, Tamper::Endless), Some(3));
    assert_eq!(exit(config, Tamper::Short), Some(4));
}

/// The stack grows down to address 0: an overflow leaves the memory instead of writing to it.
#[test]
fn stack_overflow_exits_with_sigsegv() {
    const SP: u8 = 2;
    const SET_UP: u64 = 2;
    const LEFT: u64 = 1024;
    let mut chain = Chain::new();
    let posted = chain.batch(DataKind::Calldata, 0, &[], vec![block(0, 0, 0..1)]);
    let mut oracle = posted.blocks[0].0.clone();
    let mut machine = machine();
    machine.run(&mut oracle, SET_UP).expect("nothing is read");
    assert_eq!(machine.register(SP), 16 << 20, "the stack is set up");
    machine.set_register(SP, LEFT);
    machine.run(&mut oracle, u64::MAX).expect("all that it reads is there");
    assert_eq!(machine.exit(), Some(139));
}

#[derive(Clone, Copy)]
enum Tamper {
    Missing,
    /// One byte less.
    Short,
    /// One byte more.
    Long,
    Endless,
}

struct Tampered {
    inner: Preimages,
    key: B256,
    with: Tamper,
    hit: bool,
}

impl Oracle for Tampered {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        let word = self.inner.read(key, offset)?;
        if *key != self.key {
            return Some(word);
        }
        self.hit = true;
        match self.with {
            Tamper::Missing => None,
            Tamper::Short => Some(OracleWord { len: word.len - 1, ..word }),
            Tamper::Long => Some(OracleWord { len: word.len + 1, ..word }),
            Tamper::Endless => Some(OracleWord { len: u64::MAX, ..word }),
        }
    }
}

#[test]
fn each_local_input_changes_the_result() {
    let mut chain = Chain::new();
    let posted = chain.batch(DataKind::Calldata, 0, &[], vec![block(0, 0, 0..1)]);
    let (preimages, expected) = &posted.blocks[0];
    for input in [LocalInput::ChainConfig, LocalInput::OutputRoot, LocalInput::InboxAcc] {
        let mut other = preimages.clone();
        match input {
            LocalInput::ChainConfig => other.local.chain_config = B256::repeat_byte(1),
            LocalInput::OutputRoot => other.local.output_root = B256::repeat_byte(1),
            _ => other.local.inbox_acc = B256::repeat_byte(1),
        }
        let key = keccak_key(B256::repeat_byte(1));
        assert_eq!(run(&mut other), Err(Fault::Missing(key)), "{input:?}");
    }
    assert_eq!(run(&mut preimages.clone()), Ok(*expected));
    let recipient = Address::repeat_byte(0xee);
    assert_eq!(chain.balance(&recipient), U256::from(1), "the transfer happened");
}
