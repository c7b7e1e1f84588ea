use clap::{Args, Subcommand};
use turnpike_game::inspect::{DisputeRecords, UnknownRecord};
use turnpike_l1::{Challenge, Game};

use crate::common::{ChainArgs, ExecutionArgs, Format, Key};

#[derive(Debug, Args)]
pub(crate) struct DisputeArgs {
    #[command(subcommand)]
    pub(super) command: DisputeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DisputeCommand {
    /// Say how every challenge and game stands: over what, whose move it is, and how much time is left.
    List(ListArgs),
    /// Show a challenge with its games, or one game, round by round.
    Show(ShowArgs),
    /// Make the right move in a game, as derivation from L1 gives it, or take up a challenge to defend its output.
    Move(MoveArgs),
    /// Do what is due in a challenge or a game: end what ran out of time, resolve, return bonds, and take out one's own.
    Resolve(ResolveArgs),
    /// Say who is right and why: the block where a side leaves the truth, and the instruction.
    Explain(ExplainArgs),
    /// Print what happens in disputes, an event a line, until interrupted.
    Watch(WatchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Only what is not decided.
    #[arg(long)]
    pub(super) open: bool,
}

/// A challenge or a game, by its number on L1.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TargetArgs {
    /// A challenge, with all its games.
    #[arg(value_name = "CHALLENGE")]
    pub(super) challenge: Option<u64>,
    /// A game alone.
    #[arg(long, value_name = "GAME")]
    pub(super) game: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// The game to move in.
    #[arg(value_name = "GAME", required_unless_present = "defend")]
    pub(super) game: Option<u64>,
    /// Instead of a move in a game, open one: defend an output against this challenge. Takes a bond.
    #[arg(long, value_name = "CHALLENGE", conflicts_with = "game")]
    pub(super) defend: Option<u64>,
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    #[command(flatten)]
    pub(super) execution: ExecutionArgs,
    /// Key that moves.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true, required_unless_present = "dry_run")]
    pub(super) key: Option<Key>,
    /// Send nothing: print the calls to be made.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    /// Key that sends. Anyone may; what it has been credited is taken out, too.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(super) key: Key,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    #[command(flatten)]
    pub(super) execution: ExecutionArgs,
    /// A node that serves the claimed chain: with it, transaction and account are named. Not trusted.
    #[arg(long, value_name = "URL")]
    pub(super) peer: Option<String>,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(super) chain: ChainArgs,
    /// Stop once what L1 holds is printed.
    #[arg(long)]
    pub(super) once: bool,
    /// How to print.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

impl TargetArgs {
    /// The challenge, and the game if it is one.
    pub(super) fn find<'a>(
        &self,
        records: &DisputeRecords<'a>,
    ) -> Result<(&'a Challenge, Option<&'a Game>), UnknownRecord> {
        match (self.challenge, self.game) {
            (_, Some(number)) => {
                let game = records.game(number)?;
                Ok((records.challenge_of(game), Some(game)))
            }
            (number, None) => Ok((records.challenge(number.unwrap_or_default())?, None)),
        }
    }
}
