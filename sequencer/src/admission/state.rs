//! Checks a transaction against the state.

use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, U256};
use turnpike_protocol::L1Fee;
use turnpike_state::{Account, Bytecode};

use super::CheckedTx;
use crate::Refusal;

/// What the open or next block demands of transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateRules {
    /// Its base fee, in wei.
    pub(crate) base_fee: u64,
    /// Its L1 data fee; `None` until an origin is known.
    pub(crate) l1_fee: Option<L1Fee>,
}

/// Checks a transaction against its sender's account. `code` returns the account's code. Returns
/// the account's nonce, which the pool checks.
pub(crate) fn check_state(
    rules: &StateRules,
    account: Option<Account>,
    code: impl FnOnce(&B256) -> Option<Bytecode>,
    tx: &CheckedTx,
) -> Result<u64, Refusal> {
    let sender = tx.sender;
    let envelope = tx.tx.envelope();
    let account = account.unwrap_or_default();
    let code = account.has_code().then(|| code(&account.code_hash)).flatten();
    if code.is_some_and(|code| !code.is_eip7702()) {
        return Err(Refusal::SenderIsContract { sender });
    }
    let nonce = envelope.nonce();
    if nonce < account.nonce {
        return Err(Refusal::NonceTooLow { next: account.nonce, nonce });
    }
    let (fee, base_fee) = (envelope.max_fee_per_gas(), rules.base_fee);
    if fee < u128::from(base_fee) {
        return Err(Refusal::FeeTooLow { sender, fee, base_fee });
    }
    let l1_fee = rules.l1_fee.map_or(U256::ZERO, |l1_fee| l1_fee.of_size(tx.tx.data_size()));
    let cost = U256::from(envelope.gas_limit())
        .saturating_mul(U256::from(fee))
        .saturating_add(envelope.value())
        .saturating_add(l1_fee);
    if account.balance < cost {
        return Err(Refusal::InsufficientFunds { balance: account.balance, cost });
    }
    Ok(account.nonce)
}
