//! References from a branch to a child in memory: one word with the child's kind and location.

/// A node's kind and location, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u32);

/// An unpacked [`Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// No node.
    Nil,
    /// A leaf, by its number in [`Leaves`](super::Leaves).
    Leaf(u32),
    /// A branch, by the location of its record.
    Branch(u32),
    /// A subtree of which only the hash is known. The hash is the child's reference.
    Blinded,
    /// An extension whose branch is blinded, by its number.
    BlindedBranch(u32),
}

const LEAF: u32 = 1 << 31;
const SPECIAL: u32 = 1 << 30;
const PLACE: u32 = SPECIAL - 1;

impl Word {
    pub(crate) const NIL: Self = Self(u32::MAX);
    pub(crate) const BLINDED: Self = Self(SPECIAL | PLACE);

    pub(crate) fn leaf(number: u32) -> Self {
        debug_assert!(number <= PLACE, "leaves have 30-bit numbers");
        Self(LEAF | number)
    }

    pub(crate) fn branch(place: u32) -> Self {
        assert!(place <= PLACE, "invariant: an arena has less than 4 GiB");
        Self(place)
    }

    pub(crate) fn blinded_branch(number: u32) -> Self {
        assert!(number < PLACE, "invariant: fewer than 2^30 blinded branches");
        Self(SPECIAL | number)
    }

    pub(crate) fn is_nil(self) -> bool {
        self == Self::NIL
    }

    #[inline]
    pub(crate) fn node(self) -> NodeKind {
        match self.0 {
            u32::MAX => NodeKind::Nil,
            word if word & LEAF != 0 => NodeKind::Leaf(word & PLACE),
            word if word & SPECIAL == 0 => NodeKind::Branch(word),
            word if word == Self::BLINDED.0 => NodeKind::Blinded,
            word => NodeKind::BlindedBranch(word & PLACE),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }
}
