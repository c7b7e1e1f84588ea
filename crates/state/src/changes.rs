//! The changes of flat table entries that applying a diff causes. The tries follow these changes.

use alloc::vec::Vec;

/// How an entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryChange {
    /// The entry's leaf stays the same.
    Same,
    /// The entry's value changed.
    Touch,
    /// The entry was inserted.
    Insert,
    /// The entry was removed.
    Remove,
}

/// An entry number and how that entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change(u32);

impl Change {
    pub(crate) const SAME: Self = Self(0);

    pub(crate) fn new(kind: EntryChange, number: u32) -> Self {
        debug_assert!(number < 1 << 30, "entry numbers have 30 bits");
        Self((kind as u32) << 30 | number)
    }

    pub(crate) fn kind(self) -> EntryChange {
        match self.0 >> 30 {
            0 => EntryChange::Same,
            1 => EntryChange::Touch,
            2 => EntryChange::Insert,
            _ => EntryChange::Remove,
        }
    }

    pub(crate) fn number(self) -> u32 {
        self.0 & ((1 << 30) - 1)
    }
}

/// The changes of all entries that a diff names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// One change for each account of the diff.
    pub(crate) accounts: Vec<Change>,
    /// One change for each slot of each account of the diff, in order.
    pub(crate) slots: Vec<Change>,
}
