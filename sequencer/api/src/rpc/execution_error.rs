//! Errors of executions, in geth's words.

use alloy_primitives::Address;
use turnpike_executor::{CallRequest, HaltReason, InvalidTransaction, SandboxError};

use super::error::RpcError;

/// The error of a call that could not run, in geth's words.
pub(super) fn refused(error: SandboxError, request: &CallRequest) -> RpcError {
    match error {
        SandboxError::Invalid(error) => RpcError::server(invalid_text(&error, request.from)),
        error => refusal(error),
    }
}

/// The error of an execution that is not the request's own transaction, for example a replay.
pub(super) fn refusal(error: SandboxError) -> RpcError {
    RpcError::server(error.to_string())
}

/// geth's text for an invalid transaction.
pub(super) fn invalid_text(error: &InvalidTransaction, from: Address) -> String {
    use InvalidTransaction as Invalid;
    match error {
        Invalid::LackOfFundForMaxFee { fee, balance } => format!(
            "insufficient funds for gas * price + value: address {from} have {balance} want {fee}"
        ),
        Invalid::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        Invalid::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {gas_floor} (floor)")
        }
        Invalid::GasPriceLessThanBasefee => {
            format!("max fee per gas less than block base fee: address {from}")
        }
        Invalid::PriorityFeeGreaterThanMaxFee => {
            format!("max priority fee per gas higher than max fee per gas: address {from}")
        }
        Invalid::NonceTooLow { tx, state } => {
            format!("nonce too low: address {from}, tx: {tx} state: {state}")
        }
        Invalid::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {from}, tx: {tx} state: {state}")
        }
        Invalid::CreateInitCodeSizeLimit => "max initcode size exceeded".to_owned(),
        other => other.to_string(),
    }
}

/// geth's text for a halted execution.
pub(super) fn halt_text(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".to_owned(),
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode => "invalid opcode".to_owned(),
        HaltReason::InvalidJump => "invalid jump destination".to_owned(),
        HaltReason::StackUnderflow => "stack underflow".to_owned(),
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)".to_owned(),
        HaltReason::CreateCollision => "contract address collision".to_owned(),
        HaltReason::CallTooDeep => "max call depth exceeded".to_owned(),
        HaltReason::CreateContractSizeLimit => "max code size exceeded".to_owned(),
        other => format!("execution failed: {other:?}"),
    }
}
