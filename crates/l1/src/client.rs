//! A connection to L1: JSON-RPC endpoint, beacon API and archive of batch data.

use std::marker::PhantomData;

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::{
        client::{BatchRequest, RpcClient, Waiter},
        types::{Block, Filter, Log, TransactionRequest},
    },
    sol_types::SolCall,
    transports::http::Http,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{
    ChainConfig, DataKind, Entry, Genesis, L1Deployment, OutputRoot, output_claim,
};

use crate::{
    ContractCounts, Dispute, EntryPayload, GameHead, Inbox, L1Block, L1Error, L1Head, L1Source,
    Portal, PostedEntry, Rollup,
    archive::Archive,
    beacon::Beacon,
    check::check_contracts,
    dispute::game_status,
    http::{http_client, parse_url},
    served::{ServedBlobs, concatenate},
};

/// Endpoints that serve L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Endpoints {
    /// URL of the JSON-RPC endpoint.
    pub rpc: String,
    /// URL of the beacon API, which serves blobs. If `None`, the RPC endpoint serves it too, or
    /// sends blobs with their transaction, as development nodes do.
    pub beacon: Option<String>,
    /// Archive of batch data, because L1 serves blobs only for some weeks.
    pub archive: Option<Archive>,
}

impl<T: Into<String>> From<T> for L1Endpoints {
    /// Uses one endpoint for both.
    fn from(rpc: T) -> Self {
        Self { rpc: rpc.into(), beacon: None, archive: None }
    }
}

/// Who may append batches to the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatcherKeys {
    /// The batcher.
    pub batcher: Address,
    /// The named next batcher, and the L1 time in seconds from which it may take over.
    pub pending: Option<(Address, u64)>,
}

/// A connection to the chain's contracts on L1.
#[derive(Clone, Debug)]
pub struct L1Client {
    provider: DynProvider,
    beacon: Beacon,
    /// Whether blobs may come with their transaction.
    takes_attached: bool,
    archive: Option<Archive>,
    deployment: L1Deployment,
    config: ChainConfig,
}

impl L1Client {
    /// Connects. Checks that the endpoint serves the L1 of the genesis file.
    pub async fn connect(
        endpoints: impl Into<L1Endpoints>,
        genesis: &Genesis,
    ) -> Result<Self, L1Error> {
        let deployment = genesis.l1.ok_or(L1Error::NotDeployed)?;
        let endpoints = endpoints.into();
        let provider = provider(&endpoints.rpc)?;
        let beacon = Beacon::new(endpoints.beacon.as_deref().unwrap_or(&endpoints.rpc))?;
        let found = provider.get_chain_id().await?;
        if found != deployment.chain_id {
            return Err(L1Error::WrongChain { expected: deployment.chain_id, found });
        }
        let takes_attached = endpoints.beacon.is_none();
        let (archive, config) = (endpoints.archive, genesis.config.clone());
        Ok(Self { provider, beacon, takes_attached, archive, deployment, config })
    }

