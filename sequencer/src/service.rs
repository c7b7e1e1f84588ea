use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail};
use tokio::{
    net::TcpListener,
    sync::{RwLock, Semaphore, mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::info;
use turnpike_derivation::Derivation;
use turnpike_executor::Chain;
use turnpike_l1::{L1Client, L1View};
use turnpike_protocol::{Genesis, Origin};
use turnpike_storage::{BlockRecord, Database, genesis_id};

use crate::{
    Pool, SequencerConfig, Settlement, Shared,
    driver::Driver,
    restore::{Restored, restore},
    shared::Submission,
    tracker::{L1News, Tracker},
};

/// Requests that may wait for the driver.
const SUBMISSIONS_MAX: usize = 1_024;

/// Calls that run the EVM at the same time: the rest of the node needs its cores as well.
const CALLS_MAX: usize = 2;

/// Transactions taken into one commit of the pending list.
const GROUP_TRANSACTIONS_MAX: usize = 4_096;

/// A sequencer that is ready to run: the chain rebuilt, L1 read, the port bound.
#[derive(Debug)]
pub struct Sequencer {
    driver: Driver,
    listener: TcpListener,
    tracker: Tracker,
    l1: L1Client,
    submissions: mpsc::Receiver<Submission>,
}

/// Runs a sequencer until `stop`; `ready` is told the address it listens on.
pub async fn run(
    genesis: &Genesis,
    config: SequencerConfig,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let sequencer = Sequencer::open(genesis, config).await?;
    ready(sequencer.address()?);
    sequencer.serve(stop).await
}

impl Sequencer {
    /// Binds the port, rebuilds the chain from checkpoint and journal, takes up what was pending and reads L1 once.
    pub async fn open(genesis: &Genesis, config: SequencerConfig) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}", config.listen))?;
        let chain = Chain::from_genesis(genesis);
        let (genesis_output, genesis_parent) = (chain.head().output, chain.head().parent);
        let database = Arc::new(Database::open(&config.database, genesis_id(genesis)).await?);
        let genesis_block = BlockRecord {
            header: chain.head().header.clone(),
            message_passer_storage_root: genesis_output.message_passer_storage_root,
            origin: Origin::default(),
            receipts: Vec::new(),
        };
        database.record_genesis(&genesis_output.block_hash, &genesis_block).await?;
        let directory = config.checkpoints();
        let Restored { chain, checkpoints, replayed } =
            restore(chain, &database, &directory, config.execution).await?;

        let client = L1Client::connect(config.l1.clone(), genesis).await?;
        client.check_genesis(genesis, &genesis_output).await?;
        let view = L1View::new(client.clone(), config.l1_confirmations, genesis_output);
        let derivation = Derivation::new(genesis.config.clone(), genesis_parent);
        let mut tracker = Tracker::new(view, derivation, Arc::clone(&database));

        let (head, head_seen) = watch::channel(chain.head().header.number);
        let (submit, submissions) = mpsc::channel(SUBMISSIONS_MAX);
        let shared = Arc::new(Shared {
            config: genesis.config.clone(),
            chain: RwLock::new(chain),
            last_execution: RwLock::default(),
            pool: RwLock::new(Pool::new(config.pool)),
            settlement: RwLock::new(Settlement::default()),
            database,
            head: head_seen,
            submissions: submit,
            calls: Semaphore::new(CALLS_MAX),
        });
        let mut driver = Driver::new(config, genesis.clone(), shared, head, replayed, checkpoints);
        driver.take_pending().await?;
        follow(&mut driver, &mut tracker).await?;
        Ok(Self { driver, listener, tracker, l1: client, submissions })
    }

    /// Where the API is served.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Runs until `stop`, or until a part fails: then the others stop as well.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let stop = stop.child_token();
        let database = Arc::clone(self.driver.database());
        let result = self.drive(&stop).await;
        stop.cancel();
        database.close().await;
        result
    }

    /// The only place where anything is decided: one event at a time.
    async fn drive(self, stop: &CancellationToken) -> anyhow::Result<()> {
        let Self { mut driver, listener, tracker, l1, mut submissions } = self;
        let config = driver.config().clone();
        info!(address = %listener.local_addr()?, head = driver.head(), "sequencer is up");

        let (send_news, mut news) = mpsc::channel(1);
        let mut tracking = tokio::spawn(tracker.run(config.l1_poll, send_news, stop.clone()));
        let shared = Arc::clone(driver.shared());
        let api = crate::api::serve(listener, shared, l1, config.body_bytes_max, stop.clone());
        let mut api = tokio::spawn(api);
        let mut ticks = tokio::time::interval(config.block_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                ended = &mut tracking => {
                    ended??;
                    bail!("the L1 tracker ended");
                }
                ended = &mut api => {
                    ended??;
                    bail!("the API server ended");
                }
                Some((message, done)) = news.recv() => {
                    driver.take_news(message).await?;
                    // A tracker that has stopped does not care.
                    let _ = done.send(());
                }
                _ = ticks.tick() => driver.produce().await?,
                Some(first) = submissions.recv() => {
                    driver.admit(group(first, &mut submissions)).await?;
                }
            }
        }
        // What was offered is answered; what was accepted is durable already.
        submissions.close();
        while let Ok(submission) = submissions.try_recv() {
            driver.admit(vec![submission]).await?;
        }
        drop(news);
        driver.finish().await;
        tracking.await??;
        api.await??;
        Ok(())
    }
}

/// Takes in all that L1 holds.
async fn follow(driver: &mut Driver, tracker: &mut Tracker) -> anyhow::Result<()> {
    loop {
        let news = tracker.next().await?;
        let is_all = matches!(news, L1News::Progress(_));
        driver.take_news(news).await?;
        if is_all {
            return Ok(());
        }
    }
}

/// Takes what else waits, so that one commit serves many requests.
fn group(first: Submission, waiting: &mut mpsc::Receiver<Submission>) -> Vec<Submission> {
    let mut count = first.txs.len();
    let mut group = vec![first];
    while count < GROUP_TRANSACTIONS_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        count += next.txs.len();
        group.push(next);
    }
    group
}
