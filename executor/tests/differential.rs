//! Random transactions between random contracts, on the block state and on plain revm: status, gas,
//! logs and state are equal. The programs do what is difficult for a block state: destroy and
//! create again, call back, revert, delegate, touch.
//!
//! Each case is its seed: `TURNPIKE_SEED=<hex>` runs that one, `TURNPIKE_CASES=<n>` sets the number
//! of cases, `TURNPIKE_LONG=1` runs a hundred times as many.

mod random;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Log, TxKind, U256, hex, keccak256};
use revm::{
    Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _,
    context::BlockEnv,
    context_interface::{block::BlobExcessGasAndPrice, result::EVMError},
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, ChainSpec, Executed, SpecId, TxEnv, Workspace,
};
use turnpike_protocol::{GenesisAccount, Header};
use turnpike_state::{Account, NodeState};

use random::{BASE_FEE, CHAIN_ID, FORKS, Genesis, Rng, Rules, Tx, World, for_each_seed, minimize};

/// Number of random blocks.
const CASES: u64 = 8_000;

/// Number of the block that is executed.
const NUMBER: u64 = 10;

type State = BTreeMap<Address, (u64, U256, B256, BTreeMap<U256, U256>)>;

/// Outcome of a transaction. `None` if it was skipped.
type TxResult = Option<(bool, u64, Vec<Log>)>;

/// A block's fork, beneficiary and genesis.
#[derive(Debug)]
struct Case {
    fork: SpecId,
    coinbase: Address,
    genesis: Genesis,
}

fn header(coinbase: Address) -> Header {
    Header {
        number: NUMBER,
        timestamp: 1_000,
        beneficiary: coinbase,
        gas_limit: 1_000_000_000,
        base_fee_per_gas: Some(BASE_FEE),
        excess_blob_gas: Some(0),
        ..Header::default()
    }
}

fn ours(case: &Case, transactions: &[Tx]) -> (Vec<TxResult>, NodeState) {
    let (mut state, _) = NodeState::from_genesis(&case.genesis.to_diff());
    // The hashes of revm's empty database.
    let hashes = (0..NUMBER).map(|number| (number, keccak256(number.to_string()))).collect();
    let context = BlockContext {
        header: header(case.coinbase),
        hashes: BlockHashes::Given(hashes),
        l1_fee: None,
        backlog: None,
    };
    let spec = ChainSpec::ethereum(CHAIN_ID, case.fork);
    let run = |workspace, transactions: Vec<Tx>| -> (Executed<Tx>, Workspace) {
        let block = BlockExecutor::open_in(workspace, &spec, &context, state.flat());
        let mut block = block.expect("the fork is known");
        block.execute_all(transactions).expect("full state");
        block.finish().expect("full state")
    };
    // Blocks share memory. This block reuses the memory of another block.
    let mut other: Vec<Tx> = transactions.iter().rev().cloned().collect();
    number(&mut other);
    let (_, dirty) = run(Workspace::default(), other);
    let (mut executed, _) = run(dirty, transactions.to_vec());
    state.apply(executed.diff());
    let mut results: Vec<TxResult> = vec![Some((false, 0, Vec::new())); transactions.len()];
    executed.skipped.iter().for_each(|skipped| results[skipped.index] = None);
    let included = executed.transactions.into_iter();
    for (result, tx) in results.iter_mut().filter(|result| result.is_some()).zip(included) {
        *result = Some((tx.is_success, tx.gas_used, tx.logs));
    }
    (results, state)
}

fn database(genesis: &Genesis) -> CacheDB<EmptyDB> {
    let mut db = CacheDB::new(EmptyDB::new());
    for (address, account) in &genesis.0 {
        let GenesisAccount { balance, nonce, code, storage } = account;
        let code = Bytecode::new_raw(code.clone());
        db.insert_account_info(
            *address,
            AccountInfo::new(*balance, *nonce, code.hash_slow(), code),
        );
        for (slot, value) in storage {
            db.insert_account_storage(*address, *slot, *value).expect("the database is in memory");
        }
    }
    db
}

fn theirs(case: &Case, transactions: &[Tx]) -> (Vec<TxResult>, State) {
    let header = header(case.coinbase);
    let block = BlockEnv {
        number: U256::from(header.number),
        timestamp: U256::from(header.timestamp),
        beneficiary: header.beneficiary,
        gas_limit: header.gas_limit,
        basefee: BASE_FEE,
        prevrandao: Some(B256::ZERO),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: 1,
        }),
        ..BlockEnv::default()
    };
    let mut evm = Context::mainnet()
        .with_db(database(&case.genesis))
        .with_block(block)
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(case.fork);
            cfg.chain_id = CHAIN_ID;
        })
        .build_mainnet();
    let results = transactions.iter().map(|tx| match evm.transact_commit(tx.env.clone()) {
        Ok(result) => {
            let (is_success, gas_used) = (result.is_success(), result.tx_gas_used());
            let logs = if is_success { result.into_logs() } else { Vec::new() };
            Some((is_success, gas_used, logs))
        }
        Err(EVMError::Transaction(_)) => None,
        Err(error) => panic!("{error}"),
    });
    let results = results.collect();
    let accounts = evm.ctx.journaled_state.database.cache.accounts.into_iter();
    let state = accounts.map(|(address, account)| {
        let AccountInfo { nonce, balance, code_hash, .. } = account.info().unwrap_or_default();
        let storage = account.storage.into_iter().filter(|(_, value)| !value.is_zero());
        (address, (nonce, balance, code_hash, storage.collect()))
    });
    (results, state.collect())
}

