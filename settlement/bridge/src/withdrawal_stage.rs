//! Stages of withdrawals, computed from facts on L1: pure.

use alloy_primitives::B256;
use serde::Serialize;

use crate::BridgeError;

/// Stage of a withdrawal, named as in viem, with an estimate in seconds of L1 where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "stage")]
pub enum WithdrawalStage {
    /// No undisputed output covers its block. Next: a proposer proposes one.
    WaitingToProve {
        /// Estimated seconds until the next output.
        estimated_seconds: Option<u64>,
    },
    /// Next: `prove`.
    ReadyToProve {
        /// The output to prove it on.
        output: u64,
    },
    /// It is proven. Next: the proof has to be as old as a challenge window, and the output's own
    /// window over.
    WaitingToFinalize {
        /// The output it is proven on.
        output: u64,
        /// Seconds until it can be finalized.
        estimated_seconds: u64,
    },
    /// Next: `finalize`.
    ReadyToFinalize {
        /// The output it is proven on.
        output: u64,
    },
    /// Done: L1 has made the call.
    Finalized,
}

/// The facts of an output that withdrawals depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFacts {
    /// Its index.
    pub index: u64,
    /// Its last L2 block.
    pub l2_block: u64,
    /// L1 time of the proposal, in seconds.
    pub proposed_at: u64,
    /// Whether neither it nor any of its ancestors is challenged or rejected.
    pub stands: bool,
    /// Whether it is final.
    pub is_final: bool,
}

/// A withdrawal's proof on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenFacts {
    /// The output that it was made on, with its present state.
    pub output: OutputFacts,
    /// L1 time at which it was made, in seconds.
    pub at: u64,
}

/// The facts that determine a withdrawal's stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalFacts {
    /// Hash of the withdrawal.
    pub withdrawal: B256,
    /// L1 time, in seconds.
    pub now: u64,
    /// L2 block that holds it.
    pub l2_block: u64,
    /// The newest final output and all after it, by index.
    pub outputs: Vec<OutputFacts>,
    /// Its proof on L1.
    pub proven: Option<ProvenFacts>,
    /// Whether L1 has made its call.
    pub is_finalized: bool,
    /// Seconds in which an output may be challenged.
    pub challenge_window: u64,
}

impl WithdrawalFacts {
    /// The withdrawal's stage.
    pub fn stage(&self) -> WithdrawalStage {
        if self.is_finalized {
            return WithdrawalStage::Finalized;
        }
        // A proof on a challenged or rejected output is void: it can be made again. It is valid
        // again once the challenge has failed.
        if let Some(ProvenFacts { output, at }) = self.proven.filter(|it| it.output.stands) {
            let estimated_seconds = self.seconds_to_mature(&output, at);
            let output = output.index;
            return match estimated_seconds {
                0 => WithdrawalStage::ReadyToFinalize { output },
                _ => WithdrawalStage::WaitingToFinalize { output, estimated_seconds },
            };
        }
        match self.provable_on().next() {
            Some(output) => WithdrawalStage::ReadyToProve { output: output.index },
            // The challenge of the output that covers it takes an unknown time.
            None if self.outputs.iter().any(|output| output.l2_block >= self.l2_block) => {
                WithdrawalStage::WaitingToProve { estimated_seconds: None }
            }
            None => WithdrawalStage::WaitingToProve {
                estimated_seconds: seconds_to_next_output(self.now, &self.outputs),
            },
        }
    }

    /// Checks that it can be proven, or is proven already.
    pub fn check_prove(&self) -> Result<(), BridgeError> {
        match self.stage() {
            WithdrawalStage::Finalized => Err(BridgeError::AlreadyFinalized(self.withdrawal)),
            WithdrawalStage::WaitingToProve { estimated_seconds } => {
                Err(BridgeError::NotYetProvable { block: self.l2_block, estimated_seconds })
            }
            WithdrawalStage::ReadyToProve { .. }
            | WithdrawalStage::WaitingToFinalize { .. }
            | WithdrawalStage::ReadyToFinalize { .. } => Ok(()),
        }
    }

