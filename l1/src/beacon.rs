use std::{collections::HashMap, sync::Arc};

use alloy::transports::http::reqwest::{Client, StatusCode, Url};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OnceCell;

use crate::{
    L1Error,
    blobs::versioned_hash,
    client::{http_client, parse_url},
};

/// Longest answer that is read: more blobs than a block has, in hexadecimal.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Reads blobs from a beacon API. Every blob is checked against its versioned hash.
#[derive(Clone, Debug)]
pub(crate) struct Beacon {
    http: Client,
    url: Url,
    /// Learned at the first request.
    clock: Arc<OnceCell<Clock>>,
}

/// How the endpoint names blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// By slot.
    Slots { genesis_time: u64, seconds_per_slot: u64 },
    /// By the number of the execution block: a development node that has no slots.
    Blocks,
}

impl Clock {
    /// What the endpoint calls the block with this number and timestamp.
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
struct Answer<T> {
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

impl Beacon {
    /// Nothing is sent yet.
    pub(crate) fn new(url: &str) -> Result<Self, L1Error> {
        let mut url = parse_url(url)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { http: http_client()?, url, clock: Arc::default() })
    }

    /// The blobs with these versioned hashes, one after the other, from the L1 block with this number and timestamp.
    pub(crate) async fn blobs(
        &self,
        number: u64,
        time: u64,
        hashes: &[B256],
    ) -> Result<Bytes, L1Error> {
        let block_id = self.clock().await?.block_id(number, time);
        let mut found = self.ask(block_id, hashes).await?;
        // Some servers look at only one of several hashes.
        for hash in hashes {
            if !found.contains_key(hash) {
                found.extend(self.ask(block_id, &[*hash]).await?);
            }
        }
        let mut data = Vec::new();
        for hash in hashes {
            let blob = found.get(hash).ok_or_else(|| {
                let others = found.len();
                L1Error::NotYet(format!(
                    "blob {hash} of L1 block {number} is not served, {others} others are"
                ))
            })?;
            data.extend_from_slice(blob);
        }
        Ok(data.into())
    }

    /// Blobs of a block, by their versioned hashes as they are computed here: those that were asked for, if the server
    /// is right, and whatever else it serves.
    async fn ask(&self, block_id: u64, hashes: &[B256]) -> Result<HashMap<B256, Bytes>, L1Error> {
        let mut url = self.join(&format!("eth/v1/beacon/blobs/{block_id}"))?;
        for hash in hashes {
            url.query_pairs_mut().append_pair("versioned_hashes", &hash.to_string());
        }
        let blobs = self.get::<Answer<Vec<Bytes>>>(url).await?.map(|answer| answer.data);
        let hashed = |blob: Bytes| Some((versioned_hash(&blob)?, blob));
        Ok(blobs.unwrap_or_default().into_iter().filter_map(hashed).collect())
    }

    async fn clock(&self) -> Result<Clock, L1Error> {
        self.clock.get_or_try_init(|| self.learn_clock()).await.copied()
    }

    async fn learn_clock(&self) -> Result<Clock, L1Error> {
        let number = |text: &str| {
            text.parse::<u64>().map_err(|_| {
                L1Error::Inconsistent(format!("the beacon API gives {text:?} for a number"))
            })
        };
        let spec = self.get::<Answer<BeaconSpec>>(self.join("eth/v1/config/spec")?).await?;
        let genesis =
            self.get::<Answer<BeaconGenesis>>(self.join("eth/v1/beacon/genesis")?).await?;
        match (spec, genesis) {
            (Some(spec), Some(genesis)) => Ok(Clock::Slots {
                genesis_time: number(&genesis.data.genesis_time)?,
                seconds_per_slot: number(&spec.data.seconds_per_slot)?,
            }),
            _ => Ok(Clock::Blocks),
        }
    }

    fn join(&self, path: &str) -> Result<Url, L1Error> {
        self.url.join(path).map_err(|_| L1Error::Unreachable("the URL is malformed".to_owned()))
    }

    /// The answer; `None` if there is no such thing.
    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, L1Error> {
        // An error of the client's may hold the URL, and with it a key.
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
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(L1Error::Inconsistent(
                    "the beacon API's answer is too long".to_owned(),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            L1Error::Inconsistent(format!("the beacon API's answer is malformed: {error}"))
        })
    }
}
