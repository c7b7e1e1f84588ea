//! The EXTCODESIZE instruction, which asks the state for the code's length only. The proof program
//! reads that from L1 in one word.

use alloy_primitives::{Address, U256};
use revm::{
    context_interface::{ContextTr, Host, host::LoadError},
    interpreter::{InstructionContext, InstructionResult, interpreter::EthInterpreter},
};
use turnpike_state::StateView;

use crate::evm_context::EvmContext;

/// The instruction. Gas and result equal those of revm's own.
pub(crate) fn instruction<S: StateView>(
    context: InstructionContext<'_, EvmContext<S>, EthInterpreter>,
) -> Result<(), InstructionResult> {
    let InstructionContext { interpreter, host } = context;
    let Some(([], top)) = interpreter.stack.popn_top::<0>() else {
        return Err(InstructionResult::StackUnderflow);
    };
    let address = Address::from_word((*top).into());
    let cold_gas = host.gas_params().cold_account_additional_cost();
    let skips_cold = interpreter.gas.remaining() < cold_gas;
    let account = host.load_account_info_skip_cold_load(address, false, skips_cold)?;
    if account.is_cold && !interpreter.gas.record_regular_cost(cold_gas) {
        return Err(LoadError::ColdLoadSkipped.into());
    }
    match host.journaled_state.code_len(&address) {
        Ok(len) => {
            *top = U256::from(len);
            Ok(())
        }
        Err(error) => {
            *host.error() = Err(error.into());
            Err(InstructionResult::FatalExternalError)
        }
    }
}
