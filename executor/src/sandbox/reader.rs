//! The state below a sandbox.

use std::cell::RefCell;

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, HashMap},
};
use revm::{
    DatabaseRef,
    database_interface::DBErrorMarker,
    state::{AccountInfo, Bytecode},
};
use turnpike_protocol::{Header, history_slot, predeploys::HISTORY_STORAGE};
use turnpike_state::HistoricalView;

/// A read of a detached state that earlier runs did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state is detached and this value was never read")]
pub struct ReadError;

impl DBErrorMarker for ReadError {}

/// The state below a sandbox. It keeps every read, so that runs can be repeated after the state is
/// detached.
#[derive(Debug)]
pub struct StateReader<'s> {
    view: Option<HistoricalView<'s>>,
    seen: RefCell<ReadCache>,
    /// The block whose hash BLOCKHASH knows without reading the state, and that hash.
    newest: (u64, B256),
}

/// All reads so far.
#[derive(Clone, Debug, Default)]
struct ReadCache {
    accounts: AddressMap<Option<AccountInfo>>,
    slots: HashMap<(Address, U256), U256>,
    codes: B256Map<Bytecode>,
}

impl<'s> StateReader<'s> {
    /// Reads for the block with this header.
    pub(super) fn new(header: &Header, view: HistoricalView<'s>) -> Self {
        let newest = (header.number.saturating_sub(1), header.parent_hash);
        Self { view: Some(view), seen: RefCell::default(), newest }
    }

    /// Attaches `view`, which must be the same state as before, or detaches the state.
    pub(super) fn with_view<'t>(self, view: Option<HistoricalView<'t>>) -> StateReader<'t> {
        let Self { seen, newest, .. } = self;
        StateReader { view, seen, newest }
    }

    /// Reads the code of every account that was read.
    pub(super) fn read_codes(&self) -> Result<(), ReadError> {
        let hashes: Vec<B256> = {
            let seen = self.seen.borrow();
            seen.accounts.values().flatten().map(|info| info.code_hash).collect()
        };
        hashes.into_iter().try_for_each(|hash| self.code_by_hash_ref(hash).map(|_| ()))
    }

    fn view(&self) -> Result<&HistoricalView<'s>, ReadError> {
        self.view.as_ref().ok_or(ReadError)
    }
}

impl DatabaseRef for StateReader<'_> {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        if let Some(known) = self.seen.borrow().accounts.get(&address) {
            return Ok(known.clone());
        }
        let info = self.view()?.account(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        });
        self.seen.borrow_mut().accounts.insert(address, info.clone());
        Ok(info)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        if hash == revm::primitives::KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(known) = self.seen.borrow().codes.get(&hash) {
            return Ok(known.clone());
        }
        let code = self.view()?.code(&hash).ok_or(ReadError)?;
        self.seen.borrow_mut().codes.insert(hash, code.clone());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        if let Some(known) = self.seen.borrow().slots.get(&(address, slot)) {
            return Ok(*known);
        }
        let value = self.view()?.storage(&address, slot);
        self.seen.borrow_mut().slots.insert((address, slot), value);
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        let (newest, hash) = self.newest;
        match number.cmp(&newest) {
            std::cmp::Ordering::Less => {
                self.storage_ref(HISTORY_STORAGE, history_slot(number)).map(B256::from)
            }
            std::cmp::Ordering::Equal => Ok(hash),
            std::cmp::Ordering::Greater => Ok(B256::ZERO),
        }
    }
}
