//! The trusted setup and its precomputed tables. Each is loaded on first use and stays in memory.

use std::sync::OnceLock;

use alloy_eips::eip4844::c_kzg::{KzgSettings, ethereum_kzg_settings};

/// Window of the precomputed tables in bits.
const WINDOW_BITS: u64 = 8;

/// The setup with tables, once it is loaded.
static PRECOMPUTED: OnceLock<&'static KzgSettings> = OnceLock::new();

/// Tables that cell proofs use. Proofs are the same with and without them.
///
/// Loading the trusted setup takes about two seconds of a processor; with tables it takes a third
/// more and 99 MiB, and proofs take a quarter less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProofTables {
    /// The trusted setup alone, for few proofs.
    #[default]
    None,
    /// Precomputed multiples of the setup's points, for a process that makes proofs all the time.
    Precomputed,
}

impl ProofTables {
    /// Loads the setup with these tables, or waits until another thread has loaded it.
    pub fn load(self) {
        self.settings();
    }

    pub(super) fn settings(self) -> &'static KzgSettings {
        match self {
            Self::None => ethereum_kzg_settings(0),
            Self::Precomputed => PRECOMPUTED.get_or_init(|| ethereum_kzg_settings(WINDOW_BITS)),
        }
    }
}

/// The setup for commitments, which use no tables: a loaded one if there is one.
pub(super) fn commitment_settings() -> &'static KzgSettings {
    PRECOMPUTED.get().copied().unwrap_or_else(|| ProofTables::None.settings())
}
