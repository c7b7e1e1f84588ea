//! Runs a sequencer: starts its parts, feeds L1's events to the driver, and stops in order.
//!
//! # Recovery
//!
//! A start restores the chain from checkpoint and journal, fills the pool and reads L1 once before
//! it serves.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex as SyncMutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use futures_util::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc},
    task::{AbortHandle, JoinSet, block_in_place, spawn_blocking},
};
use tokio_util::sync::CancellationToken;
use turnpike_derivation::Derivation;
use turnpike_executor::{Chain, ExecutionHook};
use turnpike_l1::{L1Client, L1View};
use turnpike_protocol::{Genesis, decode_transaction};
use turnpike_signers::recover_all;
use turnpike_storage::{AcceptedTx, Database, JournalEntry, SliceEntry, genesis_id};

use crate::{
    NodeHandles, PooledTx, PromiseSigner, Refusal, SequencerConfig,
    committer::{COMMITS_WAITING_MAX, Committer, JournalCommit},
    driver::Driver,
    handles::HeadSenders,
    producer::{Producer, ProducerConfig, ProductionState},
    producer_event::{ProducerCommand, ProducerEvent},
    restore::{Restored, restore},
    safe_head::PasserProofRetention,
    sealed::genesis_record,
    sealer::{BLOCKS_TO_INDEX_MAX, BLOCKS_TO_SEAL_MAX, Indexer, Sealer},
    server_tasks::{RunningServers, ServerTask, ended_early},
    slice::SlicePace,
    tracker::{L1Event, Tracker},
};

/// Submissions that wait for the producer, at most.
const EVENTS_WAITING_MAX: usize = 4_096;

/// Shortest interval between slices. Transactions that arrive within it share a slice.
const SLICE_INTERVAL: Duration = Duration::from_millis(2);

/// A sequencer that is ready to run: its chain is restored and L1 is read. The caller composes
/// servers around it.
#[derive(Debug)]
pub struct Sequencer {
    node: Node,
    tracker: Tracker,
    l1: L1Client,
}

impl Sequencer {
    /// Restores the chain from checkpoint and journal, fills the pool and reads L1 once. `hook` may
    /// change blocks, for tests and `turnpike dev --liar`. Returns `None` if `stop` is cancelled.
    pub async fn open(
        genesis: &Genesis,
        config: SequencerConfig,
        hook: Option<Box<dyn ExecutionHook>>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let started = stop.run_until_cancelled(Node::start(genesis, config, hook)).await;
        let Some(mut node) = started.transpose()? else { return Ok(None) };
        let begun = stop.run_until_cancelled(sync_with_l1(genesis, &mut node.driver)).await;
        if let Some(Ok((tracker, l1))) = begun {
            return Ok(Some(Self { node, tracker, l1 }));
        }
        // The node's parts run. They must be stopped in order.
        node.stop().await?;
        begun.transpose().map(|_| None)
    }

    /// The handles for servers.
    pub fn handles(&self) -> &NodeHandles {
        &self.node.driver.handles
    }

    /// The client of its L1.
    pub const fn l1(&self) -> &L1Client {
        &self.l1
    }

    /// Runs with its servers until `stop` is cancelled, or until a part or a server fails. Then it
    /// cancels `stop` and stops all others: the servers first, so that every submission gets its
    /// reply.
    pub async fn serve(
        self,
        servers: Vec<ServerTask>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let chain = Arc::clone(&self.node.driver.handles.chain);
        let result = self.drive(servers, &stop).await;
        stop.cancel();
        chain.close().await;
        result
    }

