//! The EVM: revm with the chain's rules, precompiles and instructions.

use revm::{
    Context, MainBuilder as _,
    bytecode::opcode,
    context::{CfgEnv, Evm},
    handler::{EthFrame, instructions::EthInstructions},
    interpreter::{Instruction, interpreter::EthInterpreter},
};
use turnpike_protocol::Header;
use turnpike_state::StateView;

use crate::{
    BlockHashes, ChainSpec, FeeRule,
    base::Base,
    code_size,
    env::{blobs_max, block_env},
    evm_context::EvmContext,
    metered,
    precompiles::BoundedPrecompiles,
    spec::VAULTS,
    work::WorkMeter,
};

pub(crate) type TurnpikeEvm<S> = Evm<
    EvmContext<S>,
    (),
    EthInstructions<EthInterpreter, EvmContext<S>>,
    BoundedPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// An EVM with a chain's rules, for the block with this header.
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
    context.chain.meter = WorkMeter::new(spec.meters_work);
    context.cfg = cfg;
    context.block = block_env(spec.fork, header);
    let mut evm = context.build_mainnet().with_precompiles(BoundedPrecompiles::new(spec));
    let instructions = evm.instruction.instruction_table_mut();
    instructions[usize::from(opcode::KECCAK256)] =
        Instruction::new(metered::keccak256::<EvmContext<S>>);
    instructions[usize::from(opcode::EXTCODESIZE)] = Instruction::new(code_size::instruction::<S>);
    if spec.meters_work {
        metered::install(&mut evm.instruction);
    }
    evm
}
