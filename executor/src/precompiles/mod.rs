//! Ethereum's precompiles within the chain's limits.

mod oracle;
#[cfg(test)]
mod tests;

use alloc::string::{String, ToString};

use alloy_primitives::{Address, Bytes, map::AddressSet};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr, LocalContextTr},
    handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult},
    precompile::{PrecompileHalt, PrecompileOutput, u64_to_address},
    primitives::hardfork::SpecId,
};
use turnpike_protocol::EcrecoverInput;
use turnpike_state::{PrecompileOutcome, StateView};

use crate::{ChainSpec, base::Base, evm_context::EvmContext, work::WorkMeter};
use oracle::ChargedCall;

pub use oracle::{is_oracle_precompile, precompile_outcome};

/// Reason of a failure that the state view reported.
const FAILED: PrecompileHalt = PrecompileHalt::other_static("invalid input");

/// Ethereum's precompiles with the chain's limits. A call whose input or cost exceeds what L1 can
/// repeat in one transaction runs out of gas. A result that the state view knows is not computed
/// again.
#[derive(Clone, Debug)]
pub(crate) struct BoundedPrecompiles {
    pub(crate) inner: EthPrecompiles,
    pub(crate) gas_max: u64,
    pub(crate) input_bytes_max: u64,
}

impl BoundedPrecompiles {
    pub(crate) fn new(spec: &ChainSpec) -> Self {
        Self {
            inner: EthPrecompiles::new(spec.fork),
            gas_max: spec.precompile_gas_max,
            input_bytes_max: spec.precompile_input_bytes_max,
        }
    }

    /// The result of an oracle precompile, if the state view knows it. The same code charges gas
    /// whether the result is read or computed.
    fn known(
        &self,
        view: &mut impl StateView,
        address: &Address,
        input: &[u8],
        gas_limit: u64,
        reservoir: u64,
    ) -> Option<PrecompileOutput> {
        if self.inner.spec < SpecId::OSAKA {
            return None;
        }
        let ChargedCall { gas, input } = match oracle::charge(address, input, gas_limit)? {
            Ok(charged) => charged,
            Err(halt) => return Some(PrecompileOutput::halt(halt, reservoir)),
        };
        Some(match view.precompile(address, input)? {
            PrecompileOutcome::Output(output) => PrecompileOutput::new(gas, output, reservoir),
            PrecompileOutcome::Failure => PrecompileOutput::halt(FAILED, reservoir),
        })
    }
}

/// Counts the work of a precompile call whose caller's work `meter` knows. False if the caller has
/// too little left. A call without input, or one that fails before it computes anything, works no
/// more than its gas.
pub(crate) fn take_work(
    meter: &mut WorkMeter,
    address: &Address,
    input: &[u8],
    gas_limit: u64,
) -> bool {
    if input.is_empty() {
        return true;
    }
    let gas = match oracle::charge(address, input, gas_limit) {
        Some(Ok(ChargedCall { gas, .. })) => gas,
        Some(Err(_)) => return true,
        None => hashing_gas(address, input),
    };
    gas > gas_limit || meter.take_of_caller(address, gas)
}

/// Gas of a call of SHA-256, RIPEMD-160, identity or BLAKE2's compression.
fn hashing_gas(address: &Address, input: &[u8]) -> u64 {
    const SHA256: Address = u64_to_address(2);
    const RIPEMD160: Address = u64_to_address(3);
    const IDENTITY: Address = u64_to_address(4);
    const BLAKE2F: Address = u64_to_address(9);
    const BLAKE2F_INPUT_BYTES: usize = 213;
    let words = input.len().div_ceil(32) as u64;
    match *address {
        SHA256 => 60 + 12 * words,
        RIPEMD160 => 600 + 120 * words,
        IDENTITY => 15 + 3 * words,
        BLAKE2F if input.len() == BLAKE2F_INPUT_BYTES => {
            let rounds = input.first_chunk().map_or(0, |rounds| u32::from_be_bytes(*rounds));
            rounds.into()
        }
        _ => 0,
    }
}

impl<S: StateView> PrecompileProvider<EvmContext<S>> for BoundedPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <<EvmContext<S> as ContextTr>::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<EvmContext<S>>::set_spec(&mut self.inner, spec)
    }

    fn run(
        &mut self,
        context: &mut EvmContext<S>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let address = &inputs.bytecode_address;
        let Some(precompile) = self.inner.precompiles.get(address) else {
            return Ok(None);
        };
        let EvmContext::<S> { journaled_state, local, chain, .. } = context;
        let output = {
            let input = inputs.input.as_bytes_local(local);
            if input.len() as u64 > self.input_bytes_max {
                return Ok(Some(out_of_gas(inputs.gas_limit)));
            }
            let gas_limit = inputs.gas_limit.min(self.gas_max);
            if !take_work(&mut chain.meter, address, &input, gas_limit) {
                return Ok(Some(out_of_gas(inputs.gas_limit)));
            }
            let view = journaled_state.db_mut().view_mut();
            match self.known(view, address, &input, gas_limit, inputs.reservoir) {
                Some(output) => output,
                None => precompile
                    .execute(&input, gas_limit, inputs.reservoir)
                    .map_err(|error| error.to_string())?,
            }
        };
        if let Some(reason) = output.halt_reason().filter(|reason| !reason.is_oog())
            && journaled_state.depth() == 1
        {
            local.set_precompile_error_context(reason.to_string());
        }
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.inner.warm_addresses()
    }

    fn contains(&self, address: &Address) -> bool {
        self.inner.contains(address)
    }
}

impl<S: StateView> Base<S> {
    /// [`turnpike_protocol::ecrecover`], answered by the state view if it knows the result.
    pub(crate) fn ecrecover(&mut self, input: &EcrecoverInput) -> Option<Address> {
        match self.view_mut().precompile(&oracle::ECRECOVER, input) {
            None => turnpike_protocol::ecrecover(input),
            Some(PrecompileOutcome::Output(output)) => {
                (output.len() == 32).then(|| Address::from_slice(&output[12..]))
            }
            Some(PrecompileOutcome::Failure) => None,
        }
    }
}

pub(crate) fn out_of_gas(gas_limit: u64) -> InterpreterResult {
    let mut gas = Gas::new(gas_limit);
    gas.spend_all();
    InterpreterResult::new(InstructionResult::PrecompileOOG, Bytes::new(), gas)
}
