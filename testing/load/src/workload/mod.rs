//! What is sent: calls, one after the other, by senders known by their index.

use alloy_primitives::{Address, Bytes, U256};
use clap::ValueEnum;
use serde::Serialize;
use turnpike_workloads::{
    Crowd, Mix, MixedTransaction, Pair,
    calls::{approveCall, swapExactTokensForTokensCall, transferCall},
};

use crate::senders::partner;

/// Gas limit of an ERC-20 transfer or an approval.
pub(crate) const TOKEN_GAS: u64 = 100_000;

/// Gas limit of a swap.
const SWAP_GAS: u64 = 400_000;

/// Gas limit of a transfer of ether. Whoever is paid may be new; that costs nothing extra.
const TRANSFER_GAS: u64 = 21_000;

/// Tokens of a mixed workload; every sender holds one of them.
const TOKENS: usize = 20;

/// Pools of a workload with swaps; every sender trades in one of them.
const POOLS: usize = 20;

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Ether, each sender to an account of its own.
    RawIndependent,
    /// Ether, between senders at random.
    RawRandom,
    /// Ether, each to the next sender.
    RawChain,
    /// Ether, all from one account.
    RawOneSender,
    /// Ether, each to an account that was not there before.
    RawNewAccounts,
    /// ERC-20, each sender to an account of its own.
    Erc20Independent,
    /// ERC-20, between senders at random.
    Erc20Random,
    /// ERC-20, all to one account.
    Erc20HotRecipient,
    /// Swaps in 20 Uniswap v2 pools.
    UniswapV2Pools,
    /// 75 % ERC-20 transfers, 25 % ether.
    DefiA,
    /// 45 % ERC-20 transfers, 35 % Uniswap v2 swaps, 15 % ether, 5 % approvals.
    DefiB,
}

impl Kind {
    /// Senders that it has if so many were asked for.
    pub(crate) fn senders(self, wanted: u32) -> u32 {
        match self {
            Self::RawOneSender => 1,
            // Everybody has somebody to pay.
            Self::DefiA | Self::DefiB => wanted.max(2 * TOKENS.max(POOLS) as u32),
            _ => wanted.max(2),
        }
    }

    /// ERC-20 tokens that every one of their holders gets, those of pools apart.
    pub(crate) fn tokens(self) -> usize {
        match self {
            Self::Erc20Independent | Self::Erc20Random | Self::Erc20HotRecipient => 1,
            Self::DefiA => TOKENS,
            _ => 0,
        }
    }

    /// Classes of senders who may pay each other: those with the same token or pool.
    const fn classes(self) -> usize {
        match self {
            Self::DefiA => TOKENS,
            Self::DefiB => POOLS,
            _ => 1,
        }
    }

    /// Uniswap v2 pools.
    pub(crate) fn pools(self) -> usize {
        match self {
            Self::UniswapV2Pools | Self::DefiB => POOLS,
            _ => 0,
        }
    }
}

/// A pool and its two tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) router: Address,
    pub(crate) tokens: [Address; 2],
}

/// What there is on the chain. A sender has to do with token or pool number `sender % count`.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) senders: Vec<Address>,
    pub(crate) tokens: Vec<Address>,
    pub(crate) pools: Vec<Pool>,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Index of who sends it.
    pub(crate) sender: usize,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    pub(crate) gas_limit: u64,
}

/// Calls without end, the same in every run on the same world.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    kind: Kind,
    world: World,
    crowd: Crowd,
    turn: usize,
}

impl Workload {
    pub(crate) fn new(kind: Kind, world: World) -> Self {
        let crowd = Crowd::new(8, world.senders.len().max(2), kind.classes());
        Self { kind, world, crowd, turn: 0 }
    }

    /// The next call.
    pub(crate) fn next_call(&mut self) -> Call {
        let turn = self.turn;
        self.turn += 1;
        let count = self.world.senders.len();
        let each = turn % count;
        match self.kind {
            Kind::RawIndependent => self.ether(each, partner(self.world.senders[each])),
            Kind::RawOneSender => {
                let to = self.world.senders[0].create(turn as u64 % 1_000);
                self.ether(0, to)
            }
            Kind::RawNewAccounts => {
                let to = partner(self.world.senders[each]).create((turn / count) as u64);
                self.ether(each, to)
            }
            Kind::RawChain => self.ether(each, self.world.senders[(each + 1) % count]),
            Kind::RawRandom => {
                let Pair { from, to, .. } = self.crowd.pair();
                self.ether(from, self.world.senders[to])
            }
            Kind::Erc20Independent => self.token(each, partner(self.world.senders[each])),
            Kind::Erc20HotRecipient => self.token(each, partner(Address::ZERO)),
            Kind::Erc20Random => {
                let Pair { from, to, .. } = self.crowd.pair();
                self.token(from, self.world.senders[to])
            }
            Kind::UniswapV2Pools => self.swap(each, turn / count),
            Kind::DefiA => {
                let Pair { from, to, .. } = self.crowd.pair();
                let to = self.world.senders[to];
                match Mix::DefiA.at(turn) {
                    MixedTransaction::Ether => self.ether(from, to),
                    _ => self.token(from, to),
                }
            }
            Kind::DefiB => {
                let Pair { from, to, .. } = self.crowd.pair();
                let to = self.world.senders[to];
                match Mix::DefiB.at(turn) {
                    MixedTransaction::Approval => self.approve(from, to),
                    MixedTransaction::Swap => self.swap(from, turn % 20),
                    MixedTransaction::Ether => self.ether(from, to),
                    MixedTransaction::Token => self.pool_token(from, to),
                }
            }
        }
    }

