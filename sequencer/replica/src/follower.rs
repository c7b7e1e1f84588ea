//! Decides what to do for each journal row: execute a block, compare results or follow a reorg.
//!
//! ```text
//! row ─► push ─► Run ─► executed ─────┐
//!                Seal, Rewind, Index ─┴─► verified: rows to keep and serve
//! ```
//!
//! # Job
//!
//! It only decides; [`ReplicaWriter`](super::writer::ReplicaWriter) acts. A row is verified once
//! everything that it says was confirmed: a part of a block together with the whole block.
//!
//! # State
//!
//! In memory: rows that are not verified yet, and executed blocks whose `Sealed` row has not
//! arrived.
//!
//! # Limits
//!
//! `HELD_ROWS_MAX` and `HELD_BYTES_MAX` bound the rows, `UNSEALED_MAX` the blocks. More is a
//! divergence.

use std::collections::VecDeque;

use alloy_primitives::{B256, keccak256};
use turnpike_storage::{
    Assembled, BlockAssembler, JournalBlock, JournalEntry, JournalRow, JournalTx, ReorgEntry,
    SealedEntry, StorageError,
};

use super::Divergence;
use turnpike_sequencer::{replay::check_sealed, unindexed::UnindexedTxs};

/// Bytes of transactions in held rows, at most. A block has far fewer: a journal that exceeds it is
/// invalid.
const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Held rows, at most.
const HELD_ROWS_MAX: usize = 1 << 20;

/// Complete blocks without a `Sealed` row, at most. A sequencer has one or two.
const UNSEALED_MAX: usize = 64;

/// Bytes that a row takes besides its transactions.
const ROW_BYTES: usize = 64;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct JournalFollower {
    assembler: BlockAssembler,
    next_row: u64,
    held: Vec<JournalRow>,
    held_bytes: usize,
    /// Number of held rows, from the first on, that are verified.
    verified: usize,
    /// The block that was handed out for execution and has no result yet.
    running: Option<ExecutedBlock>,
    /// Executed blocks whose `Sealed` row has not arrived.
    unsealed: VecDeque<ExecutedBlock>,
    /// Outcomes since the newest complete block.
    unindexed: UnindexedTxs,
}

/// A block handed out for execution, and the outcomes of other transactions up to its last row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExecutedBlock {
    found: SealedEntry,
    transactions: Vec<B256>,
    unindexed: UnindexedTxs,
}

/// What to do before the next row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FollowerTask {
    /// Execute a block and report to [`JournalFollower::executed`].
    Run(JournalBlock),
    /// Index a block: its `Sealed` row equals the execution. The outcomes of other transactions up
    /// to its last row go with it.
    Seal {
        /// Its number.
        block: u64,
        /// When its `Sealed` row was written, in Unix milliseconds.
        written_at_ms: u64,
        /// Outcomes of other transactions.
        unindexed: UnindexedTxs,
    },
    /// Rewind the chain and index the outcomes before the rewind.
    Rewind {
        /// The row.
        entry: ReorgEntry,
        /// Outcomes before the rewind of transactions that no remaining block includes.
        unindexed: UnindexedTxs,
        /// User transactions in parts of void blocks that are not sealed, each with its block.
        void: Vec<(B256, u64)>,
    },
    /// Index these outcomes: no block is open.
    Index(UnindexedTxs),
}

impl JournalFollower {
    /// Continues at row `next_row`, where block `next_block` opens. `unsealed` are indexed blocks
    /// whose `Sealed` row has not come yet; `unindexed` are the outcomes that the index lacks.
    pub(crate) fn new(
        next_row: u64,
        next_block: u64,
        unsealed: impl IntoIterator<Item = SealedEntry>,
        unindexed: UnindexedTxs,
    ) -> Self {
        let ran = |found| ExecutedBlock {
            found,
            transactions: Vec::new(),
            unindexed: UnindexedTxs::default(),
        };
        Self {
            assembler: BlockAssembler::new(next_block),
            next_row,
            held: Vec::new(),
            held_bytes: 0,
            verified: 0,
            running: None,
            unsealed: unsealed.into_iter().map(ran).collect(),
            unindexed,
        }
    }

