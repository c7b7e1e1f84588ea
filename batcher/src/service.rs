use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_derivation::DerivationError;
use turnpike_l1::{L1Client, L1Error};
use turnpike_protocol::{Genesis, OutputRoot};
use turnpike_storage::{Database, genesis_id};

use crate::{
    BatcherConfig, CrashPlan, PostingConfig,
    poster::{BatchPoster, Databases},
};

/// Runs a batcher until `stop`. `genesis_output` is the output root of the genesis block.
pub async fn run(
    genesis: &Genesis,
    genesis_output: OutputRoot,
    config: BatcherConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let chain = genesis_id(genesis);
    let outbox = Arc::new(Database::open_plain(&config.database, chain).await?);
    let journal = Arc::new(Database::open_read_only(&config.journal, chain).await?);
    let databases = Databases { journal: Arc::clone(&journal), outbox };
    let client = L1Client::connect(config.l1.clone(), genesis).await?;
    client.check_genesis(genesis, &genesis_output).await?;
    info!(account = %config.key.address(), "batcher is up");
    let posting =
        PostingConfig { confirmations: config.l1_confirmations, ..config.posting.clone() };
    let (key, faults) = (config.key.clone(), CrashPlan::default());
    let mut poster =
        BatchPoster::open(genesis, genesis_output, posting, client, key, databases, faults).await?;
    let mut ticks = tokio::time::interval(config.poll);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_committing = poster.is_committing();
        let outcome = async {
            tokio::select! {
                _ = ticks.tick() => {}
                () = poster.wait_for_commitments(), if is_committing => {}
            }
            poster.step(now()).await
        };
        tokio::select! {
            () = stop.cancelled() => break,
            outcome = outcome => match outcome {
                Ok(_) => {}
                Err(error) if is_retryable_error(&error) => {
                    warn!(error = format!("{error:#}"), "step failed: will retry");
                }
                Err(error) => return Err(error),
            }
        }
    }
    journal.close().await;
    poster.close().await;
    Ok(())
}

/// Now, in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Whether the next step may succeed: L1 did not answer, a reorg happened while it was read, or a
/// transaction crossed with another.
fn is_retryable_error(error: &anyhow::Error) -> bool {
    let is_l1 = match error.downcast_ref::<L1Error>() {
        Some(L1Error::Rejected(_) | L1Error::Inconsistent(_)) => true,
        Some(error) => error.is_retryable(),
        None => false,
    };
    is_l1 || error.downcast_ref::<DerivationError>().is_some()
}