    /// Checks that code and parameters of the contracts are those of this chain and genesis, and
    /// that the first output is the genesis block's.
    pub async fn check_genesis(
        &self,
        genesis: &Genesis,
        genesis_output: &OutputRoot,
    ) -> Result<(), L1Error> {
        let config_hash = genesis.config.hash(genesis_output.block_hash);
        check_contracts(&self.provider, &self.deployment, &genesis.config, config_hash).await?;
        let inbox = Inbox::new(self.deployment.inbox, &self.provider);
        let acc = inbox.acc(0).call().await?;
        let expected = output_claim(B256::ZERO, 0, acc, genesis_output.hash());
        let rollup = Rollup::new(self.deployment.rollup, &self.provider);
        let found = rollup.output(U256::ZERO).call().await?.claim;
        if found == expected {
            return Ok(());
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        Err(L1Error::OtherChain { contract: "Rollup", what: "genesis claim", expected, found })
    }

    /// Addresses of the contracts.
    pub const fn deployment(&self) -> &L1Deployment {
        &self.deployment
    }

    /// The JSON-RPC connection.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// Reads L1's head.
    pub async fn head(&self) -> Result<L1Head, L1Error> {
        let mut batch = BatchRequest::new(self.provider.client());
        let mut block = |tag: BlockNumberOrTag| -> Result<_, L1Error> {
            Ok(batch.add_call::<_, Option<Block>>("eth_getBlockByNumber", &(tag, false))?)
        };
        let (latest, finalized) =
            (block(BlockNumberOrTag::Latest)?, block(BlockNumberOrTag::Finalized)?);
        batch.send().await?;
        let latest = latest.await?;
        let latest =
            latest.ok_or_else(|| L1Error::NotYet("there is no latest block".to_owned()))?.header;
        let finalized = finalized.await.ok().flatten();
        Ok(L1Head {
            number: latest.number,
            hash: latest.hash,
            time: latest.timestamp,
            finalized: finalized.map(|block| block.header.number),
        })
    }

    /// Who may append batches, as of the block with this hash.
    pub async fn batcher_keys(&self, block: B256) -> Result<BatcherKeys, L1Error> {
        let inbox = self.deployment.inbox;
        let mut calls = CallBatch::new(&self.provider, block);
        let pending = calls.add(inbox, &Inbox::pendingBatcherCall {})?;
        let from = calls.add(inbox, &Inbox::pendingBatcherFromCall {})?;
        let batcher = calls.add(inbox, &Inbox::batcherCall {})?;
        calls.send().await?;
        let missing = || L1Error::Inconsistent("the inbox is not deployed".to_owned());
        let pending = pending.value().await?.ok_or_else(missing)?;
        let from = from.value().await?.ok_or_else(missing)?;
        let batcher = batcher.value().await?.ok_or_else(missing)?;
        Ok(BatcherKeys { batcher, pending: (!pending.is_zero()).then_some((pending, from)) })
    }

    /// Reads the batch data of an entry from the archive or from L1, and checks it against the
    /// entry's commitment. A forced entry has no data.
    pub async fn payload(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        let entry = &posted.entry;
        if entry.data_kind == DataKind::None {
            return Ok(EntryPayload::default());
        }
        match &self.archive {
            Some(archive) => archive.get_or_fetch(entry, self.fetch(posted)).await,
            None => self.fetch(posted).await,
        }
    }

    /// Reads the batch data of an entry from L1.
    async fn fetch(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        let entry = &posted.entry;
        let index = entry.index;
        let tx = self.provider.get_transaction_by_hash(posted.l1_transaction).await?;
        let tx = tx.ok_or_else(|| {
            L1Error::NotYet(format!("the transaction of entry {index} is missing"))
        })?;
        let call = Inbox::appendCall::abi_decode(tx.input()).map_err(|error| {
            L1Error::Inconsistent(format!(
                "the calldata of entry {index} is not an append: {error}"
            ))
        })?;
        let blob_hashes = tx.blob_versioned_hashes().unwrap_or_default();
        let mut payload = item_payload(&call.items, blob_hashes, entry).ok_or_else(|| {
            L1Error::Inconsistent(format!("the transaction of entry {index} has no item for it"))
        })?;
        if entry.data_kind == DataKind::Blobs {
            let hashes = &payload.blob_hashes;
            let attached = match self.takes_attached {
                true => attached_blobs(tx.into_inner(), hashes).await,
                false => None,
            };
            payload.data = match attached {
                Some(data) => data,
                None => self.beacon.blobs(entry.l1_block_number, entry.l1_time, hashes).await?,
            };
        }
        Ok(payload)
    }

    pub(crate) async fn header(
        &self,
        block: BlockNumberOrTag,
    ) -> Result<Option<alloy::rpc::types::Header>, L1Error> {
        Ok(self.provider.get_block_by_number(block).await?.map(|block| block.header))
    }
}

impl L1Source for L1Client {
    fn deployment(&self) -> &L1Deployment {
        &self.deployment
    }

    fn config(&self) -> &ChainConfig {
        &self.config
    }

    async fn head(&self) -> Result<L1Head, L1Error> {
        self.head().await
    }

    async fn block(&self, number: u64) -> Result<Option<L1Block>, L1Error> {
        let header = self.header(number.into()).await?;
        Ok(header.map(|header| L1Block {
            number: header.number,
            hash: header.hash,
            parent_hash: header.parent_hash,
            time: header.timestamp,
        }))
    }

    async fn logs(&self, first: u64, last: u64) -> Result<Vec<Log>, L1Error> {
        let L1Deployment { inbox, portal, rollup, dispute, .. } = self.deployment;
        let filter = Filter::new()
            .address(vec![inbox, portal, rollup, dispute])
            .from_block(first)
            .to_block(last);
        Ok(self.provider.get_logs(&filter).await?)
    }

