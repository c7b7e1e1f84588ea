//! Accounts and slots that are warm from a transaction's start.

use alloc::vec::Vec;

use alloy_primitives::{
    Address, U256,
    map::{AddressMap, AddressSet, HashSet},
};

/// Accounts and slots that are warm from a transaction's start (EIP-2929, EIP-2930, EIP-3651).
#[derive(Debug, Default)]
pub(super) struct WarmSet {
    precompiles: AddressSet,
    /// Whether the address `n` is a precompile, for low addresses.
    low: Vec<bool>,
    beneficiary: Option<Address>,
    access_list: AddressMap<HashSet<U256>>,
}

impl WarmSet {
    pub(super) const fn precompiles(&self) -> &AddressSet {
        &self.precompiles
    }

    pub(super) fn set_precompiles(&mut self, precompiles: &AddressSet) {
        self.precompiles.clone_from(precompiles);
        self.low = (0..=u16::from(u8::MAX) * 2).map(|low| precompiles.contains(&at(low))).collect();
    }

    pub(super) const fn set_beneficiary(&mut self, address: Address) {
        self.beneficiary = Some(address);
    }

    pub(super) fn set_access_list(&mut self, access_list: AddressMap<HashSet<U256>>) {
        self.access_list = access_list;
    }

    /// Removes the addresses and slots that are warm in this transaction only.
    pub(super) fn end_transaction(&mut self) {
        self.beneficiary = None;
        if !self.access_list.is_empty() {
            self.access_list.clear();
        }
    }

    pub(super) fn is_precompile(&self, address: &Address) -> bool {
        match low_address(address) {
            Some(low) => self.low.get(usize::from(low)).copied().unwrap_or_default(),
            None => false,
        }
    }

    pub(super) fn is_cold(&self, address: &Address) -> bool {
        let is_warm = self.beneficiary == Some(*address)
            || self.is_precompile(address)
            || (!self.access_list.is_empty() && self.access_list.contains_key(address));
        !is_warm
    }

    pub(super) fn has_slot(&self, address: &Address, key: &U256) -> bool {
        !self.access_list.is_empty()
            && self.access_list.get(address).is_some_and(|slots| slots.contains(key))
    }
}

/// An address below 2^16 as a number.
fn low_address(address: &Address) -> Option<u16> {
    let (zeros, low) = address.split_last_chunk::<2>()?;
    zeros.iter().all(|byte| *byte == 0).then(|| u16::from_be_bytes(*low))
}

fn at(low: u16) -> Address {
    let mut address = Address::ZERO;
    address[18..].copy_from_slice(&low.to_be_bytes());
    address
}
