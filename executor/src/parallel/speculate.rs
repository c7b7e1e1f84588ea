//! Runs on the state before a wave, of transactions about which too little is known.
//!
//! Such a run tells what its transaction will touch, unless one before it changes what it looks at; what it did is
//! learned; and if nothing that it looked at was changed when its turn comes, it is what comes of the transaction.

use std::time::{Duration, Instant};

use alloy_primitives::{
    Address,
    map::{DefaultHashBuilder, HashMap},
};
use turnpike_state::StateView;

use super::run::Worker;
use crate::{
    BlockTransaction, ExecutionError,
    block_state::LaneState,
    profile::{Call, Key, Observed, Profiles, Seen, Touch},
    runner::{Ran, Runner, Stop},
};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Speculation {
    /// The transaction, by its place in the slice.
    pub(crate) tx: u32,
    /// What it came to, if it was valid and the state has not moved on.
    ran: Option<Ran>,
    /// What running it took.
    pub(crate) time: Duration,
    /// Gas that it used.
    pub(crate) gas_used: Option<u64>,
    /// What it looked at and changed.
    pub(crate) state: LaneState,
    seen: Vec<Seen>,
}

/// Transactions of a kind that run to know the others.
const SAMPLES: usize = 4;

impl<S: StateView + Copy> Worker<'_, S> {
    /// Runs a transaction by itself.
    pub(super) fn speculate<T: BlockTransaction>(
        &mut self,
        tx: u32,
        transaction: &T,
    ) -> Speculation {
        let start = Instant::now();
        let runner = &mut self.runner;
        runner.evm.ctx.journaled_state.next_lane(Default::default());
        runner.evm.ctx.chain.watched = Some(Vec::new());
        let mut ran =
            runner.run(transaction, u64::MAX).map_err(|stop| matches!(stop, Stop::Skip(_)));
        if matches!(ran, Err(true)) {
            // Its turn may make it valid: if what is missing is a nonce, it can be told what it will touch.
            runner.evm.ctx.cfg.disable_nonce_check = true;
            let again = runner.run(transaction, u64::MAX);
            runner.evm.ctx.cfg.disable_nonce_check = false;
            drop(again);
            ran = Err(true);
        }
        let seen = runner.evm.ctx.chain.watched.take().unwrap_or_default();
        let state = runner.evm.ctx.journaled_state.next_lane(Default::default());
        let ran = ran.ok();
        let gas_used = ran.as_ref().map(|ran| ran.gas_used);
        Speculation { tx, ran, time: start.elapsed(), gas_used, state, seen }
    }
}

impl Speculation {
    /// Takes what came of the transaction for what comes of it now, if nothing that it looked at has changed since in the
    /// block state that it runs in. Where fees go to a single account at once, that is the `beneficiary`.
    pub(crate) fn adopt<S: StateView>(
        &self,
        runner: &mut Runner<S>,
        beneficiary: Option<Address>,
    ) -> Result<Option<Ran>, ExecutionError<S::Error>> {
        let Some(ran) = &self.ran else { return Ok(None) };
        let adopted = runner.evm.ctx.journaled_state.adopt(&self.state, beneficiary)?;
        Ok(adopted.then(|| ran.clone()))
    }

    /// Whether it may be what comes of the transaction.
    pub(crate) const fn is_current(&self) -> bool {
        self.ran.is_some()
    }

    /// The run of a transaction of which `gone` others before it are done: on a state that has moved on, so that it still
    /// tells what the transaction touches, and no longer what comes of it.
    pub(crate) fn outdated(self, gone: u32) -> Option<Self> {
        Some(Self { tx: self.tx.checked_sub(gone)?, ran: None, ..self })
    }

    /// Has others learn from it, if it succeeded.
    pub(crate) fn teach(
        &self,
        call: Call<'_>,
        profiles: &mut Profiles,
        has_code: impl Fn(&Address) -> bool,
    ) {
        let Some(ran) = self.ran.as_ref().filter(|ran| ran.is_success) else { return };
        if !profiles.is_curious(call, &has_code) {
            return;
        }
        let touches: Vec<Touch> = self.state.touches().collect();
        let observed = Observed { touches: &touches, seen: &self.seen, gas_used: ran.gas_used };
        profiles.learn(call, &observed, has_code);
    }
}

/// Transactions about which too little is known, by the kind of call they are.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    kinds: HashMap<u64, Kind>,
    kind_of: HashMap<u32, u64>,
}

#[derive(Debug, Default)]
struct Kind {
    /// The first few transactions.
    samples: Vec<u32>,
    /// What each of them changed, its sender's account apart.
    guard: Vec<Key>,
}

impl Kinds {
    pub(super) fn new<T: BlockTransaction>(
        transactions: &[T],
        unknown: impl Iterator<Item = u32>,
        has_code: impl Fn(&Address) -> bool,
    ) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut all = Self::default();
        for tx in unknown {
            let Some(call) = Call::of(&transactions[tx as usize]) else { continue };
            let kind = call.kind(&hasher, &has_code);
            let Kind { samples, .. } = all.kinds.entry(kind).or_default();
            if samples.len() < SAMPLES {
                samples.push(tx);
            }
            all.kind_of.insert(tx, kind);
        }
        all
    }

    /// Transactions from which the others of their kinds can be known.
    pub(super) fn samples(&self) -> Vec<u32> {
        let mut all: Vec<u32> =
            self.kinds.values().flat_map(|kind| kind.samples.iter().copied()).collect();
        // The same in every run.
        all.sort_unstable();
        all
    }

    /// Finds out what transactions of a kind change in any case, from how the samples ran.
    pub(super) fn find_guards<'s>(&mut self, speculation: impl Fn(u32) -> Option<&'s Speculation>) {
        for Kind { samples, guard } in self.kinds.values_mut().filter(|kind| kind.samples.len() > 1)
        {
            let written = |tx: &u32| -> Vec<Key> {
                let touches = speculation(*tx).into_iter().flat_map(|run| run.state.touches());
                let mut keys: Vec<Key> =
                    touches.filter(|touch| touch.written).map(|touch| touch.key).collect();
                keys.sort_unstable();
                keys
            };
            let [first, others @ ..] = samples.as_slice() else { continue };
            *guard = written(first);
            for other in others {
                let written = written(other);
                guard.retain(|key| written.binary_search(key).is_ok());
            }
            guard.truncate(GUARD_KEYS_MAX);
        }
    }

    /// What a transaction changes in any case, if its kind is known so well.
    pub(super) fn guard(&self, tx: u32) -> &[Key] {
        let kind = self.kind_of.get(&tx).and_then(|kind| self.kinds.get(kind));
        kind.map_or(&[], |kind| &kind.guard)
    }
}

/// Keys by which transactions of a kind are kept together, at most.
const GUARD_KEYS_MAX: usize = 8;
