//! Speculative runs of single transactions, on the state before a wave.
//!
//! A run serves three purposes. It predicts the accesses of its transaction, and profiles learn
//! from it. If no key that it accessed has changed when the transaction's turn comes, its outcome
//! becomes the transaction's outcome.

use std::time::Duration;

use alloy_primitives::Address;
use turnpike_state::StateView;

use crate::{
    ExecutionError,
    block_state::LaneState,
    profile::{Call, HashedInput, ObservedRun, Profiles, Touch},
    runner::{Runner, TxOutcome},
};

/// A speculative run.
#[derive(Debug)]
pub(crate) struct Speculation {
    /// The transaction's position in the slice.
    pub(crate) tx: u32,
    /// The outcome, if the transaction was valid and the run is still current.
    pub(super) ran: Option<TxOutcome>,
    /// Execution time.
    pub(crate) time: Duration,
    /// Gas used.
    pub(crate) gas_used: Option<u64>,
    /// Keys that the run accessed and changed.
    pub(crate) state: LaneState,
    pub(super) seen: Vec<HashedInput>,
}

impl Speculation {
    /// Uses this run as the transaction's outcome, if no key that it accessed has changed in the
    /// block state since. `beneficiary` is the account that receives all fees directly, if there is
    /// one.
    pub(crate) fn adopt<S: StateView>(
        &self,
        runner: &mut Runner<S>,
        beneficiary: Option<Address>,
    ) -> Result<Option<TxOutcome>, ExecutionError<S::Error>> {
        let Some(ran) = &self.ran else { return Ok(None) };
        let adopted = runner.evm.ctx.journaled_state.adopt(&self.state, beneficiary)?;
        Ok(adopted.then(|| ran.clone()))
    }

    /// Whether the run's outcome may still be used.
    pub(crate) const fn is_current(&self) -> bool {
        self.ran.is_some()
    }

    /// The run after `gone` earlier transactions were executed. It still predicts accesses, but its
    /// outcome is void.
    pub(crate) fn outdated(self, gone: u32) -> Option<Self> {
        Some(Self { tx: self.tx.checked_sub(gone)?, ran: None, ..self })
    }

    /// Teaches the profiles, if the run succeeded.
    pub(crate) fn teach(
        &self,
        call: Call<'_>,
        profiles: &mut Profiles,
        has_code: impl Fn(&Address) -> bool,
    ) {
        let Some(ran) = self.ran.as_ref().filter(|ran| ran.is_success) else { return };
        if !profiles.should_learn(call, &has_code) {
            return;
        }
        let touches: Vec<Touch> = self.state.touches().collect();
        let observed = ObservedRun { touches: &touches, seen: &self.seen, gas_used: ran.gas_used };
        profiles.learn(call, &observed, has_code);
    }
}

/// The run of a transaction. `speculations` is sorted by transaction.
pub(super) fn find_speculation(speculations: &[Speculation], tx: u32) -> Option<&Speculation> {
    let at = speculations.binary_search_by_key(&tx, |speculation| speculation.tx).ok()?;
    Some(&speculations[at])
}
