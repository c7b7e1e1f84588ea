//! Withdrawals in the logs of L2 transactions.

use alloy::{primitives::Log, sol_types::SolEvent as _};
use alloy_primitives::B256;
use turnpike_l1::L2ToL1MessagePasser::MessagePassed;
use turnpike_protocol::{Withdrawal, predeploys::MESSAGE_PASSER};

use crate::BridgeError;

/// A successful L2 transaction with the messages to L1 that it sent: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its hash.
    pub transaction: B256,
    /// Number of its block.
    pub block: u64,
    /// The messages, in order.
    pub withdrawals: Vec<Withdrawal>,
}

impl Withdrawn {
    /// The messages among the logs of `transaction` in L2 block `block`.
    pub(crate) fn from_logs<'a>(
        transaction: B256,
        block: u64,
        logs: impl IntoIterator<Item = &'a Log>,
    ) -> Result<Self, BridgeError> {
        let withdrawals = withdrawals_in(logs)?;
        if withdrawals.is_empty() {
            return Err(BridgeError::NotAWithdrawal(transaction));
        }
        Ok(Self { transaction, block, withdrawals })
    }

    /// The message at `index`; without an index, the only one.
    pub fn choose(&self, index: Option<usize>) -> Result<&Withdrawal, BridgeError> {
        let count = self.withdrawals.len();
        match index {
            Some(index) => self.withdrawals.get(index),
            None if count == 1 => self.withdrawals.first(),
            None => None,
        }
        .ok_or(BridgeError::ChooseMessage { count })
    }

    /// The last message: that of the transaction itself, whatever its call has sent before.
    pub fn last(&self) -> &Withdrawal {
        self.withdrawals.last().expect("invariant: there is at least one")
    }
}

/// The withdrawals among a transaction's logs, in order.
///
/// Fails if a log's hash is not that of its fields: then the node is wrong.
fn withdrawals_in<'a>(
    logs: impl IntoIterator<Item = &'a Log>,
) -> Result<Vec<Withdrawal>, BridgeError> {
    let passed = logs.into_iter().filter(|log| {
        log.address == MESSAGE_PASSER
            && log.topics().first() == Some(&MessagePassed::SIGNATURE_HASH)
    });
    passed.map(read).collect()
}

fn read(log: &Log) -> Result<Withdrawal, BridgeError> {
    let malformed = || BridgeError::Inconsistent("a withdrawal's log is malformed".to_owned());
    let event = MessagePassed::decode_log(log).map_err(|_| malformed())?.data;
    let withdrawal = Withdrawal {
        nonce: event.nonce,
        sender: event.sender,
        target: event.target,
        value: event.value,
        gas_limit: event.gasLimit,
        data: event.data,
    };
    if withdrawal.hash() == event.withdrawalHash { Ok(withdrawal) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Bytes, LogData, U256, address};

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

    #[test]
    fn withdrawals_are_read_from_logs() {
        let sent = withdrawal();
        let other = Log { address: sent.sender, ..log(&sent, sent.hash()) };
        let unknown = Log { address: MESSAGE_PASSER, data: LogData::default() };
        let logs = [other, unknown, log(&sent, sent.hash())];
        assert_eq!(withdrawals_in(&logs).expect("well formed"), [sent]);
    }

    #[test]
    fn message_is_chosen_by_its_index_or_as_the_only_one() {
        let sent = withdrawal();
        let second = Withdrawal { nonce: sent.nonce + U256::from(1), ..sent.clone() };
        let logs = [log(&sent, sent.hash()), log(&second, second.hash())];
        let of = |logs| Withdrawn::from_logs(B256::ZERO, 1, logs).expect("well formed");
        let (one, two) = (of(&logs[..1]), of(&logs[..]));
        assert_eq!(one.choose(None).ok(), Some(&sent));
        assert_eq!(two.choose(Some(1)).ok(), Some(&second));
        assert_eq!(two.last(), &second);
        for (withdrawn, index) in [(&one, Some(1)), (&two, None)] {
            let error = withdrawn.choose(index).expect_err("no such message");
            assert!(matches!(error, BridgeError::ChooseMessage { .. }), "{error}");
        }
    }

    #[test]
    fn transaction_without_messages_is_not_a_withdrawal() {
        let error = Withdrawn::from_logs(B256::ZERO, 1, &[]).expect_err("no message");
        assert!(matches!(error, BridgeError::NotAWithdrawal(_)), "{error}");
    }

    #[test]
    fn log_with_a_wrong_hash_is_rejected() {
        let sent = withdrawal();
        let error = withdrawals_in(&[log(&sent, B256::repeat_byte(1))]).expect_err("a wrong hash");
        assert!(matches!(error, BridgeError::Inconsistent(_)), "{error}");
    }
}
