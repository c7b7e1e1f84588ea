use alloy_eips::eip4844::{c_kzg, kzg_to_versioned_hash};
use alloy_primitives::Bytes;
use revm::precompile::Precompiles;
use turnpike_game::load_call;
use turnpike_protocol::{BLOB_BYTES, CHUNK_BYTES_MAX, Preimage};

use crate::{
    evm::{AS_IT_IS, GAS_MAX, L1, recorded},
    inputs,
};

/// Precision of the gas limit search.
const LIMIT_STEP: u64 = 4_096;

/// A transaction that loads one part.
struct Case {
    name: String,
    /// The precompile's gas.
    precompile_gas: u64,
    preimage: Preimage,
}

/// The lowest gas limit at which the load succeeds, rounded up, and the gas that it uses.
fn measure(l1: &mut L1, data: &Bytes) -> (u64, u64) {
    let mut used = 0;
    let mut works = |limit: u64| {
        let loaded = l1.try_call(data, limit).filter(|result| recorded(result).is_some());
        loaded.map(|result| used = result.tx_gas_used()).is_some()
    };
    assert!(works(GAS_MAX), "the load does not fit one transaction");
    let (mut too_little, mut enough) = (0, GAS_MAX / LIMIT_STEP);
    while enough - too_little > 1 {
        let middle = (too_little + enough) / 2;
        if works(middle * LIMIT_STEP) { enough = middle } else { too_little = middle }
    }
    assert!(works(enough * LIMIT_STEP));
    (enough * LIMIT_STEP, used)
}

fn keccak(name: &str, len: usize) -> Case {
    let bytes = vec![0xff; len].into();
    Case { name: name.to_owned(), precompile_gas: 0, preimage: Preimage::Keccak { bytes } }
}

fn blob() -> Case {
    let bytes: Bytes = vec![1; BLOB_BYTES].into();
    let blob = c_kzg::Blob::from_bytes(&bytes).expect("valid blob");
    let commitment =
        c_kzg::ethereum_kzg_settings(0).blob_to_kzg_commitment(&blob).expect("valid blob");
    let versioned_hash = kzg_to_versioned_hash(commitment.to_bytes().as_slice());
    let preimage = Preimage::Blob { versioned_hash, bytes };
    Case { name: "blob element".to_owned(), precompile_gas: 50_000, preimage }
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        keccak("keccak: chunk of calldata", CHUNK_BYTES_MAX),
        keccak("keccak: code", 24_576),
        keccak("keccak: header", 700),
        blob(),
    ];
    let config = turnpike_protocol::Genesis::dev().config;
    for call in inputs::most_expensive() {
        let precompile = Precompiles::osaka().get(&call.address).expect("the precompile exists");
        let output =
            precompile.execute(&call.input, u64::MAX, 0).expect("the precompile does not fault");
        let precompile_gas = output.gas_used;
        assert!(precompile_gas <= config.precompile_gas_max, "{}", call.name);
        assert!(call.input.len() as u64 <= config.precompile_input_bytes_max, "{}", call.name);
        let failing = call.failing().map(|failing| Case {
            name: format!("{}, fails", call.name),
            precompile_gas,
            preimage: failing.preimage(),
        });
        let preimage = call.preimage();
        cases.push(Case { name: call.name.to_owned(), precompile_gas, preimage });
        cases.extend(failing);
    }
    cases
}

/// Every preimage that the program may read can be loaded in one transaction, including intrinsic
/// gas (EIP-7623, EIP-7825).
#[test]
fn most_expensive_loads_fit_one_transaction() {
    let mut l1 = L1::new(AS_IT_IS);
    println!(
        "| what is loaded | bytes of calldata | gas of the precompile | least limit | gas used |"
    );
    println!("|---|---|---|---|---|");
    for Case { name, precompile_gas, preimage } in cases() {
        let data = load_call(&preimage, 0).expect("valid preimage").expect("loading needs a call");
        let (limit, used) = measure(&mut l1, &data);
        println!("| {name} | {} | {precompile_gas} | {limit} | {used} |", data.len());
        assert!(used <= limit && limit * 5 / 4 <= GAS_MAX, "{name}: L1 can charge a quarter more");
    }
}
