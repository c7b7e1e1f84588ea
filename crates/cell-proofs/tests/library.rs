//! Commitments and proofs equal those of Ethereum's library.

use alloy_eips::eip4844::{
    BLS_MODULUS,
    c_kzg::{Blob, KzgSettings},
    env_settings::EnvKzgSettings,
};
use alloy_primitives::U256;
use turnpike_cell_proofs::{BLOB_BYTES, BlobCommitter, CELLS, CellProver, ProvenBlob};
use turnpike_random::Rng;

struct Lanes {
    committer: BlobCommitter,
    prover: CellProver,
}

impl Lanes {
    /// `None` on CPUs without the instructions, which never use them.
    fn load() -> Option<Self> {
        Some(Self { committer: BlobCommitter::load()?, prover: CellProver::load()? })
    }

    fn prove(&self, blob: &[u8]) -> Option<ProvenBlob> {
        let proven = self.prover.prove(&self.committer, blob);
        if let Some(proven) = &proven {
            assert_eq!(self.committer.commit(blob), Some(proven.commitment));
        }
        proven
    }
}

fn library(settings: &KzgSettings, bytes: &[u8]) -> ProvenBlob {
    let blob = Blob::from_bytes(bytes).expect("a blob");
    let commitment = settings.blob_to_kzg_commitment(&blob).expect("a blob");
    let (_, proofs) = settings.compute_cells_and_kzg_proofs(&blob).expect("a blob");
    ProvenBlob {
        commitment: commitment.to_bytes().into_inner(),
        proofs: proofs.iter().map(|proof| proof.to_bytes().into_inner()).collect(),
    }
}

/// A blob whose first elements are random, and the others zero.
fn random_blob(random: &mut Rng, elements: usize) -> Vec<u8> {
    let mut blob = vec![0; BLOB_BYTES];
    for element in blob.as_chunks_mut::<32>().0.iter_mut().take(elements) {
        for bytes in element.as_chunks_mut().0 {
            *bytes = random.next_u64().to_be_bytes();
        }
        element[0] &= 0x3f;
    }
    blob
}

#[test]
fn random_blobs_have_the_librarys_proofs() {
    let Some(lanes) = Lanes::load() else { return };
    let settings = EnvKzgSettings::Default.get();
    let mut random = Rng::new(0x7594);
    for elements in [64, 700, 4_095, 4_096] {
        let blob = random_blob(&mut random, elements);
        let proven = lanes.prove(&blob).expect("a regular blob");
        assert_eq!(proven.proofs.len(), CELLS);
        assert_eq!(proven, library(settings, &blob), "{elements} elements");
    }
}

#[test]
fn irregular_blobs_have_the_librarys_proofs_or_none() {
    let Some(lanes) = Lanes::load() else { return };
    let settings = EnvKzgSettings::Default.get();
    let constant = [[0; 31].as_slice(), &[7]].concat().repeat(4_096);
    let alternating = [[0; 32], [1; 32]].concat().repeat(2_048);
    let largest = (BLS_MODULUS - U256::ONE).to_be_bytes::<32>().repeat(4_096);
    let one = random_blob(&mut Rng::new(1), 1);
    for blob in [vec![0; BLOB_BYTES], one, constant, alternating, largest] {
        if let Some(proven) = lanes.prove(&blob) {
            assert_eq!(proven, library(settings, &blob));
        }
    }
}

#[test]
fn bytes_that_are_no_blob_have_no_proofs() {
    let Some(lanes) = Lanes::load() else { return };
    assert_eq!(lanes.prove(&[0; BLOB_BYTES - 1]), None);
    let mut blob = vec![0; BLOB_BYTES];
    blob[..32].copy_from_slice(&BLS_MODULUS.to_be_bytes::<32>());
    assert_eq!(lanes.prove(&blob), None);
}
