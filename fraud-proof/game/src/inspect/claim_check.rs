//! Compares the claims of both sides with a claim provider's.

use std::fmt;

use crate::{ClaimError, ClaimProvider};
use alloy_primitives::{Address, B256};
use serde::Serialize;
use turnpike_l1::{Bisection, Challenge, DisputedOutput, Game, Phase, Segment, Side};

use super::words::{self, ClaimRange};

/// One bisection and its first wrong claim.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedRound {
    /// Its number, from 1.
    pub round: usize,
    /// The side that made it.
    pub side: Side,
    /// The account that made it.
    pub by: Address,
    /// The positions that it divides.
    pub range: ClaimRange,
    /// How many claims it makes.
    pub claims: usize,
    /// Whether the claims are right.
    #[serde(flatten)]
    pub finding: ClaimFinding,
}

/// Whether a bisection's claims are right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "finding")]
pub enum ClaimFinding {
    /// Every claim is right.
    True,
    /// The value that both sides agreed on is already wrong.
    FalseStart,
    /// The claim at the end of this range is the first wrong one.
    False(Box<FalseClaim>),
}

/// The first wrong claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FalseClaim {
    /// The positions from the last right claim to this one.
    pub within: ClaimRange,
    /// The wrong claim.
    pub claimed: B256,
    /// The right value.
    pub truth: B256,
    /// The segment that the claim ends.
    #[serde(skip)]
    pub segment: Segment,
}

/// Checks the challenge's opening and, of `game` if given, every bisection.
pub fn check_all(
    provider: &mut impl ClaimProvider,
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
            range: ClaimRange::new(output, bisection),
            claims: bisection.claims.len(),
            finding: check(provider, output, bisection)?,
        })
    };
    rounds.map(check).collect()
}

fn check(
    provider: &mut impl ClaimProvider,
    output: &DisputedOutput,
    bisection: &Bisection,
) -> Result<ClaimFinding, ClaimError> {
    let (agreed, at) = match bisection.phase {
        Phase::Blocks => (bisection.start, bisection.first),
        Phase::Machine => (bisection.agreed_root, bisection.block),
    };
    if provider.root_at(output, at)? != agreed {
        return Ok(ClaimFinding::FalseStart);
    }
    for segment in (0..).map_while(|index| bisection.segment(index)) {
        let truth = match segment.phase {
            Phase::Blocks => provider.root_at(output, segment.last)?,
            Phase::Machine => provider.trace(output, segment.block)?.hash_at(segment.last)?,
        };
        if truth != segment.end {
            let Segment { phase, block, first, last, end, .. } = segment;
            let within = ClaimRange::of(output, phase, block, first, last);
            let claim = FalseClaim { within, claimed: end, truth, segment };
            return Ok(ClaimFinding::False(Box::new(claim)));
        }
    }
    Ok(ClaimFinding::True)
}

impl fmt::Display for CheckedRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round, side, range, .. } = self;
        write!(f, "round {round}, {}, {}: {}", words::side(*side), range.text, self.finding)
    }
}

impl fmt::Display for ClaimFinding {
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
    use crate::Trace;

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

    /// Claims the same root at every position.
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
    fn first_false_claim_is_found() {
        let mut claims = vec![TRUTH; 32];
        let found = check(&mut Constant, &OUTPUT, &bisection(TRUTH, claims.clone()));
        assert_eq!(found.expect("is sure"), ClaimFinding::True);
        claims[20..].fill(LIE);
        let found = check(&mut Constant, &OUTPUT, &bisection(TRUTH, claims)).expect("is sure");
        let ClaimFinding::False(claim) = &found else { panic!("{found:?}") };
        assert_eq!((claim.segment.first, claim.segment.last), (40, 42));
        assert_eq!(
            found.to_string(),
            "leaves the truth in blocks 40-41 of entry 1: 0x02020202… is claimed after it, 0x01010101… is true"
        );
    }

    #[test]
    fn false_start_differs_from_false_claim() {
        let found = check(&mut Constant, &OUTPUT, &bisection(LIE, vec![TRUTH; 32]));
        assert_eq!(found.expect("is sure"), ClaimFinding::FalseStart);
    }
}
