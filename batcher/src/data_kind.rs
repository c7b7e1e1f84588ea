//! The choice between calldata and blobs, with hysteresis: pure.

use alloy_primitives::U256;
use turnpike_protocol::DataKind;

/// Chooses blobs or calldata by price. A margin and a number of blocks keep it from switching back
/// and forth.
#[derive(Debug)]
pub(crate) struct DataKindChoice {
    margin_percent: u64,
    blocks: u32,
    current: Option<DataKind>,
    /// Consecutive L1 blocks in which the other kind was cheaper by the margin.
    streak: u32,
    last_block: Option<u64>,
}

impl DataKindChoice {
    /// Switches once the other kind is cheaper by `margin_percent` in `blocks` consecutive L1
    /// blocks.
    pub(crate) const fn new(margin_percent: u64, blocks: u32) -> Self {
        Self { margin_percent, blocks, current: None, streak: 0, last_block: None }
    }

    /// The kind in use; `None` before the first observation.
    pub(crate) const fn current(&self) -> Option<DataKind> {
        self.current
    }

    /// Observes the costs of a batch in both kinds at this L1 block, in wei, and returns the kind
    /// to use. A block counts once.
    pub(crate) fn observe(&mut self, l1_block: u64, calldata: U256, blobs: U256) -> DataKind {
        let Some(current) = self.current else {
            let kind = if blobs < calldata { DataKind::Blobs } else { DataKind::Calldata };
            self.current = Some(kind);
            self.last_block = Some(l1_block);
            return kind;
        };
        if self.last_block == Some(l1_block) {
            return current;
        }
        self.last_block = Some(l1_block);
        let (own, other, next) = match current {
            DataKind::Blobs => (blobs, calldata, DataKind::Calldata),
            DataKind::None | DataKind::Calldata => (calldata, blobs, DataKind::Blobs),
        };
        let with_margin = other * U256::from(100 + self.margin_percent);
        self.streak = if with_margin <= own * U256::from(100) { self.streak + 1 } else { 0 };
        if self.streak < self.blocks {
            return current;
        }
        self.streak = 0;
        self.current = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(
        calldata: u64,
        blobs: u64,
    ) -> (DataKindChoice, impl FnMut(&mut DataKindChoice, u64, u64) -> DataKind) {
        let mut block = 0;
        let mut choice = DataKindChoice::new(20, 3);
        choice.observe(block, U256::from(calldata), U256::from(blobs));
        (choice, move |choice: &mut DataKindChoice, calldata, blobs| {
            block += 1;
            choice.observe(block, U256::from(calldata), U256::from(blobs))
        })
    }

    #[test]
    fn first_observation_picks_the_cheaper_kind() {
        assert_eq!(choice(100, 99).0.current(), Some(DataKind::Blobs));
        assert_eq!(choice(100, 100).0.current(), Some(DataKind::Calldata));
    }

    #[test]
    fn switch_needs_the_margin_in_consecutive_blocks() {
        let (mut state, mut observe) = choice(100, 200);
        for _ in 0..10 {
            assert_eq!(observe(&mut state, 100, 90), DataKind::Calldata, "less than the margin");
        }
        assert_eq!(observe(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(observe(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(observe(&mut state, 100, 100), DataKind::Calldata, "the streak is broken");
        assert_eq!(observe(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(observe(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(observe(&mut state, 120, 100), DataKind::Blobs);
        assert_eq!(observe(&mut state, 100, 110), DataKind::Blobs, "switching back takes as long");
    }

    #[test]
    fn block_counts_once() {
        let (mut state, _) = choice(100, 200);
        for _ in 0..10 {
            assert_eq!(state.observe(1, U256::from(900), U256::from(1)), DataKind::Calldata);
        }
    }
}