    /// Units or wei that no other call has, so that transactions differ.
    fn amount(&self) -> U256 {
        U256::from(1_000 + self.turn)
    }

    fn ether(&self, sender: usize, to: Address) -> Call {
        let (value, data) = (self.amount(), Bytes::new());
        Call { sender, to, value, data, gas_limit: TRANSFER_GAS }
    }

    fn token(&self, sender: usize, to: Address) -> Call {
        let token = self.world.tokens[sender % self.world.tokens.len()];
        call(sender, token, &transferCall { to, amount: self.amount() }, TOKEN_GAS)
    }

    fn pool_of(&self, sender: usize) -> Pool {
        self.world.pools[sender % self.world.pools.len()]
    }

    fn pool_token(&self, sender: usize, to: Address) -> Call {
        let [_, token] = self.pool_of(sender).tokens;
        call(sender, token, &transferCall { to, amount: self.amount() }, TOKEN_GAS)
    }

    /// Of the token that nobody needs an allowance of the same spender for.
    fn approve(&self, sender: usize, spender: Address) -> Call {
        let [token, _] = self.pool_of(sender).tokens;
        call(sender, token, &approveCall { spender, amount: self.amount() }, TOKEN_GAS)
    }

    /// In one direction and, at the next turn, in the other.
    fn swap(&self, sender: usize, turn: usize) -> Call {
        let Pool { router, tokens } = self.pool_of(sender);
        let direction = turn % 2;
        let swap = swapExactTokensForTokensCall {
            amountIn: U256::from(1_000_000) + self.amount(),
            amountOutMin: U256::ZERO,
            path: vec![tokens[direction], tokens[1 - direction]],
            to: self.world.senders[sender],
            deadline: U256::MAX,
        };
        call(sender, router, &swap, SWAP_GAS)
    }
}

fn call(sender: usize, to: Address, call: &impl alloy::sol_types::SolCall, gas_limit: u64) -> Call {
    Call { sender, to, value: U256::ZERO, data: call.abi_encode().into(), gas_limit }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn workload(kind: Kind) -> Workload {
        let at = |n: usize| Address::with_last_byte(u8::try_from(n).unwrap());
        let senders = (0..kind.senders(50) as usize).map(at).collect();
        let tokens = (0..kind.tokens()).map(|n| at(100 + n)).collect();
        let pool = |n| Pool { router: at(255), tokens: [at(150 + 2 * n), at(151 + 2 * n)] };
        Workload::new(kind, World { senders, tokens, pools: (0..kind.pools()).map(pool).collect() })
    }

    fn calls(kind: Kind, count: usize) -> Vec<Call> {
        let mut workload = workload(kind);
        (0..count).map(|_| workload.next_call()).collect()
    }

    #[test]
    fn every_kind_makes_calls_that_differ() {
        for kind in Kind::value_variants() {
            let calls = calls(*kind, 400);
            let distinct: HashSet<_> =
                calls.iter().map(|c| (c.sender, c.to, c.value, c.data.clone())).collect();
            assert_eq!(distinct.len(), calls.len(), "{kind:?}");
        }
    }

    #[test]
    fn pairs_of_an_independent_workload_share_nobody() {
        let calls = calls(Kind::RawIndependent, 50);
        let people: HashSet<_> = calls.iter().map(|call| call.to).collect();
        let senders: HashSet<_> = calls.iter().map(|call| call.sender).collect();
        assert_eq!((people.len(), senders.len()), (50, 50));
    }

    #[test]
    fn new_accounts_are_new_each_time() {
        let calls = calls(Kind::RawNewAccounts, 400);
        let people: HashSet<_> = calls.iter().map(|call| call.to).collect();
        assert_eq!(people.len(), 400);
    }

    #[test]
    fn shares_of_the_mixes_are_those_they_are_known_by() {
        let share = |calls: &[Call], what: &dyn Fn(&Call) -> bool| {
            calls.iter().filter(|call| what(call)).count() * 100 / calls.len()
        };
        let a = calls(Kind::DefiA, 2_000);
        assert_eq!(share(&a, &|call| call.data.is_empty()), 25);
        let b = calls(Kind::DefiB, 6_000);
        assert_eq!(share(&b, &|call| call.data.is_empty()), 15);
        assert_eq!(share(&b, &|call| call.gas_limit == SWAP_GAS), 35);
        assert_eq!(share(&b, &|call| call.data.starts_with(&approveCall::SELECTOR)), 5);
        assert_eq!(share(&b, &|call| call.data.starts_with(&transferCall::SELECTOR)), 45);
    }

    use alloy::sol_types::SolCall as _;

    #[test]
    fn those_who_pay_each_other_hold_the_same_token() {
        let workload = workload(Kind::DefiA);
        let index = |address| workload.world.senders.iter().position(|sender| *sender == address);
        for call in calls(Kind::DefiA, 200).iter().filter(|call| !call.data.is_empty()) {
            let to = transferCall::abi_decode(&call.data).unwrap().to;
            assert_eq!(index(to).unwrap() % TOKENS, call.sender % TOKENS);
        }
    }
}
