//! Runs a transaction's frames as revm does, and ends those that work more than their share.

use alloy_primitives::Bytes;
use revm::{
    context::{Evm, TxEnv},
    context_interface::{
        Cfg as _, ContextTr, JournalTr as _, context::ContextError, result::ResultGas,
    },
    database_interface::Database,
    handler::{
        EthFrame, EvmTr, FrameResult, Handler, ItemOrResult, PrecompileProvider,
        instructions::InstructionProvider, post_execution,
    },
    interpreter::{
        FrameInput, Gas, GasTracker, InitialAndFloorGas, InstructionResult, InterpreterAction,
        InterpreterResult, interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
};

use crate::work::{Metered, WorkMeter};

type StateError<C> = <<C as ContextTr>::Db as Database>::Error;

/// Why frames fail other than by their code.
pub(crate) type FrameError<C> = ContextError<StateError<C>>;

/// What a frame did last: open another frame, or end.
type Next = ItemOrResult<FrameInit, FrameResult>;

/// Starts the gas and the work of the context's transaction.
pub(crate) fn begin<C>(context: &mut C, init_and_floor_gas: &InitialAndFloorGas) -> GasTracker
where
    C: ContextTr<Tx = TxEnv, Chain: Metered>,
{
    let gas_limit = begin_work(context);
    let (remaining, reservoir) =
        init_and_floor_gas.initial_gas_and_reservoir(gas_limit, context.cfg().tx_gas_limit_cap());
    GasTracker::new(gas_limit, remaining, reservoir)
}

/// Starts counting work. Returns the transaction's gas limit.
fn begin_work<C>(context: &mut C) -> u64
where
    C: ContextTr<Tx = TxEnv, Chain: Metered>,
{
    let tx = context.tx();
    let gas_limit = tx.gas_limit;
    let listed = tx.access_list.0.iter().map(|item| 1 + item.storage_keys.len()).sum();
    let authorizations = tx.authorization_list.len();
    context.chain_mut().meter().begin(gas_limit, listed, authorizations);
    gas_limit
}

/// Counts the work of a transaction that executes nothing.
pub(crate) fn count_rejected<C>(context: &mut C)
where
    C: ContextTr<Tx = TxEnv, Chain: Metered>,
{
    begin_work(context);
    context.chain_mut().meter().finish(0);
}

/// revm's own phase, with the gas that pays for the work as a further floor.
pub(crate) fn post_execution<H>(
    handler: &H,
    evm: &mut H::Evm,
    result: &mut FrameResult,
    mut init_and_floor_gas: InitialAndFloorGas,
    eip7702_refund: i64,
) -> Result<ResultGas, H::Error>
where
    H: Handler<Evm: EvmTr<Context: ContextTr<Chain: Metered>>>,
{
    let spent = result.gas().total_gas_spent();
    let of_execution = spent.saturating_sub(init_and_floor_gas.initial_regular_gas);
    let least = evm.ctx().chain_mut().meter().finish(of_execution);
    init_and_floor_gas.floor_gas = init_and_floor_gas.floor_gas.max(least);
    handler.refund(evm, result, eip7702_refund)?;
    let is_halt = result.instruction_result().is_halt();
    let gas = post_execution::build_result_gas(is_halt, result.gas(), init_and_floor_gas);
    handler.eip7623_check_gas_floor(evm, result, init_and_floor_gas);
    handler.reimburse_caller(evm, result)?;
    handler.reward_beneficiary(evm, result)?;
    Ok(gas)
}

/// Runs frames, the outermost first, until that ends.
#[inline(always)]
pub(crate) fn run<C, N, I, P, E>(
    evm: &mut Evm<C, N, I, P, EthFrame<EthInterpreter>>,
    first: FrameInit,
) -> Result<FrameResult, E>
where
    C: ContextTr<Chain: Metered>,
    E: From<FrameError<C>>,
    I: InstructionProvider<Context = C, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<C, Output = InterpreterResult>,
{
    run_with(
        evm,
        first,
        |evm, init| Ok(result_of(evm.frame_init(init)?)),
        |evm| {
            let Evm { ctx, instruction, frame_stack, .. } = evm;
            let frame = frame_stack.get();
            let action = frame.interpreter.run_plain(
                instruction.instruction_table(),
                instruction.gas_table(),
                ctx,
            );
            let action = within_share(ctx.chain_mut().meter(), &frame.interpreter.gas, action);
            let next: Next = frame.process_next_action::<_, FrameError<C>>(ctx, action)?;
            if next.is_result() {
                frame.set_finished(true);
            }
            Ok(next)
        },
    )
}

/// Runs frames, each opened by `open` and continued by `step`.
#[inline(always)]
pub(crate) fn run_with<C, N, I, P, E>(
    evm: &mut Evm<C, N, I, P, EthFrame<EthInterpreter>>,
    first: FrameInit,
    mut open: impl FnMut(
        &mut Evm<C, N, I, P, EthFrame<EthInterpreter>>,
        FrameInit,
    ) -> Result<Option<FrameResult>, E>,
    mut step: impl FnMut(&mut Evm<C, N, I, P, EthFrame<EthInterpreter>>) -> Result<Next, E>,
) -> Result<FrameResult, E>
where
    C: ContextTr<Chain: Metered>,
    E: From<FrameError<C>>,
    I: InstructionProvider<Context = C, InterpreterTypes = EthInterpreter>,
    P: PrecompileProvider<C, Output = InterpreterResult>,
{
    let creates = creates_account(&mut evm.ctx, &first.frame_input)?;
    evm.ctx.chain_mut().meter().open_first_frame(creates);
    if let Some(result) = open(evm, first)? {
        return Ok(result);
    }
    loop {
        let result = match step(evm)? {
            ItemOrResult::Item(init) => {
                let gas = &evm.frame_stack.get().interpreter.gas;
                let share = evm.ctx.chain_mut().meter().call(gas, given_to(&init.frame_input));
                match open(evm, init)? {
                    None => {
                        evm.ctx.chain_mut().meter().open_frame(share);
                        continue;
                    }
                    // The frame ended as it was opened.
                    Some(result) => result,
                }
            }
            ItemOrResult::Result(result) => {
                evm.ctx.chain_mut().meter().close_frame();
                result
            }
        };
        if let Some(result) = evm.frame_return_result(result)? {
            return Ok(result);
        }
    }
}

/// The result of a frame that ended as it was opened.
#[inline(always)]
pub(crate) fn result_of<F>(opened: ItemOrResult<F, FrameResult>) -> Option<FrameResult> {
    match opened {
        ItemOrResult::Item(_) => None,
        ItemOrResult::Result(result) => Some(result),
    }
}

/// What a frame with this gas does, unless it has more work than its share: it then ends out of gas.
#[inline(always)]
pub(crate) fn within_share(
    meter: &WorkMeter,
    gas: &Gas,
    action: InterpreterAction,
) -> InterpreterAction {
    let given = match &action {
        InterpreterAction::NewFrame(input) => given_to(input),
        InterpreterAction::Return(result) if result.result.is_halt() => return action,
        InterpreterAction::Return(_) => 0,
    };
    if !meter.is_over(gas, given) {
        return action;
    }
    let mut gas = *gas;
    gas.spend_all();
    InterpreterAction::Return(InterpreterResult::new(
        InstructionResult::OutOfGas,
        Bytes::new(),
        gas,
    ))
}

/// Gas that a frame gets.
const fn given_to(input: &FrameInput) -> u64 {
    match input {
        FrameInput::Call(call) => call.gas_limit,
        FrameInput::Create(create) => create.gas_limit(),
        FrameInput::Empty => 0,
    }
}

/// Whether the outermost frame creates an account.
fn creates_account<C: ContextTr>(
    context: &mut C,
    input: &FrameInput,
) -> Result<bool, FrameError<C>> {
    match input {
        FrameInput::Call(call) if call.transfers_value() => {
            let account = context.journal_mut().load_account(call.target_address)?;
            Ok(account.data.info.is_empty())
        }
        FrameInput::Call(_) | FrameInput::Empty => Ok(false),
        FrameInput::Create(_) => Ok(true),
    }
}
