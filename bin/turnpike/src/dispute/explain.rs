use std::{fmt, process::ExitCode};

use serde::Serialize;
use turnpike_challenger::{Peer, Verdict, enquire};
use turnpike_game::{Trace, prove::StatedBlock};
use turnpike_l1::{DisputedOutput, Game, Phase, Side};

use super::{
    args::ExplainArgs,
    check::{CheckedRound, FalseClaim, Finding, check_all},
    session::Session,
    step::DisputedStep,
    truth::Truth,
    words::Range,
};
use crate::vm::Format;

/// Who is right, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    challenge: u64,
    output: u64,
    right: Side,
    verdict: Verdict,
    /// The challenge's opening.
    opening: CheckedRound,
    games: Vec<ExplainedGame>,
}

/// How a game's claims compare with the truth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainedGame {
    game: u64,
    /// From the defender's first on.
    rounds: Vec<CheckedRound>,
    /// The block that it is about, once it is about one.
    block: Option<DisputedBlock>,
    /// The step that it comes down to, once it does.
    step: Option<DisputedStep>,
}

/// A block that a game is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DisputedBlock {
    range: Range,
    /// `None` past the last block of its entry: there the output root stays.
    block: Option<StatedBlock>,
}

/// Prints who is right and why.
pub(super) async fn explain(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let records = session.records();
    let (challenge, only) = args.target.find(&records)?;
    let output = records.output_of(challenge);
    let mut truth = Truth::derive(&session, args.execution, output).await?;
    let check = async |truth: &mut Truth<'_>, game: Option<&Game>| {
        truth.ask(|truth| check_all(truth, &output, challenge, game)).await
    };
    let opening = check(&mut truth, None).await?.swap_remove(0);
    let mut games = Vec::new();
    for game in records.disputes.games_of(challenge.index) {
        if only.is_none_or(|only| only.index == game.index) {
            let mut rounds = check(&mut truth, Some(game)).await?;
            rounds.remove(0);
            games.push(explained(&session, &mut truth, &output, game, rounds).await?);
        }
    }
    let verdict = verdict(args, &truth).await?;
    let explanation = Explanation {
        challenge: challenge.index,
        output: challenge.output,
        right: if verdict == Verdict::Ok { Side::Defender } else { Side::Challenger },
        verdict,
        opening,
        games,
    };
    match args.format {
        Format::Text => println!("{explanation}"),
        Format::Json => println!("{}", serde_json::to_string(&explanation)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds the block and the step that a game has come to.
async fn explained(
    session: &Session,
    truth: &mut Truth<'_>,
    output: &DisputedOutput,
    game: &Game,
    rounds: Vec<CheckedRound>,
) -> anyhow::Result<ExplainedGame> {
    let mut explained = ExplainedGame { game: game.index, rounds, block: None, step: None };
    let Some(newest) = game.moves.last().map(|made| &made.bisection) else { return Ok(explained) };
    let single = explained.rounds.last().and_then(|round| match &round.finding {
        Finding::False(claim) if claim.segment.length() == 1 => Some(claim.as_ref().clone()),
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
    let entries = session.view.entries();
    let look =
        |trace: &mut Trace| step.map(|claim| DisputedStep::new(trace, entries, claim)).transpose();
    let (block, step) = truth.run(position, look).await?;
    let range = Range::of(output, Phase::Blocks, 0, position, position + 1);
    explained.block = Some(DisputedBlock { range, block });
    explained.step = step;
    Ok(explained)
}

/// What the output is, and of a wrong one what differs.
async fn verdict(args: &ExplainArgs, truth: &Truth<'_>) -> anyhow::Result<Verdict> {
    let mut verdict = truth.judge()?;
    if let (Verdict::Wrong { divergence }, Some(url)) = (&mut verdict, &args.peer) {
        enquire(&Peer::new(url)?, truth.verifier(), divergence).await;
    }
    Ok(verdict)
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
