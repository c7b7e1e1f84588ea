//! Reads a block between its slices.

use std::convert::Infallible;

use alloy_primitives::{Address, B256};
use revm::state::Bytecode;
use turnpike_state::{Account, StateView};

use super::block::EngineBlock;
use crate::{BlockTransaction, SliceOutcome, receipts};

impl<S> EngineBlock<'_, S>
where
    S: StateView + Copy + Send + Sync,
{
    /// Takes the transactions executed since the last call, in order and with complete receipts,
    /// and the skipped ones. The block still holds them. In shadow mode this is the reference
    /// executor's outcome.
    pub fn take_executed(&mut self) -> SliceOutcome {
        let ours = self.main.take_transactions();
        let (transactions, skipped) = match &mut self.reference {
            None => (ours, self.main.skipped()),
            Some(reference) => {
                let expected = reference.take_transactions();
                self.matches_reference &= expected.is_same(&ours);
                (expected, reference.skipped())
            }
        };
        let first = self.completed.len();
        let base_fee = self.context.header.base_fee_per_gas;
        receipts::complete_on(self.engine.pool(), &mut self.completed, transactions, base_fee);
        let skipped = skipped[self.skipped_reported..].to_vec();
        self.skipped_reported += skipped.len();
        SliceOutcome { executed: self.completed[first..].to_vec(), skipped }
    }
}

impl<S, T> EngineBlock<'_, S, T>
where
    S: StateView<Error = Infallible> + Copy + Send + Sync,
    T: BlockTransaction,
{
    /// An account after the block's transactions so far. After a slice that ran in lanes, the cost
    /// of the first call grows with the number of accounts that the slice changed. Later calls only
    /// search a map.
    pub fn account(&mut self, address: &Address) -> Option<Account> {
        let Ok(found) = match &mut self.reference {
            Some(reference) => {
                reference.runner.evm.ctx.journaled_state.account_so_far(address, None)
            }
            None => {
                let lane = self.pending.lane_of(address);
                self.main.runner.evm.ctx.journaled_state.account_so_far(address, lane)
            }
        };
        found
    }

    /// The code with this hash. It must be the code of an account after the block's transactions so
    /// far.
    pub fn code(&self, hash: &B256) -> Bytecode {
        let block = self.reference.as_ref().unwrap_or(&self.main);
        let found = self.pending.lanes().iter().find_map(|lane| lane.code(hash));
        match found.or_else(|| block.runner.evm.ctx.journaled_state.new_code(hash)) {
            Some(code) => code.clone(),
            None => {
                let Ok(code) = { self.state }.code(hash);
                code
            }
        }
    }
}
