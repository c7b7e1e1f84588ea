use std::time::Duration;

use alloy::signers::local::PrivateKeySigner;
use tokio::{task::block_in_place, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use turnpike_executor::EngineConfig;
use turnpike_l1::{L1Client, L1Endpoints, L1Error, L1Sender, L1View, Reorg};
use turnpike_protocol::Genesis;

use crate::{
    Event, Summary, Verdict, Verifier,
    disputes::{Disputes, OnRefusal},
    enquiry::enquire,
    peer::Peer,
};

/// Looks at L1 in a row that may fail before a challenger that runs only once gives up.
const ONCE_FAILURES_MAX: u32 = 10;

/// How a challenger runs.
#[derive(Clone, Debug)]
pub struct ChallengerConfig {
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 is looked at.
    pub poll: Duration,
    /// What runs the derived blocks.
    pub execution: EngineConfig,
    /// Key that challenges; without it wrong outputs are only reported.
    pub key: Option<PrivateKeySigner>,
    /// JSON-RPC endpoint of a node that serves the claimed chain: makes reports more exact. Not trusted.
    pub peer: Option<String>,
    /// Whether to end once L1's head is reached and every output is judged.
    pub once: bool,
}

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

/// Whether there is more to do than to wait for L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// A challenge is under way.
    Busy,
    /// Every output is judged, every challenge made.
    Settled,
}

#[derive(Debug)]
struct Challenger {
    verifier: Verifier,
    view: L1View,
    /// `None`: watch only.
    disputes: Option<Disputes>,
    peer: Option<Peer>,
    /// Whether each output that was judged is right, by index. The genesis output was compared with the contracts.
    judged: Vec<bool>,
}

impl Challenger {
    async fn connect(genesis: &Genesis, config: &ChallengerConfig) -> anyhow::Result<Self> {
        let verifier = block_in_place(|| Verifier::new_with(genesis, config.execution));
        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &verifier.genesis_output()).await?;
        let confirmations = config.l1_confirmations;
        let disputes = config.key.clone().map(|key| {
            let sender = L1Sender::new(client.clone(), key);
            info!(account = %sender.address(), "challenger is up");
            let on_refusal = if config.once { OnRefusal::GiveUp } else { OnRefusal::Retry };
            Disputes::new(sender, genesis.config.clone(), confirmations, on_refusal)
        });
        let peer = config.peer.as_deref().map(Peer::new).transpose()?;
        let view = L1View::new(client, confirmations, verifier.genesis_output());
        Ok(Self { verifier, view, disputes, peer, judged: vec![true] })
    }

    fn summary(&self) -> Summary {
        let challenged = self.disputes.as_ref().map_or(0, Disputes::included);
        let ok = self.judged.iter().skip(1).filter(|is_ok| **is_ok).count() as u64;
        Summary { ok, wrong: self.judged.len() as u64 - 1 - ok, challenged }
    }

    /// Takes in what L1 has added: derives, judges, challenges.
    async fn step(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<Progress> {
        let reorg = self.view.advance().await?.reorg;
        block_in_place(|| self.verifier.rewind_to_common(self.view.entries()));
        if let Some(reorg) = reorg {
            self.go_back(reorg, report);
        }
        self.dispute(report).await?;
        self.judge(report).await?;
        while self.derive_next().await? {
            self.judge(report).await?;
        }
        let is_settled =
            self.disputes.as_ref().is_none_or(|disputes| disputes.is_settled(&self.view));
        Ok(if is_settled { Progress::Settled } else { Progress::Busy })
    }

    /// Forgets what was judged and challenged on L1 blocks that are gone.
    fn go_back(&mut self, reorg: Reorg, report: &mut impl FnMut(Event)) {
        let Reorg { block, outputs, .. } = reorg;
        warn!(l1_block = block, outputs, "L1 has reorganised");
        self.judged.truncate(usize::try_from(outputs).unwrap_or(usize::MAX));
        if let Some(disputes) = &mut self.disputes {
            disputes.go_back(block, outputs);
        }
        report(Event::Reorg { block, outputs });
    }

    /// Derives the next entry, if L1 has one.
    async fn derive_next(&mut self) -> anyhow::Result<bool> {
        let next = self.verifier.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| self.view.entries().get(at));
        let Some(posted) = posted.copied() else { return Ok(false) };
        let Some(source) = self.view.source(next).await? else { return Ok(false) };
        block_in_place(|| self.verifier.feed(&posted, &source.as_data()).map(drop))?;
        Ok(true)
    }

    /// Judges every output that can be, in the order of their indexes.
    async fn judge(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        while let Some(output) = self.view.outputs().get(self.judged.len()) {
            let mut verdict = block_in_place(|| self.verifier.judge(output, self.view.outputs()));
            let (index, entry, block) = (output.index, output.entry, output.l2_block);
            match &mut verdict {
                Verdict::Unknown => return Ok(()),
                Verdict::Ok => {}
                Verdict::Wrong { divergence } => {
                    if let Some(disputes) = &mut self.disputes {
                        disputes.add(index);
                    }
                    // First things first: the challenge must not wait for what a peer may take its time to say.
                    if let Err(error) = dispute(&mut self.disputes, &self.view, report).await {
                        warn!(%error, "cannot challenge now, will try again");
                    }
                    if let Some(peer) = &self.peer {
                        enquire(peer, &self.verifier, divergence).await;
                    }
                }
            }
            self.judged.push(verdict == Verdict::Ok);
            report(Event::Output { index, entry, block, verdict });
        }
        Ok(())
    }

    async fn dispute(&mut self, report: &mut impl FnMut(Event)) -> Result<(), L1Error> {
        dispute(&mut self.disputes, &self.view, report).await
    }
}

async fn dispute(
    disputes: &mut Option<Disputes>,
    view: &L1View,
    report: &mut impl FnMut(Event),
) -> Result<(), L1Error> {
    if let Some(disputes) = disputes
        && let Some(event) = disputes.step(view).await?
    {
        report(event);
    }
    Ok(())
}

/// Whether the next look at L1 may find things better: it did not answer, or refused for the moment.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<L1Error>() {
        Some(L1Error::Rejected(_)) => true,
        Some(error) => error.is_retryable(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
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
            peer: None,
            once: true,
        };
        spawnable(&run(Genesis::dev(), config, CancellationToken::new(), drop));
    }
}
