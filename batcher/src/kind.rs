use alloy_primitives::U256;
use turnpike_protocol::DataKind;

/// Chooses between blobs and calldata by price, and does not go back and forth with it.
#[derive(Debug)]
pub(crate) struct KindChoice {
    margin_percent: u64,
    blocks: u32,
    current: Option<DataKind>,
    /// L1 blocks in a row in which the other was cheaper by the margin.
    streak: u32,
    last_block: Option<u64>,
}

impl KindChoice {
    /// Switches once the other kind is cheaper by `margin_percent` in `blocks` L1 blocks in a row.
    pub(crate) const fn new(margin_percent: u64, blocks: u32) -> Self {
        Self { margin_percent, blocks, current: None, streak: 0, last_block: None }
    }

    /// The kind in use; none before the first look.
    pub(crate) const fn current(&self) -> Option<DataKind> {
        self.current
    }

    /// Takes note of what a batch would cost in either kind at this L1 block, in wei. A block counts once.
    pub(crate) fn look(&mut self, l1_block: u64, calldata: U256, blobs: U256) -> DataKind {
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
    ) -> (KindChoice, impl FnMut(&mut KindChoice, u64, u64) -> DataKind) {
        let mut block = 0;
        let mut choice = KindChoice::new(20, 3);
        choice.look(block, U256::from(calldata), U256::from(blobs));
        (choice, move |choice: &mut KindChoice, calldata, blobs| {
            block += 1;
            choice.look(block, U256::from(calldata), U256::from(blobs))
        })
    }

    #[test]
    fn the_first_look_takes_the_cheaper() {
        assert_eq!(choice(100, 99).0.current(), Some(DataKind::Blobs));
        assert_eq!(choice(100, 100).0.current(), Some(DataKind::Calldata));
    }

    #[test]
    fn a_switch_takes_a_margin_and_blocks_in_a_row() {
        let (mut state, mut look) = choice(100, 200);
        for _ in 0..10 {
            assert_eq!(look(&mut state, 100, 90), DataKind::Calldata, "less than the margin");
        }
        assert_eq!(look(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(look(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(look(&mut state, 100, 100), DataKind::Calldata, "the row is broken");
        assert_eq!(look(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(look(&mut state, 120, 100), DataKind::Calldata);
        assert_eq!(look(&mut state, 120, 100), DataKind::Blobs);
        assert_eq!(look(&mut state, 100, 110), DataKind::Blobs, "the way back is as long");
    }

    #[test]
    fn a_block_counts_once() {
        let (mut state, _) = choice(100, 200);
        for _ in 0..10 {
            assert_eq!(state.look(1, U256::from(900), U256::from(1)), DataKind::Calldata);
        }
    }
}
