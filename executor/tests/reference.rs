//! Tests the reference executor, rule by rule, on the development chain.

use alloy_consensus::{
    SignableTransaction, Transaction as _, TxEip1559, TxEip7702, crypto::secp256k1::sign_message,
};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, hex, keccak256};
use op_alloy_consensus::TxDeposit;
use proptest::{collection::vec, prelude::*};
use turnpike_executor::{BlockOutcome, Chain, SkipReason, execute_next_block};
use turnpike_protocol::{
    BLOCK_LOAD, BlockInput, Genesis, GenesisAccount, Header, L1Fee, Load, Origin, SKIPPED_LOAD,
    SignedTx, TxEnvelope, attributes_deposit, backlog, base_fee, extra_data,
    predeploys::{
        BASE_FEE_VAULT, HISTORY_STORAGE, L1_BLOCK, L1_FEE_VAULT, MESSAGE_PASSER,
        SEQUENCER_FEE_VAULT,
    },
    time_ms,
};
use turnpike_state::{PartialState, RecordingView, StorageId};

const KEY: B256 =
    B256::new(hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
const ALICE: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const BOB: Address = Address::repeat_byte(0xb0);
const GWEI: u128 = 1_000_000_000;
const ETHER: u128 = 1_000_000_000 * GWEI;

fn origin() -> Origin {
    Origin {
        entry: 0,
        l1_block_number: 5,
        l1_time: 1_800_000_000,
        l1_base_fee: U256::from(30 * GWEI),
        l1_blob_base_fee: U256::from(GWEI),
        l1_hash: B256::repeat_byte(0x11),
    }
}

fn sign<T: SignableTransaction<Signature>>(tx: T) -> SignedTx
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(KEY, tx.signature_hash()).expect("signs");
    SignedTx::recover(tx.into_signed(signature).into())
}

fn call(nonce: u64, to: TxKind, value: u128, input: impl Into<Bytes>) -> TxEip1559 {
    TxEip1559 {
        chain_id: 4242,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: GWEI,
        max_priority_fee_per_gas: GWEI / 10,
        to,
        value: U256::from(value),
        input: input.into(),
        ..Default::default()
    }
}

fn transfer(nonce: u64, value: u128) -> TxEip1559 {
    call(nonce, TxKind::Call(BOB), value, Bytes::new())
}

fn deposit(from: Address, to: TxKind, mint: u128, value: u128, gas_limit: u64) -> TxEnvelope {
    TxDeposit {
        source_hash: keccak256([from.as_slice(), &mint.to_be_bytes()].concat()),
        from,
        to,
        mint,
        value: U256::from(value),
        gas_limit,
        ..Default::default()
    }
    .into()
}

fn input(chain: &Chain, deposits: Vec<TxEnvelope>, transactions: Vec<SignedTx>) -> BlockInput {
    BlockInput {
        number: chain.head().header.number + 1,
        time_ms: 1_000 * (origin().l1_time + chain.head().header.number),
        origin: origin(),
        deposits,
        transactions,
    }
}

fn run(chain: &mut Chain, deposits: Vec<TxEnvelope>, txs: Vec<SignedTx>) -> BlockOutcome {
    let input = input(chain, deposits, txs);
    chain.execute(&input).expect("full state")
}

fn dev() -> Chain {
    Chain::from_genesis(&Genesis::dev())
}

fn balance(chain: &Chain, address: Address) -> U256 {
    chain.state().account(&address).unwrap_or_default().balance
}

fn nonce(chain: &Chain, address: Address) -> u64 {
    chain.state().account(&address).unwrap_or_default().nonce
}

/// Creation code whose contract is `runtime`.
fn creation(runtime: &[u8]) -> Vec<u8> {
    // PUSH2 len, PUSH1 12, PUSH0, CODECOPY, PUSH2 len, PUSH0, RETURN
    let [high, low] = u16::try_from(runtime.len()).expect("length fits 16 bits").to_be_bytes();
    let mut code = vec![0x61, high, low, 0x60, 12, 0x5f, 0x39, 0x61, high, low, 0x5f, 0xf3];
    code.extend(runtime);
    code
}

