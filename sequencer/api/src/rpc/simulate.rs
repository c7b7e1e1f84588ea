//! `eth_simulateV1`: simulates blocks on top of a recent one.

use std::time::Instant;

use alloy::rpc::types::{
    BlockOverrides, Log, TransactionRequest,
    simulate::{
        MAX_SIMULATE_BLOCKS, SimBlock, SimCallResult, SimulateError, SimulatePayload,
        SimulatedBlock,
    },
};
use alloy_consensus::{
    Eip658Value, Receipt, SignableTransaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy,
    TxReceipt as _,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bloom, Bytes, Signature, U256, logs_bloom};
use op_alloy_rpc_types::Transaction;
use tokio::task::block_in_place;
use turnpike_executor::{
    CallRequest, Checks, ExecutionResult, InvalidTransaction, Sandbox, SandboxError, SandboxTx,
};
use turnpike_protocol::{
    BLOCK_LOAD, ChainConfig, Header, Load, Origin, ReceiptEnvelope, TxEnvelope, extra_data,
    next_base_fee, next_open_backlog, time_ms,
};
use turnpike_storage::{BlockRecord, ReceiptRecord};

use super::{
    call::{CALL_GAS_MAX, Overrides, call_request, check_held, sandbox},
    convert::{RpcBlock, block_of_hashes, to_json},
    error::{RpcError, RpcResult},
    eth::{RecentChain, state_at},
    execution_error::{halt_text, invalid_text, refusal},
    method::methods,
    overrides::{fitting, override_header, override_state},
    params::Params,
    permit::permit,
    transfers::{TRANSFER_EMITTER, Transfers},
};
use crate::context::ApiContext;

/// Seconds from a block to the next if the request gives no time.
const BLOCK_SECONDS: u64 = 1;

/// Calls in one request, at most.
const CALLS_MAX: usize = 1_000;

// The specification's error codes.
const NONCE_TOO_LOW: i64 = -38010;
const NONCE_TOO_HIGH: i64 = -38011;
const FEE_CAP_TOO_LOW: i64 = -38012;
const INTRINSIC_GAS: i64 = -38013;
const INSUFFICIENT_FUNDS: i64 = -38014;
const BLOCK_GAS_LIMIT_REACHED: i64 = -38015;
const BLOCK_NUMBER_INVALID: i64 = -38020;
const BLOCK_TIMESTAMP_INVALID: i64 = -38021;
const INIT_CODE_TOO_LARGE: i64 = -38025;
const CLIENT_LIMIT_EXCEEDED: i64 = -38026;

methods! {
    "eth_simulateV1", 100, "" => |s, p| simulate(s, p).await;
}

type Block = SimulatedBlock<alloy::rpc::types::Block<Transaction>>;

async fn simulate(context: &ApiContext, mut params: Params) -> RpcResult {
    let payload = params.next::<SimulatePayload>()?;
    let id = params.optional()?;
    let calls: usize = payload.block_state_calls.iter().map(|block| block.calls.len()).sum();
    if payload.block_state_calls.is_empty() {
        return Err(RpcError::invalid_params("empty input"));
    }
    if calls > CALLS_MAX {
        let message = format!("too many calls: {calls}, limit {CALLS_MAX}");
        return Err(RpcError::new(CLIENT_LIMIT_EXCEEDED, message));
    }
    let _permit = permit(context).await?;
    let chain = state_at(context, id).await?;
    let blocks = block_in_place(|| {
        let blocks = chained(&chain.head().header, payload.block_state_calls)?;
        let head = chain.head();
        let mut simulation = Simulation {
            sandbox: sandbox(&chain, &head.header, Overrides::default())?,
            chain: &chain,
            parent: head.header.clone(),
            parent_hash: head.hash(),
            gas_left: CALL_GAS_MAX,
            started: Instant::now(),
            checks: if payload.validation { Checks::Transaction } else { Checks::Call },
            traces_transfers: payload.trace_transfers,
            is_full: payload.return_full_transactions,
        };
        blocks.into_iter().map(|block| simulation.block(block)).collect::<Result<Vec<_>, _>>()
    })?;
    to_json(blocks)
}

/// A block to simulate, with its number and time.
#[derive(Debug)]
struct Planned {
    number: u64,
    timestamp: u64,
    overrides: BlockOverrides,
    block: SimBlock,
}

