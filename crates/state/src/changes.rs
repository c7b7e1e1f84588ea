//! What applying a diff did to the flat tables, entry by entry: what the tries have to follow.

use alloc::vec::Vec;

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing that its leaf would show.
    Same,
    /// It has another value.
    Touch,
    /// It is new.
    Insert,
    /// It is gone.
    Remove,
}

/// An entry's number, and what happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change(u32);

impl Change {
    pub(crate) const SAME: Self = Self(0);

    pub(crate) fn new(kind: Kind, number: u32) -> Self {
        debug_assert!(number < 1 << 30, "entry numbers have 30 bits");
        Self((kind as u32) << 30 | number)
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 >> 30 {
            0 => Kind::Same,
            1 => Kind::Touch,
            2 => Kind::Insert,
            _ => Kind::Remove,
        }
    }

    pub(crate) fn number(self) -> u32 {
        self.0 & ((1 << 30) - 1)
    }
}

/// What happened to the entries that a diff names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// One for each account of the diff.
    pub(crate) accounts: Vec<Change>,
    /// One for each slot of each account of the diff, in order.
    pub(crate) slots: Vec<Change>,
}
