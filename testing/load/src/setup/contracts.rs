//! Setup steps that create contracts.

use alloy::sol_types::{SolCall as _, SolValue as _};
use alloy_primitives::{Address, TxKind, U256};
use turnpike_workloads::{
    artifacts::{self, creation_code},
    calls::{addLiquidityCall, approveCall, transferCall},
};

use super::{
    SetupStep,
    disperse::{self, Disperser},
};
use crate::workload::{Pool, TOKEN_GAS};

/// Units of a token.
const SUPPLY: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Units for each holder.
const HOLDING: U256 = U256::from_limbs([0, 1 << 20, 0, 0]);

/// Units of each token in a pool.
const LIQUIDITY: U256 = U256::from_limbs([0, 1 << 24, 0, 0]);

/// Gas limit to create a contract or a pool.
const CREATION_GAS: u64 = 8_000_000;

/// Steps in which one account creates contracts. Its nonces determine their addresses.
#[derive(Debug)]
pub(super) struct Contracts {
    owner: Address,
    nonce: u64,
    pub(super) steps: Vec<SetupStep>,
}

impl Contracts {
    pub(super) const fn new(owner: Address, nonce: u64) -> Self {
        Self { owner, nonce, steps: Vec::new() }
    }

    pub(super) fn deploy_disperser(&mut self) -> Address {
        self.deploy(disperse::CREATION_CODE.to_vec())
    }

    /// Deploys `OpenZeppelin` tokens; the owner holds their supply.
    pub(super) fn tokens(&mut self, count: usize) -> anyhow::Result<Vec<Address>> {
        (0..count).map(|_| self.token()).collect()
    }

    /// Deploys Uniswap v2 and creates this many pools.
    pub(super) fn pools(&mut self, count: usize) -> anyhow::Result<Vec<Pool>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let weth = creation_code(artifacts::WETH)?;
        let weth = self.deploy(weth.to_vec());
        let factory = creation_code(artifacts::UNISWAP_V2_FACTORY)?;
        let factory = self.deploy([factory.to_vec(), self.owner.abi_encode()].concat());
        let router = creation_code(artifacts::UNISWAP_V2_ROUTER)?;
        let router = self.deploy([router.to_vec(), (factory, weth).abi_encode()].concat());
        (0..count).map(|_| self.pool(router)).collect()
    }

    /// Gives units of a token to holders.
    pub(super) fn give(&mut self, disperser: &Disperser, token: Address, holders: &[Address]) {
        let amount = HOLDING * U256::from(holders.len());
        let transfer = transferCall { to: disperser.address, amount };
        self.steps.push(SetupStep::call(token, transfer.abi_encode(), TOKEN_GAS));
        self.steps.extend(disperser.token(token, holders, HOLDING));
    }

    fn token(&mut self) -> anyhow::Result<Address> {
        let code = creation_code(artifacts::ERC20)?;
        let names = ("Load".to_string(), "LOAD".to_string(), SUPPLY, self.owner);
        Ok(self.deploy([code.to_vec(), names.abi_encode_params()].concat()))
    }

    fn pool(&mut self, router: Address) -> anyhow::Result<Pool> {
        let tokens = [self.token()?, self.token()?];
        for token in tokens {
            let approve = approveCall { spender: router, amount: U256::MAX };
            self.steps.push(SetupStep::call(token, approve.abi_encode(), TOKEN_GAS));
        }
        let liquidity = addLiquidityCall {
            tokenA: tokens[0],
            tokenB: tokens[1],
            amountADesired: LIQUIDITY,
            amountBDesired: LIQUIDITY,
            amountAMin: U256::ZERO,
            amountBMin: U256::ZERO,
            to: self.owner,
            deadline: U256::MAX,
        };
        self.steps.push(SetupStep::call(router, liquidity.abi_encode(), CREATION_GAS));
        Ok(Pool { router, tokens })
    }

    fn deploy(&mut self, data: Vec<u8>) -> Address {
        let address = self.owner.create(self.nonce + self.steps.len() as u64);
        let value = U256::ZERO;
        self.steps.push(SetupStep { to: TxKind::Create, value, data, gas_limit: CREATION_GAS });
        address
    }
}
