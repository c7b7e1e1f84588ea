use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use tokio::task::block_in_place;
use tracing::{error, info, warn};
use turnpike_game::{Calls, prove::BlockPosition};
use turnpike_l1::{L1Client, L1Error, L1View, ProposedOutput, Reorg};
use turnpike_protocol::{ChainConfig, Genesis};
use turnpike_storage::{Database, genesis_id};
use turnpike_tx_manager::{AccountClient, TxManager};

use crate::{
    ChallengerConfig, Event, ProposeConfig, Summary, TraceCache, Verdict, Verifier,
    act::THOUGHT_MAX,
    enquiry::enquire,
    metrics::ChallengerMetrics,
    outbox::{ChallengerTxManager, Outbox},
    peer::Peer,
    purpose::Purpose,
    story::{Stage, Story},
};

/// Whether there is more to do than to wait for L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A transaction is on its way, or an entry is not derived, or an output not judged.
    Busy,
    /// Every output is judged, and what could be done is done.
    Settled,
}

/// Derives the chain, judges outputs, and plays.
///
/// One step: read L1, derive and judge what is new, tell what has happened, do what is due. All but what is in flight follows
/// from L1, so that a challenger that starts again goes on wherever the last one stopped.
#[derive(Debug)]
pub struct Challenger {
    pub(crate) config: ChainConfig,
    pub(crate) calls: Calls,
    pub(crate) once: bool,
    pub(crate) propose: Option<ProposeConfig>,
    pub(crate) verifier: Verifier,
    pub(crate) view: L1View,
    /// `None`: watch only.
    pub(crate) sender: Option<ChallengerTxManager>,
    pub(crate) metrics: ChallengerMetrics,
    /// Runs of the machine on disputed blocks.
    pub(crate) traces: TraceCache,
    /// The block on which the machine is to run once the verifier has come to it.
    pub(crate) preparing: Option<BlockPosition>,
    /// Whether each output that was judged is right, by index. The genesis output was compared with the contracts.
    pub(crate) judged: Vec<bool>,
    /// Whether the parallel engine was never found to be wrong.
    trusts_engine: bool,
    /// Of what it was said that nothing is certain.
    pub(crate) unsure: BTreeSet<Purpose>,
    pub(crate) is_out_of_funds: bool,
    peer: Option<Peer>,
    /// Outputs that are judged, and of which nothing is told yet.
    untold: VecDeque<(ProposedOutput, Verdict)>,
    story: Story,
}

