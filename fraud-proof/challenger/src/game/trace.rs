use std::{collections::BTreeMap, fmt};

use alloy_primitives::{B256, Bytes};
use turnpike_protocol::{Oracle, Preimages};
use turnpike_vm::{ElfError, Machine, MissingPreimage, STEPS_MAX, State};

use super::{StepProof, Unsure, checkpoints::Checkpoints};
use crate::{
    l1_step::{NotABlob, load_call},
    prove::output_root,
};

/// States that are remembered, at most: what a few games ask for.
const STATES_MAX: usize = 4_096;

/// A run of the proof program, any state of which can be looked at.
///
/// What was looked at is remembered, and snapshots are kept to come back to, in bounded numbers: looking costs no more steps
/// than the way from the nearest snapshot.
pub struct Trace {
    machine: Machine,
    oracle: Box<dyn Oracle + Send>,
    preimages: Preimages,
    fault: Option<Fault>,
    checkpoints: Checkpoints,
    /// Those that were asked for.
    states: BTreeMap<u64, State>,
    /// The step at which the program exits, once it was seen.
    end: Option<u64>,
    steps_taken: u64,
}

/// A change of the machine, as no program could make it.
///
/// The state after so many steps is the changed one, and the run goes on from there. At the very beginning nothing can be
/// changed: L1 knows that state.
pub struct Fault {
    after_step: u64,
    change: Box<dyn Fn(&mut Machine) + Send>,
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
        Self::lying(elf, preimages.clone(), preimages, None)
    }

    /// A run that may be false: on what `oracle` says, and with a fault. It is consistent all the same. What it cannot
    /// show to L1 of `preimages` it proves as if there were nothing to be shown, and L1 refuses that.
    pub fn lying(
        elf: &[u8],
        oracle: impl Oracle + Send + 'static,
        preimages: Preimages,
        fault: Option<Fault>,
    ) -> Result<Self, TraceError> {
        let mut machine = Machine::load(elf, None)?;
        let checkpoints = Checkpoints::new(&mut machine);
        Ok(Self {
            machine,
            oracle: Box::new(oracle),
            preimages,
            fault,
            checkpoints,
            states: BTreeMap::new(),
            end: None,
            steps_taken: 0,
        })
    }

    /// What the program reads.
    pub const fn preimages(&self) -> &Preimages {
        &self.preimages
    }

    /// Steps that the machine has taken so far, those that it took again included.
    pub const fn steps_taken(&self) -> u64 {
        self.steps_taken
    }

    /// The state after `step` steps: after the program's exit, the last one.
    pub fn state_at(&mut self, step: u64) -> Result<State, TraceError> {
        if step > STEPS_MAX {
            return self.final_state();
        }
        let step = self.end.map_or(step, |end| step.min(end));
        if let Some(state) = self.states.get(&step) {
            return Ok(*state);
        }
        self.go_to(step)?;
        let state = self.machine.state();
        if self.states.len() == STATES_MAX {
            self.states.clear();
        }
        self.states.insert(state.step, state);
        Ok(state)
    }

    /// Its hash.
    pub fn hash_at(&mut self, step: u64) -> Result<B256, TraceError> {
        Ok(self.state_at(step)?.hash())
    }

    /// The last state.
    pub fn final_state(&mut self) -> Result<State, TraceError> {
        let state = self.state_at(STEPS_MAX)?;
        if state.exit.is_some() { Ok(state) } else { Err(TraceError::Endless(STEPS_MAX)) }
    }

    /// The output root that it leaves; `None` if it does not end well.
    pub fn output_root(&mut self) -> Result<Option<B256>, TraceError> {
        let state = self.final_state()?;
        let register = |number: u8| state.registers[usize::from(number) - 1];
        Ok((state.exit == Some(0)).then(|| output_root(register)))
    }

    /// What shows L1 the step after `step` steps, as the `segment`-th of a bisection.
    pub fn prove(&mut self, step: u64, segment: u64) -> Result<StepProof, Unsure> {
        self.go_to(step).map_err(Unsure::Trace)?;
        let witness = self.machine.witness();
        let mut load = None;
        if let Some((key, offset)) = witness.read {
            let missing = || TraceError::Missing(MissingPreimage { key, offset });
            self.oracle.read(&key, offset).ok_or_else(missing)?;
            if let Some(preimage) = self.preimages.get(&key) {
                load = load_call(preimage, offset).map_err(TraceError::NotABlob)?;
            }
        }
        Ok(StepProof {
            segment,
            state: Bytes::copy_from_slice(&witness.state.encode()),
            proof: witness.proof.into(),
            read: witness.read,
            load,
        })
    }

    /// Brings the machine to where it is after `step` steps, or to its end if that comes first.
    fn go_to(&mut self, step: u64) -> Result<(), TraceError> {
        let step = self.end.map_or(step, |end| step.min(end));
        let nearest = self.checkpoints.nearest(step);
        let is_behind = self.machine.steps() <= step;
        if !is_behind || self.machine.steps() < nearest.steps() {
            self.machine.restore(nearest);
        }
        while self.machine.exit().is_none() && self.machine.steps() < step {
            let due = self.checkpoints.due_after(self.machine.steps());
            self.run(due.map_or(step, |due| step.min(due)))?;
            self.checkpoints.pass(&mut self.machine);
        }
        if self.machine.exit().is_some() {
            self.end = Some(self.machine.steps());
        }
        self.checkpoints.keep(&mut self.machine);
        Ok(())
    }

    /// Runs on to `until_step`, by way of the fault.
    fn run(&mut self, until_step: u64) -> Result<(), MissingPreimage> {
        let from_step = self.machine.steps();
        if let Some(Fault { after_step, change }) = &self.fault
            && from_step < *after_step
            && *after_step <= until_step
        {
            self.machine.run(&mut self.oracle.as_mut(), *after_step)?;
            if self.machine.steps() == *after_step {
                change(&mut self.machine);
            }
        }
        let ran = self.machine.run(&mut self.oracle.as_mut(), until_step);
        self.steps_taken += self.machine.steps() - from_step;
        ran
    }
}

impl Fault {
    /// That the state after `after_step` steps is changed in this way: the step before is then a false one.
    pub fn new(after_step: u64, change: impl Fn(&mut Machine) + Send + 'static) -> Self {
        Self { after_step, change: Box::new(change) }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Trace");
        out.field("local", &self.preimages.local).field("fault", &self.fault);
        out.field("end", &self.end).field("steps_taken", &self.steps_taken).finish_non_exhaustive()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("after_step", &self.after_step).finish_non_exhaustive()
    }
}
