//! Example contracts for profiles: their accesses and hashes.

mod adversary;
mod contracts;
mod functions;
mod limits;
mod memory;

use alloc::vec::Vec;

use alloy_primitives::{Address, U256, keccak256};

use super::{
    Access, Call, HashedInput, ObservedRun, Predictions, Profiles, StateKey, Touch,
    call::WORD_BYTES,
    rule::HashOrder::{self, KeyFirst},
};

const TOKEN: Address = Address::repeat_byte(0x70);
const SELECTOR: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const GAS: u64 = 50_000;

/// An account without code.
fn person(seed: u8) -> Address {
    Address::repeat_byte(seed)
}

/// A token's address. All differ only in the last byte.
fn token(last: u8) -> Address {
    let mut token = Address::repeat_byte(0xbb);
    token[19] = last;
    token
}

fn has_code(address: &Address) -> bool {
    address[0] >= 0x70
}

fn calldata(words: &[[u8; WORD_BYTES]]) -> Vec<u8> {
    [SELECTOR.as_slice(), &words.concat()].concat()
}

fn word(address: Address) -> [u8; WORD_BYTES] {
    address.into_word().0
}

fn number(value: u64) -> [u8; WORD_BYTES] {
    U256::from(value).to_be_bytes()
}

/// The slot of a mapping's value.
fn slot_of(key: [u8; WORD_BYTES], position: U256) -> U256 {
    keccak256(KeyFirst.input(&key, position)).into()
}

/// A run, recorded step by step.
#[derive(Debug, Default)]
struct Run {
    touches: Vec<Touch>,
    seen: Vec<HashedInput>,
}

impl Run {
    /// A run that starts by accessing the accounts of caller and callee, as all runs do.
    fn of(call: Call<'_>) -> Self {
        let mut run = Self::default();
        run.account(call.caller, true);
        run.account(call.to, false);
        run
    }

    fn account(&mut self, address: Address, written: bool) {
        self.touches.push(Touch { key: StateKey { address, slot: None }, written });
    }

    fn slot(&mut self, contract: Address, slot: U256, written: bool) {
        let key = StateKey { address: contract, slot: Some(slot) };
        self.touches.push(Touch { key, written });
    }

    /// Hashes to find a mapping's value.
    fn hash(
        &mut self,
        contract: Address,
        order: HashOrder,
        key: [u8; WORD_BYTES],
        position: U256,
    ) -> U256 {
        let input = order.input(&key, position);
        self.seen.push((contract, input));
        keccak256(input).into()
    }

    /// Reads and writes a mapping's value.
    fn mapping(&mut self, contract: Address, key: [u8; WORD_BYTES], position: u64) {
        let slot = self.hash(contract, KeyFirst, key, U256::from(position));
        self.slot(contract, slot, false);
        self.slot(contract, slot, true);
    }

    /// Reads and writes a value of a mapping in a mapping.
    fn nested(&mut self, contract: Address, [outer, inner]: [[u8; WORD_BYTES]; 2], position: u64) {
        let position = self.hash(contract, KeyFirst, outer, U256::from(position));
        let slot = self.hash(contract, KeyFirst, inner, position);
        self.slot(contract, slot, true);
    }

    fn observed(&self) -> ObservedRun<'_> {
        ObservedRun { touches: &self.touches, seen: &self.seen, gas_used: GAS }
    }
}

fn teach(profiles: &mut Profiles, call: Call<'_>, run: &Run) {
    profiles.learn(call, &run.observed(), has_code);
}

/// The slots predicted for one call, in ascending order.
fn slots(profiles: &Profiles, call: Call<'_>) -> Option<Vec<(Address, U256, Access)>> {
    let mut out = Predictions::default();
    profiles.predict([(7, call)].into_iter(), has_code, &mut out);
    assert_eq!(out.known.len() + out.unknown.len(), 1);
    out.known.first()?;
    let slots = out.slots.into_iter().map(|(tx, contract, slot, access)| {
        assert_eq!(tx, 7);
        (contract, slot, access)
    });
    let mut slots: Vec<_> = slots.collect();
    slots.sort_unstable();
    slots.dedup();
    Some(slots)
}

/// Written slots, in ascending order.
fn written(contract: Address, slots: &[U256]) -> Vec<(Address, U256, Access)> {
    let mut slots: Vec<_> = slots.iter().map(|slot| (contract, *slot, Access::Write)).collect();
    slots.sort_unstable();
    slots
}

/// A token's transfer: calldata and run.
fn transfer(from: Address, to: Address) -> (Vec<u8>, Run) {
    let data = calldata(&[word(to), number(5)]);
    let mut run = Run::of(Call { caller: from, to: TOKEN, data: &data });
    run.mapping(TOKEN, word(from), 2);
    run.mapping(TOKEN, word(to), 2);
    (data, run)
}

fn teach_transfer(profiles: &mut Profiles, from: Address, to: Address) {
    let (data, run) = transfer(from, to);
    teach(profiles, Call { caller: from, to: TOKEN, data: &data }, &run);
}

fn balances(of: &[Address]) -> Vec<(Address, U256, Access)> {
    let slots: Vec<_> = of.iter().map(|of| slot_of(word(*of), U256::from(2))).collect();
    written(TOKEN, &slots)
}
