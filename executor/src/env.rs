//! Converts headers and transactions to revm's environments.

use alloc::vec::Vec;

use alloy_consensus::Transaction as _;
use alloy_eips::{eip4844, eip7594, eip7691, eip7702::SignedAuthorization};
use alloy_primitives::{Address, U256};
use revm::{
    context::{BlockEnv, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        cfg::gas::calculate_initial_tx_gas_for_tx,
        either::Either,
        transaction::{RecoveredAuthority, RecoveredAuthorization},
    },
    primitives::{
        eip4844::{BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN, BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE},
        hardfork::SpecId,
    },
};
use turnpike_protocol::{EcrecoverInput, Header, TxEnvelope, recover_authority_with};

use crate::spec::FORK;

/// Maximum blobs per transaction. Before EIP-7594 that was the maximum per block.
pub(crate) const fn blobs_max(fork: SpecId) -> u64 {
    if fork.is_enabled_in(SpecId::OSAKA) {
        eip7594::MAX_BLOBS_PER_TX_FUSAKA
    } else if fork.is_enabled_in(SpecId::PRAGUE) {
        eip7691::MAX_BLOBS_PER_BLOCK_ELECTRA
    } else {
        eip4844::MAX_BLOBS_PER_BLOCK_DENCUN as u64
    }
}

pub(crate) fn block_env(fork: SpecId, header: &Header) -> BlockEnv {
    let fraction = if fork.is_enabled_in(SpecId::PRAGUE) {
        BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
    } else {
        BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN
    };
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: header.difficulty,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new(
            header.excess_blob_gas.unwrap_or_default(),
            fraction,
        )),
        ..BlockEnv::default()
    }
}

/// Authorizations as revm takes them, each with its recovered signer.
pub(crate) fn recovered(
    authorizations: &[SignedAuthorization],
    recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
) -> Vec<Either<SignedAuthorization, RecoveredAuthorization>> {
    let recover = |signed: &SignedAuthorization| {
        let authority = recover_authority_with(signed, recover)
            .map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
        Either::Right(RecoveredAuthorization::new_unchecked(signed.inner().clone(), authority))
    };
    authorizations.iter().map(recover).collect()
}

/// A transaction as revm takes it.
pub(crate) fn tx_env(
    tx: &TxEnvelope,
    caller: Address,
    recover: &mut impl FnMut(&EcrecoverInput) -> Option<Address>,
) -> TxEnv {
    let authorization_list = recovered(tx.authorization_list().unwrap_or_default(), recover);
    TxEnv {
        tx_type: match tx {
            // For revm a deposit is a legacy transaction without a price. The handler applies the
            // rules of deposits.
            TxEnvelope::Deposit(_) => 0,
            _ => tx.tx_type().into(),
        },
        caller,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        authorization_list,
        ..TxEnv::default()
    }
}

/// Minimum gas limit of a transaction: intrinsic gas, and the calldata floor (EIP-7623).
pub fn intrinsic_gas(tx: &TxEnvelope) -> (u64, u64) {
    // The signer of an authorization does not change the gas.
    let env = tx_env(tx, Address::ZERO, &mut |_| None);
    let gas = calculate_initial_tx_gas_for_tx(env, FORK, None);
    (gas.initial_total_gas(), gas.floor_gas())
}
