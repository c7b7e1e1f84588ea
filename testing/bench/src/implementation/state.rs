//! The baseline that executes as reth does: revm over `State`.

use std::hint::black_box;

use revm::{
    MainnetEvm,
    database::{
        BundleState, CacheDB, EmptyDB, State, WrapDatabaseRef,
        states::bundle_state::BundleRetention,
    },
    handler::MainnetContext,
};

use super::{BlockRun, Implementation, Prepared, run_each};
use crate::{
    clock::Clock,
    outcome::{Outcome, WrittenAccount},
};

/// revm over `State`, which collects the block's changes and reverts, on an in-memory database, as
/// in reth.
#[derive(Debug)]
pub(crate) struct RevmState<'a, T> {
    blocks: &'a [Prepared<'a, T>],
}

type OverMemory<'a> = State<WrapDatabaseRef<&'a CacheDB<EmptyDB>>>;

impl<'a, T> RevmState<'a, T> {
    pub(crate) const fn new(blocks: &'a [Prepared<'a, T>]) -> Self {
        Self { blocks }
    }
}

fn evm<'a, T>(prepared: &'a Prepared<'_, T>) -> MainnetEvm<MainnetContext<OverMemory<'a>>> {
    let state = State::builder().with_database_ref(&prepared.db).with_bundle_update();
    prepared.block.terms.evm(state.build())
}

fn bundle(state: &mut OverMemory<'_>) -> BundleState {
    state.merge_transitions(BundleRetention::Reverts);
    state.take_bundle()
}

impl<T> Implementation for RevmState<'_, T> {
    fn name(&self) -> &'static str {
        "revm-state"
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn run(&mut self, block: usize) -> anyhow::Result<BlockRun> {
        let prepared = &self.blocks[block];
        let mut run = BlockRun::default();
        let envs = prepared.envs.clone();
        let clock = Clock::start();
        let mut evm = evm(prepared);
        run_each(&mut evm, prepared.deposits, envs, |result| run.count(&result))?;
        let bundle = bundle(&mut evm.ctx.journaled_state.database);
        run.time = clock.stop();
        black_box(bundle);
        Ok(run)
    }

    fn outcome(&mut self, block: usize) -> anyhow::Result<Outcome> {
        let prepared = &self.blocks[block];
        let mut transactions = Vec::new();
        let (mut evm, envs) = (evm(prepared), prepared.envs.clone());
        run_each(&mut evm, prepared.deposits, envs, |result| transactions.push(result.into()))?;
        let bundle = bundle(&mut evm.ctx.journaled_state.database);
        let written = bundle.state.into_iter().map(|(address, account)| {
            let storage_cleared = account.was_destroyed();
            let slots = account.storage.into_iter();
            let info = account.info.unwrap_or_default();
            let written = WrittenAccount {
                nonce: info.nonce,
                balance: info.balance,
                code_hash: info.code_hash,
                storage_cleared,
                storage: slots.map(|(slot, value)| (slot, value.present_value)).collect(),
            };
            (address, written)
        });
        Ok(Outcome::new(prepared.block, transactions, written))
    }
}
