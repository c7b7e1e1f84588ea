//! Records what a run reads, which is the smallest witness for it.

use alloy_primitives::{Address, B256, Bytes};
use turnpike_executor::precompile_outcome;
use turnpike_protocol::{Oracle, OracleWord, Preimage, Preimages, precompile_key};
use turnpike_state::PrecompileOutcome;

/// An oracle over a witness that records what is read and computes precompile outputs.
#[derive(Debug)]
pub struct RecordingOracle<'a> {
    all: &'a Preimages,
    read: Preimages,
    /// The precompile call that the program has announced.
    hinted: Option<(B256, Preimage)>,
}

impl<'a> RecordingOracle<'a> {
    /// An oracle without recorded reads.
    pub const fn new(all: &'a Preimages) -> Self {
        Self { all, read: Preimages::new(all.local), hinted: None }
    }

    /// The recorded reads: the smallest witness of the run.
    pub fn into_read(self) -> Preimages {
        self.read
    }
}

impl Oracle for RecordingOracle<'_> {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        if let Some(word) = self.read.read(key, offset) {
            return Some(word);
        }
        let preimage = match self.all.get(key) {
            Some(preimage) => preimage.clone(),
            None => self.hinted.take_if(|(hinted, _)| hinted == key)?.1,
        };
        self.read.add(preimage);
        self.read.read(key, offset)
    }

    fn hint_precompile(&mut self, address: &Address, input: &[u8]) {
        let key = precompile_key(address, input);
        if self.read.get(&key).is_some() || self.all.get(&key).is_some() {
            return;
        }
        let output = match precompile_outcome(address, input) {
            Some(PrecompileOutcome::Output(output)) => Some(output),
            Some(PrecompileOutcome::Failure) => None,
            // Not an oracle precompile.
            None => return,
        };
        let (address, input) = (*address, Bytes::copy_from_slice(input));
        self.hinted = Some((key, Preimage::Precompile { address, input, output }));
    }
}
