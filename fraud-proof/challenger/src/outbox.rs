//! The tx manager's store in the challenger's database.

use alloy_primitives::B256;
use tracing::warn;
use turnpike_storage::{Database, SignedTransaction, SigningRole, StorageError};
use turnpike_tx_manager::{RecordedTx, SentTx, TxManager, TxStore};

use crate::purpose::Purpose;

/// The challenger's tx manager. Without a database, a new run does not know what is in flight.
pub(crate) type ChallengerTxManager = TxManager<Purpose, Option<Outbox>>;

/// Keeps signed transactions in the challenger's database.
#[derive(Debug)]
pub(crate) struct Outbox {
    database: Database,
}

/// How the purpose of a transaction that cancels a nonce is stored.
const CANCELLATION: &str = r#"{"purpose":"nothing"}"#;

impl Outbox {
    pub(crate) const fn new(database: Database) -> Self {
        Self { database }
    }
}

impl TxStore<Purpose> for Outbox {
    type Error = StorageError;

    async fn load(&self) -> Result<Vec<RecordedTx<Purpose>>, StorageError> {
        let sent = self.database.signed(SigningRole::Challenger).await?;
        Ok(sent.into_iter().filter_map(recorded).collect())
    }

    async fn record(&self, sent: &SentTx<Purpose>) -> Result<(), StorageError> {
        let purpose =
            sent.purpose.as_ref().map_or_else(|| CANCELLATION.to_owned(), Purpose::to_text);
        let record = SignedTransaction {
            l1_transaction: sent.tx.hash,
            nonce: sent.tx.nonce,
            purpose,
            deadline: sent.deadline,
            l1_block: sent.l1_block,
            raw: sent.tx.raw.clone(),
        };
        self.database.record_signed(SigningRole::Challenger, &record).await
    }

    async fn forget(&self, l1_transaction: B256) -> Result<(), StorageError> {
        self.database.forget_signed(l1_transaction).await
    }
}

fn recorded(sent: SignedTransaction) -> Option<RecordedTx<Purpose>> {
    let SignedTransaction { l1_transaction, purpose, deadline, l1_block, raw, .. } = sent;
    let purpose = match Purpose::from_text(&purpose) {
        Some(purpose) => Some(purpose),
        None if purpose == CANCELLATION => None,
        None => {
            warn!(%l1_transaction, purpose, "ignoring a recorded transaction of unknown purpose");
            return None;
        }
    };
    Some(RecordedTx { l1_transaction, purpose, deadline, l1_block, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_purposes_and_cancellations_are_read_back() {
        let record = |purpose: &str| SignedTransaction {
            l1_transaction: B256::ZERO,
            nonce: 0,
            purpose: purpose.to_owned(),
            deadline: 0,
            l1_block: 0,
            raw: Default::default(),
        };
        let purpose = Purpose::TimeOut { game: 3 };
        let read = recorded(record(&purpose.to_text())).expect("known purpose");
        assert_eq!(read.purpose, Some(purpose));
        assert_eq!(recorded(record(CANCELLATION)).expect("known purpose").purpose, None);
        assert!(recorded(record("{}")).is_none());
    }
}
