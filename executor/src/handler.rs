//! revm's transaction phases with the chain's rules for fees and deposits.

use core::marker::PhantomData;

use alloy_primitives::U256;
use revm::{
    context_interface::{
        Block as _, ContextTr, JournalTr, LocalContextTr as _, Transaction as _,
        journaled_state::account::JournaledAccountTr as _,
        result::{
            EVMError, ExecutionResult, HaltReason, InvalidTransaction, OutOfGasError, ResultGas,
        },
    },
    handler::{EvmTr, FrameResult, Handler, post_execution, pre_execution, validation},
    interpreter::{GasTracker, InitialAndFloorGas, interpreter_action::FrameInit},
    primitives::{TxKind, hardfork::SpecId},
};
use turnpike_state::StateView;

use crate::{
    FeeRule, base::ViewError, evm::TurnpikeEvm, evm_context::EvmContext, frames, rules::TxRules,
};

/// revm's transaction phases with the chain's differences.
pub(crate) struct TransactionHandler<S> {
    rules: TxRules,
    fees: FeeRule,
    state: PhantomData<fn(S)>,
}

impl<S> TransactionHandler<S> {
    pub(crate) const fn new(rules: TxRules, fees: FeeRule) -> Self {
        Self { rules, fees, state: PhantomData }
    }
}

impl<S: StateView> Handler for TransactionHandler<S> {
    type Evm = TurnpikeEvm<S>;
    type Error = EVMError<ViewError<S::Error>>;
    type HaltReason = HaltReason;

    fn validate_env(&self, evm: &mut TurnpikeEvm<S>) -> Result<(), Self::Error> {
        match self.rules {
            TxRules::User { .. } => validation::validate_env(evm.ctx()),
            TxRules::Deposit { .. } => Ok(()),
        }
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut TurnpikeEvm<S>,
        _init_and_floor_gas: &mut InitialAndFloorGas,
    ) -> Result<(), Self::Error> {
        let (block, tx, cfg, block_state, _, _) = evm.ctx().all_mut();
        let mut caller = block_state.load_account_with_code_mut(tx.caller())?.data;
        let balance = *caller.balance();
        let balance = match self.rules {
            TxRules::User { l1_fee } => {
                pre_execution::validate_account_nonce_and_code_with_components(
                    &caller.account().info,
                    tx,
                    cfg,
                )?;
                // The L1 fee is deducted first. The rest of the balance must cover everything else.
                let lacking = || InvalidTransaction::LackOfFundForMaxFee {
                    fee: alloc::boxed::Box::new(
                        tx.max_balance_spending().unwrap_or(U256::MAX).saturating_add(l1_fee),
                    ),
                    balance: alloc::boxed::Box::new(balance),
                };
                let spendable = balance.checked_sub(l1_fee).ok_or_else(lacking)?;
                pre_execution::calculate_caller_fee(spendable, tx, block, cfg).map_err(|error| {
                    match error {
                        InvalidTransaction::LackOfFundForMaxFee { .. } => lacking(),
                        other => other,
                    }
                })?
            }
            TxRules::Deposit { mint } => {
                let minted = balance.saturating_add(U256::from(mint));
                if minted < tx.value() {
                    return Err(InvalidTransaction::LackOfFundForMaxFee {
                        fee: alloc::boxed::Box::new(tx.value()),
                        balance: alloc::boxed::Box::new(minted),
                    }
                    .into());
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
    fn tx_gas(
        &self,
        evm: &mut TurnpikeEvm<S>,
        init_and_floor_gas: &InitialAndFloorGas,
    ) -> GasTracker {
        frames::begin(&mut evm.ctx, init_and_floor_gas)
    }

    #[inline(always)]
    fn run_exec_loop(
        &mut self,
        evm: &mut TurnpikeEvm<S>,
        first: FrameInit,
    ) -> Result<FrameResult, Self::Error> {
        frames::run(evm, first)
    }

    fn post_execution(
        &self,
        evm: &mut TurnpikeEvm<S>,
        result: &mut FrameResult,
        init_and_floor_gas: InitialAndFloorGas,
        eip7702_refund: i64,
    ) -> Result<ResultGas, Self::Error> {
        frames::post_execution(self, evm, result, init_and_floor_gas, eip7702_refund)
    }

    fn reimburse_caller(
        &self,
        evm: &mut TurnpikeEvm<S>,
        exec_result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        match self.rules {
            TxRules::User { .. } => {
                Ok(post_execution::reimburse_caller(evm.ctx(), exec_result.gas(), U256::ZERO)?)
            }
            TxRules::Deposit { .. } => Ok(()),
        }
    }

    fn reward_beneficiary(
        &self,
        evm: &mut TurnpikeEvm<S>,
        exec_result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        let TxRules::User { l1_fee } = self.rules else {
            return Ok(());
        };
        let gas = exec_result.gas();
        if self.fees == FeeRule::Beneficiary && !evm.ctx.journaled_state.is_lane() {
            return Ok(post_execution::reward_beneficiary(evm.ctx(), gas)?);
        }
        let EvmContext::<S> { block, tx, cfg, journaled_state: block_state, .. } = &mut evm.ctx;
        let gas_used = u128::from(gas.used().saturating_sub(gas.reservoir()));
        let base_fee = u128::from(block.basefee());
        let price = tx.effective_gas_price(base_fee);
        match self.fees {
            FeeRule::Vaults => {
                let tip = price.saturating_sub(base_fee).saturating_mul(gas_used);
                block_state.credit(base_fee.saturating_mul(gas_used), tip, &l1_fee);
            }
            FeeRule::Beneficiary => {
                let burnt = if cfg.spec.is_enabled_in(SpecId::LONDON) { base_fee } else { 0 };
                match price.saturating_sub(burnt).checked_mul(gas_used) {
                    Some(reward) => block_state.credit(reward, 0, &U256::ZERO),
                    None => block_state.note_order(),
                }
            }
        }
        Ok(())
    }

    /// A deposit that revm rejects still mints, bumps the sender's nonce and uses all its gas.
    fn catch_error(
        &self,
        evm: &mut TurnpikeEvm<S>,
        error: Self::Error,
    ) -> Result<ExecutionResult<HaltReason>, Self::Error> {
        evm.ctx().local_mut().clear();
        evm.ctx().journal_mut().discard_tx();
        evm.frame_stack().clear();
        let (TxRules::Deposit { mint }, EVMError::Transaction(_)) = (self.rules, &error) else {
            return Err(error);
        };
        frames::count_rejected(&mut evm.ctx);
        let (_, tx, _, block_state, _, _) = evm.ctx().all_mut();
        let gas = ResultGas::default().with_total_gas_spent(tx.gas_limit());
        {
            let mut sender = block_state.load_account_mut(tx.caller())?.data;
            sender.incr_balance(U256::from(mint));
            sender.bump_nonce();
        }
        block_state.commit_tx();
        Ok(ExecutionResult::Halt {
            reason: HaltReason::OutOfGas(OutOfGasError::Basic),
            gas,
            logs: alloc::vec::Vec::new(),
        })
    }
}