/// Plans consecutive blocks after `base`. A skipped number becomes an empty block.
fn chained(base: &Header, blocks: Vec<SimBlock>) -> Result<Vec<Planned>, RpcError> {
    let mut planned = Vec::new();
    let (mut last, mut time) = (base.number, base.timestamp);
    for mut block in blocks {
        let overrides = block.block_overrides.take().unwrap_or_default();
        let number = match overrides.number {
            Some(number) => fitting(number, "number")?,
            None => last.saturating_add(1),
        };
        if number <= last {
            let message = format!("block numbers must be in order: {number} <= {last}");
            return Err(RpcError::new(BLOCK_NUMBER_INVALID, message));
        }
        if number - base.number > MAX_SIMULATE_BLOCKS {
            let message = format!("too many blocks: limit {MAX_SIMULATE_BLOCKS}");
            return Err(RpcError::new(CLIENT_LIMIT_EXCEEDED, message));
        }
        for number in last + 1..number {
            time = time.saturating_add(BLOCK_SECONDS);
            let (overrides, block) = Default::default();
            planned.push(Planned { number, timestamp: time, overrides, block });
        }
        let next = time.saturating_add(BLOCK_SECONDS);
        let timestamp = overrides.time.unwrap_or(next);
        if timestamp <= time {
            let message = format!("block timestamps must be in order: {timestamp} <= {time}");
            return Err(RpcError::new(BLOCK_TIMESTAMP_INVALID, message));
        }
        (last, time) = (number, timestamp);
        planned.push(Planned { number, timestamp, overrides, block });
    }
    Ok(planned)
}

/// The state of a simulation, block by block.
struct Simulation<'c> {
    sandbox: Sandbox<'c>,
    chain: &'c RecentChain<'c>,
    parent: Header,
    parent_hash: B256,
    gas_left: u64,
    started: Instant,
    checks: Checks,
    traces_transfers: bool,
    is_full: bool,
}

/// An executed call.
struct Made {
    record: ReceiptRecord,
    envelope: TxEnvelope,
    receipt: ReceiptEnvelope,
    result: ExecutionResult,
    work: u64,
}

impl Simulation<'_> {
    fn block(&mut self, planned: Planned) -> Result<Block, RpcError> {
        let mut header = self.header(&planned)?;
        self.sandbox.set_block(&header);
        self.sandbox.restore_precompiles();
        if let Some(state) = planned.block.state_overrides {
            override_state(&mut self.sandbox, state)?;
        }
        self.sandbox.record_parent_hash(self.parent_hash).map_err(refusal)?;
        let mut made = Vec::with_capacity(planned.block.calls.len());
        let mut used = BLOCK_LOAD;
        for request in planned.block.calls {
            let call = self.call(&request, &header)?;
            let gas = call.result.tx_gas_used();
            header.gas_used += gas;
            used = used.plus(Load { gas, work: call.work });
            made.push(call);
        }
        let envelopes: Vec<_> = made.iter().map(|call| &call.envelope).collect();
        let receipts: Vec<_> = made.iter().map(|call| &call.receipt).collect();
        header.transactions_root = calculate_transaction_root(&envelopes);
        header.receipts_root = calculate_receipt_root(&receipts);
        let blooms = receipts.iter().map(|receipt| receipt.logs_bloom());
        header.logs_bloom = blooms.fold(Bloom::ZERO, |all, bloom| all | *bloom);
        let time_ms = time_ms(&header);
        let open = next_open_backlog(self.chain.config(), &self.parent, time_ms);
        header.extra_data = extra_data(open.plus(used), time_ms);
        check_held(self.started)?;
        header.state_root = self.chain.state_root_with(self.sandbox.diff());
        self.answer(header, made)
    }

    fn header(&self, planned: &Planned) -> Result<Header, RpcError> {
        let config = self.chain.config();
        let base_fee = match self.checks {
            Checks::Transaction => {
                next_base_fee(config, &self.parent, planned.timestamp.saturating_mul(1_000))
            }
            Checks::Call => 0,
        };
        let mut header = Header {
            parent_hash: self.parent_hash,
            number: planned.number,
            timestamp: planned.timestamp,
            extra_data: extra_data(Load::default(), 0),
            base_fee_per_gas: Some(base_fee),
            gas_used: 0,
            mix_hash: B256::ZERO,
            ..self.parent.clone()
        };
        override_header(&mut header, &planned.overrides)?;
        Ok(header)
    }

    /// Runs a call and commits its changes. `header` holds the gas that the block's earlier calls
    /// used.
    fn call(&mut self, request: &TransactionRequest, header: &Header) -> Result<Made, RpcError> {
        check_held(self.started)?;
        let config = self.chain.config();
        let room = header.gas_limit.saturating_sub(header.gas_used);
        if request.gas.is_some_and(|gas| gas > room) {
            let message =
                format!("block gas limit reached: {} > {room}", request.gas.unwrap_or_default());
            return Err(RpcError::new(BLOCK_GAS_LIMIT_REACHED, message));
        }
        if self.gas_left == 0 {
            let message = format!("the request has used its {CALL_GAS_MAX} gas");
            return Err(RpcError::new(CLIENT_LIMIT_EXCEEDED, message));
        }
        let mut gas = room.min(self.gas_left);
        if self.checks == Checks::Transaction {
            gas = gas.min(config.transaction_gas_limit_max());
        }
        let mut call = call_request(request, gas)?;
        if request.gas_price.is_none() {
            // A call without gas price is an EIP-1559 transaction.
            call.priority_fee.get_or_insert_default();
        }
        if request.nonce.is_none() {
            call.nonce = self.sandbox.account(call.from).map_err(refusal)?.nonce;
        }
        let result = self.run(&SandboxTx::call(config, &call, self.checks), call.from)?;
        self.gas_left = self.gas_left.saturating_sub(result.tx_gas_used());
        made(config, &call, result, self.sandbox.work(), header)
    }

    fn run(&mut self, tx: &SandboxTx, from: Address) -> Result<ExecutionResult, RpcError> {
        let outcome = if self.traces_transfers {
            self.sandbox.inspect(tx, Transfers::default())
        } else {
            self.sandbox.run(tx)
        };
        let outcome = outcome.map_err(|error| match error {
            SandboxError::Invalid(error) => {
                RpcError::new(invalid_code(&error), invalid_text(&error, from))
            }
            error => refusal(error),
        })?;
        self.sandbox.commit(outcome.state);
        Ok(outcome.result)
    }

    fn answer(&mut self, header: Header, made: Vec<Made>) -> Result<Block, RpcError> {
        let (records, calls): (Vec<_>, Vec<_>) =
            made.into_iter().map(|made| (made.record, (made.envelope, made.result))).unzip();
        let block = RpcBlock::new(BlockRecord {
            header: header.clone(),
            message_passer_storage_root: B256::ZERO,
            origin: Origin::default(),
            receipts: records,
        })?;
        let mut logs_before = 0;
        let calls = (0..).zip(calls).map(|(index, (envelope, result))| {
            let logs = logs(&block, &envelope, index, logs_before, &result);
            logs_before += logs.len();
            call_result(result, logs)
        });
        let calls = calls.collect();
        self.parent_hash = block.hash;
        self.parent = header;
        let inner = if self.is_full { block.block() } else { block_of_hashes(block.record()) };
        Ok(SimulatedBlock { inner, calls })
    }
}

