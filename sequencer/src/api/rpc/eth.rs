use std::sync::Arc;

use alloy::rpc::types::{
    BlockId, BlockNumberOrTag, EIP1186AccountProofResponse, EIP1186StorageProof, Filter,
    FilterBlockOption, RpcBlockHash, serde_helpers::JsonStorageKey,
};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use op_alloy_rpc_types::Transaction;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::RwLockReadGuard, task::block_in_place};
use turnpike_executor::{Chain, Head};
use turnpike_protocol::{ChainConfig, SignedTx, decode_transaction, predeploys::MESSAGE_PASSER};
use turnpike_state::{AccountProof, HistoricalView};

use super::{convert::RpcBlock, error::RpcError, gas::permit, params::Params};
use crate::{Refusal, Shared, api::passer};

/// Blocks that one `eth_getLogs` may span.
const LOG_RANGE_BLOCKS_MAX: u64 = 10_000;

/// Blocks read at a time while looking for logs.
const LOG_STEP_BLOCKS: u64 = 100;

/// Logs in one answer.
const LOGS_MAX: usize = 10_000;

/// Slots in one `eth_getProof`.
const PROOF_SLOTS_MAX: usize = 1_024;

type Answer = Result<Value, RpcError>;

pub(crate) fn quantity(value: u64) -> Value {
    json!(U64::from(value))
}

pub(crate) fn to_json(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| RpcError::server(error.to_string()))
}

pub(crate) fn sha3(mut params: Params) -> Answer {
    Ok(json!(keccak256(params.next::<Bytes>()?)))
}

/// Number of the block that an id names; `None` if there is no such block.
pub(crate) async fn number_of(shared: &Shared, id: BlockId) -> Result<Option<u64>, RpcError> {
    let head = *shared.head.borrow();
    let number = match id {
        BlockId::Hash(RpcBlockHash { block_hash, .. }) => {
            return Ok(shared.database.block_number(&block_hash).await?);
        }
        BlockId::Number(tag) => match tag {
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => head,
            BlockNumberOrTag::Safe => shared.settlement.read().await.safe(),
            BlockNumberOrTag::Finalized => shared.settlement.read().await.finalized(),
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Number(number) => number,
        },
    };
    Ok((number <= head).then_some(number))
}

async fn find_block(shared: &Shared, id: BlockId) -> Result<Option<RpcBlock>, RpcError> {
    let Some(number) = number_of(shared, id).await? else { return Ok(None) };
    let record = shared.database.block(number).await?;
    record.map(RpcBlock::new).transpose()
}

/// The chain as it was when some recent block was its newest.
#[derive(Debug)]
pub(crate) struct RecentChain<'a> {
    chain: RwLockReadGuard<'a, Chain>,
    block: u64,
}

impl RecentChain<'_> {
    pub(crate) fn config(&self) -> &ChainConfig {
        self.chain.config()
    }

    pub(crate) fn head(&self) -> &Head {
        self.chain.head_at(self.block).expect("invariant: looked up when this was made")
    }

    pub(crate) fn is_newest(&self) -> bool {
        self.block == self.chain.head().header.number
    }

    /// The state to read from.
    pub(crate) fn state(&self) -> HistoricalView<'_> {
        let state = || self.chain.state_at(self.block);
        let state = if self.is_newest() { state() } else { block_in_place(state) };
        state.expect("invariant: looked up when this was made")
    }

    fn proof(&self, address: &Address, slots: &[U256]) -> AccountProof {
        let proof = || self.chain.proof_at(self.block, address, slots);
        block_in_place(proof).expect("invariant: looked up when this was made")
    }
}

/// The chain at the block that a request names, if its state is kept.
pub(crate) async fn state_at(
    shared: &Shared,
    id: Option<BlockId>,
) -> Result<RecentChain<'_>, RpcError> {
    let id = id.unwrap_or_default();
    let number = number_of(shared, id).await?;
    let number = number.ok_or_else(|| RpcError::server("header not found"))?;
    let chain = shared.chain.read().await;
    // A block may have been sealed since the tag was resolved.
    let block = match id {
        BlockId::Number(BlockNumberOrTag::Latest | BlockNumberOrTag::Pending) => {
            chain.head().header.number
        }
        _ => number,
    };
    if chain.head_at(block).is_none() {
        return Err(RpcError::server(format!(
            "historical state is not available: block {block} was asked for, block {} is the oldest whose state is kept",
            chain.oldest_state()
        )));
    }
    Ok(RecentChain { chain, block })
}

