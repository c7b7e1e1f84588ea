//! A loaded account with the changes that revm makes to it.

use alloy_primitives::{B256, KECCAK256_EMPTY, U256};
use revm::{
    context_interface::{
        ErasedError,
        context::{SStoreResult, StateLoad},
        journaled_state::{JournalLoadErasedError, account::JournaledAccountTr},
    },
    state::{Account, Bytecode, EvmStorageSlot},
};
use turnpike_state::StateView;

use super::{BlockState, LoadResult, Undo};

/// A loaded account. Changes go through its block state.
#[derive(Debug)]
pub(crate) struct BlockStateAccount<'a, S> {
    pub(super) block_state: &'a mut BlockState<S>,
    pub(super) at: usize,
}

impl<S: StateView> BlockState<S> {
    /// Writes a slot of a loaded account.
    pub(super) fn store_slot(
        &mut self,
        owner: usize,
        key: U256,
        new: U256,
        skip_cold: bool,
    ) -> LoadResult<StateLoad<SStoreResult>, S> {
        self.touch(owner);
        let (at, is_cold) = self.load_slot(owner, key, skip_cold)?;
        let slot = &mut self.tables.slots[at].value;
        let result = SStoreResult {
            original_value: slot.original_value,
            present_value: slot.present_value,
            new_value: new,
        };
        if slot.present_value != new {
            self.tables.values.push(slot.present_value);
            self.tables.undo.push(Undo::Slot(at));
            slot.present_value = new;
        }
        Ok(StateLoad::new(result, is_cold))
    }
}

impl<S: StateView> JournaledAccountTr for BlockStateAccount<'_, S> {
    fn account(&self) -> &Account {
        &self.block_state.tables.accounts[self.at].account
    }

    fn sload(
        &mut self,
        key: U256,
        skip_cold_load: bool,
    ) -> Result<StateLoad<&mut EvmStorageSlot>, JournalLoadErasedError> {
        let (slot, is_cold) = self
            .block_state
            .load_slot(self.at, key, skip_cold_load)
            .map_err(|error| error.map(ErasedError::new))?;
        Ok(StateLoad::new(&mut self.block_state.tables.slots[slot].value, is_cold))
    }

    fn sstore(
        &mut self,
        key: U256,
        new: U256,
        skip_cold_load: bool,
    ) -> Result<StateLoad<SStoreResult>, JournalLoadErasedError> {
        self.block_state
            .store_slot(self.at, key, new, skip_cold_load)
            .map_err(|error| error.map(ErasedError::new))
    }

    fn load_code(&mut self) -> Result<&Bytecode, JournalLoadErasedError> {
        self.block_state.load_code(self.at).map_err(ErasedError::new)?;
        let info = &self.block_state.tables.accounts[self.at].account.info;
        Ok(info.code.as_ref().expect("invariant: the code was just loaded"))
    }

    fn balance(&self) -> &U256 {
        &self.account().info.balance
    }

    fn nonce(&self) -> u64 {
        self.account().info.nonce
    }

    fn code_hash(&self) -> &B256 {
        &self.account().info.code_hash
    }

    fn code(&self) -> Option<&Bytecode> {
        self.account().info.code.as_ref()
    }

    fn touch(&mut self) {
        self.block_state.touch(self.at);
    }

    fn unsafe_mark_cold(&mut self) {
        self.block_state.tables.accounts[self.at].account.mark_cold();
    }

    fn set_balance(&mut self, balance: U256) {
        self.block_state.set_balance(self.at, balance);
    }

    fn incr_balance(&mut self, balance: U256) -> bool {
        self.touch();
        let sum = self.balance().checked_add(balance);
        sum.map(|sum| self.set_balance(sum)).is_some()
    }

    fn decr_balance(&mut self, balance: U256) -> bool {
        self.touch();
        let rest = self.balance().checked_sub(balance);
        rest.map(|rest| self.set_balance(rest)).is_some()
    }

    fn bump_nonce(&mut self) -> bool {
        self.touch();
        let next = self.nonce().checked_add(1);
        next.map(|next| self.set_nonce(next)).is_some()
    }

    fn set_nonce(&mut self, nonce: u64) {
        self.block_state.set_nonce(self.at, nonce);
    }

    fn unsafe_set_nonce(&mut self, nonce: u64) {
        self.block_state.tables.accounts[self.at].account.info.nonce = nonce;
    }

    fn set_code(&mut self, code_hash: B256, code: Bytecode) {
        self.block_state.set_code(self.at, code, code_hash);
    }

    fn set_code_and_hash_slow(&mut self, code: Bytecode) {
        self.set_code(code.hash_slow(), code);
    }

    /// Sets or clears an EIP-7702 delegation and bumps the authority's nonce.
    fn delegate(&mut self, address: alloy_primitives::Address) {
        if address.is_zero() {
            self.set_code(KECCAK256_EMPTY, Bytecode::default());
        } else {
            self.set_code_and_hash_slow(Bytecode::new_eip7702(address));
        }
        self.bump_nonce();
    }
}
