//! Computes roots of small states with every implementation.

use turnpike_bench::{ReportLine, RootArgs, measure_roots};

fn small() -> RootArgs {
    RootArgs {
        accounts: 300,
        slots: 1_000,
        contracts: 10,
        updates: 400,
        rounds: 3,
        ..RootArgs::default()
    }
}

/// Measuring fails unless all implementations agree on every round's root.
#[test]
fn implementations_agree_on_roots() {
    for inserts in [0, 50, 99] {
        let figures = measure_roots(&RootArgs { inserts, ..small() }).expect("roots agree");
        let names: Vec<_> = figures.iter().map(|one| (one.implementation, one.workers)).collect();
        let of = |workers| {
            ["turnpike", "turnpike-tables", "turnpike-commit", "turnpike-undo"]
                .map(|name| (name, workers))
        };
        let (one, two) = (of(1), of(2));
        let expected = [&[("alloy-trie", 1)], &one[..], &two[..], &[("turnpike-portable", 1)]];
        let expected = expected.concat();
        assert_eq!(names, expected);
        assert!(figures.iter().all(|one| one.transactions == 400 && one.gas == 0));
    }
}

#[test]
fn json_lines_compare_workers_with_one_worker() {
    let figures = measure_roots(&small()).expect("measures");
    let lines = ReportLine::all(&figures);
    assert_eq!(lines.len(), 10 * 2);
    let mut against_one = lines.iter().filter(|line| line.baseline == "turnpike");
    let pair = against_one.find(|line| line.workers == 2).expect("a line");
    assert!(pair.ratio > 0.0);
    let json = serde_json::to_value(pair).expect("serialises");
    assert_eq!(json["bench"], "root");
    assert_eq!(json["transactions"], 400);
    assert_eq!(json["gas"], 0);
}

#[test]
fn impossible_sizes_are_refused() {
    for args in [
        RootArgs { contracts: 301, ..small() },
        RootArgs { contracts: 7, ..small() },
        RootArgs { updates: 651, ..small() },
    ] {
        measure_roots(&args).expect_err("refused");
    }
}
