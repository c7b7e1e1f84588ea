//! Methods of the block explorer Otterscan.
//!
//! The block index (`storage/src/block_index.rs`) finds transactions by sender, by recipient and by
//! the contract that they create. It does not cover calls between contracts. So a search misses
//! transactions that reach an account only through a contract's call, and contracts that a contract
//! creates.

use alloy::rpc::types::{BlockId, BlockNumberOrTag};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_trace::{
    geth::{CallConfig, CallFrame, GethDebugTracingOptions},
    otterscan::{BlockDetails, InternalIssuance, TraceEntry},
};
use revm_inspectors::{
    otterscan::InternalOperationsInspector,
    tracing::{TracingInspector, TracingInspectorConfig},
};
use serde_json::{Value, json};
use tokio::{task::block_in_place, time::Instant};
use turnpike_executor::{Sandbox, SandboxOutcome, SandboxTx};
use turnpike_storage::{BlockKey, BlockQuery, BlockRecord};

use super::{
    convert::{RpcBlock, block_of_hashes, header_of, to_json},
    error::{RpcError, RpcResult},
    eth::{find_block, find_record, state_at},
    execution_error::refusal,
    logs::{INDEX_STEP_BLOCKS, QUERY_TIME_MAX},
    method::methods,
    params::Params,
    permit::trace_permit,
    replay::Replay,
    trace::traceable,
    watch::Watch,
};
use crate::context::ApiContext;

/// The implemented version of Otterscan's API.
const API_LEVEL: u64 = 8;

/// Transactions on one page, at most.
const PAGE_TRANSACTIONS_MAX: usize = 100;

/// Characters of a transaction's input that a page shows: `0x` and the selector.
const SHOWN_INPUT_CHARACTERS: usize = 10;

methods! {
    "ots_getApiLevel", 1, "" => |s, p| Ok(API_LEVEL.into());
    "ots_hasCode", 1, "" => |s, p| has_code(s, p).await;
    "ots_getInternalOperations", 200, "" => |s, p| internal_operations(s, p).await;
    "ots_getTransactionError", 200, "" => |s, p| transaction_error(s, p).await;
    "ots_traceTransaction", 200, "" => |s, p| trace(s, p).await;
    "ots_getBlockDetails", 5, "issuance is zero" => |s, p| block_details(s, p.next::<BlockNumberOrTag>()?.into()).await;
    "ots_getBlockDetailsByHash", 5, "issuance is zero" => |s, p| block_details(s, p.next::<B256>()?.into()).await;
    "ots_getBlockTransactions", 20, "at most 100 a page" => |s, p| block_transactions(s, p).await;
    "ots_searchTransactionsBefore", 100, "by sender and recipient; at most 100 a page, plus the rest of the last block" => |s, p| search_before(s, p).await;
    "ots_searchTransactionsAfter", 100, "by sender and recipient; at most 100 a page, plus the rest of the last block" => |s, p| search_after(s, p).await;
    "ots_getTransactionBySenderAndNonce", 50, "" => |s, p| by_sender_and_nonce(s, p).await;
    "ots_getContractCreator", 50, "finds contracts that a transaction creates, not those that a contract creates" => |s, p| contract_creator(s, p).await;
    "erigon_getHeaderByNumber", 5, "" => |s, p| header(s, p).await;
}

async fn has_code(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let chain = state_at(context, params.optional()?).await?;
    Ok(chain.state().account(&address).is_some_and(|account| account.has_code()).into())
}

