//! Events that a challenger reports, as text and as JSON.

use std::fmt;

use alloy_primitives::{Address, B256, U256, utils::format_ether};
use serde::Serialize;
use turnpike_l1::{Bisection, DisputedOutput, Phase, Side};

use crate::Verdict;

/// An event that a challenger reports.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// An output was judged. Each output is reported once, in the order of the indexes, and again
    /// after an L1 reorg that dropped it.
    Output {
        /// Index of the output.
        index: u64,
        /// The output's inbox entry.
        entry: u64,
        /// The output's L2 block.
        block: u64,
        /// The verdict.
        #[serde(flatten)]
        verdict: Verdict,
    },
    /// L1 has dropped blocks. Earlier events about outputs in them are void.
    Reorg {
        /// The last L1 block that was kept.
        block: u64,
        /// Number of outputs that were kept, the genesis output included.
        outputs: u64,
    },
    /// The challenger's own challenge is on L1.
    Challenged {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// Another account's challenge is on L1.
    ChallengeSeen {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// The challenging account.
        challenger: Address,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// A defender has opened a game against a challenge.
    Defended {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// The defending account.
        defender: Address,
    },
    /// A side has divided the disputed range.
    Moved {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// The side.
        side: Side,
        /// Number of the bisection. The challenge's opening is 1.
        round: u64,
        /// The disputed range.
        #[serde(flatten)]
        range: DisputedRange,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// A single block is disputed: from here on the sides dispute machine steps.
    MachineEntered {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// The entry.
        entry: u64,
        /// Index of the block in the entry.
        block_in_entry: u64,
        /// The derived L2 block; `None` if the entry has no such block.
        l2_block: Option<u64>,
    },
    /// L1 has run the disputed step.
    StepProven {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// Hash of the claimed state after the step.
        claimed: B256,
        /// Hash of the state that L1 computed.
        state: B256,
    },
    /// A clock has run out.
    TimedOut {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// The side whose clock has run out.
        side: Side,
    },
    /// A game is decided.
    GameEnded {
        /// The game.
        #[serde(flatten)]
        game: GameRef,
        /// The winning side.
        winner: Side,
    },
    /// A challenge has won: the output never becomes final.
    OutputRejected {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// Whether it is the challenger's own challenge.
        own: bool,
    },
    /// A challenge has lost.
    OutputUpheld {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// Whether it is the challenger's own challenge.
        own: bool,
    },
    /// Bonds were withdrawn to the account.
    BondWithdrawn {
        /// The contract that paid.
        from: Address,
        /// The amount.
        wei: U256,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// The account cannot pay for its transactions.
    OutOfFunds {
        /// The account.
        account: Address,
        /// Number of transactions that wait for funds.
        waiting: usize,
    },
}

/// A game, and the challenger's side in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GameRef {
    /// Number of the game.
    pub game: u64,
    /// Number of the challenge.
    pub challenge: u64,
    /// Index of the output.
    pub output: u64,
    /// The challenger's own side, if it plays.
    pub own: Option<Side>,
}

/// A range of what is in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "phase")]
pub enum DisputedRange {
    /// Blocks. Every entry counts as the maximum number of blocks per entry.
    Blocks {
        /// Number of blocks.
        count: u64,
        /// Entry of the first block.
        first_entry: u64,
        /// Index of the first block in its entry.
        first_block_in_entry: u64,
        /// Entry of the last block.
        last_entry: u64,
        /// Index of the last block in its entry.
        last_block_in_entry: u64,
    },
    /// Steps of the proof machine within a block.
    Machine {
        /// Number of steps.
        count: u64,
        /// The first step.
        first_step: u64,
        /// Entry of the block.
        entry: u64,
        /// Index of the block in the entry.
        block_in_entry: u64,
    },
}

impl DisputedRange {
    /// The range of a bisection of a game over `output`.
    pub fn of(bisection: &Bisection, output: &DisputedOutput) -> Self {
        let count = bisection.last - bisection.first;
        match bisection.phase {
            Phase::Blocks => {
                let (first_entry, first_block_in_entry) = output.block_at(bisection.first);
                let (last_entry, last_block_in_entry) =
                    output.block_at(bisection.last.saturating_sub(1));
                Self::Blocks {
                    count,
                    first_entry,
                    first_block_in_entry,
                    last_entry,
                    last_block_in_entry,
                }
            }
            Phase::Machine => {
                let (entry, block_in_entry) = output.block_at(bisection.block);
                Self::Machine { count, first_step: bisection.first, entry, block_in_entry }
            }
        }
    }
}

impl GameRef {
    /// Says which side divides the range.
    fn divides(&self, side: Side) -> &'static str {
        match (self.own == Some(side), side) {
            (true, Side::Challenger) => "we, the challenger, divide",
            (true, Side::Defender) => "we, the defender, divide",
            (false, Side::Challenger) => "the challenger divides",
            (false, Side::Defender) => "the defender divides",
        }
    }
}

impl fmt::Display for GameRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "game {} over output {}", self.game, self.output)
    }
}

