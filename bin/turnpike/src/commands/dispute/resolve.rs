use std::process::ExitCode;

use alloy_primitives::{Address, U256};
use anyhow::bail;
use turnpike_game::{Action, Call, Calls};
use turnpike_l1::{Dispute, L1Client, Rollup, ether};

use super::{args::ResolveArgs, hand::Hand, session::Session};

/// Does all that is due, and takes out what the sender was credited.
pub(super) async fn resolve(args: &ResolveArgs) -> anyhow::Result<ExitCode> {
    let mut session = Session::look(&args.chain).await?;
    let client = session.view.client().clone();
    let mut hand = Hand::new(&client, &args.key, args.chain.l1_poll_ms, args.format)?;
    let calls = Calls::new(client.deployment(), session.config());
    let mut done = 0;
    loop {
        let records = session.records();
        let (challenge, game) = args.target.find(&records)?;
        let action = records.ending_action(challenge, game);
        let Some((what, call)) = action.and_then(|action| call_of(action, &calls)) else { break };
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
        bail!("nothing is due: {}", records.waiting_text(challenge, game));
    }
    Ok(ExitCode::SUCCESS)
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

/// What to print about the action, and its call. `None` for actions that only a player takes.
fn call_of(action: Action, calls: &Calls) -> Option<(String, Call)> {
    match action {
        Action::TimeOut { game } => {
            Some((format!("game {game}: the clock ran out"), calls.time_out(game)))
        }
        Action::ReturnBond { game } => {
            Some((format!("game {game}: its bond is returned"), calls.return_bond(game)))
        }
        Action::Resolve { challenge } => {
            Some((format!("challenge {challenge}: is decided"), calls.resolve(challenge)))
        }
        Action::Challenge { .. } | Action::Defend { .. } | Action::Move { .. } => None,
    }
}