pub(crate) async fn block(shared: &Shared, mut params: Params) -> Answer {
    let id = params.next::<BlockId>()?;
    let full = params.optional::<bool>()?.unwrap_or(false);
    match find_block(shared, id).await? {
        Some(block) => to_json(block.block(full)),
        None => Ok(Value::Null),
    }
}

pub(crate) async fn block_transaction_count(shared: &Shared, mut params: Params) -> Answer {
    let block = find_block(shared, params.next()?).await?;
    Ok(block.map_or(Value::Null, |block| quantity(block.len() as u64)))
}

pub(crate) async fn block_receipts(shared: &Shared, mut params: Params) -> Answer {
    match find_block(shared, params.next()?).await? {
        Some(block) => to_json(block.receipts()),
        None => Ok(Value::Null),
    }
}

/// The block of a transaction, and its place there.
async fn find_transaction(
    shared: &Shared,
    hash: B256,
) -> Result<Option<(RpcBlock, usize)>, RpcError> {
    let Some(place) = shared.database.transaction(&hash).await? else { return Ok(None) };
    let Some(record) = shared.database.block(place.block).await? else { return Ok(None) };
    // The block may have been taken back in between.
    let held = record.receipts.get(place.position);
    if held.is_none_or(|receipt| keccak256(&receipt.transaction) != hash) {
        return Ok(None);
    }
    Ok(Some((RpcBlock::new(record)?, place.position)))
}

pub(crate) async fn transaction(shared: &Shared, mut params: Params) -> Answer {
    let hash = params.next::<B256>()?;
    if let Some((block, at)) = find_transaction(shared, hash).await? {
        return to_json(block.transaction(at));
    }
    let Some(raw) = shared.database.pending_raw(&hash).await? else {
        // It may have moved into a block in between.
        return match find_transaction(shared, hash).await? {
            Some((block, at)) => to_json(block.transaction(at)),
            None => Ok(Value::Null),
        };
    };
    let damaged = || RpcError::server("damaged pending record");
    let tx = SignedTx::recover(decode_transaction(&raw).map_err(|_| damaged())?);
    let sender = tx.signer().map_err(|_| damaged())?;
    to_json(Transaction {
        inner: alloy::rpc::types::Transaction {
            inner: Recovered::new_unchecked(tx.envelope().clone(), sender),
            block_hash: None,
            block_number: None,
            transaction_index: None,
            effective_gas_price: None,
            block_timestamp: None,
        },
        deposit_nonce: None,
        deposit_receipt_version: None,
    })
}

pub(crate) async fn transaction_by_index(shared: &Shared, mut params: Params) -> Answer {
    let block = find_block(shared, params.next()?).await?;
    let index = usize::try_from(params.next::<U64>()?.to::<u64>()).unwrap_or(usize::MAX);
    match block.filter(|block| index < block.len()) {
        Some(block) => to_json(block.transaction(index)),
        None => Ok(Value::Null),
    }
}

pub(crate) async fn receipt(shared: &Shared, mut params: Params) -> Answer {
    match find_transaction(shared, params.next()?).await? {
        Some((block, at)) => to_json(block.receipt(at)),
        None => Ok(Value::Null),
    }
}

pub(crate) async fn logs(shared: &Shared, mut params: Params) -> Answer {
    let filter = params.next::<Filter>()?;
    let head = *shared.head.borrow();
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let number = shared.database.block_number(&hash).await?;
            let number = number.ok_or_else(|| RpcError::server("unknown block"))?;
            (number, number)
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let resolve = async |tag: Option<BlockNumberOrTag>| match tag.unwrap_or_default() {
                BlockNumberOrTag::Number(number) => Ok(number),
                tag => number_of(shared, tag.into()).await.map(|number| number.unwrap_or(head)),
            };
            (resolve(from_block).await?, resolve(to_block).await?.min(head))
        }
    };
    if from > head.max(to) {
        return Ok(json!([]));
    }
    if to < from {
        return Err(RpcError::invalid_params("invalid block range params"));
    }
    if to - from >= LOG_RANGE_BLOCKS_MAX {
        return Err(RpcError::invalid_params(format!(
            "block range too large: {} blocks, limit {LOG_RANGE_BLOCKS_MAX}",
            to - from + 1
        )));
    }
    let mut found = Vec::new();
    let mut next = from;
    while next <= to {
        let last = to.min(next + LOG_STEP_BLOCKS - 1);
        for record in shared.database.blocks(next, last).await? {
            if filter.matches_bloom(record.header.logs_bloom) {
                let block = RpcBlock::new(record)?;
                found.extend(block.logs().filter(|log| filter.matches(&log.inner)));
            }
            if found.len() > LOGS_MAX {
                return Err(RpcError::invalid_params(format!(
                    "query returns more than {LOGS_MAX} logs: ask for fewer blocks"
                )));
            }
        }
        next = last + 1;
    }
    to_json(found)
}