/// Replays the transactions before one, then calls `look` with that transaction.
async fn again<T>(
    context: &ApiContext,
    params: &mut Params,
    look: impl FnOnce(&mut Sandbox<'_>, &SandboxTx) -> Result<(SandboxOutcome, T), RpcError>,
) -> Result<T, RpcError> {
    let hash = params.next::<B256>()?;
    let _permit = trace_permit(context).await?;
    let (block, at) = traceable(context, hash).await?;
    let replay = Replay::new(&context.chain.config, &block)?;
    let mut sandbox = replay.run(context, at + 1).await?;
    block_in_place(|| {
        replay.restart_to(&mut sandbox, at)?;
        let tx = replay.transaction(&sandbox, at)?;
        let (outcome, seen) = look(&mut sandbox, &tx)?;
        replay.check(at, &outcome.result)?;
        Ok(seen)
    })
}

/// The limits of Otterscan's traces: those of a call tracer.
fn watch() -> Result<Watch, RpcError> {
    Watch::new(&GethDebugTracingOptions::call_tracer(CallConfig::default()))
}

async fn internal_operations(context: &ApiContext, mut params: Params) -> RpcResult {
    let operations = again(context, &mut params, |sandbox, tx| {
        let mut inspector = InternalOperationsInspector::default();
        let outcome = sandbox.inspect(tx, (watch()?, &mut inspector)).map_err(refusal)?;
        Ok((outcome, inspector.into_operations()))
    });
    to_json(operations.await?)
}

/// The revert data of a transaction; empty if it succeeded.
async fn transaction_error(context: &ApiContext, mut params: Params) -> RpcResult {
    let output = again(context, &mut params, |sandbox, tx| {
        let outcome = sandbox.inspect(tx, watch()?).map_err(refusal)?;
        let is_success = outcome.result.is_success();
        let output = outcome.result.output().filter(|_| !is_success).cloned();
        Ok((outcome, output.unwrap_or_default()))
    });
    Ok(json!(output.await?))
}

async fn trace(context: &ApiContext, mut params: Params) -> RpcResult {
    let frame = again(context, &mut params, |sandbox, tx| {
        let config = TracingInspectorConfig::from_geth_call_config(&CallConfig::default());
        let mut inspector = TracingInspector::new(config);
        let outcome = sandbox.inspect(tx, (watch()?, &mut inspector)).map_err(refusal)?;
        let gas_used = outcome.result.tx_gas_used();
        let frame = inspector.geth_builder().geth_call_traces(CallConfig::default(), gas_used);
        Ok((outcome, frame))
    });
    let mut entries = Vec::new();
    flatten(frame.await?, 0, &mut entries);
    to_json(entries)
}

/// Flattens a call tree. Each call precedes the calls that it makes.
fn flatten(frame: CallFrame, depth: u32, entries: &mut Vec<TraceEntry>) {
    let CallFrame { typ, from, to, value, input, output, calls, .. } = frame;
    let has_value = typ != "STATICCALL" && typ != "DELEGATECALL";
    entries.push(TraceEntry {
        r#type: typ,
        depth,
        from,
        to: to.unwrap_or_default(),
        value: has_value.then(|| value.unwrap_or_default()),
        input,
        output: output.unwrap_or_default(),
    });
    for call in calls {
        flatten(call, depth + 1, entries);
    }
}

async fn block_details(context: &ApiContext, id: BlockId) -> RpcResult {
    let Some(record) = find_record(context, id).await? else { return Ok(Value::Null) };
    let block = block_of_hashes(&record);
    to_json(BlockDetails::new(block, InternalIssuance::default(), fees(&record)))
}

/// The sum of the fees that a block's transactions paid.
fn fees(record: &BlockRecord) -> U256 {
    let paid = record.receipts.iter().map(|receipt| {
        let gas = U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
        gas.saturating_add(receipt.l1_fee)
    });
    paid.fold(U256::ZERO, U256::saturating_add)
}

/// A page of a block's transactions: page 0 holds the last ones.
async fn block_transactions(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<BlockNumberOrTag>()?;
    let (page, size) = (params.next::<usize>()?, params.next::<usize>()?);
    page_size(size)?;
    let Some(block) = find_block(context, id.into()).await? else { return Ok(Value::Null) };
    let end = block.len().saturating_sub(page.saturating_mul(size));
    let shown = end.saturating_sub(size)..end;
    let mut full = to_json(block_of_hashes(block.record()))?;
    full["transactionCount"] = json!(block.len());
    let transactions = shown.clone().map(|at| {
        let mut transaction = to_json(block.transaction(at))?;
        if let Some(Value::String(input)) = transaction.get_mut("input") {
            input.truncate(SHOWN_INPUT_CHARACTERS);
        }
        Ok(transaction)
    });
    full["transactions"] = transactions.collect::<Result<_, RpcError>>()?;
    let timestamp = U64::from(block.record().header.timestamp);
    let receipts = shown.map(|at| {
        let mut receipt = to_json(block.receipt(at))?;
        (receipt["logs"], receipt["logsBloom"]) = (Value::Null, Value::Null);
        receipt["timestamp"] = json!(timestamp);
        Ok(receipt)
    });
    let receipts: Value = receipts.collect::<Result<_, RpcError>>()?;
    Ok(json!({ "fullblock": full, "receipts": receipts }))
}

/// Transactions of an account in blocks before the given one, the newest first. Block 0 stands for
/// no bound.
async fn search_before(context: &ApiContext, mut params: Params) -> RpcResult {
    let (account, block, size) = search_params(&mut params)?;
    let head = *context.chain.head.borrow();
    let last = if block == 0 { Some(head) } else { block.min(head + 1).checked_sub(1) };
    let search = Search::new(context, account_keys(&account));
    let mut page = Page::default();
    if let Some(last) = last {
        let mut blocks = search.candidates(0, last).await?;
        blocks.reverse();
        page.fill(&search, blocks, &account, size).await?;
    }
    let is_last = !page.has_more;
    page.answer(block == 0, is_last)
}

/// Transactions of an account in blocks after the given one, the newest first.
async fn search_after(context: &ApiContext, mut params: Params) -> RpcResult {
    let (account, block, size) = search_params(&mut params)?;
    let head = *context.chain.head.borrow();
    let first = if block == 0 { 0 } else { block.saturating_add(1) };
    let search = Search::new(context, account_keys(&account));
    let mut page = Page::default();
    if first <= head {
        let blocks = search.candidates(first, head).await?;
        page.fill(&search, blocks, &account, size).await?;
        page.found.reverse();
    }
    let is_first = !page.has_more;
    page.answer(is_first, block == 0)
}

fn search_params(params: &mut Params) -> Result<(Address, u64, usize), RpcError> {
    let (account, block, size) = (params.next()?, params.next::<U64>()?, params.next()?);
    page_size(size)?;
    Ok((account, block.to(), size))
}

fn page_size(size: usize) -> Result<(), RpcError> {
    if size > PAGE_TRANSACTIONS_MAX {
        let message = format!("page size {size} is too large: limit {PAGE_TRANSACTIONS_MAX}");
        return Err(RpcError::invalid_params(message));
    }
    Ok(())
}

fn account_keys(account: &Address) -> Vec<BlockKey> {
    vec![BlockKey::sender(account), BlockKey::recipient(account)]
}

/// Reads the blocks that the index finds, within a time limit.
struct Search<'a> {
    context: &'a ApiContext,
    query: BlockQuery,
    deadline: Instant,
}

