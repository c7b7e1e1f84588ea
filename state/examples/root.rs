//! How long a new state root takes, and how much memory a state takes.
//!
//! ```text
//! cargo run --release -p turnpike-state --example root -- [--accounts N] [--slots N]
//!     [--contracts N] [--updates N] [--inserts PERCENT] [--rounds N] [--baseline]
//!     [--only NAME]
//! cargo run --release -p turnpike-state --example root -- --memory N
//! ```
//!
//! Times are CPU times, so that other load on the machine does not count: for several workers the
//! longest of the threads' times plus that of the calling thread.

use std::{
    env,
    process::{Command, ExitCode},
    time::Duration,
};

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{TrieAccount, root};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rustix::time::{ClockId, clock_gettime};
use turnpike_state::{Account, AccountDiff, FlatState, Lanes, NodeState, StateDiff};

/// Sizes of a benchmark.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    accounts: u64,
    slots: u64,
    contracts: u64,
    updates: u64,
    /// How many of a hundred updates are of keys that are not there yet.
    inserts_percent: u64,
    rounds: usize,
}

/// CPU time that rounds took, median.
#[derive(Clone, Copy, Debug)]
struct Measured {
    all: Duration,
    flat: Duration,
}

fn main() -> ExitCode {
    let number = |name: &str, default: u64| {
        let mut rest = env::args().skip_while(|argument| argument != name).skip(1);
        rest.next().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let contracts = number("--contracts", 1000);
    let sizes = Sizes {
        accounts: number("--accounts", 1_000_000),
        slots: number("--slots", 4_000_000),
        contracts,
        updates: number("--updates", 200_000),
        inserts_percent: number("--inserts", 0),
        rounds: usize::try_from(number("--rounds", 7)).unwrap_or(7),
    };
    let only = Sizes { accounts: 0, slots: 0, contracts: 0, ..sizes };
    if let count @ 1.. = number("--memory-of-accounts", 0) {
        return print_memory_of("accounts", Sizes { accounts: count, ..only }, count);
    }
    if let count @ 1.. = number("--memory-of-slots", 0) {
        let only = Sizes { slots: count, contracts, accounts: contracts, ..only };
        return print_memory_of("slots", only, count);
    }
    if let count @ 1.. = number("--memory", 0) {
        return print_memory(count);
    }
    print_roots(sizes, env::args().any(|argument| argument == "--baseline"));
    ExitCode::SUCCESS
}

fn print_roots(sizes: Sizes, baseline: bool) {
    let (mut state, built) = timed(&[], || build(sizes));
    let leaves = sizes.accounts + sizes.slots;
    println!("{sizes:?}\nbuilt in {:.2} µs per leaf", micros(built, leaves));
    // Other keys and values for each implementation: a value that is there already costs nothing.
    let mut diffs = (0..).map(|round| diff(sizes, round));
    let mut diffs = || diffs.by_ref().take(sizes.rounds + 1).collect::<Vec<StateDiff>>();
    let mut first = None;
    let one = ThreadPoolBuilder::new().num_threads(1).build().expect("thread pool");
    let two = ThreadPoolBuilder::new().num_threads(2).build().expect("thread pool");
    let implementations = [
        ("turnpike, 1 worker", Lanes::detect(), &one),
        ("turnpike, 2 workers", Lanes::detect(), &two),
        ("turnpike, 1 worker, portable hash", Lanes::Portable, &one),
    ];
    let only = env::args().skip_while(|argument| argument != "--only").nth(1);
    let only = only.unwrap_or_default();
    for (name, lanes, pool) in implementations.into_iter().filter(|(name, ..)| name.contains(&only))
    {
        let diffs = diffs();
        let slots = diffs[1..].iter().flat_map(|diff| &diff.accounts);
        let updated = slots.map(|account| 1 + account.storage.len() as u64).sum::<u64>();
        let updated = updated / sizes.rounds as u64;
        let measured = measure(&mut state, lanes, pool, &diffs);
        let root = micros(measured.all.saturating_sub(measured.flat), updated);
        let first = *first.get_or_insert(root);
        let flat = micros(measured.flat, updated);
        println!("{name:36} {root:6.3} µs per leaf, {:5.2}x; tables {flat:.3} µs", first / root);
    }
    let flat = state.flat();
    println!(
        "{} accounts, {} slots: {:?}",
        flat.account_count(),
        flat.slot_count(),
        state.memory()
    );
    if baseline {
        let (root, time) = timed(&[], || rebuild(state.flat()));
        assert_eq!(root, state.roots().state_root, "the implementations disagree");
        let time = micros(time, sizes.updates);
        println!("{:36} {time:6.3} µs per leaf", "alloy-trie, everything anew");
    }
}

/// Applies each diff, and each to the flat tables alone; the first is a warm-up.
fn measure(
    state: &mut NodeState,
    lanes: Lanes,
    pool: &ThreadPool,
    diffs: &[StateDiff],
) -> Measured {
    state.set_lanes(lanes);
    let mut flat = state.flat().clone();
    let (mut all, mut tables) = (Vec::new(), Vec::new());
    for diff in diffs {
        tables.push(timed(&[], || flat.apply(diff)).1);
    }
    drop(flat);
    for diff in diffs {
        all.push(timed(&[pool], || state.apply_on(diff, pool)).1);
    }
    Measured { all: median(&all[1..]), flat: median(&tables[1..]) }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

/// CPU time on the longest way through: the calling thread's and the busiest worker's.
fn timed<T>(pools: &[&ThreadPool], work: impl FnOnce() -> T) -> (T, Duration) {
    let workers = |pools: &[&ThreadPool]| -> Vec<Duration> {
        pools.iter().flat_map(|pool| pool.broadcast(|_| thread_time())).collect()
    };
    let (before, start) = (workers(pools), thread_time());
    let result = work();
    let own = thread_time() - start;
    let after = workers(pools);
    let busiest = before.iter().zip(after).map(|(before, after)| after - *before).max();
    (result, own + busiest.unwrap_or_default())
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn micros(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// A state in which the first accounts are contracts with an equal share of the slots.
fn build(sizes: Sizes) -> NodeState {
    /// Entries that are added at a time.
    const ADDED_MAX: u64 = 50_000;
    let mut state = NodeState::default();
    let share = sizes.slots / sizes.contracts.max(1);
    let mut diff = StateDiff::default();
    let mut entries = 0;
    for number in 0..sizes.accounts.max(sizes.contracts) {
        let slots = if number < sizes.contracts { share } else { 0 };
        for from in (0..slots.max(1)).step_by(usize::try_from(ADDED_MAX).unwrap_or(1)) {
            let some = from..slots.min(from + ADDED_MAX);
            entries += some.end - some.start + 1;
            let storage = some.map(|slot| (slot_of(slot), value_of(slot + 1))).collect();
            diff.accounts.push(AccountDiff { storage, ..account_diff(number, 1) });
            if entries >= ADDED_MAX {
                state.apply(&std::mem::take(&mut diff));
                entries = 0;
            }
        }
    }
    state.apply(&diff);
    state
}

/// Random updates, of accounts and of slots in proportion to their numbers.
fn diff(sizes: Sizes, round: u64) -> StateDiff {
    let share = sizes.slots / sizes.contracts.max(1);
    let mut random = Random(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut accounts = std::collections::BTreeMap::<u64, std::collections::BTreeSet<u64>>::new();
    let all = sizes.accounts + sizes.slots;
    let mut fresh = 0;
    for _ in 0..sizes.updates {
        let new = random.below(100) < sizes.inserts_percent;
        fresh += u64::from(new);
        let (new_account, new_slot) =
            (sizes.accounts + round * sizes.updates + fresh, share + round * sizes.updates + fresh);
        if random.below(all) < sizes.accounts {
            accounts
                .entry(if new { new_account } else { random.below(sizes.accounts) })
                .or_default();
        } else {
            let contract = accounts.entry(random.below(sizes.contracts)).or_default();
            contract.insert(if new { new_slot } else { random.below(share) });
        }
    }
    let accounts = accounts.into_iter().map(|(number, slots)| {
        let storage = slots.into_iter().map(|slot| (slot_of(slot), value_of(random.next() | 1)));
        AccountDiff { storage: storage.collect(), ..account_diff(number, round + 2) }
    });
    let mut accounts: Vec<AccountDiff> = accounts.collect();
    for at in (1..accounts.len()).rev() {
        accounts.swap(at, usize::try_from(random.below(at as u64 + 1)).unwrap_or(0));
    }
    StateDiff { accounts, codes: Vec::new() }
}

fn account_diff(number: u64, nonce: u64) -> AccountDiff {
    let hash = keccak256(number.to_be_bytes());
    let balance = U256::from(number + 1) * U256::from(1_234_567_890_123_456_789_u64);
    let account = Account { nonce, balance, code_hash: KECCAK256_EMPTY };
    AccountDiff {
        address: Address::from_word(hash),
        account: Some(account),
        ..AccountDiff::default()
    }
}

/// As a mapping in a contract spreads its slots.
fn slot_of(number: u64) -> U256 {
    keccak256((number ^ 0x5107).to_le_bytes()).into()
}

fn value_of(seed: u64) -> U256 {
    U256::from(seed) * U256::from(0x1234_5678_9abc_def1_u64)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }
}

/// The root by an independent implementation, from nothing but the content.
fn rebuild(flat: &FlatState) -> B256 {
    let mut storages = std::collections::HashMap::<Address, Vec<(B256, U256)>>::new();
    for (address, slot, value) in flat.iter_slots() {
        storages.entry(address).or_default().push((slot.into(), value));
    }
    let accounts = flat.iter_accounts().map(|(address, account)| {
        let Account { nonce, balance, code_hash } = account;
        let slots = storages.remove(&address).unwrap_or_default();
        let storage_root = root::storage_root_unhashed(slots);
        (address, TrieAccount { nonce, balance, storage_root, code_hash })
    });
    root::state_root_unhashed(accounts.collect::<Vec<_>>())
}

/// Each in a process of its own: what one leaves behind would count for the other.
fn print_memory(count: u64) -> ExitCode {
    for (mode, what) in [("--memory-of-accounts", "account"), ("--memory-of-slots", "slot")] {
        let arguments = env::args().skip(1).filter(|argument| argument != "--memory");
        let arguments = [mode.to_owned(), count.to_string()].into_iter().chain(arguments);
        let this = env::current_exe().expect("own path");
        let status = Command::new(this).args(arguments).status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("the run for one {what} failed");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn print_memory_of(what: &str, sizes: Sizes, count: u64) -> ExitCode {
    let empty = resident();
    let state = build(sizes);
    let (own, resident) = (state.memory(), resident() - empty);
    let sum = own.accounts + own.slots + own.tries;
    let (resident, sum) = (per(resident, count), per(sum, count));
    println!("{count} {what}: {resident:.1} B each resident, {sum:.1} B by own account; {own:?}");
    ExitCode::SUCCESS
}

fn per(bytes: usize, count: u64) -> f64 {
    bytes as f64 / count as f64
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() * 1024
}
