//! Rules for the product's sources: no code of dishonest parties, a short `main.rs`, and a purpose
//! in each directory's first file.

use std::fs;

use crate::source::{rust_files, tokens, workspace_root};

/// Sources of the roles and of the crates that they use.
const PRODUCT: &[&str] = &[
    "batcher/src",
    "crates",
    "executor/src",
    "fraud-proof/challenger/src",
    "fraud-proof/game/src",
    "fraud-proof/program/src",
    "sequencer",
    "settlement",
];

/// Words of dishonest parties. Only `testing/adversary` may have them, no code of the product.
const MISBEHAVIOUR: &[&str] = &["lie", "lies", "lying", "falsify", "liar", "Liar"];

/// Lines of `main.rs`, at most.
const MAIN_LINES_MAX: usize = 30;

#[test]
fn product_contains_no_misbehaviour() {
    let mut found = Vec::new();
    for file in PRODUCT.iter().flat_map(|directory| rust_files(&workspace_root().join(directory))) {
        if file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("it is text");
        let words = tokens(&text).into_iter().filter(|word| MISBEHAVIOUR.contains(&word.as_str()));
        found.extend(words.map(|word| format!("{}: {word}", file.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn main_parses_runs_and_exits() {
    let main =
        fs::read_to_string(workspace_root().join("bin/turnpike/src/main.rs")).expect("main.rs");
    assert!(main.lines().count() <= MAIN_LINES_MAX, "{} lines", main.lines().count());
}

#[test]
fn first_file_of_each_directory_states_its_purpose() {
    let mut silent = Vec::new();
    for directory in [
        "batcher",
        "bin",
        "crates",
        "executor",
        "fraud-proof",
        "sequencer",
        "settlement",
        "testing",
    ] {
        for file in rust_files(&workspace_root().join(directory)) {
            let is_first = file.file_name().is_some_and(|name| {
                ["lib.rs", "main.rs", "mod.rs"].iter().any(|first| name == *first)
            });
            let is_built = file.components().any(|part| part.as_os_str() == "target");
            if !is_first || is_built {
                continue;
            }
            let text = fs::read_to_string(&file).expect("it is text");
            if !text.starts_with("//!") {
                silent.push(file.display().to_string());
            }
        }
    }
    assert!(silent.is_empty(), "no `//!` in\n{}", silent.join("\n"));
}
