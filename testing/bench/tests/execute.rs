//! Runs a small version of every workload with every implementation.

use std::{num::NonZeroUsize, path::PathBuf};

use turnpike_bench::{
    BenchBlock, ExecuteArgs, ReportLine, WORKLOADS, Workload, WorkloadKind, measure,
};
use turnpike_executor::{BlockTransaction as _, BlockTx};

/// Enough to contain every sort of transaction of the mixed workloads.
const TRANSACTIONS: usize = 60;

fn kind(name: &str) -> &'static WorkloadKind {
    WorkloadKind::named(name).expect("a workload")
}

/// One round of this many transactions, with the parallel engine on 1, 2 and 4 workers.
fn small(transactions: usize) -> ExecuteArgs {
    let workers = [1, 2, 4].map(|count| NonZeroUsize::new(count).expect("not 0"));
    ExecuteArgs {
        transactions: Some(transactions),
        rounds: 1,
        workers: workers.to_vec(),
        ..ExecuteArgs::default()
    }
}

/// Measuring fails unless all implementations agree on gas, logs and state.
#[test]
fn implementations_agree_on_every_workload() {
    let args = small(TRANSACTIONS);
    let is_there = |kind: &&WorkloadKind| kind.check(args.test_data.as_deref()).is_ok();
    for kind in WORKLOADS.iter().filter(is_there) {
        let figures =
            measure(kind, &args).unwrap_or_else(|error| panic!("{}: {error:#}", kind.name));
        let computed = "parallel-computed";
        let measured = figures.iter().filter(|one| one.implementation != computed);
        let names: Vec<_> = measured.map(|one| (one.implementation, one.workers)).collect();
        let expected = [
            ("revm-cachedb", 1),
            ("revm-state", 1),
            ("sequential", 1),
            ("parallel", 1),
            ("parallel", 2),
            ("parallel", 4),
        ];
        assert_eq!(names, expected, "{}", kind.name);
        let count = figures[0].transactions;
        assert!(figures.iter().all(|one| one.transactions == count), "{}", kind.name);
        let blocks = figures[0].blocks.len().max(1);
        assert!(count <= TRANSACTIONS * blocks, "{}", kind.name);
    }
}

#[test]
fn made_workloads_have_the_requested_number_of_transactions() {
    for kind in WORKLOADS.iter().filter(|kind| kind.check(None).is_ok()) {
        assert_eq!(made(kind.name).transactions.len(), TRANSACTIONS, "{}", kind.name);
    }
}

#[test]
fn real_blocks_without_data_are_an_error() {
    for name in ["mainnet", "rise"] {
        let nowhere = ExecuteArgs { test_data: None, ..small(1) };
        let error = measure(kind(name), &nowhere).expect_err("there is no data");
        assert!(error.to_string().contains("set TURNPIKE_TEST_DATA"), "{error:#}");
        let elsewhere = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let elsewhere = ExecuteArgs { test_data: Some(elsewhere.join("src")), ..small(1) };
        let error = measure(kind(name), &elsewhere).expect_err("there is no data");
        assert!(error.to_string().contains("set TURNPIKE_TEST_DATA"), "{error:#}");
    }
}

/// The block of a made workload.
fn made(name: &str) -> BenchBlock {
    match kind(name).prepare(Some(TRANSACTIONS), None).expect("prepares") {
        Workload::Made(block) => *block,
        Workload::Real(_) => panic!("{name} is not made"),
    }
}

#[test]
fn workloads_match_their_names() {
    let sender = |tx: &BlockTx| tx.sender().expect("given");
    let to = |tx: &BlockTx| tx.call().expect("a call").0;
    let independent = made("raw-independent").transactions;
    let mut accounts: Vec<_> = independent.iter().flat_map(|tx| [sender(tx), to(tx)]).collect();
    accounts.sort_unstable();
    accounts.dedup();
    assert_eq!(accounts.len(), 2 * TRANSACTIONS, "every account appears once");
    let chain = made("raw-chain").transactions;
    assert!(chain.windows(2).all(|pair| to(&pair[0]) == sender(&pair[1])));
    let one_sender = made("erc20-one-sender").transactions;
    let nonces: Vec<_> =
        one_sender.iter().map(|tx| tx.tx_env(sender(tx), &mut |_| None).nonce).collect();
    assert_eq!(nonces, (0..TRANSACTIONS as u64).collect::<Vec<_>>());
    let defi_b = made("defi-b").transactions;
    let share = |is: fn(&[u8]) -> bool| {
        let data = defi_b.iter().map(|tx| tx.call().expect("a call").1);
        data.filter(|data| is(data)).count() * 100 / TRANSACTIONS
    };
    assert_eq!(share(|data| data.is_empty()), 15);
    assert_eq!(share(|data| data.starts_with(&[0xa9, 0x05, 0x9c, 0xbb])), 45);
    assert_eq!(share(|data| data.starts_with(&[0x09, 0x5e, 0xa7, 0xb3])), 5);
    assert_eq!(share(|data| data.starts_with(&[0x38, 0xed, 0x17, 0x39])), 35);
}

#[test]
fn json_lines_pair_every_implementation_with_every_baseline() {
    let one = vec![NonZeroUsize::MIN];
    let args = ExecuteArgs { rounds: 3, workers: one, ..small(10) };
    let figures = measure(kind("raw-chain"), &args).expect("measures");
    let lines = ReportLine::all(&figures);
    assert_eq!(lines.len(), 4 * 3);
    for line in &lines {
        let json = serde_json::to_value(line).expect("serialises");
        let fields = json.as_object().expect("an object").keys();
        let fields: Vec<_> = fields.filter(|field| *field != "engine").cloned().collect();
        let mut expected = [
            "bench",
            "workload",
            "implementation",
            "workers",
            "transactions",
            "gas",
            "ms",
            "tx_per_s",
            "baseline",
            "ratio",
        ];
        expected.sort_unstable();
        assert_eq!(fields, expected);
        assert_eq!(json["bench"], "execute");
        assert_eq!(json["workload"], "raw-chain");
        assert_eq!(json["workers"], 1);
        assert_eq!(json["transactions"], 10);
        assert_eq!(json["gas"], 210_000);
        assert!(json["ms"].as_f64().expect("a number") > 0.0);
        if line.implementation == line.baseline {
            assert_eq!(line.ratio, 1.0);
        }
        assert!(line.engine.is_none() || line.implementation == "parallel");
    }
    let pair =
        |line: &&ReportLine| line.implementation == "parallel" && line.baseline == "sequential";
    assert_eq!(lines.iter().filter(pair).count(), 1);
}
