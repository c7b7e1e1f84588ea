use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_protocol::Genesis;

use crate::{Adversary, AdversaryConfig, AdversaryEvent};

/// Runs an adversary until `stop`. It reads L1 and moves every `poll`.
///
/// It logs retryable errors and tries again. Any other error ends it.
///
/// Needs the multi-threaded runtime: executing blocks occupies a thread.
pub async fn run(
    genesis: &Genesis,
    config: AdversaryConfig,
    poll: Duration,
    stop: CancellationToken,
    mut report: impl FnMut(AdversaryEvent),
) -> anyhow::Result<()> {
    let mut adversary = Adversary::connect(genesis, config).await?;
    report(adversary.introduction());
    let mut ticks = tokio::time::interval(poll.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let step = async {
            ticks.tick().await;
            adversary.step(&mut report).await
        };
        let result = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            result = step => result,
        };
        match result {
            Ok(_) => {}
            Err(error) if error.is_retryable() => {
                warn!(error = format!("{error:#}"), "adversary step failed, retrying");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::signers::local::PrivateKeySigner;
    use alloy_primitives::B256;

    use super::*;
    use crate::{AdversaryRole, Attack};

    #[test]
    fn run_returns_a_future_that_can_be_spawned() {
        const fn spawnable<F: Future + Send>(_: &F) {}
        let config = AdversaryConfig {
            l1: "".into(),
            attack: Attack::State,
            role: AdversaryRole::Defender,
            keys: vec![PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key")],
        };
        let (genesis, stop) = (Genesis::dev(), CancellationToken::new());
        spawnable(&run(&genesis, config, Duration::ZERO, stop, drop));
    }
}
