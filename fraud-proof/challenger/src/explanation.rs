//! Explains a dispute: which side is right, where the other side leaves the derived chain, and at
//! which instruction.

use std::fmt;

use serde::Serialize;
use turnpike_game::{
    Trace,
    inspect::{CheckedRound, ClaimFinding, ClaimRange, DisputedStep, FalseClaim, check_all},
    prove::StatedBlock,
};
use turnpike_l1::{Challenge, DisputedOutput, Disputes, Game, Phase, Side};

use crate::{DisputeVerifier, Verdict};

/// Which side of a challenge is right, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    challenge: u64,
    output: u64,
    right: Side,
    verdict: Verdict,
    /// The challenge's opening.
    opening: CheckedRound,
    games: Vec<ExplainedGame>,
}

/// How a game's claims compare with the derived chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedGame {
    game: u64,
    /// The bisections from the defender's first on.
    rounds: Vec<CheckedRound>,
    /// The disputed block, once the sides disagree on a single one.
    block: Option<DisputedBlock>,
    /// The disputed step, once the sides disagree on a single one.
    step: Option<DisputedStep>,
}

/// The block that a game is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DisputedBlock {
    range: ClaimRange,
    /// `None` past the last block of its entry, where the output root stays the same.
    block: Option<StatedBlock>,
}

/// Explains a challenge with all its games, or with `only` this one. `verdict` is the verifier's on
/// the output.
///
/// # Errors
///
/// If L1 does not answer, or a block's proof cannot be prepared.
pub async fn explain(
    verifier: &mut DisputeVerifier<'_>,
    disputes: &Disputes,
    challenge: &Challenge,
    only: Option<&Game>,
    verdict: Verdict,
) -> anyhow::Result<Explanation> {
    let output = verifier.output();
    let opening = check(verifier, &output, challenge, None).await?.swap_remove(0);
    let mut games = Vec::new();
    for game in disputes.games_of(challenge.index) {
        if only.is_none_or(|only| only.index == game.index) {
            let mut rounds = check(verifier, &output, challenge, Some(game)).await?;
            rounds.remove(0);
            games.push(explain_game(verifier, &output, game, rounds).await?);
        }
    }
    Ok(Explanation {
        challenge: challenge.index,
        output: challenge.output,
        right: if verdict == Verdict::Ok { Side::Defender } else { Side::Challenger },
        verdict,
        opening,
        games,
    })
}

async fn check(
    verifier: &mut DisputeVerifier<'_>,
    output: &DisputedOutput,
    challenge: &Challenge,
    game: Option<&Game>,
) -> anyhow::Result<Vec<CheckedRound>> {
    verifier.ask(|claims| check_all(claims, output, challenge, game)).await
}

/// Adds the block and the step that a game has reached.
async fn explain_game(
    verifier: &mut DisputeVerifier<'_>,
    output: &DisputedOutput,
    game: &Game,
    rounds: Vec<CheckedRound>,
) -> anyhow::Result<ExplainedGame> {
    let mut explained = ExplainedGame { game: game.index, rounds, block: None, step: None };
    let Some(newest) = game.moves.last().map(|made| &made.bisection) else { return Ok(explained) };
    let single = explained.rounds.last().and_then(|round| match &round.finding {
        ClaimFinding::False(claim) if claim.segment.length() == 1 => Some(claim.as_ref().clone()),
        _ => None,
    });
    let position = match (newest.phase, &single) {
        (Phase::Machine, _) => Some(newest.block),
        (Phase::Blocks, Some(claim)) => Some(claim.segment.first),
        (Phase::Blocks, None) => None,
    };
    let Some(position) = position else { return Ok(explained) };
    let of_machine = |claim: &&FalseClaim| claim.segment.phase == Phase::Machine;
    let step = single.as_ref().filter(of_machine);
    let entries = verifier.entries();
    let read_step = |trace: &mut Trace| {
        let step = step.map(|claim| DisputedStep::new(trace, entries, claim));
        step.transpose()
    };
    let (block, step) = verifier.run(position, read_step).await?;
    let range = ClaimRange::of(output, Phase::Blocks, 0, position, position + 1);
    explained.block = Some(DisputedBlock { range, block });
    explained.step = step;
    Ok(explained)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { challenge, output, .. } = self;
        write!(f, "challenge {challenge}: ")?;
        match &self.verdict {
            Verdict::Ok => {
                write!(f, "the defender is right: output {output} is what derivation gives")?
            }
            Verdict::Unknown => write!(f, "output {output} is not derived yet")?,
            Verdict::Wrong { divergence } => {
                write!(f, "the challenger is right: output {output} is wrong\n  {divergence}")?;
            }
        }
        write!(f, "\n{}", self.opening)?;
        for ExplainedGame { game, rounds, block, step } in &self.games {
            write!(f, "\ngame {game}")?;
            for round in rounds {
                write!(f, "\n  {round}")?;
            }
            if let Some(block) = block {
                write!(f, "\n  {block}")?;
            }
            if let Some(step) = step {
                write!(f, "\n  {step}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for DisputedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.range.text)?;
        match &self.block {
            None => write!(f, "past the entry's last block, where nothing changes"),
            Some(StatedBlock { number, transactions, deposits, .. }) => {
                write!(f, "L2 block {number}, {transactions} transactions, ")?;
                write!(f, "{deposits} of them deposits")
            }
        }
    }
}
