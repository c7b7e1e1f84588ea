use alloc::vec::Vec;

use alloy_consensus::Transaction as _;
use alloy_eips::{eip4844, eip7594, eip7691, eip7702::SignedAuthorization};
use alloy_primitives::{Address, U256};
use revm::{
    Context, MainBuilder as _,
    bytecode::opcode,
    context::{BlockEnv, CfgEnv, Evm, TxEnv},
    context_interface::{
        block::BlobExcessGasAndPrice,
        cfg::gas::calculate_initial_tx_gas_for_tx,
        either::Either,
        transaction::{RecoveredAuthority, RecoveredAuthorization},
    },
    handler::{EthFrame, instructions::EthInstructions},
    interpreter::{Instruction, interpreter::EthInterpreter},
    primitives::{
        eip4844::{BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN, BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE},
        hardfork::SpecId,
    },
};
use turnpike_protocol::{EcrecoverInput, Header, TxEnvelope, recover_authority_with};
use turnpike_state::StateView;

use crate::{
    BlockHashes, ChainSpec, FeeRule,
    base::Base,
    block_state::BlockState,
    keccak::{self, KeccakContext},
    precompiles::BoundedPrecompiles,
    spec::{FORK, VAULTS},
};

pub(crate) type EvmContext<S> =
    Context<BlockEnv, TxEnv, CfgEnv, Base<S>, BlockState<S>, KeccakContext>;

pub(crate) type TurnpikeEvm<S> = Evm<
    EvmContext<S>,
    (),
    EthInstructions<EthInterpreter, EvmContext<S>>,
    BoundedPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// An EVM by a chain's rules, for the block with this header.
pub(crate) fn evm<S: StateView>(
    spec: &ChainSpec,
    header: &Header,
    hashes: BlockHashes,
    state: S,
) -> TurnpikeEvm<S> {
    let mut cfg = CfgEnv::new_with_spec(spec.fork).with_chain_id(spec.chain_id);
    if let Some(cap) = spec.transaction_gas_limit_max {
        cfg.tx_gas_limit_cap = Some(cap);
    }
    cfg.max_blobs_per_tx = Some(blobs_max(spec.fork));
    let base = Base::new(state, header.number, hashes);
    let mut context: EvmContext<S> = Context::new(base, spec.fork);
    if spec.fees == FeeRule::Vaults {
        context.journaled_state.set_credit_recipients(&VAULTS);
    }
    context.cfg = cfg;
    context.block = block_env(spec.fork, header);
    let mut evm = context.build_mainnet().with_precompiles(BoundedPrecompiles::new(spec));
    let remembering = Instruction::new(keccak::instruction::<EvmContext<S>>);
    evm.instruction.instruction_table_mut()[usize::from(opcode::KECCAK256)] = remembering;
    evm
}

/// The most blobs a transaction may carry: a block's, until a transaction had a limit of its own (EIP-7594).
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

/// Authorizations as revm takes them, each with the account that signed it.
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
    // Who signed an authorization makes no difference.
    let env = tx_env(tx, Address::ZERO, &mut |_| None);
    let gas = calculate_initial_tx_gas_for_tx(env, FORK, None);
    (gas.initial_total_gas(), gas.floor_gas())
}
