//! The context in which revm executes a block's transactions.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, keccak256};
use revm::{
    Context,
    context::{BlockEnv, CfgEnv, TxEnv},
};

use crate::{
    base::Base,
    block_state::BlockState,
    keccak::{INPUT_BYTES, KeccakMemo},
    work::{Metered, WorkMeter},
};

pub(crate) type EvmContext<S> =
    Context<BlockEnv, TxEnv, CfgEnv, Base<S>, BlockState<S>, InstructionState>;

/// The state of instructions besides revm's own context.
#[derive(Debug, Default)]
pub(crate) struct InstructionState {
    pub(crate) memo: KeccakMemo,
    /// Inputs hashed since observation began, each with the contract that hashed it.
    pub(crate) watched: Option<Vec<(Address, [u8; INPUT_BYTES])>>,
    pub(crate) meter: WorkMeter,
}

/// Maximum number of inputs observed per transaction.
const WATCHED_MAX: usize = 64;

impl Metered for InstructionState {
    fn meter(&mut self) -> &mut WorkMeter {
        &mut self.meter
    }

    fn keccak256(&mut self, contract: Address, input: &[u8]) -> B256 {
        let Ok(input) = <&[u8; INPUT_BYTES]>::try_from(input) else { return keccak256(input) };
        if let Some(watched) = &mut self.watched
            && watched.len() < WATCHED_MAX
        {
            watched.push((contract, *input));
        }
        self.memo.hash(input)
    }
}
