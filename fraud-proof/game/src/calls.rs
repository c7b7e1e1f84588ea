//! The calls of the dispute and rollup contracts that players make.

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, U256};
use turnpike_l1::{
    Bisection, BisectionAnswer, Call, Dispute, DisputedOutput, PostedEntry, ProposedOutput,
};
use turnpike_protocol::{ChainConfig, Header, L1Deployment, OutputRoot};

use crate::StepProof;

/// Encodes calls of one chain's contracts.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    dispute: Address,
    rollup: Address,
    preimage_oracle: Address,
    game_bond: U256,
    proposer_bond: U256,
}

impl Calls {
    /// Encodes calls of the contracts in `deployment`.
    pub const fn new(deployment: &L1Deployment, config: &ChainConfig) -> Self {
        Self {
            dispute: deployment.dispute,
            rollup: deployment.rollup,
            preimage_oracle: deployment.preimage_oracle,
            game_bond: config.game_bond,
            proposer_bond: config.proposer_bond,
        }
    }

    /// Challenges an output with the first claims over all of its blocks. Pays the game bond.
    pub fn challenge(&self, output: &DisputedOutput, opening: &BisectionAnswer) -> Call {
        let call = Dispute::challengeCall {
            output: U256::from(output.index),
            claim: output.claim,
            answer: opening.into(),
        };
        self.with_bond(&call)
    }

    /// Defends an output against a challenge with an answer to the challenge's opening. Pays the
    /// game bond.
    pub fn defend(&self, challenge: u64, opening: &Bisection, answer: &BisectionAnswer) -> Call {
        let call = Dispute::defendCall {
            challengeId: U256::from(challenge),
            answered: opening.into(),
            answer: answer.into(),
        };
        self.with_bond(&call)
    }

    /// Answers the other side's newest bisection with another one.
    pub fn answer(&self, game: u64, answered: &Bisection, answer: &BisectionAnswer) -> Call {
        let call = Dispute::moveCall {
            gameId: U256::from(game),
            answered: answered.into(),
            answer: answer.into(),
        };
        self.dispute(&call)
    }

    /// Loads what a step reads into the preimage oracle, which has to hold it before the step is
    /// proven. `None` if the step reads nothing that can be loaded.
    pub fn load(&self, proof: &StepProof) -> Option<Call> {
        let input = proof.load.clone()?;
        Some(Call { to: self.preimage_oracle, value: U256::ZERO, input })
    }

    /// Has L1 run the disputed step of the other side's newest bisection.
    pub fn prove(&self, game: u64, answered: &Bisection, proof: &StepProof) -> Call {
        self.dispute(&Dispute::proveCall {
            gameId: U256::from(game),
            answered: answered.into(),
            segment: proof.segment,
            state: proof.state.clone(),
            proof: proof.proof.clone(),
        })
    }

    /// Ends a game in which the clock of the side to move has run out.
    pub fn time_out(&self, game: u64) -> Call {
        self.dispute(&Dispute::timeOutCall { gameId: U256::from(game) })
    }

    /// Ends a challenge.
    pub fn resolve(&self, challenge: u64) -> Call {
        self.dispute(&Dispute::resolveCall { challengeId: U256::from(challenge) })
    }

    /// Returns the bond of a game whose challenge or output was decided by another game.
    pub fn return_bond(&self, game: u64) -> Call {
        self.dispute(&Dispute::returnBondCall { gameId: U256::from(game) })
    }

    /// Withdraws the caller's credit in the dispute contract: bonds won or returned.
    pub fn withdraw_from_dispute(&self) -> Call {
        self.dispute(&Dispute::withdrawBondCall {})
    }

    /// Withdraws the caller's credit in the rollup contract: bonds of final or void outputs.
    pub fn withdraw_from_rollup(&self) -> Call {
        Call::withdraw_bond(self.rollup)
    }

    /// Proposes the output after `entry`, as derived, on top of the output `parent`. Pays the
    /// proposer bond.
    pub fn propose(
        &self,
        parent: &ProposedOutput,
        entry: &PostedEntry,
        output: &OutputRoot,
        header: &Header,
    ) -> Call {
        let at = (entry.entry.index, entry.acc);
        let header = alloy_rlp::encode(header).into();
        Call::propose(self.rollup, parent, at, output, header, self.proposer_bond)
    }

    /// Finalizes an output whose challenge window is over.
    pub fn finalize(&self, output: u64) -> Call {
        Call::finalize(self.rollup, output)
    }

    /// Returns the bond of an output that is built on a rejected one.
    pub fn void_output(&self, output: u64) -> Call {
        Call::void_output(self.rollup, output)
    }

    fn dispute(&self, call: &impl SolCall) -> Call {
        Call::of(self.dispute, call)
    }

    fn with_bond(&self, call: &impl SolCall) -> Call {
        self.dispute(call).with_value(self.game_bond)
    }
}
