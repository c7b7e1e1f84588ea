//! Reads a block, its pre-state and its block hashes from a folder.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    sync::Arc,
};

use alloy_consensus::{Header, Transaction as _, TxEnvelope as EthereumTx};
use alloy_primitives::{Address, B256, Bytes, TxKind, U8, U64, U128, U256};
use flate2::bufread::GzDecoder;
use op_alloy_consensus::TxDeposit;
use serde::{Deserialize, de::DeserializeOwned};
use turnpike_executor::BlockTx;
use turnpike_state::NodeState;

use crate::{
    error::FormatError,
    execute::{Fork, PreAccount, state_of},
    quantity::Quantity,
    signed,
    transaction::{DEPOSIT, TestTransaction},
};

/// A block, the state that it touches and the block hashes that it reads.
#[derive(Debug)]
pub(super) struct BlockFile {
    pub(super) header: Header,
    /// EIP-155 chain id that the transactions name. If none does: 0 in a block with deposits, else
    /// 1.
    pub(super) chain_id: u64,
    pub(super) transactions: Vec<RpcTransaction>,
    pub(super) state: NodeState,
    pub(super) hashes: BTreeMap<u64, B256>,
}

/// `block.json`: what `eth_getBlockByHash` returns.
#[derive(Deserialize)]
struct RpcBlock {
    #[serde(flatten)]
    header: Header,
    transactions: Vec<serde_json::Value>,
}

/// Fields of every transaction.
#[derive(Deserialize)]
struct TransactionIdentity {
    hash: B256,
    from: Address,
    #[serde(default, rename = "type")]
    tx_type: U8,
}

/// A transaction of a block, with the hash and sender that the file states.
#[derive(Debug)]
pub(super) struct RpcTransaction {
    pub(super) hash: B256,
    pub(super) from: Address,
    body: TransactionBody,
}

#[derive(Debug)]
enum TransactionBody {
    /// An OP-stack deposit.
    Deposit(RpcDeposit),
    /// A signed transaction.
    Signed(Box<EthereumTx>),
}

/// A deposit in JSON-RPC's form.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RpcDeposit {
    source_hash: B256,
    to: Option<Address>,
    mint: Option<U128>,
    value: U256,
    gas: U64,
    input: Bytes,
    #[serde(default)]
    is_system_tx: bool,
}

/// An account of `pre_state.json`.
#[derive(Deserialize)]
struct PreStateAccount {
    balance: U256,
    nonce: Quantity,
    code_hash: Option<B256>,
    #[serde(default)]
    storage: BTreeMap<U256, U256>,
}

impl BlockFile {
    /// Reads `block.json` and `pre_state.json` in a folder, and `codes.json` and
    /// `block_hashes.json` in it or in its parent.
    pub(super) fn load(directory: &Path) -> Result<Self, FormatError> {
        let block: RpcBlock = required(directory, "block.json")?;
        let accounts: BTreeMap<Address, PreStateAccount> = required(directory, "pre_state.json")?;
        let RpcBlock { header, transactions } = block;
        let transactions =
            transactions.into_iter().map(RpcTransaction::parse).collect::<Result<Vec<_>, _>>()?;
        let chain_id = transactions.iter().find_map(|transaction| match &transaction.body {
            TransactionBody::Signed(tx) => tx.chain_id(),
            TransactionBody::Deposit(_) => None,
        });
        let hashes: BTreeMap<u64, B256> =
            shared(directory, "block_hashes.json")?.unwrap_or_default();
        let codes: BTreeMap<B256, Bytes> = shared(directory, "codes.json")?.unwrap_or_default();
        let account = |(address, account): (Address, PreStateAccount)| {
            let code = match account.code_hash {
                Some(hash) => codes.get(&hash).cloned().ok_or_else(|| {
                    FormatError::Content(format!("code {hash} of {address} is missing"))
                })?,
                None => Bytes::new(),
            };
            let nonce = account.nonce.u64("nonce")?;
            let PreStateAccount { balance, storage, .. } = account;
            Ok((address, PreAccount { balance, nonce, code, storage }))
        };
        let accounts =
            accounts.into_iter().map(account).collect::<Result<Vec<_>, FormatError>>()?;
        let has_deposits =
            transactions.iter().any(|tx| matches!(tx.body, TransactionBody::Deposit(_)));
        let chain_id = chain_id.unwrap_or_else(|| u64::from(!has_deposits));
        let state = state_of(accounts);
        Ok(Self { header, chain_id, transactions, state, hashes })
    }
}

impl RpcTransaction {
    fn parse(json: serde_json::Value) -> Result<Self, serde_json::Error> {
        let TransactionIdentity { hash, from, tx_type } = TransactionIdentity::deserialize(&json)?;
        let body = if tx_type == U8::from(DEPOSIT) {
            TransactionBody::Deposit(serde_json::from_value(json)?)
        } else {
            TransactionBody::Signed(serde_json::from_value(json)?)
        };
        Ok(Self { hash, from, body })
    }

    /// Converts the transaction for the executor, checking its signature.
    pub(super) fn into_test(self, fork: Fork) -> Result<TestTransaction, String> {
        match self.body {
            TransactionBody::Signed(tx) => signed::of_block(*tx, fork),
            TransactionBody::Deposit(deposit) => {
                let RpcDeposit { source_hash, to, mint, value, gas, input, is_system_tx } = deposit;
                let deposit = TxDeposit {
                    source_hash,
                    from: self.from,
                    to: to.map_or(TxKind::Create, TxKind::Call),
                    mint: mint.unwrap_or_default().to(),
                    value,
                    gas_limit: gas.to(),
                    is_system_transaction: is_system_tx,
                    input,
                };
                Ok(TestTransaction::Product(BlockTx::Deposit(Arc::new(deposit.into()))))
            }
        }
    }
}

/// Reads a file in the folder; a missing file is an error.
fn required<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<T, FormatError> {
    read(directory, name)?.ok_or_else(|| FormatError::Content(format!("{name} is missing")))
}

/// Reads a file in the folder or in its parent.
fn shared<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>, FormatError> {
    match (read(directory, name)?, directory.parent()) {
        (None, Some(parent)) => read(parent, name),
        (found, _) => Ok(found),
    }
}

/// Reads a file, compressed if it is named `*.gz`; `None` if there is neither.
fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>, FormatError> {
    let mut text = Vec::new();
    if let Some(file) = open(&directory.join(format!("{name}.gz")))? {
        GzDecoder::new(BufReader::new(file)).read_to_end(&mut text)?;
    } else if let Some(mut file) = open(&directory.join(name))? {
        file.read_to_end(&mut text)?;
    } else {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

fn open(path: &Path) -> Result<Option<File>, io::Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
