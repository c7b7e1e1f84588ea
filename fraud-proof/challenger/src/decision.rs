//! Which call an action takes: the honest move in a game, or the call that ends a game or
//! challenge.

use alloy_primitives::{B256, U256};
use turnpike_game::{Action, Calls, NextMove, ScheduledAction, StepProof};
use turnpike_l1::{Call, L1Client, L1Error, PreimageOracle};

use crate::chain::HonestChain;

/// What to send for an action.
#[derive(Debug)]
pub(crate) enum Decision {
    /// This call performs the action.
    Send(Call),
    /// This call comes first: it loads what a step proof reads.
    Load(Call),
    /// Nothing: the other side's claims are right, or L1 has dropped the game.
    Nothing,
}

/// Decides on the call for an action.
///
/// # Errors
///
/// [`ClaimError`](turnpike_game::ClaimError) if the honest claim is not certain; other errors if L1
/// does not answer.
pub(crate) async fn decide(
    chain: &mut HonestChain,
    calls: &Calls,
    &ScheduledAction { action, deadline }: &ScheduledAction,
) -> anyhow::Result<Decision> {
    let call = match action {
        Action::TimeOut { game } => calls.time_out(game),
        Action::Resolve { challenge } => calls.resolve(challenge),
        Action::ReturnBond { game } => calls.return_bond(game),
        Action::Challenge { output } => {
            let Some(disputed) = chain.disputed_output(output) else {
                return Ok(Decision::Nothing);
            };
            let Some(NextMove::Bisect(first)) = chain.ask(output, None, deadline)? else {
                return Ok(Decision::Nothing);
            };
            calls.challenge(&disputed, &first)
        }
        Action::Defend { challenge } => {
            let Some(defended) = chain.view().disputes().challenge(challenge).cloned() else {
                return Ok(Decision::Nothing);
            };
            let opening = defended.opening.bisection;
            let answer = chain.ask(defended.output, Some(opening.clone()), deadline)?;
            let Some(NextMove::Bisect(answer)) = answer else { return Ok(Decision::Nothing) };
            calls.defend(challenge, &opening, &answer)
        }
        Action::Move { game } => return decide_move(chain, calls, game, deadline).await,
    };
    Ok(Decision::Send(call))
}

async fn decide_move(
    chain: &mut HonestChain,
    calls: &Calls,
    game: u64,
    deadline: u64,
) -> anyhow::Result<Decision> {
    let disputes = chain.view().disputes();
    let challenge = disputes.game(game).and_then(|game| disputes.challenge(game.challenge));
    let newest = chain.newest_move(game).map(|made| made.bisection.clone());
    let (Some(output), Some(answered)) = (challenge.map(|it| it.output), newest) else {
        return Ok(Decision::Nothing);
    };
    Ok(match chain.ask(output, Some(answered.clone()), deadline)? {
        None => Decision::Nothing,
        Some(NextMove::Bisect(answer)) => Decision::Send(calls.answer(game, &answered, &answer)),
        Some(NextMove::Prove(proof)) => match calls.load(&proof) {
            Some(load) if !is_loaded(chain.view().client(), &proof).await? => Decision::Load(load),
            _ => Decision::Send(calls.prove(game, &answered, &proof)),
        },
    })
}

/// Whether the preimage oracle holds what a step reads.
async fn is_loaded(client: &L1Client, proof: &StepProof) -> Result<bool, L1Error> {
    let Some((key, offset)) = proof.read else { return Ok(true) };
    let oracle = PreimageOracle::new(client.deployment().preimage_oracle, client.provider());
    let local = PreimageOracle::LocalInputs {
        chainConfig: B256::ZERO,
        outputRoot: B256::ZERO,
        inboxAcc: B256::ZERO,
        blockIndex: 0,
        dataMissing: false,
    };
    match oracle.read(key, U256::from(offset), local).call().await {
        Ok(_) => Ok(true),
        Err(alloy::contract::Error::TransportError(error)) if error.as_error_resp().is_some() => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
