//! The seam between execution and state: reads and commits.

use alloy_primitives::{Address, B256, Bytes, U256};
use revm_bytecode::Bytecode;

use crate::{Account, StateDiff};

/// The two commitments of a state that its output root contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRoots {
    /// Root of the account trie.
    pub state_root: B256,
    /// Storage root of the message passer predeploy; [`EMPTY_ROOT`](crate::EMPTY_ROOT) if it has
    /// none.
    pub message_passer_storage_root: B256,
}

/// A view's id of an account's storage. The view returns the id with the account and accepts it for
/// reads of slots until the state changes. `StorageId::default()` means "unknown", and every view
/// accepts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StorageId(u32);

impl StorageId {
    /// The id of the storage with this index.
    ///
    /// # Panics
    ///
    /// If the index does not fit 32 bits.
    #[must_use]
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("invariant: fewer than 2^32 accounts"))
    }

    /// The index of the storage.
    #[must_use]
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("invariant: usize has at least 32 bits")
    }

    /// The id of the storage of the account with this entry number.
    #[inline]
    pub(crate) fn of(account: u32) -> Self {
        Self(account + 1)
    }

    /// The entry number of the account; `None` for the default id.
    #[inline]
    pub(crate) fn number(self) -> Option<u32> {
        self.0.checked_sub(1)
    }
}

/// Result of a precompile that is given enough gas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrecompileOutcome {
    /// The precompile succeeds with this output.
    Output(Bytes),
    /// The precompile fails with any amount of gas.
    Failure,
}

/// Read access to one state.
///
/// Methods take `&mut self` because a partial state resolves nodes on reads. A full state also
/// offers reads by `&self`.
pub trait StateView {
    /// The error of a read: [`Infallible`](core::convert::Infallible) for a full state.
    type Error: core::error::Error + Send + Sync + 'static;

    /// The account at `address` and the id of its storage; `None` if there is no account.
    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Self::Error>;

    /// The value of a storage slot; zero if the slot is unset or the account does not exist. `id`
    /// is the id that [`account`](Self::account) returned for `address`, or the default.
    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Self::Error>;

    /// Whether any slot of an account is set. The caller has read the account before.
    fn has_storage(&mut self, address: &Address) -> bool;

    /// The analysed code with this keccak hash, which must be the code hash of some account.
    fn code(&mut self, hash: &B256) -> Result<Bytecode, Self::Error>;

    /// The length of a code in bytes, under the same rules as [`code`](Self::code).
    fn code_len(&mut self, hash: &B256) -> Result<usize, Self::Error> {
        self.code(hash).map(|code| code.len())
    }

    /// Hints that these accounts are likely to be read next, so that a view may prefetch them. It
    /// changes no result.
    fn prefetch(&mut self, _addresses: &[Address]) {}

    /// Hints that these slots are likely to be read next.
    fn prefetch_slots(&mut self, _slots: &[(Address, U256)]) {}

    /// Returns the result of an expensive precompile if the view knows it. On `None` the caller
    /// computes the result. The caller has already checked the gas and every condition on the
    /// input's length.
    fn precompile(&mut self, _address: &Address, _input: &[u8]) -> Option<PrecompileOutcome> {
        None
    }
}

/// A state that can move to its successor.
pub trait StateCommit: StateView {
    /// Applies `diff` and returns the roots of the resulting state.
    fn commit(&mut self, diff: &StateDiff) -> Result<StateRoots, Self::Error>;
}

impl<V: StateView + ?Sized> StateView for &mut V {
    type Error = V::Error;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, Self::Error> {
        (**self).account(address)
    }

    fn storage(
        &mut self,
        address: &Address,
        id: StorageId,
        slot: U256,
    ) -> Result<U256, Self::Error> {
        (**self).storage(address, id, slot)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        (**self).has_storage(address)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, Self::Error> {
        (**self).code(hash)
    }

    fn code_len(&mut self, hash: &B256) -> Result<usize, Self::Error> {
        (**self).code_len(hash)
    }

    fn prefetch(&mut self, addresses: &[Address]) {
        (**self).prefetch(addresses);
    }

    fn prefetch_slots(&mut self, slots: &[(Address, U256)]) {
        (**self).prefetch_slots(slots);
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        (**self).precompile(address, input)
    }
}

impl<V: StateCommit + ?Sized> StateCommit for &mut V {
    fn commit(&mut self, diff: &StateDiff) -> Result<StateRoots, Self::Error> {
        (**self).commit(diff)
    }
}
