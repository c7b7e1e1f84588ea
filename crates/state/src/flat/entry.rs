//! Packed table entries: an account and a slot take 68 bytes each.

use core::hash::{Hash, Hasher};

use alloy_primitives::{Address, U256, map::FbBuildHasher};

use crate::{StorageId, table::Table};

/// An unaligned 256-bit number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed([u8; 32]);

impl From<U256> for Packed {
    #[inline]
    fn from(value: U256) -> Self {
        Self(value.to_le_bytes())
    }
}

impl Packed {
    #[inline]
    pub(crate) fn get(self) -> U256 {
        // Word by word, which compiles to a plain copy.
        let (words, _) = self.0.as_chunks::<8>();
        U256::from_limbs(core::array::from_fn(|at| u64::from_le_bytes(words[at])))
    }
}

/// An account without its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountValue {
    nonce: [u8; 8],
    balance: Packed,
    /// Index of the account's code in the list of codes.
    pub(crate) code: u32,
    /// Number of the account's slots.
    pub(crate) slots: u32,
}

impl AccountValue {
    pub(crate) fn new(nonce: u64, balance: U256, code: u32, slots: u32) -> Self {
        Self { nonce: nonce.to_le_bytes(), balance: balance.into(), code, slots }
    }

    /// Returns the same account with another number of slots.
    #[inline]
    pub(crate) fn with_slots(self, slots: u32) -> Self {
        Self { slots, ..self }
    }

    /// Whether two accounts are equal except for the number of slots.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.nonce, self.balance, self.code) == (other.nonce, other.balance, other.code)
    }

    #[inline]
    pub(crate) fn nonce(&self) -> u64 {
        u64::from_le_bytes(self.nonce)
    }

    #[inline]
    pub(crate) fn balance(&self) -> U256 {
        self.balance.get()
    }
}

/// A slot of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey {
    pub(crate) storage: StorageId,
    slot: Packed,
}

/// Hashes word by word, which is faster than byte by byte.
impl Hash for SlotKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.storage.hash(state);
        self.slot().as_limbs().iter().for_each(|limb| state.write_u64(*limb));
    }
}

impl SlotKey {
    #[inline]
    pub(crate) fn new(storage: StorageId, slot: U256) -> Self {
        Self { storage, slot: slot.into() }
    }

    #[inline]
    pub(crate) fn slot(&self) -> U256 {
        self.slot.get()
    }
}

pub(crate) type Accounts = Table<Address, AccountValue, FbBuildHasher<20>>;
pub(crate) type Slots = Table<SlotKey, Packed>;

const _: () = assert!(size_of::<crate::table::TableEntry<Address, AccountValue>>() == 68);
const _: () = assert!(size_of::<crate::table::TableEntry<SlotKey, Packed>>() == 68);
