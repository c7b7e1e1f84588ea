//! One account's transactions on one layer, one after the other.

use std::time::Duration;

use alloy::{
    network::TransactionBuilder as _, providers::Provider as _, rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, B256};
use tokio::sync::Mutex;
use turnpike_l1::{Call, Inbox, L1Error, Portal, Rollup};
use turnpike_tx_manager::{AccountClient, FeePolicy, OneShot, TxManagerConfig, TxManagerError};

use crate::{BridgeError, Layer, Node, Receipt};

/// Signs and sends one account's transactions on one layer, through a tx manager that keeps nothing
/// between runs.
#[derive(Debug)]
pub struct Wallet {
    node: Node,
    key: PrivateKeySigner,
    /// How often a receipt is looked for.
    poll: Duration,
    /// `None` before the first transaction.
    sender: Mutex<Option<OneShot>>,
}

impl Wallet {
    /// A wallet that signs with `key`.
    pub const fn new(node: Node, key: PrivateKeySigner, poll: Duration) -> Self {
        Self { node, key, poll, sender: Mutex::const_new(None) }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// The layer.
    pub const fn layer(&self) -> Layer {
        self.node.layer()
    }

    /// Signs and sends a call. Nothing is sent if it would revert.
    pub async fn send(&self, call: Call) -> Result<B256, BridgeError> {
        let mut sender = self.sender.lock().await;
        let sender = match sender.as_mut() {
            Some(sender) => sender,
            None => sender.insert(self.connect().await?),
        };
        match sender.send(call.clone()).await {
            Err(TxManagerError::L1(L1Error::Rejected(reason))) => {
                Err(self.refusal(&call, reason).await)
            }
            sent => sent.map_err(|error| self.failure(error)),
        }
    }

    /// Waits until a block holds the transaction that was sent last, and returns its receipt. It
    /// may be that of a replacement, which pays more. Fails if the transaction has reverted, or if
    /// another one has used its nonce.
    pub async fn included(&self, hash: B256) -> Result<Receipt, BridgeError> {
        let layer = self.node.layer();
        let mut sender = self.sender.lock().await;
        let Some(sender) = sender.as_mut() else { return Err(BridgeError::Unknown(hash)) };
        let confirmed = match sender.confirm().await {
            Err(TxManagerError::L1(L1Error::Rejected(_))) => {
                return Err(BridgeError::Unknown(hash));
            }
            confirmed => confirmed.map_err(|error| self.failure(error))?,
        };
        let hash = confirmed.transaction_hash;
        if !confirmed.status() {
            return Err(BridgeError::Failed { layer, hash });
        }
        self.node.receipt(hash).await?.ok_or(BridgeError::NotIncluded(hash))
    }

    async fn connect(&self) -> Result<OneShot, BridgeError> {
        let provider = self.node.provider().clone();
        let failed = |error| BridgeError::transport(self.node.layer(), error);
        let chain_id = provider.get_chain_id().await.map_err(failed)?;
        let client = AccountClient::connected(provider, chain_id, self.key.clone());
        let fees = FeePolicy {
            max_fee_per_gas: u128::MAX,
            // The call that finalizes a withdrawal may have to finalize its output as well.
            gas_margin_percent: 60,
            ..FeePolicy::default()
        };
        Ok(OneShot::new(client, TxManagerConfig::from(fees), self.poll))
    }

    /// Why the chain refuses a call, in the contract's own words if it names an error.
    async fn refusal(&self, call: &Call, reason: String) -> BridgeError {
        let request = TransactionRequest::default()
            .with_from(self.address())
            .with_to(call.to)
            .with_value(call.value)
            .with_input(call.input.clone());
        let answer = self.node.provider().estimate_gas(request).await;
        let stated = answer.as_ref().err().and_then(|error| error.as_error_resp());
        let reason = match stated {
            None => reason,
            Some(stated) => {
                let named = stated.as_revert_data().and_then(|data| contract_error(&data));
                named.unwrap_or_else(|| stated.message.to_string())
            }
        };
        BridgeError::Refused { layer: self.node.layer(), reason }
    }

    /// An error of this layer's node.
    fn failure(&self, error: TxManagerError) -> BridgeError {
        match (self.node.layer(), error) {
            (Layer::L1, TxManagerError::L1(error)) => BridgeError::L1(error),
            (Layer::L2, TxManagerError::L1(L1Error::Unreachable(reason))) => {
                BridgeError::L2Unreachable(reason)
            }
            (Layer::L2, TxManagerError::L1(error)) => BridgeError::L2Unreachable(error.to_string()),
            (_, error) => BridgeError::Inconsistent(error.to_string()),
        }
    }
}

/// A contract's error by name and arguments: `Portal_GasLimitTooLow { gasLimit: 1, min: 21000 }`.
fn contract_error(data: &[u8]) -> Option<String> {
    use alloy::sol_types::SolInterface as _;
    let portal = Portal::PortalErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let rollup = Rollup::RollupErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let inbox = Inbox::InboxErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let error = portal.or(rollup).or(inbox).ok()?;
    // The enum's variant, in parentheses the error itself.
    let inner = error.split_once('(').map(|(_, inner)| inner.strip_suffix(')').unwrap_or(inner));
    Some(inner.unwrap_or(&error).to_owned())
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolError as _;

    use super::*;

    #[test]
    fn contract_errors_are_named() {
        let error = Portal::Portal_GasLimitTooLow { gasLimit: 1, min: 21_000 };
        let words = contract_error(&error.abi_encode()).expect("known");
        assert_eq!(words, "Portal_GasLimitTooLow { gasLimit: 1, min: 21000 }");
        let words = contract_error(&Inbox::Inbox_NothingOverdue {}.abi_encode()).expect("known");
        assert!(words.contains("Inbox_NothingOverdue"), "{words}");
        assert_eq!(contract_error(&[1, 2, 3, 4]), None);
    }
}
