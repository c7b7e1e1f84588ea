//! Deploys the contracts of a chain.

use alloy::{
    contract::CallBuilder,
    network::EthereumWallet,
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::Address;
use turnpike_protocol::{ChainConfig, Genesis, L1Deployment, OutputRoot};

use crate::{
    Dispute, Inbox, L1Error, L1StandardBridge, MACHINE_STEPS, Portal, PreimageOracle, RiscvStep,
    Rollup, rounds,
};

/// Maximum of the challenge window plus the longest game, in seconds, as in the contracts. L1 drops
/// blobs after about 18 days, and players must be able to read them until the game ends.
const WINDOW_AND_GAME_MAX: u64 = 14 * 24 * 60 * 60;

/// Deploys a chain's contracts with the parameters of its genesis. Returns the genesis with their
/// addresses.
///
/// Only `batcher` may append batches to the inbox. `output_of` computes the output of the genesis
/// block. The contracts refer to each other, so their addresses are computed in advance from
/// `deployer`'s nonces: `deployer` must not send other transactions until this returns.
pub async fn deploy(
    url: &str,
    deployer: PrivateKeySigner,
    batcher: Address,
    mut genesis: Genesis,
    output_of: impl FnOnce(&Genesis) -> OutputRoot,
) -> Result<Genesis, L1Error> {
    let dispute_config = dispute_config(&genesis.config)?;
    let endpoint = url.parse().map_err(|_| L1Error::Unreachable("the URL is malformed".into()))?;
    let account = deployer.address();
    let provider =
        ProviderBuilder::new().wallet(EthereumWallet::from(deployer)).connect_http(endpoint);
    let chain_id = provider.get_chain_id().await?;
    let block_number = provider.get_block_number().await?;
    let first_nonce = provider.get_transaction_count(account).await?;
    let [portal, inbox, rollup, preimage_oracle, riscv_step, dispute, bridge] =
        [0, 1, 2, 3, 4, 5, 6].map(|i| account.create(first_nonce + i));

    genesis.connect_bridge(bridge);
    let output = output_of(&genesis);
    let config = &genesis.config;
    let config_hash = config.hash(output.block_hash);
    let (p, root) = (&provider, output.hash());
    deploy_at(first_nonce, portal, Portal::deploy_builder(p, portal_config(config, rollup)))
        .await?;
    let inbox_config = inbox_config(config);
    let builder = Inbox::deploy_builder(p, config_hash, portal, batcher, inbox_config);
    deploy_at(first_nonce + 1, inbox, builder).await?;
    let builder = Rollup::deploy_builder(p, inbox, dispute, root, rollup_config(config));
    deploy_at(first_nonce + 2, rollup, builder).await?;
    deploy_at(first_nonce + 3, preimage_oracle, PreimageOracle::deploy_builder(p)).await?;
    let builder = RiscvStep::deploy_builder(p, preimage_oracle);
    deploy_at(first_nonce + 4, riscv_step, builder).await?;
    let builder = Dispute::deploy_builder(p, rollup, riscv_step, dispute_config);
    deploy_at(first_nonce + 5, dispute, builder).await?;
    deploy_at(first_nonce + 6, bridge, L1StandardBridge::deploy_builder(p, portal)).await?;
    genesis.l1 = Some(L1Deployment {
        chain_id,
        block_number,
        inbox,
        portal,
        rollup,
        dispute,
        preimage_oracle,
        bridge,
    });
    Ok(genesis)
}

/// Deploys a contract with this nonce and checks the contract's address.
async fn deploy_at<P: Provider>(
    nonce: u64,
    expected: Address,
    builder: CallBuilder<P, ()>,
) -> Result<(), L1Error> {
    let found = builder.nonce(nonce).deploy().await?;
    if found != expected {
        return Err(L1Error::Inconsistent(format!(
            "a contract was deployed at {found}, expected {expected}"
        )));
    }
    Ok(())
}

fn portal_config(config: &ChainConfig, rollup: Address) -> Portal::PortalConfig {
    Portal::PortalConfig { rollup, guardian: config.guardian, pauseMax: config.pause_max }
}

fn inbox_config(config: &ChainConfig) -> Inbox::InboxConfig {
    Inbox::InboxConfig {
        forceWindow: config.force_window,
        depositsPerEntryMax: config.entry_deposits_max,
        originAgeMax: config.origin_age_max,
        entryBytesMax: config.entry_bytes_max,
        entryBlobsMax: config.entry_blobs_max,
        entriesPerL1BlockMax: config.entries_per_l1_block_max,
        keyAdmin: config.key_admin,
        keyDelay: config.key_delay,
    }
}

fn rollup_config(config: &ChainConfig) -> Rollup::RollupConfig {
    Rollup::RollupConfig {
        challengeWindow: config.challenge_window,
        entriesPerOutputMax: config.output_entries_max,
        proposerBond: config.proposer_bond,
    }
}

/// The parameters of disputes. Fails if the contract would reject them.
fn dispute_config(config: &ChainConfig) -> Result<Dispute::DisputeConfig, L1Error> {
    let ChainConfig { challenge_window, game_clock, game_increment, .. } = *config;
    let longest = dispute_seconds_max(config).and_then(|it| it.checked_add(challenge_window));
    if longest.is_none_or(|seconds| seconds > WINDOW_AND_GAME_MAX) {
        return Err(L1Error::BadConfig(format!(
            "a challengeWindow of {challenge_window} seconds and the longest game after it, with a gameClock of \
             {game_clock} and a gameIncrement of {game_increment} seconds, may take no more than \
             {WINDOW_AND_GAME_MAX} seconds together"
        )));
    }
    let seconds = |value: u64| value.try_into().expect("invariant: much less than 2^24");
    Ok(Dispute::DisputeConfig {
        blocksPerEntryMax: config.blocks_per_entry_max(),
        gameBond: config.game_bond,
        gameClock: seconds(game_clock),
        gameIncrement: seconds(game_increment),
    })
}

/// Maximum seconds from a challenge to the end of its last game: both clocks, and the increment of
/// every move.
pub(crate) fn dispute_seconds_max(config: &ChainConfig) -> Option<u64> {
    let blocks = config.blocks_per_entry_max().checked_mul(config.output_entries_max)?;
    let moves = rounds(blocks) + rounds(MACHINE_STEPS) + 1;
    let increments = config.game_increment.checked_mul(moves)?;
    config.game_clock.checked_mul(2)?.checked_add(increments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn game_that_outlasts_the_blobs_is_rejected() {
        let mut config = Genesis::dev().config;
        assert_eq!(dispute_seconds_max(&config), Some(2 * 60 + 14 * 10));
        config.challenge_window = WINDOW_AND_GAME_MAX - (2 * 60 + 14 * 10);
        assert!(dispute_config(&config).is_ok(), "the longest allowed game");
        for (clock, increment) in [(61, 10), (60, 11), (1 << 24, 10), (u64::MAX, 1), (1, u64::MAX)]
        {
            (config.game_clock, config.game_increment) = (clock, increment);
            let error = dispute_config(&config).expect_err("too long").to_string();
            assert!(error.contains(&format!("gameClock of {clock}")), "{error}");
        }
    }
}
