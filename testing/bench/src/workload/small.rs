//! Contracts of a few bytes that every transaction meets in.

use alloy_primitives::{Address, Bytes, U256, address, bytes};

use super::Draft;
use crate::setup::actor;

/// Where the contract is.
const CONTRACT: Address = address!("00000000000000000000000000000000000c0de0");

/// Gas limit of a call.
const GAS_LIMIT: u64 = 100_000;

/// Adds one to slot 0: `PUSH0 SLOAD PUSH1 1 ADD PUSH0 SSTORE STOP`.
const COUNTER: Bytes = bytes!("5f546001015f5500");

/// Logs the beneficiary's balance: `COINBASE BALANCE PUSH0 MSTORE PUSH1 32 PUSH0 LOG0 STOP`. It is another one for
/// every transaction, since each pays a tip, and implementations that read it wrong differ in the log.
const VAULT_READER: Bytes = bytes!("41315f5260205fa000");

/// A counter that everybody raises.
pub(super) fn counter(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    calls(draft, COUNTER, count);
    draft.setup.write(CONTRACT, U256::ZERO, U256::ONE);
    Ok(())
}

/// Everybody reads what everybody pays to.
pub(super) fn vault_readers(draft: &mut Draft, count: usize) -> anyhow::Result<()> {
    calls(draft, VAULT_READER, count);
    Ok(())
}

fn calls(draft: &mut Draft, code: Bytes, count: usize) {
    draft.setup.install(CONTRACT, code);
    draft.fund((0..count).map(actor));
    for index in 0..count {
        draft.call(actor(index), CONTRACT, Vec::new(), GAS_LIMIT);
    }
}
