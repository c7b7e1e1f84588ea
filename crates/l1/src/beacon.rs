//! Blobs from a beacon API, or from a development node that serves them by block number.
//!
//! The API serves blobs without commitments. Those come from the beacon block, so that one check
//! covers all blobs of a read. A server without the block costs time only.

use std::sync::Arc;

use alloy::transports::http::reqwest::{Client, StatusCode, Url};
use alloy_eips::eip4844::Bytes48;
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{join, sync::OnceCell, task::spawn_blocking};
use tracing::debug;

use crate::{
    L1Error,
    http::{http_client, parse_url},
    served::{ServedBlobs, concatenate},
};

/// Maximum size of a response in bytes. It exceeds the blobs of one block in hexadecimal.
const RESPONSE_BYTES_MAX: usize = 32 << 20;

/// Reads blobs from a beacon API. Every blob is checked against its versioned hash.
#[derive(Clone, Debug)]
pub(crate) struct Beacon {
    http: Client,
    url: Url,
    /// Set by the first request.
    naming: Arc<OnceCell<BlockNaming>>,
}

/// How the endpoint identifies blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockNaming {
    /// By slot.
    Slots { genesis_time: u64, seconds_per_slot: u64 },
    /// By the execution block's number: a development node without slots.
    Blocks,
}

impl BlockNaming {
    /// The endpoint's id of the block with this number and timestamp.
    fn block_id(self, number: u64, time: u64) -> u64 {
        match self {
            Self::Slots { genesis_time, seconds_per_slot } => {
                time.saturating_sub(genesis_time) / seconds_per_slot.max(1)
            }
            Self::Blocks => number,
        }
    }
}

#[derive(Debug, Deserialize)]
struct BeaconResponse<T> {
    data: T,
}

#[derive(Debug, Deserialize)]
struct BeaconGenesis {
    genesis_time: String,
}

#[derive(Debug, Deserialize)]
struct BeaconSpec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds_per_slot: String,
}

/// The part of a beacon block that is read. Blocks without blobs lack the field.
#[derive(Debug, Deserialize)]
struct SignedBeaconBlock {
    message: BeaconBlock,
}

#[derive(Debug, Deserialize)]
struct BeaconBlock {
    body: BeaconBlockBody,
}

#[derive(Debug, Deserialize)]
struct BeaconBlockBody {
    #[serde(default)]
    blob_kzg_commitments: Vec<Bytes48>,
}

impl Beacon {
    /// Parses the URL. Sends no request.
    pub(crate) fn new(url: &str) -> Result<Self, L1Error> {
        let mut url = parse_url(url)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { http: http_client()?, url, naming: Arc::default() })
    }

    /// Returns the blobs with these versioned hashes, concatenated, from the L1 block with this
    /// number and timestamp.
    pub(crate) async fn blobs(
        &self,
        number: u64,
        time: u64,
        hashes: &[B256],
    ) -> Result<Bytes, L1Error> {
        let naming = self.naming().await?;
        let block_id = naming.block_id(number, time);
        let commitments = async {
            match naming {
                BlockNaming::Slots { .. } => self.commitments(block_id).await,
                BlockNaming::Blocks => Vec::new(),
            }
        };
        let (blobs, commitments) = join!(self.served(block_id, hashes), commitments);
        let mut found = ServedBlobs { blobs: blobs?, commitments }.check(hashes).await;
        // Some servers filter by only one of several hashes.
        for hash in hashes {
            if !found.contains_key(hash) {
                let blobs = self.served(block_id, &[*hash]).await?;
                let served = ServedBlobs { blobs, ..ServedBlobs::default() };
                found.extend(served.check(&[*hash]).await);
            }
        }
        concatenate(&found, hashes).map_err(|hash| {
            let others = found.len();
            L1Error::NotYet(format!(
                "blob {hash} of L1 block {number} is not served, {others} others are"
            ))
        })
    }

    /// Fetches blobs of a block, in its order. The server may serve more blobs than requested, or
    /// other blobs.
    async fn served(&self, block_id: u64, hashes: &[B256]) -> Result<Vec<Bytes>, L1Error> {
        let mut url = self.join(&format!("eth/v1/beacon/blobs/{block_id}"))?;
        for hash in hashes {
            url.query_pairs_mut().append_pair("versioned_hashes", &hash.to_string());
        }
        let blobs = self.get::<BeaconResponse<Vec<Bytes>>>(url).await?.map(|answer| answer.data);
        Ok(blobs.unwrap_or_default())
    }

    /// The commitments of a block, in its order. Empty if the server does not serve the block.
    async fn commitments(&self, slot: u64) -> Vec<Bytes48> {
        let block = async {
            let url = self.join(&format!("eth/v2/beacon/blocks/{slot}"))?;
            self.get::<BeaconResponse<SignedBeaconBlock>>(url).await
        };
        let block = block.await.unwrap_or_else(|error| {
            debug!(slot, %error, "no commitments: checking each blob");
            None
        });
        block.map_or_else(Vec::new, |block| block.data.message.body.blob_kzg_commitments)
    }

    async fn naming(&self) -> Result<BlockNaming, L1Error> {
        self.naming.get_or_try_init(|| self.learn_naming()).await.copied()
    }

    async fn learn_naming(&self) -> Result<BlockNaming, L1Error> {
        let number = |text: &str| {
            text.parse::<u64>().map_err(|_| {
                L1Error::Unreachable(format!("beacon API: expected a number, found {text:?}"))
            })
        };
        let spec = self.get::<BeaconResponse<BeaconSpec>>(self.join("eth/v1/config/spec")?).await?;
        let genesis =
            self.get::<BeaconResponse<BeaconGenesis>>(self.join("eth/v1/beacon/genesis")?).await?;
        match (spec, genesis) {
            (Some(spec), Some(genesis)) => Ok(BlockNaming::Slots {
                genesis_time: number(&genesis.data.genesis_time)?,
                seconds_per_slot: number(&spec.data.seconds_per_slot)?,
            }),
            _ => Ok(BlockNaming::Blocks),
        }
    }

    fn join(&self, path: &str) -> Result<Url, L1Error> {
        self.url.join(path).map_err(|_| L1Error::Unreachable("the URL is malformed".to_owned()))
    }

    /// Sends a request. Returns `None` if the server answers 404.
    async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        url: Url,
    ) -> Result<Option<T>, L1Error> {
        // The client's error may contain the URL, and the URL an access key.
        let unreachable = |_| L1Error::Unreachable("the beacon API does not answer".to_owned());
        let mut response = self.http.get(url).send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            status if !status.is_success() => {
                return Err(L1Error::Unreachable(format!("the beacon API answers {status}")));
            }
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(L1Error::Unreachable(
                    "the beacon API's response is too long".to_owned(),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        // Blobs are megabytes of hexadecimal.
        let parsed = spawn_blocking(move || serde_json::from_slice(&body)).await;
        let parsed = parsed.map_err(|error| {
            L1Error::Unreachable(format!("the beacon API's response was not parsed: {error}"))
        })?;
        parsed.map(Some).map_err(|error| {
            L1Error::Unreachable(format!("the beacon API's response is malformed: {error}"))
        })
    }
}

#[cfg(test)]
mod tests;
