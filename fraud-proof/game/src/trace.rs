//! A run of the proof program that can show any of its states and prove any of its steps.
//!
//! State: the machine, snapshots to go back to ([`Checkpoints`]) and the states asked for so far.
//!
//! Limits: `STATES_MAX` states and the snapshots' own bounds. Showing a state costs at most the
//! steps from the nearest snapshot.

mod checkpoints;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::{B256, Bytes};
use turnpike_protocol::{Oracle, Preimages};
use turnpike_vm::{ElfError, Machine, MissingPreimage, STEPS_MAX, State};

use self::checkpoints::Checkpoints;
use crate::{
    l1_step::{NotABlob, load_call},
    prove::output_root,
};

/// Maximum number of states that are kept: more than a few games ask for.
const STATES_MAX: usize = 4_096;

/// A run of the proof program, of which any state can be asked for.
pub struct Trace {
    machine: Machine,
    oracle: Box<dyn Oracle + Send>,
    preimages: Preimages,
    fault: Option<TraceFault>,
    checkpoints: Checkpoints,
    /// States that were asked for, by step.
    states: BTreeMap<u64, State>,
    /// The step at which the program exits, once the machine has reached it.
    end: Option<u64>,
    steps_taken: u64,
    /// Set by the owner, from another thread, to end a run early.
    stop: Arc<AtomicBool>,
}

/// A change of the machine's state that no program could make: the step before it is then a false
/// one.
///
/// The run continues from the changed state. The first state cannot be changed, because L1 knows
/// it.
pub struct TraceFault {
    after_step: u64,
    change: Box<dyn Fn(&mut Machine) + Send>,
}

/// Proves one step of the machine on L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProof {
    /// Index of the segment in the answered bisection.
    pub segment: u64,
    /// The state before the step, encoded.
    pub state: Bytes,
    /// The step's memory proof.
    pub proof: Bytes,
    /// Key and offset of what the step reads from the preimage oracle, if it reads.
    pub read: Option<(B256, u64)>,
    /// The preimage oracle's call that loads it.
    pub load: Option<Bytes>,
}

/// Why a state cannot be computed or a step cannot be proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The ELF is invalid.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The program reads a preimage that the witness lacks.
    #[error(transparent)]
    Missing(#[from] MissingPreimage),
    /// The program did not exit.
    #[error("the program has not exited after {0} steps")]
    Endless(u64),
    /// A preimage cannot be loaded on L1.
    #[error(transparent)]
    NotABlob(#[from] NotABlob),
    /// The run's owner has stopped it.
    #[error("the run was stopped")]
    Stopped,
}

impl Trace {
    /// The run of a program's ELF on a witness that includes the outputs of precompiles.
    pub fn new(elf: &[u8], preimages: Preimages) -> Result<Self, TraceError> {
        Self::forged(elf, preimages.clone(), preimages, None)
    }

    /// A run that may be false: it reads from `oracle` and makes the changes of `fault`. Its states
    /// still follow from each other. A step that reads what `preimages` lacks is proven without a
    /// load, and L1 refuses the proof.
    pub fn forged(
        elf: &[u8],
        oracle: impl Oracle + Send + 'static,
        preimages: Preimages,
        fault: Option<TraceFault>,
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
            stop: Arc::default(),
        })
    }

    /// Fails runs soon after `stop` is set. What was computed before stays.
    #[must_use]
    pub fn stopping_with(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// The preimages that the program reads.
    pub const fn preimages(&self) -> &Preimages {
        &self.preimages
    }

    /// Number of steps that the machine has taken so far, repeated steps included.
    pub const fn steps_taken(&self) -> u64 {
        self.steps_taken
    }

    /// The state after `step` steps. After the program's exit it stays the last state.
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

    /// Hash of the state after `step` steps.
    pub fn hash_at(&mut self, step: u64) -> Result<B256, TraceError> {
        Ok(self.state_at(step)?.hash())
    }

    /// The state after the program's exit.
    pub fn final_state(&mut self) -> Result<State, TraceError> {
        let state = self.state_at(STEPS_MAX)?;
        if state.exit.is_some() { Ok(state) } else { Err(TraceError::Endless(STEPS_MAX)) }
    }

    /// The output root in the last state's registers; `None` if the program's exit code is not 0.
    pub fn output_root(&mut self) -> Result<Option<B256>, TraceError> {
        let state = self.final_state()?;
        let register = |number: u8| state.registers[usize::from(number) - 1];
        Ok((state.exit == Some(0)).then(|| output_root(register)))
    }

    /// Proves the step after `step` steps, which is segment `segment` of a bisection.
    pub fn prove(&mut self, step: u64, segment: u64) -> Result<StepProof, TraceError> {
        self.go_to(step)?;
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

    /// Brings the machine to its state after `step` steps, or to its end if that comes first.
    fn go_to(&mut self, step: u64) -> Result<(), TraceError> {
        let step = self.end.map_or(step, |end| step.min(end));
        let nearest = self.checkpoints.nearest(step);
        let is_behind = self.machine.steps() <= step;
        if !is_behind || self.machine.steps() < nearest.steps() {
            self.machine.restore(nearest);
        }
        while self.machine.exit().is_none() && self.machine.steps() < step {
            if self.stop.load(Ordering::Relaxed) {
                return Err(TraceError::Stopped);
            }
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

    /// Runs up to `until_step` and applies the fault when it passes its step.
    fn run(&mut self, until_step: u64) -> Result<(), MissingPreimage> {
        let from_step = self.machine.steps();
        if let Some(TraceFault { after_step, change }) = &self.fault
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

impl TraceFault {
    /// Applies `change` to the state after `after_step` steps.
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

impl fmt::Debug for TraceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceFault").field("after_step", &self.after_step).finish_non_exhaustive()
    }
}