    /// The only place that handles L1's events: one at a time.
    async fn drive(self, servers: Vec<ServerTask>, stop: &CancellationToken) -> anyhow::Result<()> {
        let Self { mut node, tracker, .. } = self;
        let handles = Arc::clone(&node.driver.handles);
        let (send_l1_events, mut l1_events) = mpsc::channel(1);
        let l1_poll = node.driver.config.l1_poll;
        let mut tracking = tokio::spawn(tracker.run(l1_poll, send_l1_events, stop.clone()));
        let mut servers = RunningServers::spawn(servers);
        let mut ended = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                ended = node.ended() => break ended,
                ended = &mut tracking => break ended_early("the L1 tracker", ended),
                ended = servers.ended() => break ended,
                Some((event, done)) = l1_events.recv() => {
                    // A reorg may execute the journal again, which takes long. The next start
                    // repeats an interrupted one.
                    match stop.run_until_cancelled(node.driver.handle_l1_event(event)).await {
                        // The tracker may have stopped.
                        Some(Ok(())) => drop(done.send(())),
                        Some(Err(error)) => break Err(error),
                        None => break Ok(()),
                    }
                }
            }
        };
        stop.cancel();
        drop(l1_events);
        handles.transactions.preconfirmations.stop();
        // Submissions get their replies before the parts that reply stop.
        ended = ended.and(servers.finish().await);
        if !tracking.is_finished() {
            ended = ended.and(tracking.await.map_err(Into::into).flatten());
        }
        let stopped = node.stop().await;
        // Parts end because one failed: report that one, whichever was noticed first.
        match handles.failure.reason() {
            Some(reason) => bail!("{reason}"),
            None => ended.and(stopped),
        }
    }
}

/// Handles everything that L1 holds.
async fn sync_with_l1(
    genesis: &Genesis,
    driver: &mut Driver,
) -> anyhow::Result<(Tracker, L1Client)> {
    let config = &driver.config;
    let genesis_head = Chain::from_genesis(genesis).head().clone();
    let client = L1Client::connect(config.l1.clone(), genesis).await?;
    client.check_genesis(genesis, &genesis_head.output).await?;
    let view = L1View::new(client.clone(), config.l1_confirmations, genesis_head.output);
    let derivation = Derivation::new(genesis.config.clone(), genesis_head.parent);
    let mut tracker = Tracker::new(view, derivation, Arc::clone(&driver.handles.chain.database));
    loop {
        let event = tracker.next().await?;
        let is_all = matches!(event, L1Event::Progress(_));
        driver.handle_l1_event(event).await?;
        if is_all {
            return Ok((tracker, client));
        }
    }
}

/// The running parts that make and persist blocks.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) driver: Driver,
    parts: JoinSet<anyhow::Result<()>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests crash it"))]
    committer: AbortHandle,
}

