//! Instructions whose work differs from that of their gas. They do what revm's own do, and count
//! the difference, or are made as cheap as their gas.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use revm::{
    bytecode::opcode,
    context_interface::{Block as _, ContextTr, Host, Transaction as _, host::LoadError},
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult, Interpreter,
        instructions::{arithmetic, contract, host},
        interpreter::{EthInterpreter, resize_memory},
    },
};

use crate::work::{self, Metered};

type Context<'a, H> = InstructionContext<'a, H, EthInterpreter>;

/// Gas of an SSTORE that makes a slot that was zero not zero.
const SSTORE_NEW_GAS: u64 = 20_000;

/// Gas of an SSTORE that changes a slot for the first time.
const SSTORE_CHANGE_GAS: u64 = 2_900;

/// Gas of an SSTORE that accesses a slot for the first time, at least.
const SSTORE_COLD_GAS: u64 = 2_100;

/// Replaces instructions.
pub(crate) fn install<H>(instructions: &mut EthInstructions<EthInterpreter, H>)
where
    H: Host + ContextTr<Chain: Metered>,
{
    let table = instructions.instruction_table_mut();
    let mut set = |code: u8, instruction| table[usize::from(code)] = Instruction::new(instruction);
    set(opcode::ADDRESS, address);
    set(opcode::CALLER, caller);
    set(opcode::COINBASE, coinbase);
    set(opcode::ORIGIN, origin);
    set(opcode::ADDMOD, addmod);
    set(opcode::SELFBALANCE, selfbalance);
    set(opcode::MULMOD, mulmod);
    set(opcode::KECCAK256, keccak256);
    set(opcode::SLOAD, sload);
    set(opcode::SSTORE, sstore);
    set(opcode::LOG0, log::<0, H>);
    set(opcode::LOG1, log::<1, H>);
    set(opcode::LOG2, log::<2, H>);
    set(opcode::LOG3, log::<3, H>);
    set(opcode::LOG4, log::<4, H>);
    set(opcode::CREATE2, create2);
    set(opcode::CALL, call::<{ opcode::CALL }, H>);
    set(opcode::CALLCODE, call::<{ opcode::CALLCODE }, H>);
    set(opcode::DELEGATECALL, call::<{ opcode::DELEGATECALL }, H>);
    set(opcode::STATICCALL, call::<{ opcode::STATICCALL }, H>);
}

/// Runs an instruction. Returns its result and the gas that it took.
fn run<H>(
    context: &mut Context<'_, H>,
    instruction: impl FnOnce(Context<'_, H>) -> InstructionExecResult,
) -> (InstructionExecResult, u64) {
    let before = context.interpreter.gas.remaining();
    let InstructionContext { interpreter, host } = context;
    let result = instruction(InstructionContext { interpreter, host });
    (result, before.saturating_sub(context.interpreter.gas.remaining()))
}

/// Counts work of an instruction that has run.
fn count<H: ContextTr<Chain: Metered>>(context: &mut Context<'_, H>, work: i64) {
    context.host.chain_mut().meter().count(work);
}

fn address<H>(context: Context<'_, H>) -> InstructionExecResult {
    push(context, |interpreter, _| interpreter.input.target_address)
}

fn caller<H>(context: Context<'_, H>) -> InstructionExecResult {
    push(context, |interpreter, _| interpreter.input.caller_address)
}

fn coinbase<H: ContextTr>(context: Context<'_, H>) -> InstructionExecResult {
    push(context, |_, host| host.block().beneficiary())
}

fn origin<H: ContextTr>(context: Context<'_, H>) -> InstructionExecResult {
    push(context, |_, host| host.tx().caller())
}

/// Pushes an address, word by word, which takes a fraction of the time of revm's own.
fn push<H>(
    context: Context<'_, H>,
    address: impl FnOnce(&Interpreter, &H) -> Address,
) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let address = address(interpreter, host);
    if interpreter.stack.push(word_of(&address)) {
        Ok(())
    } else {
        Err(InstructionResult::StackOverflow)
    }
}

fn word_of(address: &Address) -> U256 {
    let (high, words) = address.split_first_chunk().expect("invariant: 20 bytes");
    let (words, _) = words.as_chunks();
    let limb = |at: usize| u64::from_be_bytes(words[at]);
    U256::from_limbs([limb(1), limb(0), u32::from_be_bytes(*high).into(), 0])
}

fn addmod<H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    count(&mut context, work::LITTLE);
    arithmetic::addmod(context)
}

