//! Calls of the contracts on L1: pure.

use alloy_primitives::{Address, B256, U256};
use turnpike_l1::{Call, Inbox, Portal};
use turnpike_protocol::{L1Deployment, Withdrawal};

use crate::WithdrawalProof;

/// Encodes calls of one chain's portal and inbox.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    portal: Address,
    inbox: Address,
}

impl Calls {
    /// Encodes calls of the contracts in `deployment`.
    pub(crate) const fn new(deployment: &L1Deployment) -> Self {
        Self { portal: deployment.portal, inbox: deployment.inbox }
    }

    /// Queues a call of L2, without ether to mint.
    pub(crate) fn deposit(&self, call: Call, gas_limit: u64) -> Call {
        let call = Portal::depositTransactionCall {
            _to: call.to,
            _value: call.value,
            _gasLimit: gas_limit,
            _isCreation: false,
            _data: call.input,
        };
        Call::of(self.portal, &call)
    }

    /// Appends overdue deposits to the inbox.
    pub fn force_include(&self) -> Call {
        Call::of(self.inbox, &Inbox::forceIncludeCall {})
    }

    /// Proves a withdrawal on the output with index `output`.
    pub fn prove(&self, withdrawal: &Withdrawal, output: u64, proof: WithdrawalProof) -> Call {
        let call = Portal::proveWithdrawalTransactionCall {
            _tx: transaction_of(withdrawal),
            _l2OutputIndex: U256::from(output),
            _outputRootProof: Portal::OutputRootProof {
                version: B256::ZERO,
                stateRoot: proof.output.state_root,
                messagePasserStorageRoot: proof.output.message_passer_storage_root,
                latestBlockhash: proof.output.block_hash,
            },
            _withdrawalProof: proof.nodes,
        };
        Call::of(self.portal, &call)
    }

    /// Finalizes a proven withdrawal: L1 makes its call.
    pub fn finalize(&self, withdrawal: &Withdrawal) -> Call {
        let call = Portal::finalizeWithdrawalTransactionCall { _tx: transaction_of(withdrawal) };
        Call::of(self.portal, &call)
    }
}

fn transaction_of(withdrawal: &Withdrawal) -> Portal::WithdrawalTransaction {
    let Withdrawal { nonce, sender, target, value, gas_limit, data } = withdrawal.clone();
    Portal::WithdrawalTransaction { nonce, sender, target, value, gasLimit: gas_limit, data }
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolValue as _;
    use alloy_primitives::{Bytes, keccak256};

    use super::*;

    #[test]
    fn portal_hashes_the_encoded_withdrawal_to_its_hash() {
        let withdrawal = Withdrawal {
            nonce: U256::from(1),
            sender: Address::repeat_byte(2),
            target: Address::repeat_byte(3),
            value: U256::from(4),
            gas_limit: U256::from(5),
            data: Bytes::from_static(&[6, 7]),
        };
        let encoded = transaction_of(&withdrawal).abi_encode_params();
        assert_eq!(keccak256(encoded), withdrawal.hash());
    }
}
