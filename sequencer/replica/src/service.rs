//! Runs a replica: its own database, its source, L1 and the API.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use turnpike_api::{ApiConfig, ApiListeners, run_sequencer};
use turnpike_derivation::Derivation;
use turnpike_executor::{Chain, EngineConfig};
use turnpike_http::HttpLimits;
use turnpike_l1::{L1Client, L1Endpoints, L1View};
use turnpike_protocol::Genesis;
use turnpike_storage::{Database, DatabaseLocation, JournalRow, genesis_id};

use super::{
    Divergence,
    database_source::DatabaseSource,
    feed_source::FeedSource,
    follower::JournalFollower,
    l1_watcher::L1Watcher,
    source::{SourceCursor, SourceError, pump},
    writer::{ReplicaError, ReplicaWriter},
};
use turnpike_sequencer::{
    BacklogLimits, CHECKPOINT_BLOCKS, HeadSenders, NodeHandles, PoolLimits, RunningServers,
    SequencerConfig, SubmissionRoute, ended_early,
    restore::{Restored, TailPolicy, restore_with},
    sealed::genesis_record,
    tracker::Tracker,
};

/// Batches of rows that wait for the writer, at most. With more, the source is not read on.
const ROWS_WAITING_MAX: usize = 4;

/// Interval between checks of entries that wait for the source.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Block interval of a node that makes no blocks.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Configuration of a replica.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// Listen address of REST, JSON-RPC and the feed.
    pub listen: SocketAddr,
    /// Its own database.
    pub database: DatabaseLocation,
    /// The directory of state checkpoints.
    pub state: PathBuf,
    /// The source that the replica follows.
    pub source: ReplicaSource,
    /// L1's endpoints.
    pub l1: L1Endpoints,
    /// Confirmations before an L1 block is used.
    pub l1_confirmations: u64,
    /// Interval between polls of L1.
    pub l1_poll: Duration,
    /// How long the source may hold other blocks than L1.
    pub l1_patience: Duration,
    /// The engine that executes blocks.
    pub execution: EngineConfig,
    /// Limits for clients of the listener.
    pub limits: HttpLimits,
    /// The sequencer to forward transactions to. Without it they are refused.
    pub forward: Option<String>,
}

/// The source that a replica follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaSource {
    /// The feed of the node at this WebSocket URL.
    Feed(String),
    /// The journal in this database.
    Database(DatabaseLocation),
    /// L1 only.
    L1,
}

/// How a replica ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaEnd {
    /// It was told to stop.
    Stopped,
    /// Its source diverged from the execution.
    Diverged(Divergence),
}

/// A replica of a feed or a database that is ready to run: its journal is executed and its port
/// bound.
#[derive(Debug)]
pub struct Replica {
    writer: ReplicaWriter,
    watch: L1Watcher,
    tracker: Tracker,
    l1: L1Client,
    listeners: ApiListeners,
    cursor: SourceCursor,
    config: ReplicaConfig,
}

