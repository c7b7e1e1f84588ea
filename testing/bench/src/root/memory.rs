//! `turnpike bench root --memory`: bytes per account and per slot.

use std::{env, process::Command};

use anyhow::{Context as _, ensure};

use crate::{RootArgs, args::MemoryPart, resident::resident};

use super::content::StateContent;

/// Prints the memory per account and per slot of states with `count` of each.
pub(crate) fn print(args: &RootArgs, count: usize) -> anyhow::Result<()> {
    let Some(part) = args.memory_of else { return print_each() };
    let content = match part {
        MemoryPart::Accounts => StateContent::accounts(count),
        MemoryPart::Slots => StateContent::slots(count, args.contracts),
    };
    let empty = resident()?;
    let state = content.build();
    let (own, resident) = (state.memory(), resident()?.saturating_sub(empty));
    let flat = state.flat();
    let (name, count) = match part {
        MemoryPart::Accounts => ("account", flat.account_count()),
        MemoryPart::Slots => ("slot", flat.slot_count()),
    };
    ensure!(count > 0, "no {name}s: there are fewer than contracts");
    let each = |bytes: usize| bytes as f64 / count as f64;
    println!(
        "{count} {name}s: {:.1} B each resident, {:.1} B by the state's own count: tables {:.1}, tries {:.1}",
        each(resident),
        each(own.accounts + own.slots + own.tries),
        each(own.accounts + own.slots),
        each(own.tries),
    );
    Ok(())
}

/// Measures each in a separate process, so that neither counts the other's leftovers.
fn print_each() -> anyhow::Result<()> {
    for part in ["accounts", "slots"] {
        let mut command =
            Command::new(env::current_exe().context("cannot find this program's path")?);
        command.args(env::args_os().skip(1)).args(["--memory-of", part]);
        let status = command.status().context("cannot start this program again")?;
        ensure!(status.success(), "the run for {part}: {status}");
    }
    Ok(())
}
