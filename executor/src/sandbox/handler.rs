//! revm's transaction phases with the chain's rules, for sandboxes.

use std::marker::PhantomData;

use alloy_primitives::{Address, U256};
use revm::{
    context::Evm,
    context_interface::{
        Block as _, ContextTr, JournalTr, LocalContextTr as _, Transaction as _,
        journaled_state::account::JournaledAccountTr as _,
        result::{
            EVMError, ExecutionResult, HaltReason, InvalidTransaction, OutOfGasError, ResultGas,
        },
    },
    handler::{
        EvmTr as _, FrameResult, Handler, ItemOrResult, post_execution, pre_execution, validation,
    },
    inspector::{
        Inspector, InspectorEvmTr as _, InspectorHandler, handler::frame_end, inspect_instructions,
    },
    interpreter::{
        GasTracker, InitialAndFloorGas, interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
    primitives::TxKind,
};

use super::{ReadError, SandboxContext, SandboxDatabase, SandboxEvm};
use crate::{
    frames::{self, FrameError},
    rules::TxRules,
    spec::VAULTS,
};

/// The chain's rules on revm's own `Journal`, which inspectors can read. Blocks use
/// `TransactionHandler`. Tests compare the two.
pub(super) struct SandboxHandler<DB, I> {
    rules: TxRules,
    evm: PhantomData<fn(DB, I)>,
}

impl<DB, I> SandboxHandler<DB, I> {
    pub(super) const fn new(rules: TxRules) -> Self {
        Self { rules, evm: PhantomData }
    }
}

type Error = EVMError<ReadError>;

impl<DB: SandboxDatabase, I> Handler for SandboxHandler<DB, I> {
    type Evm = SandboxEvm<DB, I>;
    type Error = Error;
    type HaltReason = HaltReason;

    fn validate_env(&self, evm: &mut Self::Evm) -> Result<(), Error> {
        match self.rules {
            TxRules::User { .. } => validation::validate_env(evm.ctx()),
            TxRules::Deposit { .. } => Ok(()),
        }
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Self::Evm,
        _init_and_floor_gas: &mut InitialAndFloorGas,
    ) -> Result<(), Error> {
        let (block, tx, cfg, journal, _, _) = evm.ctx().all_mut();
        let mut caller = journal.load_account_with_code_mut(tx.caller())?.data;
        let balance = *caller.balance();
        let balance = match self.rules {
            TxRules::User { l1_fee } => {
                pre_execution::validate_account_nonce_and_code_with_components(
                    &caller.account().info,
                    tx,
                    cfg,
                )?;
                let fee = || tx.max_balance_spending().unwrap_or(U256::MAX).saturating_add(l1_fee);
                let spendable =
                    balance.checked_sub(l1_fee).ok_or_else(|| lacking(fee(), balance))?;
                pre_execution::calculate_caller_fee(spendable, tx, block, cfg).map_err(|error| {
                    match error {
                        InvalidTransaction::LackOfFundForMaxFee { .. } => lacking(fee(), balance),
                        other => other,
                    }
                })?
            }
            TxRules::Deposit { mint } => {
                let minted = balance.saturating_add(U256::from(mint));
                if minted < tx.value() {
                    return Err(lacking(tx.value(), minted).into());
                }
                minted
            }
        };
        caller.set_balance(balance);
        if matches!(tx.kind(), TxKind::Call(_)) {
            caller.bump_nonce();
        }
        Ok(())
    }

    /// Starts the transaction's gas and work.
    fn tx_gas(&self, evm: &mut Self::Evm, init_and_floor_gas: &InitialAndFloorGas) -> GasTracker {
        frames::begin(&mut evm.ctx, init_and_floor_gas)
    }

    fn run_exec_loop(
        &mut self,
        evm: &mut Self::Evm,
        first: FrameInit,
    ) -> Result<FrameResult, Self::Error> {
        frames::run(evm, first)
    }

    fn post_execution(
        &self,
        evm: &mut Self::Evm,
        result: &mut FrameResult,
        init_and_floor_gas: InitialAndFloorGas,
        eip7702_refund: i64,
    ) -> Result<ResultGas, Self::Error> {
        frames::post_execution(self, evm, result, init_and_floor_gas, eip7702_refund)
    }

    fn reimburse_caller(
        &self,
        evm: &mut Self::Evm,
        exec_result: &mut FrameResult,
    ) -> Result<(), Error> {
        match self.rules {
            TxRules::User { .. } => {
                Ok(post_execution::reimburse_caller(evm.ctx(), exec_result.gas(), U256::ZERO)?)
            }
            TxRules::Deposit { .. } => Ok(()),
        }
    }

    fn reward_beneficiary(
        &self,
        evm: &mut Self::Evm,
        exec_result: &mut FrameResult,
    ) -> Result<(), Error> {
        let TxRules::User { l1_fee } = self.rules else { return Ok(()) };
        let gas = exec_result.gas();
        let SandboxContext::<DB> { block, tx, journaled_state: journal, .. } = evm.ctx();
        let gas_used = u128::from(gas.used().saturating_sub(gas.reservoir()));
        let base_fee = u128::from(block.basefee());
        // A call without a price pays nothing, whatever the base fee is.
        let price = tx.effective_gas_price(base_fee);
        let tip = price.saturating_sub(base_fee).saturating_mul(gas_used);
        let burnt = base_fee.min(price).saturating_mul(gas_used);
        let [base_fees, tips, l1_fees] = VAULTS;
        pay(journal, base_fees, U256::from(burnt))?;
        pay(journal, tips, U256::from(tip))?;
        pay(journal, l1_fees, l1_fee)
    }

    /// A deposit that revm rejects still mints, bumps the sender's nonce and uses all its gas.
    fn catch_error(
        &self,
        evm: &mut Self::Evm,
        error: Error,
    ) -> Result<ExecutionResult<HaltReason>, Error> {
        evm.ctx().local_mut().clear();
        evm.ctx().journal_mut().discard_tx();
        evm.frame_stack().clear();
        let (TxRules::Deposit { mint }, EVMError::Transaction(_)) = (self.rules, &error) else {
            return Err(error);
        };
        frames::count_rejected(&mut evm.ctx);
        let (_, tx, _, journal, _, _) = evm.ctx().all_mut();
        let gas = ResultGas::default().with_total_gas_spent(tx.gas_limit());
        {
            let mut sender = journal.load_account_mut(tx.caller())?.data;
            sender.incr_balance(U256::from(mint));
            sender.bump_nonce();
        }
        journal.commit_tx();
        let reason = HaltReason::OutOfGas(OutOfGasError::Basic);
        Ok(ExecutionResult::Halt { reason, gas, logs: Vec::new() })
    }
}

impl<DB, I> InspectorHandler for SandboxHandler<DB, I>
where
    DB: SandboxDatabase,
    I: Inspector<SandboxContext<DB>, EthInterpreter>,
{
    type IT = EthInterpreter;

    fn inspect_run_exec_loop(
        &mut self,
        evm: &mut Self::Evm,
        first: FrameInit,
    ) -> Result<FrameResult, Error> {
        let open = |evm: &mut Self::Evm, init| Ok(frames::result_of(evm.inspect_frame_init(init)?));
        frames::run_with(evm, first, open, |evm| {
            let Evm { ctx, inspector, instruction, frame_stack, .. } = evm;
            let frame = frame_stack.get();
            let action = inspect_instructions(
                ctx,
                &mut frame.interpreter,
                &mut *inspector,
                instruction.instruction_table(),
                instruction.gas_table(),
            );
            let action = frames::within_share(&ctx.chain, &frame.interpreter.gas, action);
            let mut next =
                frame.process_next_action::<_, FrameError<SandboxContext<DB>>>(ctx, action)?;
            if let ItemOrResult::Result(result) = &mut next {
                frame_end(ctx, inspector, &frame.input, result);
                frame.set_finished(true);
            }
            Ok(next)
        })
    }
}

fn pay(
    journal: &mut impl JournalTr<Database: revm::Database<Error = ReadError>>,
    to: Address,
    amount: U256,
) -> Result<(), Error> {
    if !amount.is_zero() {
        journal.balance_incr(to, amount)?;
    }
    Ok(())
}

fn lacking(fee: U256, balance: U256) -> InvalidTransaction {
    InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(fee), balance: Box::new(balance) }
}
