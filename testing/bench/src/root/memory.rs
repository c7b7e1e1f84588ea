use std::{env, fs, process::Command};

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use crate::RootArgs;

use super::content::Content;

/// What a state is filled with to see what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Accounts without slots.
    Accounts,
    /// Slots of a few contracts.
    Slots,
}

/// Prints what each account and each slot takes, of `count`.
pub(crate) fn print(args: &RootArgs, count: usize) -> anyhow::Result<()> {
    let Some(part) = args.memory_of else { return print_each() };
    let content = match part {
        Part::Accounts => Content::accounts(count),
        Part::Slots => Content::slots(count, args.contracts),
    };
    let empty = resident()?;
    let state = content.build();
    let (own, resident) = (state.memory(), resident()?.saturating_sub(empty));
    let flat = state.flat();
    let (name, count) = match part {
        Part::Accounts => ("account", flat.account_count()),
        Part::Slots => ("slot", flat.slot_count()),
    };
    ensure!(count > 0, "no {name}s: fewer than contracts");
    let each = |bytes: usize| bytes as f64 / count as f64;
    println!(
        "{count} {name}s: {:.1} B each resident, {:.1} B by own account: tables {:.1}, tries {:.1}",
        each(resident),
        each(own.accounts + own.slots + own.tries),
        each(own.accounts + own.slots),
        each(own.tries),
    );
    Ok(())
}

/// Each in a process of its own: what one leaves behind would count for the other.
fn print_each() -> anyhow::Result<()> {
    for part in ["accounts", "slots"] {
        let mut command = Command::new(env::current_exe().context("own path")?);
        command.args(env::args_os().skip(1)).args(["--memory-of", part]);
        let status = command.status().context("cannot start again")?;
        ensure!(status.success(), "the run for {part}: {status}");
    }
    Ok(())
}

/// Bytes of this process in memory.
fn resident() -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status").context("resident size")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(kib.context("no resident size")? * 1024)
}
