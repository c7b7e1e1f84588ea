//! Blocks of random transactions between random contracts, on our journal and on plain revm: same status, gas, logs
//! and state. The programs do what journals get wrong: destroy and make again, call back, revert, delegate, touch.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, keccak256};
use proptest::{collection, prelude::*, sample::select};
use revm::{
    Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _,
    context::BlockEnv,
    context_interface::{
        block::BlobExcessGasAndPrice,
        either::Either,
        result::EVMError,
        transaction::{
            AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
        },
    },
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, BlockTransaction, ChainSpec, Executed, PlainTransfer,
    SkipReason, SpecId, TxEnv, Workspace,
};
use turnpike_protocol::Header;
use turnpike_state::{Account, AccountDiff, NodeState, StateDiff};

const CONTRACTS: u8 = 4;
const PEOPLE: u8 = 4;
const BENEFICIARY: Address = person(0);
const BASE_FEE: u64 = 7;
const BALANCE: u64 = 1_000_000_000;
const FORKS: [SpecId; 8] = [
    SpecId::SPURIOUS_DRAGON,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::SHANGHAI,
    SpecId::CANCUN,
    SpecId::PRAGUE,
    SpecId::OSAKA,
];

const fn person(index: u8) -> Address {
    Address::repeat_byte(0xa0 + index)
}

const fn contract(index: u8) -> Address {
    Address::repeat_byte(0xc0 + index)
}

/// Creation code of at most 32 bytes: nothing, a slot, its own end, a contract that ends itself, a refusal.
const CHILDREN: [&[u8]; 5] = [
    &[],
    &[0x60, 1, 0x60, 1, 0x55],
    &[0x33, 0xff],
    &[0x61, 0x33, 0xff, 0x60, 0, 0x52, 0x60, 2, 0x60, 30, 0xf3],
    &[0x60, 0, 0x60, 0, 0xfd],
];

/// The address at which contract `creator` makes a child with CREATE2 and salt 0.
fn child(creator: u8, code: usize) -> Address {
    contract(creator).create2(B256::ZERO, keccak256(CHILDREN[code]))
}

#[derive(Clone, Debug)]
enum Step {
    Store {
        slot: u8,
        value: u8,
    },
    StoreOfSlot {
        from: u8,
        to: u8,
    },
    StoreBalance {
        of: Address,
        slot: u8,
    },
    LogSlot(u8),
    Call {
        kind: u8,
        to: Address,
        value: u8,
    },
    Create {
        salted: bool,
        code: usize,
        value: u8,
    },
    Transient {
        slot: u8,
        value: u8,
    },
    Hash {
        key: u8,
    },
    /// Counts in a mapping: by the caller, or by the first word of the calldata.
    Mapping {
        by_caller: bool,
        position: u8,
    },
    Destroy {
        heir: Address,
    },
    Revert,
    CodeHash {
        of: Address,
        slot: u8,
    },
}

fn push(code: &mut Vec<u8>, value: u8) {
    code.extend([0x60, value]);
}

fn push_address(code: &mut Vec<u8>, address: Address) {
    code.push(0x73);
    code.extend(address);
}

