//! Replays the corpora and mutates them, without a fuzzer.

use std::{collections::BTreeMap, fs, path::PathBuf, thread};

use turnpike_fuzz::{Outcome, Seed, TARGETS, Target, mutated, seeds};
use turnpike_random::Rng;

/// Mutated inputs of each target. The long suites run fifty times as many.
const MUTATED: [(&str, usize); 4] =
    [("batch", 3_000), ("derivation", 5_000), ("machine", 1_500), ("witness", 10_000)];

/// The share of mutated inputs, in a hundred, that each target at least has to accept.
const CHECKED_PERCENT_MIN: usize = 5;

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).join(target)
}

/// The files of a target's corpus by name.
fn inputs(target: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(corpus(target)).expect("a corpus of each target");
    let files = files.map(|file| file.expect("a file"));
    let read = files.map(|file| {
        let name = file.file_name().into_string().expect("a name");
        (name, fs::read(file.path()).expect("the file can be read"))
    });
    read.collect()
}

/// Prints the input whose run panics.
struct Running<'a>(&'a [u8]);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let bytes: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("input, for a file in the corpus: {bytes}");
        }
    }
}

fn run(target: &str, input: &[u8]) -> Outcome {
    let target = TARGETS.into_iter().find(|other| other.name == target).expect("a target");
    let _running = Running(input);
    (target.run)(input)
}

fn replay(target: &str) {
    let inputs: Vec<_> = inputs(target).into_values().collect();
    let accepted = inputs.iter().filter(|input| run(target, input) == Outcome::Checked).count();
    assert!(accepted > 2, "{accepted} of {} inputs are accepted", inputs.len());
    let (_, count) = MUTATED.into_iter().find(|(name, _)| *name == target).expect("a number");
    let times = if std::env::var_os("TURNPIKE_LONG").is_some() { 50 } else { 1 };
    let mut rng = Rng::new(0x6675_7a7a);
    let mut checked = 0;
    for _ in 0..count * times {
        let (one, other) = (rng.below(inputs.len()), rng.below(inputs.len()));
        let input = mutated(&mut rng, &inputs[one], &inputs[other]);
        checked += usize::from(run(target, &input) == Outcome::Checked);
    }
    println!("{target}: {checked} of {} mutated inputs are accepted", count * times);
    let min = count * times * CHECKED_PERCENT_MIN / 100;
    assert!(checked >= min, "{checked} mutated inputs are accepted, expected {min}");
}

#[test]
fn batch_holds_on_its_corpus_and_mutations() {
    replay("batch");
}

#[test]
fn derivation_holds_on_its_corpus_and_mutations() {
    replay("derivation");
}

#[test]
fn machine_holds_on_its_corpus_and_mutations() {
    replay("machine");
}

#[test]
fn witness_holds_on_its_corpus_and_mutations() {
    replay("witness");
}

#[test]
fn honest_seeds_are_accepted() {
    let is_honest = |seed: &Seed| match seed.target {
        "batch" => seed.name != "empty",
        "derivation" => seed.name.starts_with("batch-"),
        "machine" => seed.name.starts_with("counts"),
        _ => ["trie", "trie-inlined", "state", "program"].contains(&seed.name.as_str()),
    };
    let honest: Vec<_> = seeds().into_iter().filter(is_honest).collect();
    assert!(honest.len() > 15, "{} seeds", honest.len());
    for Seed { target, name, bytes } in honest {
        assert_eq!(run(target, &bytes), Outcome::Checked, "{target}/{name}");
    }
}

#[test]
fn corpora_hold_every_seed() {
    for Seed { target, name, bytes } in seeds() {
        assert_eq!(inputs(target).get(&name), Some(&bytes), "{target}/{name}: run write_corpora");
    }
}

#[test]
fn libfuzzer_links_every_target() {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/libfuzzer"));
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).expect("a manifest");
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "no binary {name}");
        let file = directory.join(format!("targets/{name}.rs"));
        let text = fs::read_to_string(file).expect("a file of each target");
        assert!(text.contains(&format!("turnpike_fuzz::{name}(data);")), "{name}: {text}");
    }
}

/// Run it after a change of the seeds or of the golden vectors:
/// `cargo test -p turnpike-fuzz --test replay -- --ignored`.
#[test]
#[ignore = "writes corpus/"]
fn write_corpora() {
    for Seed { target, name, bytes } in seeds() {
        fs::create_dir_all(corpus(target)).expect("creates");
        fs::write(corpus(target).join(name), bytes).expect("writes");
    }
}
