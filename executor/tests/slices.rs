//! Compares transactions that were taken from a running block with the finished block.

use std::num::NonZeroUsize;

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, Signature, TxKind, U256, address, hex, keccak256};
use op_alloy_consensus::TxDeposit;
use turnpike_executor::{
    BlockTx, Chain, Engine, EngineConfig, Grain, Mode, block_transactions, execute_next_block,
};
use turnpike_protocol::{BlockInput, Genesis, Origin, SignedTx, TxEnvelope};
use turnpike_state::NodeState;

const SENDERS: u64 = 40;
const DEPLOYER: Address = Address::repeat_byte(0xaa);
const ALICE: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Creation code of a contract that logs its first word of input with two topics, and reverts if
/// the word is odd.
const LOGGER: [u8; 32] =
    hex!("6016600a5f3960165ff3" "5f3580600116601257805f528060205fa2005b5f5ffd");

fn sender(number: u64) -> Address {
    Address::left_padding_from(&(0x1000 + number).to_be_bytes())
}

fn deposit(number: u64, from: Address, to: TxKind, input: Vec<u8>) -> TxEnvelope {
    let source_hash = keccak256(number.to_be_bytes());
    let value = U256::from(number % 3);
    let (mint, gas_limit) = (u128::from(number), 200_000);
    let value = if input.is_empty() { value } else { U256::ZERO };
    TxDeposit {
        source_hash,
        from,
        to,
        mint,
        value,
        gas_limit,
        input: input.into(),
        ..Default::default()
    }
    .into()
}

/// A transfer from Alice. Every second one is invalid at its turn.
fn transfer(number: u64) -> SignedTx {
    let tx = TxEip1559 {
        chain_id: Genesis::dev().config.chain_id,
        nonce: number / 2,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(sender(number)),
        value: U256::from(number),
        ..Default::default()
    };
    let signature = Signature::new(U256::from(1), U256::from(number + 1), false);
    SignedTx::new_unchecked(tx.into_signed(signature).into(), ALICE)
}

/// A block of transfers and of calls that log or revert.
fn block(genesis: &Genesis) -> BlockInput {
    let logger = DEPLOYER.create(0);
    let deploys = deposit(0, DEPLOYER, TxKind::Create, LOGGER.to_vec());
    let others = (1..700).map(|number| {
        let (from, other) = (sender(number % SENDERS), sender(number * 7 % 90));
        match number % 3 {
            0 => deposit(number, from, TxKind::Call(other), Vec::new()),
            _ => {
                let word = U256::from(number / 3).to_be_bytes_vec();
                deposit(number, from, TxKind::Call(logger), word)
            }
        }
    });
    let origin = Origin { l1_time: genesis.timestamp, ..Origin::default() };
    BlockInput {
        number: 1,
        time_ms: genesis.timestamp_ms(),
        origin,
        deposits: [deploys].into_iter().chain(others).collect(),
        transactions: (1..80).map(transfer).collect(),
    }
}

#[test]
fn transactions_taken_between_slices_equal_the_block() {
    let genesis = Genesis::dev();
    let input = block(&genesis);
    let fresh = Chain::from_genesis(&genesis);
    let mut state: NodeState = fresh.state().clone();
    let parent = fresh.head();
    let expected =
        execute_next_block(&genesis.config, &parent.header, parent.hash(), &input, &mut state)
            .expect("full state");
    let logs = expected.transactions.iter().map(|tx| tx.receipt.envelope.logs().len());
    assert!(logs.sum::<usize>() > 100, "enough logs to compare");
    assert!(expected.transactions.iter().any(|tx| !tx.receipt.envelope.status()));
    assert_eq!(expected.skipped.len(), 39, "every second transfer is invalid");

    let transactions: Vec<BlockTx> = block_transactions(&input).collect();
    for mode in [Mode::Sequential, Mode::Parallel, Mode::Shadow] {
        for (workers, size) in [(1, 1_000), (2, 300), (3, 90), (8, 8)] {
            let workers = NonZeroUsize::new(workers).expect("not zero");
            let mut chain = Chain::from_genesis(&genesis);
            let grain = Grain::FINEST;
            chain.set_engine(Engine::new(EngineConfig { mode, workers, grain }));
            let mut block = chain.open_block(input.time_ms, &input.origin).expect("opens");
            let (mut taken, mut skipped) = (Vec::new(), Vec::new());
            assert!(block.take_executed().executed.is_empty());
            for (at, slice) in transactions.chunks(size).enumerate() {
                block.execute_slice(slice.to_vec()).expect("full state");
                // Some slices are not taken at once. The remaining transactions are in the block as
                // well.
                if at % 3 != 1 {
                    let slice = block.take_executed();
                    taken.extend(slice.executed);
                    skipped.extend(slice.skipped);
                }
            }
            let (executed, _) = block.finish().expect("full state");
            let outcome = chain.seal(executed, &input.origin);
            assert_eq!(outcome.header, expected.header, "{mode:?}, {workers} workers");
            assert_eq!(outcome.transactions, expected.transactions);
            assert_eq!(taken, expected.transactions[..taken.len()]);
            assert!(taken.len() > 200);
            assert_eq!(outcome.skipped, expected.skipped);
            assert_eq!(skipped, expected.skipped[..skipped.len()]);
            assert!(skipped.len() > 30);
            let counters = chain.engine().counters();
            assert_eq!(
                (counters.shadowed, counters.mismatches),
                (u64::from(mode == Mode::Shadow), 0)
            );
        }
    }
}
