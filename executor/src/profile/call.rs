//! The known fields of a call before it runs.

use core::hash::{Hash, Hasher};

use alloy_primitives::{Address, B256};

use crate::BlockTransaction;

/// Maximum number of calldata words examined, as mapping keys and as contracts.
pub(super) const WORDS_MAX: usize = 12;

pub(super) const WORD_BYTES: usize = 32;
const SELECTOR_BYTES: usize = 4;

/// Zero bytes before the address in a word.
pub(super) const PADDING_BYTES: usize = 12;

/// The known fields of a call before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) caller: Address,
    pub(crate) to: Address,
    pub(crate) data: &'a [u8],
}

/// A function of a contract. Without a selector, it stands for calldata that is too short for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    contract: Address,
    selector: Option<[u8; SELECTOR_BYTES]>,
}

/// Hashes word by word, which is faster than byte by byte.
impl Hash for Function {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (words, rest) = self.contract.as_chunks::<8>();
        words.iter().for_each(|word| state.write_u64(u64::from_le_bytes(*word)));
        let rest = rest.first_chunk().map_or(0, |rest| u32::from_le_bytes(*rest));
        let selector = self.selector.map_or(0, u32::from_le_bytes);
        state.write_u64(u64::from(rest) << 32 | u64::from(selector));
    }
}

impl<'a> Call<'a> {
    /// The call that a transaction makes, if it is not a creation and has a sender.
    pub(crate) fn of(tx: &'a impl BlockTransaction) -> Option<Self> {
        let (to, data) = tx.call()?;
        Some(Self { caller: tx.sender().ok()?, to, data })
    }

    pub(super) fn function(&self) -> Function {
        Function { contract: self.to, selector: self.data.first_chunk().copied() }
    }

    /// A word of the calldata, counted after the selector.
    #[inline]
    pub(super) fn word(&self, at: u8) -> Option<&'a [u8; WORD_BYTES]> {
        self.data.get(SELECTOR_BYTES + usize::from(at) * WORD_BYTES..)?.first_chunk()
    }

    /// The examined words, with their positions.
    pub(super) fn words(&self) -> impl Iterator<Item = (u8, &'a [u8; WORD_BYTES])> {
        (0_u8..).take(WORDS_MAX).map_while(|at| Some((at, self.word(at)?)))
    }

    /// The address in a word that may be a contract's. The caller's own address is always a mapping
    /// key, even if it has code.
    pub(super) fn contract_like(&self, at: u8) -> Option<Address> {
        let word = self.word(at)?;
        let address = as_address(word)?;
        let is_number = word[..WORD_BYTES - size_of::<u64>()].iter().all(|byte| *byte == 0);
        (!is_number && address != self.caller).then_some(address)
    }
}

/// The address that a word contains; `None` if the word is no address.
pub(super) fn as_address(word: &[u8; WORD_BYTES]) -> Option<Address> {
    let is_padded = word[..PADDING_BYTES].iter().all(|byte| *byte == 0);
    is_padded.then(|| Address::from_word(B256::new(*word)))
}
