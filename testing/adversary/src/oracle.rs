use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::{Oracle, OracleWord};

/// What is said to be behind keys.
pub(crate) type Lies = BTreeMap<B256, Bytes>;

/// An oracle that says of some keys what is not so, and the truth of all others.
#[derive(Clone, Debug)]
pub struct LyingOracle<O> {
    truth: O,
    lies: Lies,
}

impl<O> LyingOracle<O> {
    /// `lies` are the bytes that are said to be behind some keys, `truth` knows the others.
    pub const fn new(truth: O, lies: Lies) -> Self {
        Self { truth, lies }
    }

    /// The truth that it has.
    pub fn into_truth(self) -> O {
        self.truth
    }
}

impl<O: Oracle> Oracle for LyingOracle<O> {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        match self.lies.get(key) {
            Some(bytes) => Some(OracleWord::of(bytes, offset)),
            None => self.truth.read(key, offset),
        }
    }

    fn hint_precompile(&mut self, address: &Address, input: &[u8]) {
        self.truth.hint_precompile(address, input);
    }
}
