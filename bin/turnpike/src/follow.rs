//! The chain as L1 alone gives it, for commands that look at it once.

use std::{fmt::Display, time::Duration};

use tokio::task::block_in_place;
use tracing::warn;
use turnpike_derivation::{DerivedChain, Follower};
use turnpike_executor::EngineConfig;
use turnpike_l1::{L1Client, L1View, Severity};
use turnpike_protocol::Genesis;

use crate::{
    cli::ChainArgs,
    roles::{genesis_output, read_genesis},
};

/// Looks at L1 that may fail in all before this gives up.
const FAILURES_MAX: u32 = 10;

/// A node that has read nothing yet. It believes L1's newest block: what is looked at once is not undone.
pub(crate) async fn open(
    chain: &ChainArgs,
    execution: EngineConfig,
) -> anyhow::Result<DerivedChain> {
    let genesis = read_genesis(&chain.genesis)?;
    let follower = block_in_place(|| Follower::new(&genesis, execution));
    let genesis_output = follower.head().output;
    let client = L1Client::connect(chain.l1(), &genesis).await?;
    client.check_genesis(&genesis, &genesis_output).await?;
    Ok(DerivedChain::new(L1View::new(client, 0, genesis_output), follower))
}

/// A view that has read nothing yet, for commands that derive nothing.
pub(crate) async fn view(
    chain: &ChainArgs,
    genesis: &Genesis,
    confirmations: u64,
) -> anyhow::Result<L1View> {
    let output = block_in_place(|| genesis_output(genesis));
    let client = L1Client::connect(chain.l1(), genesis).await?;
    client.check_genesis(genesis, &output).await?;
    Ok(L1View::new(client, confirmations, output))
}

/// Looks, and looks again after an error that may pass.
pub(crate) async fn look<L, T, E: Display>(
    looker: &mut L,
    chain: &ChainArgs,
    mut look: impl AsyncFnMut(&mut L) -> Result<T, E>,
    severity: impl Fn(&E) -> Severity,
) -> Result<T, E> {
    let mut failures = 0;
    loop {
        match look(looker).await {
            Err(error) if severity(&error) < Severity::Critical && failures < FAILURES_MAX => {
                failures += 1;
                warn!(%error, "will try again");
                tokio::time::sleep(Duration::from_millis(chain.l1_poll_ms)).await;
            }
            done => return done,
        }
    }
}
