//! Blobs from a beacon API, or from a development node that serves them by block number.

use std::{collections::HashMap, sync::Arc};

use alloy::transports::http::reqwest::{Client, StatusCode, Url};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OnceCell;

use crate::{
    L1Error,
    blobs::versioned_hash,
    http::{http_client, parse_url},
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
        let block_id = self.naming().await?.block_id(number, time);
        let mut found = self.fetch(block_id, hashes).await?;
        // Some servers filter by only one of several hashes.
        for hash in hashes {
            if !found.contains_key(hash) {
                found.extend(self.fetch(block_id, &[*hash]).await?);
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

    /// Fetches blobs of a block, keyed by the versioned hashes computed from their bytes. The
    /// server may serve more blobs than requested, or other blobs.
    async fn fetch(&self, block_id: u64, hashes: &[B256]) -> Result<HashMap<B256, Bytes>, L1Error> {
        let mut url = self.join(&format!("eth/v1/beacon/blobs/{block_id}"))?;
        for hash in hashes {
            url.query_pairs_mut().append_pair("versioned_hashes", &hash.to_string());
        }
        let blobs = self.get::<BeaconResponse<Vec<Bytes>>>(url).await?.map(|answer| answer.data);
        let hashed = |blob: Bytes| Some((versioned_hash(&blob)?, blob));
        Ok(blobs.unwrap_or_default().into_iter().filter_map(hashed).collect())
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
    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>, L1Error> {
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
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            L1Error::Unreachable(format!("the beacon API's response is malformed: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    use alloy_primitives::hex;
    use turnpike_protocol::{BLOB_BYTES, pack_blobs};

    use super::*;

    /// Serves responses by path prefix, and 404 for every other path.
    fn serve(answers: Vec<(&'static str, String)>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                let line = lines.next().expect("a request").expect("text");
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = line.split(' ').nth(1).expect("a path");
                let found = answers.iter().find(|(begin, _)| path.starts_with(begin));
                let (status, body) = found.map_or(("404 Not Found", ""), |(_, it)| ("200 OK", it));
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                let _ =
                    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
            }
        });
        format!("http://{address}")
    }

    fn blobs(data: &[u8]) -> (Vec<u8>, Vec<B256>) {
        let blobs = pack_blobs(data).expect("data fits the blobs");
        let hashes = blobs.chunks(BLOB_BYTES).map(|blob| versioned_hash(blob).expect("a blob"));
        let hashes = hashes.collect();
        (blobs, hashes)
    }

    fn json(blobs: &[u8]) -> String {
        let blobs: Vec<_> = blobs.chunks(BLOB_BYTES).map(hex::encode_prefixed).collect();
        serde_json::json!({ "data": blobs }).to_string()
    }

    #[tokio::test]
    async fn blobs_are_found_by_slot_and_ordered() {
        let (data, mut hashes) = blobs(&[7; 140_000]);
        let url = serve(vec![
            ("/key/eth/v1/config/spec", r#"{"data":{"SECONDS_PER_SLOT":"12","X":[]}}"#.into()),
            ("/key/eth/v1/beacon/genesis", r#"{"data":{"genesis_time":"1000"}}"#.into()),
            ("/key/eth/v1/beacon/blobs/25?", json(&data)),
        ]);
        let beacon = Beacon::new(&format!("{url}/key")).expect("valid URL");
        let found = beacon.blobs(7, 1_300, &hashes).await.expect("served");
        assert_eq!(found, data);
        hashes.reverse();
        let found = beacon.blobs(7, 1_300, &hashes).await.expect("served");
        assert_eq!(found[..BLOB_BYTES], data[BLOB_BYTES..]);
        let error = beacon.blobs(7, 1_312, &hashes).await.expect_err("another slot");
        assert!(matches!(error, L1Error::NotYet(_)), "{error}");
    }

    #[tokio::test]
    async fn development_node_serves_blobs_by_block_number() {
        let (data, hashes) = blobs(b"a batch");
        let genesis = r#"{"data":{"genesis_time":"1000"}}"#;
        let url = serve(vec![
            ("/eth/v1/beacon/genesis", genesis.into()),
            ("/eth/v1/beacon/blobs/7?", json(&data)),
        ]);
        let beacon = Beacon::new(&url).expect("valid URL");
        assert_eq!(beacon.blobs(7, 1_300, &hashes).await.expect("served"), data);
    }

    #[tokio::test]
    async fn blob_with_another_hash_is_rejected() {
        let (mut data, hashes) = blobs(b"a batch");
        data[40] ^= 1;
        let url = serve(vec![("/eth/v1/beacon/blobs/7?", json(&data))]);
        let beacon = Beacon::new(&url).expect("valid URL");
        let error = beacon.blobs(7, 1_300, &hashes).await.expect_err("tampered");
        assert!(error.to_string().contains("is not served, 1 others are"), "{error}");
        let url = serve(vec![("/eth/v1/beacon/blobs/7?", "[]".into())]);
        let error = Beacon::new(&url).expect("valid URL").blobs(7, 0, &hashes).await;
        let error = error.expect_err("malformed").to_string();
        assert!(error.contains("malformed"), "{error}");
    }
}
