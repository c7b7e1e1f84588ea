use std::process::ExitCode;

use alloy_primitives::{Address, U256};
use anyhow::bail;
use turnpike_game::{Call, Calls};
use turnpike_l1::{Challenge, Dispute, Game, L1Client, Rollup};

use super::{
    args::ResolveArgs,
    board::{Next, Records},
    hand::Hand,
    session::Session,
    words,
};
use crate::bridge::ether;

/// Something that anyone may do by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    TimeOut { game: u64 },
    ReturnBond { game: u64 },
    Resolve { challenge: u64 },
}

/// Does all that is due, and takes out what the sender was credited.
pub(super) async fn resolve(args: &ResolveArgs) -> anyhow::Result<ExitCode> {
    let mut session = Session::look(&args.chain).await?;
    let client = session.view.client().clone();
    let hand = Hand::new(&client, &args.key, args.chain.l1_poll_ms, args.format)?;
    let calls = Calls::new(client.deployment(), session.config());
    let mut done = 0;
    loop {
        let records = session.records();
        let (challenge, game) = args.target.find(&records)?;
        let Some(due) = due(&records, challenge, game) else { break };
        let (what, call) = due.call(&calls);
        hand.send(what, &call).await?;
        done += 1;
        session.advance(&args.chain).await?;
    }
    for (contract, credit, call) in credits(&client, &calls, hand.address()).await? {
        if !credit.is_zero() {
            hand.send(format_args!("take out {} of {contract}", ether(credit)), &call).await?;
            done += 1;
        }
    }
    if done == 0 {
        let records = session.records();
        let (challenge, game) = args.target.find(&records)?;
        bail!("nothing is due: {}", waiting(&records, challenge, game));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is due in a game, or in a challenge and all its games: first the games.
fn due(records: &Records<'_>, challenge: &Challenge, only: Option<&Game>) -> Option<Due> {
    let is_playable = records.disputes.is_playable(challenge, records.outputs);
    let of_game = |game: &Game| {
        let game_is_open = game.status.to_move().is_some();
        let is_late = game.ends_at().is_some_and(|ends_at| records.now > ends_at);
        match (game_is_open, is_playable) {
            (true, true) => is_late.then_some(Due::TimeOut { game: game.index }),
            (true, false) => Some(Due::ReturnBond { game: game.index }),
            (false, _) => None,
        }
    };
    if let Some(game) = only {
        return of_game(game);
    }
    let mut games = records.disputes.games_of(challenge.index);
    games.find_map(of_game).or_else(|| {
        let is_due = records.next(challenge) == Next::Resolution;
        is_due.then_some(Due::Resolve { challenge: challenge.index })
    })
}

/// Why nothing is due.
fn waiting(records: &Records<'_>, challenge: &Challenge, game: Option<&Game>) -> String {
    let text = |number, text| format!("challenge {number} {text}");
    match (game, records.next(challenge)) {
        (Some(game), _) => match game.ends_at() {
            Some(ends_at) => {
                let seconds = (ends_at + 1).saturating_sub(records.now);
                let status = words::game_status(game.status);
                format!("game {}: {status}, for another {seconds} s", game.index)
            }
            None => format!("game {}: {}", game.index, words::game_status(game.status)),
        },
        (None, Next::Defenders { seconds_left }) => {
            text(challenge.index, format!("can be defended for another {seconds_left} s"))
        }
        (None, Next::Games) => text(challenge.index, "waits for its games".to_owned()),
        (None, _) => text(challenge.index, words::challenge_status(challenge.status).to_owned()),
    }
}

/// What an account can take out of each contract, and how.
async fn credits(
    client: &L1Client,
    calls: &Calls,
    account: Address,
) -> anyhow::Result<[(&'static str, U256, Call); 2]> {
    let (deployment, provider) = (client.deployment(), client.provider());
    let of_disputes = Dispute::new(deployment.dispute, provider).bondCredit(account).call().await?;
    let of_outputs = Rollup::new(deployment.rollup, provider).bondCredit(account).call().await?;
    Ok([
        ("bonds of disputes", of_disputes, calls.withdraw_from_dispute()),
        ("bonds of outputs", of_outputs, calls.withdraw_from_rollup()),
    ])
}

impl Due {
    fn call(self, calls: &Calls) -> (String, Call) {
        match self {
            Self::TimeOut { game } => {
                (format!("game {game}: the clock ran out"), calls.time_out(game))
            }
            Self::ReturnBond { game } => {
                (format!("game {game}: its bond is returned"), calls.return_bond(game))
            }
            Self::Resolve { challenge } => {
                (format!("challenge {challenge}: is decided"), calls.resolve(challenge))
            }
        }
    }
}
