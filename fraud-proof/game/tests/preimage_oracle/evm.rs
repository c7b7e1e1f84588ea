use alloy::sol_types::{SolCall, SolEvent as _};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _,
    context::{
        BlockEnv, CfgEnv, Evm, TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    context_interface::{Cfg, ContextTr},
    database::InMemoryDB,
    handler::{
        EthFrame, EthPrecompiles, PrecompileProvider, instructions::EthInstructions,
        precompile_output_to_interpreter_result,
    },
    interpreter::{CallInputs, InterpreterResult, interpreter::EthInterpreter},
    precompile::{PrecompileHalt, PrecompileOutput},
    primitives::{AddressSet, hardfork::SpecId},
};
use turnpike_l1::PreimageOracle::{self, PartLoaded, readCall};
use turnpike_protocol::{LocalInputs, OracleWord};

/// Maximum gas of a transaction (EIP-7825).
pub(crate) const GAS_MAX: u64 = 1 << 24;

/// A change of a precompile's Ethereum gas price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    pub(crate) base: u64,
    pub(crate) percent: u64,
}

/// Ethereum's price.
pub(crate) const AS_IT_IS: Prices = Prices { base: 0, percent: 100 };

/// Ethereum's precompiles at other prices.
struct Repriced {
    inner: EthPrecompiles,
    prices: Prices,
}

type L1Context = Context<BlockEnv, TxEnv, CfgEnv, InMemoryDB>;

/// An L1 with the preimage oracle only.
pub(crate) struct L1 {
    evm: Evm<
        L1Context,
        (),
        EthInstructions<EthInterpreter, L1Context>,
        Repriced,
        EthFrame<EthInterpreter>,
    >,
    oracle: Address,
}

/// A part that the oracle recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) key: B256,
    pub(crate) offset: u64,
    pub(crate) word: OracleWord,
}

impl L1 {
    pub(crate) fn new(prices: Prices) -> Self {
        Self::with_precompiles_of(SpecId::OSAKA, prices).expect("deployed")
    }

    /// An L1 that has only the precompiles of a fork. Fails with the revert data if the oracle
    /// cannot be deployed there.
    pub(crate) fn with_precompiles_of(precompiles: SpecId, prices: Prices) -> Result<Self, Bytes> {
        let context = Context::mainnet().with_db(InMemoryDB::default()).modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.disable_nonce_check = true;
        });
        let inner = EthPrecompiles::new(precompiles);
        let evm = context.build_mainnet().with_precompiles(Repriced { inner, prices });
        let mut l1 = Self { evm, oracle: Address::ZERO };
        let tx = transaction(TxKind::Create, PreimageOracle::BYTECODE.clone(), GAS_MAX);
        match l1.evm.transact_commit(tx).expect("valid transaction") {
            ExecutionResult::Revert { output, .. } => Err(output),
            deployed => {
                l1.oracle = deployed.created_address().expect("deployed");
                Ok(l1)
            }
        }
    }

    /// Calls the oracle without changing its state. Returns `None` if the gas limit does not cover
    /// the data.
    pub(crate) fn try_call(&mut self, data: &Bytes, gas_limit: u64) -> Option<ExecutionResult> {
        let tx = transaction(TxKind::Call(self.oracle), data.clone(), gas_limit);
        match self.evm.transact(tx) {
            Ok(result) => Some(result.result),
            Err(EVMError::Transaction(
                InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
                | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
            )) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a call to the oracle.
    pub(crate) fn call(&mut self, data: &Bytes) -> ExecutionResult {
        let tx = transaction(TxKind::Call(self.oracle), data.clone(), GAS_MAX);
        self.evm.transact_commit(tx).expect("valid transaction")
    }

    /// Reads a word from the oracle. Returns `None` if the read reverts.
    pub(crate) fn read(
        &mut self,
        key: B256,
        offset: u64,
        local: &LocalInputs,
    ) -> Option<OracleWord> {
        let local = PreimageOracle::LocalInputs {
            chainConfig: local.chain_config,
            outputRoot: local.output_root,
            inboxAcc: local.inbox_acc,
            blockIndex: local.block_index,
            dataMissing: local.data_missing,
        };
        let call = readCall { key, offset: U256::from(offset), local };
        let result = self.try_call(&call.abi_encode().into(), GAS_MAX)?;
        let output = result.is_success().then(|| result.into_output())??;
        let answer = readCall::abi_decode_returns(&output).expect("two words");
        Some(OracleWord { word: answer.word, len: answer.len })
    }
}

/// The part that a call recorded, if it recorded one.
pub(crate) fn recorded(result: &ExecutionResult) -> Option<Part> {
    let log = result.logs().first()?;
    let event = PartLoaded::decode_log(log).expect("the log is the event");
    let offset = event.offset.to();
    let word = OracleWord { word: event.word, len: event.len };
    Some(Part { key: event.key, offset, word })
}

fn transaction(kind: TxKind, data: Bytes, gas_limit: u64) -> TxEnv {
    TxEnv { caller: Address::repeat_byte(0xca), kind, data, gas_limit, ..TxEnv::default() }
}

impl<CTX: ContextTr> PrecompileProvider<CTX> for Repriced {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _: <CTX::Cfg as Cfg>::Spec) -> bool {
        false
    }

    fn run(
        &mut self,
        context: &mut CTX,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let Some(precompile) = self.inner.precompiles.get(&inputs.bytecode_address) else {
            return Ok(None);
        };
        let input = inputs.input.as_bytes(context);
        let output = precompile.execute(&input, u64::MAX, 0).map_err(|error| error.to_string())?;
        let gas = self.prices.base + output.gas_used * self.prices.percent / 100;
        let output = if gas > inputs.gas_limit {
            PrecompileOutput::halt(PrecompileHalt::OutOfGas, 0)
        } else if output.status.is_success() {
            PrecompileOutput::new(gas, output.bytes, 0)
        } else {
            output
        };
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.inner.warm_addresses()
    }

    fn contains(&self, address: &Address) -> bool {
        self.inner.contains(address)
    }
}
