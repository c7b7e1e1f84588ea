use std::{fmt, process::ExitCode};

use alloy_primitives::{Address, Bytes, U256};
use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use turnpike_game::{Call, Calls, NextMove, next_move};
use turnpike_l1::{Bisection, Challenge, DisputedOutput, Game, Side};

use super::{
    args::MoveArgs,
    board::{Next, Records},
    hand::Hand,
    session::Session,
    truth::Truth,
    words,
};
use crate::{bridge::ether, vm::Format};

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
    let hand = key.map(|key| Hand::new(client, key, poll_ms, args.format)).transpose()?;
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
        match (&hand, args.format) {
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
    records: &Records<'a>,
    account: Option<Address>,
) -> anyhow::Result<(Turn, &'a Challenge, &'a Bisection)> {
    if let Some(number) = args.defend {
        let challenge = records.challenge(number)?;
        may_defend(records, challenge, account)?;
        return Ok((Turn::Defence { challenge: number }, challenge, &challenge.opening.bisection));
    }
    let game = records.game(args.game.unwrap_or_default())?;
    let challenge = records.challenge_of(game);
    may_move(records, challenge, game, account)?;
    let bisection = &game.newest(challenge).bisection;
    Ok((Turn::Move { game: game.index }, challenge, bisection))
}

fn may_defend(
    records: &Records<'_>,
    challenge: &Challenge,
    account: Option<Address>,
) -> anyhow::Result<()> {
    let Challenge { index, challenger, status, .. } = *challenge;
    match records.next(challenge) {
        Next::Defenders { .. } => {}
        Next::Nothing => bail!("challenge {index} is over: {}", words::challenge_status(status)),
        _ => bail!("challenge {index} cannot be defended any more"),
    }
    let Some(account) = account else { return Ok(()) };
    ensure!(account != challenger, "account {account} has challenged the output itself");
    let mut games = records.disputes.games_of(index);
    match games.find(|game| game.defender == account) {
        Some(game) => bail!("account {account} defends the output already, in game {}", game.index),
        None => Ok(()),
    }
}

fn may_move(
    records: &Records<'_>,
    challenge: &Challenge,
    game: &Game,
    account: Option<Address>,
) -> anyhow::Result<()> {
    let index = game.index;
    let Some(side) = game.status.to_move() else {
        bail!("game {index} is over: {}", words::game_status(game.status));
    };
    if !records.disputes.is_playable(challenge, records.outputs) {
        bail!("game {index} was decided elsewhere: `resolve --game {index}` returns its bond");
    }
    let mover = match side {
        Side::Challenger => challenge.challenger,
        Side::Defender => game.defender,
    };
    if let Some(account) = account.filter(|account| *account != mover) {
        let side = words::side(side);
        bail!("game {index}: it is the {side}'s move, {mover}; the key is that of {account}");
    }
    let is_late = game.ends_at().is_some_and(|ends_at| records.now > ends_at);
    ensure!(!is_late, "game {index}: the clock has run out; `resolve --game {index}` ends it");
    Ok(())
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
    let mut truth = Truth::derive(session, args.execution, output).await?;
    let play = truth.ask(|truth| next_move(truth, &output, bisection)).await?;
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
