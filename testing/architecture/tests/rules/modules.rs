//! The modules of a crate must not import each other in a cycle, directly or through other modules.
//!
//! The test reads sources as text. A path that begins with `crate`, `self`, `super` or the name of
//! a child module is an edge. Re-exported names are resolved to the module that defines them. Tests
//! inside of crates are ignored.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Crate, workspace_root};

/// Source directories whose modules must not form a cycle.
const ACYCLIC: &[&str] = &[
    "batcher/src",
    "bin/turnpike/src",
    "crates/ecrecover/src",
    "crates/keccak/src",
    "crates/l1/src",
    "crates/storage/src",
    "crates/tx-manager/src",
    "executor/src",
    "fraud-proof/challenger/src",
    "fraud-proof/game/src",
    "fraud-proof/program/src",
    "fraud-proof/vm/src",
    "sequencer/api/src",
    "sequencer/http/src",
    "sequencer/replica/src",
    "sequencer/src",
    "settlement/bridge/src",
    "settlement/derivation/src",
    "settlement/proposer/src",
    "testing/adversary/src",
    "testing/bench/src",
    "testing/conformance/src",
    "testing/load/src",
    "testing/workloads/src",
];

#[test]
fn modules_do_not_import_in_a_cycle() {
    let circles = ACYCLIC.iter().flat_map(|directory| {
        let found = circles(&Crate::read(&workspace_root().join(directory)).edges());
        found.into_iter().map(move |circle| format!("{directory}: {}", circle.join(" ↔ ")))
    });
    let circles: Vec<_> = circles.collect();
    assert!(circles.is_empty(), "modules import each other:\n{}", circles.join("\n"));
}

#[test]
fn cycle_of_three_is_found() {
    let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let edges = BTreeMap::from([edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("d", "a")]);
    assert_eq!(circles(&edges), [["a", "b", "c"]]);
}

/// Groups of modules that import each other, directly or through others.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<_, _> =
        edges.keys().map(|from| (from, reached_from(from, edges))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reached {
        let circle: Vec<_> = to
            .iter()
            .filter(|module| reached.get(module).is_some_and(|back| back.contains(*from)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reached_from(from: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in edges.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}
