//! An archive of batch data on disk. L1 serves blobs for about 18 days, but a node without its
//! state derives from the first entry on.
//!
//! # Format
//!
//! There is one file for each commitment, and the commitment in hexadecimal is its name. A file
//! holds the number of blobs (one byte), their versioned hashes, the data (for blobs without
//! trailing zeros), and the Keccak-256 of these parts.
//!
//! # Recovery
//!
//! If a file is missing, damaged or does not match its commitment, the data is fetched from L1
//! again. A file is written under a temporary name and renamed, so a crash leaves no partial file
//! under a final name.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{B256, Bytes, hex, keccak256};
use tokio::sync::Mutex;
use tracing::warn;
use turnpike_protocol::{BLOB_BYTES, DataKind, Entry};

use crate::{EntryPayload, L1Error};

/// Bytes of a hash.
const HASH_BYTES: usize = 32;

/// A folder of batch data. Several processes may share it. Clones in one process share what they
/// fetch, too: the data of each entry is read from L1 and checked once.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: Arc<PathBuf>,
    /// Held while data is fetched.
    fetching: Arc<Mutex<()>>,
}

impl PartialEq for Archive {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

impl Eq for Archive {}

impl Archive {
    /// The archive in a folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Arc::new(folder.into()), fetching: Arc::default() }
    }

    /// The data of an entry, fetched and stored if it is missing.
    pub(crate) async fn get_or_fetch(
        &self,
        entry: &Entry,
        fetch: impl Future<Output = Result<EntryPayload, L1Error>>,
    ) -> Result<EntryPayload, L1Error> {
        if let Some(payload) = self.get(entry) {
            return Ok(payload);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(payload) = self.get(entry) {
            return Ok(payload);
        }
        let payload = fetch.await?;
        if let Err(error) = self.put(entry, &payload) {
            warn!(entry = entry.index, %error, "cannot archive batch data");
        }
        Ok(payload)
    }

    /// Reads the data of an entry; `None` if it is missing or damaged.
    fn get(&self, entry: &Entry) -> Option<EntryPayload> {
        let file = fs::read(self.path(entry)).ok()?;
        let payload = decode(&file, entry.data_kind)?;
        payload.check(entry).is_ok().then_some(payload)
    }

    /// Stores the checked data of an entry.
    fn put(&self, entry: &Entry, payload: &EntryPayload) -> io::Result<()> {
        let path = self.path(entry);
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.folder.as_path())?;
        // The process id separates two roles that write the same entry.
        let draft = path.with_extension(std::process::id().to_string());
        fs::write(&draft, encode(payload)).and_then(|()| fs::rename(&draft, &path))
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        Path::join(&self.folder, hex::encode(entry.data_hash))
    }
}

fn encode(payload: &EntryPayload) -> Vec<u8> {
    let EntryPayload { data, blob_hashes } = payload;
    let blobs =
        u8::try_from(blob_hashes.len()).expect("invariant: an L1 transaction has few blobs");
    let zeros = match blobs {
        0 => 0,
        _ => data.iter().rev().take_while(|byte| **byte == 0).count(),
    };
    let mut file = vec![blobs];
    blob_hashes.iter().for_each(|hash| file.extend_from_slice(hash.as_slice()));
    file.extend_from_slice(&data[..data.len() - zeros]);
    let checksum = keccak256(&file);
    file.extend_from_slice(checksum.as_slice());
    file
}

fn decode(file: &[u8], kind: DataKind) -> Option<EntryPayload> {
    let (content, checksum) = file.split_at_checked(file.len().checked_sub(HASH_BYTES)?)?;
    if keccak256(content).as_slice() != checksum {
        return None;
    }
    let (blobs, rest) = content.split_first()?;
    let (hashes, data) = rest.split_at_checked(usize::from(*blobs) * HASH_BYTES)?;
    let blob_hashes: Vec<_> = hashes.chunks_exact(HASH_BYTES).map(B256::from_slice).collect();
    let mut data = data.to_vec();
    if kind == DataKind::Blobs {
        data.resize(blob_hashes.len() * BLOB_BYTES, 0);
    }
    Some(EntryPayload { data: Bytes::from(data), blob_hashes })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use turnpike_protocol::{blobs_hash, calldata_hash, pack_blobs};

    use super::*;

    fn entry(data_kind: DataKind, data_hash: B256) -> Entry {
        Entry {
            index: 1,
            data_kind,
            data_hash,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 1,
            l1_time: 1,
            l1_base_fee: U256::ZERO,
            l1_blob_base_fee: U256::ZERO,
            l1_parent_hash: B256::ZERO,
            origin: 0,
            origin_acc: B256::ZERO,
            offchain_time: 0,
        }
    }

    #[test]
    fn stored_data_round_trips_and_damage_is_detected() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let archive = Archive::new(folder.path().join("entries"));
        // Trailing zeros are part of calldata.
        let data = Bytes::from_static(b"batch\0\0");
        let calldata = EntryPayload { data: data.clone(), blob_hashes: Vec::new() };
        let data = pack_blobs(&data).expect("data fits the blobs").into();
        let blobs = EntryPayload { data, blob_hashes: vec![B256::repeat_byte(1)] };
        let entries = [
            (entry(DataKind::Calldata, calldata_hash(&calldata.data)), calldata),
            (entry(DataKind::Blobs, blobs_hash(&blobs.blob_hashes)), blobs),
        ];
        for (entry, payload) in entries {
            assert_eq!(archive.get(&entry), None);
            archive.put(&entry, &payload).expect("writes");
            archive.put(&entry, &payload).expect("writes again");
            assert_eq!(archive.get(&entry).as_ref(), Some(&payload));
            let path = archive.path(&entry);
            let file = fs::read(&path).expect("reads");
            assert!(file.len() < 200, "{} bytes", file.len());
            for at in [0, 40, file.len() - 1] {
                let mut damaged = file.clone();
                damaged[at.min(file.len() - 1)] ^= 1;
                fs::write(&path, damaged).expect("writes");
                assert_eq!(archive.get(&entry), None);
            }
            fs::write(&path, &file[..file.len() / 2]).expect("writes");
            assert_eq!(archive.get(&entry), None);
        }
    }

    #[tokio::test]
    async fn clones_fetch_an_entry_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::new(folder.path().join("entries"));
        let data = Bytes::from_static(b"batch");
        let entry = entry(DataKind::Calldata, calldata_hash(&data));
        let payload = EntryPayload { data, blob_hashes: Vec::new() };
        let fetched = std::sync::atomic::AtomicU32::new(0);
        let fetch = || async {
            fetched.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(payload.clone())
        };
        let clone = archive.clone();
        let both = tokio::join!(
            archive.get_or_fetch(&entry, fetch()),
            clone.get_or_fetch(&entry, fetch()),
        );
        assert_eq!(both.0.expect("fetched"), payload);
        assert_eq!(both.1.expect("archived"), payload);
        assert_eq!(fetched.into_inner(), 1);
    }
}
