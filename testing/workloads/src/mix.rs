//! Shares and order of transactions in mixed blocks.

/// A block of transactions of several sorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// 75 % ERC-20 transfers, 25 % ether.
    DefiA,
    /// 45 % ERC-20 transfers, 35 % Uniswap v2 swaps, 15 % ether, 5 % approvals.
    DefiB,
}

/// A sort of transaction in a [`Mix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixedTransaction {
    /// A transfer of ether.
    Ether,
    /// A transfer of an ERC-20 token.
    Token,
    /// A swap in a Uniswap v2 pool.
    Swap,
    /// An ERC-20 approval.
    Approval,
}

impl Mix {
    /// The transaction at this turn of the block.
    pub const fn at(self, turn: usize) -> MixedTransaction {
        match (self, turn % 20) {
            (Self::DefiA, turn) if turn.is_multiple_of(4) => MixedTransaction::Ether,
            (Self::DefiB, 0) => MixedTransaction::Approval,
            // Swaps are spread over the block instead of following each other.
            (Self::DefiB, turn) if turn % 3 == 1 => MixedTransaction::Swap,
            (Self::DefiB, turn) if turn % 6 == 3 => MixedTransaction::Ether,
            (Self::DefiA | Self::DefiB, _) => MixedTransaction::Token,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_turns_hold_the_documented_shares() {
        use MixedTransaction::{Approval, Ether, Swap, Token};
        let counts = |mix: Mix| {
            [Ether, Token, Swap, Approval]
                .map(|sort| (0..20).filter(|turn| mix.at(*turn) == sort).count())
        };
        assert_eq!(counts(Mix::DefiA), [5, 15, 0, 0]);
        assert_eq!(counts(Mix::DefiB), [3, 9, 7, 1]);
    }
}
