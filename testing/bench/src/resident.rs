//! Memory of this process.

use std::fs;

use anyhow::Context as _;

/// Resident memory of this process, in bytes.
pub(crate) fn resident() -> anyhow::Result<usize> {
    let status = fs::read_to_string("/proc/self/status").context("resident size")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(kib.context("no resident size")? * 1024)
}
