//! Texts about games for people: ranges, sides, times, claims.

use crate::prove::grouped;
use alloy_primitives::B256;
use serde::Serialize;
use turnpike_l1::{
    Bisection, ChallengeStatus, DisputedOutput, GameEnd, GameStatus, MACHINE_STEPS, Phase, Side,
};

/// The positions that a bisection divides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRange {
    /// Whether positions count blocks or machine steps.
    pub phase: Phase,
    /// Machine phase: the entry of the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Machine phase: the block's index in its entry, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_of_entry: Option<u64>,
    /// The first position.
    pub first: u64,
    /// The last position.
    pub last: u64,
    /// The range as text.
    pub text: String,
}

impl ClaimRange {
    /// The range of a bisection of a game over `output`.
    pub fn new(output: &DisputedOutput, bisection: &Bisection) -> Self {
        let Bisection { phase, block, first, last, .. } = *bisection;
        Self::of(output, phase, block, first, last)
    }

    /// The positions from `first` to `last`; in the machine phase, of the block at position
    /// `block`.
    pub fn of(output: &DisputedOutput, phase: Phase, block: u64, first: u64, last: u64) -> Self {
        let place = (phase == Phase::Machine).then(|| output.block_at(block));
        let (entry, block_of_entry) = place.unzip();
        let text = match place {
            None => blocks(output, first, last),
            Some(place) => format!("{}, {}", one_block(place), steps(first, last)),
        };
        Self { phase, entry, block_of_entry, first, last, text }
    }
}

/// The blocks between two positions, counted from 0 in their entries.
fn blocks(output: &DisputedOutput, first: u64, last: u64) -> String {
    let (start, end) = (output.block_at(first), output.block_at(last.max(first + 1) - 1));
    let is_whole = start.1 == 0 && end.1 == output.blocks_per_entry - 1;
    match (start, end) {
        ((one, _), (other, _)) if one == other && is_whole => format!("entry {one}"),
        ((one, _), (other, _)) if is_whole => format!("entries {one}-{other}"),
        _ if start == end => one_block(start),
        ((entry, from), (other, to)) if entry == other => {
            format!("blocks {from}-{to} of entry {entry}")
        }
        _ => format!("{} to {}", one_block(start), one_block(end)),
    }
}

fn one_block((entry, block): (u64, u64)) -> String {
    format!("block {block} of entry {entry}")
}

fn steps(first: u64, last: u64) -> String {
    match last - first {
        MACHINE_STEPS => "every step".to_owned(),
        1 => format!("step {}", grouped(first)),
        _ => format!("steps {}-{}", grouped(first), grouped(last - 1)),
    }
}

/// The first four bytes of a hash.
pub(super) fn short(hash: &B256) -> String {
    let text = hash.to_string();
    format!("{}…", &text[..10])
}

/// The first and the last claim.
pub(super) fn claims(claims: &[B256]) -> String {
    match claims {
        [] => "none".to_owned(),
        [only] => short(only),
        [first, .., last] => format!("{} … {}", short(first), short(last)),
    }
}

pub(super) const fn side(side: Side) -> &'static str {
    match side {
        Side::Challenger => "challenger",
        Side::Defender => "defender",
    }
}

pub(super) const fn challenge_status(status: ChallengeStatus) -> &'static str {
    match status {
        ChallengeStatus::Open => "open",
        ChallengeStatus::Won => "won: the output is rejected",
        ChallengeStatus::Failed => "failed: a defender has won",
        ChallengeStatus::Moot => "moot: another challenge was won first",
    }
}

pub(super) fn game_status(status: GameStatus) -> String {
    match status {
        GameStatus::ToMove(mover) => format!("{} to move", side(mover)),
        GameStatus::Won(winner) => format!("{} has won", side(winner)),
        GameStatus::Returned => "returned: its challenge was decided elsewhere".to_owned(),
    }
}

pub(super) fn game_end(end: &GameEnd) -> String {
    match end {
        GameEnd::StepProven { claimed, state } => {
            format!("L1 ran the step: {} was claimed, it is {}", short(claimed), short(state))
        }
        GameEnd::TimedOut => "the clock ran out".to_owned(),
    }
}

/// Seconds left on a clock.
pub(super) fn left(seconds: u64) -> String {
    if seconds == 0 { "no time left".to_owned() } else { format!("{seconds} s left") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: DisputedOutput = DisputedOutput {
        index: 3,
        claim: B256::ZERO,
        parent_entry: 4,
        entry: 7,
        parent_root: B256::ZERO,
        root: B256::ZERO,
        blocks_per_entry: 64,
    };

    fn said(phase: Phase, block: u64, first: u64, last: u64) -> String {
        ClaimRange::of(&OUTPUT, phase, block, first, last).text
    }

    #[test]
    fn ranges_of_blocks_are_named_by_entry() {
        let blocks = |first, last| said(Phase::Blocks, 0, first, last);
        assert_eq!(blocks(0, 192), "entries 5-7");
        assert_eq!(blocks(64, 128), "entry 6");
        assert_eq!(blocks(169, 177), "blocks 41-48 of entry 7");
        assert_eq!(blocks(169, 170), "block 41 of entry 7");
        assert_eq!(blocks(60, 72), "block 60 of entry 5 to block 7 of entry 6");
    }

    #[test]
    fn ranges_of_steps_are_named_by_block() {
        let steps = |first, last| said(Phase::Machine, 171, first, last);
        assert_eq!(steps(0, 1 << 42), "block 43 of entry 7, every step");
        assert_eq!(steps(1 << 20, 1 << 21), "block 43 of entry 7, steps 1,048,576-2,097,151");
        assert_eq!(steps(1_234, 1_235), "block 43 of entry 7, step 1,234");
        let range = ClaimRange::of(&OUTPUT, Phase::Machine, 171, 0, 1);
        assert_eq!((range.entry, range.block_of_entry), (Some(7), Some(43)));
    }

    #[test]
    fn claims_are_shortened() {
        let claim = B256::repeat_byte;
        assert_eq!(claims(&[]), "none");
        assert_eq!(claims(&[claim(1)]), "0x01010101…");
        assert_eq!(claims(&[claim(1), claim(2), claim(3)]), "0x01010101… … 0x03030303…");
    }
}
