//! Compares one step of the machine with L1's.

use alloy_primitives::B256;
use turnpike_protocol::Preimages;
use turnpike_vm::{Machine, MissingPreimage, State, StepWitness};

use super::{L1Step, L1StepError};

/// A step that L1 and the machine take differently.
#[derive(Clone, Debug)]
pub struct StepDifference {
    /// The state before the step and its proof.
    pub witness: StepWitness,
    /// The word at the program counter; `None` if the address faults.
    pub word: Option<u32>,
    /// The machine's state after the step.
    pub machine: State,
    /// Hash of L1's state after the step.
    pub l1: Result<B256, L1StepError>,
    /// L1's state after the step, if L1 computed one.
    pub l1_state: Option<State>,
}

impl L1Step {
    /// Takes the machine's next step on the machine and on L1. Returns the difference, if they
    /// disagree.
    ///
    /// # Errors
    ///
    /// If the preimages lack what the step reads. The machine has not moved then.
    pub fn check(
        &mut self,
        machine: &mut Machine,
        preimages: &mut Preimages,
    ) -> Result<Option<Box<StepDifference>>, MissingPreimage> {
        let (witness, word) = (machine.witness(), machine.instruction_word());
        machine.step(preimages)?;
        let state = machine.state();
        let l1 = self.prove(&witness, preimages).map(|stepped| stepped.state);
        if l1.as_ref().is_ok_and(|hash| *hash == state.hash()) {
            return Ok(None);
        }
        let l1_state = self.after(&witness.state.encode(), &witness.proof, &preimages.local);
        let l1_state = l1_state.filter(|state| l1 == Ok(state.hash()));
        Ok(Some(Box::new(StepDifference { witness, word, machine: state, l1, l1_state })))
    }
}