    /// Checks that it can be finalized.
    pub fn check_finalize(&self) -> Result<(), BridgeError> {
        match self.stage() {
            WithdrawalStage::Finalized => Err(BridgeError::AlreadyFinalized(self.withdrawal)),
            WithdrawalStage::WaitingToProve { .. } | WithdrawalStage::ReadyToProve { .. } => {
                Err(BridgeError::NotProven(self.withdrawal))
            }
            WithdrawalStage::WaitingToFinalize { output, estimated_seconds: seconds } => {
                Err(BridgeError::NotYetFinal { output, seconds })
            }
            WithdrawalStage::ReadyToFinalize { .. } => Ok(()),
        }
    }

    /// The outputs that it can be proven on, in the order in which they become final.
    pub(crate) fn provable_on(&self) -> impl Iterator<Item = &OutputFacts> {
        self.outputs.iter().filter(|output| output.stands && output.l2_block >= self.l2_block)
    }

    /// Seconds of L1 until the call can be made if nothing is challenged: until there is an output
    /// to prove it on, and until that is final.
    pub fn seconds_to_finalize(&self) -> Option<u64> {
        match self.stage() {
            WithdrawalStage::Finalized | WithdrawalStage::ReadyToFinalize { .. } => Some(0),
            WithdrawalStage::WaitingToFinalize { estimated_seconds, .. } => Some(estimated_seconds),
            WithdrawalStage::ReadyToProve { .. } => {
                self.provable_on().next().map(|output| self.seconds_to_mature(output, self.now))
            }
            WithdrawalStage::WaitingToProve { estimated_seconds } => {
                estimated_seconds.map(|seconds| seconds.saturating_add(self.challenge_window))
            }
        }
    }

    /// Seconds until a proof made on `output` at `proven_at` is old enough and the output can be
    /// final. The windows of its ancestors end earlier.
    fn seconds_to_mature(&self, output: &OutputFacts, proven_at: u64) -> u64 {
        let since = if output.is_final { proven_at } else { proven_at.max(output.proposed_at) };
        since.saturating_add(self.challenge_window).saturating_sub(self.now)
    }
}

