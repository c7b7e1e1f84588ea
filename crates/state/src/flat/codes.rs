//! The codes of a state. Each code is analysed and stored once, and shared.

use alloc::{vec, vec::Vec};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, map::B256Map};
use revm_bytecode::Bytecode;

use super::entry::AccountValue;
use crate::Account;

/// Codes by index and by hash. The code at index 0 is empty. Codes are never removed.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    codes: Vec<(B256, Bytecode)>,
    places: B256Map<u32>,
}

impl Default for Codes {
    fn default() -> Self {
        let places = [(KECCAK256_EMPTY, 0)].into_iter().collect();
        Self { codes: vec![(KECCAK256_EMPTY, Bytecode::new())], places }
    }
}

impl Codes {
    pub(super) fn insert(&mut self, hash: B256, code: &Bytes) {
        let place = u32::try_from(self.codes.len()).expect("invariant: fewer than 2^32 codes");
        let codes = &mut self.codes;
        self.places.entry(hash).or_insert_with(|| {
            codes.push((hash, analyse(code.clone())));
            place
        });
    }

    /// Index of the code with this hash.
    pub(super) fn place(&self, hash: &B256) -> Option<u32> {
        if *hash == KECCAK256_EMPTY { Some(0) } else { self.places.get(hash).copied() }
    }

    /// Packs an account that has `slots` slots.
    ///
    /// # Panics
    ///
    /// If its code is not stored.
    pub(super) fn value_of(
        &self,
        address: &Address,
        account: &Account,
        slots: u32,
    ) -> AccountValue {
        let Account { nonce, balance, code_hash } = *account;
        let code = self.place(&code_hash).unwrap_or_else(|| {
            panic!("invariant: code {code_hash} of account {address} is stored")
        });
        AccountValue::new(nonce, balance, code, slots)
    }

    #[inline]
    pub(super) fn hash(&self, place: u32) -> B256 {
        self.codes[place as usize].0
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&Bytecode> {
        self.place(hash).map(|place| &self.codes[place as usize].1)
    }

    /// All codes but the empty one, with their hashes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (B256, Bytes)> {
        self.codes.iter().skip(1).map(|(hash, code)| (*hash, code.original_bytes()))
    }
}

/// Finds the jump destinations of a code. Code that starts like an EIP-7702 delegation but is none
/// can only come from genesis. It is executed as ordinary code, so analysis never fails.
pub(crate) fn analyse(code: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}
