//! Groups of a tournament's rounds.

use turnpike_l1::tournament::{Child, Tournament, Tournaments};

/// A group of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) round: u64,
    pub(super) number: u64,
}

impl Group {
    /// The group that a child is in.
    pub(super) fn of(records: &Tournaments, child: &Child) -> Self {
        let number = child.seat / seats_of_group(records.sizes().group_size, child.round);
        Self { round: child.round, number }
    }

    /// Its members in all: those that arrived, and the winners of groups that are still played.
    fn members(self, count: u64, group_size: u64) -> u64 {
        let in_round = match self.round {
            0 => count,
            round => count.div_ceil(seats_of_group(group_size, round - 1)),
        };
        in_round.saturating_sub(self.number * group_size).min(group_size)
    }

    /// Whether all its members arrived.
    pub(super) fn is_complete(self, records: &Tournaments, tournament: &Tournament) -> bool {
        let group_size = records.sizes().group_size;
        let seats = seats_of_group(group_size, self.round);
        let has_arrived =
            |child: &&Child| child.round >= self.round && child.seat / seats == self.number;
        let arrived = children(records, tournament).filter(has_arrived).count() as u64;
        arrived == self.members(tournament.children.len() as u64, group_size)
    }
}

/// A tournament's children, by seat.
pub(super) fn children<'a>(
    records: &'a Tournaments,
    tournament: &'a Tournament,
) -> impl Iterator<Item = &'a Child> {
    tournament.children.iter().filter_map(|index| records.child(*index))
}

/// Seats that come down to one group of a round.
fn seats_of_group(group_size: u64, round: u64) -> u64 {
    let exponent = u32::try_from(round).unwrap_or(u32::MAX).saturating_add(1);
    group_size.saturating_pow(exponent)
}
