use std::time::Duration;

use alloy_primitives::B256;
use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use turnpike_l1::{Append, AppendCall, L1Client, L1View, ProofTables};
use turnpike_protocol::{
    Batch, BatchBlock, DataKind, Effort, Genesis, StateRootPrefix, TxEnvelope,
};
use turnpike_tx_manager::{AccountClient, OneShot, TxManagerConfig};

use crate::{
    commands::dev::{Accounts, L1},
    common::{genesis_output, write_genesis},
};

/// Seconds between L1 blocks.
const L1_BLOCK_TIME: u64 = 1;

/// Time between looks at L1 for a receipt.
const POLL: Duration = Duration::from_millis(50);

/// A chain whose entries are on L1. Nothing is proposed yet.
#[derive(Debug)]
pub(super) struct DisputedChain {
    pub(super) l1: L1,
    pub(super) accounts: Accounts,
    pub(super) genesis: Genesis,
    _folder: TempDir,
}

impl DisputedChain {
    /// Starts anvil, deploys the contracts and posts entries with these transactions, by block.
    pub(super) async fn start(
        genesis: Genesis,
        entries: Vec<Vec<Vec<TxEnvelope>>>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name| folder.path().join(name);
        let mut l1 = L1::spawn(0, &at("anvil.log"), None).await?;
        let accounts = Accounts::well_known()?;
        let made = async {
            let genesis = l1.deploy(&accounts, genesis).await?;
            let path = at("genesis.json");
            write_genesis(&path, &genesis)?;
            eprintln!("to look on: --genesis {} --l1-url {}", path.display(), l1.url());
            for blocks in entries {
                post(&l1, &accounts, &genesis, blocks).await?;
            }
            l1.mine_every(L1_BLOCK_TIME).await?;
            Ok(genesis)
        };
        match made.await {
            Ok(genesis) => Ok(Self { l1, accounts, genesis, _folder: folder }),
            Err(error) => {
                l1.stop().await;
                Err(error)
            }
        }
    }
}

/// Posts an entry, in calldata. Its first block is as old as L1's newest one, counted from the
/// genesis block, and each later one a millisecond younger.
async fn post(
    l1: &L1,
    accounts: &Accounts,
    genesis: &Genesis,
    blocks: Vec<Vec<TxEnvelope>>,
) -> anyhow::Result<()> {
    let client = L1Client::connect(l1.url(), genesis).await?;
    let mut view = L1View::new(client.clone(), 0, genesis_output(genesis));
    let now = view.advance().await?.head.time;
    let newest = view.entries().last().context("the inbox is empty")?;
    let parent_ms = genesis.timestamp_ms();
    let batch = Batch {
        blocks: blocks
            .into_iter()
            .enumerate()
            .map(|(index, transactions)| BatchBlock {
                step_ms: if index == 0 { (1_000 * now).saturating_sub(parent_ms) } else { 1 },
                deposit_count: 0,
                // Posted state roots only help explanations. This chain needs none.
                state_root: (!transactions.is_empty()).then_some(StateRootPrefix::ZERO),
                transactions,
            })
            .collect(),
        ..Batch::default()
    };
    let append = Append {
        deposit_count: 0,
        deposit_acc: B256::ZERO,
        origin: newest.entry.index,
        origin_acc: newest.acc,
        kind: DataKind::Calldata,
        data: batch.encode(genesis.config.batch_limits(), Effort::Fast)?.into(),
    };
    let call = AppendCall::new(newest.content, &[append.item(ProofTables::None).await?]);
    let inbox = view.client().deployment().inbox;
    let account = AccountClient::new(&client, accounts.batcher());
    let mut sender = OneShot::new(account, TxManagerConfig::default(), POLL);
    sender.send(call.to(inbox)).await?;
    let receipt = sender.confirm().await?;
    ensure!(receipt.status(), "the inbox rejects the entry");
    Ok(())
}
