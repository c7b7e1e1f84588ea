//! Swaps through Uniswap v2's published router.

use alloy::sol_types::{SolCall as _, SolValue as _};
use alloy_primitives::{Address, U256};
use turnpike_workloads::{
    artifacts::{self, creation_code},
    calls::{addLiquidityCall, swapExactTokensForTokensCall},
};

use super::{
    WorkloadDraft,
    erc20::{Token, TokenCode},
};
use crate::setup::{Setup, actor};

/// Pools of the workload with many.
const POOLS: usize = 1_000;

/// Gas limit of a swap.
const GAS_LIMIT: u64 = 400_000;

/// Units of each token in a pool.
const LIQUIDITY: U256 = U256::from_limbs([0, 1 << 24, 0, 0]);

/// Each pool is used this many seconds after genesis, so that its price sums are not zero in the
/// block.
const USED_SECONDS: u64 = 30;

/// Router and factory.
#[derive(Clone, Debug)]
pub(super) struct UniswapV2 {
    router: Address,
    erc20: TokenCode,
    owner: Address,
}

/// A pool and its two tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    router: Address,
    pub(super) tokens: [Token; 2],
}

impl UniswapV2 {
    pub(super) fn deploy(setup: &mut Setup) -> anyhow::Result<Self> {
        let owner = actor(usize::MAX);
        let weth = creation_code(artifacts::WETH)?;
        let weth = setup.deploy(owner, &weth, &[])?;
        let factory = creation_code(artifacts::UNISWAP_V2_FACTORY)?;
        let factory = setup.deploy(owner, &factory, &owner.abi_encode())?;
        let router = creation_code(artifacts::UNISWAP_V2_ROUTER)?;
        let router = setup.deploy(owner, &router, &(factory, weth).abi_encode())?;
        Ok(Self { router, erc20: TokenCode::read()?, owner })
    }

    /// Creates a pool of two new tokens and swaps once in each direction.
    pub(super) fn pool(&self, setup: &mut Setup) -> anyhow::Result<Pool> {
        let Self { router, owner, .. } = *self;
        let tokens = [self.erc20.deploy(setup, owner)?, self.erc20.deploy(setup, owner)?];
        for token in tokens {
            token.approve_now(setup, owner, router)?;
        }
        setup.set_seconds(0);
        let liquidity = addLiquidityCall {
            tokenA: tokens[0].0,
            tokenB: tokens[1].0,
            amountADesired: LIQUIDITY,
            amountBDesired: LIQUIDITY,
            amountAMin: U256::ZERO,
            amountBMin: U256::ZERO,
            to: owner,
            deadline: U256::MAX,
        };
        setup.call(owner, router, &liquidity)?;
        setup.set_seconds(USED_SECONDS);
        let pool = Pool { router, tokens };
        for direction in 0..2 {
            setup.call(owner, router, &pool.swap_call(owner, direction, 1_000_000))?;
        }
        Ok(pool)
    }
}

impl Pool {
    /// Gives `trader` ether and both tokens, and allows the router to take them.
    pub(super) fn admit(self, draft: &mut WorkloadDraft, trader: Address) {
        draft.fund([trader]);
        for token in self.tokens {
            token.give(&mut draft.setup, trader);
            token.allow(&mut draft.setup, trader, self.router);
        }
    }

    /// Verifies the balances and allowances that [`Self::admit`] wrote.
    pub(super) fn check(self, draft: &mut WorkloadDraft, trader: Address) -> anyhow::Result<()> {
        for token in self.tokens {
            token.check_balance(&mut draft.setup, trader)?;
            token.check_allowance(&mut draft.setup, trader, self.router)?;
        }
        Ok(())
    }

    /// Swaps in alternating directions.
    pub(super) fn swap(self, draft: &mut WorkloadDraft, trader: Address, turn: usize) {
        let swap = self.swap_call(trader, turn % 2, 1_000_000 + draft.transactions.len());
        draft.call(trader, self.router, swap.abi_encode(), GAS_LIMIT);
    }

    fn swap_call(
        self,
        trader: Address,
        direction: usize,
        amount: usize,
    ) -> swapExactTokensForTokensCall {
        swapExactTokensForTokensCall {
            amountIn: U256::from(amount),
            amountOutMin: U256::ZERO,
            path: vec![self.tokens[direction].0, self.tokens[1 - direction].0],
            to: trader,
            deadline: U256::MAX,
        }
    }
}

/// Swaps over this many pools in turn, each by its own trader.
fn interleaved(draft: &mut WorkloadDraft, count: usize, pools: usize) -> anyhow::Result<()> {
    let uniswap = UniswapV2::deploy(&mut draft.setup)?;
    let pools: Vec<_> =
        (0..pools).map(|_| uniswap.pool(&mut draft.setup)).collect::<anyhow::Result<_>>()?;
    for index in 0..count {
        let (pool, trader) = (pools[index % pools.len()], actor(index));
        pool.admit(draft, trader);
        if index < 4 {
            pool.check(draft, trader)?;
        }
        pool.swap(draft, trader, index / pools.len());
    }
    Ok(())
}

pub(super) fn pools(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    interleaved(draft, count, POOLS.min(count))
}

pub(super) fn one_pool(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    interleaved(draft, count, 1)
}
