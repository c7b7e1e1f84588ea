//! The challenger: reads L1, derives and judges, reports events, plays.
//!
//! # State
//!
//! [`HonestChain`] holds what is known, [`Judgements`] what is right, [`DisputeReporter`] what was
//! reported, and [`Player`] what is in flight. Everything but the transactions in flight follows
//! from L1.
//!
//! # Recovery
//!
//! A new challenger reads L1 from the start and opens the outbox: it continues where the last one
//! stopped.

use std::time::Instant;

use tokio::task::block_in_place;
use tracing::warn;
use turnpike_game::Calls;
use turnpike_l1::{L1Client, L1Error, L1View, Reorg};
use turnpike_protocol::Genesis;
use turnpike_storage::{Database, genesis_id};

use crate::{
    ChallengerConfig, Event, Summary, Verifier,
    chain::{HonestChain, TURN_TIME_MAX},
    dispute_reporter::{DisputeReporter, DisputeSnapshot},
    judgements::Judgements,
    metrics::ChallengerMetrics,
    peer::Peer,
    player::{Player, PlayerConfig},
};

/// Whether the challenger waits for L1 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A transaction is in flight, or an entry is not derived, or an output is not judged.
    Busy,
    /// Every output is judged, and every action is done.
    Settled,
}

/// Derives the chain, judges outputs, and plays.
#[derive(Debug)]
pub struct Challenger {
    chain: HonestChain,
    judgements: Judgements,
    reporter: DisputeReporter,
    /// `None`: watch only.
    player: Option<Player>,
    metrics: ChallengerMetrics,
}

impl Challenger {
    /// Connects to L1, checks its contracts against `genesis` and opens the database.
    ///
    /// Needs the multi-threaded runtime: executing blocks occupies a thread.
    pub async fn connect(genesis: &Genesis, config: &ChallengerConfig) -> anyhow::Result<Self> {
        let verifier = block_in_place(|| Verifier::new_with(genesis, config.execution));
        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &verifier.genesis_output()).await?;
        let metrics = ChallengerMetrics::default();
        let mut player = None;
        if let Some(key) = config.key.clone() {
            let database = match &config.database {
                Some(location) => Some(Database::open_plain(location, genesis_id(genesis)).await?),
                None => None,
            };
            let config = PlayerConfig {
                calls: Calls::new(client.deployment(), &genesis.config),
                fees: config.fees,
                propose: config.propose,
                challenges_only: config.once,
            };
            player = Some(Player::open(&client, key, database, config, metrics.clone()).await?);
        }
        let view = L1View::new(client, config.l1_confirmations, verifier.genesis_output());
        Ok(Self {
            chain: HonestChain::new(genesis.config.clone(), view, verifier, config.run_threads),
            judgements: Judgements::new(config.peer.as_deref().map(Peer::new).transpose()?),
            reporter: DisputeReporter::default(),
            player,
            metrics,
        })
    }

    /// What was judged and challenged so far.
    pub fn summary(&self) -> Summary {
        let own = self.player.as_ref().map(Player::address);
        let challenges = self.chain.view().disputes().challenges().iter();
        let challenged = challenges.filter(|it| Some(it.challenger) == own).count() as u64;
        let (ok, wrong) = self.judgements.counts();
        Summary { ok, wrong, challenged }
    }

    /// Takes one step: reads what L1 has added, derives, judges, reports and plays.
    pub async fn step(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<Progress> {
        if let Some(reorg) = self.chain.advance().await? {
            self.rewind(reorg, report);
        }
        // If an entry's data is missing, games that do not need it continue.
        let derived = self.derive().await;
        let is_derived = !matches!(derived, Ok(false));
        self.judgements.report(report);
        // Reports of games name derived blocks.
        if is_derived {
            self.report_disputes(report);
        }
        let acted = match &mut self.player {
            Some(player) => player.act(&mut self.chain, &self.judgements, is_derived, report).await,
            None => Ok(()),
        };
        self.chain.collect_witnesses();
        self.metrics.runs_open.set(self.chain.runs().open() as f64);
        // Last, because a peer may be slow.
        self.judgements.ask_peer(self.chain.verifier()).await;
        self.judgements.report(report);
        derived?;
        acted?;
        let is_settled = self.player.as_ref().is_none_or(Player::is_settled);
        let is_settled = is_settled
            && !self.is_running()
            && self.is_caught_up()
            && self.judgements.is_reported();
        Ok(if is_settled { Progress::Settled } else { Progress::Busy })
    }

    /// Whether a move waits for a run of the proof program.
    pub fn is_running(&self) -> bool {
        self.chain.runs().open() > 0
    }

    /// Waits until a run has got further since the last call. Then another step may make a move.
    pub async fn run_finished(&self) {
        self.chain.runs().finished().await;
    }

    /// Whether everything on L1 is derived and judged. Not so while the reference executor derives
    /// entries again, before something is staked on them.
    pub fn is_caught_up(&self) -> bool {
        self.chain.is_derived() && self.judgements.has_judged(self.chain.view().outputs().len())
    }

    /// Drops what was judged and sent on L1 blocks that are gone.
    fn rewind(&mut self, reorg: Reorg, report: &mut impl FnMut(Event)) {
        let Reorg { block, outputs, .. } = reorg;
        warn!(l1_block = block, outputs, "L1 reorg");
        self.metrics.reorgs.increment(1);
        self.judgements.truncate(outputs);
        if let Some(player) = &mut self.player {
            player.rewind(block);
        }
        report(Event::Reorg { block, outputs });
    }

    /// Derives and judges for up to [`TURN_TIME_MAX`]. Returns whether everything is derived and
    /// judged.
    async fn derive(&mut self) -> anyhow::Result<bool> {
        let started = Instant::now();
        self.judgements.judge(&mut self.chain, &self.metrics);
        while self.chain.derive_next().await? {
            self.judgements.judge(&mut self.chain, &self.metrics);
            if started.elapsed() > TURN_TIME_MAX {
                break;
            }
        }
        Ok(self.is_caught_up())
    }

    /// Reports what is new in disputes.
    fn report_disputes(&mut self, report: &mut impl FnMut(Event)) {
        let view = self.chain.view();
        let snapshot = DisputeSnapshot {
            own: self.player.as_ref().map(Player::address),
            outputs: view.outputs(),
            disputes: view.disputes(),
            verifier: self.chain.verifier(),
            blocks_per_entry: self.chain.config().blocks_per_entry_max(),
        };
        self.reporter.report_new(&snapshot, &self.metrics, report);
    }
}

/// Whether the next read of L1 may succeed: L1 did not answer, or refused for the moment.
pub(crate) fn is_retryable(error: &anyhow::Error) -> bool {
    match error.chain().find_map(|cause| cause.downcast_ref::<L1Error>()) {
        Some(L1Error::Rejected(_)) => true,
        Some(error) => error.is_retryable(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use turnpike_tx_manager::TxManagerError;

    use super::*;

    #[test]
    fn unreachable_l1_while_sending_is_retried() {
        let unreachable = TxManagerError::from(L1Error::Unreachable(String::new()));
        assert!(is_retryable(&unreachable.into()));
        let wrong = TxManagerError::from(L1Error::NotDeployed);
        assert!(!is_retryable(&wrong.into()));
    }
}
