use alloy_primitives::{B256, Bytes};
use turnpike_l1::{Answer, Bisection, DisputedOutput, Phase, Segment, positions};

use super::{Belief, Unsure};

/// A move in a game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// Another bisection.
    Answer(Answer),
    /// A single step, to be run by L1.
    Prove(StepProof),
}

/// What shows L1 what a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProof {
    /// Which segment of the answered bisection.
    pub segment: u64,
    /// The state before the step, encoded.
    pub state: Bytes,
    /// Its memory proof.
    pub proof: Bytes,
    /// What the step reads from the oracle, if it does: key and offset.
    pub read: Option<(B256, u64)>,
    /// The oracle's call that loads that.
    pub load: Option<Bytes>,
}

/// The first claims of a challenge of an output. `None` if there is nothing wrong with it.
pub fn open(belief: &mut impl Belief, output: &DisputedOutput) -> Result<Option<Answer>, Unsure> {
    let segment = output.segment();
    check_start(belief, output, &segment)?;
    if value_at(belief, output, &segment, segment.last)? == segment.end {
        return Ok(None);
    }
    divide(belief, output, &segment, 0).map(Some)
}

/// The answer to the other side's claims. `None` if there is nothing wrong with them.
pub fn answer(
    belief: &mut impl Belief,
    output: &DisputedOutput,
    bisection: &Bisection,
) -> Result<Option<Play>, Unsure> {
    for index in 0.. {
        let Some(segment) = bisection.segment(index) else { return Ok(None) };
        if index == 0 {
            check_start(belief, output, &segment)?;
        }
        if value_at(belief, output, &segment, segment.last)? == segment.end {
            continue;
        }
        if segment.phase == Phase::Machine && segment.length() == 1 {
            return prove(belief, output, &segment, index).map(|proof| Some(Play::Prove(proof)));
        }
        return divide(belief, output, &segment, index).map(|it| Some(Play::Answer(it)));
    }
    Ok(None)
}

fn check_start(
    belief: &mut impl Belief,
    output: &DisputedOutput,
    segment: &Segment,
) -> Result<(), Unsure> {
    let expected = match segment.phase {
        // Of the machine's first state L1 takes care itself; what comes before the block is to be true.
        Phase::Machine => belief.root_at(output, segment.block)?,
        Phase::Blocks => belief.root_at(output, segment.first)?,
    };
    let found = match segment.phase {
        Phase::Machine => segment.agreed_root,
        Phase::Blocks => segment.start,
    };
    if expected == found { Ok(()) } else { Err(Unsure::FalseStart { expected, found }) }
}

/// What a player believes of a position of a segment's phase.
fn value_at(
    belief: &mut impl Belief,
    output: &DisputedOutput,
    segment: &Segment,
    position: u64,
) -> Result<B256, Unsure> {
    match segment.phase {
        Phase::Blocks => belief.root_at(output, position),
        Phase::Machine => Ok(belief.trace(output, segment.block)?.hash_at(position)?),
    }
}

/// A player's own claims within a segment.
fn divide(
    belief: &mut impl Belief,
    output: &DisputedOutput,
    segment: &Segment,
    index: u64,
) -> Result<Answer, Unsure> {
    let mut final_state = Bytes::new();
    // The claims that are made are those of the bisection that this answer becomes.
    let divided = segment.divided(Vec::new(), B256::ZERO);
    if segment.phase != divided.phase {
        let state = belief.trace(output, divided.block)?.final_state()?;
        final_state = Bytes::copy_from_slice(&state.encode());
    }
    let segment = Segment {
        phase: divided.phase,
        block: divided.block,
        first: divided.first,
        last: divided.last,
        ..*segment
    };
    let claims = positions(segment.first, segment.last)
        .map(|position| value_at(belief, output, &segment, position))
        .collect::<Result<_, _>>()?;
    Ok(Answer { segment: index, claims, final_state })
}

fn prove(
    belief: &mut impl Belief,
    output: &DisputedOutput,
    segment: &Segment,
    index: u64,
) -> Result<StepProof, Unsure> {
    belief.trace(output, segment.block)?.prove(segment.first, index)
}
