//! Sets of blocks of a section.

/// A set of blocks of one section: bit `n` stands for the block at offset `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockSet([u64; 4]);

impl BlockSet {
    pub(super) fn of(offsets: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self::default();
        offsets.into_iter().for_each(|offset| set.insert(offset));
        set
    }

    pub(super) fn insert(&mut self, offset: u8) {
        self.0[usize::from(offset / 64)] |= 1 << (offset % 64);
    }

    pub(super) fn has(self, offset: u8) -> bool {
        self.0[usize::from(offset / 64)] & (1 << (offset % 64)) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| join(self.0[at], other.0[at])))
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours & theirs)
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours | theirs)
    }

    pub(super) fn without(self, other: Self) -> Self {
        self.zip(other, |ours, theirs| ours & !theirs)
    }
}
