//! Converts executed blocks to the records that the index holds.

use std::ops::Range;

use alloy::sol_types::SolEvent as _;
use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::Address;
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_l1::L2ToL1MessagePasser::MessagePassed;
use turnpike_protocol::{Origin, ReceiptEnvelope, TxEnvelope, predeploys::MESSAGE_PASSER};
use turnpike_state::AccountProof;
use turnpike_storage::{
    BlockKey, BlockKeys, BlockRecord, JournalBlock, PasserProof, ReceiptRecord, SealedBlock,
    StoredTimes, WithdrawalRecord,
};

/// The index record of the genesis block, at which `chain` is.
pub fn genesis_record(chain: &Chain) -> BlockRecord {
    let head = chain.head();
    BlockRecord {
        header: head.header.clone(),
        message_passer_storage_root: head.output.message_passer_storage_root,
        origin: Origin::default(),
        receipts: Vec::new(),
    }
}

/// The index record of a block that the journal holds in `rows`.
pub fn sealed_block(
    outcome: &BlockOutcome,
    origin: Origin,
    rows: Range<u64>,
    passer_proof: AccountProof,
    times: StoredTimes,
) -> SealedBlock {
    SealedBlock {
        rows,
        hash: outcome.hash(),
        block: block_record(outcome, origin),
        hashes: outcome.transactions.iter().map(|tx| tx.envelope().tx_hash()).collect(),
        block_keys: block_keys(
            outcome.transactions.iter().map(|tx| (tx.envelope(), &tx.receipt.envelope, tx.sender)),
        ),
        passer_proof: self::passer_proof(passer_proof),
        withdrawals: withdrawals(outcome),
        times,
    }
}

/// The index record of the head of `chain`, which was executed from the journal. It lacks the time
/// of sealing.
pub fn sealed_block_of(chain: &Chain, outcome: &BlockOutcome, block: JournalBlock) -> SealedBlock {
    let proof = chain.state().proof(&MESSAGE_PASSER, &[]);
    // A later row holds the time of sealing.
    let times = StoredTimes { sealed_ms: None, parts: block.times };
    sealed_block(outcome, block.opening.origin, block.rows, proof, times)
}

/// All keys under which the index finds a block: its logs and the accounts of its transactions.
/// Each transaction comes with its receipt and its sender.
pub fn block_keys<'a>(
    txs: impl Iterator<Item = (&'a TxEnvelope, &'a ReceiptEnvelope, Address)> + Clone,
) -> BlockKeys {
    let logs = txs.clone().flat_map(|(_, receipt, _)| receipt.logs());
    let accounts = txs.flat_map(|(tx, receipt, sender)| {
        let recipient = tx.to().or_else(|| created(tx, receipt, sender));
        let recipient = recipient.map(|address| BlockKey::recipient(&address));
        [Some(BlockKey::sender(&sender)), recipient].into_iter().flatten()
    });
    BlockKeys::of(logs).and(accounts)
}

/// The contract that a transaction creates, if any.
pub fn created(tx: &TxEnvelope, receipt: &ReceiptEnvelope, sender: Address) -> Option<Address> {
    let nonce = match receipt.as_deposit_receipt() {
        Some(deposit) => deposit.deposit_nonce?,
        None => tx.nonce(),
    };
    tx.kind().is_create().then(|| sender.create(nonce))
}

/// The record of the message passer's proof.
pub fn passer_proof(proof: AccountProof) -> PasserProof {
    let account = proof.account.unwrap_or_default();
    PasserProof {
        nonce: account.nonce,
        balance: account.balance,
        storage_root: proof.storage_root,
        code_hash: account.code_hash,
        account_proof: proof.account_proof,
    }
}

/// The withdrawals that a block initiates, in order.
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
