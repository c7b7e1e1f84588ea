//! Runs on the state before a wave, of transactions about which too little is known.
//!
//! Such a run tells what its transaction will touch, unless one before it changes what it looks at; what it did is
//! learned; and if nothing that it looked at was changed when its turn comes, it is what comes of the transaction.

use alloy_primitives::{
    Address,
    map::{DefaultHashBuilder, HashMap},
};
use turnpike_state::StateView;

use super::run::Worker;
use crate::{
    BlockTransaction,
    journal::LaneState,
    profile::{Call, Observed, Profiles, Seen, Touch},
    runner::{Ran, Stop},
};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Speculation {
    /// The transaction, by its place in the slice.
    pub(crate) tx: u32,
    /// What it came to, if it was valid.
    pub(crate) ran: Option<Ran>,
    /// What it looked at and changed.
    pub(crate) state: LaneState,
    seen: Vec<Seen>,
}

/// Runs of a kind of call that are enough to know it.
const SAMPLES: usize = 4;

impl<S: StateView + Copy> Worker<'_, S> {
    /// Runs a transaction by itself.
    pub(super) fn speculate<T: BlockTransaction>(
        &mut self,
        tx: u32,
        transaction: &T,
    ) -> Speculation {
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
        Speculation { tx, ran: ran.ok(), state, seen }
    }
}

impl Speculation {
    /// Has others learn from it, if it succeeded.
    pub(crate) fn teach(
        &self,
        call: Call<'_>,
        profiles: &mut Profiles,
        has_code: impl Fn(&Address) -> bool,
    ) {
        let Some(ran) = self.ran.as_ref().filter(|ran| ran.is_success) else { return };
        let touches: Vec<Touch> = self.state.touches().collect();
        let observed = Observed { touches: &touches, seen: &self.seen, gas_used: ran.gas_used };
        profiles.learn(call, &observed, has_code);
    }
}

/// Those of some transactions from which the others of their kind can be known: a few of each kind.
pub(super) fn samples<T: BlockTransaction>(
    transactions: &[T],
    unknown: impl Iterator<Item = u32>,
    has_code: impl Fn(&Address) -> bool,
) -> Vec<u32> {
    let hasher = DefaultHashBuilder::default();
    let mut counts = HashMap::<u64, usize>::default();
    let is_sample = |tx: &u32| {
        let transaction = &transactions[*tx as usize];
        let Some(call) = call(transaction) else { return true };
        let count = counts.entry(call.kind(&hasher, &has_code)).or_default();
        *count += 1;
        *count <= SAMPLES
    };
    unknown.filter(is_sample).collect()
}

/// A transaction as far as functions are learned from it.
pub(super) fn call<T: BlockTransaction>(tx: &T) -> Option<Call<'_>> {
    let (to, data) = tx.call()?;
    Some(Call { caller: tx.sender().ok()?, to, data })
}
