use alloc::vec::Vec;

use alloy_consensus::Transaction as _;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, U256};
use revm::{
    Context, Journal, MainBuilder as _,
    context::{BlockEnv, CfgEnv, Evm, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        cfg::gas::calculate_initial_tx_gas_for_tx,
        either::Either,
        transaction::{RecoveredAuthority, RecoveredAuthorization},
    },
    handler::{EthFrame, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
    primitives::hardfork::SpecId,
};
use turnpike_protocol::{ChainConfig, Header, TxEnvelope, recover_authority};
use turnpike_state::StateView;

use crate::{overlay::Overlay, precompiles::BoundedPrecompiles};

/// The hard fork in force from genesis on.
const SPEC: SpecId = SpecId::OSAKA;

pub(crate) type EvmContext<S> = Context<BlockEnv, TxEnv, CfgEnv, Overlay<S>, Journal<Overlay<S>>>;

pub(crate) type TurnpikeEvm<S> = Evm<
    EvmContext<S>,
    (),
    EthInstructions<EthInterpreter, EvmContext<S>>,
    BoundedPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// An EVM by the chain's rules, for the block with this header.
pub(crate) fn evm<S: StateView>(config: &ChainConfig, header: &Header, state: S) -> TurnpikeEvm<S> {
    let mut cfg = CfgEnv::new_with_spec(SPEC).with_chain_id(config.chain_id);
    cfg.tx_gas_limit_cap = Some(config.transaction_gas_limit_max());
    let context: EvmContext<S> = Context::new(Overlay::new(state), SPEC);
    context
        .with_cfg(cfg)
        .with_block(block_env(header))
        .build_mainnet()
        .with_precompiles(BoundedPrecompiles::new(config, SPEC))
}

fn block_env(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: U256::ZERO,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: 1,
        }),
        ..BlockEnv::default()
    }
}

/// Authorizations as revm takes them, each with the account that signed it.
pub(crate) fn recovered(
    authorizations: &[SignedAuthorization],
) -> Vec<Either<SignedAuthorization, RecoveredAuthorization>> {
    let recover = |signed: &SignedAuthorization| {
        let authority = recover_authority(signed)
            .map_or(RecoveredAuthority::Invalid, RecoveredAuthority::Valid);
        Either::Right(RecoveredAuthorization::new_unchecked(signed.inner().clone(), authority))
    };
    authorizations.iter().map(recover).collect()
}

/// A transaction as revm takes it.
pub(crate) fn tx_env(tx: &TxEnvelope, caller: Address) -> TxEnv {
    let authorization_list = recovered(tx.authorization_list().unwrap_or_default());
    TxEnv {
        tx_type: match tx {
            // To revm a deposit is a plain transaction without a price; the handler makes the difference.
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

/// The least gas limit a transaction may have: its intrinsic gas, and the floor that its calldata sets (EIP-7623).
pub fn intrinsic_gas(tx: &TxEnvelope) -> (u64, u64) {
    let gas = calculate_initial_tx_gas_for_tx(tx_env(tx, Address::ZERO), SPEC, None);
    (gas.initial_total_gas(), gas.floor_gas())
}
