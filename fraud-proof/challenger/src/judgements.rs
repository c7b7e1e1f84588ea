//! Verdicts on outputs: which are right, and which are not reported yet.
//!
//! # State
//!
//! Whether each judged output is right, by index, and a queue of verdicts to report. A reorg drops
//! the outputs that L1 has dropped. A fault of the parallel engine drops all verdicts, and the
//! reference executor judges again.

use std::collections::VecDeque;

use tracing::error;
use turnpike_l1::ProposedOutput;

use crate::{
    Event, Verdict, Verifier, chain::HonestChain, metrics::ChallengerMetrics, peer::Peer,
    peer_comparison::compare_with_peer,
};

/// Verdicts on outputs.
#[derive(Debug)]
pub(crate) struct Judgements {
    /// Whether each judged output is right, by index. The genesis output was compared with the
    /// contracts.
    is_right: Vec<bool>,
    /// Whether the parallel engine has never disagreed with the reference executor.
    trusts_engine: bool,
    peer: Option<Peer>,
    /// Judged outputs that are not reported yet.
    unreported: VecDeque<(ProposedOutput, Verdict)>,
}

impl Judgements {
    pub(crate) fn new(peer: Option<Peer>) -> Self {
        Self { is_right: vec![true], trusts_engine: true, peer, unreported: VecDeque::new() }
    }

    /// Whether an output is right; `None` if it is not judged.
    pub(crate) fn is_right(&self, output: u64) -> Option<bool> {
        self.is_right.get(usize::try_from(output).ok()?).copied()
    }

    /// Number of right and of wrong outputs, the genesis output excluded.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let right = self.is_right.iter().skip(1).filter(|is_right| **is_right).count() as u64;
        (right, self.is_right.len() as u64 - 1 - right)
    }

    /// Whether each of `outputs` outputs is judged.
    pub(crate) const fn has_judged(&self, outputs: usize) -> bool {
        self.is_right.len() >= outputs
    }

    /// Whether every verdict is reported.
    pub(crate) fn is_reported(&self) -> bool {
        self.unreported.is_empty()
    }

    /// Drops the verdicts on outputs from index `outputs` on.
    pub(crate) fn truncate(&mut self, outputs: u64) {
        self.is_right.truncate(usize::try_from(outputs).unwrap_or(usize::MAX));
        self.unreported.retain(|(output, _)| output.index < outputs);
    }

    /// Judges every output that is derived, in the order of the indexes.
    pub(crate) fn judge(&mut self, chain: &mut HonestChain, metrics: &ChallengerMetrics) {
        if chain.verifier().engine_fault().is_some() && self.trusts_engine {
            error!("judging all outputs again with the reference executor");
            self.trusts_engine = false;
            self.is_right.truncate(1);
            self.unreported.clear();
        }
        while let Some(output) = chain.view().outputs().get(self.is_right.len()).cloned() {
            let Some(verdict) = chain.verdict(&output) else { return };
            self.is_right.push(verdict == Verdict::Ok);
            if verdict != Verdict::Ok {
                metrics.outputs_wrong.increment(1);
            }
            self.unreported.push_back((output, verdict));
        }
    }

    /// Adds the peer's findings to the first verdict that waits for them.
    pub(crate) async fn ask_peer(&mut self, verifier: &Verifier) {
        if let (Some(peer), Some((_, Verdict::Wrong { divergence }))) =
            (&self.peer, self.unreported.front_mut())
        {
            compare_with_peer(peer, verifier, divergence).await;
        }
    }

    /// Reports verdicts up to the first that still waits for the peer's findings.
    pub(crate) fn report(&mut self, report: &mut impl FnMut(Event)) {
        let has_peer = self.peer.is_some();
        let is_ready = |(_, verdict): &mut (ProposedOutput, Verdict)| match verdict {
            Verdict::Wrong { divergence } => !has_peer || divergence.findings.is_some(),
            _ => true,
        };
        while let Some((output, verdict)) = self.unreported.pop_front_if(is_ready) {
            let ProposedOutput { index, entry, l2_block: block, .. } = output;
            report(Event::Output { index, entry, block, verdict });
        }
    }
}
