//! Sidecars of blob transactions.

use alloy_eips::{
    eip4844::{
        BYTES_PER_BLOB, Bytes48,
        c_kzg::{self, Blob, KzgSettings, ethereum_kzg_settings},
    },
    eip7594::BlobTransactionSidecarEip7594,
};
use alloy_primitives::B256;

use crate::L1Error;

/// No precomputed tables: they pay off only for many proofs per second.
const PRECOMPUTE: u64 = 0;

/// Builds the sidecar of concatenated whole blobs: blobs, commitments and cell proofs (EIP-7594).
/// Deterministic: the same blobs give the same bytes.
pub(crate) fn of(blobs: &[u8]) -> Result<BlobTransactionSidecarEip7594, L1Error> {
    let settings = ethereum_kzg_settings(PRECOMPUTE);
    let count = blobs.len() / BYTES_PER_BLOB;
    let mut sidecar = BlobTransactionSidecarEip7594 {
        blobs: Vec::with_capacity(count),
        commitments: Vec::with_capacity(count),
        cell_proofs: Vec::new(),
    };
    for bytes in blobs.chunks(BYTES_PER_BLOB) {
        add(&mut sidecar, bytes, settings)
            .map_err(|error| L1Error::Inconsistent(format!("invalid blob: {error}")))?;
    }
    Ok(sidecar)
}

fn add(
    sidecar: &mut BlobTransactionSidecarEip7594,
    bytes: &[u8],
    settings: &KzgSettings,
) -> Result<(), c_kzg::Error> {
    let blob = Blob::from_bytes(bytes)?;
    let commitment = settings.blob_to_kzg_commitment(&blob)?;
    let (_, proofs) = settings.compute_cells_and_kzg_proofs(&blob)?;
    sidecar.blobs.push(alloy_eips::eip4844::Blob::from_slice(bytes));
    sidecar.commitments.push(Bytes48::from(*commitment.to_bytes()));
    sidecar.cell_proofs.extend(proofs.iter().map(|proof| Bytes48::from(*proof.to_bytes())));
    Ok(())
}

/// Versioned hashes of a sidecar's blobs, in order.
pub(crate) fn versioned_hashes(sidecar: &BlobTransactionSidecarEip7594) -> Vec<B256> {
    sidecar.versioned_hashes().collect()
}
