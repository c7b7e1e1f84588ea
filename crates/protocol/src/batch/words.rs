//! Columns of addresses and 32-byte words. Calldata has one column per word position after each
//! selector.

use alloc::{boxed::Box, vec::Vec};

use alloy_primitives::{Address, map::AddressMap};

use super::{
    BatchError,
    bytes::ByteModel,
    coder::Coder,
    models::{Decimal, Index, Scalar, Tree},
};

/// The context that all columns share.
#[derive(Clone, Debug)]
pub(super) struct ColumnContext {
    pub(super) addresses: Addresses,
    pub(super) bytes: ByteModel,
    /// The block's time, in seconds, as far as the batch knows it.
    pub(super) time: u64,
    times: Scalar,
}

impl ColumnContext {
    pub(super) fn new(mixed_bytes_max: usize) -> Self {
        Self {
            addresses: Addresses::default(),
            bytes: ByteModel::new(mixed_bytes_max),
            time: 0,
            times: Scalar::default(),
        }
    }
}

/// All addresses of the batch, in order of first appearance.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    list: Vec<Address>,
    index: Index,
    /// Set in a writer only.
    places: AddressMap<u32>,
}

impl Addresses {
    /// Reserves space for new addresses.
    pub(super) fn reserve(&mut self, count: usize) {
        self.places.reserve(count);
        self.list.reserve(count);
    }
}

/// Addresses at one position. An address seen there is coded by its position in the column's list,
/// another known address by its position in the batch, and a new address without a model.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressColumn {
    known: Tree<4>,
    index: Index,
    seen: Vec<usize>,
    /// Set in a writer only. For each position in the batch: the position in `seen` plus 1, or 0.
    places: Vec<u32>,
}

impl AddressColumn {
    const HERE: usize = 0;
    const ELSEWHERE: usize = 1;
    const NEW: usize = 2;

    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        all: &mut Addresses,
        address: Address,
    ) -> Result<Address, BatchError> {
        let place =
            if C::WRITES { all.places.get(&address).map(|place| *place as usize) } else { None };
        let here = place.and_then(|place| self.places.get(place)).filter(|here| **here > 0);
        let here = here.map(|here| *here as usize - 1);
        let known = match (here, place) {
            (Some(_), _) => Self::HERE,
            (None, Some(_)) => Self::ELSEWHERE,
            (None, None) => Self::NEW,
        };
        let place = match self.known.code(coder, known) {
            Self::HERE => {
                let here = self.index.code(coder, here.unwrap_or(0), self.seen.len())?;
                // A writer already has the address, and looking it up costs a cache miss.
                return Ok(if C::WRITES { address } else { all.list[self.seen[here]] });
            }
            Self::ELSEWHERE => all.index.code(coder, place.unwrap_or(0), all.list.len())?,
            Self::NEW => {
                let address = Address::new(coder.plain_bytes(address.0.0)?);
                if C::WRITES {
                    all.places.insert(address, u32::try_from(all.list.len()).unwrap_or(0));
                }
                all.list.push(address);
                all.list.len() - 1
            }
            _ => return Err(BatchError::Malformed("unknown kind of address")),
        };
        if C::WRITES {
            if self.places.len() <= place {
                self.places.resize(all.list.len(), 0);
            }
            self.places[place] = u32::try_from(self.seen.len() + 1).unwrap_or(0);
        }
        self.seen.push(place);
        Ok(all.list[place])
    }
}

/// Words at one position.
#[derive(Clone, Debug, Default)]
pub(super) struct WordColumn {
    class: Tree<8>,
    /// Recent words, repeated words first.
    recent: [[u8; 32]; 4],
    addresses: Option<Box<AddressColumn>>,
    amounts: Option<Box<Decimal>>,
}

/// Maximum seconds between a time and the block's time for the time to be coded as a difference.
const TIME_RANGE: u64 = 1 << 17;

impl WordColumn {
    // Smaller symbols are positions in `recent`.
    const ADDRESS: usize = 4;
    const AMOUNT: usize = 5;
    const TIME: usize = 6;
    const BYTES: usize = 7;

    pub(super) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        shared: &mut ColumnContext,
        word: [u8; 32],
    ) -> Result<[u8; 32], BatchError> {
        let class = if C::WRITES { self.classify(shared.time, &word) } else { 0 };
        let word = match self.class.code(coder, class) {
            Self::ADDRESS => {
                let address = Address::from_slice(&word[12..]);
                let column = self.addresses.get_or_insert_default();
                let address = column.code(coder, &mut shared.addresses, address)?;
                return Ok(address.into_word().0);
            }
            Self::AMOUNT => {
                let column = self.amounts.get_or_insert_default();
                from_number(column.code(coder, to_number(&word))?)
            }
            Self::TIME => {
                let ahead = shared.times.code_u64(coder, zigzag(shared.time, &word))?;
                let sign = (ahead & 1).wrapping_neg();
                from_number(shared.time.wrapping_add((ahead >> 1) ^ sign).into())
            }
            Self::BYTES => {
                let mut bytes = word;
                shared.bytes.code(coder, &mut bytes)?;
                bytes
            }
            place => {
                self.recent[..=place].rotate_right(1);
                return Ok(self.recent[0]);
            }
        };
        self.recent[3] = word;
        Ok(word)
    }

    fn classify(&self, time: u64, word: &[u8; 32]) -> usize {
        if let Some(place) = self.recent.iter().position(|recent| recent == word) {
            return place;
        }
        let first = word.iter().position(|byte| *byte != 0).unwrap_or(32);
        match first {
            0..12 => Self::BYTES,
            12..16 => Self::ADDRESS,
            _ => {
                let number = to_number(word);
                let is_time =
                    |number: u64| time > 64 * TIME_RANGE && number.abs_diff(time) < TIME_RANGE;
                let is_time = u64::try_from(number).is_ok_and(is_time);
                if is_time { Self::TIME } else { Self::AMOUNT }
            }
        }
    }
}

fn to_number(word: &[u8; 32]) -> u128 {
    let mut low = [0; 16];
    low.copy_from_slice(&word[16..]);
    u128::from_be_bytes(low)
}

fn from_number(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}

/// The difference of the number in `word` from `time`, with the sign in the lowest bit.
fn zigzag(time: u64, word: &[u8; 32]) -> u64 {
    let number = u64::try_from(to_number(word)).unwrap_or(0);
    let ahead = number.wrapping_sub(time);
    (ahead << 1) ^ (ahead >> 63).wrapping_neg()
}
