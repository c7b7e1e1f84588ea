//! A whole dispute in this process: a liar's false output, and a challenger who rejects it.

mod chain;
mod players;
mod record;
mod table;

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use tokio_util::sync::CancellationToken;
use turnpike_adversary::Kind;
use turnpike_bench::defi_block;

use self::{
    chain::Chain,
    players::{Busy, challenge, lie},
    record::Record,
    table::Table,
};
use crate::vm::Format;

/// How often the dispute is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How long it may take.
const TIME_MAX: Duration = Duration::from_secs(600);

/// What `turnpike bench dispute` takes.
#[derive(Debug, Args)]
pub(crate) struct DisputeBenchArgs {
    /// Transactions of the disputed block: transfers of ether and of a token, swaps on Uniswap v2 and v3.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub(crate) transactions: usize,
    /// Accounts in the state, besides those of contracts and senders.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub(crate) accounts: usize,
    /// What is lied about.
    #[arg(long, value_name = "KIND", default_value_t = Kind::State)]
    pub(crate) lie: Kind,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// Has a dispute played to its end, and prints what it took.
pub(crate) async fn dispute(args: &DisputeBenchArgs) -> anyhow::Result<()> {
    let block = tokio::task::block_in_place(|| defi_block(args.transactions, args.accounts))?;
    let mut chain = Chain::start(block).await?;
    let played = play(&chain, args).await;
    chain.l1.stop().await;
    let table = played?;
    match args.format {
        Format::Text => println!("{table}"),
        Format::Json => println!("{}", serde_json::to_string(&table)?),
    }
    Ok(())
}

async fn play(chain: &Chain, args: &DisputeBenchArgs) -> anyhow::Result<Table> {
    let stop = CancellationToken::new();
    let (lying, challenging) = (Busy::default(), Busy::default());
    let liar = lie(chain, args.lie, lying.clone(), stop.clone());
    let challenger = challenge(chain, challenging.clone(), stop.clone());
    let watch = async {
        let _ended = stop.clone().drop_guard();
        let record = Record::open(chain, lying, challenging).await?;
        watch(record, args).await
    };
    let (table, lied, challenged) = tokio::join!(watch, liar, challenger);
    lied.and(challenged)?;
    table
}

/// Takes down what happens until the output is rejected.
async fn watch(mut record: Record<'_>, args: &DisputeBenchArgs) -> anyhow::Result<Table> {
    let start = Instant::now();
    let mut proposed = None;
    while !record.is_rejected() {
        if start.elapsed() > TIME_MAX {
            bail!("the dispute is not over after {} s", TIME_MAX.as_secs());
        }
        tokio::time::sleep(POLL).await;
        record.look().await?;
        if record.is_proposed() {
            proposed.get_or_insert_with(Instant::now);
        }
    }
    let wall = proposed.map_or(Duration::ZERO, |at| at.elapsed());
    // An attributes transaction comes first in every block.
    Ok(record.into_table(args.transactions + 1, args.lie, wall))
}
