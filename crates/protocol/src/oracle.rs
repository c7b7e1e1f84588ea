//! The preimage oracle: the values that the proof program reads, 32 bytes at a time, by key.
//!
//! The first byte of a key is its kind. It determines how L1 checks an answer:
//!
//! | first byte | names | rest of the key | the bytes behind it |
//! |---|---|---|---|
//! | 1 | a [`LocalInput`] | zeros, then its number | 32 bytes that the game sets from its position |
//! | 2 | a keccak preimage | of its hash | the preimage |
//! | 3 | a blob | of its versioned hash (EIP-4844) | its 4096 field elements, 32 bytes each |
//! | 4 | a precompile call | of `keccak256(address ++ input)` | 1 and the output, or 0 if it failed for its input |

use alloc::{collections::BTreeMap, vec::Vec};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde::{Deserialize, Serialize};

use crate::BLOB_BYTES;

/// Bytes per read.
pub const ORACLE_WORD_BYTES: usize = 32;

const LOCAL: u8 = 1;
const KECCAK: u8 = 2;
const BLOB: u8 = 3;
const PRECOMPILE: u8 = 4;

/// A value that the game derives from its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalInput {
    /// [`ChainConfig::hash`](crate::ChainConfig::hash).
    ChainConfig = 0,
    /// The output root that both sides agree on, before the block.
    OutputRoot = 1,
    /// The inbox's accumulator after the disputed entry.
    InboxAcc = 2,
    /// Index of the block in the entry, from 0, big-endian.
    BlockIndex = 3,
    /// 1 if the entry's data is missing for good, big-endian; 0 for all data on L1.
    DataMissing = 4,
}

impl LocalInput {
    const ALL: [Self; 5] =
        [Self::ChainConfig, Self::OutputRoot, Self::InboxAcc, Self::BlockIndex, Self::DataMissing];

    /// The key of the input.
    pub const fn key(self) -> B256 {
        let mut key = B256::with_last_byte(self as u8);
        key.0[0] = LOCAL;
        key
    }
}

/// The five local inputs. Together with the program they determine a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalInputs {
    /// [`LocalInput::ChainConfig`].
    pub chain_config: B256,
    /// [`LocalInput::OutputRoot`].
    pub output_root: B256,
    /// [`LocalInput::InboxAcc`].
    pub inbox_acc: B256,
    /// [`LocalInput::BlockIndex`].
    pub block_index: u64,
    /// [`LocalInput::DataMissing`].
    #[serde(default)]
    pub data_missing: bool,
}

impl LocalInputs {
    /// The 32 bytes of a local input.
    pub fn get(&self, input: LocalInput) -> B256 {
        match input {
            LocalInput::ChainConfig => self.chain_config,
            LocalInput::OutputRoot => self.output_root,
            LocalInput::InboxAcc => self.inbox_acc,
            LocalInput::BlockIndex => U256::from(self.block_index).into(),
            LocalInput::DataMissing => U256::from(self.data_missing).into(),
        }
    }
}

/// Key of the preimage of `hash`.
pub const fn keccak_key(hash: B256) -> B256 {
    with_first_byte(hash, KECCAK)
}

/// Key of a blob.
pub const fn blob_key(versioned_hash: B256) -> B256 {
    with_first_byte(versioned_hash, BLOB)
}

/// Key of a precompile's result for an input.
pub fn precompile_key(address: &Address, input: &[u8]) -> B256 {
    let mut call = Vec::with_capacity(Address::len_bytes() + input.len());
    call.extend_from_slice(address.as_slice());
    call.extend_from_slice(input);
    with_first_byte(keccak256(call), PRECOMPILE)
}

/// Whether L1 can answer this key. The machine stops at any other key.
pub fn is_oracle_key(key: &B256) -> bool {
    match key[0] {
        LOCAL => LocalInput::ALL.iter().any(|input| input.key() == *key),
        KECCAK | BLOB | PRECOMPILE => true,
        _ => false,
    }
}

const fn with_first_byte(mut key: B256, byte: u8) -> B256 {
    key.0[0] = byte;
    key
}

/// 32 bytes of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleWord {
    /// The bytes from the offset on, followed by zeros past the end.
    pub word: B256,
    /// Length of the value.
    pub len: u64,
}