impl Challenger {
    /// Connects to L1, and opens the database.
    ///
    /// Needs the multi-threaded runtime: executing blocks takes a thread for a while.
    pub async fn connect(genesis: &Genesis, config: &ChallengerConfig) -> anyhow::Result<Self> {
        let verifier = block_in_place(|| Verifier::new_with(genesis, config.execution));
        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &verifier.genesis_output()).await?;
        let metrics = ChallengerMetrics::new();
        let mut sender = None;
        if let Some(key) = config.key.clone() {
            let database = match &config.database {
                Some(location) => Some(Database::open_plain(location, genesis_id(genesis)).await?),
                None => None,
            };
            let l1 = AccountClient::new(&client, key);
            info!(account = %l1.address(), "challenger is up");
            let outbox = database.map(Outbox::new);
            sender = Some(TxManager::open(l1, outbox, config.fees.into()).await?);
        }
        Ok(Self {
            config: genesis.config.clone(),
            calls: Calls::new(client.deployment(), &genesis.config),
            once: config.once,
            propose: config.propose,
            view: L1View::new(client, config.l1_confirmations, verifier.genesis_output()),
            verifier,
            sender,
            metrics,
            traces: TraceCache::default(),
            preparing: None,
            judged: vec![true],
            trusts_engine: true,
            unsure: BTreeSet::new(),
            is_out_of_funds: false,
            peer: config.peer.as_deref().map(Peer::new).transpose()?,
            untold: VecDeque::new(),
            story: Story::default(),
        })
    }

    /// What was seen and done so far.
    pub fn summary(&self) -> Summary {
        let own = self.sender.as_ref().map(ChallengerTxManager::address);
        let challenges = self.view.disputes().challenges().iter();
        let challenged = challenges.filter(|it| Some(it.challenger) == own).count() as u64;
        let ok = self.judged.iter().skip(1).filter(|is_ok| **is_ok).count() as u64;
        Summary { ok, wrong: self.judged.len() as u64 - 1 - ok, challenged }
    }

    /// Takes in what L1 has added: derives, judges, tells, plays.
    pub async fn step(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<Progress> {
        let reorg = self.view.advance().await?.reorg;
        block_in_place(|| self.verifier.rewind_to_common(self.view.entries()));
        if let Some(reorg) = reorg {
            self.go_back(reorg, report);
        }
        // Data that cannot be had now must not keep games waiting that do not need it.
        let derived = self.derive().await;
        let is_derived = !matches!(derived, Ok(false));
        self.tell_verdicts(report);
        // A game is told of by blocks that are derived.
        if is_derived {
            self.tell(report);
        }
        let acted = self.act(is_derived, report).await;
        // Last, since a peer may take its time.
        self.ask_peer().await;
        self.tell_verdicts(report);
        derived?;
        acted?;
        let is_settled = self.sender.as_ref().is_none_or(ChallengerTxManager::is_settled);
        let is_settled = is_settled && self.is_caught_up() && self.untold.is_empty();
        Ok(if is_settled { Progress::Settled } else { Progress::Busy })
    }

    /// Whether all that L1 holds is derived and judged.
    fn is_caught_up(&self) -> bool {
        self.verifier.next_entry() >= self.view.entries().len() as u64
            && self.judged.len() >= self.view.outputs().len()
    }

    /// Forgets what was judged and done on L1 blocks that are gone.
    fn go_back(&mut self, reorg: Reorg, report: &mut impl FnMut(Event)) {
        let Reorg { block, outputs, .. } = reorg;
        warn!(l1_block = block, outputs, "L1 has reorganised");
        self.metrics.reorgs.increment(1);
        self.judged.truncate(usize::try_from(outputs).unwrap_or(usize::MAX));
        self.untold.retain(|(output, _)| output.index < outputs);
        self.preparing = None;
        if let Some(sender) = &mut self.sender {
            sender.rewind(block);
        }
        report(Event::Reorg { block, outputs });
    }

    /// Derives and judges what L1 holds, for a while. Whether all is derived.
    async fn derive(&mut self) -> anyhow::Result<bool> {
        let started = Instant::now();
        self.judge();
        while self.derive_next().await? {
            self.judge();
            if started.elapsed() > THOUGHT_MAX {
                break;
            }
        }
        Ok(self.is_caught_up())
    }

    /// Judges every output that can be, in the order of their indexes.
    fn judge(&mut self) {
        if self.verifier.engine_fault().is_some() && self.trusts_engine {
            error!("outputs are judged again, by the sequential engine alone");
            self.trusts_engine = false;
            self.judged.truncate(1);
            self.untold.clear();
        }
        while let Some(output) = self.view.outputs().get(self.judged.len()).cloned() {
            let outputs = self.view.outputs();
            let verdict = block_in_place(|| self.verifier.judge(&output, outputs));
            if verdict == Verdict::Unknown {
                return;
            }
            // What is said against somebody is said by the oracle. It derives once more what this rests on.
            if verdict != Verdict::Ok && !self.verifier.confirm(&output, outputs) {
                return;
            }
            self.judged.push(verdict == Verdict::Ok);
            if verdict != Verdict::Ok {
                self.metrics.outputs_wrong.increment(1);
            }
            self.untold.push_back((output, verdict));
        }
    }

    /// Has a peer explain the first verdict that waits for it.
    async fn ask_peer(&mut self) {
        if let (Some(peer), Some((_, Verdict::Wrong { divergence }))) =
            (&self.peer, self.untold.front_mut())
        {
            enquire(peer, &self.verifier, divergence).await;
        }
    }

    /// Tells verdicts, up to the first that a peer is still to explain.
    fn tell_verdicts(&mut self, report: &mut impl FnMut(Event)) {
        let has_peer = self.peer.is_some();
        let is_ready = |(_, verdict): &mut (ProposedOutput, Verdict)| match verdict {
            Verdict::Wrong { divergence } => !has_peer || divergence.findings.is_some(),
            _ => true,
        };
        while let Some((output, verdict)) = self.untold.pop_front_if(is_ready) {
            let ProposedOutput { index, entry, l2_block: block, .. } = output;
            report(Event::Output { index, entry, block, verdict });
        }
    }

    /// Tells what has happened in disputes.
    fn tell(&mut self, report: &mut impl FnMut(Event)) {
        let stage = Stage {
            own: self.sender.as_ref().map(ChallengerTxManager::address),
            outputs: self.view.outputs(),
            disputes: self.view.disputes(),
            verifier: &self.verifier,
            blocks_per_entry: self.config.entry_blocks_max,
        };
        self.story.tell(&stage, &self.metrics, report);
    }
}

/// Whether the next look at L1 may find things better: it did not answer, or refused for the moment.
pub(crate) fn may_pass(error: &anyhow::Error) -> bool {
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
        assert!(may_pass(&unreachable.into()));
        let wrong = TxManagerError::from(L1Error::NotDeployed);
        assert!(!may_pass(&wrong.into()));
    }
}
