use std::sync::Arc;

use anyhow::bail;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_l1::{L1Client, L1Error, L1Sender, L1View};
use turnpike_protocol::{Genesis, OutputRoot};
use turnpike_storage::{Database, genesis_id};

use crate::{BatcherConfig, poster::Poster, proposer::Proposer};

/// Runs a batcher, and a proposer if there is a key for one, until `stop`. `genesis_output` is the output root after
/// the genesis block.
pub async fn run(
    genesis: &Genesis,
    genesis_output: OutputRoot,
    config: BatcherConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    if config.proposer_key.as_ref().is_some_and(|key| key.address() == config.key.address()) {
        bail!("batcher and proposer need a key each: their transactions would cross");
    }
    let chain = genesis_id(genesis);
    let outbox = Database::open(&config.database, chain).await?;
    let journal = Arc::new(Database::open_read_only(&config.journal, chain).await?);
    let client = L1Client::connect(&config.l1_url, genesis).await?;
    client.check_genesis(genesis, &genesis_output).await?;
    let sender = L1Sender::new(client.clone(), config.key.clone());
    info!(account = %sender.address(), "batcher is up");
    let mut poster = Poster::new(genesis.config.clone(), sender, Arc::clone(&journal), outbox);
    let mut proposer = config.proposer_key.clone().map(|key| {
        let sender = L1Sender::new(client.clone(), key);
        Proposer::new(genesis.config.clone(), sender, Arc::clone(&journal), config.propose_interval)
    });
    let mut view = L1View::new(client, config.l1_confirmations, genesis_output);
    let mut ticks = tokio::time::interval(config.poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let looked = async {
            ticks.tick().await;
            step(&mut view, &mut poster, proposer.as_mut()).await
        };
        tokio::select! {
            () = stop.cancelled() => break,
            looked = looked => match looked {
                Ok(()) => {}
                Err(error) if may_pass(&error) => {
                    warn!(error = format!("{error:#}"), "will try again");
                }
                Err(error) => return Err(error),
            }
        }
    }
    journal.close().await;
    poster.close().await;
    Ok(())
}

async fn step(
    view: &mut L1View,
    poster: &mut Poster,
    proposer: Option<&mut Proposer>,
) -> anyhow::Result<()> {
    view.advance().await?;
    let posted = poster.step(view).await;
    // A batch that cannot be posted now does not keep outputs from becoming final.
    if let Some(proposer) = proposer {
        proposer.step(view, poster.confirmed()).await?;
    }
    posted
}

/// Whether the next look at L1 may find things better: it did not answer, or a transaction crossed with another.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<L1Error>() {
        Some(L1Error::Rejected(_)) => true,
        Some(error) => error.is_retryable(),
        None => false,
    }
}
