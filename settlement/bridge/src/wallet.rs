use std::time::Duration;

use alloy::{
    consensus::TxEnvelope,
    eips::Encodable2718 as _,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    providers::Provider as _,
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
    transports::TransportError,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use tracing::debug;
use turnpike_l1::{Inbox, Portal, Rollup};

use crate::{BridgeError, Node, Receipt};

/// Room above the estimate, in percent: state may move between estimate and inclusion, so that a finalized withdrawal, say,
/// has to finalize its output as well.
const GAS_MARGIN_PERCENT: u64 = 60;

/// Times in a row that a node may not know a transaction that was handed to it.
const UNKNOWN_MAX: u32 = 20;

/// A call to be made in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whom it calls.
    pub to: Address,
    /// Wei that it carries.
    pub value: U256,
    /// Its data.
    pub data: Bytes,
}

impl Call {
    /// A call of a contract's function without ether.
    pub fn of(to: Address, call: &impl SolCall) -> Self {
        Self { to, value: U256::ZERO, data: call.abi_encode().into() }
    }

    /// The same call with ether.
    #[must_use]
    pub fn with_value(self, value: U256) -> Self {
        Self { value, ..self }
    }
}

/// Signs and sends one account's transactions on one layer.
#[derive(Clone, Debug)]
pub struct Wallet {
    node: Node,
    wallet: EthereumWallet,
    address: Address,
    /// How often a receipt is looked for.
    poll: Duration,
}

impl Wallet {
    /// A wallet that signs with `key`.
    pub fn new(node: Node, key: PrivateKeySigner, poll: Duration) -> Self {
        let address = key.address();
        Self { node, wallet: key.into(), address, poll }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Checks that the account has so much ether, besides what gas costs.
    pub async fn check_balance(&self, needed: U256) -> Result<(), BridgeError> {
        let found = self.node.balance(self.address).await?;
        if found >= needed {
            return Ok(());
        }
        let (account, layer) = (self.address, self.node.layer());
        Err(BridgeError::BalanceTooSmall { account, layer, unit: "wei", found, needed })
    }

    /// Signs and sends a call. Nothing is sent if it would revert.
    pub async fn send(&self, call: Call) -> Result<B256, BridgeError> {
        let Call { to, value, data } = call;
        let provider = self.node.provider();
        let request = TransactionRequest::default()
            .with_from(self.address)
            .with_to(to)
            .with_value(value)
            .with_input(data);
        let gas = provider.estimate_gas(request.clone()).await.map_err(|e| self.refusal(e))?;
        let failed = |error| BridgeError::transport(self.node.layer(), error);
        let chain_id = provider.get_chain_id().await.map_err(failed)?;
        let nonce = provider.get_transaction_count(self.address).pending().await.map_err(failed)?;
        let fees = provider.estimate_eip1559_fees().await.map_err(failed)?;
        let request = request
            .with_nonce(nonce)
            .with_chain_id(chain_id)
            .with_gas_limit(gas.saturating_add(gas.saturating_mul(GAS_MARGIN_PERCENT) / 100))
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        let signed: TxEnvelope = request
            .build(&self.wallet)
            .await
            .map_err(|error| BridgeError::Inconsistent(format!("cannot sign: {error}")))?;
        let raw = signed.encoded_2718();
        let sent = provider.send_raw_transaction(&raw).await.map_err(|e| self.refusal(e))?;
        debug!(layer = %self.node.layer(), hash = %sent.tx_hash(), nonce, gas, "sent");
        Ok(*signed.tx_hash())
    }

    /// Waits for a transaction's block. Fails if the transaction has failed, or is lost.
    pub async fn included(&self, hash: B256) -> Result<Receipt, BridgeError> {
        let layer = self.node.layer();
        let mut unknown = 0;
        loop {
            match self.look_for(hash).await {
                Ok(Some(receipt)) if receipt.is_success() => return Ok(receipt),
                Ok(Some(_)) => return Err(BridgeError::Failed { layer, hash }),
                Ok(None) if unknown >= UNKNOWN_MAX => return Err(BridgeError::Unknown(hash)),
                Ok(None) => unknown += 1,
                Err(BridgeError::NotIncluded(_)) => unknown = 0,
                Err(error) if error.may_pass() => debug!(%error, "will ask again"),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    /// The receipt; `NotIncluded` if the transaction waits, `None` if the node knows nothing of it.
    async fn look_for(&self, hash: B256) -> Result<Option<Receipt>, BridgeError> {
        if let Some(receipt) = self.node.receipt(hash).await? {
            return Ok(Some(receipt));
        }
        if self.node.knows(hash).await? { Err(BridgeError::NotIncluded(hash)) } else { Ok(None) }
    }

    /// What a node says instead of taking a transaction. An error that it states itself is a refusal.
    fn refusal(&self, error: TransportError) -> BridgeError {
        let layer = self.node.layer();
        let Some(stated) = error.as_error_resp() else {
            return BridgeError::transport(layer, error);
        };
        let reverted = stated.as_revert_data();
        let reason = reverted.and_then(|data| contract_error(&data));
        let reason = reason.unwrap_or_else(|| stated.message.to_string());
        BridgeError::Refused { layer, reason }
    }
}

/// A contract's own error, in words: `Portal_GasLimitTooLow { gasLimit: 1, min: 21000 }`.
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
