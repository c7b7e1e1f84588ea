use alloy::sol_types::SolEvent as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Bytes;
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_l1::L2ToL1MessagePasser::MessagePassed;
use turnpike_protocol::{Origin, QueuedDeposit, predeploys::MESSAGE_PASSER};
use turnpike_state::AccountProof;
use turnpike_storage::{
    BlockRecord, JournalRecord, PasserProof, ReceiptRecord, SealedBlock, WithdrawalRecord,
};

use crate::builder;

/// The head of `chain` as the database keeps it.
pub(crate) fn sealed_block(
    chain: &Chain,
    outcome: &BlockOutcome,
    origin: Origin,
    deposits: Vec<QueuedDeposit>,
    transactions: Vec<Bytes>,
) -> SealedBlock {
    let record = JournalRecord {
        number: outcome.header.number,
        timestamp: outcome.header.timestamp,
        origin,
        deposits,
        transactions,
        hash: outcome.hash(),
        state_root: outcome.header.state_root,
    };
    SealedBlock {
        record,
        block: block_record(outcome, origin),
        hashes: builder::hashes(outcome),
        passer_proof: passer_proof(chain.state().proof(&MESSAGE_PASSER, &[])),
        withdrawals: withdrawals(outcome),
    }
}

/// What is kept of the message passer's proof.
pub(crate) fn passer_proof(proof: AccountProof) -> PasserProof {
    let account = proof.account.unwrap_or_default();
    PasserProof {
        nonce: account.nonce,
        balance: account.balance,
        storage_root: proof.storage_root,
        code_hash: account.code_hash,
        account_proof: proof.account_proof,
    }
}

/// The messages to L1 that a block sends, in order.
fn withdrawals(outcome: &BlockOutcome) -> Vec<WithdrawalRecord> {
    let mut found = Vec::new();
    for tx in &outcome.transactions {
        let logs = tx.receipt.envelope.logs().iter();
        for log in logs.filter(|log| log.address == MESSAGE_PASSER) {
            let Ok(passed) = MessagePassed::decode_log(log) else { continue };
            found.push(WithdrawalRecord {
                hash: passed.withdrawalHash,
                transaction: tx.envelope().tx_hash(),
                nonce: passed.nonce,
                sender: passed.sender,
                target: passed.target,
                value: passed.value,
                gas_limit: passed.gasLimit,
                data: passed.data.data.clone(),
            });
        }
    }
    found
}

fn block_record(outcome: &BlockOutcome, origin: Origin) -> BlockRecord {
    let receipts = outcome
        .transactions
        .iter()
        .map(|tx| ReceiptRecord {
            transaction: tx.envelope().encoded_2718().into(),
            sender: tx.sender,
            receipt: tx.receipt.envelope.encoded_2718().into(),
            gas_used: tx.receipt.gas_used,
            effective_gas_price: tx.receipt.effective_gas_price,
            l1_fee: tx.receipt.l1_fee,
        })
        .collect();
    BlockRecord {
        header: outcome.header.clone(),
        message_passer_storage_root: outcome.output.message_passer_storage_root,
        origin,
        receipts,
    }
}
