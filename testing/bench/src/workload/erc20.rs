//! Transfers of a published ERC-20 between holders.

use alloy::{
    sol,
    sol_types::{SolCall as _, SolValue as _},
};
use alloy_primitives::{Address, Bytes, U256};
use turnpike_workloads::{
    Crowd, Pair, artifacts,
    calls::{approveCall, transferCall},
};

use super::{WorkloadDraft, population};
use crate::setup::{Setup, actor, mapping_slot};

sol! {
    function balanceOf(address account) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
}

/// Gas limit of a transfer or an approval.
const GAS_LIMIT: u64 = 100_000;

/// The contract's `mapping(address => uint256) _balances`.
const BALANCES_SLOT: U256 = U256::ZERO;

/// The contract's `mapping(address => mapping(address => uint256)) _allowances`.
const ALLOWANCES_SLOT: U256 = U256::ONE;

/// Units that a holder starts with.
pub(super) const HOLDING: U256 = U256::from_limbs([0, 1 << 20, 0, 0]);

/// Units that the deployer starts with.
const SUPPLY: U256 = U256::from_limbs([0, 0, 1, 0]);

/// Creation code of the token.
#[derive(Clone, Debug)]
pub(super) struct TokenCode(Bytes);

impl TokenCode {
    pub(super) fn read() -> anyhow::Result<Self> {
        artifacts::creation_code(artifacts::ERC20).map(Self)
    }

    /// Deploys a new token whose supply `owner` holds.
    pub(super) fn deploy(&self, setup: &mut Setup, owner: Address) -> anyhow::Result<Token> {
        Ok(Token(setup.deploy(owner, &self.0, &Self::arguments(owner))?))
    }

    /// Creation code and arguments of a token whose supply `owner` holds.
    #[cfg(feature = "prove")]
    pub(super) fn creation(&self, owner: Address) -> Bytes {
        [self.0.as_ref(), &Self::arguments(owner)].concat().into()
    }

    fn arguments(owner: Address) -> Vec<u8> {
        ("Bench".to_string(), "BENCH".to_string(), SUPPLY, owner).abi_encode_params()
    }
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token(pub(super) Address);

impl Token {
    /// Gives `holder` units by writing the slot, which [`Self::check_balance`] verifies.
    pub(super) fn give(self, setup: &mut Setup, holder: Address) {
        setup.write(self.0, mapping_slot(holder, BALANCES_SLOT), HOLDING);
    }

    pub(super) fn check_balance(self, setup: &mut Setup, holder: Address) -> anyhow::Result<()> {
        setup.expect(self.0, &balanceOfCall { account: holder }, &HOLDING)
    }

    /// Gives `spender` an unlimited allowance by writing the slot.
    pub(super) fn allow(self, setup: &mut Setup, owner: Address, spender: Address) {
        let inner: U256 = mapping_slot(owner, ALLOWANCES_SLOT);
        setup.write(self.0, mapping_slot(spender, inner), U256::MAX);
    }

    pub(super) fn check_allowance(
        self,
        setup: &mut Setup,
        owner: Address,
        spender: Address,
    ) -> anyhow::Result<()> {
        setup.expect(self.0, &allowanceCall { owner, spender }, &U256::MAX)
    }

    pub(super) fn transfer(self, draft: &mut WorkloadDraft, from: Address, to: Address) {
        let amount = U256::from(1_000 + draft.transactions.len());
        draft.call(from, self.0, transferCall { to, amount }.abi_encode(), GAS_LIMIT);
    }

    pub(super) fn approve(self, draft: &mut WorkloadDraft, owner: Address, spender: Address) {
        let amount = U256::from(1_000 + draft.transactions.len());
        draft.call(owner, self.0, approveCall { spender, amount }.abi_encode(), GAS_LIMIT);
    }

    /// Approves with a transaction before the measured block.
    pub(super) fn approve_now(
        self,
        setup: &mut Setup,
        owner: Address,
        spender: Address,
    ) -> anyhow::Result<()> {
        setup.call(owner, self.0, &approveCall { spender, amount: U256::MAX })?;
        Ok(())
    }
}

/// A token with this many holders.
fn held_by(draft: &mut WorkloadDraft, holders: usize) -> anyhow::Result<Token> {
    draft.fund((0..holders).map(actor));
    let token = TokenCode::read()?.deploy(&mut draft.setup, actor(usize::MAX))?;
    for index in 0..holders {
        token.give(&mut draft.setup, actor(index));
    }
    for index in (0..holders).step_by(holders.div_ceil(16)) {
        token.check_balance(&mut draft.setup, actor(index))?;
    }
    Ok(token)
}

/// Between independent pairs.
pub(super) fn independent(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let token = held_by(draft, 2 * count)?;
    for index in 0..count {
        token.transfer(draft, actor(index), actor(count + index));
    }
    Ok(())
}

/// Between random holders.
pub(super) fn random(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let population = population(count);
    let token = held_by(draft, population)?;
    let mut crowd = Crowd::new(2, population, 1);
    for _ in 0..count {
        let Pair { from, to, .. } = crowd.pair();
        token.transfer(draft, actor(from), actor(to));
    }
    Ok(())
}

/// From many holders to one.
pub(super) fn hot_recipient(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let token = held_by(draft, count + 1)?;
    for index in 1..=count {
        token.transfer(draft, actor(index), actor(0));
    }
    Ok(())
}

/// From one holder to many.
pub(super) fn one_sender(draft: &mut WorkloadDraft, count: usize) -> anyhow::Result<()> {
    let token = held_by(draft, count + 1)?;
    for index in 1..=count {
        token.transfer(draft, actor(0), actor(index));
    }
    Ok(())
}
