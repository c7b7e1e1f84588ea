//! The contracts that a call's calldata names.

use core::hash::BuildHasher;

use alloy_primitives::Address;

use super::call::{Call, WORDS_MAX};

/// A contract in the calldata, and the word that names it.
pub(super) type NamedContract = (u8, Address);

/// The contracts that a call's calldata names. They determine which code runs, so each set of
/// contracts is a variant of the function. Accounts without code are mapping keys.
#[derive(Clone, Debug)]
pub(super) struct Contracts {
    named: [NamedContract; WORDS_MAX],
    len: usize,
}

/// A set of words of the calldata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(u16);

impl Words {
    pub(super) const ALL: Self = Self((1 << WORDS_MAX) - 1);

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn contains(self, at: u8) -> bool {
        self.0 >> at & 1 != 0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Call<'_> {
    /// A hash of the function and the contracts that the calldata names. Calls of one kind behave
    /// alike. Collisions are harmless.
    pub(crate) fn kind(
        &self,
        hasher: &impl BuildHasher,
        has_code: impl Fn(&Address) -> bool,
    ) -> u64 {
        let contracts = Contracts::at(Words::ALL, self, has_code);
        hasher.hash_one((self.function(), contracts.as_slice()))
    }
}

impl FromIterator<NamedContract> for Contracts {
    fn from_iter<I: IntoIterator<Item = NamedContract>>(named: I) -> Self {
        let mut contracts = Self { named: [(0, Address::ZERO); WORDS_MAX], len: 0 };
        for (place, named) in contracts.named.iter_mut().zip(named) {
            *place = named;
            contracts.len += 1;
        }
        contracts
    }
}

impl Contracts {
    /// The contracts at the given words.
    pub(super) fn at(words: Words, call: &Call<'_>, has_code: impl Fn(&Address) -> bool) -> Self {
        let examined = call.words().map(|(at, _)| at).filter(|at| words.contains(*at));
        let addresses = examined.filter_map(|at| Some((at, call.contract_like(at)?)));
        addresses.filter(|(_, address)| has_code(address)).collect()
    }

    /// The contracts at some of these words.
    pub(super) fn only(&self, words: Words) -> Self {
        self.as_slice().iter().copied().filter(|(at, _)| words.contains(*at)).collect()
    }

    pub(super) fn as_slice(&self) -> &[NamedContract] {
        &self.named[..self.len]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn words(&self) -> Words {
        Words(self.as_slice().iter().fold(0, |words, (at, _)| words | 1 << at))
    }
}
