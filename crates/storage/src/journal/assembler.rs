//! Puts the parts of blocks together, in the order of the journal's rows.

use crate::{
    BlockPart, BlockTimes, JournalBlock, JournalEntry, JournalRow, ReorgEntry, SealedEntry,
    StorageError,
};

/// Assembles the journal's rows into blocks, and rejects rows that do not fit.
///
/// It ignores accepted and refused transactions: the caller reads those from the rows.
#[derive(Clone, Debug)]
pub struct BlockAssembler {
    /// Number of the open block, or of the next one to open.
    next_block: u64,
    /// Sequence of the next row; `None` before the first push.
    next_row: Option<u64>,
    /// Number of the newest sealed block; `None` before the first.
    sealed: Option<u64>,
    open: Option<JournalBlock>,
}

/// What a row completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A complete block, not sealed yet.
    Block(JournalBlock),
    /// The oldest complete block that was not sealed yet got its hash.
    Sealed(SealedEntry),
    /// Blocks became void, the open one included.
    Reorg(ReorgEntry),
}

impl BlockAssembler {
    /// Starts where block `next_block` opens next.
    pub const fn new(next_block: u64) -> Self {
        Self { next_block, next_row: None, sealed: None, open: None }
    }

    /// Takes the next row. An error leaves the assembler unchanged.
    pub fn push(&mut self, row: &JournalRow) -> Result<Option<Assembled>, StorageError> {
        if let Some(expected) = self.next_row
            && row.sequence != expected
        {
            return Err(damaged(row, format!("row {expected} is missing")));
        }
        let assembled = match &row.entry {
            JournalEntry::Slice(slice) => match &slice.part {
                Some(part) => self.take_part(row, part, &slice.received_ms)?.map(Assembled::Block),
                None => None,
            },
            JournalEntry::Sealed(sealed) => {
                self.take_sealed(row, sealed)?;
                Some(Assembled::Sealed(sealed.clone()))
            }
            JournalEntry::Reorg(entry) => {
                self.take_reorg(row, entry)?;
                Some(Assembled::Reorg(entry.clone()))
            }
        };
        self.next_row = Some(row.sequence + 1);
        Ok(assembled)
    }

    /// The open block with its parts so far.
    pub const fn open(&self) -> Option<&JournalBlock> {
        self.open.as_ref()
    }

    /// Number of the open block, or of the next one to open.
    pub const fn next_block(&self) -> u64 {
        self.next_block
    }

    /// Takes the next part without checking the row's sequence.
    pub(crate) fn take_part(
        &mut self,
        row: &JournalRow,
        part: &BlockPart,
        received_ms: &[u64],
    ) -> Result<Option<JournalBlock>, StorageError> {
        let next = self.next_block;
        if part.block != next {
            return Err(damaged(
                row,
                format!("part belongs to block {}, expected block {next}", part.block),
            ));
        }
        check_part(part, received_ms).map_err(|reason| damaged(row, reason))?;
        match (&mut self.open, &part.opening) {
            (Some(open), None) => {
                open.transactions.extend_from_slice(&part.transactions);
                open.outcomes.extend_from_slice(&part.outcomes);
                open.times.push(row.written_at_ms, part.outcomes.len(), received_ms);
                open.rows.end = row.sequence + 1;
            }
            (open @ None, Some(opening)) => {
                let mut times = BlockTimes::default();
                times.push(row.written_at_ms, part.outcomes.len(), received_ms);
                *open = Some(JournalBlock {
                    number: part.block,
                    opening: opening.clone(),
                    transactions: part.transactions.clone(),
                    outcomes: part.outcomes.clone(),
                    times,
                    rows: row.sequence..row.sequence + 1,
                    is_complete: false,
                });
            }
            (Some(_), Some(_)) => {
                return Err(damaged(row, format!("block {next} opens twice")));
            }
            (None, None) => return Err(damaged(row, format!("block {next} has no opening"))),
        }
        if !part.is_last {
            return Ok(None);
        }
        self.next_block += 1;
        Ok(self.open.take().map(|block| JournalBlock { is_complete: true, ..block }))
    }

    fn take_sealed(&mut self, row: &JournalRow, entry: &SealedEntry) -> Result<(), StorageError> {
        if entry.number >= self.next_block {
            return Err(damaged(row, format!("block {} is not complete", entry.number)));
        }
        if let Some(sealed) = self.sealed
            && entry.number != sealed + 1
        {
            let number = entry.number;
            return Err(damaged(row, format!("block {number} is sealed after block {sealed}")));
        }
        self.sealed = Some(entry.number);
        Ok(())
    }

    fn take_reorg(&mut self, row: &JournalRow, entry: &ReorgEntry) -> Result<(), StorageError> {
        let (first, next) = (entry.first_block, self.next_block);
        if first == 0 || first > next {
            return Err(damaged(
                row,
                format!("reorg from block {first}, but the next block is {next}"),
            ));
        }
        self.open = None;
        self.next_block = first;
        self.sealed = self.sealed.map(|sealed| sealed.min(first - 1));
        Ok(())
    }
}

