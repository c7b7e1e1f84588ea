//! The columns of a batch: the order and model of each value. The same code reads and writes.

use alloc::{borrow::Cow, vec::Vec};

use alloy_eips::{
    eip2930::AccessListItem,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, U256, map::HashMap};

use super::{
    BatchError, BatchHead, BatchLimits, DepositHint, StateRootPrefix,
    coder::{Chance, Coder},
    fields::{EIP2930, EIP7702, Fields, LEGACY},
    models::{Index, Number, Scalar, Tree},
    words::{AddressColumn, ColumnContext, WordColumn},
};

/// Bytes that a block and a deposit count for.
const BLOCK_BYTES: usize = 64;
const HINT_BYTES: usize = 40;

/// Fewest EIP-2718 bytes of a word of calldata, an access-list item, a storage key and an
/// authorization.
const WORD_BYTES: usize = 32;
const ACCESS_LIST_ITEM_BYTES: usize = 23;
const STORAGE_KEY_BYTES: usize = 33;
const AUTHORIZATION_BYTES: usize = 27;

/// Maximum number of selectors with separate columns. Later ones share the columns of creations.
const CALLS_MAX: usize = 64;

/// Maximum number of calldata words with separate columns. Later words rotate through the last
/// [`LATER_WORDS`].
const WORDS_MAX: usize = 16;
const LATER_WORDS: usize = 8;

/// A block without its transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) step_ms: u64,
    pub(super) state_root: Option<StateRootPrefix>,
    pub(super) transactions: usize,
    pub(super) hints: Vec<DepositHint>,
}

/// The properties that all calls of one function share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Template {
    kind: u8,
    chain_id: Option<u64>,
    is_creation: bool,
    has_access_list: bool,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Shape {
    /// No calldata.
    #[default]
    Empty,
    /// Any bytes.
    Bytes,
    /// A selector, then this many words.
    Words { selector: [u8; 4], count: usize },
}

impl Template {
    fn of(tx: &Fields<'_>) -> Self {
        let shape = match tx.input.split_first_chunk::<4>() {
            _ if tx.input.is_empty() => Shape::Empty,
            Some((selector, rest)) if tx.to.is_some() && rest.len() % 32 == 0 => {
                Shape::Words { selector: *selector, count: rest.len() / 32 }
            }
            _ => Shape::Bytes,
        };
        Self {
            kind: tx.kind,
            chain_id: tx.chain_id,
            is_creation: tx.to.is_none(),
            has_access_list: !tx.access_list.is_empty(),
            shape,
        }
    }
}

/// The templates seen so far, and the models that code a new template.
#[derive(Clone, Debug, Default)]
struct Templates {
    is_new: Tree<2>,
    index: Index,
    seen: Vec<Template>,
    kinds: Tree<8>,
    chain_ids: Scalar,
    flags: [Chance; 2],
    shapes: Tree<4>,
    counts: Number,
    selector_index: Index,
    selectors: Vec<[u8; 4]>,
    /// Set in a writer only.
    places: HashMap<Template, usize>,
    /// Set in a writer only.
    selector_places: HashMap<[u8; 4], usize>,
    /// Position of each template among the calls.
    calls: Vec<usize>,
}

impl Templates {
    /// Codes the position of the transaction's template.
    fn code<C: Coder>(&mut self, coder: &mut C, tx: &Fields<'_>) -> Result<usize, BatchError> {
        let template = if C::WRITES { Template::of(tx) } else { Template::default() };
        let place = if C::WRITES { self.places.get(&template).copied() } else { None };
        if self.is_new.code(coder, usize::from(place.is_none())) == 0 {
            return self.index.code(coder, place.unwrap_or(0), self.seen.len());
        }
        let (template, call) = self.code_new(coder, template)?;
        if C::WRITES {
            self.places.insert(template.clone(), self.seen.len());
        }
        self.seen.push(template);
        self.calls.push(call);
        Ok(self.seen.len() - 1)
    }

