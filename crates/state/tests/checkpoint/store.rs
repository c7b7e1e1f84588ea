//! The segments that a store writes, keeps and deletes.

use std::fs;

use alloy_primitives::{Address, B256};
use tempfile::TempDir;
use turnpike_state::{
    AccountDiff, NodeState, StateDiff,
    checkpoint::{CheckpointError, CheckpointStore, Discarded, SegmentError, load},
};

use crate::{
    common::set,
    written::{Written, base, content, delta},
};

#[test]
fn written_state_is_loaded() {
    let written = Written::new();
    assert_eq!(written.load(), (Some(50), Vec::new()));
    for (segment, left) in [(delta(40, 50), 40), (delta(35, 40), 35), (base(35), 30)] {
        fs::remove_file(written.path().join(segment.to_string())).expect("removed");
        assert_eq!(written.load(), (Some(left), Vec::new()));
    }
}

#[test]
fn segment_with_another_state_root_is_rejected_and_undone() {
    let directory = TempDir::new().expect("temporary directory");
    let (mut store, _) = CheckpointStore::open(directory.path()).expect("open");
    let [alice, bob] = [1, 2].map(Address::with_last_byte);
    let of = |accounts: &[AccountDiff]| StateDiff { accounts: accounts.to_vec(), codes: vec![] };
    let genesis = of(&[set(alice, 1, &[(1, 10)]), set(bob, 1, &[(2, 20)])]);
    let (state, roots) = NodeState::from_genesis(&genesis);
    store.write_base(7, roots.state_root, state.flat()).expect("base");
    let gone = AccountDiff { address: alice, ..AccountDiff::default() };
    let wrong = B256::repeat_byte(1);
    store.write_delta(7, 8, wrong, &of(&[gone, set(bob, 2, &[(3, 30)])])).expect("delta");
    let recovery = load(directory.path()).expect("load");
    let loaded = recovery.loaded.expect("the base loads");
    assert_eq!((loaded.block, loaded.state.roots()), (7, roots));
    assert_eq!(content(&loaded.state), content(&state));
    let [Discarded { segment, reason: SegmentError::StateRoot { expected, .. } }] =
        &recovery.discarded[..]
    else {
        panic!("unexpected: {:?}", recovery.discarded);
    };
    assert_eq!((*segment, *expected), (delta(7, 8), wrong));

    store.write_base(9, wrong, state.flat()).expect("base");
    let recovery = load(directory.path()).expect("load");
    assert_eq!(recovery.loaded.map(|loaded| loaded.block), Some(7));
    assert_eq!(recovery.discarded.len(), 2);
}

#[test]
fn only_two_generations_are_kept() {
    let written = Written::new();
    let old = [base(10), delta(10, 20), delta(20, 30)];
    let new = [base(35), delta(35, 40), delta(40, 50)];
    let all = old.into_iter().chain(new).map(|segment| segment.to_string());
    assert_eq!(written.names(), all.collect());
    let (mut store, recovery) = CheckpointStore::open(written.path()).expect("open");
    let loaded = recovery.loaded.expect("intact");
    store.write_base(50, loaded.state_root, loaded.state.flat()).expect("base");
    let left =
        [base(35), delta(35, 40), delta(40, 50), base(50)].map(|segment| segment.to_string());
    assert_eq!(written.names(), left.into());
    assert_eq!(written.load(), (Some(50), Vec::new()));
    written.write(base(50), b"");
    assert_eq!(written.load().0, Some(50));
}

/// Simulates a crash after a new base got its name and before old segments were deleted.
#[test]
fn older_generations_left_by_a_crash_are_skipped_and_deleted() {
    let written = Written::new();
    let old =
        [base(10), delta(10, 20), delta(20, 30)].map(|segment| (segment, written.read(segment)));
    let (mut store, recovery) = CheckpointStore::open(written.path()).expect("open");
    let loaded = recovery.loaded.expect("intact");
    store.write_base(50, loaded.state_root, loaded.state.flat()).expect("base");
    for (segment, bytes) in &old {
        written.write(*segment, bytes);
    }
    let (mut store, recovery) = CheckpointStore::open(written.path()).expect("open");
    assert_eq!(recovery.discarded, []);
    let state = recovery.loaded.expect("intact");
    assert_eq!(state.block, 50);
    store.write_base(60, state.state_root, state.state.flat()).expect("base");
    assert_eq!(written.names(), [base(50), base(60)].map(|segment| segment.to_string()).into());
}

