use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_protocol::Genesis;

use crate::{
    Event, Summary,
    challenger::{Challenger, Progress, may_pass},
    config::ChallengerConfig,
};

/// Looks at L1 in a row that may fail before a challenger that runs only once gives up.
const ONCE_FAILURES_MAX: u32 = 10;

/// Runs a challenger until `stop`, or with [`ChallengerConfig::once`] until it has caught up.
///
/// Needs the multi-threaded runtime: executing blocks takes a thread for a while.
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
            ticks.tick().await;
            challenger.step(&mut report).await
        };
        let result = tokio::select! {
            () = stop.cancelled() => break,
            result = step => result,
        };
        match result {
            Ok(Progress::Settled) if config.once => break,
            Ok(_) => failures = 0,
            Err(error) if may_pass(&error) && (!config.once || failures < ONCE_FAILURES_MAX) => {
                failures += 1;
                warn!(error = format!("{error:#}"), "will try again");
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
    fn a_challenger_can_be_spawned() {
        const fn spawnable<F: Future + Send + 'static>(_: &F) {}
        let config = ChallengerConfig {
            l1: L1Endpoints::from(""),
            l1_confirmations: 0,
            poll: Duration::ZERO,
            execution: EngineConfig::default(),
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
