//! State and block overrides of calls.

use alloy::rpc::types::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use alloy_primitives::{Address, U256};
use turnpike_executor::Sandbox;
use turnpike_protocol::Header;

use super::{error::RpcError, execution_error::refusal};

/// Code of an override that moves a precompile to its own address (`eth_simulateV1`).
const MOVED_TO_ITSELF: i64 = -38022;

/// Code of an override that moves two precompiles to the same address.
const MOVED_TWICE: i64 = -38023;

/// Applies overrides of accounts.
pub(super) fn override_state(
    sandbox: &mut Sandbox<'_>,
    overrides: StateOverride,
) -> Result<(), RpcError> {
    let mut moved = Vec::new();
    for (address, account) in &overrides {
        let is_precompile = sandbox.precompiles().contains(address);
        if let Some(to) = account.move_precompile_to {
            check_move(*address, to, is_precompile, &overrides, &moved)?;
            moved.push(to);
        }
    }
    for (address, account) in overrides {
        if sandbox.precompiles().contains(&address) && !moved.contains(&address) {
            sandbox.remove_precompile(address, account.move_precompile_to);
        }
        override_account(sandbox, address, account)?;
    }
    Ok(())
}

fn check_move(
    from: Address,
    to: Address,
    is_precompile: bool,
    overrides: &StateOverride,
    moved: &[Address],
) -> Result<(), RpcError> {
    if !is_precompile {
        return Err(RpcError::server(format!("account {from} is not a precompile")));
    }
    if from == to {
        return Err(RpcError::new(
            MOVED_TO_ITSELF,
            format!("the precompile {from} is moved to itself"),
        ));
    }
    if moved.contains(&to) {
        return Err(RpcError::new(MOVED_TWICE, format!("account {to} is already overridden")));
    }
    if overrides.contains_key(&to) {
        return Err(RpcError::server(format!("account {to} is already overridden")));
    }
    Ok(())
}

fn override_account(
    sandbox: &mut Sandbox<'_>,
    address: Address,
    account: AccountOverride,
) -> Result<(), RpcError> {
    let AccountOverride { balance, nonce, code, state, state_diff, .. } = account;
    sandbox
        .set_account(address, |info| {
            info.balance = balance.unwrap_or(info.balance);
            info.nonce = nonce.unwrap_or(info.nonce);
        })
        .map_err(refusal)?;
    if let Some(code) = code
        && !sandbox.set_code(address, code).map_err(refusal)?
    {
        let message = format!("account {address}: the code is a malformed delegation");
        return Err(RpcError::invalid_params(message));
    }
    let slots = match (state, state_diff) {
        (Some(_), Some(_)) => {
            let message = format!("account {address} has both 'state' and 'stateDiff'");
            return Err(RpcError::server(message));
        }
        (Some(state), None) => {
            sandbox.clear_storage(address).map_err(refusal)?;
            state
        }
        (None, Some(diff)) => diff,
        (None, None) => return Ok(()),
    };
    let slots = slots.into_iter().map(|(slot, value)| (slot.into(), U256::from_be_bytes(value.0)));
    sandbox.set_slots(address, slots).map_err(refusal)
}

/// Applies overrides of the block environment of a call.
pub(super) fn override_block(
    sandbox: &mut Sandbox<'_>,
    overrides: BlockOverrides,
) -> Result<(), RpcError> {
    if overrides.beacon_root.is_some() {
        let message = "the block override \"beaconRoot\" is not supported: it is always zero";
        return Err(RpcError::invalid_params(message));
    }
    for (number, hash) in overrides.block_hash.unwrap_or_default() {
        sandbox.set_block_hash(number, hash);
    }
    let block = sandbox.block_mut();
    block.number = overrides.number.unwrap_or(block.number);
    block.difficulty = overrides.difficulty.unwrap_or(block.difficulty);
    block.timestamp = overrides.time.map_or(block.timestamp, U256::from);
    block.gas_limit = overrides.gas_limit.unwrap_or(block.gas_limit);
    block.beneficiary = overrides.coinbase.unwrap_or(block.beneficiary);
    block.prevrandao = overrides.random.or(block.prevrandao);
    if let Some(base_fee) = overrides.base_fee {
        block.basefee = fitting(base_fee, "baseFeePerGas")?;
    }
    if let (Some(fee), Some(blob)) = (overrides.blob_base_fee, &mut block.blob_excess_gas_and_price)
    {
        blob.blob_gasprice = u128::from(fitting(fee, "blobBaseFee")?);
    }
    Ok(())
}

/// Applies overrides to the header of a simulated block, except number and time.
pub(super) fn override_header(
    header: &mut Header,
    overrides: &BlockOverrides,
) -> Result<(), RpcError> {
    if overrides.beacon_root.is_some() || overrides.blob_base_fee.is_some() {
        let message = "the block overrides \"beaconRoot\" and \"blobBaseFee\" are not supported";
        return Err(RpcError::invalid_params(message));
    }
    header.difficulty = overrides.difficulty.unwrap_or(header.difficulty);
    header.gas_limit = overrides.gas_limit.unwrap_or(header.gas_limit);
    header.beneficiary = overrides.coinbase.unwrap_or(header.beneficiary);
    header.mix_hash = overrides.random.unwrap_or(header.mix_hash);
    if let Some(base_fee) = overrides.base_fee {
        header.base_fee_per_gas = Some(fitting(base_fee, "baseFeePerGas")?);
    }
    Ok(())
}

/// Converts a number that must fit 64 bits.
pub(super) fn fitting(value: U256, field: &str) -> Result<u64, RpcError> {
    u64::try_from(value)
        .map_err(|_| RpcError::invalid_params(format!("the block override {field:?} is too large")))
}