impl OracleWord {
    /// Reads `bytes` at `offset`.
    pub fn of(bytes: &[u8], offset: u64) -> Self {
        let mut word = B256::ZERO;
        let at = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let rest = &bytes[at..];
        let count = rest.len().min(ORACLE_WORD_BYTES);
        word[..count].copy_from_slice(&rest[..count]);
        Self { word, len: bytes.len() as u64 }
    }
}

/// The source of the program's reads.
pub trait Oracle {
    /// Reads 32 bytes of the value of `key` at `offset`, a multiple of 32. Returns `None` if this
    /// oracle does not have the value.
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord>;

    /// Announces the call whose [`precompile_key`] is read next, for an oracle that computes the
    /// result.
    fn hint_precompile(&mut self, _address: &Address, _input: &[u8]) {}
}

impl<O: Oracle + ?Sized> Oracle for &mut O {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        (**self).read(key, offset)
    }

    fn hint_precompile(&mut self, address: &Address, input: &[u8]) {
        (**self).hint_precompile(address, input);
    }
}

/// A value with everything that L1 needs to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Preimage {
    /// A preimage of keccak256.
    Keccak {
        /// The bytes.
        bytes: Bytes,
    },
    /// A blob.
    Blob {
        /// The blob's hash, as `BLOBHASH` returns it.
        versioned_hash: B256,
        /// [`BLOB_BYTES`] bytes.
        bytes: Bytes,
    },
    /// A call of a precompile.
    Precompile {
        /// The precompile.
        address: Address,
        /// The precompile's input.
        input: Bytes,
        /// The precompile's output; `None` if it fails with any amount of gas.
        output: Option<Bytes>,
    },
}

impl Preimage {
    /// The key of the value. It is computed, not checked: the caller vouches for a blob's hash and
    /// a precompile's output.
    pub fn key(&self) -> B256 {
        match self {
            Self::Keccak { bytes } => keccak_key(keccak256(bytes)),
            Self::Blob { versioned_hash, .. } => blob_key(*versioned_hash),
            Self::Precompile { address, input, .. } => precompile_key(address, input),
        }
    }

    fn read(&self, offset: u64) -> OracleWord {
        match self {
            Self::Keccak { bytes } => OracleWord::of(bytes, offset),
            Self::Blob { bytes, .. } => {
                debug_assert_eq!(bytes.len(), BLOB_BYTES);
                OracleWord::of(bytes, offset)
            }
            Self::Precompile { output: None, .. } => OracleWord::of(&[0], offset),
            Self::Precompile { output: Some(output), .. } => {
                let mut answer = Vec::with_capacity(1 + output.len());
                answer.push(1);
                answer.extend_from_slice(output);
                OracleWord::of(&answer, offset)
            }
        }
    }
}

/// Everything that a run of the program reads: the witness of a proof.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Unchecked")]
pub struct Preimages {
    /// The local inputs.
    pub local: LocalInputs,
    preimages: BTreeMap<B256, Preimage>,
}

/// [`Preimages`] in serialized form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Unchecked {
    local: LocalInputs,
    preimages: BTreeMap<B256, Preimage>,
}

/// Why serialized preimages are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreimagesError {
    /// A preimage is listed under the key of another.
    #[error("the preimage of key {found} is listed under key {listed}")]
    Key {
        /// Key under which it is listed.
        listed: B256,
        /// The preimage's own key.
        found: B256,
    },
    /// A blob has the wrong length.
    #[error("{found} bytes are listed as the blob of key {key}")]
    BlobBytes {
        /// The key.
        key: B256,
        /// Length of the listed bytes.
        found: usize,
    },
}

impl TryFrom<Unchecked> for Preimages {
    type Error = PreimagesError;

    fn try_from(Unchecked { local, preimages }: Unchecked) -> Result<Self, PreimagesError> {
        for (listed, preimage) in &preimages {
            let found = preimage.key();
            if found != *listed {
                return Err(PreimagesError::Key { listed: *listed, found });
            }
            match preimage {
                Preimage::Blob { bytes, .. } if bytes.len() != BLOB_BYTES => {
                    return Err(PreimagesError::BlobBytes { key: found, found: bytes.len() });
                }
                _ => {}
            }
        }
        Ok(Self { local, preimages })
    }
}

