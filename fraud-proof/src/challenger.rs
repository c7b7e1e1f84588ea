use std::collections::BTreeSet;

use tokio::task::block_in_place;
use tracing::{error, info, warn};
use turnpike_l1::{L1Client, L1Error, L1Sender, L1View, Reorg};
use turnpike_protocol::{ChainConfig, Genesis};
use turnpike_storage::{Database, genesis_id};

use crate::{
    Calls, ChallengerConfig, Event, ProposeConfig, Summary, Verdict, Verifier,
    enquiry::enquire,
    game::Traces,
    metrics::ChallengerMetrics,
    peer::Peer,
    sender::{Purpose, Sender},
    story::{Stage, Story},
};

/// Whether there is more to do than to wait for L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A transaction is on its way, or an output is not judged.
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
    pub(crate) sender: Option<Sender>,
    pub(crate) metrics: ChallengerMetrics,
    /// Runs of the machine on disputed blocks.
    pub(crate) traces: Traces,
    /// Whether each output that was judged is right, by index. The genesis output was compared with the contracts.
    pub(crate) judged: Vec<bool>,
    /// Whether the parallel engine was never found to be wrong.
    trusts_engine: bool,
    /// Of what it was said that nothing is certain.
    pub(crate) unsure: BTreeSet<Purpose>,
    pub(crate) is_out_of_funds: bool,
    peer: Option<Peer>,
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
                Some(path) => Some(Database::open(path, genesis_id(genesis)).await?),
                None => None,
            };
            let l1 = L1Sender::new(client.clone(), key);
            info!(account = %l1.address(), "challenger is up");
            sender = Some(Sender::open(l1, database, config.fees, metrics.clone()).await?);
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
            traces: Traces::default(),
            judged: vec![true],
            trusts_engine: true,
            unsure: BTreeSet::new(),
            is_out_of_funds: false,
            peer: config.peer.as_deref().map(Peer::new).transpose()?,
            story: Story::default(),
        })
    }

    /// What was seen and done so far.
    pub fn summary(&self) -> Summary {
        let own = self.sender.as_ref().map(Sender::address);
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
        let derived = self.derive(report).await;
        self.tell(report);
        let acted = self.act(report).await;
        derived?;
        acted?;
        let is_settled = self.sender.as_ref().is_none_or(Sender::is_settled);
        Ok(if is_settled { Progress::Settled } else { Progress::Busy })
    }

    /// Forgets what was judged and done on L1 blocks that are gone.
    fn go_back(&mut self, reorg: Reorg, report: &mut impl FnMut(Event)) {
        let Reorg { block, outputs, .. } = reorg;
        warn!(l1_block = block, outputs, "L1 has reorganised");
        self.metrics.reorgs.increment(1);
        self.judged.truncate(usize::try_from(outputs).unwrap_or(usize::MAX));
        if let Some(sender) = &mut self.sender {
            sender.go_back(block);
        }
        report(Event::Reorg { block, outputs });
    }

    /// Derives and judges all that L1 holds.
    async fn derive(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        self.judge(report).await?;
        while self.derive_next().await? {
            self.judge(report).await?;
        }
        Ok(())
    }

    /// Derives the next entry, if L1 has one.
    pub(crate) async fn derive_next(&mut self) -> anyhow::Result<bool> {
        let next = self.verifier.next_entry();
        let posted = usize::try_from(next).ok().and_then(|at| self.view.entries().get(at));
        let Some(posted) = posted.copied() else { return Ok(false) };
        let Some(source) = self.view.source(next).await? else { return Ok(false) };
        block_in_place(|| self.verifier.feed(&posted, &source.as_data()).map(drop))?;
        Ok(true)
    }

    /// Judges every output that can be, in the order of their indexes.
    async fn judge(&mut self, report: &mut impl FnMut(Event)) -> anyhow::Result<()> {
        if self.verifier.engine_fault().is_some() && self.trusts_engine {
            error!("outputs are judged again, by the sequential engine alone");
            self.trusts_engine = false;
            self.judged.truncate(1);
        }
        while let Some(output) = self.view.outputs().get(self.judged.len()).cloned() {
            let outputs = self.view.outputs();
            let mut verdict = block_in_place(|| self.verifier.judge(&output, outputs));
            if verdict == Verdict::Unknown {
                return Ok(());
            }
            // What is said against somebody is said by the oracle. It derives once more what this rests on.
            if verdict != Verdict::Ok && !self.verifier.confirm(&output, outputs) {
                return Ok(());
            }
            self.judged.push(verdict == Verdict::Ok);
            if let Verdict::Wrong { divergence } = &mut verdict {
                self.metrics.outputs_wrong.increment(1);
                // First things first: the challenge must not wait for what a peer may take its time to say.
                if let Err(error) = self.act(report).await {
                    warn!(error = format!("{error:#}"), "cannot challenge now, will try again");
                }
                if let Some(peer) = &self.peer {
                    enquire(peer, &self.verifier, divergence).await;
                }
            }
            let (index, entry, block) = (output.index, output.entry, output.l2_block);
            report(Event::Output { index, entry, block, verdict });
        }
        Ok(())
    }

    /// Tells what has happened in disputes.
    fn tell(&mut self, report: &mut impl FnMut(Event)) {
        let stage = Stage {
            own: self.sender.as_ref().map(Sender::address),
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
