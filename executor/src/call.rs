use std::string::ToString as _;

use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::{
    context::TxEnv,
    context_interface::{
        JournalTr as _,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    handler::Handler as _,
};
use turnpike_protocol::{ChainConfig, Header};
use turnpike_state::StateView;

use crate::{
    BlockHashes, ChainSpec, ExecutionError, FeeRule,
    base::ViewError,
    env::{evm, recovered},
    handler::{Rules, TransactionHandler},
};

/// A call that leaves no trace: `eth_call`, and each probe of `eth_estimateGas`.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// Caller.
    pub from: Address,
    /// Callee, or a creation.
    pub to: TxKind,
    /// Gas to give it.
    pub gas_limit: u64,
    /// Wei to send along.
    pub value: U256,
    /// Input.
    pub input: Bytes,
    /// Addresses and slots to warm.
    pub access_list: AccessList,
    /// EIP-7702 authorizations to apply first.
    pub authorizations: Vec<SignedAuthorization>,
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
    },
}

/// A call that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E: core::error::Error> {
    /// The request is invalid on this state.
    #[error("{0}")]
    Invalid(InvalidTransaction),
    /// The state view failed.
    #[error(transparent)]
    Execution(ExecutionError<E>),
}

/// Runs a call in the environment of `header`, on `state`. Nonces and senders' codes are not looked at, no fee is taken.
pub fn call<S: StateView>(
    config: &ChainConfig,
    header: &Header,
    state: S,
    request: &CallRequest,
) -> Result<CallOutcome, CallError<S::Error>> {
    let hashes = BlockHashes::History { parent: header.parent_hash };
    let mut evm = evm(&ChainSpec::turnpike(config), header, hashes, state);
    evm.ctx.cfg.disable_nonce_check = true;
    evm.ctx.cfg.disable_eip3607 = true;
    evm.ctx.cfg.disable_base_fee = true;
    evm.ctx.cfg.tx_gas_limit_cap = Some(u64::MAX);
    let base = evm.ctx.journaled_state.db_mut();
    let tx = TxEnv {
        // The type decides what revm looks at.
        tx_type: match (request.authorizations.is_empty(), request.access_list.is_empty()) {
            (false, _) => 4,
            (true, false) => 1,
            (true, true) => 0,
        },
        caller: request.from,
        gas_limit: request.gas_limit,
        kind: request.to,
        value: request.value,
        data: request.input.clone(),
        chain_id: Some(config.chain_id),
        access_list: request.access_list.clone(),
        authorization_list: recovered(&request.authorizations, &mut |input| base.ecrecover(input)),
        ..TxEnv::default()
    };
    evm.ctx.tx = tx;
    let mut handler = TransactionHandler::new(Rules::User { l1_fee: U256::ZERO }, FeeRule::Vaults);
    let result = handler.run(&mut evm).map_err(|error| match error {
        EVMError::Transaction(error) => CallError::Invalid(error),
        EVMError::Database(ViewError(error)) => CallError::Execution(ExecutionError::State(error)),
        other => CallError::Execution(ExecutionError::Evm(other.to_string())),
    })?;
    let gas_used = result.tx_gas_used();
    Ok(match result {
        ExecutionResult::Success { output, .. } => {
            CallOutcome::Success { output: output.into_data(), gas_used }
        }
        ExecutionResult::Revert { output, .. } => CallOutcome::Revert { output, gas_used },
        ExecutionResult::Halt { reason, .. } => CallOutcome::Halt { reason },
    })
}
