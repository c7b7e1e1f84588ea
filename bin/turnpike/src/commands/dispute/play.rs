use std::{fmt, process::ExitCode};

use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context as _, bail};
use serde::Serialize;
use turnpike_game::{Call, Calls, NextMove, inspect::DisputeRecords, next_move};
use turnpike_l1::{Bisection, Challenge, DisputedOutput, ether};

use super::{args::MoveArgs, hand::Hand, session::Session};
use crate::common::Format;

/// What is to be answered.
#[derive(Clone, Debug)]
enum Turn {
    /// A challenge's opening.
    Defence { challenge: u64 },
    /// A game's newest move.
    Move { game: u64 },
}

/// A call that was not made.
#[derive(Debug, Serialize)]
struct Dry<'a> {
    call: &'a str,
    to: Address,
    value: U256,
    input: &'a Bytes,
}

/// Makes the right move, or says what it is.
pub(super) async fn play(args: &MoveArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let records = session.records();
    let client = session.view.client();
    let key = args.key.as_ref().filter(|_| !args.dry_run);
    let poll_ms = args.chain.l1_poll_ms;
    let mut hand = key.map(|key| Hand::new(client, key, poll_ms, args.format)).transpose()?;
    let account = match (&hand, &args.key) {
        (Some(hand), _) => Some(hand.address()),
        (None, Some(key)) => Some(key.signer().context("--key")?.address()),
        (None, None) => None,
    };
    let (turn, challenge, bisection) = turn(args, &records, account)?;
    let output = records.output_of(challenge);
    let calls = Calls::new(client.deployment(), session.config());
    let calls = find(args, &session, &turn, output, bisection, &calls).await?;
    for (what, call) in &calls {
        match (&mut hand, args.format) {
            (Some(hand), _) => hand.send(what, call).await?,
            (None, Format::Text) => println!("{}", Dry::new(what, call)),
            (None, Format::Json) => println!("{}", serde_json::to_string(&Dry::new(what, call))?),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose turn it is, or why there is none.
fn turn<'a>(
    args: &MoveArgs,
    records: &DisputeRecords<'a>,
    account: Option<Address>,
) -> anyhow::Result<(Turn, &'a Challenge, &'a Bisection)> {
    if let Some(number) = args.defend {
        let challenge = records.challenge(number)?;
        records.check_defence(challenge, account)?;
        return Ok((Turn::Defence { challenge: number }, challenge, &challenge.opening.bisection));
    }
    let game = records.game(args.game.unwrap_or_default())?;
    let challenge = records.challenge_of(game);
    records.check_move(challenge, game, account)?;
    let bisection = &game.newest(challenge).bisection;
    Ok((Turn::Move { game: game.index }, challenge, bisection))
}

/// The calls that the truth makes of a turn.
async fn find(
    args: &MoveArgs,
    session: &Session,
    turn: &Turn,
    output: DisputedOutput,
    bisection: &Bisection,
    calls: &Calls,
) -> anyhow::Result<Vec<(String, Call)>> {
    let mut verifier = session.derive(args.execution, output).await?;
    let play = verifier.ask(|claims| next_move(claims, &output, bisection)).await?;
    let play = play.context("there is nothing to object to: every claim is true")?;
    Ok(match (turn, play) {
        (Turn::Defence { challenge }, NextMove::Bisect(answer)) => {
            let what = format!("challenge {challenge}: is defended");
            vec![(what, calls.defend(*challenge, bisection, &answer))]
        }
        (Turn::Defence { .. }, NextMove::Prove(_)) => {
            bail!("a challenge is not opened with a single step")
        }
        (Turn::Move { game }, NextMove::Bisect(answer)) => {
            vec![(format!("game {game}: move"), calls.answer(*game, bisection, &answer))]
        }
        (Turn::Move { game }, NextMove::Prove(proof)) => {
            let load = calls.load(&proof);
            let load = load.map(|call| (format!("game {game}: what the step reads"), call));
            let prove = (format!("game {game}: the step"), calls.prove(*game, bisection, &proof));
            load.into_iter().chain([prove]).collect()
        }
    })
}

impl<'a> Dry<'a> {
    fn new(what: &'a str, call: &'a Call) -> Self {
        Self { call: what, to: call.to, value: call.value, input: &call.input }
    }
}

impl fmt::Display for Dry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, to, value, input } = self;
        write!(f, "{call}: to {to}, {}, {input}", ether(*value))
    }
}
