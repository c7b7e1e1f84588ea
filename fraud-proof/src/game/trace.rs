use alloy_primitives::B256;
use turnpike_protocol::Preimages;
use turnpike_vm::{ElfError, MissingPreimage, State};

use super::{StepProof, Unsure};
use crate::l1_step::NotABlob;

/// A run of the proof program, any state of which can be looked at.
#[derive(Debug)]
pub struct Trace {
    preimages: Preimages,
}

/// Why a run cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The program is none.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// It reads what the witness does not have.
    #[error(transparent)]
    Missing(#[from] MissingPreimage),
    /// It does not come to an end.
    #[error("the program has not exited after {0} steps")]
    Endless(u64),
    /// What it reads cannot be shown to L1.
    #[error(transparent)]
    NotABlob(#[from] NotABlob),
}

impl Trace {
    /// The run of a program's ELF on a witness that holds what precompiles answer.
    pub fn new(elf: &[u8], preimages: Preimages) -> Result<Self, TraceError> {
        let _ = elf;
        Ok(Self { preimages })
    }

    /// What the program reads.
    pub const fn preimages(&self) -> &Preimages {
        &self.preimages
    }

    /// The state after `step` steps.
    pub fn state_at(&mut self, step: u64) -> Result<State, TraceError> {
        let _ = step;
        unimplemented!()
    }

    /// Its hash.
    pub fn hash_at(&mut self, step: u64) -> Result<B256, TraceError> {
        Ok(self.state_at(step)?.hash())
    }

    /// The last state.
    pub fn final_state(&mut self) -> Result<State, TraceError> {
        unimplemented!()
    }

    /// The output root that it leaves; `None` if it does not end well.
    pub fn output_root(&mut self) -> Result<Option<B256>, TraceError> {
        unimplemented!()
    }

    /// What shows L1 the step after `step` steps, as the `segment`-th of a bisection.
    pub fn prove(&mut self, step: u64, segment: u64) -> Result<StepProof, Unsure> {
        let _ = (step, segment);
        unimplemented!()
    }
}
