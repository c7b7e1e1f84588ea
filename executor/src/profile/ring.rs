use alloc::{boxed::Box, vec::Vec};

use super::{call::Function, contracts::NamedContract};

/// Variants that are looked at to find one to give up.
const SAMPLES_MAX: usize = 8;

/// All variants in the order in which they came, to find one that can go: the clock algorithm.
#[derive(Debug, Default)]
pub(super) struct EvictionRing {
    places: Vec<VariantKey>,
    hand: usize,
}

/// Where a variant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VariantKey {
    pub(super) function: Function,
    pub(super) contracts: Box<[NamedContract]>,
}

impl EvictionRing {
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// Takes a variant in. Returns the one that has to go for it once there are `max`: the next that nobody has asked
    /// about since it was last looked at, or the last of a few.
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
