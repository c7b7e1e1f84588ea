use alloy_primitives::{Address, B256, Bytes};
use turnpike_executor::precompile_outcome;
use turnpike_protocol::{Oracle, OracleWord, Preimage, Preimages, precompile_key};
use turnpike_state::PrecompileOutcome;

/// An oracle over a witness that notes what is read of it, and computes what precompiles answer.
#[derive(Debug)]
pub struct RecordingOracle<'a> {
    all: &'a Preimages,
    read: Preimages,
    /// The call that the program said it would ask for.
    hinted: Option<(B256, Preimage)>,
}

impl<'a> RecordingOracle<'a> {
    /// An oracle of which nothing was read.
    pub const fn new(all: &'a Preimages) -> Self {
        Self { all, read: Preimages::new(all.local), hinted: None }
    }

    /// The smallest witness for the run that this was the oracle of.
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
            // Nothing that an oracle answers.
            None => return,
        };
        let (address, input) = (*address, Bytes::copy_from_slice(input));
        self.hinted = Some((key, Preimage::Precompile { address, input, output }));
    }
}
