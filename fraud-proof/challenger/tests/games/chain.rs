//! A chain on L1's contracts, and the verifier that derives it.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use turnpike_challenger::{HonestClaims, TraceCache, Verifier};
use turnpike_game::{ClaimError, ClaimProvider as _, Trace};
use turnpike_l1::{DisputedOutput, PostedEntry};
use turnpike_protocol::{EntryData, Genesis, Header, OutputRoot};

use crate::{
    derived::blocks_per_entry,
    inbox::{Block, Rollup, TIME, batch, genesis},
    l1::L1,
};

/// Maximum number of kept runs.
const TRACES: usize = 24;

/// The tests' chain with a challenge window long enough for many games.
fn long_window() -> Genesis {
    let mut genesis = genesis();
    genesis.config.challenge_window = 1_000_000;
    genesis
}

/// The chain derived from L1's entries.
pub(crate) struct Chain {
    pub(crate) verifier: Verifier,
    entries: Vec<PostedEntry>,
    /// Batch data by entry.
    data: Vec<Bytes>,
    traces: TraceCache,
}

/// The chain and its L1.
pub(crate) struct TestChain {
    pub(crate) l1: L1,
    pub(crate) chain: Chain,
    /// Signs transactions.
    pub(crate) rollup: Rollup,
    /// True outputs by parent and entry. L1 accepts each output once.
    true_outputs: BTreeMap<(u64, u64), (u64, B256)>,
}

impl TestChain {
    pub(crate) fn new() -> Self {
        let genesis = long_window();
        let verifier = Verifier::new(&genesis);
        let mut l1 = L1::new(&genesis.config, &verifier.genesis_output(), TIME);
        let entries = vec![l1.first_entry()];
        let traces = TraceCache::with_max(TRACES, TRACES);
        let chain = Chain { verifier, entries, data: vec![Bytes::new()], traces };
        Self { l1, chain, rollup: Rollup::new(), true_outputs: BTreeMap::new() }
    }

    /// Posts a batch, or invalid data if there are no blocks, and derives the entry.
    pub(crate) fn post(&mut self, blocks: Vec<Block>) {
        let is_garbage = blocks.is_empty();
        let data = if is_garbage { b"no batch".to_vec() } else { batch(0, blocks).0 };
        let before = self.chain.entries.last().expect("L1 has entry 0").content;
        let posted = self.l1.append(before, &data.clone().into());
        self.chain.entries.push(posted);
        self.chain.data.push(data.into());
        self.chain.feed();
    }

    /// Index and claim of the first output.
    pub(crate) fn genesis_output(&mut self) -> (u64, B256) {
        (0, self.l1.output(0).claim)
    }

    /// Proposes the true output after an entry, or a false one.
    pub(crate) fn propose(
        &mut self,
        parent: (u64, B256),
        entry: u64,
        lie: Option<u64>,
    ) -> DisputedOutput {
        let derived = self.chain.verifier.entry(entry).expect("derived");
        let (mut claimed, header): (OutputRoot, Header) = (derived.output, derived.header.clone());
        if let Some(lie) = lie {
            claimed.message_passer_storage_root = keccak256(lie.to_be_bytes());
        }
        let at = usize::try_from(entry).expect("index fits usize");
        let posted = self.chain.entries[at];
        let place = (parent.0, entry);
        let known = self.true_outputs.get(&place).filter(|_| lie.is_none()).copied();
        let (index, claim) =
            known.unwrap_or_else(|| self.l1.propose(parent, &posted, &claimed, &header));
        if lie.is_none() {
            self.true_outputs.insert(place, (index, claim));
        }
        let (output, parent) = (self.l1.output(index), self.l1.output(parent.0));
        assert_eq!(output.outputRoot, claimed.hash());
        DisputedOutput {
            index,
            claim,
            parent_entry: parent.entry,
            entry,
            parent_root: parent.outputRoot,
            root: output.outputRoot,
            blocks_per_entry: blocks_per_entry(),
        }
    }
}

impl Chain {
    fn feed(&mut self) {
        while let Some(posted) = self.next_entry() {
            let index = usize::try_from(posted.entry.index).expect("index fits usize");
            let data = entry_data(
                &posted.entry,
                &self.entries[index - 1].entry,
                &self.entries[0].entry,
                &self.data[index],
            );
            self.verifier.feed(&posted, &data).expect("the entry is the next one");
        }
    }

    fn next_entry(&self) -> Option<PostedEntry> {
        let next = usize::try_from(self.verifier.next_entry()).expect("index fits usize");
        self.entries.get(next).copied()
    }

    /// Requests honest claims and prepares the runs that the answer needs.
    pub(crate) fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut HonestClaims<'_>) -> Result<T, ClaimError>,
    ) -> T {
        loop {
            match question(&mut HonestClaims::new(&self.verifier, &mut self.traces)) {
                Ok(answer) => return answer,
                Err(ClaimError::NotPrepared { entry, index }) => self.prepare(entry, index),
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn prepare(&mut self, entry: u64, index: u64) {
        self.verifier.rewind(entry);
        let posted = self.next_entry().expect("the entry is posted");
        let at = usize::try_from(entry).expect("index fits usize");
        let data = entry_data(
            &posted.entry,
            &self.entries[at - 1].entry,
            &self.entries[0].entry,
            &self.data[at],
        );
        let statement =
            self.verifier.statement(&self.entries, &data, index).expect("the entry is derived");
        self.feed();
        HonestClaims::new(&self.verifier, &mut self.traces)
            .prepare(&statement)
            .expect("verifier and program agree");
    }

    pub(crate) fn root_at(&mut self, output: &DisputedOutput, position: u64) -> B256 {
        self.ask(|truth| truth.root_at(output, position))
    }

    /// Reads the true run on the block at a position.
    pub(crate) fn run<T>(
        &mut self,
        output: &DisputedOutput,
        position: u64,
        mut look: impl FnMut(&mut Trace) -> T,
    ) -> T {
        self.ask(|truth| Ok(look(truth.trace(output, position)?)))
    }
}

const fn entry_data<'a>(
    entry: &'a turnpike_protocol::Entry,
    previous: &'a turnpike_protocol::Entry,
    origin: &'a turnpike_protocol::Entry,
    data: &'a [u8],
) -> EntryData<'a> {
    EntryData { entry, previous, origin, data, blob_hashes: &[], deposits: &[] }
}
