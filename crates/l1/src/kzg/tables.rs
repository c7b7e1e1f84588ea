//! Trusted setups and their precomputed tables. Each is loaded on first use and stays in memory.
//!
//! Where the processor has the instructions, commitments and proofs are made in SIMD lanes, from
//! tables of their own. What those cannot do is left to Ethereum's library.

use std::sync::LazyLock;

use alloy_eips::eip4844::{
    Bytes48,
    c_kzg::{Blob, KzgSettings, ethereum_kzg_settings},
};
use turnpike_cell_proofs::{BlobCommitter, CellProver, ProvenBlob};

/// Window of the library's precomputed tables in bits.
const WINDOW_BITS: u64 = 8;

static COMMITTER: LazyLock<Option<BlobCommitter>> = LazyLock::new(BlobCommitter::load);
static PROVER: LazyLock<Option<CellProver>> = LazyLock::new(CellProver::load);

/// Tables that cell proofs use. Proofs are the same with and without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProofTables {
    /// The library's trusted setup alone, for few proofs. Loading it takes two seconds of a
    /// processor.
    #[default]
    None,
    /// Multiples of the setup's points, for a process that makes proofs all the time: those of the
    /// SIMD lanes, or else the library's with 99 MiB.
    Precomputed,
}

impl ProofTables {
    /// Loads the tables, or waits until another thread has loaded them.
    pub fn load(self) {
        if self == Self::None || COMMITTER.is_none() || PROVER.is_none() {
            self.settings();
        }
    }

    /// Commitment and proofs in SIMD lanes; `None` if those are not to be used, or cannot.
    pub(super) fn prove(self, blob: &[u8]) -> Option<ProvenBlob> {
        match self {
            Self::None => None,
            Self::Precomputed => PROVER.as_ref()?.prove(COMMITTER.as_ref()?, blob),
        }
    }

    /// The library's setup. With SIMD lanes, little is left for its tables.
    pub(super) fn settings(self) -> &'static KzgSettings {
        match self {
            Self::Precomputed if PROVER.is_none() => ethereum_kzg_settings(WINDOW_BITS),
            Self::None | Self::Precomputed => ethereum_kzg_settings(0),
        }
    }
}

/// A blob's commitment, compressed. `None` if the bytes are not a blob.
pub(super) fn commitment(blob: &[u8]) -> Option<Bytes48> {
    if let Some(commitment) = COMMITTER.as_ref().and_then(|committer| committer.commit(blob)) {
        return Some(commitment.into());
    }
    let blob = Blob::from_bytes(blob).ok()?;
    let commitment = ProofTables::None.settings().blob_to_kzg_commitment(&blob).ok()?;
    Some(commitment.to_bytes().into_inner().into())
}
