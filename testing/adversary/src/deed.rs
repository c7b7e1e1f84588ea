use std::fmt;

use alloy_primitives::{Address, B256, U256, utils::format_ether};

use crate::Kind;

/// What a liar tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is there.
    Up {
        /// Its account.
        account: Address,
        /// Its lie.
        kind: Kind,
    },
    /// It proposes a false output.
    Proposed {
        /// After which entry.
        entry: u64,
        /// The false root.
        root: B256,
        /// What is false about it.
        kind: Kind,
    },
    /// It challenges an output that is right.
    Challenged {
        /// Index of the output.
        output: u64,
    },
    /// It defends a false output.
    Defended {
        /// Number of the challenge.
        challenge: u64,
        /// Index of the output.
        output: u64,
    },
    /// L1 does not take what it has to say in a game.
    Refused {
        /// The game.
        game: u64,
    },
    /// It has lost a game.
    GameLost {
        /// The game.
        game: u64,
        /// Wei that it put up.
        bond: U256,
    },
    /// It has lost an output.
    OutputLost {
        /// Index of the output.
        output: u64,
        /// Wei that it put up.
        bond: U256,
    },
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { account, kind } => write!(f, "{account} will say that {}", kind.words()),
            Self::Proposed { entry, root, kind } => {
                write!(f, "proposes a false output after entry {entry}, {root}: {}", kind.words())
            }
            Self::Challenged { output } => write!(f, "challenges output {output}, which is right"),
            Self::Defended { challenge, output } => {
                write!(f, "defends the false output {output} against challenge {challenge}")
            }
            Self::Refused { game } => write!(
                f,
                "has nothing to say in game {game}: L1 refuses the step that would lead to what it claims"
            ),
            Self::GameLost { game, bond } => {
                write!(f, "has lost game {game}, and its bond of {} ether", ether(*bond))
            }
            Self::OutputLost { output, bond } => {
                let bond = ether(*bond);
                write!(f, "output {output} is rejected, and its bond of {bond} ether is lost")
            }
        }
    }
}

fn ether(wei: U256) -> String {
    let number = format_ether(wei);
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bonds_are_told_in_ether() {
        let lost = Deed::GameLost { game: 3, bond: U256::from(10).pow(U256::from(17)) };
        assert_eq!(lost.to_string(), "has lost game 3, and its bond of 0.1 ether");
    }
}
