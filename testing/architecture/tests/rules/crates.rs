//! The table of allowed dependencies between crates. A dependency that is not in the table fails,
//! and so does a row that no crate needs.

use std::{collections::BTreeSet, env, path::Path, process::Command};

use serde_json::Value;

/// Crates from the lowest layer on, each with the crates of the workspace that it may use. Names
/// omit `turnpike-`.
const EDGES: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("keccak", &[]),
    ("random", &[]),
    ("simd", &[]),
    ("cell-proofs", &["simd"]),
    ("ecrecover", &["keccak", "simd"]),
    ("signers", &["ecrecover", "keccak", "protocol"]),
    ("state", &["keccak", "protocol"]),
    ("storage", &["keccak", "protocol"]),
    ("l1", &["cell-proofs", "protocol"]),
    ("tx-manager", &["l1"]),
    ("executor", &["keccak", "protocol", "state"]),
    ("derivation", &["executor", "l1", "protocol", "signers", "state"]),
    ("program", &["executor", "protocol", "state"]),
    ("vm", &["keccak", "protocol"]),
    ("game", &["derivation", "executor", "l1", "program", "protocol", "state", "vm"]),
    ("proposer", &["derivation", "executor", "l1", "protocol", "tx-manager"]),
    ("bridge", &["derivation", "executor", "l1", "protocol", "state", "tx-manager"]),
    ("http", &[]),
    (
        "sequencer",
        &["derivation", "executor", "keccak", "l1", "protocol", "signers", "state", "storage"],
    ),
    ("api", &["executor", "http", "l1", "protocol", "sequencer", "state", "storage"]),
    (
        "replica",
        &[
            "api",
            "derivation",
            "executor",
            "http",
            "l1",
            "protocol",
            "sequencer",
            "state",
            "storage",
        ],
    ),
    ("batcher", &["derivation", "l1", "protocol", "storage", "tx-manager"]),
    (
        "challenger",
        &["derivation", "executor", "game", "l1", "protocol", "state", "storage", "tx-manager"],
    ),
    (
        "adversary",
        &[
            "derivation",
            "executor",
            "game",
            "l1",
            "program",
            "protocol",
            "signers",
            "state",
            "tx-manager",
            "vm",
        ],
    ),
    ("workloads", &["random"]),
    ("conformance", &["executor", "protocol", "state"]),
    ("dispute-model", &["protocol", "random"]),
    ("fuzz", &["executor", "program", "protocol", "random", "state", "vm"]),
    (
        "bench",
        &[
            "batcher",
            "conformance",
            "derivation",
            "executor",
            "game",
            "l1",
            "protocol",
            "random",
            "state",
            "storage",
            "workloads",
        ],
    ),
    ("load", &["random", "workloads"]),
    ("test-anvil", &[]),
    ("test-postgres", &[]),
    ("architecture", &[]),
    (
        "turnpike",
        &[
            "adversary",
            "api",
            "batcher",
            "bench",
            "bridge",
            "challenger",
            "conformance",
            "derivation",
            "dispute-model",
            "executor",
            "game",
            "http",
            "l1",
            "load",
            "program",
            "proposer",
            "protocol",
            "replica",
            "sequencer",
            "storage",
            "tx-manager",
            "vm",
        ],
    ),
];

/// Crates that a crate's tests, benches and examples may also use.
const TEST_EDGES: &[(&str, &[&str])] = &[
    ("storage", &["test-postgres"]),
    ("signers", &["random"]),
    ("executor", &["random"]),
    ("program", &["vm", "workloads"]),
    ("game", &["conformance", "random"]),
    ("cell-proofs", &["random"]),
    ("l1", &["test-anvil"]),
    ("batcher", &["test-anvil"]),
    ("challenger", &["random", "test-anvil", "vm"]),
    ("adversary", &["challenger", "test-anvil"]),
    ("dispute-model", &["game", "l1"]),
];

#[test]
fn crates_depend_on_each_other_as_the_table_says() {
    let metadata = metadata();
    let normal = expected(EDGES);
    assert_same(&edges(&metadata, |kind| kind.is_null()), &normal);
    let mut tests = edges(&metadata, |kind| kind == "dev");
    tests.retain(|edge| !normal.contains(edge) && edge.0 != edge.1);
    assert_same(&tests, &expected(TEST_EDGES));
}

#[test]
fn a_crate_uses_only_crates_of_rows_before_its_own() {
    for (place, (name, uses)) in EDGES.iter().enumerate() {
        for used in *uses {
            assert!(
                EDGES[..place].iter().any(|(lower, _)| lower == used),
                "{name} depends on {used}, which is not in a lower row"
            );
        }
    }
}

fn assert_same(found: &BTreeSet<(String, String)>, table: &BTreeSet<(String, String)>) {
    let (new, stale): (Vec<_>, Vec<_>) =
        (found.difference(table).collect(), table.difference(found).collect());
    assert!(new.is_empty() && stale.is_empty(), "not in the table: {new:?}; not used: {stale:?}");
}

fn expected(table: &[(&str, &[&str])]) -> BTreeSet<(String, String)> {
    let edges = table.iter().flat_map(|(name, uses)| uses.iter().map(move |used| (*name, *used)));
    edges.map(|(name, used)| (name.to_owned(), used.to_owned())).collect()
}

/// Dependencies between crates of the workspace whose kind fits.
fn edges(metadata: &Value, fits: impl Fn(&Value) -> bool) -> BTreeSet<(String, String)> {
    let packages = metadata["packages"].as_array().expect("packages");
    let edges = packages.iter().flat_map(|package| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let fitting = dependencies.iter().filter(|dependency| fits(&dependency["kind"]));
        fitting.filter_map(move |dependency| Some((name_of(package)?, name_of(dependency)?)))
    });
    edges.collect()
}

/// The name of a crate of the workspace, without its prefix.
fn name_of(item: &Value) -> Option<String> {
    match item["name"].as_str().expect("a name") {
        "turnpike" => Some("turnpike".to_owned()),
        name => name.strip_prefix("turnpike-").map(str::to_owned),
    }
}

/// What cargo says of the workspace.
pub(crate) fn metadata() -> Value {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}
