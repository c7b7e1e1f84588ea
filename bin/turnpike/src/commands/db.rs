//! `turnpike db`: a sequencer's or a replica's database, verified or mended.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use turnpike_replica::{Verified, VerifyConfig, VerifyScope};
use turnpike_storage::DatabaseLocation;

use crate::common::{ExecutionArgs, beside, read_genesis, to_json};

/// Exit code for a database with which something is wrong.
const WRONG: u8 = 2;

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Check that the journal is whole, that running it gives the recorded results, and that the index agrees. Exit code 2 if
    /// something is wrong. A database in use can be verified too.
    Verify(VerifyArgs),
    /// Rebuild the index by running the journal from the genesis block on. The node must be stopped.
    Rebuild(DbArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    /// The chain's genesis file, deployed.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The database: a SQLite file, or the URL of a PostgreSQL database (`postgres://…`).
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "TURNPIKE_DATABASE",
        hide_env_values = true,
        default_value = "sequencer.db"
    )]
    database: DatabaseLocation,
    /// Where checkpoints of the state are kept, if not in the usual place.
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    /// Print what is found as a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    db: DbArgs,
    /// Compare the newest checkpoint of the state with what its block comes to.
    #[arg(long)]
    state: bool,
    /// Run only what follows the newest checkpoint; of blocks before, compare roots and hashes.
    #[arg(long)]
    fast: bool,
}

impl DbArgs {
    fn checkpoints(&self) -> PathBuf {
        self.checkpoints.clone().unwrap_or_else(|| beside(&self.database, "sequencer.state"))
    }
}

pub(crate) async fn run(command: DbCommand) -> anyhow::Result<ExitCode> {
    match command {
        DbCommand::Verify(args) => verify(args).await,
        DbCommand::Rebuild(args) => rebuild(args).await,
    }
}

async fn verify(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let VerifyArgs { db, state, fast } = args;
    let genesis = read_genesis(&db.genesis)?;
    let scope = if fast { VerifyScope::Checkpoint } else { VerifyScope::Genesis };
    let config = VerifyConfig {
        checkpoints: Some(db.checkpoints()),
        database: db.database,
        scope,
        state,
        execution: db.execution.into(),
    };
    let found = turnpike_replica::verify(&genesis, config).await?;
    if db.json {
        println!("{}", to_json(&found)?);
    } else {
        print(&found);
    }
    Ok(if found.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn print(found: &Verified) {
    println!("rows         {}", found.rows);
    println!("head         {}", found.head);
    println!("blocks run   {}", found.blocks_run);
    println!("transactions {}", found.transactions_run);
    println!("index to     {}", found.indexed);
    if found.is_in_use {
        println!("note: the database is in use: what waits and what was refused was not compared");
    }
    for wrong in &found.wrong {
        println!("WRONG: {wrong}");
    }
    if found.wrong.is_empty() {
        println!("all is right");
    }
}

async fn rebuild(args: DbArgs) -> anyhow::Result<ExitCode> {
    let genesis = read_genesis(&args.genesis)?;
    let (checkpoints, execution) = (args.checkpoints(), args.execution.into());
    let rebuilt =
        turnpike_replica::rebuild(&genesis, &args.database, checkpoints, execution).await?;
    if args.json {
        println!("{}", to_json(&rebuilt)?);
    } else {
        println!("index rebuilt from {} rows, up to block {}", rebuilt.rows, rebuilt.head);
    }
    Ok(ExitCode::SUCCESS)
}
