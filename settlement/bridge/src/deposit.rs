//! Deposits in the logs of L1 transactions.

use alloy::{rpc::types::Log, sol_types::SolEvent as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_l1::Portal::TransactionDeposited;
use turnpike_protocol::{Deposit, SourceHash};

use crate::BridgeError;

/// A deposit in an L1 receipt. Its index in the queue is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDeposit {
    /// Number of the L1 block that holds it.
    pub l1_block_number: u64,
    /// Hash of that block.
    pub l1_block_hash: B256,
    /// Index of its log in that block.
    pub log_index: u64,
    /// Sender on L2.
    pub from: Address,
    /// Recipient on L2; zero for a creation.
    pub to: Address,
    version: U256,
    opaque_data: Bytes,
}

/// Bytes of the minted amount at the start of a deposit's packed data.
const MINT_BYTES: usize = 32;

impl SentDeposit {
    /// The deposits that `portal` logged in an L1 transaction, in order.
    pub(crate) fn all_in<'a>(
        portal: Address,
        logs: impl IntoIterator<Item = &'a Log>,
    ) -> Result<Vec<Self>, BridgeError> {
        let queued = logs.into_iter().filter(|log| {
            log.address() == portal && log.topic0() == Some(&TransactionDeposited::SIGNATURE_HASH)
        });
        queued.map(Self::from_log).collect()
    }

    fn from_log(log: &Log) -> Result<Self, BridgeError> {
        let malformed = || BridgeError::Inconsistent("a deposit's log is malformed".to_owned());
        let event = TransactionDeposited::decode_log(&log.inner).map_err(|_| malformed())?.data;
        let place = log.block_number.zip(log.block_hash).zip(log.log_index);
        let ((l1_block_number, l1_block_hash), log_index) = place.ok_or_else(malformed)?;
        let (from, to) = (event.from, event.to);
        let (version, opaque_data) = (event.version, event.opaqueData);
        Ok(Self { l1_block_number, l1_block_hash, log_index, from, to, version, opaque_data })
    }

    /// Wei that it mints on L2, even if its call fails.
    pub fn mint(&self) -> U256 {
        self.opaque_data.get(..MINT_BYTES).map(U256::from_be_slice).unwrap_or_default()
    }

    /// Hash of its L2 transaction if the sequencer includes it, as in the OP stack.
    pub(crate) fn l2_hash(&self) -> Result<B256, BridgeError> {
        let Self { l1_block_hash, log_index, .. } = *self;
        self.hash_from(SourceHash::User { l1_block_hash, log_index })
    }

    /// Hash of its L2 transaction if an entry without usable data includes it, for example a forced
    /// one. Such an entry knows a deposit by its queue index alone.
    pub(crate) fn forced_l2_hash(&self, index: u64) -> Result<B256, BridgeError> {
        self.hash_from(SourceHash::Queue { index })
    }

    /// The deposit with queue index `index`.
    pub(crate) fn at(&self, index: u64) -> Deposit {
        Deposit {
            index,
            l1_block_number: self.l1_block_number,
            from: self.from,
            to: self.to,
            version: self.version,
            opaque_data: self.opaque_data.clone(),
        }
    }

    /// The hashes that its L2 transaction can have: if the sequencer includes it, and if a forced
    /// entry does. `index` is its queue index.
    pub fn l2_hashes(&self, index: u64) -> Result<[B256; 2], BridgeError> {
        Ok([self.l2_hash()?, self.forced_l2_hash(index)?])
    }

    fn hash_from(&self, source: SourceHash) -> Result<B256, BridgeError> {
        let transaction = self.at(0).to_transaction(source);
        let transaction =
            transaction.map_err(|error| BridgeError::Inconsistent(error.to_string()))?;
        Ok(transaction.tx_hash())
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, b256, bytes};

    use super::*;

    const PORTAL: Address = address!("7ef8E99980Da5bcEDcF7C10f41E55f759F6A174B");

    /// One ether from account 0 to account 1.
    fn log() -> Log {
        let event = TransactionDeposited {
            from: address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            to: address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            version: U256::ZERO,
            opaqueData: bytes!(
                "0000000000000000000000000000000000000000000000000de0b6b3a7640000"
                "0000000000000000000000000000000000000000000000000de0b6b3a7640000"
                "00000000000186a0" "00" "c0ffee"
            ),
        };
        Log {
            inner: alloy_primitives::Log { address: PORTAL, data: event.encode_log_data() },
            block_hash: Some(B256::repeat_byte(0xab)),
            block_number: Some(7),
            log_index: Some(3),
            ..Log::default()
        }
    }

    /// Made with viem's `getL2TransactionHashes`.
    const HASH: B256 = b256!("fb6ecce5dda3861a5590a64b35ec4094cc7bad84b98b679ba2f87e5b725e74be");

    #[test]
    fn l2_hash_equals_viems() {
        let deposits = SentDeposit::all_in(PORTAL, &[log()]).expect("well formed");
        let [deposit] = deposits.as_slice() else { panic!("one deposit: {deposits:?}") };
        assert_eq!(deposit.l2_hash().expect("well formed"), HASH);
        assert_eq!(deposit.mint(), U256::from(1_000_000_000_000_000_000_u128));
        assert_ne!(deposit.forced_l2_hash(0).expect("well formed"), HASH);
        assert_ne!(deposit.forced_l2_hash(0).ok(), deposit.forced_l2_hash(1).ok());
    }

    #[test]
    fn deposits_of_other_contracts_are_ignored() {
        let other = Address::repeat_byte(9);
        assert_eq!(SentDeposit::all_in(other, &[log()]).expect("nothing to read"), []);
    }

    #[test]
    fn log_outside_of_a_block_is_rejected() {
        let waiting = Log { block_hash: None, ..log() };
        SentDeposit::all_in(PORTAL, &[waiting]).expect_err("in no block");
    }
}
