//! Makes the state before a measured block on plain revm.

use alloy::sol_types::{SolCall, SolValue};
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use anyhow::{Context as _, bail, ensure};
use revm::{
    ExecuteCommitEvm as _, MainnetEvm,
    context::{ContextTr as _, TxEnv},
    context_interface::result::{ExecutionResult, Output},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    state::{AccountInfo, Bytecode},
};
use turnpike_protocol::Genesis;

use crate::{
    PreState,
    terms::{BlockTerms, evm},
};

/// Gas limit of each setup transaction.
const GAS_LIMIT: u64 = 1_000_000_000;

/// Plain revm without limits, gas prices and nonce checks.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub(crate) struct Setup {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    chain_id: u64,
    timestamp: u64,
}

impl Setup {
    /// Starts with the accounts of the genesis.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let terms = BlockTerms::after(genesis);
        let mut cfg = terms.cfg_env();
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg.disable_nonce_check = true;
        let mut block = terms.block_env();
        block.gas_limit = u64::MAX;
        block.basefee = 0;
        let timestamp = genesis.timestamp;
        block.timestamp = U256::from(timestamp);
        let mut setup = Self {
            evm: evm(CacheDB::new(EmptyDB::new()), cfg, block),
            chain_id: genesis.config.chain_id,
            timestamp,
        };
        for (address, account) in &genesis.alloc {
            setup.install(*address, account.code.clone());
            setup.edit(*address, |info| {
                info.balance = account.balance;
                info.nonce = account.nonce;
            });
            for (slot, value) in &account.storage {
                setup.write(*address, *slot, *value);
            }
        }
        setup
    }

    /// The current state.
    pub(crate) fn pre_state(&self) -> PreState {
        PreState::of_db(&self.evm.ctx.journaled_state.database)
    }

    /// Sets the time to this many seconds after genesis.
    pub(crate) fn set_seconds(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp = U256::from(self.timestamp + seconds);
    }

    /// Gives an account this balance, in wei.
    pub(crate) fn fund(&mut self, address: Address, balance: U256) {
        self.edit(address, |info| info.balance = balance);
    }

    /// Gives an account this code.
    pub(crate) fn install(&mut self, address: Address, code: Bytes) {
        let code = Bytecode::new_raw(code);
        let info = AccountInfo::from_bytecode(code).with_nonce(1);
        self.evm.ctx.db_mut().insert_account_info(address, info);
    }

    /// Sets a slot.
    pub(crate) fn write(&mut self, address: Address, slot: U256, value: U256) {
        let Ok(()) = self.evm.ctx.db_mut().insert_account_storage(address, slot, value);
    }

    /// Creates a contract from its creation code and its encoded arguments.
    pub(crate) fn deploy(
        &mut self,
        from: Address,
        code: &Bytes,
        arguments: &[u8],
    ) -> anyhow::Result<Address> {
        let data = [code.as_ref(), arguments].concat();
        match self.transact(from, TxKind::Create, data.into())? {
            Output::Create(_, Some(address)) => Ok(address),
            output => bail!("expected a contract, got {output:?}"),
        }
    }

    /// Calls a contract's function and commits its changes.
    pub(crate) fn call<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
    ) -> anyhow::Result<C::Return> {
        let output = self
            .transact(from, TxKind::Call(to), call.abi_encode().into())
            .with_context(|| format!("calling {}", C::SIGNATURE))?;
        C::abi_decode_returns(output.data())
            .with_context(|| format!("cannot decode the result of {}", C::SIGNATURE))
    }

    fn transact(&mut self, from: Address, kind: TxKind, data: Bytes) -> anyhow::Result<Output> {
        let tx = TxEnv {
            caller: from,
            gas_limit: GAS_LIMIT,
            kind,
            data,
            chain_id: Some(self.chain_id),
            ..TxEnv::default()
        };
        match self.evm.transact_commit(tx)? {
            ExecutionResult::Success { output, .. } => Ok(output),
            ExecutionResult::Revert { output, .. } => bail!("reverts: {output}"),
            ExecutionResult::Halt { reason, .. } => bail!("halts: {reason:?}"),
        }
    }

    fn edit(&mut self, address: Address, change: impl FnOnce(&mut AccountInfo)) {
        let Ok(account) = self.evm.ctx.db_mut().load_account(address);
        let mut info = account.info.clone();
        change(&mut info);
        self.evm.ctx.db_mut().insert_account_info(address, info);
    }

    /// Checks that a view function returns `expected`.
    pub(crate) fn expect<C: SolCall<Return: PartialEq>>(
        &mut self,
        to: Address,
        call: &C,
        expected: &C::Return,
    ) -> anyhow::Result<()> {
        let found = self.call(Address::ZERO, to, call)?;
        ensure!(found == *expected, "{} does not return the written value", C::SIGNATURE);
        Ok(())
    }
}

/// Storage slot of `key` in Solidity's mapping at `slot`.
pub(crate) fn mapping_slot(key: Address, slot: U256) -> U256 {
    keccak256((key, slot).abi_encode()).into()
}

/// Address of a benchmark account.
pub(crate) fn actor(index: usize) -> Address {
    Address::from_word(keccak256(format!("turnpike bench actor {index}")))
}