fn selfbalance<H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    count(&mut context, work::LITTLE);
    host::selfbalance(context)
}

fn mulmod<H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    count(&mut context, work::MULMOD);
    arithmetic::mulmod(context)
}

fn sload<H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    let (result, gas) = run(&mut context, host::sload);
    if gas > 0 {
        count(&mut context, work::COLD_SLOT);
    }
    result
}

fn sstore<H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    let (result, gas) = run(&mut context, host::sstore);
    // A new slot counts as its gas: it stands for growth of the state.
    if result.is_ok() && gas < SSTORE_NEW_GAS {
        if gas >= SSTORE_CHANGE_GAS {
            count(&mut context, work::SLOT_CHANGE);
        }
        if gas >= SSTORE_CHANGE_GAS + SSTORE_COLD_GAS
            || (SSTORE_COLD_GAS..SSTORE_CHANGE_GAS).contains(&gas)
        {
            count(&mut context, work::COLD_SLOT);
        }
    }
    result
}

fn log<const N: usize, H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    let len = context.interpreter.stack.peek(1).map_or(0, |len| len.saturating_to());
    let topics = u8::try_from(N).expect("invariant: at most four topics");
    let gas = context.host.gas_params().log_cost(topics, len);
    let (result, _) = run(&mut context, host::log::<N, H>);
    if result.is_ok() {
        count(&mut context, work::log(gas));
    }
    result
}

/// CREATE2, which hashes the code that it runs.
fn create2<H: Host + ContextTr<Chain: Metered>>(context: Context<'_, H>) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let len: usize = interpreter.stack.peek(2).map_or(0, |len| len.saturating_to());
    if len <= host.max_initcode_size() {
        let hash_gas = host.gas_params().keccak256_cost(len);
        if !host.chain_mut().meter().take(&interpreter.gas, work::keccak(len, hash_gas)) {
            return Err(InstructionResult::OutOfGas);
        }
    }
    contract::create::<true, _, H>(InstructionContext { interpreter, host })
}

fn call<const KIND: u8, H: Host + ContextTr<Chain: Metered>>(
    mut context: Context<'_, H>,
) -> InstructionExecResult {
    let to = context.interpreter.stack.peek(1).map(address_of).unwrap_or_default();
    let found = context.host.load_account_info_skip_cold_load(to, false, true);
    let is_cold = matches!(found, Err(LoadError::ColdLoadSkipped));
    let (result, _) = run(&mut context, contract::call::<KIND, _, H>);
    // Only then has the call paid for the access.
    if result == Err(InstructionResult::Suspend) {
        count(&mut context, if is_cold { work::COLD_ACCOUNT } else { work::LITTLE });
    }
    result
}

/// KECCAK256 with a memo. Gas, memory and result equal those of revm's own. Out of gas, if the frame
/// has too little work left.
pub(crate) fn keccak256<H>(context: Context<'_, H>) -> InstructionExecResult
where
    H: Host + ContextTr<Chain: Metered>,
{
    let InstructionContext { interpreter, host } = context;
    let Some(([offset], top)) = interpreter.stack.popn_top::<1>() else {
        return Err(InstructionResult::StackUnderflow);
    };
    let len = usize_of(*top)?;
    let cost = host.gas_params().keccak256_cost(len);
    if !interpreter.gas.record_regular_cost(cost) {
        return Err(InstructionResult::OutOfGas);
    }
    let hash = if len == 0 {
        KECCAK256_EMPTY
    } else {
        let offset = usize_of(offset)?;
        resize_memory(
            &mut interpreter.gas,
            &mut interpreter.memory,
            host.gas_params(),
            offset,
            len,
        )?;
        if !host.chain_mut().meter().take(&interpreter.gas, work::keccak(len, cost)) {
            return Err(InstructionResult::OutOfGas);
        }
        let input = interpreter.memory.slice_len(offset, len);
        host.chain_mut().keccak256(interpreter.input.target_address, &input)
    };
    *top = hash.into();
    Ok(())
}

fn usize_of(value: U256) -> Result<usize, InstructionResult> {
    usize::try_from(value).map_err(|_| InstructionResult::InvalidOperandOOG)
}

fn address_of(word: U256) -> Address {
    Address::from_word(word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_a_word() {
        let address = Address::from(core::array::from_fn(|at| u8::try_from(at).expect("20") + 1));
        assert_eq!(word_of(&address), U256::from_be_bytes(address.into_word().0));
    }
}
