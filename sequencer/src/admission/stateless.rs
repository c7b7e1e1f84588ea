//! Checks a transaction without the state.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_primitives::{Address, B256, Bytes};
use turnpike_executor::intrinsic_gas;
use turnpike_protocol::{SignedTx, TxEnvelope, decode_transaction};
use turnpike_signers::{signers, with_hash};

use crate::{
    Refusal,
    builder::{block_bytes_max, bytes_in_block},
    hashes::hash_all,
};

/// Longest encoding of a transaction, in bytes (geth's limit).
const TRANSACTION_BYTES_MAX: usize = 128 * 1024;

/// Longest creation code, in bytes (EIP-3860).
const INITCODE_BYTES_MAX: usize = 49_152;

/// A well-formed transaction that is signed for this chain. It is not checked against the state
/// yet.
#[derive(Clone, Debug)]
pub(crate) struct CheckedTx {
    pub(crate) tx: SignedTx,
    pub(crate) raw: Bytes,
    pub(crate) sender: Address,
}

/// Checks everything that needs no state, signatures included. This is the expensive part and runs
/// on any thread. Returns the results in the given order.
pub(crate) fn check_stateless(
    config: &turnpike_protocol::ChainConfig,
    raws: impl Iterator<Item = Bytes>,
) -> Vec<Result<CheckedTx, Refusal>> {
    let raws: Vec<_> = raws.collect();
    let hashes = hash_all(&raws);
    let decode = |(raw, hash): (Bytes, B256)| {
        decode(config, &raw).map(|envelope| (with_hash(envelope, hash), raw))
    };
    let decoded: Vec<_> = raws.into_iter().zip(hashes).map(decode).collect();
    let mut signers = signers(decoded.iter().flatten().map(|(envelope, _)| envelope));
    let mut check = |(envelope, raw): (TxEnvelope, Bytes)| {
        let signer = signers.next().expect("invariant: one for each transaction");
        check_signed(config, SignedTx::with_recovered(envelope, signer, &raw), raw)
    };
    decoded.into_iter().map(|decoded| decoded.and_then(&mut check)).collect()
}

fn decode(config: &turnpike_protocol::ChainConfig, raw: &Bytes) -> Result<TxEnvelope, Refusal> {
    // A transaction that no batch can hold would wait forever.
    let limit = TRANSACTION_BYTES_MAX.min(block_bytes_max(config));
    if bytes_in_block(raw) > limit {
        return Err(Refusal::Oversized { size: raw.len(), limit });
    }
    let envelope = decode_transaction(raw)?;
    if let Some(have) = envelope.chain_id().filter(|id| *id != config.chain_id) {
        return Err(Refusal::ChainId { have, want: config.chain_id });
    }
    Ok(envelope)
}

fn check_signed(
    config: &turnpike_protocol::ChainConfig,
    tx: SignedTx,
    raw: Bytes,
) -> Result<CheckedTx, Refusal> {
    let sender = tx.signer()?;
    check_gas(config, tx.envelope())?;
    check_fees(tx.envelope(), sender)?;
    // A slice of the request's buffer would keep the whole buffer in memory.
    let raw = Bytes::copy_from_slice(&raw);
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

#[cfg(test)]
mod tests {
    use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
    use alloy_consensus::{SignableTransaction as _, TxEip1559};
    use alloy_primitives::TxKind;
    use turnpike_protocol::Genesis;

    use super::*;

    #[test]
    fn transaction_does_not_retain_the_request_buffer() {
        let config = Genesis::dev().config;
        let tx = TxEip1559 {
            chain_id: config.chain_id,
            gas_limit: 21_000,
            max_fee_per_gas: 1,
            to: TxKind::Call(Address::ZERO),
            ..TxEip1559::default()
        };
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key");
        let signature = key.sign_hash_sync(&tx.signature_hash()).expect("signs");
        let raw = SignedTx::recover(tx.into_signed(signature).into()).encoded();
        let request = Bytes::from([vec![0; 1_000_000], raw.clone()].concat());
        let checked = check_stateless(&config, std::iter::once(request.slice(1_000_000..)));
        let [Ok(checked)] = &checked[..] else { panic!("{checked:?}") };
        assert_eq!(checked.raw, raw);
        assert!(!request.as_ptr_range().contains(&checked.raw.as_ptr()));
    }
}
