use alloy::{
    primitives::{Address, B256, Bytes, Log, U256, keccak256},
    sol_types::{SolEvent as _, SolValue as _},
};
use serde::Serialize;
use turnpike_protocol::predeploys::MESSAGE_PASSER;

use crate::{BridgeError, contracts::MessagePasser::MessagePassed};

/// Slot of the mapping `sentMessages` in the message passer.
const SENT_MESSAGES_SLOT: U256 = U256::ZERO;

/// A message from L2 to L1, as the message passer recorded it: a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    /// Its number; the version is in the upper 16 bits.
    pub nonce: U256,
    /// Who sent it on L2.
    pub sender: Address,
    /// Who is called on L1.
    pub target: Address,
    /// Wei that the call carries.
    pub value: U256,
    /// L1 gas that the call gets at least.
    pub gas_limit: U256,
    /// The call's data.
    pub data: Bytes,
}

impl Withdrawal {
    /// `keccak256(abi.encode(nonce, sender, target, value, gasLimit, data))`: what names it on both layers.
    pub fn hash(&self) -> B256 {
        let Self { nonce, sender, target, value, gas_limit, data } = self;
        let fields = (*nonce, *sender, *target, *value, *gas_limit, data.clone());
        keccak256(fields.abi_encode_params())
    }

    /// The slot in which the message passer holds a one for it.
    pub fn storage_slot(&self) -> U256 {
        let key = (self.hash(), SENT_MESSAGES_SLOT).abi_encode();
        keccak256(key).into()
    }

    /// The withdrawals among a transaction's logs, in order.
    ///
    /// Fails if the message passer's log does not hold the hash of its own fields: whoever serves it lies.
    pub fn all_in<'a>(logs: impl IntoIterator<Item = &'a Log>) -> Result<Vec<Self>, BridgeError> {
        let passed = logs.into_iter().filter(|log| {
            log.address == MESSAGE_PASSER
                && log.topics().first() == Some(&MessagePassed::SIGNATURE_HASH)
        });
        passed.map(Self::from_log).collect()
    }

    fn from_log(log: &Log) -> Result<Self, BridgeError> {
        let malformed = || BridgeError::Inconsistent("a withdrawal's log is malformed".to_owned());
        let event = MessagePassed::decode_log(log).map_err(|_| malformed())?.data;
        let withdrawal = Self {
            nonce: event.nonce,
            sender: event.sender,
            target: event.target,
            value: event.value,
            gas_limit: event.gasLimit,
            data: event.data,
        };
        if withdrawal.hash() == event.withdrawalHash { Ok(withdrawal) } else { Err(malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{LogData, address, b256};

    use super::*;

    fn withdrawal() -> Withdrawal {
        Withdrawal {
            nonce: U256::from(1) << 240,
            sender: address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            target: address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            value: U256::from(1_000_000_000_000_000_000_u128),
            gas_limit: U256::from(100_000),
            data: Bytes::from_static(&[0xde, 0xad]),
        }
    }

    fn log(withdrawal: &Withdrawal, hash: B256) -> Log {
        let event = MessagePassed {
            nonce: withdrawal.nonce,
            sender: withdrawal.sender,
            target: withdrawal.target,
            value: withdrawal.value,
            gasLimit: withdrawal.gas_limit,
            data: withdrawal.data.clone(),
            withdrawalHash: hash,
        };
        Log { address: MESSAGE_PASSER, data: event.encode_log_data() }
    }

    /// Made with viem's `encodeAbiParameters`, `keccak256` and `getWithdrawalHashStorageSlot`.
    #[test]
    fn hash_and_slot_are_viems() {
        assert_eq!(withdrawal().hash(), HASH);
        assert_eq!(B256::from(withdrawal().storage_slot()), SLOT);
    }

    const HASH: B256 = b256!("27a70070a8ccfea34045e4cadda6039d62271669b94ddc026880542b36f35a22");
    const SLOT: B256 = b256!("4f7a798ab69c243cdf1f0d59d82e149fbffa097a480d73cfcd502860b5405dd3");

    #[test]
    fn is_read_from_logs() {
        let sent = withdrawal();
        let other = Log { address: sent.sender, ..log(&sent, sent.hash()) };
        let unknown = Log { address: MESSAGE_PASSER, data: LogData::default() };
        let logs = [other, unknown, log(&sent, sent.hash())];
        assert_eq!(Withdrawal::all_in(&logs).expect("well formed"), [sent]);
    }

    #[test]
    fn a_hash_that_is_not_the_fields_is_refused() {
        let sent = withdrawal();
        let error = Withdrawal::all_in(&[log(&sent, B256::repeat_byte(1))]).expect_err("a lie");
        assert!(matches!(error, BridgeError::Inconsistent(_)), "{error}");
    }
}
