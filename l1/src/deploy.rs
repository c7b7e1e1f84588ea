use alloy::{
    network::EthereumWallet,
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::Address;
use turnpike_protocol::{Genesis, L1Deployment, OutputRoot};

use crate::{Inbox, L1Error, Portal, Rollup};

/// Deploys a chain's contracts with the parameters of its genesis. `batcher` is the only account that may append to
/// the inbox without being forced to.
pub async fn deploy(
    url: &str,
    deployer: PrivateKeySigner,
    batcher: Address,
    genesis: &Genesis,
    genesis_output: &OutputRoot,
) -> Result<L1Deployment, L1Error> {
    let endpoint = url.parse().map_err(|_| L1Error::Unreachable("the URL is malformed".into()))?;
    let provider =
        ProviderBuilder::new().wallet(EthereumWallet::from(deployer)).connect_http(endpoint);
    let chain_id = provider.get_chain_id().await?;
    let block_number = provider.get_block_number().await?;
    let config = &genesis.config;
    let portal = *Portal::deploy(&provider).await?.address();
    let inbox_config = Inbox::InboxConfig {
        forceWindow: config.force_window,
        depositsPerEntryMax: config.entry_deposits_max,
        originLagMax: config.origin_lag_max,
        entryBytesMax: config.entry_bytes_max,
    };
    let config_hash = config.hash(genesis_output.block_hash);
    let inbox =
        *Inbox::deploy(&provider, config_hash, portal, batcher, inbox_config).await?.address();
    let rollup_config = Rollup::RollupConfig {
        challengeWindow: config.challenge_window,
        entriesPerOutputMax: config.output_entries_max,
        proposerBond: config.proposer_bond,
        challengerBond: config.challenger_bond,
    };
    let rollup =
        *Rollup::deploy(&provider, inbox, genesis_output.hash(), rollup_config).await?.address();
    Ok(L1Deployment { chain_id, block_number, inbox, portal, rollup })
}
