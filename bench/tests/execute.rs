//! Every workload, small, through every implementation.

use turnpike_bench::{Line, WORKLOADS, measure};

/// Enough for every sort of transaction of the mixed workloads.
const TRANSACTIONS: usize = 60;

/// Measuring fails unless all implementations agree on gas, logs and state.
#[test]
fn implementations_agree_on_every_workload() {
    for kind in WORKLOADS {
        let figures = measure(kind, Some(TRANSACTIONS), 1)
            .unwrap_or_else(|error| panic!("{}: {error:#}", kind.name));
        let names: Vec<_> = figures.iter().map(|one| one.implementation).collect();
        assert_eq!(names[..3], ["revm-cachedb", "revm-state", "sequential"], "{}", kind.name);
        assert!(figures.iter().all(|one| one.transactions == TRANSACTIONS), "{}", kind.name);
    }
}

#[test]
fn workloads_are_what_their_names_say() {
    let prepare = |name: &str| {
        let kind = WORKLOADS.iter().find(|kind| kind.name == name).expect("a workload");
        kind.prepare(Some(TRANSACTIONS)).expect("prepares").transactions
    };
    let independent = prepare("raw-independent");
    let mut accounts: Vec<_> = independent.iter().flat_map(|tx| [tx.sender, tx.to]).collect();
    accounts.sort_unstable();
    accounts.dedup();
    assert_eq!(accounts.len(), 2 * TRANSACTIONS, "nobody appears twice");
    let chain = prepare("raw-chain");
    assert!(chain.windows(2).all(|pair| pair[0].to == pair[1].sender));
    let one_sender = prepare("erc20-one-sender");
    let nonces: Vec<_> = one_sender.iter().map(|tx| tx.nonce).collect();
    assert_eq!(nonces, (0..TRANSACTIONS as u64).collect::<Vec<_>>());
    let defi_b = prepare("defi-b");
    let share = |is: fn(&turnpike_bench::Transaction) -> bool| {
        defi_b.iter().filter(|tx| is(tx)).count() * 100 / TRANSACTIONS
    };
    assert_eq!(share(|tx| tx.data.is_empty()), 15);
    assert_eq!(share(|tx| tx.data.starts_with(&[0xa9, 0x05, 0x9c, 0xbb])), 45);
    assert_eq!(share(|tx| tx.data.starts_with(&[0x09, 0x5e, 0xa7, 0xb3])), 5);
    assert_eq!(share(|tx| tx.data.starts_with(&[0x38, 0xed, 0x17, 0x39])), 35);
}

#[test]
fn json_lines_pair_every_implementation_with_every_baseline() {
    let kind = WORKLOADS.iter().find(|kind| kind.name == "raw-chain").expect("a workload");
    let figures = measure(kind, Some(10), 3).expect("measures");
    let lines = Line::all(&figures);
    assert_eq!(lines.len(), figures.len() * 2);
    for line in &lines {
        let json = serde_json::to_value(line).expect("serialises");
        let fields: Vec<_> = json.as_object().expect("an object").keys().cloned().collect();
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
    }
    let pair = |line: &&Line| line.implementation == "sequential" && line.baseline == "revm-state";
    assert_eq!(lines.iter().filter(pair).count(), 1);
}