#[test]
fn leftovers_of_unfinished_writes_are_ignored_and_deleted() {
    let written = Written::new();
    let before = written.names();
    for name in ["base-60.ckpt.tmp", "delta-50-60.ckpt.tmp"] {
        fs::write(written.path().join(name), written.read(base(35))).expect("written");
    }
    fs::write(written.path().join("notes.txt"), b"not ours").expect("written");
    assert_eq!(written.load(), (Some(50), Vec::new()));
    let (_, recovery) = CheckpointStore::open(written.path()).expect("open");
    assert_eq!(written.compare(recovery), (Some(50), Vec::new()));
    let mut after = written.names();
    assert!(after.remove("notes.txt"));
    assert_eq!(after, before);
}

#[test]
fn discarded_segments_are_deleted_once_there_is_a_newer_one() {
    let written = Written::new();
    written.write(delta(35, 40), b"torn");
    let (mut store, recovery) = CheckpointStore::open(written.path()).expect("open");
    let loaded = recovery.loaded.expect("the base loads");
    assert_eq!((loaded.block, recovery.discarded.len()), (35, 2));
    assert!(written.names().contains("delta-40-50.ckpt"));
    store.write_delta(35, 45, loaded.state_root, &StateDiff::default()).expect("delta");
    let names = written.names();
    assert!(!names.contains("delta-35-40.ckpt") && !names.contains("delta-40-50.ckpt"));
    assert!(names.contains("base-10.ckpt"), "the previous generation is kept");
    let recovery = load(written.path()).expect("load");
    assert_eq!(recovery.loaded.map(|loaded| loaded.block), Some(45));
    assert_eq!(recovery.discarded, []);
}

#[test]
fn segments_must_follow_one_another() {
    let written = Written::new();
    let (mut store, recovery) = CheckpointStore::open(written.path()).expect("open");
    let loaded = recovery.loaded.expect("intact");
    let (root, flat) = (loaded.state_root, loaded.state.flat());
    let refused = |result: Result<(), CheckpointError>| {
        assert!(matches!(result, Err(CheckpointError::NotConsecutive { last: Some(50), .. })));
    };
    for (from, to) in [(40, 60), (51, 60), (50, 50), (50, 49)] {
        refused(store.write_delta(from, to, root, &StateDiff::default()));
    }
    refused(store.write_base(49, root, flat));
    store.write_base(50, root, flat).expect("base");
    refused(store.write_base(50, root, flat));

    let empty = TempDir::new().expect("temporary directory");
    let (mut store, _) = CheckpointStore::open(&empty.path().join("new")).expect("open");
    let result = store.write_delta(0, 1, root, &StateDiff::default());
    assert!(matches!(result, Err(CheckpointError::NotConsecutive { last: None, .. })));
}

#[test]
fn base_is_due_when_the_deltas_outgrow_it() {
    let directory = TempDir::new().expect("temporary directory");
    let (mut store, _) = CheckpointStore::open(directory.path()).expect("open");
    assert!(store.needs_base());
    let genesis = set(Address::with_last_byte(1), 1, &[(1, 10), (2, 20), (3, 30)]);
    let diff = StateDiff { accounts: vec![genesis], codes: vec![] };
    let (state, roots) = NodeState::from_genesis(&diff);
    store.write_base(0, roots.state_root, state.flat()).expect("base");
    assert!(!store.needs_base());
    store.write_delta(0, 1, roots.state_root, &diff).expect("delta");
    assert!(!store.needs_base(), "as large as the base");
    store.write_delta(1, 2, roots.state_root, &StateDiff::default()).expect("delta");
    assert!(store.needs_base());
    let (mut store, _) = CheckpointStore::open(directory.path()).expect("open");
    assert!(store.needs_base(), "a base is still due after a restart");
    store.write_base(2, roots.state_root, state.flat()).expect("base");
    assert!(!store.needs_base());
}

#[test]
fn missing_directory_counts_as_empty() {
    let directory = TempDir::new().expect("temporary directory");
    let recovery =
        load(&directory.path().join("none")).expect("a missing directory is not an error");
    assert!(recovery.loaded.is_none() && recovery.discarded.is_empty());
}
