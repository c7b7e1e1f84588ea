//! The EVM that runs L1's contracts in this process.

use std::convert::Infallible;

use alloy_primitives::{Address, Bytes, TxKind};
use revm::{
    Context, ExecuteEvm as _, InspectEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{
        BlockEnv, CfgEnv, Journal, TxEnv,
        result::{EVMError, ExecutionResult, Output},
    },
    database::InMemoryDB,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

use super::{L1Gas, hashed::LastHashed};

/// An account without funds: gas is free here, and nonces are not checked.
const CALLER: Address = Address::repeat_byte(0xca);

/// An EVM under L1's rules that keeps the changes of its transactions.
pub(super) struct Evm(MainnetEvm<EvmContext, LastHashed>);

type EvmContext = Context<BlockEnv, TxEnv, CfgEnv, InMemoryDB, Journal<InMemoryDB>, ()>;

/// A transaction's output or failure, and its gas.
pub(super) struct TxOutcome {
    pub(super) result: Result<Output, TxFailure>,
    pub(super) gas: L1Gas,
}

/// Why a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TxFailure {
    #[error("reverted: {0}")]
    Reverted(Bytes),
    #[error("stopped: {0}")]
    Stopped(String),
}

impl Evm {
    /// An EVM with one contract.
    pub(super) fn with_contract(address: Address, code: Bytes) -> Self {
        let mut accounts = InMemoryDB::default();
        let code = AccountInfo::from_bytecode(Bytecode::new_raw(code));
        accounts.insert_account_info(address, code);
        let context = Context::mainnet().with_db(accounts).modify_cfg_chained(|config| {
            config.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            config.disable_nonce_check = true;
        });
        Self(context.build_mainnet_with_inspector(LastHashed::default()))
    }

    /// Runs a transaction with L1's maximum gas per transaction.
    pub(super) fn transact(&mut self, kind: TxKind, data: Bytes) -> TxOutcome {
        let result = match self.0.transact_one(transaction(kind, data)) {
            Ok(result) => result,
            Err(error) => return TxOutcome { result: Err(invalid(&error)), gas: L1Gas::default() },
        };
        let used = result.tx_gas_used();
        let gas = L1Gas { used, without_floor: result.gas().spent_sub_refunded() };
        let result = match result {
            ExecutionResult::Success { output, .. } => Ok(output),
            ExecutionResult::Revert { output, .. } => Err(TxFailure::Reverted(output)),
            ExecutionResult::Halt { reason, .. } => Err(TxFailure::Stopped(format!("{reason:?}"))),
        };
        TxOutcome { result, gas }
    }

    /// Repeats a call and returns the last bytes of this length that it hashed.
    pub(super) fn last_hashed(
        &mut self,
        kind: TxKind,
        data: Bytes,
        length: usize,
    ) -> Option<Vec<u8>> {
        self.0.set_inspector(LastHashed { length, bytes: None });
        self.0.inspect_one_tx(transaction(kind, data)).ok()?;
        self.0.inspector.bytes.take()
    }

    /// Deploys a contract.
    pub(super) fn create(&mut self, code: Bytes) -> Result<Address, TxFailure> {
        match self.transact(TxKind::Create, code).result? {
            Output::Create(_, Some(address)) => Ok(address),
            output => Err(TxFailure::Stopped(format!("expected a contract, found {output:?}"))),
        }
    }
}

fn transaction(kind: TxKind, data: Bytes) -> TxEnv {
    TxEnv { caller: CALLER, kind, data, ..TxEnv::default() }
}

fn invalid(error: &EVMError<Infallible>) -> TxFailure {
    TxFailure::Stopped(error.to_string())
}
