//! `turnpike bridge`: moves ether, tokens and messages between the layers for a user.
//!
//! Each subcommand checks, sends and waits through [`turnpike_bridge`], and prints what it learns.

mod args;
mod deposit;
mod finalize;
mod force;
mod prove;
mod report;
mod session;
mod status;
mod withdraw;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::{
    args::StepArgs, deposit::DepositArgs, force::ForceArgs, status::StatusArgs,
    withdraw::WithdrawArgs,
};

#[derive(Debug, Args)]
pub(crate) struct BridgeArgs {
    #[command(subcommand)]
    command: BridgeCommand,
}

#[derive(Debug, Subcommand)]
enum BridgeCommand {
    /// Send ether, a call or tokens from L1 to L2.
    Deposit(DepositArgs),
    /// Send ether, a call or tokens from L2 to L1: the first of three steps.
    Withdraw(WithdrawArgs),
    /// Prove a withdrawal on L1, once an output covers it: the second of three steps. Anyone may do
    /// it.
    Prove(StepArgs),
    /// Finalize a proven withdrawal after its waiting time: L1 makes its call. The last of three
    /// steps. Anyone may do it.
    Finalize(StepArgs),
    /// Print the stage of a deposit or a withdrawal, the next step and when it is possible.
    Status(StatusArgs),
    /// Send an L2 transaction through L1, where the sequencer cannot leave it out.
    Force(ForceArgs),
}

pub(crate) async fn run(args: BridgeArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        BridgeCommand::Deposit(args) => deposit::deposit(&args).await,
        BridgeCommand::Withdraw(args) => withdraw::withdraw(&args).await,
        BridgeCommand::Prove(args) => prove::prove(&args).await,
        BridgeCommand::Finalize(args) => finalize::finalize(&args).await,
        BridgeCommand::Status(args) => status::status(&args).await,
        BridgeCommand::Force(args) => force::force(&args).await,
    }
}
