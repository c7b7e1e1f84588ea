use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::{
    context::TxEnv,
    context_interface::result::{ExecutionResult, HaltReason},
};
use turnpike_protocol::{ChainConfig, Header, ecrecover};
use turnpike_state::HistoricalView;

use crate::{Checks, Sandbox, SandboxError, SandboxTx, env::recovered};

/// A call that leaves no trace: `eth_call`, and each probe of `eth_estimateGas`.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// Caller.
    pub from: Address,
    /// Callee, or a creation.
    pub to: TxKind,
    /// Its nonce, where that is looked at.
    pub nonce: u64,
    /// Gas to give it.
    pub gas_limit: u64,
    /// Most wei to pay per gas. Without, nothing is paid.
    pub gas_price: u128,
    /// Most wei of it to pay as a tip, if not all (EIP-1559).
    pub priority_fee: Option<u128>,
    /// Wei to send along.
    pub value: U256,
    /// Input.
    pub input: Bytes,
    /// Addresses and slots to warm.
    pub access_list: AccessList,
    /// EIP-7702 authorizations to apply first.
    pub authorizations: Vec<SignedAuthorization>,
}

impl CallRequest {
    /// The type of the transaction that it would be.
    pub const fn tx_type(&self) -> u8 {
        if !self.authorizations.is_empty() {
            4
        } else if self.priority_fee.is_some() {
            2
        } else if !self.access_list.0.is_empty() {
            1
        } else {
            0
        }
    }

    pub(crate) fn tx_env(&self, config: &ChainConfig) -> TxEnv {
        TxEnv {
            // The type decides what revm looks at.
            tx_type: self.tx_type(),
            caller: self.from,
            gas_limit: self.gas_limit,
            gas_price: self.gas_price,
            gas_priority_fee: self.priority_fee,
            kind: self.to,
            value: self.value,
            data: self.input.clone(),
            nonce: self.nonce,
            chain_id: Some(config.chain_id),
            access_list: self.access_list.clone(),
            authorization_list: recovered(&self.authorizations, &mut ecrecover),
            ..TxEnv::default()
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub enum CallOutcome {
    /// It returned.
    Success {
        /// Return data; the code, for a creation.
        output: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// It reverted.
    Revert {
        /// Revert data.
        output: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// It ran out of gas or hit an invalid operation.
    Halt {
        /// Why.
        reason: HaltReason,
        /// Gas used: all of it.
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

/// Runs a call in the environment of `header`, on `state`.
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
