//! Changes to true bytes.

use crate::input::Input;

/// A change to the bytes of a preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tamper {
    /// The source does not have them.
    Missing,
    /// The bit at a place is flipped.
    Flip(u16),
    /// They end at a place.
    Cut(u16),
    /// A byte follows them.
    Extend(u8),
    /// They are empty.
    Empty,
}

impl Tamper {
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        match input.byte() % 5 {
            0 => Self::Missing,
            1 => Self::Flip(input.u16()),
            2 => Self::Cut(input.u16()),
            3 => Self::Extend(input.byte()),
            _ => Self::Empty,
        }
    }

    /// The changed bytes; `None` if they are missing.
    pub(super) fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Missing => return None,
            Self::Flip(_) if bytes.is_empty() => {}
            Self::Flip(bit) => {
                let at = usize::from(bit / 8) % bytes.len();
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Cut(length) => bytes.truncate(length.into()),
            Self::Extend(byte) => bytes.push(byte),
            Self::Empty => bytes.clear(),
        }
        Some(bytes)
    }
}
