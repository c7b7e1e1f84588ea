//! Claims next to the truth.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::Serialize;
use turnpike_game::{ClaimError, ClaimProvider};
use turnpike_l1::{Bisection, Challenge, DisputedOutput, Game, Phase, Segment, Side};

use super::words::{self, Range};

/// One side's claims, and where they leave the truth.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckedRound {
    pub(super) round: usize,
    pub(super) side: Side,
    pub(super) by: Address,
    pub(super) range: Range,
    pub(super) claims: usize,
    #[serde(flatten)]
    pub(super) finding: Finding,
}

/// What there is to say of claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "finding")]
pub(super) enum Finding {
    /// Each is right.
    True,
    /// They begin where the players agreed on something false.
    FalseStart,
    /// The end of this range is the first that is wrong.
    False(Box<FalseClaim>),
}

/// The first wrong claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FalseClaim {
    /// From the last right claim to this one.
    pub(super) within: Range,
    pub(super) claimed: B256,
    pub(super) truth: B256,
    #[serde(skip)]
    pub(super) segment: Segment,
}

/// All bisections of a game, the challenge's opening first; of a challenge without games, that alone.
pub(super) fn check_all(
    belief: &mut impl ClaimProvider,
    output: &DisputedOutput,
    challenge: &Challenge,
    game: Option<&Game>,
) -> Result<Vec<CheckedRound>, ClaimError> {
    let opening = (Side::Challenger, challenge.challenger, &challenge.opening.bisection);
    let moves = game.into_iter().flat_map(|game| {
        game.moves.iter().enumerate().map(|(at, made)| match at % 2 {
            0 => (Side::Defender, game.defender, &made.bisection),
            _ => (Side::Challenger, challenge.challenger, &made.bisection),
        })
    });
    let rounds = std::iter::once(opening).chain(moves).enumerate();
    let check = |(at, (side, by, bisection)): (usize, (Side, Address, &Bisection))| {
        Ok(CheckedRound {
            round: at + 1,
            side,
            by,
            range: Range::new(output, bisection),
            claims: bisection.claims.len(),
            finding: check(belief, output, bisection)?,
        })
    };
    rounds.map(check).collect()
}

fn check(
    belief: &mut impl ClaimProvider,
    output: &DisputedOutput,
    bisection: &Bisection,
) -> Result<Finding, ClaimError> {
    let (agreed, at) = match bisection.phase {
        Phase::Blocks => (bisection.start, bisection.first),
        Phase::Machine => (bisection.agreed_root, bisection.block),
    };
    if belief.root_at(output, at)? != agreed {
        return Ok(Finding::FalseStart);
    }
    for segment in (0..).map_while(|index| bisection.segment(index)) {
        let truth = match segment.phase {
            Phase::Blocks => belief.root_at(output, segment.last)?,
            Phase::Machine => belief.trace(output, segment.block)?.hash_at(segment.last)?,
        };
        if truth != segment.end {
            let Segment { phase, block, first, last, end, .. } = segment;
            let within = Range::of(output, phase, block, first, last);
            let claim = FalseClaim { within, claimed: end, truth, segment };
            return Ok(Finding::False(Box::new(claim)));
        }
    }
    Ok(Finding::True)
}

impl fmt::Display for CheckedRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, side, range, .. } = self;
        write!(f, "round {round}, {}, {}: {}", words::side(*side), range.text, self.finding)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => write!(f, "every claim is true"),
            Self::FalseStart => write!(f, "begins where both sides agreed on what is not so"),
            Self::False(claim) => {
                let FalseClaim { within, claimed, truth, .. } = claim.as_ref();
                write!(f, "leaves the truth in {}: ", within.text)?;
                write!(
                    f,
                    "{} is claimed after it, {} is true",
                    words::short(claimed),
                    words::short(truth)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use turnpike_game::Trace;

    use super::*;

    const TRUTH: B256 = B256::repeat_byte(1);
    const LIE: B256 = B256::repeat_byte(2);

    const OUTPUT: DisputedOutput = DisputedOutput {
        index: 1,
        claim: B256::ZERO,
        parent_entry: 0,
        entry: 1,
        parent_root: TRUTH,
        root: LIE,
        blocks_per_entry: 64,
    };

    /// Whose root is always the same.
    struct Constant;

    impl ClaimProvider for Constant {
        fn root_at(&mut self, _: &DisputedOutput, _: u64) -> Result<B256, ClaimError> {
            Ok(TRUTH)
        }

        fn trace(&mut self, output: &DisputedOutput, _: u64) -> Result<&mut Trace, ClaimError> {
            Err(ClaimError::NotDerived(output.entry))
        }
    }

    fn bisection(start: B256, claims: Vec<B256>) -> Bisection {
        let segment = Segment { start, ..OUTPUT.segment() };
        segment.divided(claims, B256::ZERO)
    }

    #[test]
    fn the_first_false_claim_is_found() {
        let mut claims = vec![TRUTH; 32];
        let found = check(&mut Constant, &OUTPUT, &bisection(TRUTH, claims.clone()));
        assert_eq!(found.expect("is sure"), Finding::True);
        claims[20..].fill(LIE);
        let found = check(&mut Constant, &OUTPUT, &bisection(TRUTH, claims)).expect("is sure");
        let Finding::False(claim) = &found else { panic!("{found:?}") };
        assert_eq!((claim.segment.first, claim.segment.last), (40, 42));
        assert_eq!(
            found.to_string(),
            "leaves the truth in blocks 40-41 of entry 1: 0x02020202… is claimed after it, 0x01010101… is true"
        );
    }

    #[test]
    fn a_false_beginning_is_told_from_false_claims() {
        let found = check(&mut Constant, &OUTPUT, &bisection(LIE, vec![TRUTH; 32]));
        assert_eq!(found.expect("is sure"), Finding::FalseStart);
    }
}
