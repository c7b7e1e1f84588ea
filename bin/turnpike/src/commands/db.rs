//! `turnpike db`: verifies a sequencer's or a replica's database, or rebuilds its index.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use turnpike_replica::{Verified, VerifyConfig, VerifyScope};
use turnpike_storage::DatabaseLocation;

use crate::common::{ExecutionArgs, beside, read_genesis, to_json};

/// Exit code for a database with errors.
const WRONG: u8 = 2;

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Verify the journal's checksums, execute it again and compare results and index. Exit code 2 if something is wrong. Works on a
    /// database in use too.
    Verify(VerifyArgs),
    /// Rebuild the index by executing the journal from the genesis block on. The node must be stopped.
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
    /// Folder of the state's checkpoints, if it is not beside the database.
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    /// Print the result as a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    db: DbArgs,
    /// Compare the newest checkpoint with the state after its block.
    #[arg(long)]
    state: bool,
    /// Execute only blocks after the newest checkpoint; compare roots and hashes of those before.
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
        println!(
            "note: the database is in use: pending and refused transactions were not compared"
        );
    }
    for wrong in &found.wrong {
        println!("WRONG: {wrong}");
    }
    if found.wrong.is_empty() {
        println!("no errors found");
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
