//! Many games at once, each about another block of a true output.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{U256, utils::Unit};
use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use turnpike_adversary::{Adversary, AdversaryConfig, AdversaryRole, Attack};
use turnpike_bench::ProvenBlock;
use turnpike_challenger::{Challenger, ChallengerConfig, ProposeConfig};
use turnpike_l1::{Disputes, GameStatus, L1Client, L1View, Side};
use turnpike_protocol::{Genesis, TxEnvelope};

use super::{
    chain::DisputedChain,
    players::{POLL, challenger_config},
};
use crate::{
    commands::dev::Accounts,
    common::{Format, genesis_output},
};

/// The challenged output: the only one but the genesis output.
const OUTPUT: u64 = 1;

/// L1 seconds that a side has in a game: no game is lost by the clock.
const CLOCK: u64 = 6 * 3_600;

/// Longest time that the games may take.
const TIME_MAX: Duration = Duration::from_secs(3_600);

/// How soon the games were answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GamesReport {
    games: usize,
    /// Games that the challenger of the true output has lost.
    lost_by_challengers: usize,
    /// L1 seconds from a challenge to its first answer.
    first_answer_seconds: Quantiles,
    /// L1 seconds from any move of a challenger to its answer.
    answer_seconds: Quantiles,
    /// Looks of the honest party at L1.
    looks: u64,
    /// Longest time between two of them.
    longest_between_looks_seconds: f64,
    /// From the first challenge to the end of the last game.
    wall_seconds: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Quantiles {
    median: u64,
    max: u64,
}

/// How often a party has looked at L1.
#[derive(Clone, Debug, Default)]
struct Looks {
    count: Arc<AtomicU64>,
    longest_between_micros: Arc<AtomicU64>,
}