    async fn counts(&self, block: B256) -> Result<ContractCounts, L1Error> {
        let L1Deployment { inbox, portal, rollup, dispute, .. } = self.deployment;
        let mut calls = CallBatch::new(&self.provider, block);
        let entries = calls.add(inbox, &Inbox::entryCountCall {})?;
        let content = calls.add(inbox, &Inbox::contentCall {})?;
        let deposits = calls.add(portal, &Portal::depositCountCall {})?;
        let outputs = calls.add(rollup, &Rollup::outputCountCall {})?;
        let challenges = calls.add(dispute, &Dispute::challengeCountCall {})?;
        let games = calls.add(dispute, &Dispute::gameCountCall {})?;
        calls.send().await?;
        let deposits = deposits.value().await?.unwrap_or_default();
        let mut calls = CallBatch::new(&self.provider, block);
        let deposit_acc = calls.add(portal, &Portal::depositAccCall { count: deposits })?;
        calls.send().await?;
        // A contract that is not deployed at that block has no value.
        Ok(ContractCounts {
            entries: entries.value().await?.unwrap_or_default(),
            content: content.value().await?.unwrap_or_default(),
            deposits,
            deposit_acc: deposit_acc.value().await?.unwrap_or_default(),
            // The genesis output counts even before its contract is deployed.
            outputs: outputs.value().await?.unwrap_or(U256::ONE).saturating_to(),
            challenges: challenges.value().await?.unwrap_or_default().saturating_to(),
            games: games.value().await?.unwrap_or_default().saturating_to(),
        })
    }

    async fn games(&self, block: B256, games: &[u64]) -> Result<Vec<GameHead>, L1Error> {
        let mut calls = CallBatch::new(&self.provider, block);
        let asked = games
            .iter()
            .map(|game| {
                let call = Dispute::gameAtCall { gameId: U256::from(*game) };
                calls.add(self.deployment.dispute, &call)
            })
            .collect::<Result<Vec<_>, _>>()?;
        calls.send().await?;
        let mut heads = Vec::with_capacity(games.len());
        for (game, answer) in games.iter().zip(asked) {
            let missing = || L1Error::NotYet(format!("game {game} was not served"));
            let found = answer.value().await?.ok_or_else(missing)?;
            let status = game_status(found.status)?;
            heads.push(GameHead { status, bisection: found.bisection });
        }
        Ok(heads)
    }

    async fn payload(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        self.payload(posted).await
    }
}

/// The blobs with these hashes, if the endpoint sent them with their transaction: a development
/// node, which serves no commitments otherwise.
async fn attached_blobs(tx: TxEnvelope, hashes: &[B256]) -> Option<Bytes> {
    let found = ServedBlobs::attached_to(tx)?.check(hashes).await;
    concatenate(&found, hashes).ok()
}

/// The payload of the item that became `entry`: its calldata, or the hashes of its blobs, which are
/// the next ones of the transaction. Equal items are the same payload.
fn item_payload(
    items: &[Inbox::Item],
    mut blob_hashes: &[B256],
    entry: &Entry,
) -> Option<EntryPayload> {
    items.iter().find_map(|item| {
        let payload = match DataKind::from_u8(item.kind)? {
            DataKind::Blobs => {
                let count = usize::from(*item.data.first()?);
                let (own, rest) = blob_hashes.split_at_checked(count)?;
                blob_hashes = rest;
                EntryPayload { data: Bytes::new(), blob_hashes: own.to_vec() }
            }
            DataKind::None | DataKind::Calldata => {
                EntryPayload { data: item.data.clone(), blob_hashes: Vec::new() }
            }
        };
        let is_of_kind = DataKind::from_u8(item.kind) == Some(entry.data_kind);
        (is_of_kind && payload.check(entry).is_ok()).then_some(payload)
    })
}

/// Contract calls at one block, sent as one request.
struct CallBatch<'a> {
    batch: BatchRequest<'a>,
    block: BlockId,
}

/// The answer to a contract call.
struct CallAnswer<C> {
    returned: Waiter<Bytes>,
    call: PhantomData<C>,
}

impl<'a> CallBatch<'a> {
    fn new(provider: &'a DynProvider, block: B256) -> Self {
        Self { batch: BatchRequest::new(provider.client()), block: BlockId::hash(block) }
    }

    fn add<C: SolCall>(&mut self, to: Address, call: &C) -> Result<CallAnswer<C>, L1Error> {
        let input = Bytes::from(call.abi_encode());
        let request = TransactionRequest::default().to(to).input(input.into());
        let returned = self.batch.add_call("eth_call", &(request, self.block))?;
        Ok(CallAnswer { returned, call: PhantomData })
    }

    async fn send(self) -> Result<(), L1Error> {
        Ok(self.batch.send().await?)
    }
}

impl<C: SolCall> CallAnswer<C> {
    /// What the call returned; `None` if there is no contract. The batch was sent.
    async fn value(self) -> Result<Option<C::Return>, L1Error> {
        let returned = self.returned.await?;
        if returned.is_empty() {
            return Ok(None);
        }
        let value = C::abi_decode_returns(&returned).map_err(|error| {
            L1Error::Inconsistent(format!("a contract's answer is malformed: {error}"))
        })?;
        Ok(Some(value))
    }
}

pub(crate) fn provider(url: &str) -> Result<DynProvider, L1Error> {
    let client = RpcClient::new(Http::with_client(http_client()?, parse_url(url)?), false);
    Ok(DynProvider::new(ProviderBuilder::default().connect_client(client)))
}
