use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
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
use crate::{
    CHECKPOINT_BLOCKS, PoolLimits, SequencerConfig, Shared, SubmissionRoute,
    restore::{Restored, TailPolicy, restore_with},
    sealed::genesis_record,
    service::ended_early,
    shared::HeadSenders,
    tracker::Tracker,
};

/// Batches of rows that wait to be taken over, at most: with more the source is not read on.
const ROWS_WAITING_MAX: usize = 4;

/// Time between two looks at entries that wait for the source.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Time between empty blocks of a node that makes none.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// How a replica runs.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// Where REST, JSON-RPC and the feed are served.
    pub listen: SocketAddr,
    /// Its own database.
    pub database: DatabaseLocation,
    /// The folder of the state's checkpoints.
    pub state: PathBuf,
    /// What it follows.
    pub source: ReplicaSource,
    /// Where L1 is served.
    pub l1: L1Endpoints,
    /// L1 blocks on top of one before it is believed.
    pub l1_confirmations: u64,
    /// How often L1 is asked for news.
    pub l1_poll: Duration,
    /// How long the source may hold other blocks than L1.
    pub l1_patience: Duration,
    /// What runs blocks.
    pub execution: EngineConfig,
    /// What clients may take of the listener.
    pub limits: HttpLimits,
    /// The sequencer that transactions are sent on to; without it they are refused.
    pub forward: Option<String>,
}

/// What a replica follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaSource {
    /// The feed of the node at this WebSocket URL.
    Feed(String),
    /// The journal in this database.
    Database(DatabaseLocation),
    /// L1, and nothing else.
    L1,
}

/// How a replica ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaEnd {
    /// It was told to.
    Stopped,
    /// What it follows is not what running it comes to.
    Diverged(Divergence),
}

/// A replica of a feed or a database that is ready to run: its journal run, the port bound.
#[derive(Debug)]
pub struct Replica {
    writer: ReplicaWriter,
    watch: L1Watcher,
    tracker: Tracker,
    l1: L1Client,
    listener: TcpListener,
    cursor: SourceCursor,
    config: ReplicaConfig,
}

