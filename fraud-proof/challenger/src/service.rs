//! Drives a challenger: a step per tick, until it is stopped or, with `once`, has caught up.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_protocol::Genesis;

use crate::{
    Event, Summary,
    challenger::{Challenger, Progress, is_retryable},
    config::ChallengerConfig,
};

/// Maximum number of failed steps in a row of a challenger that runs once.
const ONCE_FAILURES_MAX: u32 = 10;

/// Runs a challenger until `stop`, or with [`ChallengerConfig::once`] until it has caught up.
/// Errors that L1 may recover from are retried at the next tick.
///
/// Needs the multi-threaded runtime: executing blocks occupies a thread.
pub async fn run(
    genesis: Genesis,
    config: ChallengerConfig,
    stop: CancellationToken,
    mut report: impl FnMut(Event),
) -> anyhow::Result<Summary> {
    let mut challenger = Challenger::connect(&genesis, &config).await?;
    let mut ticks = tokio::time::interval(config.poll.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        let step = async {
            tokio::select! {
                _ = ticks.tick() => {}
                () = challenger.run_finished() => {}
            }
            challenger.step(&mut report).await
        };
        let result = tokio::select! {
            () = stop.cancelled() => break,
            result = step => result,
        };
        match result {
            Ok(Progress::Settled) if config.once => break,
            Ok(_) => failures = 0,
            Err(error)
                if is_retryable(&error) && (!config.once || failures < ONCE_FAILURES_MAX) =>
            {
                failures += 1;
                warn!(error = format!("{error:#}"), "step failed, retrying");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(challenger.summary())
}

#[cfg(test)]
mod tests {
    use turnpike_executor::EngineConfig;
    use turnpike_l1::L1Endpoints;
    use turnpike_tx_manager::FeePolicy;

    use super::*;

    #[test]
    fn challenger_future_is_send() {
        const fn spawnable<F: Future + Send + 'static>(_: &F) {}
        let config = ChallengerConfig {
            l1: L1Endpoints::from(""),
            l1_confirmations: 0,
            poll: Duration::ZERO,
            execution: EngineConfig::default(),
            run_threads: None,
            key: None,
            database: None,
            fees: FeePolicy::default(),
            propose: None,
            peer: None,
            once: true,
        };
        spawnable(&run(Genesis::dev(), config, CancellationToken::new(), drop));
    }
}
