//! The context in which revm executes a block's transactions.

use revm::{
    Context,
    context::{BlockEnv, CfgEnv, TxEnv},
};

use crate::{base::Base, block_state::BlockState, keccak::KeccakContext};

pub(crate) type EvmContext<S> =
    Context<BlockEnv, TxEnv, CfgEnv, Base<S>, BlockState<S>, KeccakContext>;
