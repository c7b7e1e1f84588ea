use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_adversary::{Adversary, AdversaryConfig, AdversaryRole, Attack};
use turnpike_challenger::{Challenger, ChallengerConfig, FeePolicy, ProposeConfig};

use super::chain::DisputedChain;

/// Time between a player's looks at L1.
pub(super) const POLL: Duration = Duration::from_millis(100);

/// The disputed entry.
const ENTRY: u64 = 2;

/// How long a player has worked since the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkTime(Arc<AtomicU64>);

impl WorkTime {
    /// The time so far, which is set back to zero.
    pub(super) fn take(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }

    /// Runs some work and adds its time.
    async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
        done
    }
}

/// Proposes a false output and defends it.
pub(super) async fn attack(
    chain: &DisputedChain,
    attack: Attack,
    busy: WorkTime,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let role = AdversaryRole::Proposer { entry: Some(ENTRY) };
    let keys = vec![chain.accounts.proposer()];
    let config = AdversaryConfig { l1: chain.l1.url().into(), attack, role, keys };
    let mut adversary = Adversary::connect(&chain.genesis, config).await?;
    while !stop.is_cancelled() {
        if let Err(error) = busy.count(adversary.step(&mut drop)).await {
            warn!(%error, "adversary step failed, retrying");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Challenges the false output.
pub(super) async fn challenge(
    chain: &DisputedChain,
    busy: WorkTime,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let config = challenger_config(chain, None);
    let mut challenger = Challenger::connect(&chain.genesis, &config).await?;
    while !stop.is_cancelled() {
        if let Err(error) = busy.count(challenger.step(&mut drop)).await {
            warn!(%error, "challenger step failed, retrying");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// A challenger without a database.
pub(super) fn challenger_config(
    chain: &DisputedChain,
    propose: Option<ProposeConfig>,
) -> ChallengerConfig {
    ChallengerConfig {
        l1: chain.l1.url().into(),
        l1_confirmations: 0,
        poll: POLL,
        execution: turnpike_executor::EngineConfig::default(),
        run_threads: None,
        key: Some(chain.accounts.challenger()),
        database: None,
        fees: FeePolicy::default(),
        propose,
        peer: None,
        once: false,
    }
}