impl fmt::Display for DisputedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Blocks { count: 1, first_entry, first_block_in_entry, .. } => {
                write!(f, "block {first_block_in_entry} of entry {first_entry}")
            }
            Self::Blocks {
                count,
                first_entry,
                first_block_in_entry,
                last_entry,
                last_block_in_entry,
            } => write!(
                f,
                "{count} blocks, from block {first_block_in_entry} of entry {first_entry} to block \
                 {last_block_in_entry} of entry {last_entry}"
            ),
            Self::Machine { count, first_step, entry, block_in_entry } => {
                let last = first_step + count;
                write!(
                    f,
                    "{count} machine steps, {first_step} to {last}, of block {block_in_entry} of entry {entry}"
                )
            }
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { index, entry, block, verdict } => {
                write!(f, "output {index} (entry {entry}, block {block}): ")?;
                match verdict {
                    Verdict::Unknown => write!(f, "not derived yet"),
                    Verdict::Ok => write!(f, "ok"),
                    Verdict::Wrong { divergence } => write!(f, "WRONG\n  {divergence}"),
                }
            }
            Self::Reorg { block, outputs } => {
                write!(f, "L1 reorg after block {block}: {outputs} outputs are left")
            }
            Self::Challenged { index, challenge, l1_transaction } => write!(
                f,
                "output {index}: challenged by us (challenge {challenge}), L1 transaction {l1_transaction}"
            ),
            Self::ChallengeSeen { index, challenge, challenger, l1_transaction } => write!(
                f,
                "output {index}: challenged by {challenger} (challenge {challenge}), L1 transaction {l1_transaction}"
            ),
            Self::Defended { game, defender } => match game.own {
                Some(Side::Defender) => {
                    write!(f, "{game}: we defend it against challenge {}", game.challenge)
                }
                _ => {
                    write!(f, "{game}: {defender} defends it against challenge {}", game.challenge)
                }
            },
            Self::Moved { game, side, round, range, l1_transaction } => write!(
                f,
                "{game}, round {round}: {} {range}, L1 transaction {l1_transaction}",
                game.divides(*side)
            ),
            Self::MachineEntered { game, entry, block_in_entry, l2_block } => match l2_block {
                Some(block) => write!(
                    f,
                    "{game}: L2 block {block} is disputed (block {block_in_entry} of entry {entry}), the machine runs it next"
                ),
                None => write!(
                    f,
                    "{game}: a block that entry {entry} does not have is disputed (its block {block_in_entry}), the machine runs it next"
                ),
            },
            Self::StepProven { game, claimed, state } => write!(
                f,
                "{game}: L1 has run the disputed step and computed {state}, claimed was {claimed}"
            ),
            Self::TimedOut { game, side } => {
                write!(f, "{game}: the clock of the {} has run out", name_of(*side))
            }
            Self::GameEnded { game, winner } => match game.own {
                Some(own) if own == *winner => write!(f, "{game}: won"),
                Some(_) => write!(f, "{game}: LOST"),
                None => write!(f, "{game}: won by the {}", name_of(*winner)),
            },
            Self::OutputRejected { index, challenge, own } => write!(
                f,
                "output {index}: rejected, {} challenge {challenge} has won",
                if *own { "our" } else { "another" }
            ),
            Self::OutputUpheld { index, challenge, own } => write!(
                f,
                "output {index}: upheld against {} challenge {challenge}",
                if *own { "our" } else { "another" }
            ),
            Self::BondWithdrawn { from, wei, l1_transaction } => write!(
                f,
                "{} ETH withdrawn from {from}, L1 transaction {l1_transaction}",
                ether(*wei)
            ),
            Self::OutOfFunds { account, waiting } => {
                write!(f, "OUT OF FUNDS: {waiting} transactions wait for ether on {account}")
            }
        }
    }
}

/// Wei in ether, without zeros at the end.
fn ether(wei: U256) -> String {
    let ether = format_ether(wei);
    ether.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const fn name_of(side: Side) -> &'static str {
    match side {
        Side::Challenger => "challenger",
        Side::Defender => "defender",
    }
}

/// What a challenger has judged and challenged so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Number of right outputs.
    pub ok: u64,
    /// Number of wrong outputs.
    pub wrong: u64,
    /// Number of the challenger's own challenges on L1.
    pub challenged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_sides_are_written_as_text() {
        let wei = |text: &str| U256::from_str_radix(text, 10).expect("a number");
        assert_eq!(ether(wei("100000000000000000")), "0.1");
        assert_eq!(ether(wei("20000000000000000000")), "20");
        assert_eq!(ether(wei("1")), "0.000000000000000001");
        let name = GameRef { game: 1, challenge: 0, output: 2, own: Some(Side::Challenger) };
        assert_eq!(name.divides(Side::Challenger), "we, the challenger, divide");
        assert_eq!(name.divides(Side::Defender), "the defender divides");
    }
}
