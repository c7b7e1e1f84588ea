use turnpike_game::load_call;
use turnpike_protocol::{Oracle as _, Preimages};

use crate::{
    evm::{AS_IT_IS, L1, Part, Prices, recorded},
    inputs::{self, Call},
};

const GAS_MIN: u64 = 25_000;
const GAS_MAX: u64 = 4_000_000;

/// Loads a call's result with less and more gas, and compares each recorded part with the program's
/// word. Returns the number of gas limits with a recorded part.
fn sweep(l1: &mut L1, call: &Call) -> usize {
    let preimage = call.preimage();
    let mut preimages = Preimages::default();
    preimages.add(preimage.clone());
    let key = preimage.key();
    let word = preimages.read(&key, 0).expect("the preimage was added");
    let expected = Part { key, offset: 0, word };
    let data = load_call(&preimage, 0).expect("valid preimage").expect("loading needs a call");
    let limits = std::iter::successors(Some(GAS_MIN), |gas| Some(gas + gas / 40));
    let limits = limits.take_while(|gas| *gas < GAS_MAX);
    let mut loads = 0;
    for gas_limit in limits {
        let Some(result) = l1.try_call(&data, gas_limit) else { continue };
        if let Some(part) = recorded(&result) {
            assert!(result.is_success());
            assert_eq!(part, expected, "{} with {gas_limit} gas", call.name);
            loads += 1;
        }
    }
    loads
}

fn sweep_all(prices: Prices) {
    let mut l1 = L1::new(prices);
    for call in inputs::small() {
        let loads = sweep(&mut l1, &call);
        assert!(loads > 20, "{}: {loads} loads with {prices:?}", call.name);
        if let Some(failing) = call.failing() {
            let failures = sweep(&mut l1, &failing);
            assert!(failures > 20, "{}: {failures} failures with {prices:?}", call.name);
            // A failure uses the gas of two calls.
            assert!(failures <= loads, "{}", call.name);
        }
    }
}

#[test]
fn results_do_not_depend_on_gas() {
    sweep_all(AS_IT_IS);
}

#[test]
fn results_do_not_depend_on_prices() {
    sweep_all(Prices { base: 100_000, percent: 300 });
    sweep_all(Prices { base: 1, percent: 5 });
}
