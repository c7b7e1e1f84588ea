use std::hint::black_box;

use revm::{
    context::TxEnv,
    database::{
        BundleState, CacheDB, EmptyDB, State, WrapDatabaseRef,
        states::bundle_state::BundleRetention,
    },
    handler::MainnetContext,
};

use super::{Implementation, Round, envs, run_each};
use crate::{
    Workload,
    clock::Clock,
    outcome::{Changed, Outcome},
    terms::Terms,
};

/// revm's `State`, which collects what the block changes and what it takes to undo it, over a database in memory: how
/// reth executes.
pub(crate) struct RevmState<'a> {
    terms: &'a Terms,
    workload: &'a Workload,
    db: CacheDB<EmptyDB>,
    envs: Vec<TxEnv>,
}

type OverMemory<'a> = State<WrapDatabaseRef<&'a CacheDB<EmptyDB>>>;

impl<'a> RevmState<'a> {
    pub(crate) fn new(terms: &'a Terms, workload: &'a Workload) -> Self {
        Self { terms, workload, db: workload.world.cache_db(), envs: envs(terms, workload) }
    }

    fn evm(&self) -> revm::MainnetEvm<MainnetContext<OverMemory<'_>>> {
        let state = State::builder().with_database_ref(&self.db).with_bundle_update();
        self.terms.evm(state.build())
    }
}

fn bundle(state: &mut OverMemory<'_>) -> BundleState {
    state.merge_transitions(BundleRetention::Reverts);
    state.take_bundle()
}

impl Implementation for RevmState<'_> {
    fn name(&self) -> &'static str {
        "revm-state"
    }

    fn is_baseline(&self) -> bool {
        true
    }

    fn round(&mut self) -> anyhow::Result<Round> {
        let mut round = Round::default();
        let (mut evm, envs) = (self.evm(), self.envs.clone());
        let clock = Clock::start();
        run_each(&mut evm, envs, |result| round.count(&result))?;
        let bundle = bundle(&mut evm.ctx.journaled_state.database);
        round.time = clock.stop();
        black_box(bundle);
        Ok(round)
    }

    fn outcome(&mut self) -> anyhow::Result<Outcome> {
        let mut transactions = Vec::new();
        let mut evm = self.evm();
        run_each(&mut evm, self.envs.clone(), |result| transactions.push(result.into()))?;
        let bundle = bundle(&mut evm.ctx.journaled_state.database);
        let written = bundle.state.into_iter().map(|(address, account)| {
            let slots = account.storage.into_iter();
            let storage = slots.map(|(slot, value)| (slot, value.present_value)).collect();
            let info = account.info.unwrap_or_default();
            (address, Changed { nonce: info.nonce, balance: info.balance, storage })
        });
        Ok(Outcome::new(&self.workload.world, transactions, written))
    }
}
