//! Merged lanes whose changes are not in the block state yet.

use alloy_primitives::{Address, map::AddressMap};

use crate::block_state::LaneState;

/// Lanes of a block's last wave whose changes the block state has not absorbed.
#[derive(Debug, Default)]
pub(super) struct PendingLanes {
    lanes: Vec<LaneState>,
    /// The lane that changed each account. Built on first use.
    changed: Option<AddressMap<usize>>,
}

impl PendingLanes {
    pub(super) const fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub(super) fn lanes(&self) -> &[LaneState] {
        &self.lanes
    }

    pub(super) fn lanes_mut(&mut self) -> &mut [LaneState] {
        &mut self.lanes
    }

    pub(super) fn into_lanes(self) -> impl Iterator<Item = LaneState> {
        self.lanes.into_iter()
    }

    pub(super) fn push(&mut self, lane: LaneState) {
        self.changed = None;
        self.lanes.push(lane);
    }

    /// Takes all lanes.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = LaneState> {
        self.changed = None;
        self.lanes.drain(..)
    }

    /// The lane that changed nonce, balance, code or existence of an account. There is at most one.
    /// The cost of the first call after a wave grows with the number of accounts that the wave
    /// changed.
    pub(super) fn lane_of(&mut self, address: &Address) -> Option<&LaneState> {
        let Self { lanes, changed } = self;
        let changed = changed.get_or_insert_with(|| {
            let lanes = lanes.iter().enumerate();
            let changed = lanes.flat_map(|(at, lane)| {
                lane.changed_themselves().map(move |address| (*address, at))
            });
            changed.collect()
        });
        changed.get(address).map(|lane| &lanes[*lane])
    }
}