pub(crate) async fn balance(shared: &Shared, mut params: Params) -> Answer {
    let address = params.next::<Address>()?;
    let chain = state_at(shared, params.optional()?).await?;
    Ok(json!(chain.state().account(&address).unwrap_or_default().balance))
}

pub(crate) async fn transaction_count(shared: &Shared, mut params: Params) -> Answer {
    let address = params.next::<Address>()?;
    let id = params.optional::<BlockId>()?;
    let chain = state_at(shared, id).await?;
    let mut nonce = chain.state().account(&address).unwrap_or_default().nonce;
    if id.is_some_and(|id| id.is_pending()) {
        let pool = shared.pool.read().await;
        nonce = pool.next_nonce(&address).map_or(nonce, |next| next.max(nonce));
    }
    Ok(quantity(nonce))
}

pub(crate) async fn code(shared: &Shared, mut params: Params) -> Answer {
    let address = params.next::<Address>()?;
    let chain = state_at(shared, params.optional()?).await?;
    let state = chain.state();
    let account = state.account(&address).unwrap_or_default();
    let code = state.code(&account.code_hash).filter(|_| account.has_code());
    Ok(json!(code.map(|code| code.original_bytes()).unwrap_or_default()))
}

pub(crate) async fn storage_at(shared: &Shared, mut params: Params) -> Answer {
    let address = params.next::<Address>()?;
    let slot = params.next::<JsonStorageKey>()?;
    let chain = state_at(shared, params.optional()?).await?;
    let value = chain.state().storage(&address, slot.as_b256().into());
    Ok(json!(B256::from(value)))
}

pub(crate) async fn proof(shared: &Shared, mut params: Params) -> Answer {
    let address = params.next::<Address>()?;
    let keys = params.next::<Vec<JsonStorageKey>>()?;
    if keys.len() > PROOF_SLOTS_MAX {
        let message = format!("too many slots: {}, limit {PROOF_SLOTS_MAX}", keys.len());
        return Err(RpcError::invalid_params(message));
    }
    let _permit = permit(shared).await?;
    let slots: Vec<U256> = keys.iter().map(|key| key.as_b256().into()).collect();
    let id = params.optional()?;
    let proof = match state_at(shared, id).await {
        Ok(chain) => chain.proof(&address, &slots),
        Err(error) if address == MESSAGE_PASSER => {
            kept_proof(shared, id, &slots).await?.ok_or(error)?
        }
        Err(error) => return Err(error),
    };
    let account = proof.account.unwrap_or_default();
    to_json(EIP1186AccountProofResponse {
        address,
        balance: account.balance,
        code_hash: account.code_hash,
        nonce: account.nonce,
        storage_hash: proof.storage_root,
        account_proof: proof.account_proof,
        storage_proof: keys
            .into_iter()
            .zip(proof.storage)
            .map(|(key, slot)| EIP1186StorageProof::new(key, slot.value, slot.proof))
            .collect(),
    })
}

/// The message passer, proven in a state that is not kept any more: withdrawals can be proven for as long as there are outputs.
async fn kept_proof(
    shared: &Shared,
    id: Option<BlockId>,
    slots: &[U256],
) -> Result<Option<AccountProof>, RpcError> {
    let Some(number) = number_of(shared, id.unwrap_or_default()).await? else { return Ok(None) };
    Ok(passer::proof(&shared.database, number, slots).await?)
}

pub(crate) async fn send_raw_transaction(shared: &Arc<Shared>, mut params: Params) -> Answer {
    let raw = params.next::<Bytes>()?;
    let hash = keccak256(&raw);
    match shared.submit(vec![raw]).await.remove(0) {
        Ok(hash) => Ok(json!(hash)),
        // One that a block holds already has no nonce left to it; clients want to hear that it is known.
        Err(Refusal::NonceTooLow { .. }) if shared.database.transaction(&hash).await?.is_some() => {
            Err(Refusal::AlreadyKnown.into())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

pub(crate) async fn pool_status(shared: &Shared) -> Answer {
    let pool = shared.pool.read().await;
    let ready = pool.ready_len();
    Ok(json!({
        "pending": U64::from(ready),
        "queued": U64::from(pool.len() - ready),
    }))
}