/// Builds the unsigned transaction and the receipt of a call.
fn made(
    config: &ChainConfig,
    call: &CallRequest,
    result: ExecutionResult,
    work: u64,
    header: &Header,
) -> Result<Made, RpcError> {
    let gas_used = result.tx_gas_used();
    let envelope = envelope(config, call)?;
    let logs: Vec<_> =
        result.logs().iter().filter(|log| log.address != TRANSFER_EMITTER).cloned().collect();
    let logs_bloom = logs_bloom(&logs);
    let receipt = Receipt {
        status: Eip658Value::Eip658(result.is_success()),
        cumulative_gas_used: header.gas_used + gas_used,
        logs,
    };
    let receipt = receipt.into_with_bloom_unchecked(logs_bloom);
    let receipt = match call.tx_type() {
        4 => ReceiptEnvelope::Eip7702(receipt),
        2 => ReceiptEnvelope::Eip1559(receipt),
        1 => ReceiptEnvelope::Eip2930(receipt),
        _ => ReceiptEnvelope::Legacy(receipt),
    };
    let base_fee = u128::from(header.base_fee_per_gas.unwrap_or_default());
    let price = match call.priority_fee {
        Some(tip) => call.gas_price.min(base_fee.saturating_add(tip)),
        None => call.gas_price,
    };
    let record = ReceiptRecord {
        transaction: envelope.encoded_2718().into(),
        sender: call.from,
        receipt: receipt.encoded_2718().into(),
        gas_used,
        effective_gas_price: price,
        l1_fee: U256::ZERO,
    };
    Ok(Made { record, envelope, receipt, result, work })
}

