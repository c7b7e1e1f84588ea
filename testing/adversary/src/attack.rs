use std::{fmt, str::FromStr};

/// What an adversary falsifies, or how it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// The state before a block: an account has an additional ether. The oracle returns that
    /// state's output root as the agreed root.
    State,
    /// The receipt of a block's last transaction has the opposite status. The run is honest up to
    /// its last step but one, which returns the false block's root.
    Receipt,
    /// The deposits of an entry are omitted. The oracle returns an entry that differs from L1's.
    Deposit,
    /// A transaction has the signature of an account that never signed it. The oracle returns a
    /// false result of ecrecover.
    Signature,
    /// The adversary claims another batch, in calldata or a blob. If L1 holds garbage, the claimed
    /// batch is valid.
    Decompression,
    /// A precompile call of a transaction fails instead of succeeding, or the other way round.
    Precompile,
    /// A root in the middle is false, too, and the roots around it are true.
    Middle,
    /// The machine's state is changed before its last step, so any root can be claimed.
    Exit,
    /// The machine's state is changed in the middle of the run: it jumps to the program's end.
    Step,
    /// Below a false root, all claims are random.
    Children,
    /// No move follows the proposal or the challenge.
    Silence,
    /// Each move is made in the last second of the clock.
    LastSecond,
    /// Many accounts play a game each at once.
    Many,
    /// Many accounts play a game each at once, each about another block.
    Blocks,
    /// A second account challenges the adversary's own output and loses.
    Puppet,
}

/// How an account makes its moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayStyle {
    /// As soon as possible.
    Prompt,
    /// In the last second.
    Late,
    /// At once, with random claims.
    Random,
    /// Never, after a challenge's opening.
    Silent,
}

/// No attack has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown attack {0}: expected one of {all}", all = names())]
pub struct UnknownAttack(String);

impl Attack {
    /// Every attack.
    pub const ALL: [Self; 15] = [
        Self::State,
        Self::Receipt,
        Self::Deposit,
        Self::Signature,
        Self::Decompression,
        Self::Precompile,
        Self::Middle,
        Self::Exit,
        Self::Step,
        Self::Children,
        Self::Silence,
        Self::LastSecond,
        Self::Many,
        Self::Blocks,
        Self::Puppet,
    ];

    /// The attack's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Receipt => "receipt",
            Self::Deposit => "deposit",
            Self::Signature => "signature",
            Self::Decompression => "decompression",
            Self::Precompile => "precompile",
            Self::Middle => "middle",
            Self::Exit => "exit",
            Self::Step => "step",
            Self::Children => "children",
            Self::Silence => "silence",
            Self::LastSecond => "last-second",
            Self::Many => "many",
            Self::Blocks => "blocks",
            Self::Puppet => "puppet",
        }
    }

    /// Whether all of the adversary's accounts take part, and not only the first.
    pub const fn takes_all_accounts(self) -> bool {
        matches!(self, Self::Many | Self::Blocks | Self::Puppet)
    }

    /// How the adversary makes its moves.
    pub const fn style(self) -> PlayStyle {
        match self {
            Self::Children => PlayStyle::Random,
            Self::Silence => PlayStyle::Silent,
            Self::LastSecond => PlayStyle::Late,
            _ => PlayStyle::Prompt,
        }
    }

    /// What the adversary claims, as a sentence for users.
    pub const fn description(self) -> &'static str {
        match self {
            Self::State => "an account holds an ether that nobody paid",
            Self::Receipt => "a receipt has the opposite status",
            Self::Deposit => "deposits that L1 holds do not arrive",
            Self::Signature => "a transaction is signed by an account that never signed it",
            Self::Decompression => "another batch was posted than L1 holds",
            Self::Precompile => "a precompile returns a false result",
            Self::Middle => "a root is false, and a single one before it",
            Self::Exit => "the program ends with another root",
            Self::Step => "the program jumps to its end half way",
            Self::Children => "a root is false, and all claims below it are random",
            Self::Silence => "a root is false, and nobody defends it",
            Self::LastSecond => "a root is false, and each move uses up the clock",
            Self::Many => "a root is false, and many accounts defend it",
            Self::Blocks => "many accounts each claim another false block",
            Self::Puppet => "a root is false, and a second account challenges it to lose",
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(name: &str) -> Result<Self, UnknownAttack> {
        let found = Self::ALL.into_iter().find(|attack| attack.name() == name);
        found.ok_or_else(|| UnknownAttack(name.to_owned()))
    }
}

fn names() -> String {
    Attack::ALL.map(Attack::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_attack() {
        for attack in Attack::ALL {
            assert_eq!(attack.name().parse(), Ok(attack));
        }
        let error = "truth".parse::<Attack>().expect_err("no attack");
        assert!(error.to_string().starts_with("unknown attack truth: expected one of state, "));
    }
}