impl<'a> Search<'a> {
    /// A search for blocks with at least one of these keys.
    fn new(context: &'a ApiContext, keys: Vec<BlockKey>) -> Self {
        let query = BlockQuery::new([keys]);
        Self { context, query, deadline: Instant::now() + QUERY_TIME_MAX }
    }

    fn check_time(&self) -> Result<(), RpcError> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let seconds = QUERY_TIME_MAX.as_secs();
        Err(RpcError::limit_exceeded(format!("the search took more than {seconds} s")))
    }

    /// The blocks that the index finds, in ascending order. Some may be false positives.
    async fn candidates(&self, first: u64, last: u64) -> Result<Vec<u64>, RpcError> {
        let (mut found, mut next) = (Vec::new(), first);
        while next <= last {
            self.check_time()?;
            let end = last.min(next + INDEX_STEP_BLOCKS - 1);
            found.extend(
                self.context.chain.client_database.blocks_with(next, end, &self.query).await?,
            );
            next = end + 1;
        }
        Ok(found)
    }

    /// Reads a block; `None` if a reorg removed it meanwhile.
    async fn block(&self, number: u64) -> Result<Option<RpcBlock>, RpcError> {
        self.check_time()?;
        let record = self.context.chain.client_database.block(number).await?;
        record.map(|record| block_in_place(|| RpcBlock::new(record))).transpose()
    }
}

/// A page of transactions with receipts, and whether more follow.
#[derive(Default)]
struct Page {
    found: Vec<(Value, Value)>,
    has_more: bool,
}

