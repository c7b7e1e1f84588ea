//! L1 in this process: an EVM under its rules, which keeps the changes of its transactions.

use alloy::{
    primitives::{Address, Bytes, Log, TxKind, U256},
    sol_types::SolCall,
};
use revm::{
    Context, ExecuteEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{BlockEnv, CfgEnv, Journal, TxEnv, result::ExecutionResult},
    context_interface::ContextSetters as _,
    database::InMemoryDB,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

type EvmContext = Context<BlockEnv, TxEnv, CfgEnv, InMemoryDB, Journal<InMemoryDB>, ()>;

/// L1's gas for a transaction, at most (EIP-7825).
const GAS_MAX: u64 = 1 << 24;

pub(crate) struct Evm {
    evm: MainnetEvm<EvmContext>,
    block: BlockEnv,
}

/// What a transaction left behind.
pub(crate) struct Done {
    pub(crate) output: Bytes,
    pub(crate) logs: Vec<Log>,
}

impl Evm {
    /// An EVM with funded accounts, and with code at some addresses.
    pub(crate) fn new(funded: &[Address], codes: &[(Address, Bytes)]) -> Self {
        let mut accounts = InMemoryDB::default();
        for address in funded {
            accounts.insert_account_info(*address, AccountInfo::from_balance(U256::MAX >> 8));
        }
        for (address, code) in codes {
            let code = AccountInfo::from_bytecode(Bytecode::new_raw(code.clone()));
            accounts.insert_account_info(*address, code);
        }
        let context = Context::mainnet().with_db(accounts).modify_cfg_chained(|config| {
            config.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            config.disable_nonce_check = true;
            config.limit_contract_code_size = None;
        });
        Self { evm: context.build_mainnet(), block: BlockEnv::default() }
    }

    /// Moves to a block with this time.
    pub(crate) fn warp(&mut self, time: u64) {
        self.block.number += U256::ONE;
        self.block.timestamp = U256::from(time);
        self.evm.ctx.set_block(self.block.clone());
    }

    /// Runs a transaction. The error is what it reverts with.
    pub(crate) fn transact(
        &mut self,
        caller: Address,
        kind: TxKind,
        value: U256,
        data: Bytes,
    ) -> Result<Done, Bytes> {
        let transaction =
            TxEnv { caller, kind, value, data, gas_limit: GAS_MAX, ..TxEnv::default() };
        match self.evm.transact_one(transaction).expect("a valid transaction") {
            ExecutionResult::Success { output, logs, .. } => {
                Ok(Done { output: output.into_data(), logs })
            }
            ExecutionResult::Revert { output, .. } => Err(output),
            ExecutionResult::Halt { reason, .. } => panic!("stopped: {reason:?}"),
        }
    }

    /// Reads a value from a contract.
    pub(crate) fn view<C: SolCall>(&mut self, contract: Address, call: &C) -> C::Return {
        let data = call.abi_encode().into();
        let done = self.transact(Address::ZERO, TxKind::Call(contract), U256::ZERO, data);
        let output = done.unwrap_or_else(|reason| panic!("a view reverts: {reason}")).output;
        C::abi_decode_returns(&output).expect("decodes")
    }

    /// Deploys a contract.
    pub(crate) fn create(&mut self, caller: Address, code: &Bytes, arguments: &[u8]) -> Done {
        let data = [code, arguments].concat().into();
        let done = self.transact(caller, TxKind::Create, U256::ZERO, data);
        done.unwrap_or_else(|reason| panic!("a constructor reverts: {reason}"))
    }

    pub(crate) fn balance(&mut self, address: Address) -> U256 {
        use revm::context_interface::{ContextTr as _, JournalTr as _};
        self.evm.ctx.journal_mut().load_account(address).expect("infallible").data.info.balance
    }
}
