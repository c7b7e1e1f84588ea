//! The workloads: an endless sequence of calls by senders with an index.

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

/// Gas limit of a transfer of ether. A new recipient costs no extra gas.
const TRANSFER_GAS: u64 = 21_000;

/// Tokens of a mixed workload. Each sender holds one of them.
const TOKENS: usize = 20;

/// Pools of a workload with swaps. Each sender trades in one of them.
const POOLS: usize = 20;

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub(crate) enum WorkloadKind {
    /// Ether from each sender to its own recipient.
    RawIndependent,
    /// Ether between random senders.
    RawRandom,
    /// Ether from each sender to the next.
    RawChain,
    /// Ether from one sender.
    RawOneSender,
    /// Ether to a new account each time.
    RawNewAccounts,
    /// ERC-20 from each sender to its own recipient.
    Erc20Independent,
    /// ERC-20 between random senders.
    Erc20Random,
    /// ERC-20 to one recipient.
    Erc20HotRecipient,
    /// Swaps in 20 Uniswap v2 pools.
    UniswapV2Pools,
    /// 75 % ERC-20 transfers, 25 % ether.
    DefiA,
    /// 45 % ERC-20 transfers, 35 % Uniswap v2 swaps, 15 % ether, 5 % approvals.
    DefiB,
}

impl WorkloadKind {
    /// Number of senders if this many are wanted.
    pub(crate) fn senders(self, wanted: u32) -> u32 {
        match self {
            Self::RawOneSender => 1,
            // Two senders in each class, so that each has a recipient.
            Self::DefiA | Self::DefiB => wanted.max(2 * TOKENS.max(POOLS) as u32),
            _ => wanted.max(2),
        }
    }

    /// ERC-20 tokens, without those of pools.
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

/// Accounts and contracts on the chain. Sender `n` uses token or pool number `n % count`.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkloadContext {
    pub(crate) senders: Vec<Address>,
    pub(crate) tokens: Vec<Address>,
    pub(crate) pools: Vec<Pool>,
}

/// The content of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkloadCall {
    /// Index of the sender.
    pub(crate) sender: usize,
    pub(crate) to: Address,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    pub(crate) gas_limit: u64,
}

/// An endless sequence of calls, the same in every run on the same accounts and contracts.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    kind: WorkloadKind,
    context: WorkloadContext,
    crowd: Crowd,
    turn: usize,
}

impl Workload {
    pub(crate) fn new(kind: WorkloadKind, context: WorkloadContext) -> Self {
        let crowd = Crowd::new(8, context.senders.len().max(2), kind.classes());
        Self { kind, context, crowd, turn: 0 }
    }

    /// The next call.
    pub(crate) fn next_call(&mut self) -> WorkloadCall {
        let turn = self.turn;
        self.turn += 1;
        let count = self.context.senders.len();
        let each = turn % count;
        match self.kind {
            WorkloadKind::RawIndependent => self.ether(each, partner(self.context.senders[each])),
            WorkloadKind::RawOneSender => {
                let to = self.context.senders[0].create(turn as u64 % 1_000);
                self.ether(0, to)
            }
            WorkloadKind::RawNewAccounts => {
                let to = partner(self.context.senders[each]).create((turn / count) as u64);
                self.ether(each, to)
            }
            WorkloadKind::RawChain => self.ether(each, self.context.senders[(each + 1) % count]),
            WorkloadKind::RawRandom => {
                let Pair { from, to, .. } = self.crowd.pair();
                self.ether(from, self.context.senders[to])
            }
            WorkloadKind::Erc20Independent => self.token(each, partner(self.context.senders[each])),
            WorkloadKind::Erc20HotRecipient => self.token(each, partner(Address::ZERO)),
            WorkloadKind::Erc20Random => {
                let Pair { from, to, .. } = self.crowd.pair();
                self.token(from, self.context.senders[to])
            }
            WorkloadKind::UniswapV2Pools => self.swap(each, turn / count),
            WorkloadKind::DefiA => {
                let Pair { from, to, .. } = self.crowd.pair();
                let to = self.context.senders[to];
                match Mix::DefiA.at(turn) {
                    MixedTransaction::Ether => self.ether(from, to),
                    _ => self.token(from, to),
                }
            }
            WorkloadKind::DefiB => {
                let Pair { from, to, .. } = self.crowd.pair();
                let to = self.context.senders[to];
                match Mix::DefiB.at(turn) {
                    MixedTransaction::Approval => self.approve(from, to),
                    MixedTransaction::Swap => self.swap(from, turn % 20),
                    MixedTransaction::Ether => self.ether(from, to),
                    MixedTransaction::Token => self.pool_token(from, to),
                }
            }
        }
    }

    /// An amount that no other call has, so that transactions differ.
    fn amount(&self) -> U256 {
        U256::from(1_000 + self.turn)
    }

    fn ether(&self, sender: usize, to: Address) -> WorkloadCall {
        let (value, data) = (self.amount(), Bytes::new());
        WorkloadCall { sender, to, value, data, gas_limit: TRANSFER_GAS }
    }

