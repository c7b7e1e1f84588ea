//! Reads whole preimages from an oracle that answers 32 bytes at a time.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, address};
use turnpike_protocol::{
    BLOB_BYTES, CHUNK_BYTES_MAX, EcrecoverInput, LocalInput, ORACLE_WORD_BYTES, Oracle, OracleWord,
    blob_key, keccak_key, precompile_key,
};
use turnpike_state::{PrecompileOutcome, PreimageSource};

use crate::Fault;

/// Maximum preimage length in bytes. Calldata chunks are the longest, then code and opaque data of
/// deposits.
const PREIMAGE_BYTES_MAX: usize = CHUNK_BYTES_MAX;

/// Maximum length of a precompile's answer in bytes: modexp's output (EIP-7823) and the byte before
/// it.
const ANSWER_BYTES_MAX: usize = 1 + 1_024;

const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");

/// Reads an oracle by the type of its preimages.
#[derive(Debug)]
pub(crate) struct Reader<'a, O> {
    oracle: &'a mut O,
    /// The first fault of a read by execution, which cannot return it. The execution's result is
    /// then void.
    fault: Option<Fault>,
}

impl<'a, O: Oracle> Reader<'a, O> {
    pub(crate) const fn new(oracle: &'a mut O) -> Self {
        Self { oracle, fault: None }
    }

    /// The first fault of a read by execution.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

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

    /// Length of the bytes that hash to `hash`.
    fn keccak_len(&mut self, hash: &B256) -> Result<usize, Fault> {
        let key = keccak_key(*hash);
        let found = self.word(&key, 0)?.len;
        checked_len(&key, found, PREIMAGE_BYTES_MAX)
    }

    /// Parses the bytes that hash to `hash`. `expected` names the format in a fault.
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

    /// Appends a key's preimage of at most `max` bytes.
    fn append(&mut self, key: &B256, max: usize, to: &mut Vec<u8>) -> Result<(), Fault> {
        let OracleWord { mut word, len } = self.word(key, 0)?;
        let mut rest = checked_len(key, len, max)?;
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

    /// The outcome of a precompile with enough gas.
    fn call(&mut self, address: &Address, input: &[u8]) -> Result<PrecompileOutcome, Fault> {
        let key = precompile_key(address, input);
        self.oracle.hint_precompile(address, input);
        let mut answer = Vec::new();
        self.append(&key, ANSWER_BYTES_MAX, &mut answer)?;
        match answer.split_first() {
            Some((1, _)) => Ok(PrecompileOutcome::Output(Bytes::from(answer).slice(1..))),
            Some((0, [])) => Ok(PrecompileOutcome::Failure),
            _ => Err(Fault::Malformed { key, expected: "precompile's answer" }),
        }
    }

    /// [`turnpike_protocol::ecrecover`], answered by the oracle.
    pub(crate) fn ecrecover(&mut self, input: &EcrecoverInput) -> Result<Option<Address>, Fault> {
        let outcome = self.call(&ECRECOVER, input)?;
        let PrecompileOutcome::Output(output) = outcome else { return Ok(None) };
        Ok(B256::try_from(output.as_ref()).ok().map(Address::from_word))
    }

    fn word(&mut self, key: &B256, offset: u64) -> Result<OracleWord, Fault> {
        self.oracle.read(key, offset).ok_or(Fault::Missing(*key))
    }

    /// Keeps the fault of a read by execution.
    fn noted<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.inspect_err(|fault| {
            self.fault.get_or_insert(*fault);
        })
        .ok()
    }
}

/// The length of a preimage, if it is at most `max`.
fn checked_len(key: &B256, found: u64, max: usize) -> Result<usize, Fault> {
    let len = usize::try_from(found).ok().filter(|len| *len <= max);
    len.ok_or(Fault::TooLong { key: *key, found, max })
}

/// L1 proves that a keccak key's bytes have its hash, so execution does not hash them again.
impl<O: Oracle> PreimageSource for Reader<'_, O> {
    const IS_CHECKED: bool = true;

    fn preimage(&mut self, hash: &B256) -> Option<Bytes> {
        let bytes = self.keccak(hash);
        self.noted(bytes).map(Bytes::from)
    }

    fn preimage_len(&mut self, hash: &B256) -> Option<usize> {
        let len = self.keccak_len(hash);
        self.noted(len)
    }

    /// Never `None`, which would let execution compute the outcome itself. A fault counts as a
    /// failed call.
    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        let outcome = self.call(address, input);
        Some(self.noted(outcome).unwrap_or(PrecompileOutcome::Failure))
    }
}
