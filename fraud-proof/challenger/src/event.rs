use std::fmt;

use alloy_primitives::{Address, B256, U256, utils::format_ether};
use serde::Serialize;
use turnpike_l1::{Bisection, DisputedOutput, Phase, Side};

use crate::Verdict;

/// What a challenger has to say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// An output was judged. Each is, once, in the order of their indexes; again after a reorg that it did not survive.
    Output {
        /// Its index.
        index: u64,
        /// Entry after which it claims to hold.
        entry: u64,
        /// L2 block after which it claims to hold.
        block: u64,
        /// What it is.
        #[serde(flatten)]
        verdict: Verdict,
    },
    /// L1 has dropped blocks that were read. What was said of outputs that were in them is void.
    Reorg {
        /// The last L1 block that is still there.
        block: u64,
        /// Outputs that are still there, the genesis output included.
        outputs: u64,
    },
    /// A challenge of our own is on L1.
    Challenged {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// A challenge of somebody else's is on L1.
    ChallengeSeen {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// Who challenges.
        challenger: Address,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// Somebody has taken up a challenge, in a game of their own.
    Defended {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// Who defends.
        defender: Address,
    },
    /// A side has divided what is in question.
    Moved {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// Which side.
        side: Side,
        /// Which bisection of the game: the challenge itself is the first.
        round: u64,
        /// What it is about.
        #[serde(flatten)]
        stretch: Stretch,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// A single block is in question: from here on the machine's steps are.
    MachineEntered {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// The entry.
        entry: u64,
        /// Which of its blocks.
        block_in_entry: u64,
        /// The L2 block, as derived; `None` if the entry has no such block.
        l2_block: Option<u64>,
    },
    /// L1 has run the step in question.
    StepProven {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// Hash of the machine's state that was claimed.
        claimed: B256,
        /// What it is.
        state: B256,
    },
    /// A clock has run out.
    TimedOut {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// Whose.
        side: Side,
    },
    /// A game is decided.
    GameEnded {
        /// The game.
        #[serde(flatten)]
        game: GameName,
        /// Who has won.
        winner: Side,
    },
    /// A challenge was won: the output never becomes final.
    OutputRejected {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// Whether the challenge is our own.
        own: bool,
    },
    /// A challenge was lost.
    OutputUpheld {
        /// Index of the output.
        index: u64,
        /// Number of the challenge.
        challenge: u64,
        /// Whether the challenge is our own.
        own: bool,
    },
    /// What was won or returned is back in the account.
    BondWithdrawn {
        /// The contract that it was in.
        from: Address,
        /// How much.
        wei: U256,
        /// The L1 transaction.
        l1_transaction: B256,
    },
    /// Moves or bonds cannot be paid.
    OutOfFunds {
        /// The account.
        account: Address,
        /// How many transactions wait for it.
        waiting: usize,
    },
}

/// Which game, and our part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GameName {
    /// Its number.
    pub game: u64,
    /// Number of the challenge.
    pub challenge: u64,
    /// Index of the output.
    pub output: u64,
    /// Which side we are on, if on any.
    pub own: Option<Side>,
}

/// A stretch of what is in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "phase")]
pub enum Stretch {
    /// Blocks, in the order of entries, of which each has as many as it may have.
    Blocks {
        /// How many.
        count: u64,
        /// Entry of the first.
        first_entry: u64,
        /// Which of its blocks the first is.
        first_block_in_entry: u64,
        /// Entry of the last.
        last_entry: u64,
        /// Which of its blocks the last is.
        last_block_in_entry: u64,
    },
    /// Steps of the proof machine within a block.
    Machine {
        /// How many.
        count: u64,
        /// The first.
        first_step: u64,
        /// Entry of the block.
        entry: u64,
        /// Which of its blocks.
        block_in_entry: u64,
    },
}

impl Stretch {
    /// What a bisection of an output's game is about.
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

impl GameName {
    /// Who divides what is in question.
    fn divides(&self, side: Side) -> &'static str {
        match (self.own == Some(side), side) {
            (true, Side::Challenger) => "we, the challenger, divide",
            (true, Side::Defender) => "we, the defender, divide",
            (false, Side::Challenger) => "the challenger divides",
            (false, Side::Defender) => "the defender divides",
        }
    }
}

impl fmt::Display for GameName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "game {} over output {}", self.game, self.output)
    }
}

impl fmt::Display for Stretch {
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
                write!(f, "L1 has reorganised after block {block}: {outputs} outputs are left")
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
            Self::Moved { game, side, round, stretch, l1_transaction } => write!(
                f,
                "{game}, round {round}: {} {stretch}, L1 transaction {l1_transaction}",
                game.divides(*side)
            ),
            Self::MachineEntered { game, entry, block_in_entry, l2_block } => match l2_block {
                Some(block) => write!(
                    f,
                    "{game}: it comes down to L2 block {block} (block {block_in_entry} of entry {entry}), and to the machine that runs it"
                ),
                None => write!(
                    f,
                    "{game}: it comes down to a block that entry {entry} does not have (its block {block_in_entry}), and to the machine that shows it"
                ),
            },
            Self::StepProven { game, claimed, state } => write!(
                f,
                "{game}: L1 has run the step in question and come to {state}, not to {claimed} as was claimed"
            ),
            Self::TimedOut { game, side } => {
                write!(f, "{game}: the time is up for the {}", name_of(*side))
            }
            Self::GameEnded { game, winner } => match game.own {
                Some(own) if own == *winner => write!(f, "{game}: won"),
                Some(_) => write!(f, "{game}: LOST"),
                None => write!(f, "{game}: won by the {}", name_of(*winner)),
            },
            Self::OutputRejected { index, challenge, own } => write!(
                f,
                "output {index}: rejected, {} challenge {challenge} has won",
                if *own { "our" } else { "another\'s" }
            ),
            Self::OutputUpheld { index, challenge, own } => write!(
                f,
                "output {index}: upheld against {} challenge {challenge}",
                if *own { "our" } else { "another\'s" }
            ),
            Self::BondWithdrawn { from, wei, l1_transaction } => write!(
                f,
                "{} ETH taken out of {from}, L1 transaction {l1_transaction}",
                ether(*wei)
            ),
            Self::OutOfFunds { account, waiting } => write!(
                f,
                "OUT OF FUNDS: {waiting} transactions wait until {account} has more ether"
            ),
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

/// What a challenger has seen and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Outputs that are right.
    pub ok: u64,
    /// Outputs that are wrong.
    pub wrong: u64,
    /// Challenges of this challenger's that L1 holds.
    pub challenged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_moves_read_well() {
        let wei = |text: &str| U256::from_str_radix(text, 10).expect("a number");
        assert_eq!(ether(wei("100000000000000000")), "0.1");
        assert_eq!(ether(wei("20000000000000000000")), "20");
        assert_eq!(ether(wei("1")), "0.000000000000000001");
        let name = GameName { game: 1, challenge: 0, output: 2, own: Some(Side::Challenger) };
        assert_eq!(name.divides(Side::Challenger), "we, the challenger, divide");
        assert_eq!(name.divides(Side::Defender), "the defender divides");
    }
}
