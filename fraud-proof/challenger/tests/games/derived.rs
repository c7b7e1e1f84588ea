//! A verifier that derives the entries that a test posts.

use alloy_primitives::B256;
use turnpike_challenger::{Verdict, Verifier};
use turnpike_executor::EngineConfig;
use turnpike_game::prove::Statement;
use turnpike_l1::{DisputedOutput, EntrySource, OutputStatus, PostedEntry, ProposedOutput};
use turnpike_protocol::OutputRoot;

use crate::inbox::{Rollup, genesis};

pub(crate) struct Derived {
    pub(crate) rollup: Rollup,
    pub(crate) verifier: Verifier,
    /// Sources by entry index. Entry 0 has none.
    pub(crate) sources: Vec<Option<EntrySource>>,
    pub(crate) outputs: Vec<ProposedOutput>,
}

impl Derived {
    pub(crate) fn new(rollup: Rollup) -> Self {
        Self::with_engine(rollup, EngineConfig::default())
    }

    pub(crate) fn with_engine(rollup: Rollup, execution: EngineConfig) -> Self {
        let verifier = Verifier::new_with(&genesis(), execution);
        let outputs = vec![output(0, 0, verifier.genesis_output())];
        Self { rollup, verifier, sources: vec![None], outputs }
    }

    /// Reads the posted entries and derives them.
    pub(crate) async fn derive(&mut self) {
        self.rollup.node.advance().await.expect("L1 answers");
        while let Some(next) = self.rollup.node.next_entry().await.expect("L1 answers") {
            self.sources.push(Some(next.source().clone()));
            self.rollup.node.apply(next).expect("the entry is the next one");
        }
        while self.feed() {}
    }

    /// Feeds the next entry to the verifier, if there is one.
    pub(crate) fn feed(&mut self) -> bool {
        let next = usize::try_from(self.verifier.next_entry()).expect("index fits usize");
        let Some(Some(source)) = self.sources.get(next) else { return false };
        let posted = self.rollup.node.view().entries()[next];
        self.verifier.feed(&posted, &source.as_data()).expect("the entry is the next one");
        true
    }

    pub(crate) fn posted(&self) -> &[PostedEntry] {
        self.rollup.node.view().entries()
    }

    /// The statement of a block. Leaves the verifier unchanged.
    pub(crate) fn statement(&mut self, entry: u64, index: u64) -> Statement {
        let at = usize::try_from(entry).expect("index fits usize");
        let source = self.sources[at].clone().expect("entry 0 has no statement");
        self.verifier.rewind(entry);
        let entries = self.rollup.node.view().entries();
        let statement = self.verifier.statement(entries, &source.as_data(), index);
        assert_eq!(self.verifier.next_entry(), entry);
        while self.feed() {}
        statement.expect("the entry is derived")
    }

    /// Proposes the true output after an entry, or a false one.
    pub(crate) fn propose(&mut self, parent: u64, entry: u64, lie: Option<u8>) -> DisputedOutput {
        let mut claimed = self.verifier.entry(entry).expect("derived").output;
        if let Some(byte) = lie {
            claimed.message_passer_storage_root = B256::repeat_byte(byte);
        }
        let index = self.outputs.len() as u64;
        let header = alloy_rlp::encode(&self.verifier.entry(entry).expect("derived").header);
        let l2_block = self.verifier.entry(entry).expect("derived").last_block;
        let proposed = output(index, parent, claimed);
        self.outputs.push(ProposedOutput { entry, header: header.into(), l2_block, ..proposed });
        DisputedOutput::of(&self.outputs, index, blocks_per_entry()).expect("the output exists")
    }

    pub(crate) fn judge(&self, index: u64) -> Verdict {
        let output = &self.outputs[usize::try_from(index).expect("index fits usize")];
        self.verifier.judge(output, &self.outputs)
    }

    pub(crate) fn confirm(&mut self, index: u64) -> bool {
        let output = &self.outputs[usize::try_from(index).expect("index fits usize")];
        self.verifier.confirm(output, &self.outputs)
    }
}

pub(crate) fn blocks_per_entry() -> u64 {
    genesis().config.blocks_per_entry_max()
}

fn output(index: u64, parent: u64, output: OutputRoot) -> ProposedOutput {
    ProposedOutput {
        index,
        claim: B256::with_last_byte(u8::try_from(index).expect("fits 8 bits")),
        parent,
        status: OutputStatus::Proposed,
        ..ProposedOutput::genesis(output)
    }
}