/// Deploys `runtime` with Alice's next nonce.
fn deploy(chain: &mut Chain, runtime: &[u8]) -> Address {
    let tx = call(nonce(chain, ALICE), TxKind::Create, 0, creation(runtime));
    let outcome = run(chain, vec![], vec![sign(tx)]);
    let tx = &outcome.transactions[0];
    assert!(tx.receipt.envelope.status(), "deployed");
    tx.sender.create(tx.envelope().nonce())
}

#[test]
fn transfer_pays_each_fee_to_its_vault() {
    let mut chain = dev();
    let before = balance(&chain, ALICE);
    let tx = sign(transfer(0, ETHER));
    let outcome = run(&mut chain, vec![], vec![tx.clone()]);
    let base_fee = u128::from(outcome.header.base_fee_per_gas.expect("the header has a base fee"));
    let l1_fee = L1Fee::new(chain.config(), &origin()).of(&tx.encoded());
    let receipt = &outcome.transactions[0].receipt;
    assert!(l1_fee > U256::ZERO);
    assert_eq!((receipt.gas_used, receipt.l1_fee), (21_000, l1_fee));
    assert_eq!(receipt.effective_gas_price, base_fee + GWEI / 10);
    assert_eq!(balance(&chain, BOB), U256::from(ETHER));
    assert_eq!(balance(&chain, BASE_FEE_VAULT), U256::from(21_000 * base_fee));
    assert_eq!(balance(&chain, SEQUENCER_FEE_VAULT), U256::from(21_000 * (GWEI / 10)));
    assert_eq!(balance(&chain, L1_FEE_VAULT), l1_fee);
    let spent = U256::from(ETHER + 21_000 * (base_fee + GWEI / 10)) + l1_fee;
    assert_eq!(balance(&chain, ALICE), before - spent);
    assert_eq!(nonce(&chain, ALICE), 1);
}

#[test]
fn header_follows_the_chain_rules() {
    let mut chain = dev();
    let genesis_hash = chain.head().hash();
    let first = run(&mut chain, vec![], vec![]);
    let header = &first.header;
    assert_eq!((header.number, header.parent_hash), (1, genesis_hash));
    assert_eq!(header.beneficiary, SEQUENCER_FEE_VAULT);
    assert_eq!(header.gas_limit, chain.config().block_gas_limit);
    assert_eq!(header.mix_hash, turnpike_protocol::mix_hash(&origin(), 1));
    assert_eq!(header.extra_data[..], hex!("02 0000000000030d40 00000000000186a0 0000"));
    assert_eq!(header.parent_beacon_block_root, Some(B256::ZERO));
    assert_eq!(chain.state().roots().state_root, header.state_root);
    // EIP-2935 is the only system call.
    let slot = chain.state().storage(&HISTORY_STORAGE, U256::ZERO);
    assert_eq!(B256::from(slot), genesis_hash);
}

#[test]
fn base_fee_follows_the_backlog() {
    let mut genesis = Genesis::dev();
    // Half a block of 10^7 gas multiplies the fee by e, a second pays off a tenth of that.
    genesis.config.gas_rate = 500_000;
    genesis.config.base_fee_window = 10;
    genesis.config.gas_backlog_max = 20_000_000;
    let min = genesis.config.base_fee_min;
    let mut chain = Chain::from_genesis(&genesis);
    let fee = |outcome: &BlockOutcome| outcome.header.base_fee_per_gas.expect("it has one");
    // INVALID uses all gas.
    let burns = |nonce, gas_limit| {
        sign(TxEip1559 { gas_limit, ..call(nonce, TxKind::Create, 0, hex!("fe")) })
    };
    let first = run(&mut chain, vec![], vec![burns(0, 10_000_000)]);
    assert_eq!(fee(&first), min, "the chain begins without backlog");
    let used = first.header.gas_used + BLOCK_LOAD.gas;
    assert_eq!(backlog(&first.header).gas, used, "years have passed since genesis");
    let second = run(&mut chain, vec![], vec![]);
    assert_eq!(
        fee(&second),
        base_fee(chain.config(), Load { gas: used - 500_000, work: 0 }),
        "a second later"
    );
    assert!(fee(&second) > min * 6);
    assert_eq!(backlog(&second.header).gas, used - 500_000 + BLOCK_LOAD.gas);
    // The rest of the backlog's room is a limit.
    let room = 20_000_000 - (used - 500_000 + BLOCK_LOAD.gas - 500_000) - BLOCK_LOAD.gas;
    let fits = room - SKIPPED_LOAD.gas;
    let third = run(&mut chain, vec![], vec![burns(1, room + 1), burns(1, fits)]);
    assert_eq!((third.transactions.len(), third.skipped.len()), (1, 1));
    assert_eq!(backlog(&third.header).gas, 20_000_000);
    let full = run(&mut chain, vec![], vec![burns(2, 600_000), burns(2, 200_000)]);
    assert_eq!((full.transactions.len(), full.skipped.len()), (1, 1), "half a second's gas");
    let cap = fee(&full);
    assert!(cap > min * 40 && cap <= min * 55, "{cap}");
}

