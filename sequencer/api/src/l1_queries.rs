//! Queries to L1 at request time, with a cache of results that cannot change.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use alloy::{
    eips::BlockId,
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::SolEvent as _,
};
use alloy_primitives::B256;
use tokio::sync::{Semaphore, SemaphorePermit};
use turnpike_l1::{L1Client, L1Error, Portal};
use turnpike_protocol::DepositHint;

use super::turn::turn;

/// Queries at the same time.
const ASKING_MAX: usize = 8;

/// Cached results of each kind.
const REMEMBERED_MAX: usize = 4_096;

/// What an L1 transaction cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct L1Cost {
    pub(super) gas_used: u64,
    /// Wei.
    pub(super) gas_price: u128,
    pub(super) blob_gas_used: u64,
    /// Wei.
    pub(super) blob_gas_price: u128,
}

impl L1Cost {
    /// What was paid, in wei, blobs included.
    pub(super) fn fee(&self) -> u128 {
        let of = |gas: u64, price: u128| u128::from(gas).saturating_mul(price);
        of(self.gas_used, self.gas_price)
            .saturating_add(of(self.blob_gas_used, self.blob_gas_price))
    }
}

/// Where a deposit came from on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DepositOrigin {
    /// The transaction that queued it.
    pub(super) transaction: B256,
    /// When, in seconds.
    pub(super) time: u64,
}

/// How far a withdrawal has come on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Withdrawn {
    /// When it was proven, in seconds.
    pub(super) proven_at: Option<u64>,
    pub(super) is_finalized: bool,
}

/// Asks L1 on behalf of the API. What cannot change is asked for once, and there are few questions
/// at a time: the node asks the
/// same endpoint.
#[derive(Debug)]
pub(super) struct L1Queries {
    client: L1Client,
    asking: Semaphore,
    costs: AnswerCache<(B256, u64), L1Cost>,
    places: AnswerCache<(B256, u64), DepositOrigin>,
}

impl L1Queries {
    pub(super) fn new(client: L1Client) -> Self {
        let asking = Semaphore::new(ASKING_MAX);
        Self { client, asking, costs: AnswerCache::default(), places: AnswerCache::default() }
    }

    /// A permit to ask.
    async fn permit(&self) -> Result<SemaphorePermit<'_>, L1Error> {
        let busy = || L1Error::Unreachable("too many requests ask it already".to_owned());
        turn(&self.asking).await.ok_or_else(busy)
    }

    /// What a transaction cost that is in this L1 block.
    pub(super) async fn cost(&self, transaction: B256, block: u64) -> Result<L1Cost, L1Error> {
        if let Some(cost) = self.costs.get(&(transaction, block)) {
            return Ok(cost);
        }
        let _permit = self.permit().await?;
        let receipt = self.client.provider().get_transaction_receipt(transaction).await?;
        let receipt = receipt.filter(|receipt| receipt.block_number == Some(block));
        let receipt = receipt
            .ok_or_else(|| L1Error::NotYet(format!("the receipt of {transaction} is missing")))?;
        let cost = L1Cost {
            gas_used: receipt.gas_used,
            gas_price: receipt.effective_gas_price,
            blob_gas_used: receipt.blob_gas_used.unwrap_or(0),
            blob_gas_price: receipt.blob_gas_price.unwrap_or(0),
        };
        self.costs.put((transaction, block), cost);
        Ok(cost)
    }

    /// Names of the deposits that an L1 transaction queued; none if L1 does not know it.
    pub(super) async fn deposits_of(&self, transaction: B256) -> Result<Vec<DepositHint>, L1Error> {
        let _permit = self.permit().await?;
        let receipt = self.client.provider().get_transaction_receipt(transaction).await?;
        let logs = receipt.as_ref().map_or(&[][..], |receipt| receipt.logs());
        Ok(logs.iter().filter(|log| self.is_deposit(log)).filter_map(name_of).collect())
    }

    /// Where L1 has the deposit of this name.
    pub(super) async fn deposit_origin(&self, name: DepositHint) -> Result<DepositOrigin, L1Error> {
        let key = (name.l1_block_hash, name.log_index);
        if let Some(place) = self.places.get(&key) {
            return Ok(place);
        }
        let _permit = self.permit().await?;
        let missing = || L1Error::NotYet(format!("block {} is missing", name.l1_block_hash));
        let portal = self.client.deployment().portal;
        let filter = Filter::new().address(portal).at_block_hash(name.l1_block_hash);
        let provider = self.client.provider();
        let logs = provider.get_logs(&filter).await?;
        let log = logs.iter().find(|log| log.log_index == Some(name.log_index));
        let transaction = log.and_then(|log| log.transaction_hash).ok_or_else(missing)?;
        let block = provider.get_block(BlockId::hash(name.l1_block_hash)).await?;
        let time = block.ok_or_else(missing)?.header.timestamp;
        let place = DepositOrigin { transaction, time };
        self.places.put(key, place);
        Ok(place)
    }

    /// How far a withdrawal has come; `None` if this chain's portal takes none.
    pub(super) async fn withdrawn(&self, hash: B256) -> Result<Option<Withdrawn>, L1Error> {
        let _permit = self.permit().await?;
        let portal = Portal::new(self.client.deployment().portal, self.client.provider());
        let is_finalized = match portal.finalizedWithdrawals(hash).call().await {
            Ok(is_finalized) => is_finalized,
            Err(error) if is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let proven = portal.provenWithdrawals(hash).call().await?;
        let proven_at = u64::try_from(proven.timestamp).ok().filter(|time| *time > 0);
        Ok(Some(Withdrawn { proven_at, is_finalized }))
    }

    fn is_deposit(&self, log: &Log) -> bool {
        log.address() == self.client.deployment().portal
            && log.topic0() == Some(&Portal::TransactionDeposited::SIGNATURE_HASH)
    }
}

/// Whether L1 answered, and there is no such function.
fn is_refusal(error: &alloy::contract::Error) -> bool {
    match error {
        alloy::contract::Error::TransportError(error) => error.as_error_resp().is_some(),
        _ => true,
    }
}

fn name_of(log: &Log) -> Option<DepositHint> {
    let (l1_block_hash, log_index) = log.block_hash.zip(log.log_index)?;
    Some(DepositHint { l1_block_hash, log_index })
}

/// A cache of results that never change. When full, it is cleared.
#[derive(Debug)]
struct AnswerCache<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for AnswerCache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Copy> AnswerCache<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn put(&self, key: K, value: V) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key, value);
    }
}
