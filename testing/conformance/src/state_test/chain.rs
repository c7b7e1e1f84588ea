//! Turns state tests into chains: the pre-state is the genesis, and L1 holds one batch with the
//! transaction.

use std::{collections::BTreeMap, path::Path};

use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{
    SignableTransaction, Signed, Transaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy,
};
use alloy_primitives::Signature;
use serde_json::value::RawValue;
use turnpike_executor::BlockTransaction as _;
use turnpike_protocol::{
    Batch, BatchBlock, Effort, Genesis, GenesisAccount, StateRootPrefix, TxEnvelope,
    decode_transaction,
};

use super::format::{Post, StateTest};
use crate::{
    ConformanceError,
    error::FormatError,
    execute::PreAccount,
    fork,
    report::TestKind,
    suite::{SuiteItem, discover},
    test_file::{kind_of, tests_of},
    transaction::TestTransaction,
};

/// A state test as a chain that ends with its first block.
#[derive(Clone, Debug)]
pub struct StateChain {
    /// `suite/file::test` and the variant.
    pub name: String,
    /// The test's accounts, chain id and base fee, and Turnpike's predeploys. L1 data is free.
    pub genesis: Genesis,
    /// Timestamp of the block, in seconds.
    pub timestamp: u64,
    /// A batch of one block with the transaction.
    pub batch: Vec<u8>,
}

/// Turns state tests at or below `root` into chains and passes them to `take`. `wants` selects
/// tests by `suite/file::test`. Each variant runs under the newest fork that it names. Transactions
/// that no Turnpike batch can hold are skipped; a gas limit above a Turnpike block's is lowered to
/// it, and the transaction signed again.
pub fn state_chains(
    root: &Path,
    mut wants: impl FnMut(&str) -> bool,
    mut take: impl FnMut(StateChain),
) -> Result<(), ConformanceError> {
    for item in discover(root)?.iter().filter(|item| !item.is_block) {
        chains_of(item, &mut wants, &mut take).map_err(|error| ConformanceError::Unreadable {
            path: item.path.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

fn chains_of(
    item: &SuiteItem,
    wants: &mut impl FnMut(&str) -> bool,
    take: &mut impl FnMut(StateChain),
) -> Result<(), FormatError> {
    for (test, json) in &tests_of(item)? {
        let name = format!("{}/{}::{test}", item.suite, item.file);
        if wants(&name) && kind_of(json)? == TestKind::State {
            chains_of_test(&name, json, take)?;
        }
    }
    Ok(())
}

fn chains_of_test(
    name: &str,
    json: &RawValue,
    take: &mut impl FnMut(StateChain),
) -> Result<(), FormatError> {
    let test: StateTest = serde_json::from_str(json.get())?;
    let known = test.post.iter().filter(|(name, _)| fork::named(name).is_some());
    let Some((_, posts)) = known.max_by_key(|(name, _)| fork::position(name)) else {
        return Ok(());
    };
    let (genesis, timestamp) = (genesis(&test)?, test.env.current_timestamp.u64("timestamp")?);
    let signer = test.transaction.signer()?;
    let gas_limit_max = genesis.config.transaction_gas_limit_max();
    for post in posts {
        let transaction = transaction(&test, post, signer.as_ref(), gas_limit_max)?;
        let Some(transaction) = transaction else { continue };
        let block = BatchBlock {
            step_ms: timestamp.saturating_mul(1_000),
            deposit_count: 0,
            state_root: Some(StateRootPrefix::ZERO),
            transactions: vec![transaction],
        };
        let batch = Batch { blocks: vec![block], ..Batch::default() };
        let Ok(batch) = batch.encode(genesis.config.batch_limits(), Effort::Fast) else { continue };
        let (name, genesis) = (format!("{name} {}", post.indexes), genesis.clone());
        take(StateChain { name, genesis, timestamp, batch });
    }
    Ok(())
}

/// The development chain's rules and predeploys with the test's accounts.
fn genesis(test: &StateTest) -> Result<Genesis, FormatError> {
    let mut genesis = Genesis::dev();
    genesis.timestamp = 0;
    genesis.alloc.retain(|_, account| !account.code.is_empty());
    genesis.alloc.extend(test.accounts()?.into_iter().map(|(address, account)| {
        let PreAccount { balance, nonce, code, storage } = account;
        let storage: BTreeMap<_, _> = storage.into_iter().filter(|(_, it)| !it.is_zero()).collect();
        (address, GenesisAccount { balance, nonce, code, storage })
    }));
    let config = &mut genesis.config;
    config.chain_id = test.chain_id()?;
    config.l1_base_fee_scalar = 0;
    config.l1_blob_base_fee_scalar = 0;
    if let Some(base_fee) = &test.env.current_base_fee {
        config.base_fee_min = base_fee.u64("currentBaseFee")?;
    }
    Ok(genesis)
}

/// The transaction of a case, decoded from its bytes or signed with its key; `None` if no batch can
/// hold it.
fn transaction(
    test: &StateTest,
    post: &Post,
    signer: Option<&PrivateKeySigner>,
    gas_limit_max: u64,
) -> Result<Option<TxEnvelope>, FormatError> {
    if let Some(bytes) = &post.txbytes {
        let Ok(envelope) = decode_transaction(bytes) else { return Ok(None) };
        return Ok(Some(match signer.filter(|_| envelope.gas_limit() > gas_limit_max) {
            Some(signer) => with_gas_limit(envelope, gas_limit_max, signer),
            None => envelope,
        }));
    }
    let Some(signer) = signer else { return Ok(None) };
    let Ok(TestTransaction::Product(tx)) = test.transaction.at(&post.indexes, signer.address())?
    else {
        return Ok(None);
    };
    let gas_limit = tx.gas_limit().min(gas_limit_max);
    Ok(Some(with_gas_limit(tx.envelope().clone(), gas_limit, signer)))
}

fn with_gas_limit(envelope: TxEnvelope, gas_limit: u64, signer: &PrivateKeySigner) -> TxEnvelope {
    match envelope {
        TxEnvelope::Legacy(tx) => signed(TxLegacy { gas_limit, ..tx.strip_signature() }, signer),
        TxEnvelope::Eip2930(tx) => signed(TxEip2930 { gas_limit, ..tx.strip_signature() }, signer),
        TxEnvelope::Eip1559(tx) => signed(TxEip1559 { gas_limit, ..tx.strip_signature() }, signer),
        TxEnvelope::Eip7702(tx) => signed(TxEip7702 { gas_limit, ..tx.strip_signature() }, signer),
        other @ (TxEnvelope::Deposit(_) | TxEnvelope::PostExec(_)) => other,
    }
}

fn signed<T: SignableTransaction<Signature>>(tx: T, signer: &PrivateKeySigner) -> TxEnvelope
where
    TxEnvelope: From<Signed<T>>,
{
    let signature = signer.sign_hash_sync(&tx.signature_hash());
    tx.into_signed(signature.expect("invariant: a private key signs any hash")).into()
}