/// Estimated seconds until the next output: the shortest interval between outputs, counted from the
/// last one. Longer intervals may be quiet times.
fn seconds_to_next_output(now: u64, outputs: &[OutputFacts]) -> Option<u64> {
    let mut times = outputs.iter().map(|output| output.proposed_at);
    let distances = times.clone().zip(times.clone().skip(1));
    let interval = distances.map(|(earlier, later)| later.saturating_sub(earlier)).min()?;
    Some(times.next_back()?.saturating_add(interval).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 20;

    const fn output(index: u64, proposed_at: u64) -> OutputFacts {
        OutputFacts { index, l2_block: index * 10, proposed_at, stands: true, is_final: index == 0 }
    }

    fn facts(now: u64, outputs: Vec<OutputFacts>) -> WithdrawalFacts {
        WithdrawalFacts {
            withdrawal: B256::ZERO,
            now,
            l2_block: 15,
            outputs,
            proven: None,
            is_finalized: false,
            challenge_window: WINDOW,
        }
    }

    const fn proven(output: OutputFacts, at: u64) -> Option<ProvenFacts> {
        Some(ProvenFacts { output, at })
    }

    #[test]
    fn withdrawal_waits_for_an_output_that_covers_it() {
        let lone = facts(101, vec![output(0, 100)]);
        assert_eq!(lone.stage(), WithdrawalStage::WaitingToProve { estimated_seconds: None });
        assert_eq!(lone.seconds_to_finalize(), None, "there is no estimate of the next output");
        // The shortest interval is 10 seconds; the last output is 4 seconds old.
        let some = facts(134, vec![output(0, 100), output(1, 120), output(1, 130)]);
        let stage = WithdrawalStage::WaitingToProve { estimated_seconds: Some(6) };
        assert_eq!(some.stage(), stage);
        assert_eq!(some.seconds_to_finalize(), Some(6 + WINDOW));
        let late = WithdrawalFacts { now: 900, ..some };
        let stage = WithdrawalStage::WaitingToProve { estimated_seconds: Some(0) };
        assert_eq!(late.stage(), stage);
    }

    #[test]
    fn withdrawal_is_provable_on_the_first_output_that_stands() {
        let outputs = vec![
            output(1, 110),
            OutputFacts { stands: false, ..output(2, 120) },
            output(3, 130),
            output(4, 140),
        ];
        let facts = facts(145, outputs);
        assert_eq!(facts.stage(), WithdrawalStage::ReadyToProve { output: 3 });
        assert_eq!(facts.seconds_to_finalize(), Some(WINDOW), "a proof made now has to age");
        let on: Vec<_> = facts.provable_on().map(|output| output.index).collect();
        assert_eq!(on, [3, 4]);
    }

    #[test]
    fn withdrawal_waits_for_its_proof_to_age() {
        let mut facts = facts(135, vec![output(2, 120), output(3, 130)]);
        facts.proven = proven(output(2, 120), 125);
        let stage = WithdrawalStage::WaitingToFinalize { output: 2, estimated_seconds: 10 };
        assert_eq!(facts.stage(), stage);
        assert_eq!(facts.seconds_to_finalize(), Some(10));
        facts.proven = proven(OutputFacts { is_final: true, ..output(2, 120) }, 125);
        assert_eq!(facts.stage(), stage, "on a final output as well");
        facts.now = 145;
        assert_eq!(facts.stage(), WithdrawalStage::ReadyToFinalize { output: 2 });
        facts.is_finalized = true;
        assert_eq!(facts.stage(), WithdrawalStage::Finalized);
        assert_eq!(facts.seconds_to_finalize(), Some(0));
    }

    #[test]
    fn withdrawal_is_proven_and_finalized_in_that_order() {
        let checks = |facts: &WithdrawalFacts| {
            [facts.check_prove(), facts.check_finalize()].map(|check| match check {
                Ok(()) => "ready",
                Err(error) if error.is_early() => "early",
                Err(BridgeError::NotProven(_)) => "not proven",
                Err(BridgeError::AlreadyFinalized(_)) => "finalized",
                Err(error) => panic!("{error}"),
            })
        };
        let mut facts = facts(135, vec![output(0, 100)]);
        assert_eq!(checks(&facts), ["early", "not proven"]);
        facts.outputs.push(output(2, 120));
        assert_eq!(checks(&facts), ["ready", "not proven"]);
        facts.proven = proven(output(2, 120), 125);
        assert_eq!(checks(&facts), ["ready", "early"]);
        facts.now = 145;
        assert_eq!(checks(&facts), ["ready", "ready"]);
        facts.is_finalized = true;
        assert_eq!(checks(&facts), ["finalized", "finalized"]);
    }

    #[test]
    fn proof_on_a_disputed_output_is_made_again() {
        let mut facts = facts(135, vec![output(3, 130)]);
        let challenged = OutputFacts { stands: false, ..output(2, 120) };
        facts.proven = proven(challenged, 121);
        assert_eq!(facts.stage(), WithdrawalStage::ReadyToProve { output: 3 });
        assert_eq!(facts.seconds_to_finalize(), Some(WINDOW));
        // There is no other output: it waits for the challenge, and the old proof is valid if that
        // fails.
        facts.outputs = vec![output(0, 100), output(1, 110), challenged];
        assert_eq!(facts.stage(), WithdrawalStage::WaitingToProve { estimated_seconds: None });
        facts.proven = proven(output(2, 120), 121);
        let stage = WithdrawalStage::WaitingToFinalize { output: 2, estimated_seconds: 6 };
        assert_eq!(facts.stage(), stage);
    }
}
