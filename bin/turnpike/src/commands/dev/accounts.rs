use alloy::signers::local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use alloy_primitives::{B256, hex};
use anyhow::Context as _;

/// The mnemonic of the accounts that every Ethereum development tool funds. It is public: never use it for real funds.
const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Number of funded accounts: the mnemonic's first.
const FUNDED_COUNT: u32 = 10;

/// The well-known development accounts. The first six belong to the user, the next four to roles on L1. The last has no funds and
/// only signs preconfirmations.
#[derive(Debug)]
pub(crate) struct Accounts(Vec<PrivateKeySigner>);

impl Accounts {
    pub(crate) fn well_known() -> anyhow::Result<Self> {
        Ok(Self((0..=FUNDED_COUNT).map(account).collect::<Result<_, _>>()?))
    }

    /// More accounts of the same mnemonic, without funds.
    pub(crate) fn unfunded(count: u32) -> anyhow::Result<Vec<PrivateKeySigner>> {
        let first = FUNDED_COUNT + 1;
        (first..first + count).map(account).collect()
    }

    pub(crate) fn deployer(&self) -> PrivateKeySigner {
        self.0[6].clone()
    }

    pub(crate) fn batcher(&self) -> PrivateKeySigner {
        self.0[7].clone()
    }

    pub(crate) fn proposer(&self) -> PrivateKeySigner {
        self.0[8].clone()
    }

    pub(crate) fn challenger(&self) -> PrivateKeySigner {
        self.0[9].clone()
    }

    /// The account that signs preconfirmations.
    pub(crate) fn sequencer(&self) -> PrivateKeySigner {
        self.0[10].clone()
    }

    /// The last of the user's accounts, which `--liar` gives to the adversary.
    pub(crate) fn adversary(&self) -> Vec<PrivateKeySigner> {
        [5, 4, 3].map(|index: usize| self.0[index].clone()).to_vec()
    }

    /// Addresses and keys of the funded accounts, as text.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (String, String)> + '_ {
        self.0.iter().take(FUNDED_COUNT as usize).map(|account| {
            let key: B256 = account.to_bytes();
            (account.address().to_string(), hex::encode_prefixed(key))
        })
    }
}

fn account(index: u32) -> anyhow::Result<PrivateKeySigner> {
    let builder = MnemonicBuilder::<English>::default().phrase(MNEMONIC);
    let account = builder.index(index).and_then(|builder| builder.build());
    account.context("cannot make a development account")
}