    fn token(&self, sender: usize, to: Address) -> WorkloadCall {
        let token = self.context.tokens[sender % self.context.tokens.len()];
        call(sender, token, &transferCall { to, amount: self.amount() }, TOKEN_GAS)
    }

    fn pool_of(&self, sender: usize) -> Pool {
        self.context.pools[sender % self.context.pools.len()]
    }

    fn pool_token(&self, sender: usize, to: Address) -> WorkloadCall {
        let [_, token] = self.pool_of(sender).tokens;
        call(sender, token, &transferCall { to, amount: self.amount() }, TOKEN_GAS)
    }

    /// Approves the pool's first token, to a spender whose allowance no swap needs.
    fn approve(&self, sender: usize, spender: Address) -> WorkloadCall {
        let [token, _] = self.pool_of(sender).tokens;
        call(sender, token, &approveCall { spender, amount: self.amount() }, TOKEN_GAS)
    }

    /// Swaps in alternating directions.
    fn swap(&self, sender: usize, turn: usize) -> WorkloadCall {
        let Pool { router, tokens } = self.pool_of(sender);
        let direction = turn % 2;
        let swap = swapExactTokensForTokensCall {
            amountIn: U256::from(1_000_000) + self.amount(),
            amountOutMin: U256::ZERO,
            path: vec![tokens[direction], tokens[1 - direction]],
            to: self.context.senders[sender],
            deadline: U256::MAX,
        };
        call(sender, router, &swap, SWAP_GAS)
    }
}

fn call(
    sender: usize,
    to: Address,
    call: &impl alloy::sol_types::SolCall,
    gas_limit: u64,
) -> WorkloadCall {
    WorkloadCall { sender, to, value: U256::ZERO, data: call.abi_encode().into(), gas_limit }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn workload(kind: WorkloadKind) -> Workload {
        let at = |n: usize| Address::with_last_byte(u8::try_from(n).unwrap());
        let senders = (0..kind.senders(50) as usize).map(at).collect();
        let tokens = (0..kind.tokens()).map(|n| at(100 + n)).collect();
        let pool = |n| Pool { router: at(255), tokens: [at(150 + 2 * n), at(151 + 2 * n)] };
        Workload::new(
            kind,
            WorkloadContext { senders, tokens, pools: (0..kind.pools()).map(pool).collect() },
        )
    }

    fn calls(kind: WorkloadKind, count: usize) -> Vec<WorkloadCall> {
        let mut workload = workload(kind);
        (0..count).map(|_| workload.next_call()).collect()
    }

    #[test]
    fn calls_of_every_workload_are_distinct() {
        for kind in WorkloadKind::value_variants() {
            let calls = calls(*kind, 400);
            let distinct: HashSet<_> =
                calls.iter().map(|c| (c.sender, c.to, c.value, c.data.clone())).collect();
            assert_eq!(distinct.len(), calls.len(), "{kind:?}");
        }
    }

    #[test]
    fn independent_pairs_share_no_account() {
        let calls = calls(WorkloadKind::RawIndependent, 50);
        let people: HashSet<_> = calls.iter().map(|call| call.to).collect();
        let senders: HashSet<_> = calls.iter().map(|call| call.sender).collect();
        assert_eq!((people.len(), senders.len()), (50, 50));
    }

    #[test]
    fn every_recipient_of_new_accounts_is_new() {
        let calls = calls(WorkloadKind::RawNewAccounts, 400);
        let people: HashSet<_> = calls.iter().map(|call| call.to).collect();
        assert_eq!(people.len(), 400);
    }

    #[test]
    fn mixes_have_their_documented_shares() {
        let share = |calls: &[WorkloadCall], what: &dyn Fn(&WorkloadCall) -> bool| {
            calls.iter().filter(|call| what(call)).count() * 100 / calls.len()
        };
        let a = calls(WorkloadKind::DefiA, 2_000);
        assert_eq!(share(&a, &|call| call.data.is_empty()), 25);
        let b = calls(WorkloadKind::DefiB, 6_000);
        assert_eq!(share(&b, &|call| call.data.is_empty()), 15);
        assert_eq!(share(&b, &|call| call.gas_limit == SWAP_GAS), 35);
        assert_eq!(share(&b, &|call| call.data.starts_with(&approveCall::SELECTOR)), 5);
        assert_eq!(share(&b, &|call| call.data.starts_with(&transferCall::SELECTOR)), 45);
    }

    use alloy::sol_types::SolCall as _;

    #[test]
    fn sender_and_recipient_hold_the_same_token() {
        let workload = workload(WorkloadKind::DefiA);
        let index = |address| workload.context.senders.iter().position(|sender| *sender == address);
        for call in calls(WorkloadKind::DefiA, 200).iter().filter(|call| !call.data.is_empty()) {
            let to = transferCall::abi_decode(&call.data).unwrap().to;
            assert_eq!(index(to).unwrap() % TOKENS, call.sender % TOKENS);
        }
    }
}
