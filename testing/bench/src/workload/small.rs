//! Tiny contracts that every transaction calls.

use alloy_primitives::{Address, Bytes, U256, address, bytes};

use super::WorkloadDraft;
use crate::setup::actor;

/// Address of the contract.
const CONTRACT: Address = address!("00000000000000000000000000000000000c0de0");

/// Gas limit of a call.
const GAS_LIMIT: u64 = 100_000;

/// Adds one to slot 0: `PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE STOP`.
const COUNTER: Bytes = bytes!("5f546001015f5500");

/// Logs the beneficiary's balance: `COINBASE BALANCE PUSH0 MSTORE PUSH1 32 PUSH0 LOG0 STOP`. Each
/// transaction pays a tip and so changes it: an implementation that reads it wrong logs another
/// value.
const VAULT_READER: Bytes = bytes!("41315f5260205fa000");

/// All transactions increment one counter.
pub(super) fn counter(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    calls(draft, COUNTER, count);
    draft.setup.write(CONTRACT, U256::ZERO, U256::ONE);
    Ok(())
}

/// All transactions read the beneficiary's balance, which all change.
pub(super) fn vault_readers(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    calls(draft, VAULT_READER, count);
    Ok(())
}

fn calls(draft: &mut WorkloadDraft, code: Bytes, count: usize) {
    draft.setup.install(CONTRACT, code);
    draft.fund((0..count).map(actor));
    for index in 0..count {
        draft.call(actor(index), CONTRACT, Vec::new(), GAS_LIMIT);
    }
}
