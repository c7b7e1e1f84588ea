//! Checks the shipped vectors: they equal what this test computes independently, they pass, and
//! each fails once it is altered.

mod test_state;
mod vectors;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use turnpike_conformance::{
    ConformanceError, Report, RunOptions, TestKind, Verdict, run, suites, write_json,
    write_markdown, write_table,
};

/// Set to write the vectors instead of comparing them.
const WRITE_VARIABLE: &str = "TURNPIKE_WRITE_VECTORS";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn run_all(root: &Path) -> Report {
    run(root, &RunOptions::default()).expect("there are vectors")
}

fn write(root: &Path, path: &str, value: &Value) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("has a parent")).expect("creates");
    let text = serde_json::to_string_pretty(value).expect("serializes");
    fs::write(path, text + "\n").expect("writes");
}

/// Alters one shipped file, runs it with the files that belong to it, and returns the failures.
fn reasons(path: &str, alter: impl FnOnce(&mut Value)) -> Vec<String> {
    let report = run_altered(path, alter);
    assert_eq!(report.verdict(), Verdict::Failed, "{report:?}");
    assert_eq!(report.unreadable, []);
    report.failures.into_iter().map(|failure| failure.reason).collect()
}

fn run_altered(path: &str, alter: impl FnOnce(&mut Value)) -> Report {
    let root = TempDir::new().expect("a directory");
    let top = path.split('/').next();
    let mut files: Vec<_> =
        vectors::all().into_iter().filter(|(name, _)| name.split('/').next() == top).collect();
    if top != Some("blocks") {
        files.retain(|(name, _)| *name == path);
    }
    let file = files.iter_mut().find(|(name, _)| *name == path).expect("is shipped");
    alter(&mut file.1);
    for (name, value) in &files {
        write(root.path(), name, value);
    }
    run_all(root.path())
}

/// Whether there is exactly one failure, with this beginning.
fn is_one(reasons: &[String], beginning: &str) -> bool {
    matches!(reasons, [reason] if reason.starts_with(beginning))
}

const TRANSFER: &str = "GeneralStateTests/stTurnpike/transfer.json";
const LOG: &str = "GeneralStateTests/stTurnpike/log.json";
const SIGNATURES: &str = "TransactionTests/ttTurnpike/signatures.json";
const TRIE: &str = "TrieTests/turnpike_secureTrie.json";
const BLOCK: &str = "blocks/19500000/block.json";
const DEPOSITS: &str = "blocks/7/block.json";
const WRONG: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn vectors_equal_the_independent_computation() {
    for (path, value) in vectors::all() {
        if std::env::var_os(WRITE_VARIABLE).is_some() {
            write(&directory(), path, &value);
        }
        let text = fs::read_to_string(directory().join(path)).expect("is shipped");
        let shipped: Value = serde_json::from_str(&text).expect("is JSON");
        assert_eq!(shipped, value, "{path}: {WRITE_VARIABLE}=1 writes it");
    }
}

#[test]
fn vectors_pass() {
    let report = run_all(&directory());
    assert_eq!(report.failures, []);
    assert_eq!(report.unreadable, []);
    assert_eq!(report.verdict(), Verdict::Passed);
    let passed = |kind: TestKind, fork: &str| -> usize {
        let suites = report.suites.iter();
        let suites = suites.filter(|suite| suite.kind == kind && suite.fork == fork);
        suites.map(|suite| suite.counts.passed).sum()
    };
    assert_eq!(passed(TestKind::State, "Frontier"), 4);
    assert_eq!(passed(TestKind::State, "Cancun"), 6);
    assert_eq!(passed(TestKind::State, "Osaka"), 6);
    assert_eq!(passed(TestKind::Transaction, "Frontier"), 6);
    assert_eq!(passed(TestKind::Transaction, "Osaka"), 7);
    assert_eq!(passed(TestKind::Trie, ""), 2);
    assert_eq!(passed(TestKind::Block, "Cancun"), 1);
    assert_eq!(passed(TestKind::Block, "Prague"), 1);
    assert_eq!(report.total().passed, 4 + 6 + 6 + 5 * 6 + 7 + 2 + 2);
}

#[test]
fn wrong_state_root_fails() {
    let reasons = reasons(TRANSFER, |test| {
        test["transfer"]["post"]["Cancun"][0]["hash"] = json!(WRONG);
    });
    assert!(is_one(&reasons, &format!("state root: expected {WRONG}")), "{reasons:?}");
}

