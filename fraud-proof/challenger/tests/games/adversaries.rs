//! Players of the games: the honest one, and dishonest ones.

use alloy_primitives::{B256, Bytes, keccak256};
use turnpike_challenger::HonestClaims;
use turnpike_game::{
    ClaimError, ClaimProvider, NextMove, Trace, TraceFault, next_move, opening, prove::PROGRAM,
};
use turnpike_l1::{Bisection, BisectionAnswer, DisputedOutput, Phase, Segment, positions};
use turnpike_protocol::{LocalInputs, Preimages};
use turnpike_random::Rng;
use turnpike_vm::{Machine, State};

use crate::chain::Chain;

/// A player.
pub(crate) trait Player {
    fn open(&mut self, chain: &mut Chain, output: &DisputedOutput) -> Option<BisectionAnswer>;
    fn answer(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        bisection: &Bisection,
    ) -> Option<NextMove>;
}

/// Claims what the verifier derived.
pub(crate) struct Honest;

impl Player for Honest {
    fn open(&mut self, chain: &mut Chain, output: &DisputedOutput) -> Option<BisectionAnswer> {
        chain.ask(|truth| opening(truth, output))
    }

    fn answer(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        bisection: &Bisection,
    ) -> Option<NextMove> {
        chain.ask(|truth| next_move(truth, output, bisection))
    }
}

/// The claims of an adversary from its first false claim on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    /// A different hash at each position.
    Garbage,
    /// The adversary's claim at the last position.
    End,
}

/// Claims values that no run produces.
#[derive(Clone, Debug)]
pub(crate) struct Inventor {
    pub(crate) rng: Rng,
    pub(crate) claims: Claims,
    /// Last position of the block phase with a true claim.
    pub(crate) true_position: u64,
    /// Last step of any block with a true claim.
    pub(crate) true_step: u64,
    /// The adversary's claim at the last position.
    pub(crate) end: B256,
    /// Percentage of moves that divide another segment than the first wrong segment.
    pub(crate) strays: u64,
}

impl Inventor {
    fn claim(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        segment: &Segment,
        position: u64,
    ) -> B256 {
        let is_true = match segment.phase {
            Phase::Blocks => position <= self.true_position,
            Phase::Machine => position <= self.true_step,
        };
        let whole = match segment.phase {
            Phase::Blocks => output.segment().last,
            Phase::Machine => 1 << 42,
        };
        match segment.phase {
            Phase::Blocks if is_true => chain.root_at(output, position),
            Phase::Machine if is_true => {
                chain.run(output, segment.block, |run| run.hash_at(position).expect("runs"))
            }
            Phase::Blocks if position == whole || self.claims == Claims::End => self.end,
            Phase::Machine if position == whole || self.claims == Claims::End => {
                self.last_state(chain, output, segment.block).hash()
            }
            _ => {
                let place = [segment.block, position, u64::from(segment.phase == Phase::Machine)];
                keccak256(place.map(u64::to_be_bytes).concat())
            }
        }
    }

    /// A well-formed last state with a false root.
    fn last_state(&self, chain: &mut Chain, output: &DisputedOutput, block: u64) -> State {
        let mut state = chain.run(output, block, |run| run.final_state().expect("the run ends"));
        state.registers[10] ^= 1;
        state
    }

    fn divide(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        segment: &Segment,
        index: u64,
    ) -> BisectionAnswer {
        let divided = segment.divided(Vec::new(), B256::ZERO);
        let enters = divided.phase != segment.phase;
        let within = Segment {
            phase: divided.phase,
            block: divided.block,
            first: divided.first,
            last: divided.last,
            ..*segment
        };
        let mut claims: Vec<B256> = positions(within.first, within.last)
            .map(|position| self.claim(chain, output, &within, position))
            .collect();
        let mut final_state = Bytes::new();
        if enters {
            let state = self.last_state(chain, output, within.block);
            final_state = Bytes::copy_from_slice(&state.encode());
            *claims.last_mut().expect("a bisection has claims") = state.hash();
        } else if claims.last() == Some(&segment.end) {
            *claims.last_mut().expect("a bisection has claims") =
                B256::from(keccak256(segment.end));
        }
        BisectionAnswer { segment: index, claims, final_state }
    }
}

