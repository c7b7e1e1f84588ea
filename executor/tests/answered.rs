//! Blocks whose precompile results and authorities come from the witness, as in the proof program.

use alloy_consensus::{
    SignableTransaction, Transaction as _, TxEip1559, TxEip7702, crypto::secp256k1::sign_message,
};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex};
use turnpike_executor::{Chain, execute_next_block, precompile_outcome};
use turnpike_protocol::{
    BlockInput, Genesis, Origin, SignedTx, TxEnvelope, history_slot, predeploys::HISTORY_STORAGE,
    recover_authority,
};
use turnpike_state::{
    PartialState, PrecompileOutcome, PreimageSource, StateView, Touched, Witness,
};

const KEY: B256 =
    B256::new(hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
/// An address that signs nothing.
const ELSEWHERE: Address = Address::repeat_byte(0xee);
const GWEI: u128 = 1_000_000_000;

/// Creation code of a contract. It calls the address in the first word of its input with the rest
/// of the input. In slot 0 it stores whether the call succeeded, and in slot 1 the hash of the
/// return data.
const CALLER: [u8; 51] = hex!(
    "6027600c60003960276000f3"
    "6020360380602060003760006000826000600035 5afa600055"
    "3d600060003e3d60002060015500"
);

/// A witness that also answers precompile calls.
struct Answers<F> {
    witness: Witness,
    answer: F,
    asked: Vec<Address>,
}

impl<F: FnMut(&Address, &[u8]) -> Option<PrecompileOutcome>> PreimageSource for Answers<F> {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        self.witness.preimage(hash)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.asked.push(*address);
        (self.answer)(address, input)
    }
}

fn call(nonce: u64, to: TxKind, input: impl Into<Bytes>) -> TxEip1559 {
    TxEip1559 {
        chain_id: 4242,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: GWEI,
        to,
        input: input.into(),
        ..Default::default()
    }
}

fn sign<T: SignableTransaction<Signature>>(tx: T) -> SignedTx
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(KEY, tx.signature_hash()).expect("signs");
    SignedTx::recover(tx.into_signed(signature).into())
}

fn input(chain: &Chain, transactions: Vec<SignedTx>) -> BlockInput {
    let origin = Origin {
        entry: 0,
        l1_block_number: 5,
        l1_time: 1_800_000_000,
        l1_base_fee: U256::from(30 * GWEI),
        l1_blob_base_fee: U256::from(GWEI),
        l1_hash: B256::repeat_byte(0x11),
    };
    let number = chain.head().header.number + 1;
    let time_ms = 1_000 * (origin.l1_time + number);
    BlockInput { number, time_ms, origin, deposits: Vec::new(), transactions }
}

/// A chain with the contract, and a block that calls every precompile with valid and invalid
/// inputs, runs out of gas once and delegates an account.
fn precompile_block() -> (Chain, BlockInput, Address) {
    let mut chain = Chain::from_genesis(&Genesis::dev());
    let deployed = chain.execute(&input(&chain, vec![sign(call(0, TxKind::Create, CALLER))]));
    let contract = deployed.expect("full state").transactions[0].sender.create(0);
    let mut transactions = Vec::new();
    let mut nonce = 1..;
    for number in (1..=0x11).chain([0x100]) {
        for bytes in [0, 64, 96, 128, 160, 192, 256, 288, 384, 512] {
            for fill in [0, 0x5a] {
                let word = B256::from(U256::from(number));
                let data = [word.as_slice(), &vec![fill; bytes]].concat();
                let nonce = nonce.next().expect("the sequence is endless");
                transactions.push(sign(call(nonce, TxKind::Call(contract), data)));
            }
        }
    }
    let poor = B256::with_last_byte(8);
    let nonce_of_poor = nonce.next().expect("the sequence is endless");
    let poor = call(nonce_of_poor, TxKind::Call(contract), poor);
    transactions.push(sign(TxEip1559 { gas_limit: 60_000, ..poor }));
    let authorization = Authorization { chain_id: U256::from(4242), address: contract, nonce: 0 };
    let signature =
        sign_message(B256::repeat_byte(0x77), authorization.signature_hash()).expect("signs");
    transactions.push(sign(TxEip7702 {
        chain_id: 4242,
        nonce: nonce.next().expect("the sequence is endless"),
        gas_limit: 200_000,
        max_fee_per_gas: GWEI,
        to: contract,
        authorization_list: vec![authorization.into_signed(signature)],
        ..Default::default()
    }));
    let block = input(&chain, transactions);
    (chain, block, contract)
}

#[test]
fn witness_answers_replace_precompile_computation() {
    let (mut chain, block, contract) = precompile_block();
    let mut source = Answers {
        witness: witness(&chain, &block, contract),
        answer: precompile_outcome,
        asked: vec![],
    };
    let (config, head) = (chain.config().clone(), chain.head().clone());
    let mut partial = PartialState::new(head.header.state_root, &mut source);
    let proven =
        execute_next_block(&config, &head.header, head.hash(), &block, &mut partial).expect("runs");
    let full = chain.execute(&block).expect("full state");
    assert_eq!(proven.header, full.header);
    assert_eq!(proven.transactions, full.transactions);
    assert_eq!(full.skipped, []);
    // Every oracle precompile is requested, and ecrecover also for the authority.
    let mut asked = source.asked.clone();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 14);
    assert_eq!(source.asked.last(), Some(&Address::with_last_byte(1)));
}

/// Execution trusts the answers and does not compute the results itself.
#[test]
fn false_witness_answers_change_the_block() {
    let (mut chain, block, contract) = precompile_block();
    let answer = |address: &Address, input: &[u8]| match precompile_outcome(address, input)? {
        PrecompileOutcome::Output(_) if *address == Address::with_last_byte(1) => {
            Some(PrecompileOutcome::Output(ELSEWHERE.into_word().into()))
        }
        other => Some(other),
    };
    let source = Answers { witness: witness(&chain, &block, contract), answer, asked: vec![] };
    let (config, head) = (chain.config().clone(), chain.head().clone());
    let mut partial = PartialState::new(head.header.state_root, source);
    let proven =
        execute_next_block(&config, &head.header, head.hash(), &block, &mut partial).expect("runs");
    let delegated = partial.account(&ELSEWHERE).expect("in the witness").expect("exists").0;
    assert_eq!(delegated.nonce, 1);
    assert_ne!(proven.header, chain.execute(&block).expect("full state").header);
}

/// A witness of the state that the block accesses with any answers.
fn witness(chain: &Chain, block: &BlockInput, contract: Address) -> Witness {
    let flat = chain.state().flat();
    let mut touched = Touched::default();
    for (address, _) in flat.iter_accounts() {
        touched.accounts.entry(address).or_default().extend(flat.slots_of(&address).map(|at| at.0));
    }
    touched.codes.extend(flat.iter_codes().map(|(hash, _)| hash));
    touched.accounts.entry(contract).or_default().extend([U256::ZERO, U256::ONE]);
    let history = touched.accounts.entry(HISTORY_STORAGE).or_default();
    history.insert(history_slot(block.number - 1));
    let lists = block.transactions.iter().filter_map(|tx| tx.envelope().authorization_list());
    let authorities = lists.flatten().filter_map(recover_authority);
    let precompiles =
        (1..=0x11).chain([0x100]).map(|number| Address::from_word(B256::from(U256::from(number))));
    for address in authorities.chain(precompiles).chain([ELSEWHERE]) {
        touched.accounts.entry(address).or_default();
    }
    chain.state().witness(&touched)
}