#[test]
fn wrong_state_root_of_a_refused_transaction_fails() {
    let reasons = reasons(TRANSFER, |test| {
        test["transfer"]["post"]["Cancun"][1]["hash"] = json!(WRONG);
    });
    assert!(is_one(&reasons, &format!("state root: expected {WRONG}")), "{reasons:?}");
}

#[test]
fn wrong_logs_hash_fails() {
    let reasons = reasons(LOG, |test| test["log"]["post"]["Osaka"][0]["logs"] = json!(WRONG));
    assert!(is_one(&reasons, &format!("logs hash: expected {WRONG}")), "{reasons:?}");
}

#[test]
fn execution_despite_expected_exception_fails() {
    let reasons = reasons(TRANSFER, |test| {
        test["transfer"]["post"]["Osaka"][0]["expectException"] = json!("TransactionException.X");
    });
    assert!(is_one(&reasons, "executed, must be refused: TransactionException.X"), "{reasons:?}");
}

#[test]
fn refusal_without_expected_exception_fails() {
    for index in [1, 2] {
        let reasons = reasons(TRANSFER, |test| {
            let post = test["transfer"]["post"]["Osaka"][index].as_object_mut();
            post.expect("an object").remove("expectException");
        });
        assert!(is_one(&reasons, "refused, must be executed: "), "{reasons:?}");
    }
}

#[test]
fn unknown_fork_fails() {
    let reasons = reasons(LOG, |test| {
        let post = test["log"]["post"].as_object_mut().expect("an object");
        let cases = post.remove("Osaka").expect("a fork");
        post.insert("Glamsterdam".to_owned(), cases);
    });
    assert!(is_one(&reasons, "unknown fork Glamsterdam"), "{reasons:?}");
}

#[test]
fn wrong_hash_sender_or_gas_of_a_transaction_fails() {
    for (field, value, beginning) in [
        ("hash", WRONG, "hash: expected 0x1111"),
        ("sender", &WRONG[..42], "sender: expected 0x1111"),
        ("intrinsicGas", "0x5209", "intrinsic gas: expected 21001"),
    ] {
        let reasons = reasons(SIGNATURES, |tests| {
            tests["plain"]["result"]["London"][field] = json!(value);
        });
        assert!(is_one(&reasons, beginning), "{reasons:?}");
    }
}

#[test]
fn wrong_validity_of_a_transaction_fails() {
    let taken = reasons(SIGNATURES, |tests| {
        tests["plain"]["result"]["London"] = json!({ "exception": "TransactionException.X" });
    });
    assert!(is_one(&taken, "accepted, must be refused: TransactionException.X"), "{taken:?}");
    let refused = reasons(SIGNATURES, |tests| {
        tests["highS"]["result"]["Homestead"] = tests["highS"]["result"]["Frontier"].clone();
    });
    assert!(is_one(&refused, "refused, must be accepted: "), "{refused:?}");
}

#[test]
fn wrong_trie_root_fails() {
    let reasons = reasons(TRIE, |tests| tests["deleted"]["root"] = json!(WRONG));
    assert!(is_one(&reasons, "root: expected 0x1111"), "{reasons:?}");
}

#[test]
fn wrong_block_fails() {
    for path in [BLOCK, DEPOSITS] {
        for (field, value, beginning) in [
            ("gasUsed", json!("0x1"), "gas used: expected 1"),
            ("logsBloom", json!(format!("0x{}", "11".repeat(256))), "logs bloom: expected 0x1111"),
            ("receiptsRoot", json!(WRONG), "receipts root: expected 0x1111"),
        ] {
            let reasons = reasons(path, |block| block[field] = value);
            assert!(is_one(&reasons, beginning), "{path}: {reasons:?}");
        }
    }
    for (field, value, what) in [
        ("from", &WRONG[..42], "expected signer 0x1111"),
        ("hash", WRONG, "transaction 0x1111"),
        ("nonce", "0x5", ": hash is 0x"),
    ] {
        let reasons = reasons(BLOCK, |block| block["transactions"][0][field] = json!(value));
        assert!(reasons.len() == 1 && reasons[0].contains(what), "{field}: {reasons:?}");
    }
    let reasons = reasons(BLOCK, |block| block["gasLimit"] = json!("0xffff"));
    assert!(reasons[0].contains("was refused: gas limit 50000 exceeds"), "{reasons:?}");
}

