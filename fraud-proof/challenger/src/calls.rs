//! The calls that a dispute is played with, for whoever sends them.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};
use turnpike_l1::{Answer, Bisection, Call, Dispute, DisputedOutput, Rollup};
use turnpike_protocol::{ChainConfig, L1Deployment};

use crate::game::StepProof;

/// Makes the calls of one chain's contracts.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    dispute: Address,
    rollup: Address,
    preimage_oracle: Address,
    game_bond: U256,
}

impl Calls {
    /// The calls of these contracts.
    pub const fn new(deployment: &L1Deployment, config: &ChainConfig) -> Self {
        Self {
            dispute: deployment.dispute,
            rollup: deployment.rollup,
            preimage_oracle: deployment.preimage_oracle,
            game_bond: config.game_bond,
        }
    }

    /// Challenges an output, with first claims over all of it.
    pub fn challenge(&self, output: &DisputedOutput, opening: &Answer) -> Call {
        let call = Dispute::challengeCall {
            output: U256::from(output.index),
            claim: output.claim,
            answer: opening.into(),
        };
        self.with_bond(&call)
    }

    /// Defends an output against a challenge, with an answer to its opening.
    pub fn defend(&self, challenge: u64, opening: &Bisection, answer: &Answer) -> Call {
        let call = Dispute::defendCall {
            challengeId: U256::from(challenge),
            answered: opening.into(),
            answer: answer.into(),
        };
        self.with_bond(&call)
    }

    /// Answers the other side's newest bisection with another one.
    pub fn answer(&self, game: u64, answered: &Bisection, answer: &Answer) -> Call {
        let call = Dispute::moveCall {
            gameId: U256::from(game),
            answered: answered.into(),
            answer: answer.into(),
        };
        self.dispute(&call)
    }

    /// Shows the oracle what a step reads, if it reads anything. L1 has to hold it before the step is proven.
    pub fn load(&self, proof: &StepProof) -> Option<Call> {
        let input = proof.load.clone()?;
        Some(Call { to: self.preimage_oracle, value: U256::ZERO, input })
    }

    /// Has L1 run the step in question of the other side's newest bisection.
    pub fn prove(&self, game: u64, answered: &Bisection, proof: &StepProof) -> Call {
        self.dispute(&Dispute::proveCall {
            gameId: U256::from(game),
            answered: answered.into(),
            segment: proof.segment,
            state: proof.state.clone(),
            proof: proof.proof.clone(),
        })
    }

    /// Ends a game in which the clock of whoever is to move has run out.
    pub fn time_out(&self, game: u64) -> Call {
        self.dispute(&Dispute::timeOutCall { gameId: U256::from(game) })
    }

    /// Ends a challenge.
    pub fn resolve(&self, challenge: u64) -> Call {
        self.dispute(&Dispute::resolveCall { challengeId: U256::from(challenge) })
    }

    /// Returns the bond of a game that was decided elsewhere.
    pub fn return_bond(&self, game: u64) -> Call {
        self.dispute(&Dispute::returnBondCall { gameId: U256::from(game) })
    }

    /// Takes out what the caller has won or was given back in disputes.
    pub fn withdraw_from_dispute(&self) -> Call {
        self.dispute(&Dispute::withdrawBondCall {})
    }

    /// Takes out the caller's bonds of outputs that became final, or void.
    pub fn withdraw_from_rollup(&self) -> Call {
        self.rollup(&Rollup::withdrawBondCall {})
    }

    fn dispute(&self, call: &impl SolCall) -> Call {
        Call { to: self.dispute, value: U256::ZERO, input: call.abi_encode().into() }
    }

    fn with_bond(&self, call: &impl SolCall) -> Call {
        Call { value: self.game_bond, ..self.dispute(call) }
    }

    pub(crate) fn rollup(&self, call: &impl SolCall) -> Call {
        Call { to: self.rollup, value: U256::ZERO, input: call.abi_encode().into() }
    }
}