impl Page {
    /// Adds an account's transactions from the blocks, in their order, until the page holds `size`.
    /// It takes all of the account's transactions in a block, or none.
    async fn fill(
        &mut self,
        search: &Search<'_>,
        blocks: Vec<u64>,
        account: &Address,
        size: usize,
    ) -> Result<(), RpcError> {
        for number in blocks {
            let Some(block) = search.block(number).await? else { continue };
            let is_its = |at: &usize| {
                let recipient = block.envelope(*at).to().or_else(|| block.created(*at));
                block.sender(*at) == *account || recipient == Some(*account)
            };
            let of_account: Vec<_> = (0..block.len()).filter(is_its).collect();
            if of_account.is_empty() {
                continue;
            }
            if self.found.len() >= size {
                self.has_more = true;
                return Ok(());
            }
            let timestamp = U64::from(block.record().header.timestamp);
            for at in of_account.into_iter().rev() {
                let mut receipt = to_json(block.receipt(at))?;
                receipt["timestamp"] = json!(timestamp);
                self.found.push((to_json(block.transaction(at))?, receipt));
            }
        }
        Ok(())
    }

    fn answer(self, is_first: bool, is_last: bool) -> RpcResult {
        let (txs, receipts): (Vec<_>, Vec<_>) = self.found.into_iter().unzip();
        Ok(json!({ "txs": txs, "receipts": receipts, "firstPage": is_first, "lastPage": is_last }))
    }
}

/// The hash of the transaction that used a nonce; null if none has.
async fn by_sender_and_nonce(context: &ApiContext, mut params: Params) -> RpcResult {
    let (sender, nonce) = (params.next::<Address>()?, params.next::<U64>()?.to::<u64>());
    let head = *context.chain.head.borrow();
    let search = Search::new(context, vec![BlockKey::sender(&sender)]);
    let blocks = search.candidates(0, head).await?;
    // A binary search: nonces rise from block to block. A few candidates hold no transaction of the
    // sender and are skipped.
    let mut rest = blocks.as_slice();
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        let (mut at, mut nonces) = (middle, Vec::new());
        while at < rest.len() && nonces.is_empty() {
            if let Some(block) = search.block(rest[at]).await? {
                let of_sender =
                    |at: &usize| block.sender(*at) == sender && !block.envelope(*at).is_deposit();
                let with_hash = |at| (block.envelope(at).nonce(), block.envelope(at).tx_hash());
                nonces = (0..block.len()).filter(of_sender).map(with_hash).collect();
            }
            at += 1;
        }
        if let Some((_, hash)) = nonces.iter().find(|(found, _)| *found == nonce) {
            return Ok(json!(hash));
        }
        // Without any transaction in the second half, only the first half can hold the nonce.
        let is_later = nonces.first().is_some_and(|(first, _)| *first < nonce);
        rest = if is_later { &rest[at..] } else { &rest[..middle] };
    }
    Ok(Value::Null)
}

/// The creator of a contract and the transaction that created it; null if there is no contract.
async fn contract_creator(context: &ApiContext, mut params: Params) -> RpcResult {
    let address = params.next::<Address>()?;
    let head = *context.chain.head.borrow();
    let account = state_at(context, None).await?.state().account(&address);
    if !account.is_some_and(|account| account.has_code()) {
        return Ok(Value::Null);
    }
    let search = Search::new(context, vec![BlockKey::recipient(&address)]);
    // The first candidate almost always matches.
    for number in search.candidates(0, head).await? {
        let Some(block) = search.block(number).await? else { continue };
        let creates = |at: &usize| block.created(*at) == Some(address) && block.is_success(*at);
        if let Some(at) = (0..block.len()).find(creates) {
            let hash = block.envelope(at).tx_hash();
            return Ok(json!({ "hash": hash, "creator": block.sender(at) }));
        }
    }
    Err(RpcError::server("no transaction created the contract: genesis or another contract did"))
}

async fn header(context: &ApiContext, mut params: Params) -> RpcResult {
    match find_record(context, params.next::<BlockNumberOrTag>()?.into()).await? {
        Some(record) => to_json(header_of(&record)),
        None => Ok(Value::Null),
    }
}
