//! Precompiles that state overrides can move.

use alloy_primitives::{
    Address,
    map::{AddressMap, AddressSet},
};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr as _, LocalContextTr as _},
    handler::{PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::Precompile,
};

use super::{SandboxContext, SandboxDatabase};
use crate::{
    ChainSpec,
    precompiles::{BoundedPrecompiles, out_of_gas, take_work},
};

/// The chain's precompiles. A state override can move them.
#[derive(Clone, Debug)]
pub(super) struct SandboxPrecompiles {
    bounded: BoundedPrecompiles,
    /// The original address of the precompile at each changed address. `None` if the precompile was
    /// moved away.
    changed: AddressMap<Option<Address>>,
    addresses: AddressSet,
}

impl SandboxPrecompiles {
    pub(super) fn new(spec: &ChainSpec) -> Self {
        let bounded = BoundedPrecompiles::new(spec);
        let addresses = bounded.inner.precompiles.addresses_set().clone();
        Self { bounded, changed: AddressMap::default(), addresses }
    }

    pub(super) const fn addresses(&self) -> &AddressSet {
        &self.addresses
    }

    /// Removes the precompile at an address, and moves it to another if one is given.
    pub(super) fn remove(&mut self, from: Address, to: Option<Address>) {
        let origin = self.origin(&from);
        self.changed.insert(from, None);
        self.addresses.remove(&from);
        if let (Some(origin), Some(to)) = (origin, to) {
            self.changed.insert(to, Some(origin));
            self.addresses.insert(to);
        }
    }

    /// The original address of the precompile at an address.
    fn origin(&self, address: &Address) -> Option<Address> {
        match self.changed.get(address) {
            Some(changed) => *changed,
            None => self.addresses.contains(address).then_some(*address),
        }
    }

    /// The precompile at an address, and its original address.
    fn find(&self, address: &Address) -> Option<(&Precompile, Address)> {
        let origin = self.origin(address)?;
        Some((self.bounded.inner.precompiles.get(&origin)?, origin))
    }
}

impl<DB: SandboxDatabase> PrecompileProvider<SandboxContext<DB>> for SandboxPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _: <<SandboxContext<DB> as ContextTr>::Cfg as Cfg>::Spec) -> bool {
        false
    }

    fn run(
        &mut self,
        context: &mut SandboxContext<DB>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let Some((precompile, origin)) = self.find(&inputs.bytecode_address) else {
            return Ok(None);
        };
        let output = {
            let input = inputs.input.as_bytes_local(&context.local);
            if input.len() as u64 > self.bounded.input_bytes_max {
                return Ok(Some(out_of_gas(inputs.gas_limit)));
            }
            let gas_limit = inputs.gas_limit.min(self.bounded.gas_max);
            if !take_work(&mut context.chain, &origin, &input, gas_limit) {
                return Ok(Some(out_of_gas(inputs.gas_limit)));
            }
            precompile
                .execute(&input, gas_limit, inputs.reservoir)
                .map_err(|error| error.to_string())?
        };
        if let Some(reason) = output.halt_reason().filter(|reason| !reason.is_oog())
            && context.journaled_state.depth() == 1
        {
            context.local.set_precompile_error_context(reason.to_string());
        }
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        &self.addresses
    }

    fn contains(&self, address: &Address) -> bool {
        self.addresses.contains(address)
    }
}
