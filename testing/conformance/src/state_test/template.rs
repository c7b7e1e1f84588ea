//! The transaction of a state test, with several data, gas limits and values to choose from.

use std::fmt;

use alloy::signers::local::PrivateKeySigner;
use alloy_consensus::{
    SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use serde::Deserialize;
use turnpike_executor::BlockTx;
use turnpike_protocol::{SignedTx, TxEnvelope};

use crate::{
    error::{FormatError, OutOfRange},
    quantity::Quantity,
    transaction::TestTransaction,
};

/// Chain id of the transactions.
const CHAIN_ID: u64 = 1;

/// Selects data, gas limit and value.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Indexes {
    pub(crate) data: usize,
    pub(crate) gas: usize,
    pub(crate) value: usize,
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, gas, value } = self;
        write!(f, "d{data}g{gas}v{value}")
    }
}

/// A transaction with several data, gas limits and values to choose from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionTemplate {
    data: Vec<Bytes>,
    gas_limit: Vec<Quantity>,
    value: Vec<Quantity>,
    nonce: Quantity,
    secret_key: Option<B256>,
    sender: Option<Address>,
    to: Option<String>,
    gas_price: Option<Quantity>,
    max_fee_per_gas: Option<Quantity>,
    max_priority_fee_per_gas: Option<Quantity>,
    access_lists: Option<Vec<Option<Vec<AccessItem>>>>,
    blob_versioned_hashes: Option<Vec<B256>>,
    max_fee_per_blob_gas: Option<Quantity>,
    authorization_list: Option<Vec<SignedAuthority>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessItem {
    address: Address,
    storage_keys: Vec<Quantity>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedAuthority {
    chain_id: Quantity,
    address: Address,
    nonce: Quantity,
    /// The parity has either name, or both.
    y_parity: Option<Quantity>,
    v: Option<Quantity>,
    r: Quantity,
    s: Quantity,
}

impl TransactionTemplate {
    /// The sender: the key's address, or the address in the file. They must agree.
    pub(crate) fn sender(&self) -> Result<Address, FormatError> {
        let content = |text: String| Err(FormatError::Content(text));
        let by_key = self.signer()?.map(|signer| signer.address());
        match (self.sender, by_key) {
            (Some(sender), Some(by_key)) if sender != by_key => {
                content(format!("sender is {sender}, but the secretKey's address is {by_key}"))
            }
            (Some(sender), _) | (None, Some(sender)) => Ok(sender),
            (None, None) => content("neither sender nor secretKey".to_owned()),
        }
    }

    /// The signer, if the test gives its key.
    pub(crate) fn signer(&self) -> Result<Option<PrivateKeySigner>, FormatError> {
        let signer = self.secret_key.as_ref().map(PrivateKeySigner::from_bytes).transpose();
        signer.map_err(|_| FormatError::Content("secretKey is not a private key".to_owned()))
    }

    /// The transaction of one variant. The inner error means that no encoding can hold it.
    pub(crate) fn at(
        &self,
        indexes: &Indexes,
        sender: Address,
    ) -> Result<Result<TestTransaction, OutOfRange>, FormatError> {
        let lacking = || FormatError::Content(format!("{indexes} is not in the transaction"));
        let choice = TransactionVariant {
            sender,
            input: self.data.get(indexes.data).ok_or_else(lacking)?,
            gas_limit: self.gas_limit.get(indexes.gas).ok_or_else(lacking)?,
            value: self.value.get(indexes.value).ok_or_else(lacking)?,
            access_list: match &self.access_lists {
                Some(lists) => lists.get(indexes.data).ok_or_else(lacking)?.as_deref(),
                None => None,
            },
        };
        Ok(self.transaction(&choice))
    }

    /// Builds the transaction. The fields that are present tell its type.
    fn transaction(&self, choice: &TransactionVariant<'_>) -> Result<TestTransaction, OutOfRange> {
        let TransactionVariant { sender, input, gas_limit, value, access_list } = *choice;
        let (nonce, input, chain_id) = (self.nonce.u64("nonce")?, input.clone(), CHAIN_ID);
        let (gas_limit, value) = (gas_limit.u64("gasLimit")?, value.u256("value")?);
        let gas_price = price(self.gas_price.as_ref(), "gasPrice")?;
        let max_fee_per_gas = price(self.max_fee_per_gas.as_ref(), "maxFeePerGas")?;
        let max_priority_fee_per_gas =
            price(self.max_priority_fee_per_gas.as_ref(), "maxPriorityFeePerGas")?;
        let to = self.to()?;
        let callee = to.to().copied().ok_or_else(|| OutOfRange { field: "to", value: "".into() });
        let has_access_list = access_list.is_some();
        let access_list = AccessList(all(access_list.unwrap_or_default(), AccessItem::item)?);

        let envelope = if let Some(list) = &self.authorization_list {
            let (to, authorization_list) = (callee?, all(list, SignedAuthority::signed)?);
            unsigned(TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                authorization_list,
                input,
            })
        } else if self.blob_versioned_hashes.is_some() || self.max_fee_per_blob_gas.is_some() {
            let tx = TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: callee?,
                value,
                access_list,
                input,
                blob_versioned_hashes: self.blob_versioned_hashes.clone().unwrap_or_default(),
                max_fee_per_blob_gas: price(
                    self.max_fee_per_blob_gas.as_ref(),
                    "maxFeePerBlobGas",
                )?,
            };
            return Ok(TestTransaction::Blob { tx: Box::new(tx), sender, hash: B256::ZERO });
        } else if self.max_fee_per_gas.is_some() {
            unsigned(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            })
        } else if has_access_list {
            unsigned(TxEip2930 {
                chain_id,
                nonce,
                gas_price,
                gas_limit,
                to,
                value,
                access_list,
                input,
            })
        } else {
            unsigned(TxLegacy { chain_id: None, nonce, gas_price, gas_limit, to, value, input })
        };
        Ok(TestTransaction::Product(BlockTx::User(SignedTx::new_unchecked(envelope, sender))))
    }

    fn to(&self) -> Result<TxKind, OutOfRange> {
        match self.to.as_deref() {
            None | Some("") => Ok(TxKind::Create),
            Some(text) => text
                .parse()
                .map(TxKind::Call)
                .map_err(|_| OutOfRange { field: "to", value: text.to_owned() }),
        }
    }
}

