use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_derivation::FollowError;
use turnpike_executor::ExecutionHook;
use turnpike_l1::{L1Error, Severity};
use turnpike_protocol::Genesis;

use crate::{ProposerConfig, proposer::Proposer};

/// Runs a proposer until `stop`.
///
/// Needs the multi-threaded runtime: executing blocks takes a thread for a while.
pub async fn run(
    genesis: &Genesis,
    config: ProposerConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    run_with_hook(genesis, config, None, stop).await
}

/// Runs a proposer whose blocks a hook may change, for tests and `turnpike dev --liar`.
pub async fn run_with_hook(
    genesis: &Genesis,
    config: ProposerConfig,
    hook: Option<Box<dyn ExecutionHook>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut proposer = Proposer::connect(genesis, &config, hook).await?;
    let mut ticks = tokio::time::interval(config.poll.max(std::time::Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let step = async {
            ticks.tick().await;
            proposer.step().await
        };
        let result = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            result = step => result,
        };
        match result {
            Ok(()) => {}
            Err(error) if severity(&error) < Severity::Critical => {
                warn!(error = format!("{error:#}"), "step failed: will retry");
            }
            Err(error) => return Err(error),
        }
    }
}

fn severity(error: &anyhow::Error) -> Severity {
    let l1 = error.chain().find_map(|cause| cause.downcast_ref::<L1Error>().map(L1Error::severity));
    let follow = error.downcast_ref::<FollowError>().map(FollowError::severity);
    follow.or(l1).unwrap_or(Severity::Critical)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alloy::signers::local::PrivateKeySigner;
    use alloy_primitives::B256;
    use turnpike_executor::EngineConfig;

    use super::*;

    #[test]
    fn a_proposer_can_be_spawned() {
        const fn spawnable<F: Future + Send>(_: &F) {}
        let config = ProposerConfig {
            l1: "".into(),
            l1_confirmations: 0,
            poll: Duration::ZERO,
            execution: EngineConfig::default(),
            key: PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key"),
            interval: 0,
            withdraw_bonds: false,
        };
        spawnable(&run(&Genesis::dev(), config, CancellationToken::new()));
    }
}
