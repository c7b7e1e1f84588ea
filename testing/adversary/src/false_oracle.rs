use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::{Oracle, OracleWord};

/// False preimages, by key.
pub(crate) type FalsePreimages = BTreeMap<B256, Bytes>;

/// A preimage oracle that returns false preimages for some keys and an honest oracle's preimages
/// for all others.
#[derive(Clone, Debug)]
pub struct FalseOracle<O> {
    honest: O,
    preimages: FalsePreimages,
}

impl<O> FalseOracle<O> {
    /// `preimages` are the false ones. `honest` returns the others.
    pub const fn new(honest: O, preimages: FalsePreimages) -> Self {
        Self { honest, preimages }
    }

    /// The honest oracle.
    pub fn into_honest(self) -> O {
        self.honest
    }
}

impl<O: Oracle> Oracle for FalseOracle<O> {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        match self.preimages.get(key) {
            Some(bytes) => Some(OracleWord::of(bytes, offset)),
            None => self.honest.read(key, offset),
        }
    }

    fn hint_precompile(&mut self, address: &Address, input: &[u8]) {
        self.honest.hint_precompile(address, input);
    }
}
