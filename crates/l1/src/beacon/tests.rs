use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use alloy_primitives::hex;
use turnpike_protocol::{BLOB_BYTES, pack_blobs};

use super::*;
use crate::Kzg;

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
            let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

fn blobs(data: &[u8]) -> (Vec<u8>, Vec<B256>) {
    let blobs = pack_blobs(data).expect("data fits the blobs");
    let split: Vec<_> = blobs.chunks(BLOB_BYTES).collect();
    let hashes = Kzg::shared().versioned_hashes(&split).into_iter();
    let hashes = hashes.map(|hash| hash.expect("a blob")).collect();
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

/// A beacon node with slots of 12 s.
fn serve_slot_25(mut answers: Vec<(&'static str, String)>) -> String {
    answers.extend([
        ("/eth/v1/config/spec", r#"{"data":{"SECONDS_PER_SLOT":"12"}}"#.to_owned()),
        ("/eth/v1/beacon/genesis", r#"{"data":{"genesis_time":"1000"}}"#.to_owned()),
    ]);
    serve(answers)
}

/// A beacon block with these commitments.
fn block(commitments: Vec<Bytes48>) -> String {
    let body = serde_json::json!({ "graffiti": "x", "blob_kzg_commitments": commitments });
    let data = serde_json::json!({ "message": { "slot": "25", "body": body }, "signature": "0x" });
    serde_json::json!({ "version": "fulu", "finalized": true, "data": data }).to_string()
}

#[tokio::test]
async fn commitments_of_the_block_are_optional() {
    let (data, hashes) = blobs(&[7; 400_000]);
    let split: Vec<_> = data.chunks(BLOB_BYTES).collect();
    let commitments = Kzg::shared().commitments(&split).into_iter().flatten();
    let commitments: Vec<_> = commitments.collect();
    assert_eq!(commitments.len(), 4);
    let mut lies = commitments.clone();
    lies.rotate_left(1);
    let wanted = &data[BLOB_BYTES..3 * BLOB_BYTES];
    for (name, served, block) in [
        ("filters", wanted, block(commitments.clone())),
        ("ignores the filter", &data[..], block(commitments.clone())),
        ("lies in commitments", wanted, block(lies)),
        ("tells too few", wanted, block(commitments[..2].to_vec())),
        ("has blocks of a later fork", wanted, r#"{"data":{"message":{"body":{}}}}"#.into()),
        ("serves malformed blocks", wanted, "{}".into()),
    ] {
        let url = serve_slot_25(vec![
            ("/eth/v1/beacon/blobs/25?", json(served)),
            ("/eth/v2/beacon/blocks/25", block),
        ]);
        let beacon = Beacon::new(&url).expect("valid URL");
        let found = beacon.blobs(7, 1_300, &hashes[1..3]).await.expect("served");
        assert_eq!(found[..], *wanted, "a server that {name}");
    }
    // Without blocks, and blobs in another order.
    let reversed: Vec<_> = wanted.chunks(BLOB_BYTES).rev().flatten().copied().collect();
    let url = serve_slot_25(vec![("/eth/v1/beacon/blobs/25?", json(&reversed))]);
    let beacon = Beacon::new(&url).expect("valid URL");
    assert_eq!(beacon.commitments(25).await, Vec::<Bytes48>::new());
    let found = beacon.blobs(7, 1_300, &hashes[1..3]).await.expect("served");
    assert_eq!(found[..], *wanted);
}

#[tokio::test]
async fn commitments_are_read_from_the_block() {
    let commitments = vec![Bytes48::repeat_byte(1), Bytes48::repeat_byte(2)];
    let answer = block(commitments.clone());
    let url = serve_slot_25(vec![("/eth/v2/beacon/blocks/25", answer)]);
    let beacon = Beacon::new(&url).expect("valid URL");
    assert_eq!(beacon.commitments(25).await, commitments);
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
    // A beacon node that commits to what it serves.
    let split: Vec<_> = data.chunks(BLOB_BYTES).collect();
    let commitments = Kzg::shared().commitments(&split).into_iter().flatten().collect();
    let url = serve_slot_25(vec![
        ("/eth/v1/beacon/blobs/25", json(&data)),
        ("/eth/v2/beacon/blocks/25", block(commitments)),
    ]);
    let error = Beacon::new(&url).expect("valid URL").blobs(7, 1_300, &hashes).await;
    let error = error.expect_err("tampered").to_string();
    assert!(error.contains("is not served, 1 others are"), "{error}");
    let url = serve(vec![("/eth/v1/beacon/blobs/7?", "[]".into())]);
    let error = Beacon::new(&url).expect("valid URL").blobs(7, 0, &hashes).await;
    let error = error.expect_err("malformed").to_string();
    assert!(error.contains("malformed"), "{error}");
}
