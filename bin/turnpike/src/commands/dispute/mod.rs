//! `turnpike dispute`: shows challenges and games as L1 has recorded them, explains which side is right, and moves by
//! hand.

mod args;
mod explain;
mod hand;
mod list;
mod play;
mod resolve;
mod session;
mod show;
mod watch;

use std::process::ExitCode;

pub(crate) use self::args::DisputeArgs;
use self::args::DisputeCommand;

pub(crate) async fn run(args: DisputeArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        DisputeCommand::List(args) => list::list(&args).await,
        DisputeCommand::Show(args) => show::show(&args).await,
        DisputeCommand::Resolve(args) => resolve::resolve(&args).await,
        DisputeCommand::Watch(args) => watch::watch(&args).await,
        DisputeCommand::Move(args) => play::play(&args).await,
        DisputeCommand::Explain(args) => explain::explain(&args).await,
    }
}
