//! Signs transactions before the load starts.

use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, TxKind, U256};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::{
    senders::Sender,
    workload::{Workload, WorkloadCall},
};

/// Chain id and fees of all transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionTerms {
    pub(crate) chain_id: u64,
    /// Maximum fee per gas, in wei.
    pub(crate) fee_max: u128,
    /// Maximum priority fee per gas, in wei.
    pub(crate) tip: u128,
}

impl TransactionTerms {
    /// Signs a transaction. Returns its bytes and its hash.
    pub(crate) fn sign(
        &self,
        signer: &PrivateKeySigner,
        nonce: u64,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> anyhow::Result<(Vec<u8>, B256)> {
        let Self { chain_id, fee_max, tip } = *self;
        let tx = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fee_max,
            max_priority_fee_per_gas: tip,
            to,
            value,
            input,
            ..TxEip1559::default()
        };
        let signature = signer.sign_hash_sync(&tx.signature_hash())?;
        let tx = tx.into_signed(signature);
        Ok((tx.encoded_2718(), *tx.hash()))
    }
}

/// Signed transactions in sending order.
#[derive(Debug, Default)]
pub(crate) struct SignedTransactions {
    bytes: Vec<u8>,
    /// End of each in `bytes`.
    ends: Vec<usize>,
    hashes: Vec<B256>,
    senders: Vec<u32>,
}

impl SignedTransactions {
    /// Signs a workload's next calls on all cores and advances the senders' nonces.
    pub(crate) fn new(
        terms: &TransactionTerms,
        workload: &mut Workload,
        senders: &mut [Sender],
        count: usize,
    ) -> anyhow::Result<Self> {
        let calls: Vec<(WorkloadCall, u64)> = (0..count)
            .map(|_| {
                let call = workload.next_call();
                let nonce = &mut senders[call.sender].nonce;
                *nonce += 1;
                (call, *nonce - 1)
            })
            .collect();
        let signed = calls.into_par_iter().map(|(call, nonce)| {
            let WorkloadCall { sender, to, value, data, gas_limit } = call;
            let signer = &senders[sender].signer;
            let (raw, hash) = terms.sign(signer, nonce, to.into(), value, data, gas_limit)?;
            Ok((u32::try_from(sender)?, raw, hash))
        });
        let mut all = Self::default();
        for (sender, raw, hash) in signed.collect::<anyhow::Result<Vec<_>>>()? {
            all.push(sender, &raw, hash);
        }
        Ok(all)
    }

    /// Adds a transaction.
    pub(crate) fn push(&mut self, sender: u32, raw: &[u8], hash: B256) {
        self.bytes.extend_from_slice(raw);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        self.senders.push(sender);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// EIP-2718 bytes of a transaction.
    pub(crate) fn raw(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    pub(crate) fn hashes(&self) -> &[B256] {
        &self.hashes
    }

    /// Sender index of each transaction.
    pub(crate) fn senders(&self) -> &[u32] {
        &self.senders
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;
    use crate::{
        senders::{funder, senders},
        workload::{WorkloadContext, WorkloadKind},
    };

    #[test]
    fn nonces_are_consecutive_and_hashes_match_the_bytes() {
        let funder = funder(None).unwrap().address();
        let mut senders = senders(funder, 0, 4);
        let addresses = senders.iter().map(Sender::address).collect();
        let context = WorkloadContext { senders: addresses, ..WorkloadContext::default() };
        let mut workload = Workload::new(WorkloadKind::RawChain, context);
        let terms = TransactionTerms { chain_id: 1, fee_max: 10, tip: 1 };
        let signed = SignedTransactions::new(&terms, &mut workload, &mut senders, 10).unwrap();
        assert_eq!(signed.len(), 10);
        assert_eq!(signed.senders(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]);
        assert_eq!(senders.iter().map(|sender| sender.nonce).collect::<Vec<_>>(), [3, 3, 2, 2]);
        for index in 0..10 {
            assert_eq!(keccak256(signed.raw(index)), signed.hashes()[index]);
        }
    }
}
