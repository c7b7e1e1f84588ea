//! Calls of precompiles have the same cost and the same result, whether computed or read.

use alloy_primitives::{B256, hex};
use proptest::{collection::vec, prelude::*};
use revm::precompile::{PrecompileStatus, Precompiles};
use turnpike_state::{FlatState, StateView};

use super::*;

/// Addresses up to p256verify's, and a few more.
const ADDRESSES: u64 = 0x120;

/// A valid input from the test vectors of daimo-eth/p256-verifier.
const P256_VALID: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);

/// The generators of bn254, twice. The second pair has a negated y, so the product of both pairings
/// is one.
const BN254_PAIRS: [u8; 384] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    "0000000000000000000000000000000000000000000000000000000000000001"
    "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);

/// A view that answers oracle precompiles and records the calls.
#[derive(Default)]
struct Answering {
    state: FlatState,
    asked: Vec<Vec<u8>>,
}

impl StateView for Answering {
    type Error = core::convert::Infallible;

    fn account(
        &mut self,
        address: &Address,
    ) -> Result<Option<(turnpike_state::Account, turnpike_state::StorageId)>, Self::Error> {
        StateView::account(&mut self.state, address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: turnpike_state::StorageId,
        slot: alloy_primitives::U256,
    ) -> Result<alloy_primitives::U256, Self::Error> {
        StateView::storage(&mut self.state, address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        StateView::has_storage(&mut self.state, address)
    }

    fn code(&mut self, hash: &B256) -> Result<turnpike_state::Bytecode, Self::Error> {
        StateView::code(&mut self.state, hash)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.asked.push(input.to_vec());
        precompile_outcome(address, input)
    }
}

fn at(number: u64) -> Address {
    revm::precompile::u64_to_address(number)
}

fn oracle_precompiles() -> impl Iterator<Item = Address> {
    (0..ADDRESSES).map(at).filter(is_oracle_precompile)
}

fn precompiles() -> BoundedPrecompiles {
    BoundedPrecompiles::new(&ChainSpec::ethereum(1, SpecId::OSAKA))
}

fn output(address: u64, input: &[u8]) -> Vec<u8> {
    match precompile_outcome(&at(address), input) {
        Some(PrecompileOutcome::Output(output)) => output.to_vec(),
        other => panic!("{address:#x}: {other:?}"),
    }
}

/// Compares reading with computing at exactly this gas limit. Returns whether the view received the
/// call.
fn compare(address: &Address, input: &[u8], gas_limit: u64) -> bool {
    let plain = Precompiles::osaka().get(address).expect("exists").execute(input, gas_limit, 7);
    let plain = plain.expect("no fault");
    let mut view = Answering::default();
    let known = precompiles().known(&mut view, address, input, gas_limit, 7).expect("answers");
    let case = alloc::format!("{address} with {gas_limit}: {}", hex::encode(input));
    match (&plain.status, &known.status) {
        (PrecompileStatus::Halt(expected), PrecompileStatus::Halt(halt)) if *halt == FAILED => {
            assert!(!expected.is_oog(), "{case}");
            assert_eq!(known, PrecompileOutput::halt(FAILED, 7), "{case}");
        }
        _ => assert_eq!(known, plain, "{case}"),
    }
    // The same code charges the computing side.
    let computes = precompiles().known(&mut FlatState::default(), address, input, gas_limit, 7);
    assert!(computes.is_none_or(|output| output == plain && view.asked.is_empty()), "{case}");
    !view.asked.is_empty()
}

/// Compares at gas limits around the call's cost. Returns the precompile's outcome.
fn compare_around(address: &Address, input: &[u8]) -> PrecompileOutcome {
    compare(address, input, u64::MAX);
    compare(address, input, 0);
    if let Ok(ChargedCall { gas, .. }) =
        oracle::charge(address, input, u64::MAX).expect("oracle precompile")
    {
        assert!(compare(address, input, gas), "{address}: enough gas");
        assert!(!compare(address, input, gas - 1), "{address}: out of gas");
    }
    precompile_outcome(address, input).expect("oracle precompile")
}

/// Inputs with which each precompile succeeds.
fn valid(address: u64) -> Vec<Vec<u8>> {
    let zeros = |bytes: usize| alloc::vec![0; bytes];
    let g1 = || output(0x10, &[[0; 63].as_slice(), &[5]].concat());
    let g2 = || output(0x11, &[[0; 127].as_slice(), &[5]].concat());
    let scalar = [0x17; 32];
    match address {
        1 => {
            let [digest, v] = [B256::repeat_byte(3), B256::with_last_byte(28)];
            let words = [digest, v, B256::repeat_byte(0x11), B256::repeat_byte(0x22)];
            alloc::vec![words.concat(), zeros(128), Vec::new()]
        }
        5 => {
            let call = |lengths: [u64; 3], tail: &[u8]| {
                let words = lengths.map(|length| B256::from(alloy_primitives::U256::from(length)));
                [words.concat().as_slice(), tail].concat()
            };
            alloc::vec![
                call([1, 1, 1], &[3, 5, 7]),
                call([0, 0, 0], &[]),
                call([0, 1024, 0], &[1; 9]),
                call([32, 32, 32], &[0xfe; 96]),
                call([33, 31, 40], &[0xfe; 90]),
                call([1, 64, 1024], &[2, 0xff, 3]),
                call([1024, 1024, 1024], &[0xff; 2000]),
                zeros(0),
                zeros(95),
            ]
        }
        6 => alloc::vec![BN254_PAIRS[..64].to_vec(), zeros(0), zeros(128), zeros(500)],
        7 => alloc::vec![[&BN254_PAIRS[..64], &scalar].concat(), zeros(96), zeros(1)],
        8 => alloc::vec![BN254_PAIRS.to_vec(), BN254_PAIRS[..192].to_vec(), zeros(0), zeros(768)],
        0x0a => {
            let mut input = zeros(192);
            // The commitment to the zero polynomial is infinity, and so is every proof.
            (input[96], input[144]) = (0xc0, 0xc0);
            let hash =
                revm::precompile::kzg_point_evaluation::kzg_to_versioned_hash(&input[96..144]);
            input[..32].copy_from_slice(&hash);
            alloc::vec![input]
        }
        0x0b => alloc::vec![[g1(), g1()].concat(), zeros(256)],
        0x0c => {
            let one = [g1().as_slice(), &scalar].concat();
            alloc::vec![one.clone(), one.repeat(3), one.repeat(130), zeros(160)]
        }
        0x0d => alloc::vec![[g2(), g2()].concat(), zeros(512)],
        0x0e => {
            let one = [g2().as_slice(), &scalar].concat();
            alloc::vec![one.clone(), one.repeat(3), one.repeat(130), zeros(288)]
        }
        0x0f => alloc::vec![[g1(), g2()].concat(), [g1(), g2()].concat().repeat(2), zeros(384)],
        0x10 => alloc::vec![[zeros(63), alloc::vec![9]].concat(), zeros(64)],
        0x11 => alloc::vec![[zeros(127), alloc::vec![9]].concat(), zeros(128)],
        0x100 => alloc::vec![P256_VALID.to_vec(), zeros(160), zeros(0), zeros(161)],
        _ => unreachable!("no oracle precompile"),
    }
}

#[test]
fn oracle_precompiles_are_the_expected_addresses() {
    let numbers = [1, 5, 6, 7, 8, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10, 0x11, 0x100];
    assert!(oracle_precompiles().eq(numbers.map(at)));
    for number in 0..ADDRESSES {
        let is_known = oracle::charge(&at(number), &[], u64::MAX).is_some();
        assert_eq!(is_known, numbers.contains(&number), "{number:#x}");
        assert_eq!(precompile_outcome(&at(number), &[]).is_some(), numbers.contains(&number));
    }
}

#[test]
fn valid_inputs_cost_and_return_the_same() {
    for address in oracle_precompiles() {
        let number = address.into_word()[31] as u64 + 256 * u64::from(address.into_word()[30]);
        for input in valid(number) {
            let outcome = compare_around(&address, &input);
            assert!(matches!(outcome, PrecompileOutcome::Output(_)), "{address}");
        }
    }
    assert_eq!(output(8, &BN254_PAIRS)[31], 1);
    assert_eq!(output(8, &BN254_PAIRS[..192])[31], 0);
    assert_eq!(output(0x100, &P256_VALID).len(), 32);
    assert!(output(0x100, &[0; 160]).is_empty());
}

#[test]
fn invalid_inputs_cost_and_return_the_same() {
    for address in oracle_precompiles() {
        let number = address.into_word()[31] as u64 + 256 * u64::from(address.into_word()[30]);
        let mut failures = 0;
        for input in valid(number) {
            let mut changed: Vec<Vec<u8>> = Vec::new();
            for place in [0, 15, 20, 31, 63, 100, 127, 159, 200] {
                let mut input = input.clone();
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 0x41;
                    changed.push(input);
                }
            }
            changed.extend([1, 32, 64].map(|more| [input.as_slice(), &[1; 64][..more]].concat()));
            let len = input.len();
            changed.extend([len / 2, len.saturating_sub(1)].map(|len| input[..len].to_vec()));
            for input in changed {
                let outcome = compare_around(&address, &input);
                failures += usize::from(outcome == PrecompileOutcome::Failure);
            }
        }
        // No input makes ecrecover or p256verify fail, and modexp fails only by its lengths.
        assert_eq!(failures == 0, [1, 0x100].contains(&number), "{address}: {failures} failures");
    }
}

#[test]
fn only_the_relevant_input_is_asked_for() {
    for (number, bytes) in [(1, 128), (6, 128), (7, 96), (5, 96 + 3), (0x100, 0)] {
        let mut input = alloc::vec![1; 90_000];
        if number == 5 {
            let lengths = [1, 1, 1].map(B256::with_last_byte).concat();
            input[..lengths.len()].copy_from_slice(&lengths);
        }
        let mut view = Answering::default();
        precompiles().known(&mut view, &at(number), &input, u64::MAX, 0).expect("answers");
        assert_eq!(view.asked, [input[..bytes].to_vec()], "{number:#x}");
        compare_around(&at(number), &input);
    }
}

#[test]
fn older_forks_always_compute() {
    let spec = ChainSpec::ethereum(1, SpecId::PRAGUE);
    let mut view = Answering::default();
    let known = BoundedPrecompiles::new(&spec).known(&mut view, &at(1), &[], u64::MAX, 0);
    assert_eq!((known, view.asked.len()), (None, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_inputs(
        which in 0..14_usize,
        input in vec(any::<u8>(), 0..800),
        zeros in 0..800_usize,
        gas_limit in 0..400_000_u64,
    ) {
        let address = oracle_precompiles().nth(which).expect("the index is in range");
        let mut input = input;
        let zeros = zeros.min(input.len());
        input[..zeros].fill(0);
        compare(&address, &input, gas_limit);
        compare_around(&address, &input);
    }

    #[test]
    fn random_lengths_of_modexp(
        lengths in [0..1030_u64, 0..1030_u64, 0..1030_u64],
        zeros in 0..80_usize,
        tail in vec(any::<u8>(), 0..300),
    ) {
        let words = lengths.map(|length| B256::from(alloy_primitives::U256::from(length)));
        let input = [words.concat(), alloc::vec![0; zeros], tail].concat();
        compare_around(&at(5), &input);
    }
}
