use alloy_consensus::proofs::calculate_receipt_root;
use alloy_primitives::keccak256;
use turnpike_executor::BlockOutcome;
use turnpike_protocol::{Header, OutputRoot, ReceiptEnvelope};

/// Header and output of the block with a false state root, which depends on `seed`.
pub(crate) fn with_false_state(outcome: &BlockOutcome, seed: &str) -> (Header, OutputRoot) {
    let truth = outcome.output.state_root;
    let state_root = keccak256([truth.as_slice(), seed.as_bytes()].concat());
    let header = Header { state_root, ..outcome.header.clone() };
    let output = OutputRoot { state_root, block_hash: header.hash_slow(), ..outcome.output };
    (header, output)
}

/// Header and output of the block whose last receipt has the opposite status.
pub(crate) fn with_false_receipt(outcome: &BlockOutcome) -> (Header, OutputRoot) {
    let mut receipts: Vec<_> =
        outcome.transactions.iter().map(|tx| tx.receipt.envelope.clone()).collect();
    if let Some(last) = receipts.last_mut() {
        *last = ReceiptEnvelope::from_parts(
            !last.status(),
            last.cumulative_gas_used(),
            last.logs(),
            last.tx_type(),
            last.deposit_nonce(),
            last.deposit_receipt_version(),
        );
    }
    let receipts_root = calculate_receipt_root(&receipts);
    let header = Header { receipts_root, ..outcome.header.clone() };
    let output = OutputRoot { block_hash: header.hash_slow(), ..outcome.output };
    (header, output)
}
