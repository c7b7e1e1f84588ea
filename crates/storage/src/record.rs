//! Records of blocks, receipts and withdrawals, as the index stores them in RLP.

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use turnpike_protocol::{
    BlockInput, DEPOSITOR_ACCOUNT, Header, Origin, OutputRoot, QueuedDeposit, TxEnvelope,
};

/// A sealed block's input and result: everything that executing it again needs, with its hash and
/// state root. The batcher posts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedInput {
    /// Block number.
    pub number: u64,
    /// Time, in milliseconds.
    pub time_ms: u64,
    /// L1 attributes that it saw.
    pub origin: Origin,
    /// Deposits that it consumed from the queue.
    pub deposits: Vec<QueuedDeposit>,
    /// EIP-2718 encodings of its transactions, without deposits.
    pub transactions: Vec<Bytes>,
    /// Hash of the block.
    pub hash: B256,
    /// State root after the block.
    pub state_root: B256,
}

impl SealedInput {
    /// Whether `block` has this record's number, time, origin, deposits and transactions.
    /// Transactions are compared by their EIP-2718 bytes, without their signers.
    pub fn is_block(&self, block: &BlockInput<TxEnvelope>) -> bool {
        self.number == block.number
            && self.time_ms == block.time_ms
            && self.origin == block.origin
            && self.has_transactions(&block.transactions)
            && self.has_deposits(block)
    }

    fn has_transactions(&self, transactions: &[TxEnvelope]) -> bool {
        let mut encoded = Vec::new();
        let mut is_same = |(raw, found): (&Bytes, &TxEnvelope)| {
            encoded.clear();
            found.encode_2718(&mut encoded);
            *raw == encoded
        };
        self.transactions.len() == transactions.len()
            && self.transactions.iter().zip(transactions).all(&mut is_same)
    }

    /// Whether the block takes exactly this record's deposits from the queue, in order. The
    /// attributes transaction before them is not compared: it depends on the origins, and only the
    /// block's parent decides whether there is one.
    fn has_deposits(&self, block: &BlockInput<TxEnvelope>) -> bool {
        let attributes = block.deposits.first().filter(|first| {
            first.as_deposit().is_some_and(|deposit| deposit.from == DEPOSITOR_ACCOUNT)
        });
        let queue = &block.deposits[usize::from(attributes.is_some())..];
        let is_same = |(queued, expected): (&QueuedDeposit, &TxEnvelope)| {
            queued.to_transaction().is_ok_and(|found| found == *expected)
        };
        self.deposits.len() == queue.len() && self.deposits.iter().zip(queue).all(is_same)
    }
}

/// Proof of the message passer's account in the state after a block. Proofs of its slots are
/// computed from its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct PasserProof {
    /// Nonce of the account.
    pub nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
    /// Storage root.
    pub storage_root: B256,
    /// Code hash.
    pub code_hash: B256,
    /// Nodes from the state root to the account, root first.
    pub account_proof: Vec<Bytes>,
}

/// A message from L2 to L1, as the event `MessagePassed` logs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct WithdrawalRecord {
    /// Withdrawal hash, its id on L1 and L2.
    pub hash: B256,
    /// L2 transaction that sent it.
    pub transaction: B256,
    /// Nonce with the version in its upper bytes.
    pub nonce: U256,
    /// Sender on L2.
    pub sender: Address,
    /// Account that L1 calls.
    pub target: Address,
    /// Wei that the call carries.
    pub value: U256,
    /// Minimum gas of the call.
    pub gas_limit: U256,
    /// Call data.
    pub data: Bytes,
}

/// A block with its transactions and receipts.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockRecord {
    /// The header.
    pub header: Header,
    /// Storage root of the message passer after the block. With the header it gives the output
    /// root.
    pub message_passer_storage_root: B256,
    /// L1 attributes that the block saw.
    pub origin: Origin,
    /// Transactions and receipts, in order.
    pub receipts: Vec<ReceiptRecord>,
}

impl BlockRecord {
    /// The preimage of the output root after the block.
    pub fn output(&self) -> OutputRoot {
        OutputRoot {
            state_root: self.header.state_root,
            message_passer_storage_root: self.message_passer_storage_root,
            block_hash: self.header.hash_slow(),
        }
    }
}

