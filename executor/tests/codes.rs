//! A block that reads more code than is kept has the same outcome as if all code were kept.

use alloy_consensus::{SignableTransaction as _, TxEip1559, crypto::secp256k1::sign_message};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use turnpike_executor::{Chain, Engine, EngineConfig, Mode};
use turnpike_protocol::{BlockInput, Genesis, GenesisAccount, Origin, SignedTx};

const KEY: B256 =
    B256::new(hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
const SENDER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Sums EXTCODESIZE of the addresses from the first word of its input up to, but not including, the
/// second, and stores the sum in slot 0.
const READER: [u8; 23] = hex!("5f355f 5b813b0190600101908160203511600357 5f5500");
const READER_AT: Address = Address::repeat_byte(0xea);

/// Creation code of a contract that counts its calls in slot 0.
const COUNTER: [u8; 16] = hex!("67 60015f54015f5500 5f52 60086018f3");

/// Number of accounts with different codes. Together the codes exceed what is kept after a
/// transaction.
const LARGE: u64 = 1_400;
const LARGE_BYTES: usize = 24_576;
const LARGE_FROM: u64 = 1 << 40;

fn genesis() -> Genesis {
    let mut genesis = Genesis::dev();
    for i in 0..LARGE {
        let mut code = vec![0x5b; LARGE_BYTES];
        code[..8].copy_from_slice(&i.to_be_bytes());
        let address = Address::from_word(U256::from(LARGE_FROM + i).into());
        let account = GenesisAccount { code: code.into(), nonce: 1, ..GenesisAccount::default() };
        genesis.alloc.insert(address, account);
    }
    let reader = GenesisAccount { code: READER.into(), nonce: 1, ..GenesisAccount::default() };
    genesis.alloc.insert(READER_AT, reader);
    genesis
}

fn sign(nonce: u64, to: TxKind, input: Bytes) -> SignedTx {
    let (chain_id, gas_limit, max_fee_per_gas) = (4242, 5_000_000, 1_000_000_000);
    let tx = TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        max_fee_per_gas,
        to,
        input,
        ..TxEip1559::default()
    };
    let signature = sign_message(KEY, tx.signature_hash()).expect("signs");
    SignedTx::recover(tx.into_signed(signature).into())
}

fn block() -> BlockInput {
    let counter = TxKind::Call(SENDER.create(0));
    let reader = TxKind::Call(READER_AT);
    let range = |end: u64| -> Bytes {
        [LARGE_FROM, end].map(|at| U256::from(at).to_be_bytes::<32>()).concat().into()
    };
    let transactions = vec![
        sign(0, TxKind::Create, COUNTER.into()),
        sign(1, counter, Bytes::new()),
        sign(2, reader, range(LARGE_FROM + LARGE)),
        sign(3, counter, Bytes::new()),
        sign(4, reader, range(LARGE_FROM + LARGE - 1)),
    ];
    let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
    let time_ms = 1_000 * (origin.l1_time + 1);
    BlockInput { number: 1, time_ms, origin, deposits: Vec::new(), transactions }
}

#[test]
fn dropped_codes_are_read_again() {
    for mode in [Mode::Sequential, Mode::Parallel] {
        let mut chain = Chain::from_genesis(&genesis());
        chain.set_engine(Engine::new(EngineConfig { mode, ..EngineConfig::default() }));
        let outcome = chain.execute(&block()).expect("full state");
        assert_eq!(outcome.skipped, []);
        assert!(outcome.transactions.iter().all(|tx| tx.receipt.envelope.status()));
        let slot = |address| chain.state().storage(&address, U256::ZERO);
        assert_eq!(slot(SENDER.create(0)), U256::from(2), "{mode:?}");
        let sum = (LARGE - 1) * LARGE_BYTES as u64;
        assert_eq!(slot(READER_AT), U256::from(sum), "{mode:?}");
    }
}