/// Plays the games to their end and prints the report.
pub(super) async fn play(block: ProvenBlock, games: u32, format: Format) -> anyhow::Result<()> {
    let mut genesis = block.genesis;
    let config = &mut genesis.config;
    (config.game_clock, config.challenge_window) = (CLOCK, CLOCK);
    let count = usize::try_from(games)?;
    let per_entry = usize::try_from(config.blocks_per_entry_max())?;
    let blocks = divided(block.transactions, count);
    let entries = blocks.chunks(per_entry).map(<[_]>::to_vec).collect();
    let mut chain = DisputedChain::start(genesis, entries).await?;
    let played = report(&chain, games).await;
    chain.l1.stop().await;
    let report = played?;
    match format {
        Format::Text => println!("{report}"),
        Format::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(())
}

/// Divides transactions among blocks, in order.
fn divided(transactions: Vec<TxEnvelope>, blocks: usize) -> Vec<Vec<TxEnvelope>> {
    let (total, mut rest) = (transactions.len(), transactions.into_iter());
    let of_block = |block| (block + 1) * total / blocks - block * total / blocks;
    (0..blocks).map(|block| rest.by_ref().take(of_block(block)).collect()).collect()
}

async fn report(chain: &DisputedChain, games: u32) -> anyhow::Result<GamesReport> {
    let keys = Accounts::unfunded(games)?;
    for key in &keys {
        chain.l1.fund(key.address(), Unit::ETHER.wei() * U256::from(10)).await?;
    }
    let (stop, looks) = (CancellationToken::new(), Looks::default());
    let attacking = attack(chain, keys, stop.clone());
    // A task of its own: forging false blocks occupies the adversary's.
    let config = challenger_config(chain, Some(ProposeConfig { interval: 1 }));
    let defending =
        tokio::spawn(defend(chain.genesis.clone(), config, looks.clone(), stop.clone()));
    let watching = async {
        let _ended = stop.clone().drop_guard();
        watch(chain, usize::try_from(games)?).await
    };
    let (watched, attacked, defended) = tokio::join!(watching, attacking, defending);
    attacked.and(defended.context("the challenger panicked")?)?;
    let (disputes, wall) = watched?;
    Ok(GamesReport::new(&disputes, &looks, wall))
}

/// Challenges the output, each account with another false block.
async fn attack(
    chain: &DisputedChain,
    keys: Vec<PrivateKeySigner>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let role = AdversaryRole::Challenger { output: OUTPUT };
    let l1 = chain.l1.url().into();
    let config = AdversaryConfig { l1, attack: Attack::Blocks, role, keys };
    let mut adversary = Adversary::connect(&chain.genesis, config).await?;
    while !stop.is_cancelled() {
        if let Err(error) = adversary.step(&mut drop).await {
            warn!(%error, "adversary step failed, retrying");
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Proposes the output and defends it.
async fn defend(
    genesis: Genesis,
    config: ChallengerConfig,
    looks: Looks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut challenger = Challenger::connect(&genesis, &config).await?;
    let mut last = Instant::now();
    while !stop.is_cancelled() {
        looks.count(std::mem::replace(&mut last, Instant::now()).elapsed());
        if let Err(error) = challenger.step(&mut drop).await {
            warn!(%error, "challenger step failed, retrying");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = challenger.run_finished() => {}
        }
    }
    Ok(())
}

/// Follows the games until all of them are over.
async fn watch(chain: &DisputedChain, games: usize) -> anyhow::Result<(Arc<Disputes>, Duration)> {
    let client = L1Client::connect(chain.l1.url(), &chain.genesis).await?;
    let mut view = L1View::new(client, 0, genesis_output(&chain.genesis));
    let (start, mut first) = (Instant::now(), None);
    loop {
        if start.elapsed() > TIME_MAX {
            bail!("the games are not over after {} s", TIME_MAX.as_secs());
        }
        tokio::time::sleep(POLL).await;
        view.advance().await?;
        let disputes = view.disputes();
        if !disputes.challenges().is_empty() {
            first.get_or_insert_with(Instant::now);
        }
        let over = disputes.games().iter().filter(|game| game.status.to_move().is_none()).count();
        if over >= games {
            let first = first.context("a game has no challenge")?;
            return Ok((Arc::clone(disputes), first.elapsed()));
        }
    }
}

impl Looks {
    fn count(&self, since_last: Duration) {
        let micros = u64::try_from(since_last.as_micros()).unwrap_or(u64::MAX);
        self.longest_between_micros.fetch_max(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl GamesReport {
    fn new(disputes: &Disputes, looks: &Looks, wall: Duration) -> Self {
        let (mut first, mut all, mut lost) = (Vec::new(), Vec::new(), 0);
        for game in disputes.games() {
            let Some(challenge) = disputes.challenge(game.challenge) else { continue };
            lost += usize::from(game.status == GameStatus::Won(Side::Defender));
            // The defender makes the first move, then every second one.
            let times = game.moves.iter().map(|made| made.at);
            let times: Vec<_> = std::iter::once(challenge.started_at).chain(times).collect();
            let answers = times.chunks_exact(2).map(|pair| pair[1].saturating_sub(pair[0]));
            all.extend(answers);
            first.extend(times.get(1).map(|at| at.saturating_sub(times[0])));
        }
        let longest = looks.longest_between_micros.load(Ordering::Relaxed);
        Self {
            games: disputes.games().len(),
            lost_by_challengers: lost,
            first_answer_seconds: Quantiles::of(first),
            answer_seconds: Quantiles::of(all),
            looks: looks.count.load(Ordering::Relaxed),
            longest_between_looks_seconds: Duration::from_micros(longest).as_secs_f64(),
            wall_seconds: wall.as_secs_f64(),
        }
    }
}

impl Quantiles {
    fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let median = values.get(values.len() / 2).copied().unwrap_or_default();
        Self { median, max: values.last().copied().unwrap_or_default() }
    }
}

impl fmt::Display for GamesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { games, lost_by_challengers: lost, first_answer_seconds: first, .. } = self;
        writeln!(
            f,
            "{games} games at once, {lost} of them lost by the challenger of a true output"
        )?;
        writeln!(f, "| L1 seconds to | median | longest |\n|---|---:|---:|")?;
        writeln!(f, "| the first answer to a challenge | {} | {} |", first.median, first.max)?;
        let all = self.answer_seconds;
        writeln!(f, "| any answer | {} | {} |\n", all.median, all.max)?;
        let (looks, longest) = (self.looks, self.longest_between_looks_seconds);
        write!(f, "{looks} looks at L1, {longest:.1} s between two of them at most; ")?;
        write!(f, "{:.0} s from the first challenge to the end of the last game", self.wall_seconds)
    }
}
