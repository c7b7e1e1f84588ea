//! A transaction's fields, as the columns code them. They convert from bytes and to an envelope.

use alloc::{borrow::Cow, vec::Vec};

use alloy_consensus::{Signed, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::SignedAuthorization,
};
use alloy_primitives::{Address, Signature, TxKind, U256};
use alloy_rlp::{Decodable, Encodable, Header};

use crate::TxEnvelope;

pub(super) const LEGACY: u8 = 0;
pub(super) const EIP2930: u8 = 1;
pub(super) const EIP1559: u8 = 2;
pub(super) const EIP7702: u8 = 4;

/// The fields of the four transaction types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    /// One of [`LEGACY`], [`EIP2930`], [`EIP1559`] and [`EIP7702`].
    pub(super) kind: u8,
    /// `None` for legacy transactions without replay protection.
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    /// Zero for types with a gas price.
    pub(super) tip: u128,
    /// Maximum fee, or the gas price.
    pub(super) fee: u128,
    pub(super) gas: u64,
    /// `None` for creations.
    pub(super) to: Option<Address>,
    pub(super) value: [u8; 32],
    pub(super) input: Cow<'a, [u8]>,
    pub(super) access_list: Vec<AccessListItem>,
    pub(super) authorizations: Vec<SignedAuthorization>,
    pub(super) parity: bool,
    pub(super) r: [u8; 32],
    pub(super) s: [u8; 32],
}

impl<'a> Fields<'a> {
    /// Reads canonical EIP-2718 bytes without copying the calldata. Returns `None` if they are not
    /// canonical.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, mut rest) = match *bytes.first()? {
            kind @ (EIP2930 | EIP1559 | EIP7702) => (kind, &bytes[1..]),
            0xc0.. => (LEGACY, bytes),
            _ => return None,
        };
        let mut fields = list(&mut rest)?;
        if !rest.is_empty() {
            return None;
        }
        let rest = &mut fields;
        let mut tx = Self { kind, ..Self::default() };
        if kind != LEGACY {
            tx.chain_id = Some(number(rest)?);
        }
        tx.nonce = number(rest)?;
        if matches!(kind, EIP1559 | EIP7702) {
            tx.tip = wide(rest)?;
        }
        tx.fee = wide(rest)?;
        tx.gas = number(rest)?;
        tx.to = match string(rest)? {
            [] if kind != EIP7702 => None,
            to => Some(Address::try_from(to).ok()?),
        };
        tx.value = word(rest)?;
        tx.input = Cow::Borrowed(string(rest)?);
        if kind != LEGACY {
            tx.access_list = items(rest)?;
        }
        if kind == EIP7702 {
            tx.authorizations = items(rest)?;
        }
        match kind {
            LEGACY => (tx.parity, tx.chain_id) = from_v(wide(rest)?)?,
            _ => tx.parity = from_parity(number(rest)?)?,
        }
        tx.r = word(rest)?;
        tx.s = word(rest)?;
        rest.is_empty().then_some(tx)
    }

    /// The transaction; `None` if its type does not allow its chain id or recipient.
    pub(super) fn into_envelope(self) -> Option<TxEnvelope> {
        let value = U256::from_be_bytes(self.value);
        let signature =
            Signature::new(U256::from_be_bytes(self.r), U256::from_be_bytes(self.s), self.parity);
        let (nonce, gas_limit) = (self.nonce, self.gas);
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let input = self.input.into_owned().into();
        let access_list = AccessList(self.access_list);
        Some(match self.kind {
            LEGACY => {
                let (chain_id, gas_price) = (self.chain_id, self.fee);
                let tx = TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input };
                Signed::new_unhashed(tx, signature).into()
            }
            EIP2930 => {
                let (chain_id, gas_price) = (self.chain_id?, self.fee);
                let tx = TxEip2930 {
                    chain_id,
                    nonce,
                    gas_price,
                    gas_limit,
                    to,
                    value,
                    access_list,
                    input,
                };
                Signed::new_unhashed(tx, signature).into()
            }
            EIP1559 => {
                let tx = TxEip1559 {
                    chain_id: self.chain_id?,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: self.fee,
                    max_priority_fee_per_gas: self.tip,
                    to,
                    value,
                    access_list,
                    input,
                };
                Signed::new_unhashed(tx, signature).into()
            }
            EIP7702 => {
                let tx = TxEip7702 {
                    chain_id: self.chain_id?,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: self.fee,
                    max_priority_fee_per_gas: self.tip,
                    to: self.to?,
                    value,
                    access_list,
                    authorization_list: self.authorizations,
                    input,
                };
                Signed::new_unhashed(tx, signature).into()
            }
            _ => return None,
        })
    }
}

/// The payload of a list or string, and whether it is a list.
fn payload<'a>(rest: &mut &'a [u8]) -> Option<(bool, &'a [u8])> {
    // A byte that is its own encoding is the most common case and slow on the general path.
    let header = Header::decode(rest).ok()?;
    let (payload, after) = rest.split_at_checked(header.payload_length)?;
    *rest = after;
    Some((header.list, payload))
}

fn list<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    payload(rest).and_then(|(is_list, payload)| is_list.then_some(payload))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    payload(rest).and_then(|(is_list, payload)| (!is_list).then_some(payload))
}

fn word(rest: &mut &[u8]) -> Option<[u8; 32]> {
    let bytes = string(rest)?;
    let mut word = [0; 32];
    let at = word.len().checked_sub(bytes.len())?;
    word[at..].copy_from_slice(bytes);
    (bytes.first() != Some(&0)).then_some(word)
}

fn wide(rest: &mut &[u8]) -> Option<u128> {
    let bytes = string(rest)?;
    if bytes.len() > 16 || bytes.first() == Some(&0) {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte)))
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    u64::try_from(wide(rest)?).ok()
}

/// The items of a list, if encoding them gives the same bytes.
fn items<T: Decodable + Encodable>(rest: &mut &[u8]) -> Option<Vec<T>> {
    let bytes = list(rest)?;
    let mut left = bytes;
    let mut items = Vec::new();
    while !left.is_empty() {
        items.push(T::decode(&mut left).ok()?);
    }
    let mut again = Vec::new();
    items.iter().for_each(|item| item.encode(&mut again));
    (again == bytes).then_some(items)
}

fn from_parity(value: u64) -> Option<bool> {
    (value < 2).then_some(value == 1)
}

/// Parity and chain id in a legacy transaction's `v` (EIP-155).
fn from_v(v: u128) -> Option<(bool, Option<u64>)> {
    match v {
        27 | 28 => Some((v == 28, None)),
        35.. => Some(((v - 35) % 2 == 1, Some(u64::try_from((v - 35) / 2).ok()?))),
        _ => None,
    }
}
