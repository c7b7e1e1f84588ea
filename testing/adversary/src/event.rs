use std::fmt;

use alloy_primitives::{Address, B256, U256};
use turnpike_l1::ether;

use crate::Attack;

/// A report of an adversary about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdversaryEvent {
    /// It has connected to L1.
    Started {
        /// Its first account.
        account: Address,
        /// Its attack.
        attack: Attack,
    },
    /// It proposes a false output.
    Proposed {
        /// The last entry that the output covers.
        entry: u64,
        /// The false output root.
        root: B256,
        /// The attack that makes the output false.
        attack: Attack,
    },
    /// It challenges a true output.
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
    /// L1 rejects its move in a game.
    Refused {
        /// The game.
        game: u64,
    },
    /// It has lost a game.
    GameLost {
        /// The game.
        game: u64,
        /// Its bond, in wei.
        bond: U256,
    },
    /// Its output was rejected.
    OutputLost {
        /// Index of the output.
        output: u64,
        /// Its bond, in wei.
        bond: U256,
    },
}

impl fmt::Display for AdversaryEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { account, attack } => {
                write!(f, "{account} will claim that {}", attack.description())
            }
            Self::Proposed { entry, root, attack } => {
                let claim = attack.description();
                write!(f, "proposes a false output after entry {entry}, {root}: {claim}")
            }
            Self::Challenged { output } => write!(f, "challenges the true output {output}"),
            Self::Defended { challenge, output } => {
                write!(f, "defends the false output {output} against challenge {challenge}")
            }
            Self::Refused { game } => write!(
                f,
                "has no move left in game {game}: L1 rejects the step to the claimed state"
            ),
            Self::GameLost { game, bond } => {
                write!(f, "has lost game {game}, and its bond of {}", ether(*bond))
            }
            Self::OutputLost { output, bond } => {
                let bond = ether(*bond);
                write!(f, "output {output} is rejected, and its bond of {bond} is lost")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bonds_are_shown_in_ether() {
        let lost = AdversaryEvent::GameLost { game: 3, bond: U256::from(10).pow(U256::from(17)) };
        assert_eq!(lost.to_string(), "has lost game 3, and its bond of 0.1 ether");
    }
}
