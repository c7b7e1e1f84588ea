//! The block state as revm uses it.

use alloc::vec::Vec;

use alloy_primitives::{
    Address, B256, Log, U256,
    map::{AddressMap, AddressSet, HashSet},
};
use revm::{
    context_interface::{
        context::{SStoreResult, SelfDestructResult, StateLoad},
        journaled_state::{
            AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, JournalTr,
            TransferError,
        },
    },
    primitives::hardfork::SpecId,
    state::{Account, Bytecode},
};
use turnpike_state::StateView;

use super::{BlockState, LoadResult, Undo, account::BlockStateAccount, undo::CreatedUndo};
use crate::base::{Base, ViewError};

/// revm's view of the block state.
impl<S: StateView> JournalTr for BlockState<S> {
    type Database = Base<S>;
    type State = ();
    type JournaledAccount<'a>
        = BlockStateAccount<'a, S>
    where
        S: 'a;

    fn new(base: Base<S>) -> Self {
        Self::with_base(base)
    }

    fn db_and_state(&self) -> (&Base<S>, &()) {
        (&self.base, &self.state)
    }

    fn db_and_state_mut(&mut self) -> (&mut Base<S>, &mut ()) {
        (&mut self.base, &mut self.state)
    }

    fn sload_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        skip_cold: bool,
    ) -> LoadResult<StateLoad<U256>, S> {
        let owner = self.find(&address).ok_or(JournalLoadError::ColdLoadSkipped)?;
        let (slot, is_cold) = self.load_slot(owner, key, skip_cold)?;
        Ok(StateLoad::new(self.tables.slots[slot].value.present_value, is_cold))
    }

    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        value: U256,
        skip_cold: bool,
    ) -> LoadResult<StateLoad<SStoreResult>, S> {
        let owner = self.find(&address).ok_or(JournalLoadError::ColdLoadSkipped)?;
        self.store_slot(owner, key, value, skip_cold)
    }

    fn tload(&mut self, address: Address, key: U256) -> U256 {
        let at = self.loaded(&address);
        self.transient.get(&(at, key)).copied().unwrap_or_default()
    }

    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        let key = (self.loaded(&address), key);
        let old = self.transient.insert(key, value).unwrap_or_default();
        if old != value {
            self.tables.undo.push(Undo::Transient(alloc::boxed::Box::new((key, old))));
        }
    }

    fn log(&mut self, log: Log) {
        self.logs.push(log);
    }

    fn take_logs(&mut self) -> Vec<Log> {
        core::mem::take(&mut self.logs)
    }

    fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// Before Cancun, and for accounts created in the same transaction, the account is destroyed at
    /// the end of the transaction. Any other account only loses its balance (EIP-6780).
    fn selfdestruct(
        &mut self,
        address: Address,
        target: Address,
        skip_cold: bool,
    ) -> LoadResult<StateLoad<SelfDestructResult>, S> {
        let spec = self.spec;
        let (to, is_cold) = self.load(target, skip_cold)?;
        let target_exists = !self.tables.accounts[to].account.state_clear_aware_is_empty(spec);
        let at = self.loaded(&address);
        let account = &self.tables.accounts[at].account;
        let (balance, is_again) = (account.info.balance, account.is_selfdestructed());
        let is_destroyed = account.is_created_locally() || !spec.is_enabled_in(SpecId::CANCUN);
        if at != to {
            self.touch(to);
            let sum = self.tables.accounts[to].account.info.balance.saturating_add(balance);
            self.set_balance(to, sum);
        }
        if at != to || is_destroyed {
            self.set_balance(at, U256::ZERO);
        }
        if is_destroyed {
            self.tables.accounts[at].account.mark_selfdestructed_locally();
            self.tables.undo.push(Undo::Destroyed { at, first: !is_again });
        }
        Ok(StateLoad::new(
            SelfDestructResult {
                had_value: !balance.is_zero(),
                target_exists,
                previously_destroyed: is_again,
            },
            is_cold,
        ))
    }

    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<U256>>) {
        self.warm.set_access_list(access_list);
    }

    fn warm_coinbase_account(&mut self, address: Address) {
        self.warm.set_beneficiary(address);
    }

    fn warm_precompiles(&mut self, addresses: &AddressSet) {
        self.warm.set_precompiles(addresses);
    }

    fn precompile_addresses(&self) -> &AddressSet {
        self.warm.precompiles()
    }

    fn set_spec_id(&mut self, spec_id: SpecId) {
        self.spec = spec_id;
    }

    /// EIP-7708 is not part of any supported fork.
    fn set_eip7708_config(&mut self, _disabled: bool, _delayed_clear_disabled: bool) {}

    fn touch_account(&mut self, address: Address) {
        if let Some(at) = self.find(&address) {
            self.touch(at);
        }
    }

    fn transfer(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
    ) -> Result<Option<TransferError>, ViewError<S::Error>> {
        self.load_account(from)?;
        self.load_account(to)?;
        Ok(self.transfer_loaded(from, to, value))
    }

    fn transfer_loaded(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
    ) -> Option<TransferError> {
        if from == to {
            let at = self.loaded(&to);
            let is_covered = self.tables.accounts[at].account.info.balance >= value;
            return (!is_covered).then_some(TransferError::OutOfFunds);
        }
        let to = self.loaded(&to);
        if value.is_zero() {
            self.touch(to);
            return None;
        }
        let from = self.loaded(&from);
        let balance = |at: usize| self.tables.accounts[at].account.info.balance;
        let Some(rest) = balance(from).checked_sub(value) else {
            self.touch(from);
            return Some(TransferError::OutOfFunds);
        };
        let Some(sum) = balance(to).checked_add(value) else {
            return Some(TransferError::OverflowPayment);
        };
        self.set_balance(from, rest);
        self.set_balance(to, sum);
        None
    }

    fn caller_accounting_journal_entry(&mut self, address: Address, old: U256, bump_nonce: bool) {
        let at = self.loaded(&address);
        self.tables.values.push(old);
        self.tables.undo.push(Undo::Balance(at));
        self.tables.undo.push(Undo::Touched(at));
        if bump_nonce {
            let nonce = self.tables.accounts[at].account.info.nonce;
            self.tables.values.push(U256::from(nonce.saturating_sub(1)));
            self.tables.undo.push(Undo::Nonce(at));
        }
    }

    fn balance_incr(&mut self, address: Address, balance: U256) -> Result<(), ViewError<S::Error>> {
        use revm::context_interface::journaled_state::account::JournaledAccountTr as _;
        self.load_account_mut(address)?.data.incr_balance(balance);
        Ok(())
    }

    fn nonce_bump_journal_entry(&mut self, address: Address) {
        let at = self.loaded(&address);
        let nonce = self.tables.accounts[at].account.info.nonce;
        self.tables.values.push(U256::from(nonce.saturating_sub(1)));
        self.tables.undo.push(Undo::Nonce(at));
    }

    fn load_account(
        &mut self,
        address: Address,
    ) -> Result<StateLoad<&Account>, ViewError<S::Error>> {
        let (at, is_cold) = self.load(address, false).map_err(JournalLoadError::unwrap_db_error)?;
        Ok(StateLoad::new(&self.tables.accounts[at].account, is_cold))
    }

    fn load_account_with_code(
        &mut self,
        address: Address,
    ) -> Result<StateLoad<&Account>, ViewError<S::Error>> {
        let (at, is_cold) = self.load(address, false).map_err(JournalLoadError::unwrap_db_error)?;
        self.load_code(at)?;
        Ok(StateLoad::new(&self.tables.accounts[at].account, is_cold))
    }

    fn load_account_delegated(
        &mut self,
        address: Address,
    ) -> Result<StateLoad<AccountLoad>, ViewError<S::Error>> {
        let spec = self.spec;
        let load = if spec.is_enabled_in(SpecId::PRAGUE) {
            self.load_account_with_code(address)?
        } else {
            self.load_account(address)?
        };
        let (is_empty, is_cold) = (load.state_clear_aware_is_empty(spec), load.is_cold);
        let delegate = load.info.code.as_ref().and_then(Bytecode::eip7702_address);
        let is_delegate_account_cold = match delegate {
            Some(delegate) => Some(self.load_account_with_code(delegate)?.is_cold),
            None => None,
        };
        Ok(StateLoad::new(AccountLoad { is_delegate_account_cold, is_empty }, is_cold))
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip_cold: bool,
    ) -> LoadResult<StateLoad<BlockStateAccount<'_, S>>, S> {
        let (at, is_cold) = self.load(address, skip_cold)?;
        Ok(StateLoad::new(BlockStateAccount { block_state: self, at }, is_cold))
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Result<StateLoad<BlockStateAccount<'_, S>>, ViewError<S::Error>> {
        let (at, is_cold) = self.load(address, false).map_err(JournalLoadError::unwrap_db_error)?;
        if load_code {
            self.load_code(at)?;
        }
        Ok(StateLoad::new(BlockStateAccount { block_state: self, at }, is_cold))
    }

    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        let at = self.loaded(&address);
        self.set_code(at, code, hash);
    }

    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.depth += 1;
        JournalCheckpoint {
            log_i: self.logs.len(),
            journal_i: self.tables.undo.len(),
            selfdestructed_i: 0,
        }
    }

    fn checkpoint_commit(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.depth = self.depth.saturating_sub(1);
        self.logs.truncate(checkpoint.log_i);
        self.revert_to(checkpoint.journal_i);
    }

    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        value: U256,
        spec_id: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        let checkpoint = self.checkpoint();
        let at = self.loaded(&address);
        let entry = &mut self.tables.accounts[at];
        let info = &mut entry.account.info;
        let is_used = !info.is_empty_code_hash() || info.nonce != 0;
        // EIP-7610. No transaction gives storage to an account without nonce and code.
        if is_used || (entry.base_storage && self.base.has_storage(&address)) {
            self.checkpoint_revert(checkpoint);
            return Err(TransferError::CreateCollision);
        }
        info.code = None;
        entry.account.mark_created_locally();
        let (space, base_storage) = (entry.space, entry.base_storage);
        let created = CreatedUndo { at, space, base_storage };
        self.tables.undo.push(Undo::Created(alloc::boxed::Box::new(created)));
        self.renew_storage(at);
        if spec_id.is_enabled_in(SpecId::SPURIOUS_DRAGON) {
            self.set_nonce(at, 1);
        }
        self.touch(at);
        if value.is_zero() {
            return Ok(checkpoint);
        }
        match self.transfer_loaded(caller, address, value) {
            None => Ok(checkpoint),
            Some(error) => {
                self.checkpoint_revert(checkpoint);
                Err(error)
            }
        }
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn commit_tx(&mut self) {
        self.commit();
    }

    fn discard_tx(&mut self) {
        self.revert_to(0);
        self.end_transaction();
    }

    /// The changes stay in the block state until the block ends.
    fn finalize(&mut self) {}

    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold: bool,
    ) -> LoadResult<AccountInfoLoad<'_>, S> {
        let spec = self.spec;
        let (at, is_cold) = self.load(address, skip_cold)?;
        if load_code {
            self.load_code(at)?;
        }
        let account = &self.tables.accounts[at].account;
        Ok(AccountInfoLoad::new(&account.info, is_cold, account.state_clear_aware_is_empty(spec)))
    }
}
