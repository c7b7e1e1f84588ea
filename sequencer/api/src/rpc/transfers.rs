//! Ether transfers as logs, for `eth_simulateV1`.

use alloy_primitives::{Address, B256, Log, LogData, U256, address, b256};
use revm::{
    Inspector,
    context_interface::{ContextTr, JournalTr as _},
    interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome},
};

/// The address that the logs of transfers name as their contract.
pub(super) const TRANSFER_EMITTER: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");

/// `keccak256("Transfer(address,address,uint256)")`.
const TRANSFER_TOPIC: B256 =
    b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Logs each ether transfer as an ERC-20 would, in order with the other logs. A reverted transfer
/// leaves no log.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// For each call on the stack, whether its transfer was logged.
    logged: Vec<bool>,
    /// Logs of the transfers of `SELFDESTRUCT`s since the last call ended.
    given: Vec<Log>,
}

impl Transfers {
    fn enter(&mut self, context: &mut impl ContextTr, transfer: Option<Log>) {
        self.logged.push(transfer.is_some());
        if let Some(log) = transfer {
            context.journal_mut().log(log);
        }
    }

    fn leave(&mut self, context: &mut impl ContextTr, is_ok: bool) {
        let logged = self.logged.pop().unwrap_or_default();
        let given = std::mem::take(&mut self.given);
        let journal = context.journal_mut();
        if is_ok {
            given.into_iter().for_each(|log| journal.log(log));
        } else if logged {
            // The EVM has removed the later logs, so the transfer's log is the last.
            let mut logs = journal.take_logs();
            logs.pop();
            logs.into_iter().for_each(|log| journal.log(log));
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Transfers {
    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let value = inputs.transfer_value().unwrap_or_default();
        self.enter(context, transfer(inputs.transfer_from(), inputs.transfer_to(), value));
        None
    }

    fn call_end(&mut self, context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.leave(context, outcome.result.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let nonce = context.journal_mut().load_account(inputs.caller());
        let nonce = nonce.map_or(0, |account| account.data.info.nonce);
        let created = inputs.created_address(nonce);
        self.enter(context, transfer(inputs.caller(), created, inputs.value()));
        None
    }

    fn create_end(
        &mut self,
        context: &mut CTX,
        _inputs: &CreateInputs,
        outcome: &mut CreateOutcome,
    ) {
        self.leave(context, outcome.result.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.given.extend(transfer(contract, target, value));
    }
}

fn transfer(from: Address, to: Address, value: U256) -> Option<Log> {
    let topics = || vec![TRANSFER_TOPIC, from.into_word(), to.into_word()];
    (!value.is_zero()).then(|| Log {
        address: TRANSFER_EMITTER,
        data: LogData::new_unchecked(topics(), B256::from(value).into()),
    })
}