/// One variant of the template.
#[derive(Clone, Copy)]
struct TransactionVariant<'a> {
    sender: Address,
    input: &'a Bytes,
    gas_limit: &'a Quantity,
    value: &'a Quantity,
    access_list: Option<&'a [AccessItem]>,
}

/// A transaction with a dummy signature: its sender is known.
fn unsigned<T: SignableTransaction<Signature>>(tx: T) -> TxEnvelope
where
    TxEnvelope: From<Signed<T>>,
{
    tx.into_signed(Signature::new(U256::ONE, U256::ONE, false)).into()
}

fn price(price: Option<&Quantity>, field: &'static str) -> Result<u128, OutOfRange> {
    price.map_or(Ok(0), |price| price.u128(field))
}

fn all<T, U>(
    items: &[T],
    read: impl Fn(&T) -> Result<U, OutOfRange>,
) -> Result<Vec<U>, OutOfRange> {
    items.iter().map(read).collect()
}

impl AccessItem {
    fn item(&self) -> Result<AccessListItem, OutOfRange> {
        let storage_keys = all(&self.storage_keys, |key| key.word("storageKeys"))?;
        Ok(AccessListItem { address: self.address, storage_keys })
    }
}

impl SignedAuthority {
    fn signed(&self) -> Result<SignedAuthorization, OutOfRange> {
        let authorization = Authorization {
            chain_id: self.chain_id.u256("chainId")?,
            address: self.address,
            nonce: self.nonce.u64("nonce")?,
        };
        let parity = self.y_parity.as_ref().or(self.v.as_ref());
        let parity = parity.map_or(Ok(0), |parity| parity.u8("yParity"))?;
        let (r, s) = (self.r.u256("r")?, self.s.u256("s")?);
        Ok(SignedAuthorization::new_unchecked(authorization, parity, r, s))
    }
}
