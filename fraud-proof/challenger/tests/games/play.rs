//! Plays one game on L1's contracts and checks bounds on moves and gas.

use std::sync::LazyLock;

use alloy::sol_types::SolCall as _;
use alloy_primitives::{B256, U256};
use turnpike_game::{NextMove, prove::PROGRAM};
use turnpike_l1::{Bisection, BisectionAnswer, Dispute, DisputedOutput, Phase, Segment, Side};
use turnpike_vm::Machine;

use crate::{
    adversaries::{Honest, Player},
    chain::TestChain,
    inbox::genesis,
    l1::{HONEST, L1, LIAR, Sent},
};

/// Maximum number of bisections of a game.
const BISECTIONS_MAX: usize = 14;

/// Maximum gas of a bisection, and of a proven step with its load.
const BISECTION_GAS_MAX: u64 = 300_000;
const PROOF_GAS_MAX: u64 = 1_500_000;

/// Maximum gas of both sides together.
const GAME_GAS_MAX: u64 = 3_000_000;

/// Hash of the machine's first state. L1 knows it.
static INITIAL_STATE: LazyLock<B256> =
    LazyLock::new(|| Machine::load(PROGRAM, None).expect("the program loads").state().hash());

/// Status codes of the contracts: games won by challenger and defender, outputs proposed and
/// rejected.
const WON_BY: [u8; 2] = [3, 4];
const PROPOSED: u8 = 1;
const REJECTED: u8 = 4;

/// The course of a game.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) bisections: usize,
    /// Whether a step was proven on L1.
    pub(crate) is_proven: bool,
    /// The disputed block, if the game reached the machine phase.
    pub(crate) block: Option<u64>,
    pub(crate) read: bool,
    pub(crate) gas: u64,
    pub(crate) gas_max: u64,
}

/// A game in progress.
struct Game<'a> {
    l1: &'a mut L1,
    output: DisputedOutput,
    /// The bisection that the next move answers.
    newest: Bisection,
    challenge: U256,
    game: U256,
    played: Played,
}

impl Game<'_> {
    fn note(&mut self, sent: &Sent) {
        self.played.gas += sent.gas;
        self.played.gas_max = self.played.gas_max.max(sent.gas);
    }

    /// Records a bisection, which must equal L1's.
    fn note_bisection(&mut self, segment: &Segment, answer: BisectionAnswer, sent: &Sent) {
        assert!(sent.gas < BISECTION_GAS_MAX, "a bisection of {} gas", sent.gas);
        self.note(sent);
        self.played.bisections += 1;
        self.newest = segment.divided(answer.claims, *INITIAL_STATE);
        if self.newest.phase == Phase::Machine {
            self.played.block = Some(self.newest.block);
        }
    }

    /// Makes a move. Returns `None` if L1 rejects it.
    fn make(&mut self, side: Side, is_honest: bool, play: NextMove) -> Option<()> {
        self.l1.pass(1);
        let from = if is_honest { HONEST } else { LIAR };
        let answered = Dispute::Bisection::from(&self.newest);
        let dispute = self.l1.dispute;
        match play {
            NextMove::Bisect(answer) => {
                let segment = self.newest.segment(answer.segment)?;
                let call = (&answer).into();
                let sent = if self.played.bisections == 1 {
                    let bond = genesis().config.game_bond;
                    let call =
                        Dispute::defendCall { challengeId: self.challenge, answered, answer: call };
                    let sent = self.l1.send(from, dispute, bond, &call).ok()?;
                    self.game =
                        Dispute::defendCall::abi_decode_returns(&sent.output).expect("decodes");
                    sent
                } else {
                    let call = Dispute::moveCall { gameId: self.game, answered, answer: call };
                    self.l1.send(from, dispute, U256::ZERO, &call).ok()?
                };
                self.note_bisection(&segment, answer, &sent);
                let held = self.l1.view(dispute, &Dispute::gameAtCall { gameId: self.game });
                assert_eq!(held.bisection, self.newest.hash());
            }
            NextMove::Prove(proof) => {
                let mut gas = 0;
                if let Some(load) = &proof.load {
                    let sent = self.l1.load(from, load).ok()?;
                    gas += sent.gas;
                    self.note(&sent);
                }
                let call = Dispute::proveCall {
                    gameId: self.game,
                    answered,
                    segment: proof.segment,
                    state: proof.state,
                    proof: proof.proof,
                };
                let sent = self.l1.send(from, dispute, U256::ZERO, &call).ok()?;
                assert!(is_honest, "{side:?} has proven a false claim");
                self.note(&sent);
                gas += sent.gas;
                assert!(gas < PROOF_GAS_MAX, "a proof of {gas} gas");
                self.played.is_proven = true;
                self.played.read = proof.read.is_some();
            }
        }
        Some(())
    }

    fn status(&mut self) -> u8 {
        let dispute = self.l1.dispute;
        self.l1.view(dispute, &Dispute::gameAtCall { gameId: self.game }).status
    }
}

