//! Accounts of a run: the funder and the senders that it pays.

use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::{Address, B256, keccak256};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// Key of the first account of every development chain. Public: never for real funds.
const DEVELOPMENT_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// A sending account.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) signer: PrivateKeySigner,
    /// Nonce of the next transaction.
    pub(crate) nonce: u64,
}

impl Sender {
    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }
}

/// The account that funds the run.
pub(crate) fn funder(key: Option<B256>) -> anyhow::Result<PrivateKeySigner> {
    let key = match key {
        Some(key) => key,
        None => DEVELOPMENT_KEY.parse()?,
    };
    PrivateKeySigner::from_bytes(&key).map_err(|_| anyhow::anyhow!("--key is not a private key"))
}

/// Derives sending accounts from the funder and its nonce, so that each run has its own.
pub(crate) fn senders(funder: Address, nonce: u64, count: u32) -> Vec<Sender> {
    let seed = keccak256([funder.as_slice(), &nonce.to_be_bytes()].concat());
    let sender = |index: u32| {
        let key = keccak256([seed.as_slice(), &index.to_be_bytes()].concat());
        let signer = PrivateKeySigner::from_bytes(&key);
        let signer = signer.expect("invariant: a keccak hash is a valid key");
        Sender { signer, nonce: 0 }
    };
    (0..count).into_par_iter().map(sender).collect()
}

/// The account that a sender pays in workloads of independent pairs.
pub(crate) fn partner(sender: Address) -> Address {
    Address::from_word(keccak256(sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_its_own_senders() {
        let funder = funder(None).unwrap().address();
        let of =
            |nonce| -> Vec<_> { senders(funder, nonce, 3).iter().map(Sender::address).collect() };
        assert_eq!(of(1), of(1));
        assert!(of(1).iter().all(|address| !of(2).contains(address)));
    }
}
