//! The one instruction that a game comes down to.

use std::fmt;

use alloy_primitives::B256;
use serde::Serialize;
use serde_json::Value;
use turnpike_game::{Trace, prove::PROGRAM};
use turnpike_l1::PostedEntry;
use turnpike_vm::Machine;

use super::{check::FalseClaim, reading, words};
use crate::vm::Step;

/// A disputed step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisputedStep {
    /// What it does, as `vm trace` has it.
    pub(super) instruction: Value,
    #[serde(skip)]
    text: String,
    /// What it reads from the oracle.
    pub(super) reads: Option<String>,
    /// Hash of the state that is claimed after it.
    pub(super) claimed: B256,
    /// Hash of the state that L1 comes to.
    pub(super) truth: B256,
}

impl DisputedStep {
    /// Takes the step after so many of them.
    pub(super) fn new(
        trace: &Trace,
        entries: &[PostedEntry],
        claim: &FalseClaim,
    ) -> anyhow::Result<Self> {
        let mut preimages = trace.preimages().clone();
        let mut machine = Machine::load(PROGRAM, None)?;
        machine.run(&mut preimages, claim.segment.first)?;
        let read = machine.witness().read;
        let reads = read.map(|(key, offset)| reading::describe(&preimages, entries, &key, offset));
        let step = Step::take(&mut machine, &mut preimages)?;
        Ok(Self {
            instruction: step.to_json(),
            text: step.to_text(),
            reads,
            claimed: claim.claimed,
            truth: claim.truth,
        })
    }
}

impl fmt::Display for DisputedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the step: {}", self.text.trim_start())?;
        if let Some(reads) = &self.reads {
            write!(f, "\n    reads {reads}")?;
        }
        let (claimed, truth) = (words::short(&self.claimed), words::short(&self.truth));
        write!(f, "\n    L1 comes to {truth}, {claimed} is claimed")
    }
}