/// A transaction with its receipt.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct ReceiptRecord {
    /// EIP-2718 encoding of the transaction.
    pub transaction: Bytes,
    /// Recovered signer.
    pub sender: Address,
    /// EIP-2718 encoding of the receipt.
    pub receipt: Bytes,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid per gas, in wei.
    pub effective_gas_price: u128,
    /// L1 data fee, in wei.
    pub l1_fee: U256,
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxLegacy};
    use alloy_primitives::{Signature, TxKind};
    use turnpike_protocol::{ChainConfig, Deposit, DepositHint, Genesis, Parent};

    use super::*;

    const PARENT: Parent = Parent { number: 6, time_ms: 900_000, origin: None };

    fn transaction(nonce: u64, signature: Signature) -> TxEnvelope {
        let input = Bytes::from_static(&[1, 2, 3]);
        let tx = TxLegacy { nonce, to: TxKind::Call(Address::ZERO), input, ..Default::default() };
        tx.into_signed(signature).into()
    }

    fn deposit(index: u64) -> QueuedDeposit {
        let mut opaque_data = U256::from(5).to_be_bytes_vec();
        opaque_data.extend(U256::from(index).to_be_bytes::<32>());
        opaque_data.extend(100_000_u64.to_be_bytes());
        opaque_data.push(0);
        let deposit = Deposit {
            index,
            l1_block_number: 3,
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            version: U256::ZERO,
            opaque_data: opaque_data.into(),
        };
        let hint = DepositHint { l1_block_hash: B256::repeat_byte(3), log_index: index };
        QueuedDeposit { deposit, hint: Some(hint) }
    }

    fn config() -> ChainConfig {
        Genesis::dev().config
    }

    /// A record, and the block that L1 would derive for it.
    fn same() -> (SealedInput, BlockInput<TxEnvelope>) {
        let origin = Origin { entry: 4, l1_time: 800, ..Origin::default() };
        let transactions: Vec<_> =
            (0..3).map(|nonce| transaction(nonce, Signature::test_signature())).collect();
        let deposits = vec![deposit(0), deposit(1)];
        let record = SealedInput {
            number: 7,
            time_ms: 1_000_007,
            origin,
            transactions: transactions.iter().map(|tx| tx.encoded_2718().into()).collect(),
            deposits: deposits.clone(),
            hash: B256::ZERO,
            state_root: B256::ZERO,
        };
        let block = BlockInput::new(&config(), PARENT, origin, 1_000_007, &deposits, transactions);
        (record, block.expect("valid deposits"))
    }

    #[test]
    fn record_is_its_block() {
        let (record, block) = same();
        assert!(record.is_block(&block));
        // Only the parent decides whether the block has an attributes transaction.
        let mut without = block;
        without.deposits.remove(0);
        assert!(record.is_block(&without));
    }

    #[test]
    fn block_with_any_other_field_is_refused() {
        type Change = fn(&mut BlockInput<TxEnvelope>);
        let changes: &[(&str, Change)] = &[
            ("number", |block| block.number += 1),
            ("time", |block| block.time_ms += 1),
            ("origin", |block| block.origin.entry += 1),
            ("attributes of the origin", |block| block.origin.l1_base_fee += U256::from(1)),
            ("transaction missing", |block| block.transactions.truncate(2)),
            ("transaction added", |block| block.transactions.push(block.transactions[2].clone())),
            ("order", |block| block.transactions.swap(0, 1)),
            ("signature", |block| {
                let it = Signature::test_signature();
                block.transactions[1] = transaction(1, Signature::new(it.r(), it.s(), !it.v()));
            }),
            ("nonce", |block| {
                block.transactions[2] = transaction(9, Signature::test_signature());
            }),
            ("deposit missing", |block| block.deposits.truncate(2)),
            ("deposit added", |block| block.deposits.push(block.deposits[2].clone())),
            ("deposits' order", |block| block.deposits.swap(1, 2)),
            ("deposit without a hint", |block| {
                let unhinted = QueuedDeposit { hint: None, ..deposit(1) };
                block.deposits[2] = unhinted.to_transaction().expect("valid");
            }),
        ];
        for (field, change) in changes {
            let (record, mut block) = same();
            change(&mut block);
            assert!(!record.is_block(&block), "{field}");
        }
    }

    #[test]
    fn every_byte_of_a_transaction_counts() {
        let (record, block) = same();
        for at in 0..record.transactions.len() {
            for byte in 0..record.transactions[at].len() {
                let mut other = record.clone();
                let mut raw = other.transactions[at].to_vec();
                raw[byte] ^= 1;
                other.transactions[at] = raw.into();
                assert!(!other.is_block(&block), "byte {byte} of transaction {at}");
            }
        }
    }
}
