//! Runs of single transactions ahead of their turn, on the state before a wave.
//!
//! Such a run tells what its transaction will touch, unless one before it changes what it looks at; what it did is
//! learned; and if nothing that it looked at was changed when its turn comes, it is what comes of the transaction.

use std::time::Duration;

use alloy_primitives::Address;
use turnpike_state::StateView;

use crate::{
    ExecutionError,
    block_state::LaneState,
    profile::{Call, HashedInput, ObservedRun, Profiles, Touch},
    runner::{Runner, TxOutcome},
};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Speculation {
    /// The transaction, by its place in the slice.
    pub(crate) tx: u32,
    /// What it came to, if it was valid and the state has not moved on.
    pub(super) ran: Option<TxOutcome>,
    /// What running it took.
    pub(crate) time: Duration,
    /// Gas that it used.
    pub(crate) gas_used: Option<u64>,
    /// What it looked at and changed.
    pub(crate) state: LaneState,
    pub(super) seen: Vec<HashedInput>,
}

impl Speculation {
    /// Takes what came of the transaction for what comes of it now, if nothing that it looked at has changed since in the
    /// block state that it runs in. Where fees go to a single account at once, that is the `beneficiary`.
    pub(crate) fn adopt<S: StateView>(
        &self,
        runner: &mut Runner<S>,
        beneficiary: Option<Address>,
    ) -> Result<Option<TxOutcome>, ExecutionError<S::Error>> {
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
        let observed = ObservedRun { touches: &touches, seen: &self.seen, gas_used: ran.gas_used };
        profiles.learn(call, &observed, has_code);
    }
}

/// The run of a transaction among those of others, which are in the order of their transactions.
pub(super) fn find_speculation(speculations: &[Speculation], tx: u32) -> Option<&Speculation> {
    let at = speculations.binary_search_by_key(&tx, |speculation| speculation.tx).ok()?;
    Some(&speculations[at])
}
