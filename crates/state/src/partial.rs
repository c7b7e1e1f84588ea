//! A partial state for stateless execution. It starts from a root and resolves nodes from preimages
//! as they are read.
//!
//! The proof program executes on it. A partial state keeps what it resolved, requests each node and
//! code at most once while it stays resolved, and checks every hash, unless its source does.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256, map::B256Map};
use revm_bytecode::Bytecode;

use crate::{
    Account, AccountProof, EMPTY_ROOT, PrecompileOutcome, PreimageSource, StateCommit, StateDiff,
    StateRoots, StateTrie, StateView, StorageId, TrieError, flat::analyse, witness::Nodes,
};

/// Why a read or commit of a partial state failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// A trie node was missing or wrong.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// The source does not have the code.
    #[error("code {hash} is not in the witness")]
    MissingCode {
        /// The code's keccak hash.
        hash: B256,
    },
    /// The source returned bytes that do not hash to the code's hash.
    #[error("preimage of code {hash} does not hash to it")]
    CodeMismatch {
        /// The code's keccak hash.
        hash: B256,
    },
    /// An earlier commit failed half way, so the state is undefined.
    #[error("state was abandoned by a failed commit")]
    Abandoned,
}

/// Maximum bytes of code that are kept for later reads.
const LOADED_BYTES_MAX: usize = 32 << 20;

/// The state at a root, resolved lazily from `S`.
///
/// Reads that fail leave the state usable. A failed [`commit`](StateCommit::commit) does not:
/// part of the diff may be applied, so every later call returns [`WitnessError::Abandoned`].
#[derive(Clone, Debug)]
pub struct PartialState<S> {
    trie: StateTrie,
    /// Codes that diffs added.
    codes: B256Map<Bytecode>,
    /// Codes from the source. They can be requested again.
    loaded: B256Map<Bytecode>,
    loaded_bytes: usize,
    source: S,
    abandoned: bool,
}

impl<S> PartialState<S> {
    /// The state with this root, with nothing resolved.
    pub fn new(state_root: B256, source: S) -> Self {
        Self {
            trie: StateTrie::blinded(state_root),
            codes: B256Map::default(),
            loaded: B256Map::default(),
            loaded_bytes: 0,
            source,
            abandoned: false,
        }
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Returns the source and drops the state.
    pub fn into_source(self) -> S {
        self.source
    }

    /// A code that was added or read before.
    fn known_code(&self, hash: &B256) -> Option<&Bytecode> {
        self.codes.get(hash).or_else(|| self.loaded.get(hash))
    }

    fn usable(&self) -> Result<(), WitnessError> {
        if self.abandoned { Err(WitnessError::Abandoned) } else { Ok(()) }
    }
}

impl<S: PreimageSource> PartialState<S> {
    /// The current roots. Reads the preimages on the message passer's path.
    pub fn roots(&mut self) -> Result<StateRoots, WitnessError> {
        self.usable()?;
        Ok(self.trie.resolved_roots(&mut Nodes(&mut self.source))?)
    }

    /// Merkle proofs of an account and some of its slots against the current root.
    pub fn proof(
        &mut self,
        address: &Address,
        slots: &[U256],
    ) -> Result<AccountProof, WitnessError> {
        // Reading resolves the paths that the proofs need.
        self.account(address)?;
        for slot in slots {
            self.storage(address, StorageId::default(), *slot)?;
        }
        Ok(self.trie.account_proof(address, slots)?)
    }

    fn load_code(&mut self, hash: &B256) -> Result<Bytecode, WitnessError> {
        let code = self.source.preimage(hash).ok_or(WitnessError::MissingCode { hash: *hash })?;
        if !S::IS_CHECKED && keccak256(&code) != *hash {
            return Err(WitnessError::CodeMismatch { hash: *hash });
        }
        Ok(analyse(code))
    }
}

impl<S: PreimageSource> StateView for PartialState<S> {
    type Error = WitnessError;

    fn account(&mut self, address: &Address) -> Result<Option<(Account, StorageId)>, WitnessError> {
        self.usable()?;
        let account = self.trie.account(address, &mut Nodes(&mut self.source))?;
        Ok(account.map(|account| (account, StorageId::default())))
    }

    fn storage(
        &mut self,
        address: &Address,
        _id: StorageId,
        slot: U256,
    ) -> Result<U256, WitnessError> {
        self.usable()?;
        Ok(self.trie.storage(address, slot, &mut Nodes(&mut self.source))?)
    }

    fn has_storage(&mut self, address: &Address) -> bool {
        // The account's leaf was resolved when it was read.
        let root = self.trie.peek_storage_root(address);
        root.is_ok_and(|root| root != EMPTY_ROOT)
    }

    fn code(&mut self, hash: &B256) -> Result<Bytecode, WitnessError> {
        self.usable()?;
        if *hash == KECCAK256_EMPTY {
            return Ok(Bytecode::new());
        }
        if let Some(code) = self.known_code(hash) {
            return Ok(code.clone());
        }
        let code = self.load_code(hash)?;
        self.loaded_bytes += code.len();
        if self.loaded_bytes > LOADED_BYTES_MAX {
            self.loaded.clear();
            self.loaded_bytes = code.len();
        }
        self.loaded.insert(*hash, code.clone());
        Ok(code)
    }

    /// Does not read the code if the source is trusted with its length.
    fn code_len(&mut self, hash: &B256) -> Result<usize, WitnessError> {
        let is_here = *hash == KECCAK256_EMPTY || self.known_code(hash).is_some();
        if is_here || !S::IS_CHECKED {
            return self.code(hash).map(|code| code.len());
        }
        self.usable()?;
        self.source.preimage_len(hash).ok_or(WitnessError::MissingCode { hash: *hash })
    }

    fn precompile(&mut self, address: &Address, input: &[u8]) -> Option<PrecompileOutcome> {
        self.source.precompile(address, input)
    }
}

impl<S: PreimageSource> StateCommit for PartialState<S> {
    fn commit(&mut self, diff: &StateDiff) -> Result<StateRoots, WitnessError> {
        self.usable()?;
        for (hash, code) in &diff.codes {
            self.codes.entry(*hash).or_insert_with(|| analyse(code.clone()));
        }
        let result = self.trie.apply(diff, &mut Nodes(&mut self.source));
        self.abandoned = result.is_err();
        Ok(result?)
    }
}
