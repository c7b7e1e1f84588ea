//! The one instruction that both sides of a game disagree on.

use std::fmt;

use alloy_primitives::B256;
use serde::Serialize;
use serde_json::Value;
use turnpike_l1::PostedEntry;
use turnpike_vm::{ExecutedStep, Machine};

use super::{claim_check::FalseClaim, preimage_name, words};
use crate::{Trace, TraceError, prove::PROGRAM, step_json};

/// A disputed step.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisputedStep {
    /// What it does, in the form of `turnpike vm trace`.
    pub instruction: Value,
    #[serde(skip)]
    text: String,
    /// What it reads from the preimage oracle.
    pub reads: Option<String>,
    /// Hash of the state that is claimed after the step.
    pub claimed: B256,
    /// Hash of the state that L1 computes.
    pub truth: B256,
}

impl DisputedStep {
    /// Runs the machine to the segment of `claim` and takes its step.
    pub fn new(
        trace: &Trace,
        entries: &[PostedEntry],
        claim: &FalseClaim,
    ) -> Result<Self, TraceError> {
        let mut preimages = trace.preimages().clone();
        let mut machine = Machine::load(PROGRAM, None)?;
        machine.run(&mut preimages, claim.segment.first)?;
        let read = machine.witness().read;
        let reads =
            read.map(|(key, offset)| preimage_name::describe(&preimages, entries, &key, offset));
        let step = ExecutedStep::take(&mut machine, &mut preimages)?;
        Ok(Self {
            instruction: step_json(&step),
            text: step.to_string(),
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
