//! The modules of a crate must not import each other in a cycle, directly or through other modules.
//!
//! The test reads sources as text. A path that begins with `crate`, `self`, `super` or the name of
//! a child module is an edge. Re-exported names are resolved to the module that defines them. Tests
//! inside of crates are ignored.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    crates::metadata,
    source::{Crate, workspace_root},
};

/// Crates whose modules still form cycles. Moving their code changes the proof program.
const CYCLIC: &[&str] = &["crates/protocol/src", "crates/state/src"];

#[test]
fn modules_do_not_import_in_a_cycle() {
    let mut cyclic = BTreeMap::new();
    for directory in source_directories() {
        let found = circles(&Crate::read(&workspace_root().join(&directory)).edges());
        if !found.is_empty() {
            cyclic.insert(directory, found);
        }
    }
    let expected = CYCLIC.iter().copied().collect::<BTreeSet<_>>();
    let found = cyclic.keys().map(String::as_str).collect::<BTreeSet<_>>();
    assert_eq!(found, expected, "modules import each other: {cyclic:#?}");
}

#[test]
fn cycle_of_three_is_found() {
    let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let edges = BTreeMap::from([edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("d", "a")]);
    assert_eq!(circles(&edges), [["a", "b", "c"]]);
}

/// The source directory of each crate of the workspace, from its root.
fn source_directories() -> Vec<String> {
    let metadata = metadata();
    let root = metadata["workspace_root"].as_str().expect("a path");
    let packages = metadata["packages"].as_array().expect("packages");
    let manifests = packages.iter().map(|package| package["manifest_path"].as_str());
    let directories = manifests.map(|manifest| {
        let below = manifest.and_then(|it| it.strip_prefix(root)).expect("it is in the workspace");
        below.trim_start_matches('/').replace("Cargo.toml", "src")
    });
    directories.collect()
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
