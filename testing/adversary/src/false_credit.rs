use alloy_primitives::U256;
use tracing::warn;
use turnpike_executor::{Executed, ExecutionHook};

const ETHER: u64 = 1_000_000_000_000_000_000;

/// Falsifies the state of the first block with a user's transaction: it credits the last sender
/// with an ether that nobody paid. Later blocks build on that state.
#[derive(Debug, Default)]
pub struct FalseCredit {
    is_done: bool,
}

impl FalseCredit {
    /// Changes the block if it is the first with a user's transaction. Returns whether it did.
    pub(crate) fn apply(&mut self, block: &mut Executed) -> bool {
        if self.is_done {
            return false;
        }
        let Some(sender) = block.last_user() else { return false };
        let change = block.diff().accounts.iter_mut().find(|change| change.address == sender);
        if let Some(account) = change.and_then(|change| change.account.as_mut()) {
            account.balance += U256::from(ETHER);
        }
        self.is_done = true;
        true
    }
}

impl ExecutionHook for FalseCredit {
    fn before_state_root(&mut self, block: &mut Executed) {
        if self.apply(block) {
            warn!("adversary: falsified this block's state");
        }
    }
}
