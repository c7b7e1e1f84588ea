//! The first run of the proof program on a block, which has to confirm what the node derived.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
};

use alloy_primitives::B256;
use tracing::{error, info};
use turnpike_game::{
    ClaimError, Disagreement, Trace, TraceError,
    prove::{BlockPosition, NativeRun, PROGRAM, Statement, run_native},
};

/// Why no move about a block is certain.
#[derive(Clone, Debug)]
pub(crate) enum Unprovable {
    Disagreement(Disagreement),
    NoStatement { entry: u64, index: u64, reason: String },
}

/// Why a run has no result.
#[derive(Debug)]
pub(crate) enum RunError {
    /// Its owner has stopped it.
    Stopped,
    Unprovable(Unprovable),
}

/// Runs the program on a statement natively and in the machine, up to its end.
///
/// # Errors
///
/// If either run, or the statement, comes to another output root than the node's, `root`.
pub(crate) fn confirmed_run(
    statement: &Statement,
    root: B256,
    stop: &Arc<AtomicBool>,
) -> Result<Trace, RunError> {
    let BlockPosition { entry, index } = statement.position;
    let NativeRun { result: native, read, time } = run_native(&statement.witness);
    let trace = Trace::new(PROGRAM, read);
    let trace = trace.map_err(|reason| Unprovable::no_statement(statement.position, &reason))?;
    let mut trace = trace.stopping_with(Arc::clone(stop));
    let machine = match trace.output_root() {
        Err(TraceError::Stopped) => return Err(RunError::Stopped),
        machine => machine,
    };
    let agrees = native.as_ref().is_ok_and(|it| *it == root)
        && machine.as_ref().is_ok_and(|it| *it == Some(root))
        && statement.output_root == root;
    if agrees {
        let steps = trace.steps_taken();
        info!(entry, index, steps, native_seconds = time.as_secs_f64(), "the program agrees");
        return Ok(trace);
    }
    let machine = match machine {
        Ok(Some(root)) => root.to_string(),
        Ok(None) => "no output root".into(),
        Err(error) => error.to_string(),
    };
    let native = native.map_or_else(|error| error.to_string(), |root| root.to_string());
    let disagreement = Disagreement { entry, index, node: root, native, machine };
    error!(%disagreement, "node and proof program disagree, making no move about this block");
    Err(Unprovable::Disagreement(disagreement).into())
}

impl Unprovable {
    /// Logs that the program cannot run on a block.
    pub(crate) fn no_statement(position: BlockPosition, reason: &dyn fmt::Display) -> Self {
        let BlockPosition { entry, index } = position;
        error!(entry, index, %reason, "no run of a block, making no move about it");
        Self::NoStatement { entry, index, reason: reason.to_string() }
    }
}

impl From<Unprovable> for RunError {
    fn from(error: Unprovable) -> Self {
        Self::Unprovable(error)
    }
}

impl From<Unprovable> for ClaimError {
    fn from(error: Unprovable) -> Self {
        match error {
            Unprovable::Disagreement(disagreement) => Self::Disagreement(disagreement),
            Unprovable::NoStatement { entry, index, reason } => {
                Self::NoStatement { entry, index, reason }
            }
        }
    }
}
