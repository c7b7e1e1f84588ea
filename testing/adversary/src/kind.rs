use std::{fmt, str::FromStr};

/// What a liar lies about, or how it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The state before a block: an account holds an ether more. The oracle gives the output root of that state for the one
    /// that both sides agree on.
    State,
    /// The receipt of a block's last transaction. The run is honest but for its last step but one, where the root of the
    /// other block comes from nowhere.
    Receipt,
    /// The deposits of an entry, which are left out. The oracle gives another entry for the one on L1.
    Deposit,
    /// A signature: it is said to be that of an account which never signed. The oracle gives another answer of ecrecover's.
    Signature,
    /// The bytes of a batch: others are said to be posted, in calldata or a blob. If what is on L1 is garbage, they derive
    /// something.
    Decompression,
    /// What a precompile makes of an input that a transaction calls it with.
    Precompile,
    /// A root in the middle is false as well, those around it are true.
    Middle,
    /// The machine's state before its last step: any root can be claimed.
    Exit,
    /// The machine's state in the middle of its run, where it jumps to its end.
    Step,
    /// Claims that are made of nothing, below a false root.
    Children,
    /// Nothing is said after the first word.
    Silence,
    /// Moves are made in the last second that the clock allows.
    LastSecond,
    /// Many games at once, each of another account.
    Many,
    /// The liar has an accomplice challenge its own output, and lose.
    Puppet,
}

/// How moves are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As soon as they can be.
    Prompt,
    /// In the last second.
    Late,
    /// At once, with claims made of nothing.
    Random,
    /// Never, after a challenge's opening.
    Silent,
}

/// There is no such kind of lie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no lie of kind {0}: one of {all} is expected", all = names())]
pub struct UnknownKind(String);

impl Kind {
    /// All there are.
    pub const ALL: [Self; 14] = [
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
        Self::Puppet,
    ];

    /// Its name on the command line.
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
            Self::Puppet => "puppet",
        }
    }

    /// How its moves are made.
    pub const fn manner(self) -> Manner {
        match self {
            Self::Children => Manner::Random,
            Self::Silence => Manner::Silent,
            Self::LastSecond => Manner::Late,
            _ => Manner::Prompt,
        }
    }

    /// The lie in human words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::State => "an account holds an ether that nobody paid",
            Self::Receipt => "a transaction came out as it did not",
            Self::Deposit => "deposits that L1 holds do not arrive",
            Self::Signature => "a signature is that of an account which never signed",
            Self::Decompression => "other bytes were posted than L1 holds",
            Self::Precompile => "a precompile answers what it does not",
            Self::Middle => "a root is false, and one before it that stands alone",
            Self::Exit => "the program ends with another root",
            Self::Step => "the program jumps to its end half way",
            Self::Children => "a root is false, and so is whatever is said below it",
            Self::Silence => "a root is false, and nothing is said for it",
            Self::LastSecond => "a root is false, and the other side is kept waiting",
            Self::Many => "a root is false, and many stand up for it",
            Self::Puppet => "a root is false, and an accomplice challenges it to lose",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let error = "truth".parse::<Kind>().expect_err("not a lie");
        assert!(error.to_string().starts_with("there is no lie of kind truth: one of state, "));
    }
}
