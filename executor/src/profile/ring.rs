//! Chooses the variant to evict.

use alloc::{boxed::Box, vec::Vec};

use super::{call::Function, contracts::NamedContract};

/// Maximum number of variants examined to find one to evict.
const SAMPLES_MAX: usize = 8;

/// All variants in the order of insertion, for the clock algorithm.
#[derive(Debug, Default)]
pub(super) struct EvictionRing {
    places: Vec<VariantKey>,
    hand: usize,
}

/// Identifies a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VariantKey {
    pub(super) function: Function,
    pub(super) contracts: Box<[NamedContract]>,
}

impl EvictionRing {
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// Inserts a variant. If there are `max` already, replaces and returns the next one that was
    /// not used since the last visit, or the last one examined.
    pub(super) fn admit(
        &mut self,
        place: VariantKey,
        max: usize,
        mut was_asked: impl FnMut(&VariantKey) -> bool,
    ) -> Option<VariantKey> {
        if self.places.len() < max {
            self.places.push(place);
            return None;
        }
        for _ in 1..SAMPLES_MAX {
            if !was_asked(self.places.get(self.hand)?) {
                break;
            }
            self.advance();
        }
        let evicted = core::mem::replace(self.places.get_mut(self.hand)?, place);
        self.advance();
        Some(evicted)
    }

    fn advance(&mut self) {
        self.hand = (self.hand + 1) % self.places.len();
    }
}
