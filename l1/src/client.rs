use std::time::Duration;

use alloy::{
    eips::BlockNumberOrTag,
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::client::RpcClient,
    sol_types::SolCall as _,
    transports::http::{Http, reqwest},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::B256;
use turnpike_protocol::{
    ChainConfig, DataKind, Genesis, L1Deployment, OutputRoot, calldata_hash, output_claim,
};

use crate::{EntryPayload, Inbox, L1Error, PostedEntry, Rollup};

/// How long L1 may take over one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the chain's contracts on L1.
#[derive(Clone, Debug)]
pub struct L1Client {
    provider: DynProvider,
    deployment: L1Deployment,
    config: ChainConfig,
}

/// Where L1 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L1Head {
    /// Number of the newest block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its timestamp, in seconds.
    pub time: u64,
    /// Number of the newest final block, if the endpoint knows one.
    pub finalized: Option<u64>,
}

impl L1Client {
    /// Connects, and checks that the endpoint serves the chain and the contracts that the genesis file names.
    pub async fn connect(url: &str, genesis: &Genesis) -> Result<Self, L1Error> {
        let deployment = genesis.l1.ok_or(L1Error::NotDeployed)?;
        let provider = provider(url)?;
        let found = provider.get_chain_id().await?;
        if found != deployment.chain_id {
            return Err(L1Error::WrongChain { expected: deployment.chain_id, found });
        }
        for (contract, address) in [
            ("Inbox", deployment.inbox),
            ("Portal", deployment.portal),
            ("Rollup", deployment.rollup),
        ] {
            if provider.get_code_at(address).await?.is_empty() {
                return Err(L1Error::NoContract { contract, address });
            }
        }
        Ok(Self { provider, deployment, config: genesis.config.clone() })
    }

    /// Checks that the contracts were deployed for this very chain.
    pub async fn check_genesis(
        &self,
        genesis: &Genesis,
        genesis_output: &OutputRoot,
    ) -> Result<(), L1Error> {
        let expected = genesis.config.hash(genesis_output.block_hash);
        let inbox = Inbox::new(self.deployment.inbox, &self.provider);
        let found = inbox.chainConfigHash().call().await?;
        if found != expected {
            let what = "chain config hash";
            return Err(L1Error::OtherChain { contract: "Inbox", what, expected, found });
        }
        let acc = inbox.acc(0).call().await?;
        let expected = output_claim(B256::ZERO, 0, acc, genesis_output.hash());
        let rollup = Rollup::new(self.deployment.rollup, &self.provider);
        let found = rollup.output(alloy_primitives::U256::ZERO).call().await?.claim;
        if found != expected {
            let what = "genesis claim";
            return Err(L1Error::OtherChain { contract: "Rollup", what, expected, found });
        }
        Ok(())
    }

    /// What the inbox's first accumulator starts from.
    pub(crate) fn config_hash(&self, genesis_output: &OutputRoot) -> B256 {
        self.config.hash(genesis_output.block_hash)
    }

    /// Where the contracts are.
    pub const fn deployment(&self) -> &L1Deployment {
        &self.deployment
    }

    /// The connection itself.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// Where L1 is now.
    pub async fn head(&self) -> Result<L1Head, L1Error> {
        let latest = self
            .header(BlockNumberOrTag::Latest)
            .await?
            .ok_or_else(|| L1Error::NotYet("there is no latest block".to_owned()))?;
        let finalized = self.header(BlockNumberOrTag::Finalized).await.ok().flatten();
        Ok(L1Head {
            number: latest.number,
            hash: latest.hash,
            time: latest.timestamp,
            finalized: finalized.map(|header| header.number),
        })
    }

    /// The batch data of an entry, checked against what the entry commits to. Empty for a forced entry.
    pub async fn payload(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        let index = posted.entry.index;
        match posted.entry.data_kind {
            DataKind::None => return Ok(EntryPayload::default()),
            DataKind::Calldata => {}
            DataKind::Blobs => {
                return Err(L1Error::NotYet(format!("the blobs of entry {index} cannot be read")));
            }
        }
        let tx = self.provider.get_transaction_by_hash(posted.l1_transaction).await?;
        let tx = tx.ok_or_else(|| {
            L1Error::NotYet(format!("the transaction of entry {index} is missing"))
        })?;
        let call = Inbox::appendCall::abi_decode(tx.input()).map_err(|error| {
            L1Error::Inconsistent(format!(
                "the calldata of entry {index} is not an append: {error}"
            ))
        })?;
        if calldata_hash(&call.data) != posted.entry.data_hash {
            return Err(L1Error::Inconsistent(format!(
                "the calldata of entry {index} is not what the entry commits to"
            )));
        }
        Ok(EntryPayload { data: call.data, blob_hashes: Vec::new() })
    }

    pub(crate) async fn header(
        &self,
        block: BlockNumberOrTag,
    ) -> Result<Option<alloy::rpc::types::Header>, L1Error> {
        Ok(self.provider.get_block_by_number(block).await?.map(|block| block.header))
    }
}

pub(crate) fn provider(url: &str) -> Result<DynProvider, L1Error> {
    let url = url.parse().map_err(|_| L1Error::Unreachable("the URL is malformed".to_owned()))?;
    let http = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .build()
        .map_err(|_| L1Error::Unreachable("cannot make an HTTP client".to_owned()))?;
    let client = RpcClient::new(Http::with_client(http, url), false);
    Ok(DynProvider::new(ProviderBuilder::default().connect_client(client)))
}