/// Sets nonces as if every transaction were valid, so that most are.
fn number(transactions: &mut [Tx]) {
    let mut next = BTreeMap::new();
    for tx in transactions {
        let nonce = next.entry(tx.env.caller).or_insert(0_u64);
        tx.env.nonce = *nonce;
        *nonce += 1;
    }
}

fn compare(case: &Case, transactions: &[Tx]) -> Result<(), String> {
    let (our_results, our_state) = ours(case, transactions);
    let (their_results, their_state) = theirs(case, transactions);
    if our_results != their_results {
        return Err(format!("results: expected {their_results:?}, got {our_results:?}"));
    }
    for (address, (nonce, balance, code_hash, storage)) in their_state {
        let account = our_state.account(&address).unwrap_or_default();
        let theirs = Account { nonce, balance, code_hash };
        if account != theirs {
            return Err(format!("{address}: expected {theirs:?}, got {account:?}"));
        }
        let slots: BTreeMap<_, _> = our_state.flat().slots_of(&address).collect();
        // A destroyed account may leave slots in revm's cache, but none in a state.
        if !theirs.is_empty() && slots != storage {
            return Err(format!("storage of {address}: expected {storage:?}, got {slots:?}"));
        }
    }
    Ok(())
}

/// Mainnet block 2,675,119 deleted the empty account of RIPEMD-160 although the call that touched it
/// ran out of gas. No other account stays touched.
#[test]
fn touch_of_ripemd_survives_a_failed_call() {
    let [sender, caller] = [0xaa, 0xbb].map(Address::repeat_byte);
    let precompiles = [2, 3].map(Address::with_last_byte);
    // Without gas, call SHA-256 and RIPEMD-160.
    let code = hex!(
        "6000 6000 6000 6000 6000 6002 6000 f1"
        "6000 6000 6000 6000 6000 6003 6000 f1 00"
    );
    let mut accounts = BTreeMap::from(precompiles.map(|at| (at, GenesisAccount::default())));
    let rich = GenesisAccount { balance: U256::MAX >> 1, ..GenesisAccount::default() };
    accounts.insert(sender, rich);
    let contract = GenesisAccount { code: code.into(), nonce: 1, ..GenesisAccount::default() };
    accounts.insert(caller, contract);
    let case = Case {
        fork: SpecId::SPURIOUS_DRAGON,
        coinbase: Address::repeat_byte(0xcc),
        genesis: Genesis(accounts),
    };
    let env = TxEnv {
        caller: sender,
        kind: TxKind::Call(caller),
        gas_limit: 100_000,
        gas_price: BASE_FEE.into(),
        chain_id: Some(CHAIN_ID),
        ..TxEnv::default()
    };
    let transactions = [Tx { env, mint: None, data_size: 0, id: 1 }];
    compare(&case, &transactions).expect("equals plain revm");
    let (results, state) = ours(&case, &transactions);
    assert!(results[0].as_ref().is_some_and(|(is_success, ..)| *is_success));
    let exists = precompiles.map(|at| state.account(&at).is_some());
    assert_eq!(exists, [true, false]);
}

#[test]
fn block_equals_plain_revm() {
    let test = "differential block_equals_plain_revm";
    for_each_seed(test, CASES, |seed| {
        let mut rng = Rng::new(seed);
        let fork = rng.pick(&FORKS);
        let mut world = if rng.percent(80) {
            World::small(Rules::Ethereum(fork))
        } else {
            World::random(&mut rng, Rules::Ethereum(fork))
        };
        let genesis = Genesis::random(&mut rng, &mut world);
        let case = Case { fork, coinbase: world.coinbase, genesis };
        let count = rng.between(1, 20);
        let mut transactions: Vec<_> = (0..count).map(|_| Tx::random(&mut rng, &world)).collect();
        number(&mut transactions);
        compare(&case, &transactions).map_err(|first| {
            let least =
                minimize(transactions, |transactions| compare(&case, transactions).is_err());
            let failure = compare(&case, &least).err().unwrap_or_default();
            format!("{first}\n\nMinimized: {failure}\n{case:#?}\n{least:#?}")
        })
    });
}