/// Plays for or against an output until L1 has decided. After L1 rejects a move of the adversary,
/// the adversary makes no more moves.
pub(crate) fn play(
    world: &mut TestChain,
    output: &DisputedOutput,
    honest: Side,
    liar: &mut impl Player,
) -> Played {
    let TestChain { l1, chain, .. } = world;
    let config = genesis().config;
    let (challenger, opening) = match honest {
        Side::Challenger => (HONEST, Honest.open(chain, output).expect("the output is wrong")),
        Side::Defender => {
            (LIAR, liar.open(chain, output).expect("a liar finds a segment to dispute"))
        }
    };
    l1.pass(1);
    let dispute = l1.dispute;
    let credit = l1.view(dispute, &Dispute::bondCreditCall { account: HONEST });
    let call = Dispute::challengeCall {
        output: U256::from(output.index),
        claim: output.claim,
        answer: (&opening).into(),
    };
    let sent = l1
        .send(challenger, dispute, config.game_bond, &call)
        .expect("the output can be challenged");
    let challenge = Dispute::challengeCall::abi_decode_returns(&sent.output).expect("decodes");
    let newest = output.segment().divided(Vec::new(), *INITIAL_STATE);
    let (played, game) = (Played::default(), U256::MAX);
    let mut game = Game { l1, output: *output, newest, challenge, game, played };
    game.note_bisection(&output.segment(), opening, &sent);

    let mut side = Side::Defender;
    loop {
        let is_honest = side == honest;
        let newest = game.newest.clone();
        let play = if is_honest {
            let play = Honest.answer(chain, &game.output, &newest);
            Some(play.expect("a liar's bisection has a false claim"))
        } else {
            liar.answer(chain, &game.output, &newest)
        };
        let made = play.and_then(|play| game.make(side, is_honest, play));
        assert!(!is_honest || made.is_some(), "L1 rejects an honest move");
        if made.is_none() || game.played.is_proven {
            break;
        }
        side = side.other();
    }
    if !game.played.is_proven && game.game != U256::MAX {
        game.l1.pass(config.game_clock + 1);
        let call = Dispute::timeOutCall { gameId: game.game };
        game.l1.send(HONEST, dispute, U256::ZERO, &call).expect("the liar's clock has run out");
    }
    if game.game != U256::MAX {
        assert_eq!(game.status(), WON_BY[usize::from(honest == Side::Defender)]);
    }
    let Game { l1, played, .. } = game;
    let (mut won, index) = (config.game_bond / U256::from(2), output.index);
    match honest {
        Side::Challenger => {
            l1.pass(config.game_clock + 1);
            let call = Dispute::resolveCall { challengeId: challenge };
            l1.send(HONEST, dispute, U256::ZERO, &call).expect("all games are won");
            won += config.proposer_bond / U256::from(2);
            if played.bisections == 1 {
                won -= config.game_bond / U256::from(2);
            }
            assert_eq!(l1.output(index).status, REJECTED);
        }
        Side::Defender => assert_eq!(l1.output(index).status, PROPOSED),
    }
    won += config.game_bond;
    let credit_after = l1.view(dispute, &Dispute::bondCreditCall { account: HONEST });
    assert_eq!(credit_after - credit, won);
    assert!(played.bisections <= BISECTIONS_MAX, "{} bisections", played.bisections);
    assert!(played.gas < GAME_GAS_MAX, "a game of {} gas", played.gas);
    played
}