/// What a block is asked to hold.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// A transaction that uses this much gas.
    Burn(u64),
    /// A transaction that is skipped.
    Invalid,
    /// A deposit of 21,000 gas.
    Deposit,
}

/// The rules of the backlogs, written down a second time, with the exponential in floating point.
/// Of each pair, the first is gas and the second is work.
struct BacklogModel {
    rates: [u64; 2],
    window: u64,
    windows: u64,
    backlogs: [u64; 2],
}

impl BacklogModel {
    /// Which of a block's transactions are included, and its base fee in units of the least.
    fn block(&mut self, elapsed_ms: u64, block_gas: u64, asked: &[Asked]) -> (Vec<bool>, f64) {
        let each = |of: &dyn Fn(usize) -> u64| [of(0), of(1)];
        let max = each(&|at| self.rates[at] * self.window * self.windows);
        let paid_off = |at: usize| self.rates[at] * elapsed_ms / 1_000;
        let open = each(&|at| self.backlogs[at].saturating_sub(paid_off(at)));
        let windows =
            |at: usize| open[at].min(max[at]) as f64 / (self.rates[at] * self.window) as f64;
        let fee = windows(0).max(windows(1)).exp();
        let deposits = asked.iter().filter(|it| matches!(it, Asked::Deposit)).count() as u64;
        let of_deposits = [21_000 * deposits, 2_000 * deposits];
        let allowance = each(&|at| of_deposits[at] + max[at].saturating_sub(open[at]));
        let limit = block_gas.min(allowance[0]);
        let mut used = [200_000 + of_deposits[0], 100_000 + of_deposits[1]];
        let include = |it: &Asked| {
            let left = limit.saturating_sub(used[0]);
            let (is_included, gas, work) = match *it {
                Asked::Deposit => return true,
                _ if left < 21_000 || used[1] >= allowance[1] => return false,
                // 53,018 gas are used before the code runs.
                Asked::Burn(gas) if gas <= left => (true, gas, 52_000 + 2 * (gas - 53_018)),
                Asked::Burn(_) | Asked::Invalid => (false, 5_000, 10_000),
            };
            used = [used[0] + gas, used[1] + work];
            is_included
        };
        let included = asked.iter().map(include).collect();
        self.backlogs = each(&|at| open[at] + used[at]);
        (included, fee)
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        4 => (100_000_u64..3_000_000).prop_map(Asked::Burn),
        1 => Just(Asked::Invalid),
        1 => Just(Asked::Deposit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn backlogs_equal_their_model(
        rates in [1_000_000_u64..20_000_000, 1_000_000_u64..40_000_000],
        window in 1_u64..5,
        windows in 1_u64..10,
        blocks in vec((0_u64..2_000, vec(asked(), 0..6)), 1..8),
    ) {
        let mut genesis = Genesis::dev();
        let config = &mut genesis.config;
        config.block_gas_limit = 6_000_000;
        [config.gas_rate, config.work_rate] = rates;
        config.base_fee_window = window;
        config.gas_backlog_max = rates[0] * window * windows;
        config.work_backlog_max = rates[1] * window * windows;
        config.base_fee_min = 1_000_000;
        let mut chain = Chain::from_genesis(&genesis);
        let mut model = BacklogModel { rates, window, windows, backlogs: [0, 0] };
        let (mut time_ms, mut next) = (1_000 * origin().l1_time, 0);
        for (elapsed_ms, asked) in blocks {
            time_ms += elapsed_ms;
            let (included, fee) = model.block(elapsed_ms, 6_000_000, &asked);
            let mut input = input(&chain, vec![], vec![]);
            input.time_ms = time_ms;
            for (at, (it, is_included)) in (0..).zip(asked.iter().zip(&included)) {
                let mint = u128::from(time_ms) * 100 + at;
                let tx = match *it {
                    Asked::Deposit => {
                        let deposit = deposit(BOB, TxKind::Call(ALICE), mint, 0, 21_000);
                        input.deposits.push(deposit);
                        continue;
                    }
                    Asked::Burn(gas_limit) => {
                        let max_fee_per_gas = 1_000 * GWEI;
                        let invalid = call(next, TxKind::Create, 0, hex!("fe"));
                        TxEip1559 { gas_limit, max_fee_per_gas, ..invalid }
                    }
                    Asked::Invalid => transfer(u64::MAX - 1, 1),
                };
                input.transactions.push(sign(tx));
                next += u64::from(*is_included);
            }
            let proven = over_witness(&chain, &input);
            let full = chain.execute(&input).expect("full state");
            prop_assert_eq!(&proven.header, &full.header);
            let count = included.iter().filter(|it| **it).count();
            prop_assert_eq!(full.transactions.len(), count);
            let Load { gas, work } = backlog(&full.header);
            prop_assert_eq!([gas, work], model.backlogs);
            let found = full.header.base_fee_per_gas.expect("it has one") as f64 / 1e6;
            prop_assert!((found / fee - 1.0).abs() < 1e-5, "base fee {} and {}", found, fee);
        }
    }
}

#[test]
fn skipped_transactions_are_charged_to_the_backlog() {
    let mut chain = dev();
    let transfers = [0, 5, 7].map(|nonce| sign(transfer(nonce, 1)));
    let outcome = run(&mut chain, vec![], transfers.into());
    assert_eq!((outcome.transactions.len(), outcome.skipped.len()), (1, 2));
    let gas = outcome.header.gas_used + BLOCK_LOAD.gas + 2 * SKIPPED_LOAD.gas;
    // The transfer creates the recipient's account.
    let work = 52_000 + BLOCK_LOAD.work + 2 * SKIPPED_LOAD.work;
    assert_eq!(backlog(&outcome.header), Load { gas, work });
}

#[test]
fn full_block_drops_the_rest_at_no_charge() {
    let mut genesis = Genesis::dev();
    genesis.config.gas_backlog_max = BLOCK_LOAD.gas + 21_000 + 20_999;
    let mut chain = Chain::from_genesis(&genesis);
    let deposits = vec![deposit(BOB, TxKind::Call(ALICE), 10, 4, 50_000)];
    let plain = |nonce| sign(TxEip1559 { gas_limit: 21_000, ..transfer(nonce, 1) });
    let txs = (0..4).map(plain).collect();
    let outcome = run(&mut chain, deposits, txs);
    assert_eq!((outcome.transactions.len(), outcome.skipped.len()), (2, 3));
    assert!(outcome.skipped.iter().all(|it| matches!(it.reason, SkipReason::BlockGas { .. })));
    assert_eq!(backlog(&outcome.header).gas, outcome.header.gas_used + BLOCK_LOAD.gas);
    // Deposits are included even without room, and count.
    let deposits = vec![deposit(BOB, TxKind::Call(ALICE), 11, 4, 50_000)];
    let mut input = input(&chain, deposits, vec![]);
    input.time_ms = chain.head().parent.time_ms;
    let next = chain.execute(&input).expect("full state");
    assert_eq!(next.transactions.len(), 1);
    let before = backlog(&outcome.header).gas;
    assert_eq!(backlog(&next.header).gas, before + next.header.gas_used + BLOCK_LOAD.gas);
}

#[test]
fn block_without_work_drops_the_rest_at_no_charge() {
    let mut genesis = Genesis::dev();
    // Two transfers: the second passes the maximum.
    genesis.config.work_backlog_max = BLOCK_LOAD.work + 2_001;
    let mut chain = Chain::from_genesis(&genesis);
    let deposits = vec![deposit(BOB, TxKind::Call(ALICE), 10, 4, 50_000)];
    let txs = (0..4).map(|nonce| sign(transfer(nonce, 1))).collect();
    let outcome = run(&mut chain, deposits, txs);
    assert_eq!((outcome.transactions.len(), outcome.skipped.len()), (3, 2));
    assert!(outcome.skipped.iter().all(|it| it.reason == SkipReason::BlockWork));
    assert_eq!(backlog(&outcome.header).work, BLOCK_LOAD.work + 3 * 2_000);
    let mut input = input(&chain, vec![], vec![sign(transfer(2, 1))]);
    input.time_ms = chain.head().parent.time_ms;
    let next = chain.execute(&input).expect("full state");
    assert_eq!((next.transactions.len(), next.skipped.len()), (0, 1));
    assert_eq!(backlog(&next.header).work, 2 * BLOCK_LOAD.work + 3 * 2_000);
}

#[test]
fn skipped_transactions_leave_no_trace() {
    let chain_id = TxEip1559 { chain_id: 1, ..transfer(1, 1) };
    let poor = TxEip1559 { value: U256::MAX >> 1, ..transfer(1, 1) };
    let cheap = TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 0, ..transfer(1, 1) };
    let tight = TxEip1559 { gas_limit: 20_999, ..transfer(1, 1) };
    let capped = TxEip1559 { gas_limit: (1 << 24) + 1, ..transfer(1, 1) };
    let unsigned = SignedTx::recover(
        transfer(1, 1).into_signed(Signature::new(U256::ZERO, U256::from(1), false)).into(),
    );
    let invalid = vec![
        sign(transfer(0, 1)),
        sign(transfer(2, 1)),
        sign(chain_id),
        sign(poor),
        sign(cheap),
        sign(tight),
        sign(capped),
        unsigned,
    ];
    let valid = [sign(transfer(0, 5)), sign(transfer(1, 7))];
    let mut mixed = vec![valid[0].clone()];
    mixed.extend(invalid.clone());
    mixed.push(valid[1].clone());
    let (mut with, mut without) = (dev(), dev());
    let outcome = run(&mut with, vec![], mixed);
    let clean = run(&mut without, vec![], valid.to_vec());
    let charged = SKIPPED_LOAD.times(invalid.len() as u64);
    let charged = backlog(&clean.header).plus(charged);
    let extra_data = extra_data(charged, time_ms(&clean.header));
    assert_eq!(outcome.header, Header { extra_data, ..clean.header });
    assert_eq!(outcome.transactions, clean.transactions);
    let skipped: Vec<_> = outcome.skipped.iter().map(|skip| (skip.index, skip.hash)).collect();
    let expected: Vec<_> = (1..).zip(&invalid).map(|(at, tx)| (at, tx.hash())).collect();
    assert_eq!(skipped, expected);
}

#[test]
fn sender_must_afford_the_l1_fee() {
    // Bob's balance covers gas and value exactly, but not the L1 data fee.
    let mut chain = dev();
    let key = B256::repeat_byte(0x42);
    let bob = {
        let probe = transfer(0, 0);
        let signature = sign_message(key, probe.signature_hash()).expect("signs");
        SignedTx::recover(probe.into_signed(signature).into()).signer().expect("signed")
    };
    let tx = TxEip1559 { to: TxKind::Call(ALICE), gas_limit: 21_000, ..transfer(0, 1) };
    let signature = sign_message(key, tx.signature_hash()).expect("signs");
    let signed = SignedTx::recover(tx.into_signed(signature).into());
    let l1_fee = L1Fee::new(chain.config(), &origin()).of(&signed.encoded());
    let without_l1 = 21_000 * GWEI + 1;
    let fund = |amount| deposit(bob, TxKind::Call(bob), amount, 0, 50_000);
    let outcome = run(&mut chain, vec![fund(without_l1)], vec![signed]);
    assert!(matches!(outcome.skipped[0].reason, SkipReason::Invalid(_)));
    // The deposit used nonce 0. With the L1 fee added, the next transaction is included.
    let tx = TxEip1559 { to: TxKind::Call(ALICE), gas_limit: 21_000, ..transfer(2, 1) };
    let signature = sign_message(key, tx.signature_hash()).expect("signs");
    let signed = SignedTx::recover(tx.into_signed(signature).into());
    let outcome = run(&mut chain, vec![fund(l1_fee.saturating_to())], vec![signed]);
    assert_eq!(outcome.skipped, []);
}

#[test]
fn block_stays_within_its_gas_limit() {
    let mut genesis = Genesis::dev();
    genesis.config.block_gas_limit = 1_500_000 + BLOCK_LOAD.gas + SKIPPED_LOAD.gas;
    let mut chain = Chain::from_genesis(&genesis);
    let outcome = run(
        &mut chain,
        vec![],
        vec![
            sign(TxEip1559 { gas_limit: 1_000_000, ..transfer(0, 1) }),
            sign(TxEip1559 { gas_limit: 1_490_000, ..transfer(1, 1) }),
            sign(TxEip1559 { gas_limit: 1_479_000, ..transfer(1, 1) }),
        ],
    );
    assert_eq!(outcome.transactions.len(), 2);
    let remaining = 1_479_000 + SKIPPED_LOAD.gas;
    let reason = SkipReason::BlockGas { gas_limit: 1_490_000, remaining };
    assert_eq!(outcome.skipped[0].reason, reason);
    assert_eq!(outcome.header.gas_used, 42_000);
}

#[test]
fn failed_deposits_still_mint_and_bump_nonces() {
    let mut chain = dev();
    let poor = Address::repeat_byte(0xcc);
    let outcome = run(
        &mut chain,
        vec![
            deposit(poor, TxKind::Call(BOB), 10, 4, 50_000),
            // More value than balance; too little gas; a creation that cannot pay its value.
            deposit(poor, TxKind::Call(BOB), 20, 1_000, 50_000),
            deposit(poor, TxKind::Call(BOB), 30, 0, 20_000),
            deposit(poor, TxKind::Create, 40, 1_000, 100_000),
        ],
        vec![],
    );
    let receipts: Vec<_> = outcome
        .transactions
        .iter()
        .map(|tx| (tx.receipt.envelope.status(), tx.receipt.gas_used))
        .collect();
    assert_eq!(receipts, [(true, 21_000), (false, 50_000), (false, 20_000), (false, 100_000)]);
    assert_eq!(balance(&chain, poor), U256::from(10 - 4 + 20 + 30 + 40));
    assert_eq!(balance(&chain, BOB), U256::from(4));
    assert_eq!(nonce(&chain, poor), 4);
    let nonces: Vec<_> = outcome
        .transactions
        .iter()
        .map(|tx| tx.receipt.envelope.as_deposit_receipt().expect("deposit").deposit_nonce)
        .collect();
    assert_eq!(nonces, [Some(0), Some(1), Some(2), Some(3)]);
    for vault in [BASE_FEE_VAULT, SEQUENCER_FEE_VAULT, L1_FEE_VAULT] {
        assert_eq!(balance(&chain, vault), U256::ZERO);
    }
}

#[test]
fn attributes_deposit_updates_l1_block() {
    let mut chain = dev();
    let attributes = attributes_deposit(chain.config(), &origin(), 1);
    let outcome = run(&mut chain, vec![attributes], vec![]);
    assert!(outcome.transactions[0].receipt.envelope.status());
    // Slot 0 packs number and timestamp, slot 1 is the base fee, slot 2 the hash.
    let slot = |index| chain.state().storage(&L1_BLOCK, U256::from(index));
    assert_eq!(slot(0), U256::from(5) | (U256::from(origin().l1_time) << 64));
    assert_eq!(slot(1), origin().l1_base_fee);
    assert_eq!(B256::from(slot(2)), origin().l1_hash);
}

#[test]
fn blockhash_reads_the_state() {
    let mut chain = dev();
    // SSTORE(0, BLOCKHASH(NUMBER - 1)); SSTORE(1, BLOCKHASH(0)); SSTORE(2, BLOCKHASH(NUMBER));
    // SSTORE(3, BLOCKHASH(0)), the second time
    let runtime = hex!("6001430340 5f55 5f40 600155 4340 600255 5f40 600355 00");
    let contract = deploy(&mut chain, &runtime);
    let genesis = Chain::from_genesis(&Genesis::dev()).head().hash();
    let parent = chain.head().hash();
    run(&mut chain, vec![], vec![sign(call(1, TxKind::Call(contract), 0, Bytes::new()))]);
    let slot = |index| B256::from(chain.state().storage(&contract, U256::from(index)));
    assert_eq!([slot(0), slot(1), slot(2), slot(3)], [parent, genesis, B256::ZERO, genesis]);
}

#[test]
fn precompile_input_beyond_the_limit_runs_out_of_gas() {
    let mut chain = dev();
    // SSTORE(CALLDATALOAD(0), 1 + STATICCALL(gas, 4, 0, size = CALLDATALOAD(0), 0, 0))
    let runtime = hex!("5f5f5f355f60045afa6001015f355500");
    let contract = deploy(&mut chain, &runtime);
    let max = chain.config().precompile_input_bytes_max;
    for (nonce, (size, expected)) in (1..).zip([(max, 2u64), (max + 1, 1)]) {
        let size = U256::from(size);
        let tx = TxEip1559 {
            gas_limit: 5_000_000,
            ..call(nonce, TxKind::Call(contract), 0, size.to_be_bytes::<32>())
        };
        run(&mut chain, vec![], vec![sign(tx)]);
        assert_eq!(chain.state().storage(&contract, size), U256::from(expected), "{size} bytes");
    }
}

#[test]
fn precompile_gas_beyond_the_limit_runs_out_of_gas() {
    // blake2f costs one gas per round. The first word's top four bytes are the rounds, the input
    // has 213 bytes.
    // MSTORE(0, CALLDATALOAD(0)); SSTORE(0, 1 + STATICCALL(gas, 9, 0, 213, 0, 64))
    let runtime = hex!("5f355f52 6040 5f 60d5 5f 6009 5a fa 600101 5f55 00");
    let mut chain = dev();
    let contract = deploy(&mut chain, &runtime);
    let max = u32::try_from(chain.config().precompile_gas_max).expect("fits 32 bits");
    for (nonce, (rounds, expected)) in (1..).zip([(max, 2u64), (max + 1, 1)]) {
        let mut word = [0u8; 32];
        word[..4].copy_from_slice(&rounds.to_be_bytes());
        let tx =
            TxEip1559 { gas_limit: 16_000_000, ..call(nonce, TxKind::Call(contract), 0, word) };
        run(&mut chain, vec![], vec![sign(tx)]);
        let stored = chain.state().storage(&contract, U256::ZERO);
        assert_eq!(stored, U256::from(expected), "{rounds} rounds");
    }
}

#[test]
fn delegation_is_set_and_used() {
    let mut chain = dev();
    // SSTORE(0, CALLER)
    let target = deploy(&mut chain, &hex!("335f5500"));
    let key = B256::repeat_byte(0x77);
    let authorization = Authorization { chain_id: U256::from(4242), address: target, nonce: 0 };
    let signature = sign_message(key, authorization.signature_hash()).expect("signs");
    let signed = authorization.into_signed(signature);
    let authority = turnpike_protocol::recover_authority(&signed).expect("signed");
    let tx = TxEip7702 {
        chain_id: 4242,
        nonce: 1,
        gas_limit: 200_000,
        max_fee_per_gas: GWEI,
        to: authority,
        authorization_list: vec![signed],
        ..Default::default()
    };
    let outcome = run(&mut chain, vec![], vec![sign(tx)]);
    assert_eq!(outcome.skipped, []);
    assert_eq!(
        chain.state().storage(&authority, U256::ZERO),
        U256::from_be_slice(ALICE.as_slice())
    );
    assert_eq!(nonce(&chain, authority), 1);
}

#[test]
fn contract_destroyed_in_its_creation_leaves_nothing() {
    let mut chain = dev();
    // SELFDESTRUCT(CALLER) as creation code, with value.
    let tx = call(0, TxKind::Create, 9, hex!("33ff"));
    let outcome = run(&mut chain, vec![], vec![sign(tx)]);
    let contract = outcome.transactions[0].sender.create(0);
    assert_eq!(chain.state().account(&contract), None);
}

#[test]
fn output_includes_the_message_passer() {
    let mut chain = dev();
    let before = chain.head().output.message_passer_storage_root;
    // Plain ether to the message passer starts a withdrawal.
    let tx = call(0, TxKind::Call(MESSAGE_PASSER), 1, Bytes::new());
    let outcome = run(&mut chain, vec![], vec![sign(tx)]);
    assert!(outcome.transactions[0].receipt.envelope.status());
    assert_ne!(outcome.output.message_passer_storage_root, before);
}

/// Executes a block with only the trie nodes and codes that it accesses, as the proof program does.
fn over_witness(chain: &Chain, input: &BlockInput) -> BlockOutcome {
    let head = chain.head();
    let mut recording = Recording(RecordingView::new(chain.state().flat()));
    let recorded =
        execute_next_block(chain.config(), &head.header, head.hash(), input, &mut recording)
            .expect("full state");
    let mut touched = recording.0.into_touched();
    touched.add_diff(&recorded.diff);
    let witness = chain.state().witness(&touched);
    let mut partial = PartialState::new(head.header.state_root, witness);
    execute_next_block(chain.config(), &head.header, head.hash(), input, &mut partial)
        .expect("the witness is enough")
}

/// EIP-7610.
#[test]
fn creation_over_storage_fails() {
    let (funded, stored) = (ALICE.create(0), ALICE.create(1));
    let slot = U256::from(1);
    let account = |storage: &[(U256, U256)]| GenesisAccount {
        balance: U256::from(5),
        storage: storage.iter().copied().collect(),
        ..GenesisAccount::default()
    };
    let mut genesis = Genesis::dev();
    genesis.alloc.insert(funded, account(&[]));
    genesis.alloc.insert(stored, account(&[(slot, U256::from(7))]));
    let mut chain = Chain::from_genesis(&genesis);
    let creations = (0..2).map(|nonce| sign(call(nonce, TxKind::Create, 0, creation(&[0]))));
    let input = input(&chain, vec![], creations.collect());
    let proven = over_witness(&chain, &input);
    let outcome = chain.execute(&input).expect("full state");
    assert_eq!(proven.output, outcome.output);
    let status: Vec<_> =
        outcome.transactions.iter().map(|tx| tx.receipt.envelope.status()).collect();
    assert_eq!(status, [true, false], "ether at the address does not matter");
    assert_eq!(outcome.transactions[1].receipt.gas_used, 1_000_000, "all gas is used");
    assert_eq!((nonce(&chain, ALICE), nonce(&chain, stored)), (2, 0));
    assert_eq!(balance(&chain, stored), U256::from(5));
    assert_eq!(chain.state().storage(&stored, slot), U256::from(7));
}

#[test]
fn block_over_a_witness_equals_block_over_the_full_state() {
    let mut chain = dev();
    let contract = deploy(&mut chain, &hex!("6001430340 5f55 5f40 600155 4340 600255 00"));
    let input = input(
        &chain,
        vec![deposit(BOB, TxKind::Call(ALICE), 10, 4, 50_000)],
        vec![
            sign(transfer(1, ETHER)),
            sign(call(2, TxKind::Call(contract), 0, Bytes::new())),
            sign(call(3, TxKind::Call(MESSAGE_PASSER), 1, Bytes::new())),
            sign(call(4, TxKind::Create, 0, creation(&hex!("00")))),
            sign(transfer(9, 1)),
        ],
    );
    let proven = over_witness(&chain, &input);
    let full = chain.execute(&input).expect("full state");
    assert_eq!(proven.header, full.header);
    assert_eq!(proven.output, full.output);
    assert_eq!(proven.transactions, full.transactions);
    assert_eq!(full.skipped.len(), 1);
}

/// A view that records reads. Commits have no effect.
struct Recording<'a>(RecordingView<&'a turnpike_state::FlatState>);

impl turnpike_state::StateView for Recording<'_> {
    type Error = core::convert::Infallible;

    fn account(
        &mut self,
        address: &Address,
    ) -> Result<Option<(turnpike_state::Account, StorageId)>, Self::Error> {
        self.0.account(address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Self::Error> {
        self.0.storage(address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        self.0.has_storage(address)
    }

    fn code(&mut self, hash: &B256) -> Result<turnpike_state::Bytecode, Self::Error> {
        self.0.code(hash)
    }
}

impl turnpike_state::StateCommit for Recording<'_> {
    fn commit(
        &mut self,
        _: &turnpike_state::StateDiff,
    ) -> Result<turnpike_state::StateRoots, Self::Error> {
        Ok(turnpike_state::StateRoots {
            state_root: B256::ZERO,
            message_passer_storage_root: B256::ZERO,
        })
    }
}