    /// Takes the next row. The caller performs the returned task before the next call.
    pub(crate) fn push(&mut self, row: JournalRow) -> Result<Option<FollowerTask>, Divergence> {
        assert!(self.running.is_none(), "invariant: a block is executed before the next row");
        let (sequence, written_at_ms) = (row.sequence, row.written_at_ms);
        if sequence != self.next_row {
            return Err(Divergence::Sequence { expected: self.next_row, found: sequence });
        }
        let refused = |reason: String| Divergence::Row { sequence, reason };
        let open = match row.entry {
            JournalEntry::Reorg(_) => self.assembler.open(),
            JournalEntry::Slice(_) | JournalEntry::Sealed(_) => None,
        };
        let open = open.map(|open| (open.number, hashes(&open.transactions)));
        let assembled = self.assembler.push(&row).map_err(|error| refused(reason_of(error)))?;
        self.next_row += 1;
        if let JournalEntry::Slice(slice) = &row.entry {
            self.unindexed.accept(&slice.accepted);
            self.unindexed.refuse(slice.refused.clone());
        }
        self.hold(row).map_err(refused)?;
        let task = match assembled {
            Some(Assembled::Block(block)) => {
                // `executed` fills in the hashes.
                let (number, none) = (block.number, B256::ZERO);
                let found = SealedEntry { number, hash: none, state_root: none };
                let transactions = hashes(&block.transactions);
                let mut unindexed = std::mem::take(&mut self.unindexed);
                unindexed.include(transactions.iter().copied());
                self.running = Some(ExecutedBlock { found, transactions, unindexed });
                return Ok(Some(FollowerTask::Run(block)));
            }
            Some(Assembled::Sealed(entry)) => Some(self.seal(sequence, written_at_ms, &entry)?),
            Some(Assembled::Reorg(entry)) => Some(self.rewind(entry, open)),
            None => self.note(),
        };
        if self.assembler.open().is_none() {
            self.verified = self.held.len();
        }
        Ok(task)
    }

    /// Records the result of the block that was handed out last.
    pub(crate) fn executed(&mut self, found: SealedEntry) -> Result<(), Divergence> {
        let ran = self.running.take().expect("invariant: a block was given to run");
        assert_eq!(ran.found.number, found.number, "invariant: it is that block");
        if self.unsealed.len() >= UNSEALED_MAX {
            let reason = format!("more than {UNSEALED_MAX} complete blocks are not sealed");
            return Err(Divergence::Block { block: found.number, reason });
        }
        self.unsealed.push_back(ExecutedBlock { found, ..ran });
        self.verified = self.held.len();
        Ok(())
    }

    /// Takes the rows that were verified since the last call, in order.
    pub(crate) fn verified(&mut self) -> Vec<JournalRow> {
        let rest = self.held.split_off(std::mem::take(&mut self.verified));
        let verified = std::mem::replace(&mut self.held, rest);
        self.held_bytes -= verified.iter().map(bytes_of).sum::<usize>();
        verified
    }

    fn hold(&mut self, row: JournalRow) -> Result<(), String> {
        self.held_bytes += bytes_of(&row);
        self.held.push(row);
        if self.held.len() > HELD_ROWS_MAX || self.held_bytes > HELD_BYTES_MAX {
            return Err("the block exceeds the limits on held rows".into());
        }
        Ok(())
    }

    fn seal(
        &mut self,
        sequence: u64,
        written_at_ms: u64,
        entry: &SealedEntry,
    ) -> Result<FollowerTask, Divergence> {
        let Some(ExecutedBlock { found, .. }) = self.unsealed.front() else {
            let reason = format!("block {} is sealed a second time", entry.number);
            return Err(Divergence::Row { sequence, reason });
        };
        if found.number != entry.number {
            let reason = format!("block {} is sealed before block {}", entry.number, found.number);
            return Err(Divergence::Row { sequence, reason });
        }
        check_sealed(entry, found)?;
        let ran = self.unsealed.pop_front().expect("invariant: the front exists");
        Ok(FollowerTask::Seal { block: entry.number, written_at_ms, unindexed: ran.unindexed })
    }

    fn rewind(&mut self, entry: ReorgEntry, open: Option<(u64, Vec<B256>)>) -> FollowerTask {
        let mut void: Vec<_> = open.into_iter().collect();
        let mut unindexed = std::mem::take(&mut self.unindexed);
        while let Some(ran) = self.unsealed.pop_back_if(|ran| ran.found.number >= entry.first_block)
        {
            let later = std::mem::replace(&mut unindexed, ran.unindexed);
            unindexed.extend(later);
            void.push((ran.found.number, ran.transactions));
        }
        let in_block =
            |(block, hashes): (u64, Vec<B256>)| hashes.into_iter().map(move |hash| (hash, block));
        let void = void.into_iter().flat_map(in_block).collect();
        FollowerTask::Rewind { entry, unindexed, void }
    }

