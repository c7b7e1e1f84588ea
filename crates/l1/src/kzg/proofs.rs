//! Sidecars of blob transactions: commitments and cell proofs (EIP-7594).

use alloy_eips::{
    eip4844::{
        BYTES_PER_BLOB, Bytes48,
        c_kzg::{self, Blob, CELLS_PER_EXT_BLOB},
    },
    eip7594::BlobTransactionSidecarEip7594,
};
use rayon::{iter::ParallelIterator as _, slice::ParallelSlice as _};
use turnpike_cell_proofs::ProvenBlob;

use super::{Kzg, ProofTables};

impl Kzg {
    /// Builds the sidecar of concatenated whole blobs: blobs, commitments and cell proofs. Each
    /// blob is one piece of parallel work.
    pub fn sidecar(
        &self,
        blobs: &[u8],
        tables: ProofTables,
    ) -> Result<BlobTransactionSidecarEip7594, c_kzg::Error> {
        self.pool.install(|| {
            // Before the blobs are spread, so that one thread loads and no other waits for it.
            tables.load();
            let parts = blobs.par_chunks(BYTES_PER_BLOB).map(|blob| Part::of(blob, tables));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            let mut sidecar = BlobTransactionSidecarEip7594 {
                blobs: blobs
                    .chunks(BYTES_PER_BLOB)
                    .map(alloy_eips::eip4844::Blob::from_slice)
                    .collect(),
                commitments: Vec::with_capacity(parts.len()),
                cell_proofs: Vec::with_capacity(parts.len() * CELLS_PER_EXT_BLOB),
            };
            for part in parts {
                sidecar.commitments.push(part.commitment);
                sidecar.cell_proofs.extend(part.proofs);
            }
            Ok(sidecar)
        })
    }
}

/// What a sidecar holds beside a blob.
struct Part {
    commitment: Bytes48,
    proofs: Vec<Bytes48>,
}

impl Part {
    fn of(bytes: &[u8], tables: ProofTables) -> Result<Self, c_kzg::Error> {
        if let Some(ProvenBlob { commitment, proofs }) = tables.prove(bytes) {
            let proofs = proofs.into_iter().map(Bytes48::from).collect();
            return Ok(Self { commitment: commitment.into(), proofs });
        }
        let (blob, settings) = (Blob::from_bytes(bytes)?, tables.settings());
        let commitment = settings.blob_to_kzg_commitment(&blob)?;
        let (_, proofs) = settings.compute_cells_and_kzg_proofs(&blob)?;
        Ok(Self {
            commitment: Bytes48::from(*commitment.to_bytes()),
            proofs: proofs.iter().map(|proof| Bytes48::from(*proof.to_bytes())).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use turnpike_protocol::pack_blobs;

    use super::*;

    #[test]
    fn threads_and_tables_do_not_change_a_sidecar() {
        let data: Vec<u8> = (0..200_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let blobs = pack_blobs(&data).expect("data fits the blobs");
        let plain = Kzg::with_threads(1).sidecar(&blobs, ProofTables::None).expect("blobs");
        assert_eq!(plain.blobs.len(), 2);
        assert_eq!(plain.cell_proofs.len(), 2 * CELLS_PER_EXT_BLOB);
        let settings = ProofTables::None.settings();
        plain.validate(&plain.versioned_hashes().collect::<Vec<_>>(), settings).expect("valid");
        for (threads, tables) in [(2, ProofTables::None), (2, ProofTables::Precomputed)] {
            let sidecar = Kzg::with_threads(threads).sidecar(&blobs, tables).expect("blobs");
            assert_eq!(sidecar, plain, "{threads} threads, {tables:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_blobs_are_refused() {
        let kzg = Kzg::shared();
        let mut blobs = pack_blobs(b"a batch").expect("data fits a blob");
        assert!(kzg.sidecar(&blobs[1..], ProofTables::None).is_err(), "not whole");
        blobs[0] = 0xff;
        assert!(kzg.sidecar(&blobs, ProofTables::None).is_err(), "not a field element");
    }
}