    fn code_new<C: Coder>(
        &mut self,
        coder: &mut C,
        mut template: Template,
    ) -> Result<(Template, usize), BatchError> {
        template.kind = self.kinds.code(coder, template.kind.into()).to_le_bytes()[0];
        let chain_id = template.chain_id.map_or(0, |id| u128::from(id) + 1);
        let chain_id = self.chain_ids.code(coder, chain_id)?;
        template.chain_id = match chain_id.checked_sub(1).map(u64::try_from) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(BatchError::Malformed("chain id too long")),
        };
        template.is_creation = coder.bit(&mut self.flags[0], template.is_creation);
        template.has_access_list = coder.bit(&mut self.flags[1], template.has_access_list);
        let is_known = match template.kind {
            LEGACY => !template.has_access_list,
            EIP2930 | super::fields::EIP1559 => template.chain_id.is_some(),
            EIP7702 => template.chain_id.is_some() && !template.is_creation,
            _ => false,
        };
        if !is_known {
            return Err(BatchError::Malformed("no such type of transaction"));
        }
        let shape = match template.shape {
            Shape::Empty => 0,
            Shape::Bytes => 1,
            Shape::Words { .. } => 2,
        };
        let call = match self.shapes.code(coder, shape) {
            0 => {
                template.shape = Shape::Empty;
                0
            }
            1 => {
                template.shape = Shape::Bytes;
                1
            }
            2 if !template.is_creation => {
                let (selector, count) = match template.shape {
                    Shape::Words { selector, count } => (selector, count),
                    _ => ([0; 4], 0),
                };
                let (selector, call) = self.code_selector(coder, selector)?;
                let count = self.counts.code_u64(coder, count as u64)?;
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                template.shape = Shape::Words { selector, count };
                call
            }
            _ => return Err(BatchError::Malformed("no such shape of calldata")),
        };
        Ok((template, call))
    }

    fn code_selector<C: Coder>(
        &mut self,
        coder: &mut C,
        selector: [u8; 4],
    ) -> Result<([u8; 4], usize), BatchError> {
        let count = self.selectors.len();
        let known = if C::WRITES { self.selector_places.get(&selector).copied() } else { None };
        let place = self.selector_index.code(coder, known.unwrap_or(count), count + 1)?;
        if place == count {
            let selector = coder.plain_bytes(selector)?;
            if C::WRITES {
                self.selector_places.insert(selector, count);
            }
            self.selectors.push(selector);
        }
        let call = if place < CALLS_MAX { place + 2 } else { 1 };
        Ok((self.selectors[place], call))
    }
}

/// The columns of one function, of transfers, or of creations.
#[derive(Clone, Debug, Default)]
struct Call {
    to: AddressColumn,
    value: WordColumn,
    gas: Scalar,
    words: Vec<WordColumn>,
}

/// Tips and fees are coded in pairs.
#[derive(Clone, Debug, Default)]
struct Fees {
    is_new: Tree<2>,
    index: Index,
    seen: Vec<(u128, u128)>,
    tips: Scalar,
    rests: Scalar,
    /// Set in a writer only.
    places: HashMap<(u128, u128), usize>,
}

impl Fees {
    fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        tip: u128,
        fee: u128,
    ) -> Result<(u128, u128), BatchError> {
        let place = if C::WRITES { self.places.get(&(tip, fee)).copied() } else { None };
        if self.is_new.code(coder, usize::from(place.is_none())) == 0 {
            let place = self.index.code(coder, place.unwrap_or(0), self.seen.len())?;
            return Ok(self.seen[place]);
        }
        let tip = self.tips.code(coder, tip)?;
        let fee = self.rests.code(coder, fee.wrapping_sub(tip))?.wrapping_add(tip);
        if C::WRITES {
            self.places.insert((tip, fee), self.seen.len());
        }
        self.seen.push((tip, fee));
        Ok((tip, fee))
    }
}

/// All models of a batch.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    limits: BatchLimits,
    /// Bytes so far, as [`BatchLimits::inflated_bytes_max`] counts them.
    inflated_bytes: usize,
    /// The same before the last transaction.
    before_transaction: usize,
    heads: [Number; 2],
    blocks: usize,
    deposits: usize,
    more: Chance,
    is_empty: Chance,
    /// Milliseconds since the reference time.
    elapsed_ms: u64,
    reference_time: u64,
    step_ms: u64,
    steps: Number,
    counts: [Number; 2],
    same_l1_block: Chance,
    last_hint: DepositHint,
    log_indices: Number,
    shared: ColumnContext,
    templates: Templates,
    calls: Vec<Call>,
    nonces: Number,
    fees: Fees,
    high_s: Chance,
    input_bytes: Number,
    lists: Lists,
}

#[derive(Clone, Debug, Default)]
struct Lists {
    items: Number,
    addresses: AddressColumn,
    keys: Number,
    key: WordColumn,
    authorizations: Number,
    chain_id: WordColumn,
    delegate: AddressColumn,
    nonces: Number,
    parities: Number,
}

