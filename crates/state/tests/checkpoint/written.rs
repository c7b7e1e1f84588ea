//! A directory with checkpoints, and the states that they must load as.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use alloy_primitives::{Address, B256, U256, keccak256};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use tempfile::TempDir;
use turnpike_state::{
    AccountDiff, MergedDiff, NodeState,
    checkpoint::{CheckpointStore, Discarded, LoadReport, Segment, load},
};

use crate::common::{Model, code_of, diff, set};

pub(crate) const BASES: [u64; 2] = [10, 35];
pub(crate) const DELTAS: [(u64, u64); 4] = [(10, 20), (20, 30), (35, 40), (40, 50)];

/// A directory with two generations, and the state at each of their blocks.
pub(crate) struct Written {
    pub(crate) directory: TempDir,
    pub(crate) states: BTreeMap<u64, (B256, Model)>,
}

impl Written {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("temporary directory");
        let (mut store, recovery) = CheckpointStore::open(directory.path()).expect("open");
        assert!(recovery.loaded.is_none() && recovery.discarded.is_empty());
        let mut runner = TestRunner::deterministic();
        let (mut state, mut model) = (NodeState::default(), Model::default());
        let mut since = MergedDiff::default();
        let mut states = BTreeMap::new();
        for block in 1..=50 {
            let mut diff = diff().new_tree(&mut runner).expect("a diff").current();
            // Each account's slots need more than one record, and each block adds a code.
            let index = U256::from(block);
            let many = (0..700).map(|slot| (U256::from(slot), index << (slot % 200))).collect();
            let account = set(Address::repeat_byte(9), block, &[]);
            diff.accounts.push(AccountDiff { storage: many, ..account });
            let code = code_of(u8::try_from(100 + block).expect("fits 8 bits"));
            diff.codes.push((keccak256(&code), code));
            let root = state.apply(&diff).state_root;
            model.apply(&diff);
            since.push(&diff);
            if BASES.contains(&block) {
                store.write_base(block, root, state.flat()).expect("base");
            } else if let Some((from, _)) = DELTAS.into_iter().find(|(_, to)| *to == block) {
                let diff = std::mem::take(&mut since).into_diff();
                store.write_delta(from, block, root, &diff).expect("delta");
            } else {
                continue;
            }
            since = MergedDiff::default();
            states.insert(block, (root, model.clone()));
            assert_eq!(store.block(), Some(block));
        }
        Self { directory, states }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Loads the directory and compares the state with the written state of the same block.
    pub(crate) fn load(&self) -> (Option<u64>, Vec<Discarded>) {
        self.compare(load(self.path()).expect("the file system works"))
    }

    pub(crate) fn compare(&self, recovery: LoadReport) -> (Option<u64>, Vec<Discarded>) {
        let block = recovery.loaded.map(|loaded| {
            let (root, model) = &self.states[&loaded.block];
            assert_eq!(loaded.state_root, *root);
            assert_eq!(loaded.state.roots().state_root, *root);
            assert_eq!(content(&loaded.state), *model);
            let codes: BTreeSet<B256> =
                loaded.state.flat().iter_codes().map(|code| code.0).collect();
            let added = (1..=loaded.block)
                .map(|block| keccak256(code_of(u8::try_from(100 + block).expect("fits 8 bits"))));
            assert!(added.into_iter().all(|hash| codes.contains(&hash)));
            loaded.block
        });
        (block, recovery.discarded)
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path()).expect("directory");
        entries
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect()
    }

    pub(crate) fn read(&self, segment: Segment) -> Vec<u8> {
        fs::read(self.path().join(segment.to_string())).expect("segment")
    }

    pub(crate) fn write(&self, segment: Segment, bytes: &[u8]) {
        fs::write(self.path().join(segment.to_string()), bytes).expect("segment");
    }
}

/// The content of a state's tables.
pub(crate) fn content(state: &NodeState) -> Model {
    let mut model = Model::default();
    for (address, account) in state.flat().iter_accounts() {
        assert!(model.0.insert(address, (account, BTreeMap::new())).is_none());
    }
    for (address, slot, value) in state.flat().iter_slots() {
        let slots = &mut model.0.get_mut(&address).expect("slots have an account").1;
        assert!(slots.insert(slot, value).is_none());
    }
    model
}

pub(crate) const fn base(block: u64) -> Segment {
    Segment::Base { block }
}

pub(crate) const fn delta(from: u64, to: u64) -> Segment {
    Segment::Delta { from, to }
}
