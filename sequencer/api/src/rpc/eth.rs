use std::time::Duration;

use alloy::rpc::types::{
    BlockId, BlockNumberOrTag, EIP1186AccountProofResponse, EIP1186StorageProof, RpcBlockHash,
    serde_helpers::JsonStorageKey,
};
use alloy_primitives::{Address, B256, U64, U256, keccak256};
use serde_json::{Value, json};
use tokio::{sync::RwLockReadGuard, task::block_in_place, time::timeout};
use turnpike_executor::{Chain, ChainHead};
use turnpike_protocol::{ChainConfig, predeploys::MESSAGE_PASSER};
use turnpike_state::{AccountProof, HistoricalView, StateDiff};
use turnpike_storage::BlockRecord;

use super::{
    convert::{RpcBlock, block_of_hashes, quantity, to_json},
    error::{RpcError, RpcResult},
    method::methods,
    params::Params,
    pending::waiting_transaction,
    permit::permit,
};
use crate::context::ApiContext;
use crate::{
    message_passer,
    wait::{WaitGoal, reached},
};

/// How long `eth_getTransactionReceipt` waits for the block of an executable transaction.
const RECEIPT_WAIT_MAX: Duration = Duration::from_millis(500);

/// Slots in one `eth_getProof`, at most.
const PROOF_SLOTS_MAX: usize = 1_024;

methods! {
    "eth_blockNumber", 1, "" => |s, p| Ok(quantity(*s.chain.head.borrow()));
    "eth_getBlockByNumber", 5, "" => |s, p| block(s, p).await;
    "eth_getBlockByHash", 5, "" => |s, p| block(s, p).await;
    "eth_getBlockTransactionCountByNumber", 5, "" => |s, p| block_transaction_count(s, p).await;
    "eth_getBlockTransactionCountByHash", 5, "" => |s, p| block_transaction_count(s, p).await;
    "eth_getBlockReceipts", 20, "" => |s, p| block_receipts(s, p).await;
    "eth_getTransactionByHash", 2, "" => |s, p| transaction(s, p).await;
    "eth_getTransactionByBlockNumberAndIndex", 5, "" => |s, p| transaction_by_index(s, p).await;
    "eth_getTransactionByBlockHashAndIndex", 5, "" => |s, p| transaction_by_index(s, p).await;
    "eth_getTransactionReceipt", 2, "waits up to half a second for the open block; null until the block is sealed" => |s, p| receipt(s, p).await;
    "eth_getBalance", 1, "" => |s, p| balance(s, p).await;
    "eth_getTransactionCount", 1, "" => |s, p| transaction_count(s, p).await;
    "eth_getCode", 1, "" => |s, p| code(s, p).await;
    "eth_getStorageAt", 1, "" => |s, p| storage_at(s, p).await;
    "eth_getProof", 20, "" => |s, p| proof(s, p).await;
}

/// The number of the block with this id; `None` if there is no such block.
pub(crate) async fn number_of(context: &ApiContext, id: BlockId) -> Result<Option<u64>, RpcError> {
    let head = *context.chain.head.borrow();
    let number = match id {
        BlockId::Hash(RpcBlockHash { block_hash, .. }) => {
            return Ok(context.chain.client_database.block_number(&block_hash).await?);
        }
        BlockId::Number(tag) => match tag {
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => head,
            BlockNumberOrTag::Safe => context.settlement.read().await.safe(),
            BlockNumberOrTag::Finalized => context.settlement.read().await.finalized(),
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Number(number) => number,
        },
    };
    Ok((number <= head).then_some(number))
}

pub(super) async fn find_record(
    context: &ApiContext,
    id: BlockId,
) -> Result<Option<BlockRecord>, RpcError> {
    let Some(number) = number_of(context, id).await? else { return Ok(None) };
    Ok(context.chain.client_database.block(number).await?)
}

pub(super) async fn find_block(
    context: &ApiContext,
    id: BlockId,
) -> Result<Option<RpcBlock>, RpcError> {
    find_record(context, id).await?.map(RpcBlock::new).transpose()
}