/// Checks that a part has an outcome for each transaction that it adds, and times of reception for
/// all of its users' transactions or for none.
pub(crate) fn check_part(part: &BlockPart, received_ms: &[u64]) -> Result<(), String> {
    let (outcomes, transactions) = (part.outcomes.len(), part.transactions.len());
    let fits = match &part.opening {
        // A change of the L1 attributes adds one outcome.
        Some(opening) => outcomes >= opening.deposits.len() + transactions,
        None => outcomes == transactions,
    };
    let times = received_ms.len();
    if !fits {
        Err(format!("part has {outcomes} outcomes for {transactions} transactions"))
    } else if times != 0 && times != transactions {
        Err(format!("part has {times} times of reception for {transactions} transactions"))
    } else {
        Ok(())
    }
}

fn damaged(row: &JournalRow, reason: String) -> StorageError {
    StorageError::Damaged { table: "journal", key: row.sequence, reason }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B64, B256, Bytes};
    use turnpike_protocol::Origin;

    use super::*;
    use crate::{BlockOpening, JournalTx, SliceEntry};

    /// An assembler, and the sequence of its next row.
    struct Rows(BlockAssembler, u64);

    impl Rows {
        fn push(&mut self, entry: JournalEntry) -> Result<Option<Assembled>, StorageError> {
            let row = JournalRow { sequence: self.1, epoch: 1, written_at_ms: 1, entry };
            let pushed = self.0.push(&row);
            self.1 += u64::from(pushed.is_ok());
            pushed
        }

        /// Pushes an entry that does not fit, and checks that nothing changes.
        fn reject(&mut self, entry: JournalEntry) {
            let before = format!("{:?}", self.0);
            assert!(matches!(self.push(entry), Err(StorageError::Damaged { .. })));
            assert_eq!(format!("{:?}", self.0), before);
        }
    }

    fn part(block: u64, opens: bool, raw: &'static [u8], is_last: bool) -> JournalEntry {
        let opening = BlockOpening { time_ms: 5, origin: Origin::default(), deposits: Vec::new() };
        let part = BlockPart {
            block,
            opening: opens.then_some(opening),
            transactions: vec![JournalTx { raw: Bytes::from_static(raw), sender: Address::ZERO }],
            outcomes: vec![B64::ZERO],
            is_last,
        };
        JournalEntry::Slice(SliceEntry { part: Some(part), ..SliceEntry::default() })
    }

    fn sealed(number: u64) -> JournalEntry {
        JournalEntry::Sealed(SealedEntry { number, hash: B256::ZERO, state_root: B256::ZERO })
    }

    fn reorg(first_block: u64) -> JournalEntry {
        JournalEntry::Reorg(ReorgEntry {
            first_block,
            reason: String::new(),
            waiting: Vec::new(),
            refused: Vec::new(),
        })
    }

    #[test]
    fn parts_make_up_blocks() {
        let mut rows = Rows(BlockAssembler::new(4), 100);
        assert_eq!(rows.push(part(4, true, b"a", false)).expect("the row fits"), None);
        assert_eq!(
            rows.push(JournalEntry::Slice(SliceEntry::default())).expect("the row fits"),
            None
        );
        assert_eq!(
            rows.0.open().map(|open| (open.rows.clone(), open.is_complete)),
            Some((100..101, false))
        );
        let Ok(Some(Assembled::Block(block))) = rows.push(part(4, false, b"b", true)) else {
            panic!("must be complete")
        };
        assert_eq!((block.number, block.rows, block.is_complete), (4, 100..103, true));
        assert_eq!(block.transactions.len(), 2);
        rows.push(part(5, true, b"c", false)).expect("executes while block 4 is sealed");
        assert!(matches!(rows.push(sealed(4)), Ok(Some(Assembled::Sealed(_)))));
        rows.push(part(5, false, b"d", true)).expect("the row fits");
        assert_eq!(rows.0.next_block(), 6);
    }

    #[test]
    fn blocks_after_a_reorg_replace_those_before() {
        let mut rows = Rows(BlockAssembler::new(4), 0);
        for entry in [part(4, true, b"a", true), sealed(4), part(5, true, b"b", true)] {
            rows.push(entry).expect("the row fits");
        }
        rows.push(part(6, true, b"c", false)).expect("the row fits");
        assert!(matches!(rows.push(reorg(5)), Ok(Some(Assembled::Reorg(_)))));
        assert_eq!(rows.0.open(), None);
        rows.reject(sealed(5));
        rows.push(part(5, true, b"d", true)).expect("the row fits");
        rows.push(sealed(5)).expect("the row fits");
        // The reorg begins before the block where the assembler started.
        rows.push(reorg(2)).expect("the row fits");
        rows.push(part(2, true, b"e", false)).expect("the row fits");
    }

    #[test]
    fn rows_that_do_not_fit_are_rejected() {
        let mut rows = Rows(BlockAssembler::new(4), 0);
        rows.reject(part(4, false, b"not opened", false));
        rows.reject(part(5, true, b"another", false));
        rows.reject(sealed(4));
        rows.reject(reorg(5));
        rows.reject(reorg(0));
        rows.push(part(4, true, b"a", false)).expect("the row fits");
        rows.reject(part(4, true, b"opened twice", false));
        rows.reject(part(5, true, b"another", false));
        rows.reject(sealed(4));
        rows.push(part(4, false, b"b", true)).expect("the row fits");
        rows.push(sealed(4)).expect("the row fits");
        rows.reject(sealed(4));
        rows.1 += 1;
        rows.reject(part(5, true, b"after a gap", false));
    }
}
