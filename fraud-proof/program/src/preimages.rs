//! Whole preimages out of an oracle that gives 32 bytes at a time.

use alloc::vec::Vec;

use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY};
use turnpike_protocol::{
    BLOB_BYTES, CHUNK_BYTES_MAX, LocalInput, ORACLE_WORD_BYTES, Oracle, OracleWord, blob_key,
    keccak_key,
};
use turnpike_state::PreimageSource;

use crate::Fault;

/// Longest preimage in bytes. The chunks of calldata are the longest there are; code and opaque data of deposits come next.
const PREIMAGE_BYTES_MAX: usize = CHUNK_BYTES_MAX;

/// An oracle, read by what is wanted of it.
#[derive(Debug)]
pub(crate) struct Preimages<'a, O>(pub(crate) &'a mut O);

impl<O: Oracle> Preimages<'_, O> {
    pub(crate) fn local(&mut self, input: LocalInput) -> Result<B256, Fault> {
        Ok(self.word(&input.key(), 0)?.word)
    }

    /// The bytes that hash to `hash`.
    pub(crate) fn keccak(&mut self, hash: &B256) -> Result<Vec<u8>, Fault> {
        if *hash == KECCAK256_EMPTY {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::new();
        self.append(&keccak_key(*hash), PREIMAGE_BYTES_MAX, &mut bytes)?;
        Ok(bytes)
    }

    /// What `parse` makes of the bytes that hash to `hash`.
    pub(crate) fn parsed<T>(
        &mut self,
        hash: &B256,
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, Fault> {
        let bytes = self.keccak(hash)?;
        parse(&bytes).ok_or_else(|| Fault::Malformed { key: keccak_key(*hash), expected })
    }

    /// Appends the bytes of a blob.
    pub(crate) fn append_blob(&mut self, hash: &B256, to: &mut Vec<u8>) -> Result<(), Fault> {
        self.append(&blob_key(*hash), BLOB_BYTES, to)
    }

    /// Appends all that is behind a key, at most `max` bytes.
    fn append(&mut self, key: &B256, max: usize, to: &mut Vec<u8>) -> Result<(), Fault> {
        let OracleWord { mut word, len: found } = self.word(key, 0)?;
        let len = usize::try_from(found).ok().filter(|len| *len <= max);
        let mut rest = len.ok_or(Fault::TooLong { key: *key, found, max })?;
        to.reserve_exact(rest);
        let mut offset = 0;
        while rest > ORACLE_WORD_BYTES {
            to.extend_from_slice(word.as_slice());
            rest -= ORACLE_WORD_BYTES;
            offset += ORACLE_WORD_BYTES as u64;
            word = self.word(key, offset)?.word;
        }
        to.extend_from_slice(&word[..rest]);
        Ok(())
    }

    fn word(&mut self, key: &B256, offset: u64) -> Result<OracleWord, Fault> {
        self.0.read(key, offset).ok_or(Fault::Missing(*key))
    }
}

impl<O: Oracle> PreimageSource for Preimages<'_, O> {
    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        self.keccak(hash).ok().map(Bytes::from)
    }
}