impl Columns {
    pub(super) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            inflated_bytes: 0,
            before_transaction: 0,
            heads: Default::default(),
            blocks: 0,
            deposits: 0,
            more: Chance::default(),
            is_empty: Chance::default(),
            elapsed_ms: 0,
            reference_time: 0,
            step_ms: 0,
            steps: Number::default(),
            counts: Default::default(),
            same_l1_block: Chance::default(),
            last_hint: DepositHint::default(),
            log_indices: Number::default(),
            shared: ColumnContext::new(limits.mixed_bytes_max),
            templates: Templates::default(),
            calls: Vec::new(),
            nonces: Number::default(),
            fees: Fees::default(),
            high_s: Chance::default(),
            input_bytes: Number::default(),
            lists: Lists::default(),
        }
    }

    /// Counts `count` times `bytes` inflated bytes, before they are allocated.
    fn take(&mut self, count: usize, bytes: usize) -> Result<(), BatchError> {
        let bytes = count.checked_mul(bytes).and_then(|more| self.inflated_bytes.checked_add(more));
        let bytes = bytes.filter(|bytes| *bytes <= self.limits.inflated_bytes_max);
        self.inflated_bytes = bytes.ok_or(BatchError::TooLarge(self.limits.inflated_bytes_max))?;
        Ok(())
    }

    /// Counts the transaction that was coded last with its EIP-2718 bytes, instead of the parts
    /// that were counted while it was read.
    pub(super) fn count_transaction(&mut self, bytes: usize) -> Result<(), BatchError> {
        self.inflated_bytes = self.before_transaction;
        self.take(1, bytes)
    }

    /// Codes the first deposit and the reference time of the batch.
    pub(super) fn head<C: Coder>(
        &mut self,
        coder: &mut C,
        head: BatchHead,
    ) -> Result<BatchHead, BatchError> {
        let first_deposit = self.heads[0].code_u64(coder, head.first_deposit)?;
        let reference_time = self.heads[1].code_u64(coder, head.reference_time)?;
        self.reference_time = reference_time;
        Ok(BatchHead { first_deposit, reference_time })
    }

    /// Whether another block follows.
    pub(super) fn more<C: Coder>(&mut self, coder: &mut C, more: bool) -> bool {
        coder.bit(&mut self.more, more)
    }

    pub(super) fn block<C: Coder>(
        &mut self,
        coder: &mut C,
        block: &BlockHead,
    ) -> Result<BlockHead, BatchError> {
        self.blocks += 1;
        if self.blocks > self.limits.blocks_max {
            return Err(BatchError::TooMany("blocks", self.blocks));
        }
        self.take(1, BLOCK_BYTES)?;
        let is_empty =
            block.transactions == 0 && block.hints.is_empty() && block.step_ms == self.step_ms;
        if coder.bit(&mut self.is_empty, is_empty) {
            self.elapse();
            return Ok(BlockHead { step_ms: self.step_ms, ..BlockHead::default() });
        }
        self.step_ms = self.steps.code_u64(coder, block.step_ms)?;
        self.elapse();
        let transactions = self.count(coder, 0, block.transactions)?;
        if transactions > self.limits.block_transactions_max {
            return Err(BatchError::TooMany("transactions of a block", transactions));
        }
        let deposits = self.count(coder, 1, block.hints.len())?;
        self.deposits = self.deposits.saturating_add(deposits);
        if self.deposits > self.limits.deposits_max {
            return Err(BatchError::TooMany("deposits", self.deposits));
        }
        self.take(deposits, HINT_BYTES)?;
        let mut hints = Vec::with_capacity(deposits);
        for place in 0..deposits {
            let hint = block.hints.get(place).copied().unwrap_or_default();
            hints.push(self.hint(coder, hint)?);
        }
        if C::WRITES {
            self.shared.addresses.reserve(transactions);
        }
        let state_root = block.state_root.unwrap_or_default();
        let state_root = match transactions {
            0 => None,
            _ => Some(StateRootPrefix::new(coder.plain_bytes(state_root.0)?)),
        };
        Ok(BlockHead { step_ms: self.step_ms, state_root, transactions, hints })
    }

    /// Adds the block's step to the time near which words are coded.
    const fn elapse(&mut self) {
        self.elapsed_ms = self.elapsed_ms.saturating_add(self.step_ms);
        self.shared.time = self.reference_time.saturating_add(self.elapsed_ms / 1_000);
    }

    fn count<C: Coder>(
        &mut self,
        coder: &mut C,
        of: usize,
        count: usize,
    ) -> Result<usize, BatchError> {
        let count = self.counts[of].code_u64(coder, count as u64)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn hint<C: Coder>(
        &mut self,
        coder: &mut C,
        hint: DepositHint,
    ) -> Result<DepositHint, BatchError> {
        let mut last = self.last_hint;
        if !coder.bit(&mut self.same_l1_block, hint.l1_block_hash == last.l1_block_hash) {
            let hash = coder.plain_bytes(hint.l1_block_hash.0)?;
            last = DepositHint { l1_block_hash: B256::new(hash), log_index: 0 };
        }
        let ahead = hint.log_index.wrapping_sub(last.log_index);
        let ahead = self.log_indices.code_u64(coder, ahead)?;
        last.log_index = last.log_index.wrapping_add(ahead);
        self.last_hint = last;
        Ok(last)
    }

    pub(super) fn transaction<C: Coder>(
        &mut self,
        coder: &mut C,
        tx: &Fields<'_>,
    ) -> Result<Fields<'static>, BatchError> {
        self.before_transaction = self.inflated_bytes;
        let template = self.templates.code(coder, tx)?;
        let place = self.templates.calls[template];
        if self.calls.len() <= place {
            self.calls.resize_with(place + 1, Call::default);
        }
        let template = &self.templates.seen[template];
        let (kind, chain_id, shape) = (template.kind, template.chain_id, template.shape);
        let (is_creation, has_access_list) = (template.is_creation, template.has_access_list);
        let call = &mut self.calls[place];

        let to = match is_creation {
            true => None,
            false => {
                let to = tx.to.unwrap_or_default();
                Some(call.to.code(coder, &mut self.shared.addresses, to)?)
            }
        };
        let gas = call.gas.code_u64(coder, tx.gas)?;
        let value = call.value.code(coder, &mut self.shared, tx.value)?;
        let nonce = self.nonces.code_u64(coder, tx.nonce)?;
        let (tip, fee) = self.fees.code(coder, tx.tip, tx.fee)?;
        if matches!(kind, LEGACY | EIP2930) && tip != 0 {
            return Err(BatchError::Malformed("a tip beside a gas price"));
        }
        let input = self.input(coder, place, shape, &tx.input)?;
        let mut lists = (Vec::new(), Vec::new());
        if has_access_list {
            lists.0 = self.access_list(coder, &tx.access_list)?;
        }
        if kind == EIP7702 {
            lists.1 = self.authorizations(coder, &tx.authorizations)?;
        }
        let r = coder.plain_bytes(tx.r)?;
        let (s, parity) = self.s_and_parity(coder, tx.s, tx.parity)?;
        Ok(Fields {
            kind,
            chain_id,
            nonce,
            tip,
            fee,
            gas,
            to,
            value,
            input: Cow::Owned(input),
            access_list: lists.0,
            authorizations: lists.1,
            parity,
            r,
            s,
        })
    }

    /// Codes the calldata. A writer returns nothing, because it has the calldata already.
    fn input<C: Coder>(
        &mut self,
        coder: &mut C,
        call: usize,
        shape: Shape,
        input: &[u8],
    ) -> Result<Vec<u8>, BatchError> {
        match shape {
            Shape::Empty => Ok(Vec::new()),
            Shape::Bytes => {
                let count = self.input_bytes.code_u64(coder, input.len() as u64)?;
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                self.take(count, 1)?;
                let mut bytes = if C::WRITES { input.to_vec() } else { alloc::vec![0; count] };
                self.shared.bytes.code(coder, &mut bytes)?;
                let is_words = count >= 4 && count % 32 == 4 && call != 1;
                if count == 0 || is_words {
                    return Err(BatchError::Malformed("calldata has another shape"));
                }
                Ok(bytes)
            }
            Shape::Words { selector, count } => {
                self.take(count, WORD_BYTES)?;
                let mut bytes = Vec::new();
                if !C::WRITES {
                    bytes.reserve_exact(4 + 32 * count);
                    bytes.extend_from_slice(&selector);
                }
                let words = &mut self.calls[call].words;
                let (given, _) = input.get(4..).unwrap_or_default().as_chunks::<32>();
                for place in 0..count {
                    let column = match place {
                        0..WORDS_MAX => place,
                        _ => WORDS_MAX - LATER_WORDS + place % LATER_WORDS,
                    };
                    if words.len() <= column {
                        words.resize_with(column + 1, WordColumn::default);
                    }
                    let word = given.get(place).copied().unwrap_or_default();
                    let word = words[column].code(coder, &mut self.shared, word)?;
                    if !C::WRITES {
                        bytes.extend_from_slice(&word);
                    }
                }
                Ok(bytes)
            }
        }
    }

    fn access_list<C: Coder>(
        &mut self,
        coder: &mut C,
        list: &[AccessListItem],
    ) -> Result<Vec<AccessListItem>, BatchError> {
        let count = self.lists.items.code_u64(coder, list.len() as u64)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count == 0 {
            return Err(BatchError::Malformed("an empty access list"));
        }
        self.take(count, ACCESS_LIST_ITEM_BYTES)?;
        let mut items = Vec::with_capacity(count);
        for place in 0..count {
            let (address, keys) = list
                .get(place)
                .map_or((Address::ZERO, &[][..]), |item| (item.address, &item.storage_keys));
            let lists = &mut self.lists;
            let address = lists.addresses.code(coder, &mut self.shared.addresses, address)?;
            let count = lists.keys.code_u64(coder, keys.len() as u64)?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            self.take(count, STORAGE_KEY_BYTES)?;
            let mut storage_keys = Vec::with_capacity(count);
            for place in 0..count {
                let key = keys.get(place).copied().unwrap_or_default();
                let key = self.lists.key.code(coder, &mut self.shared, key.0)?;
                storage_keys.push(B256::new(key));
            }
            items.push(AccessListItem { address, storage_keys });
        }
        Ok(items)
    }

    fn authorizations<C: Coder>(
        &mut self,
        coder: &mut C,
        list: &[SignedAuthorization],
    ) -> Result<Vec<SignedAuthorization>, BatchError> {
        let count = self.lists.authorizations.code_u64(coder, list.len() as u64)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.take(count, AUTHORIZATION_BYTES)?;
        let mut items = Vec::with_capacity(count);
        for place in 0..count {
            items.push(self.authorization(coder, list.get(place))?);
        }
        Ok(items)
    }

    fn authorization<C: Coder>(
        &mut self,
        coder: &mut C,
        given: Option<&SignedAuthorization>,
    ) -> Result<SignedAuthorization, BatchError> {
        let inner = given.map(|given| given.inner().clone());
        let inner = inner.unwrap_or(Authorization {
            chain_id: U256::ZERO,
            address: Address::ZERO,
            nonce: 0,
        });
        let (parity, r, s) =
            given.map_or_else(Default::default, |given| (given.y_parity(), given.r(), given.s()));
        let lists = &mut self.lists;
        let chain_id = inner.chain_id.to_be_bytes();
        let chain_id = lists.chain_id.code(coder, &mut self.shared, chain_id)?;
        let address = lists.delegate.code(coder, &mut self.shared.addresses, inner.address)?;
        let nonce = lists.nonces.code_u64(coder, inner.nonce)?;
        let parity = lists.parities.code_u64(coder, parity.into())?;
        let parity =
            u8::try_from(parity).map_err(|_| BatchError::Malformed("a parity beyond a byte"))?;
        let r = U256::from_be_bytes(coder.plain_bytes(r.to_be_bytes::<32>())?);
        let s = U256::from_be_bytes(coder.plain_bytes(s.to_be_bytes::<32>())?);
        let inner = Authorization { chain_id: U256::from_be_bytes(chain_id), address, nonce };
        Ok(SignedAuthorization::new_unchecked(inner, parity, r, s))
    }

    /// The parity is stored in the highest bit of `s`, which no valid signature sets (EIP-2).
    fn s_and_parity<C: Coder>(
        &mut self,
        coder: &mut C,
        mut s: [u8; 32],
        parity: bool,
    ) -> Result<([u8; 32], bool), BatchError> {
        const HIGHEST: u8 = 0x80;
        if coder.bit(&mut self.high_s, s[0] & HIGHEST != 0) {
            let s = coder.plain_bytes(s)?;
            let parity = coder.plain(parity.into(), 1)? == 1;
            return match s[0] & HIGHEST {
                0 => Err(BatchError::Malformed("a low s among the high ones")),
                _ => Ok((s, parity)),
            };
        }
        s[0] |= if parity { HIGHEST } else { 0 };
        let mut s = coder.plain_bytes(s)?;
        let parity = s[0] & HIGHEST != 0;
        s[0] &= !HIGHEST;
        Ok((s, parity))
    }
}

