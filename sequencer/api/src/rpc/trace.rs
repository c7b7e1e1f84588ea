//! geth's tracing methods.

use alloy::rpc::types::{BlockId, TransactionRequest};
use alloy_primitives::B256;
use alloy_rpc_types_trace::{
    common::TraceResult,
    geth::{GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace},
};
use revm_inspectors::tracing::{DebugInspector, DebugInspectorError, TransactionContext};
use tokio::task::block_in_place;
use turnpike_executor::{Checks, ExecutionResult, Sandbox, SandboxTx};

use super::{
    call::{CALL_GAS_MAX, Overrides, call_request, sandbox},
    convert::{RpcBlock, to_json},
    error::{RpcError, RpcResult},
    eth::{find_block, find_transaction, state_at},
    execution_error::{refusal, refused},
    method::methods,
    params::Params,
    permit::trace_permit,
    replay::Replay,
    watch::Watch,
};
use crate::context::ApiContext;

methods! {
    "debug_traceTransaction", 200, "only built-in tracers; the timeout bounds the request and is at most 60 s" => |s, p| trace_transaction(s, p).await;
    "debug_traceCall", 100, "as debug_traceTransaction; no txIndex" => |s, p| trace_call(s, p).await;
    "debug_traceBlockByNumber", 500, "as debug_traceTransaction" => |s, p| trace_block(s, p).await;
    "debug_traceBlockByHash", 500, "as debug_traceTransaction" => |s, p| trace_block(s, p).await;
}

/// A tracer and its limits.
#[derive(Debug)]
struct Tracer {
    inspector: DebugInspector,
    watch: Watch,
}

impl Tracer {
    fn new(options: GethDebugTracingOptions) -> Result<Self, RpcError> {
        let watch = Watch::new(&options)?;
        let name = options.tracer.as_ref().map(|tracer| tracer.as_str().to_owned());
        let inspector = DebugInspector::new(options).map_err(|error| match error {
            DebugInspectorError::JsTracerNotEnabled | DebugInspectorError::UnsupportedTracer => {
                RpcError::invalid_params(format!(
                    "tracer {:?} not found: the built-in ones are callTracer, flatCallTracer, prestateTracer, 4byteTracer, muxTracer and \
                     noopTracer; tracers in JavaScript are not supported",
                    name.unwrap_or_default()
                ))
            }
            error => RpcError::invalid_params(error.to_string()),
        })?;
        Ok(Self { inspector, watch })
    }

    /// Traces a transaction and commits its changes.
    fn trace(
        &mut self,
        sandbox: &mut Sandbox<'_>,
        tx: &SandboxTx,
        context: Option<TransactionContext>,
    ) -> Result<(GethTrace, ExecutionResult), RpcError> {
        if let Some(reason) = self.watch.excess() {
            return Err(RpcError::server(reason));
        }
        self.inspector.fuse().map_err(|error| RpcError::server(error.to_string()))?;
        let outcome =
            sandbox.inspect(tx, (&mut self.watch, &mut self.inspector)).map_err(refusal)?;
        let mut state = sandbox.state();
        let trace = self
            .inspector
            .get_result(context, tx.env(), sandbox.block(), &outcome, &mut state)
            .map_err(|error| RpcError::server(error.to_string()))?;
        sandbox.commit(outcome.state);
        Ok((trace, outcome.result))
    }

    /// Traces the transaction at this position of a block.
    fn trace_at(
        &mut self,
        replay: &Replay,
        sandbox: &mut Sandbox<'_>,
        block: &RpcBlock,
        at: usize,
    ) -> Result<GethTrace, RpcError> {
        let context = TransactionContext {
            block_hash: Some(block.hash),
            tx_index: Some(at),
            tx_hash: Some(block.envelope(at).tx_hash()),
        };
        let tx = replay.transaction(sandbox, at)?;
        let (trace, result) = self.trace(sandbox, &tx, Some(context))?;
        replay.check(at, &result)?;
        Ok(trace)
    }
}

async fn trace_transaction(context: &ApiContext, mut params: Params) -> RpcResult {
    let hash = params.next::<B256>()?;
    let options = params.optional::<GethDebugTracingOptions>()?.unwrap_or_default();
    let _permit = trace_permit(context).await?;
    let mut tracer = Tracer::new(options)?;
    let (block, at) = traceable(context, hash).await?;
    let replay = Replay::new(&context.chain.config, &block)?;
    let mut sandbox = replay.run(context, at + 1).await?;
    let trace = block_in_place(|| {
        replay.restart_to(&mut sandbox, at)?;
        tracer.trace_at(&replay, &mut sandbox, &block, at)
    })?;
    to_json(trace)
}

/// The block of a transaction to trace, and the transaction's position in it.
pub(super) async fn traceable(
    context: &ApiContext,
    hash: B256,
) -> Result<(RpcBlock, usize), RpcError> {
    let found = find_transaction(context, hash).await?;
    let (record, at) = found.ok_or_else(|| RpcError::server("transaction not found"))?;
    Ok((RpcBlock::new(record)?, at))
}

async fn trace_block(context: &ApiContext, mut params: Params) -> RpcResult {
    let id = params.next::<BlockId>()?;
    let options = params.optional::<GethDebugTracingOptions>()?.unwrap_or_default();
    let _permit = trace_permit(context).await?;
    let mut tracer = Tracer::new(options)?;
    let block = find_block(context, id).await?;
    let block = block.ok_or_else(|| RpcError::server("block not found"))?;
    let replay = Replay::new(&context.chain.config, &block)?;
    let mut sandbox = replay.run(context, replay.len()).await?;
    let traces = block_in_place(|| {
        replay.restart(&mut sandbox)?;
        (0..replay.len())
            .map(|at| {
                let result = tracer.trace_at(&replay, &mut sandbox, &block, at)?;
                let tx_hash = Some(block.envelope(at).tx_hash());
                Ok(TraceResult::<GethTrace, String>::Success { result, tx_hash })
            })
            .collect::<Result<Vec<_>, RpcError>>()
    })?;
    to_json(traces)
}

async fn trace_call(context: &ApiContext, mut params: Params) -> RpcResult {
    let request = params.next::<TransactionRequest>()?;
    let id = params.optional::<BlockId>()?;
    let options = params.optional::<GethDebugTracingCallOptions>()?.unwrap_or_default();
    if options.tx_index.is_some() {
        return Err(RpcError::invalid_params("txIndex is not supported"));
    }
    let _permit = trace_permit(context).await?;
    let mut tracer = Tracer::new(options.tracing_options)?;
    let overrides = Overrides::new(options.state_overrides, options.block_overrides);
    let chain = state_at(context, id).await?;
    let (mut sandbox, tx) = block_in_place(|| {
        let mut sandbox = sandbox(&chain, &chain.head().header, overrides)?;
        let gas = CALL_GAS_MAX.min(sandbox.block().gas_limit);
        let request = call_request(&request, gas)?;
        let tx = SandboxTx::call(chain.config(), &request, Checks::Call);
        sandbox.run(&tx).map_err(|error| refused(error, &request))?;
        Ok::<_, RpcError>((sandbox.detach().map_err(refusal)?, tx))
    })?;
    drop(chain);
    let (trace, _) = block_in_place(|| tracer.trace(&mut sandbox, &tx, None))?;
    to_json(trace)
}