impl Node {
    /// Restores the chain to the end of the journal and starts the parts. No block is made before
    /// the driver knows what L1 holds.
    pub(crate) async fn start(
        genesis: &Genesis,
        config: SequencerConfig,
        hook: Option<Box<dyn ExecutionHook>>,
    ) -> anyhow::Result<Self> {
        let chain = Chain::from_genesis(genesis);
        let sign = |key| PromiseSigner::of(genesis, chain.head().hash(), key);
        let signer = config.key.clone().map(sign).transpose()?;
        let database = Arc::new(Database::open(&config.database, genesis_id(genesis)).await?);
        database.record_genesis(&chain.head().hash(), &genesis_record(&chain)).await?;
        let restored = restore(chain, &database, &config.state, config.execution).await?;
        let Restored { chain, mut checkpoints, pending, unindexed, .. } = restored;
        checkpoints.set_interval(config.checkpoint_blocks);

        let (send_events, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let (send_commits, commits) = mpsc::channel(COMMITS_WAITING_MAX);
        let (send_closings, blocks_to_seal) = mpsc::channel(BLOCKS_TO_SEAL_MAX);
        let (send_indexings, blocks_to_index) = mpsc::channel(BLOCKS_TO_INDEX_MAX);
        let submission_route = config.submission_route.clone();
        let (handles, senders) = NodeHandles::new(
            chain,
            database,
            submission_route,
            config.pool,
            signer,
            send_events.clone(),
        )
        .await?;
        let handles = Arc::new(handles);
        let HeadSenders { head, journal_end, settlement_changed } = senders;
        let (head, journal_end) = (Arc::new(head), Arc::new(journal_end));
        let mut production = ProductionState::new();
        pending.iter().for_each(|waits| production.note_arrival(waits.arrival));
        let refused = restore_pool(&handles, pending).await;
        let production = Arc::new(SyncMutex::new(production));
        let checkpoints = Arc::new(Mutex::new(checkpoints));
        let now = Instant::now();
        // On a quiet chain every entry stays young enough to be an origin.
        let quiet_max = Duration::from_secs(handles.chain.config.origin_age_max / 4);
        let heartbeat = config.heartbeat.min(quiet_max);
        let producer = Producer {
            handles: Arc::clone(&handles),
            production: Arc::clone(&production),
            config: ProducerConfig {
                block_interval: config.block_interval,
                slice_interval: SLICE_INTERVAL,
                heartbeat,
                backlog: config.backlog,
            },
            runtime: Handle::current(),
            events,
            commits: send_commits.clone(),
            blocks_to_seal: send_closings,
            hook,
            started_at: now,
            opened_at: now,
            sliced_at: now,
            pace: SlicePace::default(),
            has_more: true,
            stale: Vec::new(),
        };
        if !refused.is_empty() {
            let entry = JournalEntry::Slice(SliceEntry { refused, ..SliceEntry::default() });
            let commit = JournalCommit { entries: vec![entry], ..JournalCommit::default() };
            send_commits.send(commit).await.ok().context("the committer has ended")?;
        }
        let sealer = Sealer {
            handles: Arc::clone(&handles),
            blocks_to_seal,
            commits: send_commits,
            blocks_to_index: send_indexings,
            checkpoints: Arc::clone(&checkpoints),
        };
        let indexer =
            Indexer { handles: Arc::clone(&handles), blocks_to_index, head: Arc::clone(&head) };
        let committer =
            Committer::new(Arc::clone(&handles), commits, Arc::clone(&journal_end), unindexed);
        let mut parts = JoinSet::new();
        let producing = async { spawn_blocking(|| producer.run()).await? };
        let committer =
            parts.spawn(report_failure(Arc::clone(&handles), "committer", committer.run()));
        parts.spawn(report_failure(Arc::clone(&handles), "sealer", sealer.run()));
        parts.spawn(report_failure(Arc::clone(&handles), "indexer", indexer.run()));
        parts.spawn(report_failure(Arc::clone(&handles), "producer", producing));
        let driver = Driver {
            config,
            genesis: genesis.clone(),
            handles,
            production,
            checkpoints,
            events: send_events,
            head,
            journal_end,
            settlement_changed,
            proofs: PasserProofRetention::default(),
            #[cfg(test)]
            stop_after: None,
        };
        Ok(Self { driver, parts, committer })
    }

    /// Waits for a part to end, which is an error.
    async fn ended(&mut self) -> anyhow::Result<()> {
        match self.parts.join_next().await {
            Some(ended) => {
                ended??;
                bail!("a part of the node ended")
            }
            None => bail!("all parts of the node ended"),
        }
    }

    /// Completes the open block and writes everything. The first error is that of the failed part.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // The receiver is gone if the producer ended.
        let _ = self.driver.events.send(ProducerEvent::Command(ProducerCommand::Stop)).await;
        let mut result = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            let ended = ended.map_err(anyhow::Error::from).flatten();
            result = result.and(ended);
        }
        let checkpoints = Arc::try_unwrap(self.driver.checkpoints);
        let checkpoints =
            checkpoints.ok().context("invariant: no other part holds the checkpoints")?;
        checkpoints.into_inner().finish().await;
        result
    }
}

#[cfg(test)]
impl Node {
    /// Crashes: drops what is not durable.
    pub(crate) async fn crash(mut self) {
        self.committer.abort();
        let _ = self.driver.events.send(ProducerEvent::Command(ProducerCommand::Stop)).await;
        while self.parts.join_next().await.is_some() {}
        self.driver.handles.chain.close().await;
    }

