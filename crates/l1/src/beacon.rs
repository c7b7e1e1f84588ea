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
                L1Error::Unreachable(format!("the beacon API gives {text:?} for a number"))
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
                return Err(L1Error::Unreachable("the beacon API's answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            L1Error::Unreachable(format!("the beacon API's answer is malformed: {error}"))
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

    /// Answers as many requests as come, from a table of path beginnings; else with 404.
    fn serve(answers: Vec<(&'static str, String)>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
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
        let blobs = pack_blobs(data).expect("short");
        let hashes = blobs.chunks(BLOB_BYTES).map(|blob| versioned_hash(blob).expect("a blob"));
        let hashes = hashes.collect();
        (blobs, hashes)
    }

    fn json(blobs: &[u8]) -> String {
        let blobs: Vec<_> = blobs.chunks(BLOB_BYTES).map(hex::encode_prefixed).collect();
        serde_json::json!({ "data": blobs }).to_string()
    }

    #[tokio::test]
    async fn blobs_are_found_by_slot_and_put_in_order() {
        let (data, mut hashes) = blobs(&[7; 140_000]);
        let url = serve(vec![
            ("/key/eth/v1/config/spec", r#"{"data":{"SECONDS_PER_SLOT":"12","X":[]}}"#.into()),
            ("/key/eth/v1/beacon/genesis", r#"{"data":{"genesis_time":"1000"}}"#.into()),
            ("/key/eth/v1/beacon/blobs/25?", json(&data)),
        ]);
        let beacon = Beacon::new(&format!("{url}/key")).expect("a URL");
        let found = beacon.blobs(7, 1_300, &hashes).await.expect("served");
        assert_eq!(found, data);
        hashes.reverse();
        let found = beacon.blobs(7, 1_300, &hashes).await.expect("served");
        assert_eq!(found[..BLOB_BYTES], data[BLOB_BYTES..]);
        let error = beacon.blobs(7, 1_312, &hashes).await.expect_err("another slot");
        assert!(matches!(error, L1Error::NotYet(_)), "{error}");
    }

    #[tokio::test]
    async fn a_development_node_knows_blocks_by_number() {
        let (data, hashes) = blobs(b"a batch");
        let genesis = r#"{"data":{"genesis_time":"1000"}}"#;
        let url = serve(vec![
            ("/eth/v1/beacon/genesis", genesis.into()),
            ("/eth/v1/beacon/blobs/7?", json(&data)),
        ]);
        let beacon = Beacon::new(&url).expect("a URL");
        assert_eq!(beacon.blobs(7, 1_300, &hashes).await.expect("served"), data);
    }

    #[tokio::test]
    async fn what_is_not_the_blob_is_not_taken_for_it() {
        let (mut data, hashes) = blobs(b"a batch");
        data[40] ^= 1;
        let url = serve(vec![("/eth/v1/beacon/blobs/7?", json(&data))]);
        let beacon = Beacon::new(&url).expect("a URL");
        let error = beacon.blobs(7, 1_300, &hashes).await.expect_err("tampered");
        assert!(error.to_string().contains("is not served, 1 others are"), "{error}");
        let url = serve(vec![("/eth/v1/beacon/blobs/7?", "[]".into())]);
        let error = Beacon::new(&url).expect("a URL").blobs(7, 0, &hashes).await;
        let error = error.expect_err("malformed").to_string();
        assert!(error.contains("malformed"), "{error}");
    }
}