impl Step {
    fn assemble(&self, code: &mut Vec<u8>) {
        match *self {
            Self::Store { slot, value } => {
                push(code, value);
                push(code, slot);
                code.push(0x55);
            }
            Self::StoreOfSlot { from, to } => {
                push(code, from);
                code.push(0x54);
                push(code, to);
                code.push(0x55);
            }
            Self::StoreBalance { of, slot } => {
                push_address(code, of);
                code.push(0x31);
                push(code, slot);
                code.push(0x55);
            }
            Self::CodeHash { of, slot } => {
                push_address(code, of);
                code.push(0x3b);
                push(code, slot);
                code.push(0x55);
            }
            Self::LogSlot(slot) => {
                push(code, slot);
                code.push(0x54);
                [0, 0].into_iter().for_each(|zero| push(code, zero));
                code.push(0xa1);
            }
            Self::Call { kind, to, value } => {
                [0, 0, 0, 0].into_iter().for_each(|zero| push(code, zero));
                // CALL and CALLCODE carry value, DELEGATECALL and STATICCALL do not.
                let opcode = [0xf1, 0xf2, 0xf4, 0xfa][usize::from(kind)];
                if kind < 2 {
                    push(code, value);
                }
                push_address(code, to);
                code.extend([0x61, 0x80, 0, opcode, 0x50]);
            }
            Self::Create { salted, code: child, value } => {
                let bytes = CHILDREN[child];
                let mut word = [0; 32];
                word[..bytes.len()].copy_from_slice(bytes);
                code.push(0x7f);
                code.extend(word);
                push(code, 0);
                code.push(0x52);
                if salted {
                    push(code, 0);
                }
                push(code, u8::try_from(bytes.len()).expect("short"));
                push(code, 0);
                push(code, value);
                code.extend([if salted { 0xf5 } else { 0xf0 }, 0x50]);
            }
            Self::Transient { slot, value } => {
                push(code, value);
                push(code, slot);
                code.push(0x5d);
                push(code, slot ^ 1);
                code.push(0x5c);
                push(code, 9);
                code.push(0x55);
            }
            Self::Hash { key } => {
                push(code, key);
                push(code, 0);
                code.extend([0x52, 0x60, 64, 0x60, 0, 0x20]);
                push(code, 8);
                code.push(0x55);
            }
            Self::Mapping { by_caller, position } => {
                if by_caller {
                    code.push(0x33);
                } else {
                    code.extend([0x60, 4, 0x35]);
                }
                push(code, 0);
                code.push(0x52);
                push(code, position);
                code.extend([0x60, 32, 0x52, 0x60, 64, 0x60, 0, 0x20]);
                // One more than before, in the slot that was hashed to.
                code.extend([0x80, 0x54, 0x60, 1, 0x01, 0x90, 0x55]);
            }
            Self::Destroy { heir } => {
                push_address(code, heir);
                code.push(0xff);
            }
            Self::Revert => {
                [0, 0].into_iter().for_each(|zero| push(code, zero));
                code.push(0xfd);
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Tx {
    env: TxEnv,
}

impl BlockTransaction for Tx {
    fn sender(&self) -> Result<Address, SkipReason> {
        Ok(self.env.caller)
    }

    fn tx_env(&self, _: Address) -> TxEnv {
        self.env.clone()
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        Some((self.env.kind.into_to()?, &self.env.data))
    }

    fn plain_transfer(&self) -> Option<PlainTransfer> {
        PlainTransfer::from_env(&self.env)
    }

    fn gas_limit(&self) -> u64 {
        self.env.gas_limit
    }

    fn hash(&self) -> B256 {
        B256::ZERO
    }

    fn mint(&self) -> Option<u128> {
        None
    }

    fn data_size(&self) -> u64 {
        0
    }
}

/// Whom programs and transactions know.
fn anybody() -> impl Strategy<Value = Address> {
    prop_oneof![
        4 => (0..CONTRACTS).prop_map(contract),
        2 => (0..PEOPLE).prop_map(person),
        2 => (0..CONTRACTS, 0..CHILDREN.len()).prop_map(|(creator, code)| child(creator, code)),
        1 => select(vec![3_u8, 4]).prop_map(Address::with_last_byte),
        1 => Just(Address::repeat_byte(0xee)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..4_u8;
    prop_oneof![
        3 => (slot.clone(), 0..3_u8).prop_map(|(slot, value)| Step::Store { slot, value }),
        2 => (slot.clone(), slot.clone()).prop_map(|(from, to)| Step::StoreOfSlot { from, to }),
        2 => (anybody(), slot.clone()).prop_map(|(of, slot)| Step::StoreBalance { of, slot }),
        1 => (anybody(), slot.clone()).prop_map(|(of, slot)| Step::CodeHash { of, slot }),
        1 => slot.clone().prop_map(Step::LogSlot),
        6 => (0..4_u8, anybody(), 0..3_u8)
            .prop_map(|(kind, to, value)| Step::Call { kind, to, value }),
        3 => (any::<bool>(), 0..CHILDREN.len(), 0..2_u8)
            .prop_map(|(salted, code, value)| Step::Create { salted, code, value }),
        1 => (slot.clone(), 0..3_u8).prop_map(|(slot, value)| Step::Transient { slot, value }),
        1 => slot.clone().prop_map(|key| Step::Hash { key }),
        3 => (any::<bool>(), slot)
            .prop_map(|(by_caller, position)| Step::Mapping { by_caller, position }),
        1 => anybody().prop_map(|heir| Step::Destroy { heir }),
        1 => Just(Step::Revert),
    ]
}

fn program() -> impl Strategy<Value = Bytes> {
    collection::vec(step(), 1..8).prop_map(|steps| {
        let mut code = Vec::new();
        steps.iter().for_each(|step| step.assemble(&mut code));
        code.into()
    })
}

/// A transaction; its nonce is set when its turn is known.
fn transaction() -> impl Strategy<Value = Tx> {
    let kind = prop_oneof![
        6 => anybody().prop_map(TxKind::Call),
        1 => Just(TxKind::Create),
    ];
    let listed = collection::vec((anybody(), collection::vec(0..4_u64, 0..3)), 0..3);
    let delegations = collection::vec((0..PEOPLE, anybody(), 0..2_u64), 0..3);
    let fees = (0..3_u128, select(vec![20_999_u64, 21_000, 60_000, 400_000]));
    let key = proptest::option::of(0..3_u8);
    let input = (program(), key);
    (0..PEOPLE, kind, 0..3_u64, 0..5_u8, fees, listed, delegations, input).prop_map(
        |(sender, kind, value, tx_type, (tip, gas_limit), listed, delegations, (data, key))| {
            // Types: 0 legacy, 1 with an access list, 2 dynamic fee, 4 with delegations; 3 stands for a plain one.
            let tx_type = if tx_type == 3 { 0 } else { tx_type };
            let access_list = listed.into_iter().map(|(address, slots)| AccessListItem {
                address,
                storage_keys: slots.into_iter().map(|slot| U256::from(slot).into()).collect(),
            });
            let delegate = |(authority, address, nonce): (u8, Address, u64)| {
                let inner = Authorization { chain_id: U256::ZERO, address, nonce };
                let authority = RecoveredAuthority::Valid(person(authority));
                Either::Right(RecoveredAuthorization::new_unchecked(inner, authority))
            };
            let is_creation = matches!(kind, TxKind::Create);
            let env = TxEnv {
                tx_type,
                caller: person(sender),
                gas_limit,
                gas_price: u128::from(BASE_FEE) + 2,
                gas_priority_fee: (tx_type >= 2).then_some(tip),
                kind,
                value: U256::from(value),
                data: match (is_creation, key) {
                    (true, _) => data,
                    (false, None) => Bytes::new(),
                    (false, Some(key)) => [&[1, 2, 3, 4][..], &[0; 31], &[key]].concat().into(),
                },
                access_list: AccessList(if tx_type == 0 {
                    Vec::new()
                } else {
                    access_list.collect()
                }),
                authorization_list: if tx_type == 4 {
                    delegations.into_iter().map(delegate).collect()
                } else {
                    Vec::new()
                },
                chain_id: Some(1),
                ..TxEnv::default()
            };
            Tx { env }
        },
    )
}

type State = BTreeMap<Address, (u64, U256, B256, BTreeMap<U256, U256>)>;

/// What a transaction came to; nothing, if it was refused.
type TxResult = Option<(bool, u64, Vec<Log>)>;

fn header() -> Header {
    Header {
        number: 10,
        timestamp: 1_000,
        beneficiary: BENEFICIARY,
        gas_limit: 1_000_000_000,
        base_fee_per_gas: Some(BASE_FEE),
        excess_blob_gas: Some(0),
        ..Header::default()
    }
}

fn ours(fork: SpecId, programs: &[Bytes], transactions: &[Tx]) -> (Vec<TxResult>, NodeState) {
    let mut genesis = StateDiff::default();
    for (at, code) in (0..).zip(programs) {
        let code_hash = keccak256(code);
        genesis.codes.push((code_hash, code.clone()));
        genesis.accounts.push(AccountDiff {
            address: contract(at),
            account: Some(Account { nonce: 1, balance: U256::from(5), code_hash }),
            storage: vec![(U256::from(1), U256::from(7))],
            ..AccountDiff::default()
        });
    }
    for at in 0..PEOPLE {
        let account = Account { balance: U256::from(BALANCE), ..Account::default() };
        genesis.accounts.push(AccountDiff {
            address: person(at),
            account: Some(account),
            ..AccountDiff::default()
        });
    }
    let (mut state, _) = NodeState::from_genesis(&genesis);
    let context = BlockContext {
        header: header(),
        hashes: BlockHashes::Given(BTreeMap::new()),
        l1_fee: None,
    };
    let spec = ChainSpec::ethereum(1, fork);
    let run = |workspace, transactions: Vec<Tx>| -> (Executed<Tx>, Workspace) {
        let block = BlockExecutor::open_in(workspace, &spec, &context, state.flat());
        let mut block = block.expect("the fork is known");
        block.execute_all(transactions).expect("full state");
        block.finish().expect("full state")
    };
    // Memory is what blocks share: this one's is dirty from another.
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

fn theirs(fork: SpecId, programs: &[Bytes], transactions: &[Tx]) -> (Vec<TxResult>, State) {
    let mut db = CacheDB::new(EmptyDB::new());
    for (at, code) in (0..).zip(programs) {
        let code = Bytecode::new_raw(code.clone());
        let info = AccountInfo::new(U256::from(5), 1, code.hash_slow(), code);
        db.insert_account_info(contract(at), info);
        db.insert_account_storage(contract(at), U256::from(1), U256::from(7)).expect("in memory");
    }
    for at in 0..PEOPLE {
        db.insert_account_info(person(at), AccountInfo::from_balance(U256::from(BALANCE)));
    }
    let header = header();
    let block = BlockEnv {
        number: U256::from(header.number),
        timestamp: U256::from(header.timestamp),
        beneficiary: BENEFICIARY,
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
        .with_db(db)
        .with_block(block)
        .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(fork))
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

/// Sets nonces as they will be if everything is valid, so that most transactions are.
fn number(transactions: &mut [Tx]) {
    let mut next = BTreeMap::new();
    for tx in transactions {
        let nonce = next.entry(tx.env.caller).or_insert(0_u64);
        tx.env.nonce = *nonce;
        *nonce += 1;
    }
}

/// Blocks that are tried: some hundreds of thousands when there is time.
fn cases() -> u32 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 300_000 } else { 2_000 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_block_is_what_plain_revm_makes_of_its_transactions(
        fork in select(FORKS.to_vec()),
        programs in collection::vec(program(), usize::from(CONTRACTS)),
        mut transactions in collection::vec(transaction(), 1..12),
    ) {
        number(&mut transactions);
        let (our_results, our_state) = ours(fork, &programs, &transactions);
        let (their_results, their_state) = theirs(fork, &programs, &transactions);
        prop_assert_eq!(&our_results, &their_results);
        for (address, (nonce, balance, code_hash, storage)) in their_state {
            let account = our_state.account(&address).unwrap_or_default();
            let theirs = Account { nonce, balance, code_hash };
            prop_assert_eq!(account, theirs, "{}", address);
            let slots: BTreeMap<_, _> = our_state.flat().slots_of(&address).collect();
            // An account that is gone may leave slots in a cache, but none in a state.
            if !theirs.is_empty() {
                prop_assert_eq!(slots, storage, "storage of {}", address);
            }
        }
    }
}
