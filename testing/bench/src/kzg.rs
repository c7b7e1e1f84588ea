//! `turnpike bench kzg`: checks of served blobs and cell proofs, one blob after another and as the
//! roles do it, in the same run.

use std::{thread::available_parallelism, time::Duration};

use alloy_eips::{eip4844::env_settings::EnvKzgSettings, eip7594::BlobTransactionSidecarEip7594};
use alloy_primitives::B256;
use anyhow::{Context as _, ensure};
use clap::Args;
use turnpike_l1::{Kzg, ProofTables};
use turnpike_protocol::{BLOB_BYTES, blob_data_bytes, pack_blobs};
use turnpike_random::Rng;

use crate::{
    args::at_least_one,
    clock::{Clock, Time},
    resident::resident,
};

/// Seed of the blobs' content.
const SEED: u64 = 4_844;

/// Arguments of `turnpike bench kzg`.
#[derive(Clone, Copy, Debug, Args)]
pub struct KzgArgs {
    /// Blobs of a batch or a read, all full.
    #[arg(long, value_name = "COUNT", default_value_t = 6, value_parser = at_least_one)]
    pub blobs: usize,
    /// Threads of the parallel runs; by default one per processor.
    #[arg(long, value_name = "COUNT", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Timed rounds. The median is reported.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = at_least_one)]
    pub rounds: usize,
}

impl Default for KzgArgs {
    fn default() -> Self {
        Self { blobs: 6, threads: None, rounds: 5 }
    }
}

/// A way to do some work, and what it took in each round.
struct Contender<'a> {
    name: String,
    /// Returns whether the result is right.
    run: Box<dyn Fn() -> bool + 'a>,
    times: Vec<Time>,
}

/// Prints the time of checks and of proofs. The first way of each kind is the baseline.
pub fn kzg(args: &KzgArgs) -> anyhow::Result<()> {
    let processors = available_parallelism().map_or(1, Into::into);
    let threads = args.threads.unwrap_or(processors);
    let packed = pack_blobs(&content(args.blobs)).context("too many blobs")?;
    let blobs: Vec<_> = packed.chunks(BLOB_BYTES).collect();
    ensure!(blobs.len() == args.blobs, "expected {} blobs, found {}", args.blobs, blobs.len());
    println!("{} blobs; {} rounds", blobs.len(), args.rounds);

    for (name, tables) in
        [("trusted setup", ProofTables::None), ("precomputed tables", ProofTables::Precomputed)]
    {
        let (before, clock) = (resident()?, Clock::start());
        tables.load();
        let (time, memory) = (clock.stop(), resident()?.saturating_sub(before));
        let (wall, cpu) = (time.wall.as_millis(), time.cpu.as_millis());
        println!("{name}: {wall} ms to load, {cpu} ms of a processor, {} MiB", memory >> 20);
    }

    let pools = [Kzg::with_threads(1), Kzg::with_threads(threads)];
    let pools = if threads == 1 { &pools[..1] } else { &pools };
    let sidecar = pools[0].sidecar(&packed, ProofTables::None)?;
    let hashes: Vec<_> = sidecar.versioned_hashes().collect();

    let mut checks = Vec::new();
    let mut proofs = Vec::new();
    for kzg in pools {
        let contender = |name: &str, run| Contender {
            name: match kzg.threads() {
                1 => format!("{name}, one thread"),
                threads => format!("{name}, {threads} threads"),
            },
            run,
            times: Vec::new(),
        };
        let (blobs, hashes, packed, sidecar) = (&blobs, &hashes, &packed, &sidecar);
        checks.push(contender(
            "check each blob",
            Box::new(move || kzg.check_each(blobs, hashes).is_ok()),
        ));
        checks.push(contender(
            "check all at once",
            Box::new(move || kzg.check_all(blobs, &sidecar.commitments)),
        ));
        for (name, tables) in [
            ("proofs without tables", ProofTables::None),
            ("proofs with tables", ProofTables::Precomputed),
        ] {
            let run =
                move || kzg.sidecar(packed, tables).is_ok_and(|computed| computed == *sidecar);
            proofs.push(contender(name, Box::new(run)));
        }
    }
    let node = Contender {
        name: "proofs checked by an L1 node".to_owned(),
        run: Box::new(|| is_accepted(&sidecar, &hashes)),
        times: Vec::new(),
    };
    for contenders in [&mut checks, &mut proofs, &mut vec![node]] {
        measure(contenders, args.rounds)?;
        print(contenders, args.blobs);
    }
    Ok(())
}

/// Processor time that an L1 node takes for each blob of a transaction with so many, before it
/// accepts the transaction: the median of a few rounds.
pub fn node_check_time(blobs: usize) -> anyhow::Result<Duration> {
    let packed = pack_blobs(&content(blobs)).context("too many blobs")?;
    let sidecar = Kzg::shared().sidecar(&packed, ProofTables::None)?;
    let hashes: Vec<_> = sidecar.versioned_hashes().collect();
    let run = Box::new(|| is_accepted(&sidecar, &hashes));
    let mut node = [Contender { name: "the check".to_owned(), run, times: Vec::new() }];
    measure(&mut node, KzgArgs::default().rounds)?;
    Ok(Time::median(&node[0].times).cpu / u32::try_from(blobs)?)
}

/// Checks cell proofs as EIP-7594 has nodes do it, with their library.
fn is_accepted(sidecar: &BlobTransactionSidecarEip7594, hashes: &[B256]) -> bool {
    sidecar.validate(hashes, EnvKzgSettings::Default.get()).is_ok()
}

/// Random bytes that fill this many blobs.
fn content(blobs: usize) -> Vec<u8> {
    let mut random = Rng::new(SEED);
    (0..blob_data_bytes(blobs)).map(|_| random.next_u64() as u8).collect()
}

/// Runs the contenders in turn, with a round before that only warms up.
fn measure(contenders: &mut [Contender<'_>], rounds: usize) -> anyhow::Result<()> {
    for round in 0..=rounds {
        for contender in &mut *contenders {
            let clock = Clock::start();
            let is_right = (contender.run)();
            let time = clock.stop();
            ensure!(is_right, "{}: a wrong result", contender.name);
            if round > 0 {
                contender.times.push(time);
            }
        }
    }
    Ok(())
}

fn print(contenders: &[Contender<'_>], blobs: usize) {
    println!("\n{:<34}{:>10}{:>8}{:>14}{:>8}", "", "ms/blob", "speed", "cpu ms/blob", "speed");
    let mut baseline = None;
    for Contender { name, times, .. } in contenders {
        let Time { wall, cpu } = Time::median(times);
        let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
        let (base_wall, base_cpu) = *baseline.get_or_insert((wall, cpu));
        let each = |time: f64| time * 1e3 / blobs as f64;
        println!(
            "{name:<34}{:>10.1}{:>8.2}{:>14.1}{:>8.2}",
            each(wall),
            base_wall / wall,
            each(cpu),
            base_cpu / cpu,
        );
    }
}