impl Player for Inventor {
    fn open(&mut self, chain: &mut Chain, output: &DisputedOutput) -> Option<BisectionAnswer> {
        Some(self.divide(chain, output, &output.segment(), 0))
    }

    fn answer(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        bisection: &Bisection,
    ) -> Option<NextMove> {
        let segments: Vec<Segment> = (0..).map_while(|at| bisection.segment(at)).collect();
        let wrong = segments
            .iter()
            .position(|it| self.claim(chain, output, it, it.last) != it.end)
            .filter(|_| !self.rng.percent(self.strays));
        let at = wrong.unwrap_or_else(|| self.rng.below(segments.len()));
        let (segment, index) = (segments[at], at as u64);
        if segment.phase == Phase::Machine && segment.length() == 1 {
            let prove = |run: &mut Trace| run.prove(segment.first, index).expect("runs");
            return Some(NextMove::Prove(chain.run(output, segment.block, prove)));
        }
        Some(NextMove::Bisect(self.divide(chain, output, &segment, index)))
    }
}

/// A fault of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    /// The program reads an index past the entry's last block.
    NoBlock,
    /// After this step a register differs by `difference`.
    Register { after_step: u64, number: u8, difference: u64 },
}

/// Plays with the claims of a false run.
pub(crate) struct Believer {
    /// The block of the false run.
    pub(crate) position: u64,
    pub(crate) lie: Lie,
    /// The adversary's claim at the last position.
    pub(crate) end: B256,
    trace: Option<Trace>,
}

impl Believer {
    pub(crate) const fn new(position: u64, lie: Lie, end: B256) -> Self {
        Self { position, lie, end, trace: None }
    }

    fn prepare(&mut self, chain: &mut Chain, output: &DisputedOutput) {
        let lie = self.lie;
        let run = chain.run(output, self.position, |run| run.preimages().clone());
        self.trace.get_or_insert_with(|| lie.run(run));
    }
}

impl Lie {
    fn run(self, preimages: Preimages) -> Trace {
        let (mut told, mut fault) = (preimages.clone(), None);
        match self {
            Self::NoBlock => told.local = LocalInputs { block_index: 1_023, ..told.local },
            Self::Register { after_step, number, difference } => {
                fault = Some(TraceFault::new(after_step, move |machine| {
                    machine.set_register(number, machine.register(number) ^ difference);
                }));
            }
        }
        Trace::forged(PROGRAM, told, preimages, fault).expect("the program loads")
    }

    /// Whether a run with this fault exits within this many steps.
    pub(crate) fn ends(self, preimages: &Preimages, steps_max: u64) -> bool {
        let Self::Register { after_step, number, difference } = self else { return true };
        let mut machine = Machine::load(PROGRAM, None).expect("the program loads");
        let mut oracle = preimages.clone();
        machine.run(&mut oracle, after_step).expect("the witness is complete");
        machine.set_register(number, machine.register(number) ^ difference);
        machine.run(&mut oracle, steps_max).is_ok() && machine.exit().is_some()
    }
}

impl Player for Believer {
    fn open(&mut self, chain: &mut Chain, output: &DisputedOutput) -> Option<BisectionAnswer> {
        self.prepare(chain, output);
        chain.ask(|truth| opening(&mut Conviction { truth, own: self }, output))
    }

    fn answer(
        &mut self,
        chain: &mut Chain,
        output: &DisputedOutput,
        bisection: &Bisection,
    ) -> Option<NextMove> {
        self.prepare(chain, output);
        chain.ask(|truth| next_move(&mut Conviction { truth, own: self }, output, bisection))
    }
}

/// True claims, except for those of the false run.
struct Conviction<'a, 'b> {
    truth: &'a mut HonestClaims<'b>,
    own: &'a mut Believer,
}

impl ClaimProvider for Conviction<'_, '_> {
    fn root_at(&mut self, output: &DisputedOutput, position: u64) -> Result<B256, ClaimError> {
        if position <= self.own.position {
            return self.truth.root_at(output, position);
        }
        if position == output.segment().last {
            return Ok(self.own.end);
        }
        Ok(keccak256(position.to_be_bytes()))
    }

    fn trace(&mut self, output: &DisputedOutput, position: u64) -> Result<&mut Trace, ClaimError> {
        if position != self.own.position {
            return self.truth.trace(output, position);
        }
        Ok(self.own.trace.as_mut().expect("the trace is prepared"))
    }
}