/// Runs a replica until `stop`. `ready` receives the address it listens on.
pub async fn run_replica(
    genesis: &Genesis,
    config: ReplicaConfig,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<ReplicaEnd> {
    if config.source == ReplicaSource::L1 {
        // This replica is a sequencer that follows L1 and makes no blocks.
        let (config, api) = config.without_blocks();
        run_sequencer(genesis, config, api, stop, ready).await?;
        return Ok(ReplicaEnd::Stopped);
    }
    let opened = stop.run_until_cancelled(Replica::open(genesis, config)).await;
    let Some(replica) = opened.transpose()? else { return Ok(ReplicaEnd::Stopped) };
    ready(replica.address()?);
    replica.serve(stop).await
}

impl ReplicaConfig {
    fn submission_route(&self) -> SubmissionRoute {
        self.forward.clone().map_or(SubmissionRoute::Rejected, SubmissionRoute::Forwarded)
    }

    /// The configuration of a sequencer that makes no blocks, and of its API.
    fn without_blocks(self) -> (SequencerConfig, ApiConfig) {
        let submission_route = self.submission_route();
        let api = ApiConfig { listen: self.listen, limits: self.limits, admin: None };
        let config = SequencerConfig {
            database: self.database,
            state: self.state,
            l1: self.l1,
            l1_confirmations: self.l1_confirmations,
            l1_poll: self.l1_poll,
            block_interval: CHECK_INTERVAL,
            heartbeat: NEVER,
            origin_step: 0,
            // With this backlog no block is opened.
            backlog: BacklogLimits::NO_BLOCKS,
            checkpoint_blocks: CHECKPOINT_BLOCKS,
            execution: self.execution,
            pool: PoolLimits::default(),
            // It signs no promises.
            key: None,
            submission_route,
        };
        (config, api)
    }
}

impl Replica {
    /// Binds the port and executes the replica's own journal.
    pub async fn open(genesis: &Genesis, config: ReplicaConfig) -> anyhow::Result<Self> {
        let (listen, limits) = (config.listen, config.limits.clone());
        let listeners = ApiListeners::bind(ApiConfig { listen, limits, admin: None })?;
        let chain = Chain::from_genesis(genesis);
        let genesis_head = chain.head().clone();
        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &genesis_head.output).await?;
        let database = Arc::new(Database::open(&config.database, genesis_id(genesis)).await?);
        database.record_genesis(&genesis_head.hash(), &genesis_record(&chain)).await?;
        let (directory, execution) = (config.state.clone(), config.execution);
        let restored =
            restore_with(chain, &database, &directory, execution, TailPolicy::Keep).await?;
        let Restored { chain, checkpoints, unindexed, unsealed, .. } = restored;

        let next = database.journal_end().await?;
        let checksum = database.checksum_before(next).await?;
        let checksum = checksum.context("invariant: the journal's last row is there")?;
        let number = chain.head().header.number;
        let route = config.submission_route();
        let (handles, senders) =
            NodeHandles::without_producer(chain, Arc::clone(&database), route).await?;
        let handles = Arc::new(handles);
        let HeadSenders { head, journal_end, settlement_changed } = senders;
        let writer = ReplicaWriter {
            genesis: genesis.clone(),
            execution,
            directory,
            handles: Arc::clone(&handles),
            checkpoints,
            follower: JournalFollower::new(next, number + 1, unsealed, unindexed),
            head,
            journal_end,
            executed: Vec::new(),
            unsealed: Vec::new(),
            batches: Vec::new(),
        };
        let view = L1View::new(client.clone(), config.l1_confirmations, genesis_head.output);
        let derivation = Derivation::new(genesis.config.clone(), genesis_head.parent);
        let tracker = Tracker::new(view, derivation, database);
        let watch = L1Watcher::new(handles, settlement_changed, config.l1_patience);
        let cursor = SourceCursor { next, checksum };
        Ok(Self { writer, watch, tracker, l1: client, listeners, cursor, config })
    }

    /// The address of the API.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listeners.address()
    }

    /// Runs until `stop`, until the source diverges, or until a part fails. The other parts then
    /// stop as well.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<ReplicaEnd> {
        let stop = stop.child_token();
        let handles = Arc::clone(&self.writer.handles);
        let ended = self.drive(&stop).await;
        stop.cancel();
        handles.chain.close().await;
        match ended {
            Ok(()) => Ok(ReplicaEnd::Stopped),
            Err(ReplicaError::Diverged(divergence)) => {
                error!(%divergence, "the source diverged: the replica stops");
                Ok(ReplicaEnd::Diverged(divergence))
            }
            Err(ReplicaError::Failed(error)) => Err(error),
        }
    }

    /// The only place that applies rows and L1 events: one at a time.
    async fn drive(self, stop: &CancellationToken) -> Result<(), ReplicaError> {
        let Self { mut writer, mut watch, tracker, l1, listeners, cursor, config } = self;
        let handles = Arc::clone(&writer.handles);
        let address = listeners.address()?;
        info!(%address, head = *handles.chain.head.borrow(), row = cursor.next, "replica is up");

        let (send_rows, mut rows) = mpsc::channel(ROWS_WAITING_MAX);
        let mut reading = start(&config.source, &handles, cursor, send_rows, stop.clone());
        let (send_l1_events, mut l1_events) = mpsc::channel(1);
        let mut tracking = tokio::spawn(tracker.run(config.l1_poll, send_l1_events, stop.clone()));
        let servers = listeners.servers(&handles, &l1, stop);
        let mut servers = RunningServers::spawn(servers);
        let mut checks = tokio::time::interval(CHECK_INTERVAL);
        let ended = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                ended = &mut reading => break drain_rows(ended, &mut writer, &mut rows).await,
                ended = &mut tracking => {
                    break ended_early("the L1 tracker", ended).map_err(Into::into);
                },
                ended = servers.ended() => break ended.map_err(Into::into),
                Some(event) = l1_events.recv() => if let Err(error) = watch.apply(event).await {
                    break Err(error);
                },
                Some(batch) = rows.recv() => {
                    // Executing the journal again may take long. The next start does what is left.
                    match stop.run_until_cancelled(writer.apply(batch)).await {
                        Some(Ok(())) => {}
                        Some(Err(error)) => break Err(error),
                        None => break Ok(()),
                    }
                }
                _ = checks.tick() => if let Err(error) = watch.compare(Instant::now()).await {
                    break Err(error);
                },
            }
        };
        // The API stops first: it must not serve what this replica has not verified.
        stop.cancel();
        // Dropping the watcher releases a tracker that waits for its reply.
        drop((l1_events, rows, watch));
        if !tracking.is_finished() {
            let _ = tracking.await;
        }
        let _ = servers.finish().await;
        writer.finish().await;
        ended
    }
}

/// Starts reading the source.
fn start(
    source: &ReplicaSource,
    handles: &NodeHandles,
    cursor: SourceCursor,
    rows: mpsc::Sender<Vec<JournalRow>>,
    stop: CancellationToken,
) -> JoinHandle<Result<(), SourceError>> {
    let chain = handles.chain.database.chain();
    match source {
        ReplicaSource::Feed(url) => {
            tokio::spawn(pump(FeedSource::new(url, chain, cursor), cursor, rows, stop))
        }
        ReplicaSource::Database(location) => {
            let source = DatabaseSource::new(location.clone(), chain, cursor);
            tokio::spawn(pump(source, cursor, rows, stop))
        }
        ReplicaSource::L1 => unreachable!("a replica of L1 is a sequencer without blocks"),
    }
}

/// Handles the source's end. Applies the rows that it returned before, which may diverge.
async fn drain_rows(
    ended: Result<Result<(), SourceError>, tokio::task::JoinError>,
    writer: &mut ReplicaWriter,
    rows: &mut mpsc::Receiver<Vec<JournalRow>>,
) -> Result<(), ReplicaError> {
    while let Some(batch) = rows.recv().await {
        writer.apply(batch).await?;
    }
    match ended.map_err(anyhow::Error::from)? {
        Ok(()) => Err(anyhow::anyhow!("the source ended").into()),
        Err(SourceError::Diverged(divergence)) => Err(divergence.into()),
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
