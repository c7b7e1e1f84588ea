//! Calls that do not change the chain.

use alloy_primitives::Bytes;
use revm::context_interface::result::{ExecutionResult, HaltReason};
use turnpike_protocol::{ChainConfig, Header};
use turnpike_state::HistoricalView;

use crate::{CallRequest, Checks, Sandbox, SandboxError, SandboxTx};

/// Outcome of a call.
#[derive(Clone, Debug)]
pub enum CallOutcome {
    /// The call returned.
    Success {
        /// Return data, or the code of a created contract.
        output: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// The call reverted.
    Revert {
        /// Revert data.
        output: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// The call ran out of gas or hit an invalid operation.
    Halt {
        /// Reason.
        reason: HaltReason,
        /// Gas used: the whole gas limit.
        gas_used: u64,
    },
}

impl From<ExecutionResult> for CallOutcome {
    fn from(result: ExecutionResult) -> Self {
        let gas_used = result.tx_gas_used();
        match result {
            ExecutionResult::Success { output, .. } => {
                Self::Success { output: output.into_data(), gas_used }
            }
            ExecutionResult::Revert { output, .. } => Self::Revert { output, gas_used },
            ExecutionResult::Halt { reason, .. } => Self::Halt { reason, gas_used },
        }
    }
}

/// Executes a call in the environment of `header`, on `state`.
pub fn call(
    config: &ChainConfig,
    header: &Header,
    state: HistoricalView<'_>,
    request: &CallRequest,
) -> Result<CallOutcome, SandboxError> {
    let mut sandbox = Sandbox::new(config, header, state);
    let tx = SandboxTx::call(config, request, Checks::Call);
    Ok(sandbox.run(&tx)?.result.into())
}
