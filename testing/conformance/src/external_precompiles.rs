//! Runs blocks whose precompile calls the state view answers, as in the proof program.

use std::convert::Infallible;

use alloy_primitives::{Address, B256, U256};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockTransaction, ChainSpec, Executed, precompile_outcome,
};
use turnpike_state::{
    Account, Bytecode, FlatState, NodeState, PrecompileOutcome, StateView, StorageId,
};

use crate::compare::compare;

/// A state view that can answer precompile calls and notes whether it was asked to.
struct PrecompileView<'a> {
    state: &'a FlatState,
    answers: bool,
    was_asked: bool,
}

/// Runs a block. If the block calls a precompile that a view may answer, the block runs a second
/// time on a view that does; a different outcome is an error.
pub(crate) fn execute<T: BlockTransaction + Clone>(
    spec: &ChainSpec,
    context: &BlockContext,
    transactions: &[T],
    state: &NodeState,
) -> Result<Executed<T>, String> {
    let run = |view: &mut PrecompileView<'_>| {
        let mut block =
            BlockExecutor::open(spec, context, view).map_err(|error| error.to_string())?;
        block.execute_all(transactions.iter().cloned()).map_err(|error| error.to_string())?;
        Ok::<_, String>(block.finish().map_err(|error| error.to_string())?.0)
    };
    let mut view = PrecompileView { state: state.flat(), answers: false, was_asked: false };
    let mut executed = run(&mut view)?;
    if view.was_asked {
        view.answers = true;
        compare(run(&mut view)?, &mut executed)
            .map_err(|difference| format!("with answered precompiles: {difference}"))?;
    }
    Ok(executed)
}

impl StateView for PrecompileView<'_> {
    type Error = Infallible;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Infallible> {
        StateView::account(&mut self.state, address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Infallible> {
        StateView::storage(&mut self.state, address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        StateView::has_storage(&mut self.state, address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Infallible> {
        StateView::code(&mut self.state, hash)
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.was_asked = true;
        self.answers.then(|| precompile_outcome(address, input))?
    }
}