#[test]
fn unreadable_files_are_reported() {
    let mut no_cases =
        vectors::all().into_iter().find(|(path, _)| *path == LOG).expect("shipped").1;
    no_cases["log"]["post"] = json!({});
    for (content, reason) in [
        (json!({ "log": { "env": 1 } }), "neither a state, a transaction nor a trie test"),
        (json!([]), "not in the format: "),
        (json!({}), "holds no test"),
        (no_cases, "log holds no case"),
    ] {
        let report = run_altered(LOG, |test| *test = content);
        assert_eq!(report.verdict(), Verdict::Unreadable);
        assert_eq!(report.unreadable.len(), 1);
        assert!(report.unreadable[0].unreadable.starts_with(reason), "{report:?}");
    }
    let empty = TempDir::new().expect("a directory");
    let nothing = run(empty.path(), &RunOptions::default());
    assert!(matches!(nothing, Err(ConformanceError::NothingFound(_))), "{nothing:?}");
    let missing = run(&empty.path().join("missing"), &RunOptions::default());
    assert!(matches!(missing, Err(ConformanceError::Io { .. })), "{missing:?}");
}

#[test]
fn suites_are_found_and_selected() {
    let names = suites(&directory()).expect("there are vectors");
    let transactions = "TransactionTests/ttTurnpike";
    assert_eq!(names, ["GeneralStateTests/stTurnpike", transactions, "TrieTests", "blocks"]);
    let options = RunOptions { suite: Some("TrieTests".to_owned()), ..RunOptions::default() };
    assert_eq!(run(&directory(), &options).expect("there are vectors").total().passed, 2);
    for (path, passed) in [(TRIE, 2), ("blocks/7", 1), ("GeneralStateTests", 16)] {
        assert_eq!(run_all(&directory().join(path)).total().passed, passed, "{path}");
    }
}

#[test]
fn tables_count_by_kind_and_fork() {
    let report = run_all(&directory());
    let mut text = Vec::new();
    write_markdown(&report, &mut text).expect("writes");
    let text = String::from_utf8(text).expect("is text");
    let lines: Vec<_> = text.lines().collect();
    let header = "| fork | state tests | transaction tests | blocks | trie tests |";
    assert_eq!(lines[0], header);
    // Forks in the order of history, each with what passed of each kind.
    let states = |fork: &str| {
        let row = lines.iter().find(|line| line.starts_with(&format!("| {fork} | ")));
        row.and_then(|row| row.split(" | ").nth(1)).map(str::to_owned)
    };
    let expected = [("Frontier", "4"), ("Cancun", "6"), ("Osaka", "6")];
    for (fork, passed) in expected {
        assert_eq!(states(fork).as_deref(), Some(passed), "{text}");
    }
    let place = |fork: &str| lines.iter().position(|line| line.contains(fork));
    assert!(place("Frontier") < place("Cancun") && place("Cancun") < place("Osaka"), "{text}");
    assert!(lines.last().is_some_and(|line| line.starts_with("| all | 16 | ")), "{text}");
    let mut text = Vec::new();
    write_table(&report, &mut text).expect("writes");
    let text = String::from_utf8(text).expect("is text");
    assert!(text.contains("\npassed in "), "{text}");
}

#[test]
fn filter_chooses_tests() {
    let filtered = |filter: &str| {
        let options = RunOptions { filter: Some(filter.to_owned()), ..RunOptions::default() };
        run(&directory(), &options).expect("there are vectors")
    };
    assert_eq!(filtered("stTurnpike/log").total().passed, 3);
    assert_eq!(filtered("signatures.json::dynamicFee").total().passed, 6);
    assert_eq!(filtered("blocks/7").total().passed, 1);
    assert_eq!(filtered("nothing like it").verdict(), Verdict::Unreadable);
}

#[test]
fn json_lines_have_the_documented_shape() {
    let report = run_altered(LOG, |test| {
        test["log"]["post"]["Osaka"][0]["hash"] = json!(WRONG);
    });
    let mut text = Vec::new();
    write_json(&report, &mut text).expect("writes");
    let lines: Vec<Value> = String::from_utf8(text)
        .expect("is text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("is JSON"))
        .collect();
    let suite = "GeneralStateTests/stTurnpike";
    let counts = |fork: &str, passed: u64, failed: u64| json!({ "suite": suite, "fork": fork, "passed": passed, "failed": failed, "expected": 0 });
    assert_eq!(
        lines[..3],
        [counts("Cancun", 1, 0), counts("Frontier", 1, 0), counts("Osaka", 0, 1)]
    );
    let failure = &report.failures[0];
    assert_eq!(
        lines[3..],
        [json!({
            "suite": suite, "file": "log.json", "test": "log", "fork": "Osaka", "indexes": "d0g0v0",
            "reason": failure.reason,
        })]
    );
}