/// Runs a replica until `stop`; `ready` is told the address it listens on.
pub async fn run_replica(
    genesis: &Genesis,
    config: ReplicaConfig,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<ReplicaEnd> {
    if config.source == ReplicaSource::L1 {
        // What L1 holds a sequencer takes over by itself. This one makes nothing of its own.
        crate::run(genesis, config.without_blocks(), stop, ready).await?;
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

    /// A sequencer that makes no block.
    fn without_blocks(self) -> SequencerConfig {
        let submission_route = self.submission_route();
        SequencerConfig {
            listen: self.listen,
            database: self.database,
            state: self.state,
            l1: self.l1,
            l1_confirmations: self.l1_confirmations,
            l1_poll: self.l1_poll,
            block_interval: LOOK_INTERVAL,
            heartbeat: NEVER,
            // Not one may wait for L1.
            backlog_entries_max: 0,
            checkpoint_blocks: CHECKPOINT_BLOCKS,
            execution: self.execution,
            pool: PoolLimits::default(),
            // It promises nothing.
            key: None,
            limits: self.limits,
            admin: None,
            submission_route,
        }
    }
}

impl Replica {
    /// Binds the port and brings the chain to where its own journal ends.
    pub async fn open(genesis: &Genesis, config: ReplicaConfig) -> anyhow::Result<Self> {
        let listener = turnpike_http::bind(config.listen)?;
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
        // Nothing is ever sent: transactions go elsewhere.
        let (events, _) = mpsc::channel(1);
        let (submission_route, pool) = (config.submission_route(), PoolLimits::default());
        let (shared, senders) =
            Shared::new(chain, Arc::clone(&database), submission_route, pool, None, events).await?;
        let HeadSenders { head, journal_end, settlement_changed } = senders;
        let writer = ReplicaWriter {
            genesis: genesis.clone(),
            execution,
            directory,
            shared: Arc::clone(&shared),
            checkpoints,
            follower: JournalFollower::new(next, number + 1, unsealed, unindexed),
            head,
            journal_end,
            ran: Vec::new(),
            unsealed: Vec::new(),
            batches: Vec::new(),
        };
        let view = L1View::new(client.clone(), config.l1_confirmations, genesis_head.output);
        let derivation = Derivation::new(genesis.config.clone(), genesis_head.parent);
        let tracker = Tracker::new(view, derivation, database);
        let watch = L1Watcher::new(shared, settlement_changed, config.l1_patience);
        let cursor = SourceCursor { next, checksum };
        Ok(Self { writer, watch, tracker, l1: client, listener, cursor, config })
    }

    /// Where the API is served.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Runs until `stop`, until the source turns out to be wrong, or until a part fails: then the others stop as well.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<ReplicaEnd> {
        let stop = stop.child_token();
        let shared = Arc::clone(&self.writer.shared);
        let ended = self.drive(&stop).await;
        stop.cancel();
        shared.close().await;
        match ended {
            Ok(()) => Ok(ReplicaEnd::Stopped),
            Err(ReplicaError::Diverged(divergence)) => {
                error!(%divergence, "the replica ends: what it follows is not right");
                Ok(ReplicaEnd::Diverged(divergence))
            }
            Err(ReplicaError::Failed(error)) => Err(error),
        }
    }

    /// The only place where anything is taken over: one event at a time.
    async fn drive(self, stop: &CancellationToken) -> Result<(), ReplicaError> {
        let Self { mut writer, mut watch, tracker, l1, listener, cursor, config } = self;
        let shared = Arc::clone(&writer.shared);
        let address = listener.local_addr().map_err(anyhow::Error::from)?;
        info!(%address, head = *shared.head.borrow(), row = cursor.next, "replica is up");

        let (send_rows, mut rows) = mpsc::channel(ROWS_WAITING_MAX);
        let mut pumping = start(&config.source, &shared, cursor, send_rows, stop.clone());
        let (send_news, mut news) = mpsc::channel(1);
        let mut tracking = tokio::spawn(tracker.run(config.l1_poll, send_news, stop.clone()));
        let limits = config.limits;
        let api = crate::api::serve(listener, Arc::clone(&shared), l1, limits, stop.clone());
        let mut api = tokio::spawn(api);
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        let ended = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                ended = &mut pumping => break rows_left(ended, &mut writer, &mut rows).await,
                ended = &mut tracking => {
                    break ended_early("the L1 tracker", ended).map_err(Into::into);
                },
                ended = &mut api => {
                    break ended_early("the API server", ended).map_err(Into::into);
                },
                Some(told) = news.recv() => if let Err(error) = watch.take(told).await {
                    break Err(error);
                },
                Some(some) = rows.recv() => {
                    // Where it runs the journal again it takes long, and what it leaves undone the next start does.
                    match stop.run_until_cancelled(writer.take(some)).await {
                        Some(Ok(())) => {}
                        Some(Err(error)) => break Err(error),
                        None => break Ok(()),
                    }
                }
                _ = looks.tick() => if let Err(error) = watch.look(Instant::now()).await {
                    break Err(error);
                },
            }
        };
        // Nothing is served any more that this node does not vouch for.
        stop.cancel();
        // With the watch goes the answer that the tracker may wait for.
        drop((news, rows, watch));
        for part in [&mut tracking, &mut api] {
            if !part.is_finished() {
                let _ = part.await;
            }
        }
        writer.finish().await;
        ended
    }
}

/// Begins to read the source.
fn start(
    source: &ReplicaSource,
    shared: &Shared,
    cursor: SourceCursor,
    rows: mpsc::Sender<Vec<JournalRow>>,
    stop: CancellationToken,
) -> JoinHandle<Result<(), SourceError>> {
    let chain = shared.database.chain();
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

/// The source has ended: what it gave before is taken over, and may be wrong already.
async fn rows_left(
    ended: Result<Result<(), SourceError>, tokio::task::JoinError>,
    writer: &mut ReplicaWriter,
    rows: &mut mpsc::Receiver<Vec<JournalRow>>,
) -> Result<(), ReplicaError> {
    while let Some(some) = rows.recv().await {
        writer.take(some).await?;
    }
    match ended.map_err(anyhow::Error::from)? {
        Ok(()) => Err(anyhow::anyhow!("the source ended").into()),
        Err(SourceError::Diverged(divergence)) => Err(divergence.into()),
        Err(error) => Err(anyhow::Error::from(error).into()),
    }
}