    /// Completes this many blocks and waits for them.
    pub(crate) async fn seal(&self, blocks: usize) {
        for _ in 0..blocks {
            let (done, is_done) = tokio::sync::oneshot::channel();
            let seal = ProducerEvent::Command(ProducerCommand::Seal(done));
            self.driver.events.send(seal).await.expect("runs");
            is_done.await.expect("makes a block");
        }
        let newest = self.driver.handles.chain.read().await.tip().parent.number;
        let mut head = self.driver.head.subscribe();
        head.wait_for(|head| *head >= newest).await.expect("never ends");
    }
}

/// Reports the failure of a part to all others, which may wait for it.
async fn report_failure(
    handles: Arc<NodeHandles>,
    part: &str,
    run: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let ended = AssertUnwindSafe(run).catch_unwind().await;
    let ended = ended.unwrap_or_else(|_| Err(anyhow!("the {part} has panicked")));
    ended.inspect_err(|error| handles.fail(format!("{error:#}")))
}

/// Fills the pool with the transactions that waited at the last stop. Refuses only those that can
/// never run; others wait for funds or fees.
async fn restore_pool(
    handles: &NodeHandles,
    pending: Vec<AcceptedTx>,
) -> Vec<(alloy_primitives::B256, String)> {
    let chain = handles.chain.read().await;
    let mut pool = handles.transactions.pool_mut();
    let mut envelopes = Vec::with_capacity(pending.len());
    let mut decode = |waits: &AcceptedTx| -> Result<(), Refusal> {
        envelopes.push(decode_transaction(waits.bytes().map_or(&[][..], |raw| &raw[..]))?);
        Ok(())
    };
    let decoded: Vec<_> = pending.iter().map(&mut decode).collect();
    // No checksum covers the senders in the log, but signatures do.
    let mut signed = block_in_place(|| recover_all(envelopes)).into_iter();
    let mut refused = Vec::new();
    for (waits, decoded) in pending.into_iter().zip(decoded) {
        let AcceptedTx { arrival, received_ms, hash, .. } = waits;
        let taken = decoded.and_then(|()| {
            let tx = signed.next().expect("invariant: one for each envelope");
            let (sender, raw) = (tx.signer()?, tx.encoded().into());
            let nonce = chain.state().account(&sender).unwrap_or_default().nonce;
            let tx = PooledTx { tx, raw, sender, arrival, received_ms };
            pool.restore(tx, nonce, Instant::now())
        });
        if let Err(refusal) = taken {
            refused.push((hash, refusal.to_string()));
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use turnpike_protocol::L1Deployment;

    use super::*;
    use crate::driver::tests::test_sequencer::config_in;

    #[tokio::test]
    async fn panic_in_a_part_ends_the_node() {
        let folder = tempfile::tempdir().expect("a folder");
        let (handles, ..) = NodeHandles::of_new(folder.path(), &Genesis::dev()).await;
        let ended =
            report_failure(Arc::clone(&handles), "sealer", async { panic!("on purpose") }).await;
        assert!(ended.is_err() && handles.failure.is_failed());
        assert_eq!(handles.failure.reason(), Some("the sealer has panicked"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stop_before_start_ends_the_node() {
        let folder = tempfile::tempdir().expect("a folder");
        // It accepts connections and never replies.
        let l1 = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", l1.local_addr().expect("bound"));
        let config = SequencerConfig { l1: url.as_str().into(), ..config_in(folder.path()) };
        let contract = alloy_primitives::Address::repeat_byte(1);
        let deployment = L1Deployment {
            chain_id: 1,
            block_number: 0,
            inbox: contract,
            portal: contract,
            rollup: contract,
            dispute: contract,
            preimage_oracle: contract,
            bridge: contract,
        };
        let genesis = Genesis { l1: Some(deployment), ..Genesis::dev() };
        let stop = CancellationToken::new();
        let opening = Sequencer::open(&genesis, config, None, &stop);
        let stopping = async {
            let asked = l1.accept().await.expect("is asked");
            stop.cancel();
            asked
        };
        let (opened, _asked) = tokio::join!(opening, stopping);
        assert!(opened.expect("ends well").is_none(), "a sequencer that was stopped opened");
    }
}
