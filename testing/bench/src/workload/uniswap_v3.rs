//! Swaps through Uniswap v3's published router: an exact input in one pool.

use alloy::{
    sol,
    sol_types::{SolCall as _, SolValue as _},
};
use alloy_primitives::{
    Address, U256,
    aliases::{I24, U24, U160},
};
use turnpike_workloads::artifacts::{self, creation_code};

use super::{
    WorkloadDraft,
    erc20::{Token, TokenCode},
};
use crate::setup::{Setup, actor};

sol! {
    function createAndInitializePoolIfNecessary(
        address token0,
        address token1,
        uint24 fee,
        uint160 sqrtPriceX96
    ) external payable returns (address pool);

    struct MintParams {
        address token0;
        address token1;
        uint24 fee;
        int24 tickLower;
        int24 tickUpper;
        uint256 amount0Desired;
        uint256 amount1Desired;
        uint256 amount0Min;
        uint256 amount1Min;
        address recipient;
        uint256 deadline;
    }
    function mint(MintParams calldata params)
        external
        payable
        returns (uint256 tokenId, uint128 liquidity, uint256 amount0, uint256 amount1);

    struct ExactInputSingleParams {
        address tokenIn;
        address tokenOut;
        uint24 fee;
        address recipient;
        uint256 deadline;
        uint256 amountIn;
        uint256 amountOutMinimum;
        uint160 sqrtPriceLimitX96;
    }
    function exactInputSingle(ExactInputSingleParams calldata params)
        external
        payable
        returns (uint256 amountOut);
}

/// Gas limit of a swap.
const GAS_LIMIT: u64 = 500_000;

/// Fee of the pools: 0.3 %.
const FEE: U24 = U24::from_limbs([3_000]);

/// The widest position, so that no swap crosses a tick.
const TICK_MAX: i32 = 887_220;

/// Units of each token in a pool.
const LIQUIDITY: U256 = U256::from_limbs([0, 1 << 24, 0, 0]);

/// Each pool is used this many seconds after genesis, so that its fees and prices are not zero in
/// the block.
const USED_SECONDS: u64 = 30;

/// Factory, position manager and router.
#[derive(Clone, Debug)]
pub(super) struct UniswapV3 {
    positions: Address,
    router: Address,
    erc20: TokenCode,
    owner: Address,
}

/// A pool and its two tokens, in the order of their addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    router: Address,
    tokens: [Token; 2],
}

impl UniswapV3 {
    pub(super) fn deploy(setup: &mut Setup) -> anyhow::Result<Self> {
        let owner = actor(usize::MAX);
        let weth = creation_code(artifacts::WETH)?;
        let weth = setup.deploy(owner, &weth, &[])?;
        let core = |name| creation_code(&format!("@uniswap/v3-core/artifacts/contracts/{name}"));
        let factory = core("UniswapV3Factory.sol/UniswapV3Factory.json")?;
        let factory = setup.deploy(owner, &factory, &[])?;
        let periphery =
            |name| creation_code(&format!("@uniswap/v3-periphery/artifacts/contracts/{name}"));
        let router = periphery("SwapRouter.sol/SwapRouter.json")?;
        let router = setup.deploy(owner, &router, &(factory, weth).abi_encode())?;
        // No workload needs the description of a position.
        let arguments = (factory, weth, Address::ZERO).abi_encode();
        let positions =
            periphery("NonfungiblePositionManager.sol/NonfungiblePositionManager.json")?;
        let positions = setup.deploy(owner, &positions, &arguments)?;
        Ok(Self { positions, router, erc20: TokenCode::read()?, owner })
    }

    /// Creates a pool of two new tokens and swaps once in each direction.
    pub(super) fn pool(&self, setup: &mut Setup) -> anyhow::Result<Pool> {
        let Self { positions, router, owner, .. } = *self;
        let mut tokens = [self.erc20.deploy(setup, owner)?, self.erc20.deploy(setup, owner)?];
        tokens.sort_unstable();
        for token in tokens {
            token.approve_now(setup, owner, positions)?;
            token.approve_now(setup, owner, router)?;
        }
        let [token0, token1] = tokens.map(|token| token.0);
        setup.set_seconds(0);
        let create = createAndInitializePoolIfNecessaryCall {
            token0,
            token1,
            fee: FEE,
            // A price of 1, in Q96.
            sqrtPriceX96: U160::ONE << 96,
        };
        setup.call(owner, positions, &create)?;
        let tick_max = I24::try_from(TICK_MAX)?;
        let params = MintParams {
            token0,
            token1,
            fee: FEE,
            tickLower: -tick_max,
            tickUpper: tick_max,
            amount0Desired: LIQUIDITY,
            amount1Desired: LIQUIDITY,
            amount0Min: U256::ZERO,
            amount1Min: U256::ZERO,
            recipient: owner,
            deadline: U256::MAX,
        };
        setup.call(owner, positions, &mintCall { params })?;
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
    fn check(self, draft: &mut WorkloadDraft, trader: Address) -> anyhow::Result<()> {
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

    fn swap_call(self, trader: Address, direction: usize, amount: usize) -> exactInputSingleCall {
        let params = ExactInputSingleParams {
            tokenIn: self.tokens[direction].0,
            tokenOut: self.tokens[1 - direction].0,
            fee: FEE,
            recipient: trader,
            deadline: U256::MAX,
            amountIn: U256::from(amount),
            amountOutMinimum: U256::ZERO,
            sqrtPriceLimitX96: U160::ZERO,
        };
        // A price limit of zero means none.
        exactInputSingleCall { params }
    }
}

/// Swaps over this many pools in turn, each by its own trader.
fn interleaved(draft: &mut WorkloadDraft, count: usize, pools: usize) -> anyhow::Result<()> {
    let uniswap = UniswapV3::deploy(&mut draft.setup)?;
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

/// A pool for each swap.
pub(super) fn pools(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    interleaved(draft, count, count)
}

pub(super) fn twenty_pools(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    interleaved(draft, count, 20.min(count))
}

pub(super) fn one_pool(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    interleaved(draft, count, 1)
}