#[cfg(test)]
mod tests {
    use alloy_eips::eip2718::Encodable2718 as _;

    use super::{super::fields::EIP1559, *};

    const LIMITS: BatchLimits = BatchLimits {
        blocks_max: usize::MAX,
        block_transactions_max: usize::MAX,
        deposits_max: usize::MAX,
        inflated_bytes_max: 1 << 20,
        mixed_bytes_max: 0,
    };

    /// Counts the bits that models learn.
    #[derive(Default)]
    struct ModelledBits(u32);

    impl Coder for ModelledBits {
        const WRITES: bool = true;

        fn bit(&mut self, _: &mut Chance, bit: bool) -> bool {
            self.0 += 1;
            bit
        }

        fn bit_by(&mut self, _: u32, _: bool) -> bool {
            unreachable!("no byte is mixed")
        }

        fn plain(&mut self, value: u64, _: u32) -> Result<u64, BatchError> {
            Ok(value)
        }
    }

    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0.rotate_right(29) ^ (self.0 >> 7)
        }

        /// A number of any length.
        fn number(&mut self) -> u64 {
            let bits = self.next() % 64;
            self.next() >> bits
        }

        fn word(&mut self) -> [u8; 32] {
            let zeros = usize::try_from(self.next() % 33).unwrap_or(0);
            let mut word = [0; 32];
            word[zeros..].fill_with(|| self.next().to_le_bytes()[0]);
            word
        }

        fn words(&mut self, most: u64) -> Vec<[u8; 32]> {
            (0..self.next() % most).map(|_| self.word()).collect()
        }

        fn address(&mut self) -> Address {
            Address::from_slice(&self.word()[12..])
        }

        fn fields(&mut self) -> Fields<'static> {
            let kind = [LEGACY, EIP2930, EIP1559, EIP7702];
            let kind = kind[usize::try_from(self.next() % 4).unwrap_or(0)];
            let input = [&[7; 4][..], &self.words(4).concat()].concat();
            let input = if self.next() & 1 == 0 { input } else { Vec::new() };
            let is_listed = kind != LEGACY && self.next() & 1 == 0;
            let item = |random: &mut Self| AccessListItem {
                address: random.address(),
                storage_keys: random.words(3).into_iter().map(B256::new).collect(),
            };
            let authorization = |random: &mut Self| {
                let chain_id = U256::from_be_bytes(random.word());
                let (address, nonce) = (random.address(), random.number());
                let inner = Authorization { chain_id, address, nonce };
                SignedAuthorization::new_unchecked(inner, 0, U256::ZERO, U256::ZERO)
            };
            let has_tip = kind == EIP1559 || kind == EIP7702;
            Fields {
                kind,
                chain_id: (kind != LEGACY || self.next() & 1 == 0).then(|| self.number()),
                nonce: self.number(),
                tip: if has_tip { self.number().into() } else { 0 },
                fee: self.number().into(),
                gas: self.number(),
                to: Some(self.address()),
                value: self.word(),
                input: Cow::Owned(input),
                access_list: if is_listed {
                    (0..3).map(|_| item(self)).collect()
                } else {
                    Vec::new()
                },
                authorizations: if kind == EIP7702 {
                    (0..2).map(|_| authorization(self)).collect()
                } else {
                    Vec::new()
                },
                parity: false,
                r: [0; 32],
                s: [0; 32],
            }
        }
    }

    /// A modelled bit takes a reader some nanoseconds and a plain byte one, so that all but mixed
    /// bytes decode in 20 ns each. No signature here has a byte: real ones add 64 plain bytes.
    #[test]
    fn transactions_take_few_modelled_bits_for_each_byte() {
        let mut random = Random(1);
        let mut worst = 0f64;
        for _ in 0..50 {
            let mut columns = Columns::new(LIMITS);
            for _ in 0..200 {
                let fields = random.fields();
                let mut bits = ModelledBits::default();
                columns.transaction(&mut bits, &fields).expect("within the limits");
                let bytes = fields.into_envelope().expect("a transaction").encode_2718_len();
                columns.count_transaction(bytes).expect("within the limits");
                worst = worst.max(f64::from(bits.0) / (bytes + 64) as f64);
            }
        }
        assert!(worst < 2.0, "{worst} bits");
    }
}
