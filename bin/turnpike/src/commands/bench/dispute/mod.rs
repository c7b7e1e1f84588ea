//! `turnpike bench dispute`: a whole dispute in this process. An adversary proposes a false output, and a challenger has it
//! rejected. With --games, a challenger defends a true output in many games at once. With --economics, what disputes cost.

mod chain;
mod economics;
mod games;
mod players;
mod record;
mod table;

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use tokio_util::sync::CancellationToken;
use turnpike_adversary::Attack;
use turnpike_bench::defi_block;

use self::{
    chain::DisputedChain,
    players::{WorkTime, attack, challenge},
    record::DisputeRecord,
    table::DisputeTable,
};
use crate::common::Format;

/// Time between looks at the dispute.
const POLL: Duration = Duration::from_millis(100);

/// Longest time that a dispute may take.
const TIME_MAX: Duration = Duration::from_secs(600);

/// Arguments of `turnpike bench dispute`.
#[derive(Debug, Args)]
pub(crate) struct DisputeBenchArgs {
    /// Transactions of the disputed block: transfers of ether and of a token, swaps on Uniswap v2 and v3.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub(crate) transactions: usize,
    /// Accounts in the state besides contracts and senders.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub(crate) accounts: usize,
    /// Defend a true output in this many games at once, each about another block, and report how soon they are answered. The
    /// transactions are divided among the blocks.
    #[arg(long, value_name = "COUNT", conflicts_with = "lie")]
    pub(crate) games: Option<NonZeroU32>,
    /// Print what the next version of disputes costs and how long it takes, at the sizes of production: delays, machine time
    /// and ether. Plays nothing on an L1.
    #[arg(long, conflicts_with_all = ["lie", "games"])]
    pub(crate) economics: bool,
    /// What the adversary falsifies; the names are those of `turnpike dev --liar`.
    #[arg(long, value_name = "KIND", default_value_t = Attack::State)]
    pub(crate) lie: Attack,
    /// Output format.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Plays a dispute to its end and prints its L1 transactions.
pub(crate) async fn dispute(args: &DisputeBenchArgs) -> anyhow::Result<()> {
    if args.economics {
        return tokio::task::block_in_place(|| economics::print(args.format));
    }
    let block = tokio::task::block_in_place(|| defi_block(args.transactions, args.accounts))?;
    if let Some(games) = args.games {
        return games::play(block, games.get(), args.format).await;
    }
    // The entry with the disputed block follows an empty one.
    let entries = vec![vec![Vec::new()], vec![block.transactions]];
    let mut chain = DisputedChain::start(block.genesis, entries).await?;
    let played = play(&chain, args).await;
    chain.l1.stop().await;
    let table = played?;
    match args.format {
        Format::Text => println!("{table}"),
        Format::Json => println!("{}", serde_json::to_string(&table)?),
    }
    Ok(())
}

async fn play(chain: &DisputedChain, args: &DisputeBenchArgs) -> anyhow::Result<DisputeTable> {
    let stop = CancellationToken::new();
    let (attacking, challenging) = (WorkTime::default(), WorkTime::default());
    let adversary = attack(chain, args.lie, attacking.clone(), stop.clone());
    let challenger = challenge(chain, challenging.clone(), stop.clone());
    let watch = async {
        let _ended = stop.clone().drop_guard();
        let record = DisputeRecord::open(chain, attacking, challenging).await?;
        watch(record, args).await
    };
    let (table, attacked, challenged) = tokio::join!(watch, adversary, challenger);
    attacked.and(challenged)?;
    table
}

/// Records the dispute until the output is rejected.
async fn watch(
    mut record: DisputeRecord<'_>,
    args: &DisputeBenchArgs,
) -> anyhow::Result<DisputeTable> {
    let start = Instant::now();
    let mut proposed = None;
    while !record.is_rejected() {
        if start.elapsed() > TIME_MAX {
            bail!("the dispute is not over after {} s", TIME_MAX.as_secs());
        }
        tokio::time::sleep(POLL).await;
        record.advance().await?;
        if record.is_proposed() {
            proposed.get_or_insert_with(Instant::now);
        }
    }
    let wall = proposed.map_or(Duration::ZERO, |at| at.elapsed());
    // Every block begins with an attributes transaction.
    Ok(record.into_table(args.transactions + 1, args.lie, wall))
}
