//! `turnpike bridge`: moves ether, tokens and messages between the layers for a user.

mod args;
mod deposit;
mod session;
mod status;
mod withdraw;

use std::process::ExitCode;

pub(crate) use self::args::BridgeArgs;
use self::args::BridgeCommand;

pub(crate) async fn run(args: BridgeArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        BridgeCommand::Deposit(args) => deposit::deposit(&args).await,
        BridgeCommand::Withdraw(args) => withdraw::withdraw(&args).await,
        BridgeCommand::Prove(args) => withdraw::prove(&args).await,
        BridgeCommand::Finalize(args) => withdraw::finalize(&args).await,
        BridgeCommand::Status(args) => status::status(&args).await,
        BridgeCommand::Force(args) => deposit::force(&args).await,
    }
}
