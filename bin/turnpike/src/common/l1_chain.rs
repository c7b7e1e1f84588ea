//! Reading L1 for commands that read it once: the chain derived from it, or what it recorded.

use std::fmt::Display;

use tokio::task::block_in_place;
use tracing::warn;
use turnpike_derivation::{DerivedChain, Follower};
use turnpike_executor::EngineConfig;
use turnpike_l1::{L1Client, L1View, Severity};
use turnpike_protocol::Genesis;

use super::{ChainArgs, genesis_output, read_genesis};

/// Failures in all before a command gives up.
const FAILURES_MAX: u32 = 10;

/// A derived chain that has read nothing yet. It reads up to L1's newest block, without confirmations: a command that reads
/// once has nothing to undo after a reorg.
pub(crate) async fn open_derived_chain(
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

/// A view of L1 that has read nothing yet, for commands that derive nothing.
pub(crate) async fn open_l1_view(
    chain: &ChainArgs,
    genesis: &Genesis,
    confirmations: u64,
) -> anyhow::Result<L1View> {
    let output = block_in_place(|| genesis_output(genesis));
    let client = L1Client::connect(chain.l1(), genesis).await?;
    client.check_genesis(genesis, &output).await?;
    Ok(L1View::new(client, confirmations, output))
}

/// Reads, and reads again after the poll interval while an error is below [`Severity::Critical`]. Gives up after
/// [`FAILURES_MAX`] retries and returns the last error.
pub(crate) async fn with_retries<R, T, E: Display>(
    reader: &mut R,
    chain: &ChainArgs,
    mut read: impl AsyncFnMut(&mut R) -> Result<T, E>,
    severity: impl Fn(&E) -> Severity,
) -> Result<T, E> {
    let mut failures = 0;
    loop {
        match read(reader).await {
            Err(error) if severity(&error) < Severity::Critical && failures < FAILURES_MAX => {
                failures += 1;
                warn!(%error, "reading L1 failed, retrying");
                tokio::time::sleep(chain.l1_poll()).await;
            }
            done => return done,
        }
    }
}
