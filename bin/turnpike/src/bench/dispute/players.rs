use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_adversary::{Kind, Liar, LiarConfig, Role};
use turnpike_challenger::{Challenger, ChallengerConfig, FeePolicy};

use super::chain::Chain;

/// How often players look at L1.
const POLL: Duration = Duration::from_millis(100);

/// The disputed entry.
const ENTRY: u64 = 2;

/// How long a player has been at work.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicU64>);

impl Busy {
    /// Takes out what has come together.
    pub(super) fn take(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }

    /// Time that has come together since it was taken out.
    async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
        done
    }
}

/// Proposes a false output and defends it.
pub(super) async fn lie(
    chain: &Chain,
    kind: Kind,
    busy: Busy,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = LiarConfig {
        l1: chain.l1.url().into(),
        kind,
        role: Role::Proposer { entry: Some(ENTRY) },
        keys: vec![chain.accounts.proposer()],
    };
    let mut liar = Liar::connect(&chain.genesis, config).await?;
    while !stop.is_cancelled() {
        if let Err(error) = busy.count(liar.step(&mut drop)).await {
            warn!(%error, "the liar will try again");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Challenges what is false.
pub(super) async fn challenge(
    chain: &Chain,
    busy: Busy,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = ChallengerConfig {
        l1: chain.l1.url().into(),
        l1_confirmations: 0,
        poll: POLL,
        execution: turnpike_executor::EngineConfig::default(),
        key: Some(chain.accounts.challenger()),
        database: None,
        fees: FeePolicy::default(),
        propose: None,
        peer: None,
        once: false,
    };
    let mut challenger = Challenger::connect(&chain.genesis, &config).await?;
    while !stop.is_cancelled() {
        if let Err(error) = busy.count(challenger.step(&mut drop)).await {
            warn!(%error, "the challenger will try again");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