/// The chain as of a recent block.
#[derive(Debug)]
pub(crate) struct RecentChain<'a> {
    chain: RwLockReadGuard<'a, Chain>,
    block: u64,
    is_newest: bool,
}

impl RecentChain<'_> {
    pub(crate) fn config(&self) -> &ChainConfig {
        self.chain.config()
    }

    pub(crate) fn head(&self) -> &ChainHead {
        self.chain.head_at(self.block).expect("invariant: state_at found the block's state")
    }

    /// The state root after these changes.
    pub(crate) fn state_root_with(&self, changes: StateDiff) -> B256 {
        let root = || self.chain.state_root_with(self.block, changes);
        block_in_place(root).expect("invariant: state_at found the block's state")
    }

    /// Whether the block is the newest.
    pub(crate) const fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// The state to read from.
    pub(crate) fn state(&self) -> HistoricalView<'_> {
        let state = || self.chain.state_at(self.block);
        let is_head = self.block == self.chain.head().header.number;
        let state = if is_head { state() } else { block_in_place(state) };
        state.expect("invariant: state_at found the block's state")
    }

    fn proof(&self, address: &Address, slots: &[U256]) -> AccountProof {
        let proof = || self.chain.proof_at(self.block, address, slots);
        block_in_place(proof).expect("invariant: state_at found the block's state")
    }
}

/// The chain as of the block that a request names. Fails if the block's state is not kept.
pub(crate) async fn state_at(
    context: &ApiContext,
    id: Option<BlockId>,
) -> Result<RecentChain<'_>, RpcError> {
    let id = id.unwrap_or_default();
    let number = number_of(context, id).await?;
    let number = number.ok_or_else(|| RpcError::server("header not found"))?;
    let chain = context.chain.read().await;
    let newest = context.chain.newest(&chain).header.number;
    // Blocks may have been added or rewound since the tag was resolved.
    let block = match id {
        BlockId::Number(BlockNumberOrTag::Latest | BlockNumberOrTag::Pending) => newest,
        _ => number,
    };
    if chain.head_at(block).is_none() {
        return Err(RpcError::server(format!(
            "historical state is not available: block {block} was asked for, block {} is the oldest whose state is kept",
            chain.oldest_state()
        )));
    }
    Ok(RecentChain { chain, block, is_newest: block == newest })
}

pub(crate) async fn block(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<BlockId>()?;
    let full = params.optional::<bool>()?.unwrap_or(false);
    let record = find_record(context, id).await?;
    // Encoding a long block takes time.
    block_in_place(|| match record {
        Some(record) if full => to_json(RpcBlock::new(record)?.block()),
        Some(record) => to_json(block_of_hashes(&record)),
        None => Ok(Value::Null),
    })
}

pub(crate) async fn block_transaction_count(context: &ApiContext, mut params: Params) -> RpcResult {
    let record = find_record(context, params.next()?).await?;
    Ok(record.map_or(Value::Null, |record| quantity(record.receipts.len() as u64)))
}

pub(crate) async fn block_receipts(context: &ApiContext, mut params: Params) -> RpcResult {
    let record = find_record(context, params.next()?).await?;
    block_in_place(|| match record {
        Some(record) => to_json(RpcBlock::new(record)?.receipts()),
        None => Ok(Value::Null),
    })
}

/// The block that holds a transaction, and the transaction's position in it.
pub(super) async fn find_transaction(
    context: &ApiContext,
    hash: B256,
) -> Result<Option<(BlockRecord, usize)>, RpcError> {
    let Some(place) = context.chain.place_of(&hash).await? else { return Ok(None) };
    let Some(record) = context.chain.client_database.block(place.block).await? else {
        return Ok(None);
    };
    // A reorg may have replaced the block since the lookup.
    let held = record.receipts.get(place.position);
    if held.is_none_or(|receipt| keccak256(&receipt.transaction) != hash) {
        return Ok(None);
    }
    Ok(Some((record, place.position)))
}

