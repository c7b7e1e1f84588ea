use alloc::string::{String, ToString};

use alloy_primitives::{Address, Bytes, map::AddressSet};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr, LocalContextTr},
    handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult},
};

use crate::ChainSpec;

/// Ethereum's precompiles, with the chain's bounds: a call that takes more input or costs more gas than L1 could
/// repeat within one transaction runs out of gas.
#[derive(Clone, Debug)]
pub(crate) struct BoundedPrecompiles {
    inner: EthPrecompiles,
    gas_max: u64,
    input_bytes_max: u64,
}

impl BoundedPrecompiles {
    pub(crate) fn new(spec: &ChainSpec) -> Self {
        Self {
            inner: EthPrecompiles::new(spec.fork),
            gas_max: spec.precompile_gas_max,
            input_bytes_max: spec.precompile_input_bytes_max,
        }
    }
}

impl<CTX: ContextTr> PrecompileProvider<CTX> for BoundedPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.inner, spec)
    }

    fn run(
        &mut self,
        context: &mut CTX,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let Some(precompile) = self.inner.precompiles.get(&inputs.bytecode_address) else {
            return Ok(None);
        };
        let output = {
            let input = inputs.input.as_bytes(context);
            if input.len() as u64 > self.input_bytes_max {
                return Ok(Some(out_of_gas(inputs.gas_limit)));
            }
            let gas_limit = inputs.gas_limit.min(self.gas_max);
            precompile
                .execute(&input, gas_limit, inputs.reservoir)
                .map_err(|error| error.to_string())?
        };
        if let Some(reason) = output.halt_reason().filter(|reason| !reason.is_oog())
            && context.journal().depth() == 1
        {
            context.local_mut().set_precompile_error_context(reason.to_string());
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

fn out_of_gas(gas_limit: u64) -> InterpreterResult {
    let mut gas = Gas::new(gas_limit);
    gas.spend_all();
    InterpreterResult::new(InstructionResult::PrecompileOOG, Bytes::new(), gas)
}
