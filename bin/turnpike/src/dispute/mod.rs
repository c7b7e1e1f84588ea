//! `turnpike dispute`: challenges and games as L1 has recorded them, who is right in them, and moves made by hand.

mod args;
mod board;
mod check;
mod explain;
mod hand;
mod list;
mod news;
mod play;
mod reading;
mod resolve;
mod rounds;
mod session;
mod show;
mod step;
mod truth;
mod watch;
mod words;

use std::process::ExitCode;

use self::args::DisputeCommand;
pub(crate) use self::{args::DisputeArgs, words::Range};

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