pub(crate) async fn transaction(context: &ApiContext, mut params: Params) -> RpcResult {
    let hash = params.next::<B256>()?;
    if let Some((record, at)) = find_transaction(context, hash).await? {
        return to_json(RpcBlock::with_one(record, at)?.transaction(at));
    }
    let Some((raw, sender)) = context.transactions.waiting(&hash) else {
        // The transaction may have moved into a block since the first lookup.
        return match find_transaction(context, hash).await? {
            Some((record, at)) => to_json(RpcBlock::with_one(record, at)?.transaction(at)),
            None => Ok(Value::Null),
        };
    };
    waiting_transaction(&raw, sender)
}

pub(crate) async fn transaction_by_index(context: &ApiContext, mut params: Params) -> RpcResult {
    let record = find_record(context, params.next()?).await?;
    let index = usize::try_from(params.next::<U64>()?.to::<u64>()).unwrap_or(usize::MAX);
    match record.filter(|record| index < record.receipts.len()) {
        Some(record) => to_json(RpcBlock::with_one(record, index)?.transaction(index)),
        None => Ok(Value::Null),
    }
}

pub(crate) async fn receipt(context: &ApiContext, mut params: Params) -> RpcResult {
    let hash = params.next()?;
    let found = receipt_of(context, hash).await?;
    // Some clients ask again only after the next block, and without new transactions no block
    // follows.
    if found.is_null() && context.transactions.is_runnable(&hash) {
        let sealed = timeout(RECEIPT_WAIT_MAX, reached(context, hash, WaitGoal::Sealed)).await;
        if matches!(sealed, Ok(Ok(()))) {
            return receipt_of(context, hash).await;
        }
    }
    Ok(found)
}

/// A transaction's receipt, once its block is sealed.
pub(super) async fn receipt_of(context: &ApiContext, hash: B256) -> RpcResult {
    match find_transaction(context, hash).await? {
        Some((record, at)) => to_json(RpcBlock::with_one(record, at)?.receipt(at)),
        None => Ok(Value::Null),
    }
}

pub(crate) async fn balance(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let chain = state_at(context, params.optional()?).await?;
    Ok(json!(chain.state().account(&address).unwrap_or_default().balance))
}

pub(crate) async fn transaction_count(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let id = params.optional::<BlockId>()?;
    // Read before the state: a transaction that leaves the pool in between is in the state then.
    let is_pending = id.is_some_and(|id| id.is_pending());
    let ahead =
        is_pending.then(|| context.transactions.next_nonce(&address)).flatten().unwrap_or(0);
    let chain = state_at(context, id).await?;
    let nonce = chain.state().account(&address).unwrap_or_default().nonce;
    Ok(quantity(nonce.max(ahead)))
}

pub(crate) async fn code(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let chain = state_at(context, params.optional()?).await?;
    let state = chain.state();
    let account = state.account(&address).unwrap_or_default();
    let code = state.code(&account.code_hash).filter(|_| account.has_code());
    Ok(json!(code.map(|code| code.original_bytes()).unwrap_or_default()))
}

pub(crate) async fn storage_at(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let slot = params.next::<JsonStorageKey>()?;
    let chain = state_at(context, params.optional()?).await?;
    let value = chain.state().storage(&address, slot.as_b256().into());
    Ok(json!(B256::from(value)))
}

pub(crate) async fn proof(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let keys = params.next::<Vec<JsonStorageKey>>()?;
    if keys.len() > PROOF_SLOTS_MAX {
        let message = format!("too many slots: {}, limit {PROOF_SLOTS_MAX}", keys.len());
        return Err(RpcError::invalid_params(message));
    }
    let _permit = permit(context).await?;
    let slots: Vec<U256> = keys.iter().map(|key| key.as_b256().into()).collect();
    let id = params.optional()?;
    let proof = match state_at(context, id).await {
        Ok(chain) => chain.proof(&address, &slots),
        Err(error) if address == MESSAGE_PASSER => {
            kept_proof(context, id, &slots).await?.ok_or(error)?
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

/// A proof of the message passer in a state that is no longer kept. A withdrawal stays provable as
/// long as its output.
async fn kept_proof(
    context: &ApiContext,
    id: Option<BlockId>,
    slots: &[U256],
) -> Result<Option<AccountProof>, RpcError> {
    let Some(number) = number_of(context, id.unwrap_or_default()).await? else { return Ok(None) };
    Ok(message_passer::proof(&context.chain.client_database, number, slots).await?)
}