fn envelope(config: &ChainConfig, call: &CallRequest) -> Result<TxEnvelope, RpcError> {
    let CallRequest { to, nonce, gas_limit, gas_price, value, input, access_list, .. } =
        call.clone();
    let chain_id = config.chain_id;
    let tip = call.priority_fee.unwrap_or_default();
    let unsigned = Signature::new(U256::ZERO, U256::ZERO, false);
    Ok(match call.tx_type() {
        4 => TxEip7702 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: gas_price,
            max_priority_fee_per_gas: tip,
            to: *to.to().ok_or_else(|| {
                RpcError::invalid_params("a transaction with authorizations cannot create")
            })?,
            value,
            access_list,
            authorization_list: call.authorizations.clone(),
            input,
        }
        .into_signed(unsigned)
        .into(),
        2 => TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: gas_price,
            max_priority_fee_per_gas: tip,
            to,
            value,
            access_list,
            input,
        }
        .into_signed(unsigned)
        .into(),
        1 => TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }
            .into_signed(unsigned)
            .into(),
        _ => TxLegacy { chain_id: Some(chain_id), nonce, gas_price, gas_limit, to, value, input }
            .into_signed(unsigned)
            .into(),
    })
}

fn logs(
    block: &RpcBlock,
    envelope: &TxEnvelope,
    index: u64,
    before: usize,
    result: &ExecutionResult,
) -> Vec<Log> {
    let header = &block.record().header;
    let log = |(at, log): (usize, &alloy_primitives::Log)| Log {
        inner: log.clone(),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        block_timestamp: Some(header.timestamp),
        transaction_hash: Some(envelope.tx_hash()),
        transaction_index: Some(index),
        log_index: Some(at as u64),
        removed: false,
    };
    (before..).zip(result.logs().iter().filter(|_| result.is_success())).map(log).collect()
}

fn call_result(result: ExecutionResult, logs: Vec<Log>) -> SimCallResult {
    let (gas_used, status) = (result.tx_gas_used(), result.is_success());
    let max_used_gas = Some(result.gas().total_gas_spent().max(gas_used));
    let (return_data, error) = match result {
        ExecutionResult::Success { output, .. } => (output.into_data(), None),
        ExecutionResult::Revert { output, .. } => {
            let message = RpcError::reverted(output.clone()).into_message();
            let code = SimulateError::EXECUTION_REVERTED_CODE;
            (output.clone(), Some(SimulateError { code, message, data: Some(output) }))
        }
        ExecutionResult::Halt { reason, .. } => {
            let code = SimulateError::VM_EXECUTION_ERROR_CODE;
            let error = SimulateError { code, message: halt_text(&reason), data: None };
            (Bytes::new(), Some(error))
        }
    };
    SimCallResult { return_data, logs, gas_used, max_used_gas, status, error }
}

/// The specification's code for a failed call.
const fn invalid_code(error: &InvalidTransaction) -> i64 {
    use InvalidTransaction as Invalid;
    match error {
        Invalid::NonceTooLow { .. } => NONCE_TOO_LOW,
        Invalid::NonceTooHigh { .. } => NONCE_TOO_HIGH,
        Invalid::GasPriceLessThanBasefee => FEE_CAP_TOO_LOW,
        Invalid::CallGasCostMoreThanGasLimit { .. } | Invalid::GasFloorMoreThanGasLimit { .. } => {
            INTRINSIC_GAS
        }
        Invalid::LackOfFundForMaxFee { .. } => INSUFFICIENT_FUNDS,
        Invalid::CallerGasLimitMoreThanBlock => BLOCK_GAS_LIMIT_REACHED,
        Invalid::CreateInitCodeSizeLimit => INIT_CODE_TOO_LARGE,
        _ => -32_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: Option<u64>, time: Option<u64>) -> SimBlock {
        let overrides =
            BlockOverrides { number: number.map(U256::from), time, ..BlockOverrides::default() };
        SimBlock::default().with_block_overrides(overrides)
    }

    fn places(blocks: Vec<SimBlock>) -> Result<Vec<(u64, u64)>, i64> {
        let base = Header { number: 10, timestamp: 100, ..Header::default() };
        let planned = chained(&base, blocks).map_err(|error| error.code())?;
        Ok(planned.iter().map(|planned| (planned.number, planned.timestamp)).collect())
    }

    #[test]
    fn skipped_numbers_become_empty_blocks() {
        let blocks = vec![block(None, None), block(Some(14), Some(200)), block(None, None)];
        let expected = vec![(11, 101), (12, 102), (13, 103), (14, 200), (15, 201)];
        assert_eq!(places(blocks), Ok(expected));
    }

    #[test]
    fn blocks_out_of_order_and_too_many_are_refused() {
        assert_eq!(places(vec![block(Some(10), None)]), Err(BLOCK_NUMBER_INVALID));
        assert_eq!(places(vec![block(None, Some(100))]), Err(BLOCK_TIMESTAMP_INVALID));
        assert_eq!(places(vec![block(Some(267), None)]), Err(CLIENT_LIMIT_EXCEEDED));
        assert_eq!(places(vec![block(Some(266), None)]).map(|all| all.len()), Ok(256));
    }
}
