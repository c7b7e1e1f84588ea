//! Withdrawals in the logs of L2 transactions.

use alloy::{primitives::Log, sol_types::SolEvent as _};
use turnpike_l1::L2ToL1MessagePasser::MessagePassed;
use turnpike_protocol::{Withdrawal, predeploys::MESSAGE_PASSER};

use crate::BridgeError;

/// The withdrawals among a transaction's logs, in order.
///
/// Fails if a log's hash is not that of its fields: then the node is wrong.
pub(crate) fn withdrawals_in<'a>(
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
    use alloy::primitives::{B256, Bytes, LogData, U256, address};

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
    fn log_with_a_wrong_hash_is_rejected() {
        let sent = withdrawal();
        let error = withdrawals_in(&[log(&sent, B256::repeat_byte(1))]).expect_err("a wrong hash");
        assert!(matches!(error, BridgeError::Inconsistent(_)), "{error}");
    }
}