    fn note(&mut self) -> Option<FollowerTask> {
        let is_quiet = self.assembler.open().is_none() && self.unsealed.is_empty();
        (is_quiet && !self.unindexed.is_empty())
            .then(|| FollowerTask::Index(std::mem::take(&mut self.unindexed)))
    }
}

fn hashes(transactions: &[JournalTx]) -> Vec<B256> {
    transactions.iter().map(|tx| keccak256(&tx.raw)).collect()
}

fn reason_of(error: StorageError) -> String {
    match error {
        StorageError::Damaged { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// Approximate size of a row in memory, in bytes.
fn bytes_of(row: &JournalRow) -> usize {
    let JournalEntry::Slice(slice) = &row.entry else { return ROW_BYTES };
    let part = slice.part.iter().flat_map(|part| &part.transactions).map(|tx| tx.raw.len());
    let accepted = slice.accepted.iter().map(|tx| tx.bytes().map_or(0, |raw| raw.len()));
    let transactions = part.chain(accepted).map(|bytes| bytes + ROW_BYTES);
    let refused = slice.refused.iter().map(|(_, reason)| reason.len() + ROW_BYTES);
    ROW_BYTES + transactions.chain(refused).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B64};
    use turnpike_protocol::Origin;
    use turnpike_storage::{AcceptedBytes, AcceptedTx, BlockOpening, BlockPart, SliceEntry};

    use super::*;

    fn tx(seed: u8) -> JournalTx {
        JournalTx { raw: vec![seed].into(), sender: Address::ZERO }
    }

    fn waits(seed: u8) -> AcceptedTx {
        let JournalTx { raw, sender } = tx(seed);
        let (hash, raw) = (keccak256(&raw), AcceptedBytes::Log(Some(raw)));
        AcceptedTx { arrival: seed.into(), received_ms: 0, hash, sender, raw }
    }

    /// A part of a block with one transaction.
    fn part(block: u64, seed: u8, is_first: bool, is_last: bool) -> JournalEntry {
        let opening =
            || BlockOpening { time_ms: 1, origin: Origin::default(), deposits: Vec::new() };
        let part = BlockPart {
            block,
            opening: is_first.then(opening),
            transactions: vec![tx(seed)],
            outcomes: vec![B64::ZERO],
            is_last,
        };
        JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() })
    }

    fn outcomes(accepted: &[u8]) -> JournalEntry {
        let accepted = accepted.iter().copied().map(waits).collect();
        JournalEntry::Slice(SliceEntry { accepted, ..SliceEntry::default() })
    }

    fn entry(number: u64) -> SealedEntry {
        let word = B256::with_last_byte(u8::try_from(number).expect("few"));
        SealedEntry { number, hash: word, state_root: word }
    }

    fn reorg_row(first_block: u64) -> JournalEntry {
        JournalEntry::Reorg(ReorgEntry {
            first_block,
            reason: "L1".into(),
            waiting: Vec::new(),
            refused: Vec::new(),
        })
    }

    struct Rows {
        follower: JournalFollower,
        next: u64,
    }

    impl Rows {
        fn new() -> Self {
            Self { follower: JournalFollower::new(0, 1, [], UnindexedTxs::default()), next: 0 }
        }

        /// Pushes the next row. A block that it hands out gets the result `entry`.
        fn push(&mut self, entry: JournalEntry) -> Result<Option<FollowerTask>, Divergence> {
            let task = self.follower.push(JournalRow {
                sequence: self.next,
                epoch: 1,
                written_at_ms: 1,
                entry,
            })?;
            self.next += 1;
            if let Some(FollowerTask::Run(block)) = &task {
                self.follower.executed(self::entry(block.number))?;
            }
            Ok(task)
        }

        fn verified(&mut self) -> Vec<u64> {
            self.follower.verified().iter().map(|row| row.sequence).collect()
        }
    }

    #[test]
    fn rows_are_verified_with_their_whole_block() {
        let mut rows = Rows::new();
        assert_eq!(rows.push(part(1, 1, true, false)), Ok(None));
        assert_eq!(rows.verified(), [0; 0]);
        assert!(matches!(rows.push(part(1, 2, false, true)), Ok(Some(FollowerTask::Run(_)))));
        assert_eq!(rows.push(part(2, 3, true, false)), Ok(None));
        let sealed = rows.push(JournalEntry::Sealed(entry(1)));
        let unindexed = UnindexedTxs::default();
        assert_eq!(sealed, Ok(Some(FollowerTask::Seal { block: 1, written_at_ms: 1, unindexed })));
        assert_eq!(rows.verified(), [0, 1], "the second block goes on");
        rows.push(part(2, 4, false, true)).expect("fits");
        assert_eq!(rows.verified(), [2, 3, 4]);
    }

    #[test]
    fn wrong_rows_are_not_verified() {
        let mut rows = Rows::new();
        rows.push(part(1, 1, true, true)).expect("fits");
        let wrong = SealedEntry { hash: B256::ZERO, ..entry(1) };
        let found = rows.push(JournalEntry::Sealed(wrong)).expect_err("is wrong");
        assert!(matches!(found, Divergence::Header { block: 1, field: "hash", .. }), "{found}");
        assert_eq!(rows.verified(), [0]);
    }

    #[test]
    fn rows_must_be_in_sequence() {
        let mut rows = Rows::new();
        rows.push(part(1, 1, true, true)).expect("fits");
        rows.push(part(2, 1, true, true)).expect("fits");
        let early =
            rows.push(JournalEntry::Sealed(entry(2))).expect_err("block 1 must be sealed first");
        assert!(matches!(early, Divergence::Row { sequence: 2, .. }), "{early}");

        let mut rows = Rows::new();
        rows.next = 1;
        let later = rows.push(outcomes(&[1])).expect_err("row 0 must come first");
        assert_eq!(later, Divergence::Sequence { expected: 0, found: 1 });
        rows.next = 0;
        let unopened = rows.push(part(1, 1, false, false)).expect_err("it was not opened");
        assert!(matches!(unopened, Divergence::Row { sequence: 0, .. }), "{unopened}");

        let mut rows = Rows::new();
        rows.push(part(1, 1, true, true)).expect("fits");
        rows.push(JournalEntry::Sealed(entry(1))).expect("fits");
        let twice = rows.push(JournalEntry::Sealed(entry(1))).expect_err("it is sealed");
        assert!(matches!(twice, Divergence::Row { sequence: 2, .. }), "{twice}");
    }

    #[test]
    fn other_outcomes_are_indexed_with_the_next_block() {
        let mut rows = Rows::new();
        let mut unindexed = UnindexedTxs::default();
        unindexed.accept(&[waits(1)]);
        assert_eq!(
            rows.push(outcomes(&[1])),
            Ok(Some(FollowerTask::Index(unindexed))),
            "nothing is open"
        );
        rows.push(part(1, 9, true, false)).expect("fits");
        assert_eq!(rows.push(outcomes(&[2, 3])), Ok(None));
        // A block includes the transaction itself.
        rows.push(part(1, 3, false, true)).expect("fits");
        assert_eq!(rows.push(outcomes(&[4])), Ok(None), "the block is not sealed");
        let mut unindexed = UnindexedTxs::default();
        unindexed.accept(&[waits(2)]);
        let sealed = rows.push(JournalEntry::Sealed(entry(1)));
        assert_eq!(sealed, Ok(Some(FollowerTask::Seal { block: 1, written_at_ms: 1, unindexed })));
        let mut unindexed = UnindexedTxs::default();
        unindexed.accept(&[waits(4), waits(5)]);
        assert_eq!(rows.push(outcomes(&[5])), Ok(Some(FollowerTask::Index(unindexed))));
    }

    #[test]
    fn rewound_blocks_are_never_sealed() {
        let mut rows = Rows::new();
        rows.push(part(1, 1, true, true)).expect("fits");
        rows.push(JournalEntry::Sealed(entry(1))).expect("fits");
        rows.push(outcomes(&[7])).expect("fits");
        rows.push(part(2, 2, true, true)).expect("fits");
        rows.push(part(3, 3, true, false)).expect("fits");
        rows.push(outcomes(&[8])).expect("fits");
        let task = rows.push(reorg_row(2)).expect("fits");
        let Some(FollowerTask::Rewind { unindexed, void, .. }) = task else { panic!("{task:?}") };
        assert_eq!(unindexed.into_parts().0, [keccak256([8])]);
        assert_eq!(void, [(keccak256([3]), 3), (keccak256([2]), 2)]);
        assert_eq!(rows.verified(), [0, 1, 2, 3, 4, 5, 6]);
        rows.push(part(2, 4, true, true)).expect("the block is another one now");
        rows.push(JournalEntry::Sealed(entry(2))).expect("fits");
    }
}
