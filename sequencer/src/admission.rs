use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_primitives::{Address, Bytes, U256};
use turnpike_executor::{Chain, intrinsic_gas};
use turnpike_protocol::{L1Fee, Origin, SignedTx, TxEnvelope, decode_transaction, next_base_fee};

use crate::{
    Refusal,
    builder::{block_bytes_max, bytes_in_block},
};

/// Longest encoding of one transaction, in bytes (geth's limit).
const TRANSACTION_BYTES_MAX: usize = 128 * 1024;

/// Longest creation code, in bytes (EIP-3860).
const INITCODE_BYTES_MAX: usize = 49_152;

/// A transaction that is well formed and signed for this chain. What it finds in the state is not known yet.
#[derive(Clone, Debug)]
pub(crate) struct CheckedTx {
    pub(crate) tx: SignedTx,
    pub(crate) raw: Bytes,
    pub(crate) sender: Address,
}

/// Checks everything that does not depend on the state, signature included: the expensive part, for any thread.
pub(crate) fn check_stateless(
    config: &turnpike_protocol::ChainConfig,
    raw: Bytes,
) -> Result<CheckedTx, Refusal> {
    // One that no batch could hold would wait for ever.
    let limit = TRANSACTION_BYTES_MAX.min(block_bytes_max(config));
    if bytes_in_block(&raw) > limit {
        return Err(Refusal::Oversized { size: raw.len(), limit });
    }
    let envelope = decode_transaction(&raw)?;
    if let Some(have) = envelope.chain_id().filter(|id| *id != config.chain_id) {
        return Err(Refusal::ChainId { have, want: config.chain_id });
    }
    let tx = SignedTx::recover(envelope);
    let sender = tx.signer()?;
    check_gas(config, tx.envelope())?;
    check_fees(tx.envelope(), sender)?;
    Ok(CheckedTx { tx, raw, sender })
}

fn check_gas(config: &turnpike_protocol::ChainConfig, tx: &TxEnvelope) -> Result<(), Refusal> {
    let gas_limit = tx.gas_limit();
    let cap = config.transaction_gas_limit_max();
    if gas_limit > cap {
        return Err(Refusal::GasCap { gas_limit, cap });
    }
    let size = tx.input().len();
    if tx.kind().is_create() && size > INITCODE_BYTES_MAX {
        return Err(Refusal::InitCode { size, limit: INITCODE_BYTES_MAX });
    }
    let (intrinsic, floor) = intrinsic_gas(tx);
    if gas_limit < intrinsic {
        return Err(Refusal::IntrinsicGas { gas_limit, needed: intrinsic });
    }
    if gas_limit < floor {
        return Err(Refusal::FloorGas { gas_limit, needed: floor });
    }
    Ok(())
}

fn check_fees(tx: &TxEnvelope, sender: Address) -> Result<(), Refusal> {
    let fee = tx.max_fee_per_gas();
    if let Some(tip) = tx.max_priority_fee_per_gas().filter(|tip| *tip > fee) {
        return Err(Refusal::TipAboveFee { sender, tip, fee });
    }
    if tx.is_eip7702() && tx.authorization_list().is_none_or(<[_]>::is_empty) {
        return Err(Refusal::NoAuthorizations { sender });
    }
    Ok(())
}

/// Checks a transaction against the state after the chain's head. Nonces are the pool's business; the account's is
/// returned for it.
pub(crate) fn check_state(
    chain: &Chain,
    origin: Option<&Origin>,
    tx: &CheckedTx,
) -> Result<u64, Refusal> {
    let sender = tx.sender;
    let envelope = tx.tx.envelope();
    let account = chain.state().account(&sender).unwrap_or_default();
    let code = account.has_code().then(|| chain.state().code(&account.code_hash)).flatten();
    if code.is_some_and(|code| !code.is_eip7702()) {
        return Err(Refusal::SenderIsContract { sender });
    }
    let nonce = envelope.nonce();
    if nonce < account.nonce {
        return Err(Refusal::NonceTooLow { next: account.nonce, nonce });
    }
    let base_fee = next_base_fee(chain.config(), &chain.head().header);
    let fee = envelope.max_fee_per_gas();
    if fee < u128::from(base_fee) {
        return Err(Refusal::FeeTooLow { sender, fee, base_fee });
    }
    let l1_fee = origin.map_or(U256::ZERO, |origin| L1Fee::new(chain.config(), origin).of(&tx.raw));
    let cost = U256::from(envelope.gas_limit())
        .saturating_mul(U256::from(fee))
        .saturating_add(envelope.value())
        .saturating_add(l1_fee);
    if account.balance < cost {
        return Err(Refusal::InsufficientFunds { balance: account.balance, cost });
    }
    Ok(account.nonce)
}
