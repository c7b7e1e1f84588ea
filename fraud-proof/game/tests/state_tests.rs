//! Ethereum's state tests as chains. The node, the native program and the program in the machine
//! must compute the same output root. By default a sample of the public tests runs, selected by
//! hashes of their names. `TURNPIKE_LONG=1` runs all of them.
//!
//! The public tests are read from `$TURNPIKE_TEST_DATA`. Without it only the shipped tests run, and
//! a notice says so.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use alloy_primitives::{B256, U256, keccak256};
use libtest_mimic::{Arguments, Failed, Trial};
use turnpike_conformance::{StateChain, state_chains};
use turnpike_derivation::Follower;
use turnpike_executor::EngineConfig;
use turnpike_game::prove::{PROGRAM, Proof, ProofReport, Statement};
use turnpike_l1::PostedEntry;
use turnpike_protocol::{DataKind, Entry, EntryData, calldata_hash};

const DATA_VARIABLE: &str = "TURNPIKE_TEST_DATA";
/// Environment variable that selects every state test.
const LONG_VARIABLE: &str = "TURNPIKE_LONG";

/// The sample holds one test in this many.
const EVERY: u64 = 64;

/// Maximum number of chains that wait for a worker.
const WAITING_MAX: usize = 16;

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    let shipped =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/conformance/vectors/GeneralStateTests");
    let mut trials = vec![Trial::test("shipped", || prove_all(Path::new(shipped), 1))];
    match env::var_os(DATA_VARIABLE).map(PathBuf::from).filter(|path| path.is_dir()) {
        Some(root) => {
            let every = if env::var_os(LONG_VARIABLE).is_some() { 1 } else { EVERY };
            trials.push(Trial::test("public", move || prove_all(&root, every)));
        }
        None => {
            eprintln!("\n*** NOT PROVEN: Ethereum's public state tests. Set {DATA_VARIABLE}");
            eprintln!("*** to a directory that holds github.com/ethereum/tests.\n");
            let run = || Err(Failed::from(format!("{DATA_VARIABLE} is not a directory")));
            trials.push(Trial::test("public", run).with_ignored_flag(true));
        }
    }
    trials
}

/// Results of many chains.
#[derive(Debug, Default)]
struct Tally {
    ran: AtomicUsize,
    /// Number of chains whose block includes the transaction.
    included: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Proves one of `every` state tests below `root`.
fn prove_all(root: &Path, every: u64) -> Result<(), Failed> {
    let tally = Tally::default();
    let workers = thread::available_parallelism()?.get();
    let (sender, receiver) = mpsc::sync_channel::<StateChain>(WAITING_MAX);
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().expect("no thread panics with the lock").recv().ok();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(chain) = next() {
                    tally.prove(&chain);
                }
            });
        }
        let is_picked = |name: &str| {
            let number = U256::from_be_bytes(keccak256(name).0);
            (number % U256::from(every)).is_zero()
        };
        let take = |chain| sender.send(chain).expect("workers outlive the reader");
        let read = state_chains(root, is_picked, take);
        drop(sender);
        read
    })?;
    tally.verdict()
}

impl Tally {
    fn prove(&self, chain: &StateChain) {
        self.ran.fetch_add(1, Ordering::Relaxed);
        let proven = catch_unwind(AssertUnwindSafe(|| prove(chain)));
        match proven.unwrap_or_else(|_| Err("panics".to_owned())) {
            Ok(is_included) => {
                self.included.fetch_add(usize::from(is_included), Ordering::Relaxed);
            }
            Err(failure) => {
                let failure = format!("{}: {failure}", chain.name);
                self.failures.lock().expect("no thread panics with the lock").push(failure);
            }
        }
    }

    fn verdict(self) -> Result<(), Failed> {
        let (ran, included) = (self.ran.into_inner(), self.included.into_inner());
        let failures = self.failures.into_inner().expect("no thread panics with the lock");
        println!("{ran} state tests proven, the transaction is in the block in {included} of them");
        if !failures.is_empty() {
            return Err(
                format!("{} of {ran} differ:\n{}", failures.len(), failures.join("\n")).into()
            );
        }
        // Chains without transactions would prove little.
        if ran == 0 || included * 2 < ran {
            return Err(format!("only {included} of {ran} transactions are in their block").into());
        }
        Ok(())
    }
}

/// Proves the block of a chain. Returns whether it includes the test's transaction.
fn prove(chain: &StateChain) -> Result<bool, String> {
    let mut follower = Follower::new(&chain.genesis, EngineConfig::default());
    let genesis_hash = follower.head().hash();
    let entries = entries(chain, chain.genesis.config.hash(genesis_hash));
    let source = EntryData {
        entry: &entries[1].entry,
        previous: &entries[0].entry,
        origin: &entries[0].entry,
        data: &chain.batch,
        blob_hashes: &[],
        deposits: &[],
    };
    let statement = Statement::of_next_entry(&mut follower, &entries, &source, 0)
        .map_err(|error| error.to_string())?;
    if let Some(fault) = &statement.fault {
        return Err(format!("the batch is passed over: {fault}"));
    }
    let proof = Proof::run(PROGRAM, statement).map_err(|error| error.to_string())?;
    if !proof.agrees() {
        return Err(ProofReport::from(&proof).to_string());
    }
    Ok(proof.statement.block.is_some_and(|block| block.skipped == 0))
}

/// Entry 0 and an entry with the batch.
fn entries(chain: &StateChain, config_hash: B256) -> [PostedEntry; 2] {
    let first = Entry {
        index: 0,
        data_kind: DataKind::None,
        data_hash: B256::ZERO,
        deposit_acc: B256::ZERO,
        deposit_count: 0,
        l1_block_number: 1,
        l1_time: 0,
        l1_base_fee: U256::from(7),
        l1_blob_base_fee: U256::from(1),
        l1_parent_hash: B256::ZERO,
        origin: 0,
        origin_acc: B256::ZERO,
        offchain_time: 0,
    };
    let first_acc = first.accumulate(config_hash);
    let second = Entry {
        index: 1,
        data_kind: DataKind::Calldata,
        data_hash: calldata_hash(&chain.batch),
        l1_block_number: 2,
        l1_time: chain.timestamp,
        origin_acc: first_acc,
        ..first
    };
    let (content, l1_transaction) = (B256::ZERO, B256::ZERO);
    let posted = |entry, acc| PostedEntry { entry, acc, content, l1_transaction };
    [posted(first, first_acc), posted(second, second.accumulate(first_acc))]
}
