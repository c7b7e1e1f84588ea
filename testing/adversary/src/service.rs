use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_protocol::Genesis;

use crate::{Deed, Liar, LiarConfig};

/// Runs a liar until `stop`; it looks at L1 every `poll`.
///
/// Needs the multi-threaded runtime: executing blocks takes a thread for a while.
pub async fn run(
    genesis: &Genesis,
    config: LiarConfig,
    poll: Duration,
    stop: CancellationToken,
    mut report: impl FnMut(Deed),
) -> anyhow::Result<()> {
    let mut liar = Liar::connect(genesis, config).await?;
    report(liar.introduction());
    let mut ticks = tokio::time::interval(poll.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let step = async {
            ticks.tick().await;
            liar.step(&mut report).await
        };
        let result = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            result = step => result,
        };
        match result {
            Ok(_) => {}
            Err(error) if error.is_retryable() => {
                warn!(error = format!("{error:#}"), "will try again");
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
    use crate::{Kind, Role};

    #[test]
    fn a_liar_can_be_spawned() {
        const fn spawnable<F: Future + Send>(_: &F) {}
        let config = LiarConfig {
            l1: "".into(),
            kind: Kind::State,
            role: Role::Accomplice,
            keys: vec![PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).expect("a key")],
        };
        let (genesis, stop) = (Genesis::dev(), CancellationToken::new());
        spawnable(&run(&genesis, config, Duration::ZERO, stop, drop));
    }
}
