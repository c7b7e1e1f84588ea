//! Blocks with several sorts of transactions by random senders.

use turnpike_workloads::{Crowd, Mix, MixedTransaction, Pair};

use super::{
    WorkloadDraft, erc20, population,
    uniswap_v2::UniswapV2,
    uniswap_v3::{self, UniswapV3},
};
use crate::setup::actor;

/// Tokens. Every account holds one of them.
const TOKENS: usize = 20;

/// Pools. Every account trades in one of them.
const POOLS: usize = 100;

/// Accounts in classes that hold the same token or trade in the same pool: two in each class at
/// least.
fn crowd(count: usize, classes: usize) -> Crowd {
    Crowd::new(3, population(count).max(2 * classes), classes)
}

/// 66 % ether, 32 % ERC-20, 2 % Uniswap v3 in 20 pools.
pub(super) fn hybrid(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let uniswap = UniswapV3::deploy(&mut draft.setup)?;
    let pools: Vec<uniswap_v3::Pool> =
        (0..TOKENS).map(|_| uniswap.pool(&mut draft.setup)).collect::<anyhow::Result<_>>()?;
    let (mut crowd, tokens) = holders(draft, count)?;
    for turn in 0..count {
        let Pair { from, to, class } = crowd.pair();
        match turn % 50 {
            0 => {
                // Traders are separate accounts, because admitting one overwrites its balances.
                let trader = actor(crowd.population() + turn);
                pools[class].admit(draft, trader);
                pools[class].swap(draft, trader, turn / 50);
            }
            1..=16 => tokens[class].transfer(draft, actor(from), actor(to)),
            _ => draft.transfer(actor(from), actor(to)),
        }
    }
    Ok(())
}

/// 75 % ERC-20, 25 % ether.
pub(super) fn defi_a(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let (mut crowd, tokens) = holders(draft, count)?;
    for turn in 0..count {
        let Pair { from, to, class } = crowd.pair();
        match Mix::DefiA.at(turn) {
            MixedTransaction::Ether => draft.transfer(actor(from), actor(to)),
            _ => tokens[class].transfer(draft, actor(from), actor(to)),
        }
    }
    Ok(())
}

/// 45 % ERC-20 transfers, 35 % Uniswap v2, 15 % ether, 5 % approvals.
pub(super) fn defi_b(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let uniswap = UniswapV2::deploy(&mut draft.setup)?;
    let pools = (0..POOLS.min(count)).map(|_| uniswap.pool(&mut draft.setup));
    let pools: Vec<_> = pools.collect::<anyhow::Result<_>>()?;
    let mut crowd = crowd(count, pools.len());
    for index in 0..crowd.population() {
        pools[index % pools.len()].admit(draft, actor(index));
    }
    pools[0].check(draft, actor(0))?;
    for turn in 0..count {
        let Pair { from, to, class } = crowd.pair();
        let (pool, from, to) = (pools[class], actor(from), actor(to));
        match Mix::DefiB.at(turn) {
            MixedTransaction::Approval => pool.tokens[0].approve(draft, from, to),
            MixedTransaction::Swap => pool.swap(draft, from, turn % 20),
            MixedTransaction::Ether => draft.transfer(from, to),
            MixedTransaction::Token => pool.tokens[1].transfer(draft, from, to),
        }
    }
    Ok(())
}

/// Accounts that each hold one of the tokens.
fn holders(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<(Crowd, Vec<erc20::Token>)> {
    let code = erc20::TokenCode::read()?;
    let tokens = (0..TOKENS).map(|_| code.deploy(&mut draft.setup, actor(usize::MAX)));
    let tokens: Vec<_> = tokens.collect::<anyhow::Result<_>>()?;
    let crowd = crowd(count, TOKENS);
    draft.fund((0..crowd.population()).map(actor));
    for index in 0..crowd.population() {
        tokens[index % TOKENS].give(&mut draft.setup, actor(index));
    }
    for (index, token) in tokens.iter().enumerate() {
        token.check_balance(&mut draft.setup, actor(index))?;
    }
    Ok((crowd, tokens))
}
