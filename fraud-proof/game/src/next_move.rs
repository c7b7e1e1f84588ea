//! Which move a player makes: the first segment with a wrong claim is divided further or proven on
//! L1.

use alloy_primitives::{B256, Bytes};
use turnpike_l1::{Bisection, BisectionAnswer, DisputedOutput, Phase, Segment, positions};

use crate::{ClaimError, ClaimProvider, StepProof};

/// A move in a game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextMove {
    /// Divides a segment further.
    Bisect(BisectionAnswer),
    /// Has L1 run a single step.
    Prove(StepProof),
}

/// The first claims of a challenge of `output`. `None` if the player agrees with the output.
pub fn opening(
    claims: &mut impl ClaimProvider,
    output: &DisputedOutput,
) -> Result<Option<BisectionAnswer>, ClaimError> {
    let segment = output.segment();
    check_start(claims, output, &segment)?;
    if claim_at(claims, output, &segment, segment.last)? == segment.end {
        return Ok(None);
    }
    divide(claims, output, &segment, 0).map(Some)
}

/// The move that answers the other side's `bisection`. `None` if the player agrees with all its
/// claims.
pub fn next_move(
    claims: &mut impl ClaimProvider,
    output: &DisputedOutput,
    bisection: &Bisection,
) -> Result<Option<NextMove>, ClaimError> {
    for index in 0.. {
        let Some(segment) = bisection.segment(index) else { return Ok(None) };
        if index == 0 {
            check_start(claims, output, &segment)?;
        }
        if claim_at(claims, output, &segment, segment.last)? == segment.end {
            continue;
        }
        if segment.phase == Phase::Machine && segment.length() == 1 {
            let proof = claims.trace(output, segment.block)?.prove(segment.first, index)?;
            return Ok(Some(NextMove::Prove(proof)));
        }
        return divide(claims, output, &segment, index).map(|it| Some(NextMove::Bisect(it)));
    }
    Ok(None)
}

/// Checks that the player agrees with the value that the segment starts at.
fn check_start(
    claims: &mut impl ClaimProvider,
    output: &DisputedOutput,
    segment: &Segment,
) -> Result<(), ClaimError> {
    let (position, found) = match segment.phase {
        // L1 checks the machine's first state itself, so only the output root before the block
        // counts.
        Phase::Machine => (segment.block, segment.agreed_root),
        Phase::Blocks => (segment.first, segment.start),
    };
    let expected = claims.root_at(output, position)?;
    if expected == found { Ok(()) } else { Err(ClaimError::FalseStart { expected, found }) }
}

/// The player's claim at a position of the segment's phase.
fn claim_at(
    claims: &mut impl ClaimProvider,
    output: &DisputedOutput,
    segment: &Segment,
    position: u64,
) -> Result<B256, ClaimError> {
    match segment.phase {
        Phase::Blocks => claims.root_at(output, position),
        Phase::Machine => Ok(claims.trace(output, segment.block)?.hash_at(position)?),
    }
}

/// The player's claims within a segment.
fn divide(
    claims: &mut impl ClaimProvider,
    output: &DisputedOutput,
    segment: &Segment,
    index: u64,
) -> Result<BisectionAnswer, ClaimError> {
    let mut final_state = Bytes::new();
    // A segment of one block turns into the machine's run on it: claim positions of the new phase.
    let divided = segment.divided(Vec::new(), B256::ZERO);
    if segment.phase != divided.phase {
        let state = claims.trace(output, divided.block)?.final_state()?;
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
        .map(|position| claim_at(claims, output, &segment, position))
        .collect::<Result<_, _>>()?;
    Ok(BisectionAnswer { segment: index, claims, final_state })
}
