//! Processor time of other processes, as Linux counts it.

use std::{
    collections::BTreeMap,
    fs, io,
    ops::{AddAssign, Sub},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::Serialize;

/// Linux reports processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// The beginning of the names of KZG's threads.
const KZG_THREAD: &str = "kzg-";

/// Processor time, in user and kernel mode.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct ProcessorTime {
    /// Of all threads.
    pub(super) all: Duration,
    /// Of the threads that compute KZG.
    pub(super) kzg: Duration,
}

impl AddAssign for ProcessorTime {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.kzg += other.kzg;
    }
}

impl Sub for ProcessorTime {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { all: self.all.saturating_sub(before.all), kzg: self.kzg.saturating_sub(before.kzg) }
    }
}

/// One line of `/proc/…/stat`.
#[derive(Debug)]
struct Stat {
    name: String,
    parent: u32,
    time: Duration,
}

/// Processor time of each process so far, by id.
#[derive(Debug)]
pub(super) struct Processes(BTreeMap<u32, Stat>);

impl Processes {
    /// All processes of this machine.
    pub(super) fn now() -> anyhow::Result<Self> {
        let mut processes = BTreeMap::new();
        let all = fs::read_dir("/proc").context("processor time is read from Linux's /proc")?;
        for entry in all {
            let id = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(id) = id else { continue };
            // Processes end at any time.
            if let Ok(stat) = Stat::read(Path::new(&format!("/proc/{id}/stat"))) {
                processes.insert(id, stat);
            }
        }
        ensure!(!processes.is_empty(), "processor time is read from Linux's /proc");
        Ok(Self(processes))
    }

    /// The time of a process and its descendants, but not of `others` and theirs.
    pub(super) fn time(&self, id: u32, others: &[u32]) -> ProcessorTime {
        let mut time = ProcessorTime::default();
        if let Some(stat) = self.0.get(&id) {
            time += ProcessorTime { all: stat.time, kzg: kzg_time(id).unwrap_or_default() };
        }
        let children = self.0.iter().filter(|(_, stat)| stat.parent == id);
        for (child, _) in children.filter(|(child, _)| !others.contains(child)) {
            time += self.time(*child, others);
        }
        time
    }

    /// The first process below `id` whose name begins with `name`.
    pub(super) fn descendant(&self, id: u32, name: &str) -> Option<u32> {
        let mut children = self.0.iter().filter(|(_, stat)| stat.parent == id);
        children.find_map(|(child, stat)| {
            if stat.name.starts_with(name) { Some(*child) } else { self.descendant(*child, name) }
        })
    }
}

impl Stat {
    fn read(path: &Path) -> io::Result<Self> {
        Self::parse(&fs::read_to_string(path)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Parses `id (name) state parent …`, with the times as fields 14 and 15. The name may hold
    /// anything.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<_> = after.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let time = TICK * (ticks(11)? + ticks(12)?);
        Some(Self { name: name.to_owned(), parent: ticks(1)?, time })
    }
}

/// Time of a process's threads that compute KZG. They never end before the process.
fn kzg_time(id: u32) -> io::Result<Duration> {
    let mut time = Duration::ZERO;
    // Other threads end at any time.
    for thread in fs::read_dir(format!("/proc/{id}/task"))?.flatten() {
        let stat = Stat::read(&thread.path().join("stat"));
        let kzg = stat.ok().filter(|stat| stat.name.starts_with(KZG_THREAD));
        time += kzg.map_or(Duration::ZERO, |stat| stat.time);
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_name() {
        let line = "42 (a) b (c) S 7 1 1 0 -1 4 9 9 9 9 150 50 3 3 20 0 9 0";
        let stat = Stat::parse(line).expect("a line of Linux");
        assert_eq!((stat.name.as_str(), stat.parent), ("a) b (c", 7));
        assert_eq!(stat.time, Duration::from_secs(2));
        assert!(Stat::parse("42 (name) S 7").is_none());
    }

    #[test]
    fn time_is_that_of_descendants_without_others() {
        let stat = |parent, name: &str, seconds| Stat {
            name: name.into(),
            parent,
            time: Duration::from_secs(seconds),
        };
        // No process has such ids, so none has threads.
        let [a, b, c, d] = [1 << 30, (1 << 30) + 1, (1 << 30) + 2, (1 << 30) + 3];
        let processes = Processes(BTreeMap::from([
            (a, stat(1, "sh", 1)),
            (b, stat(a, "turnpike", 10)),
            (c, stat(b, "sh", 100)),
            (d, stat(c, "anvil", 1_000)),
        ]));
        assert_eq!(processes.time(a, &[]).all, Duration::from_secs(1_111));
        assert_eq!(processes.time(a, &[c]).all, Duration::from_secs(11));
        assert_eq!(processes.descendant(a, "anvil"), Some(d));
        assert_eq!(processes.descendant(d, "anvil"), None);
    }
}