impl Preimages {
    /// Creates a set with local inputs only.
    pub const fn new(local: LocalInputs) -> Self {
        Self { local, preimages: BTreeMap::new() }
    }

    /// Adds a preimage under its own key.
    pub fn add(&mut self, preimage: Preimage) {
        self.preimages.insert(preimage.key(), preimage);
    }

    /// The value of a key. Local inputs are not included.
    pub fn get(&self, key: &B256) -> Option<&Preimage> {
        self.preimages.get(key)
    }

    /// The preimages by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&B256, &Preimage)> {
        self.preimages.iter()
    }
}

impl Oracle for Preimages {
    fn read(&mut self, key: &B256, offset: u64) -> Option<OracleWord> {
        let local = LocalInput::ALL.into_iter().find(|input| input.key() == *key);
        match local {
            Some(input) => Some(OracleWord::of(self.local.get(input).as_slice(), offset)),
            None => Some(self.preimages.get(key)?.read(offset)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_past_the_end_return_zeros() {
        let bytes = [7; 40];
        assert_eq!(OracleWord::of(&bytes, 0), OracleWord { word: B256::repeat_byte(7), len: 40 });
        let mut tail = B256::ZERO;
        tail[..8].fill(7);
        assert_eq!(OracleWord::of(&bytes, 32), OracleWord { word: tail, len: 40 });
        assert_eq!(OracleWord::of(&bytes, 64), OracleWord { word: B256::ZERO, len: 40 });
        assert_eq!(OracleWord::of(&bytes, u64::MAX).word, B256::ZERO);
    }

    #[test]
    fn only_keys_of_known_kinds_are_oracle_keys() {
        assert!(is_oracle_key(&LocalInput::DataMissing.key()));
        let mut foreign = LocalInput::DataMissing.key();
        foreign[31] = 5;
        assert!(!is_oracle_key(&foreign));
        foreign = LocalInput::ChainConfig.key();
        foreign[16] = 1;
        assert!(!is_oracle_key(&foreign));
        assert!(!is_oracle_key(&B256::ZERO));
        assert!(!is_oracle_key(&B256::repeat_byte(5)));
        let hash = B256::repeat_byte(9);
        assert_ne!(keccak_key(hash), blob_key(hash));
    }

    #[test]
    fn preimages_deserialize_only_under_their_own_keys() {
        let mut all = Preimages::default();
        all.add(Preimage::Keccak { bytes: Bytes::from_static(b"a node") });
        let json = serde_json::to_string(&all).expect("serializes");
        assert_eq!(serde_json::from_str::<Preimages>(&json).expect("reads"), all);

        let other = json.replace("0x02", "0x03");
        let error = serde_json::from_str::<Preimages>(&other).expect_err("another key");
        assert!(error.to_string().contains("is listed under key 0x03"), "{error}");
        let blob = Preimage::Blob { versioned_hash: B256::repeat_byte(1), bytes: Bytes::new() };
        let (local, preimages) = (LocalInputs::default(), [(blob.key(), blob)].into());
        let error = Preimages::try_from(Unchecked { local, preimages });
        assert!(matches!(error, Err(PreimagesError::BlobBytes { found: 0, .. })));
    }

    #[test]
    fn preimages_are_read_by_kind() {
        let local = LocalInputs { block_index: 3, ..LocalInputs::default() };
        let mut all = Preimages::new(local);
        let failed = Preimage::Precompile {
            address: Address::with_last_byte(8),
            input: Bytes::new(),
            output: None,
        };
        let works = Preimage::Precompile {
            address: Address::with_last_byte(1),
            input: Bytes::from_static(b"in"),
            output: Some(Bytes::from_static(&[9])),
        };
        let (failed_key, works_key) = (failed.key(), works.key());
        all.add(failed);
        all.add(works);
        let mut word = B256::ZERO;
        assert_eq!(all.read(&failed_key, 0), Some(OracleWord { word, len: 1 }));
        (word[0], word[1]) = (1, 9);
        assert_eq!(all.read(&works_key, 0), Some(OracleWord { word, len: 2 }));
        let three = Some(OracleWord { word: B256::with_last_byte(3), len: 32 });
        assert_eq!(all.read(&LocalInput::BlockIndex.key(), 0), three);
        assert_eq!(all.read(&keccak_key(B256::ZERO), 0), None);
    }
}
