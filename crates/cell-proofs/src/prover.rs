#[cfg(target_arch = "x86_64")]
use {
    crate::{
        ifma::{CellTables, CommitmentTable},
        polynomial::{coefficients, sum_scalars},
    },
    ark_bls12_381::{G1Affine, G1Projective},
    ark_ec::CurveGroup as _,
    ark_serialize::{CanonicalDeserialize as _, CanonicalSerialize as _},
};

/// Bytes of a compressed point.
const POINT_BYTES: usize = 48;

/// A compressed point.
pub type PointBytes = [u8; POINT_BYTES];

/// What a blob transaction carries beside a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenBlob {
    /// The commitment.
    pub commitment: PointBytes,
    /// The proof of each cell, in order.
    pub proofs: Vec<PointBytes>,
}

/// Makes commitments, with tables of 17 MiB.
#[derive(Debug)]
pub struct BlobCommitter {
    #[cfg(target_arch = "x86_64")]
    table: CommitmentTable,
}

/// Makes cell proofs, with tables of 34 MiB.
#[derive(Debug)]
pub struct CellProver {
    #[cfg(target_arch = "x86_64")]
    tables: CellTables,
}

#[cfg(target_arch = "x86_64")]
impl BlobCommitter {
    /// Computes the tables, in about half a second. `None` unless the CPU is known to have AVX-512
    /// with IFMA.
    #[must_use]
    pub fn load() -> Option<Self> {
        Some(Self { table: CommitmentTable::new(&setup())? })
    }

    /// The commitment to a blob, on this thread. `None` if the bytes are not a blob, or its points
    /// cannot be added in SIMD lanes.
    #[must_use]
    pub fn commit(&self, blob: &[u8]) -> Option<PointBytes> {
        let commitment = self.table.commitment(&coefficients(blob)?)?;
        compress(&[commitment])?.pop()
    }
}

#[cfg(target_arch = "x86_64")]
impl CellProver {
    /// Computes the tables, in about a second. `None` unless the CPU is known to have AVX-512 with
    /// IFMA.
    #[must_use]
    pub fn load() -> Option<Self> {
        Some(Self { tables: CellTables::new(&setup())? })
    }

    /// The commitment and the proofs of a blob, on this thread. `None` if the bytes are not a blob,
    /// or its points cannot be added in SIMD lanes.
    #[must_use]
    pub fn prove(&self, committer: &BlobCommitter, blob: &[u8]) -> Option<ProvenBlob> {
        let coefficients = coefficients(blob)?;
        let mut points = self.tables.proofs(&sum_scalars(&coefficients))?;
        points.push(committer.table.commitment(&coefficients)?);
        let mut proofs = compress(&points)?;
        Some(ProvenBlob { commitment: proofs.pop()?, proofs })
    }
}

/// Other CPUs have no AVX-512.
#[cfg(not(target_arch = "x86_64"))]
impl BlobCommitter {
    /// `None`.
    #[must_use]
    pub const fn load() -> Option<Self> {
        None
    }

    /// `None`.
    #[must_use]
    pub const fn commit(&self, _blob: &[u8]) -> Option<PointBytes> {
        None
    }
}

/// Other CPUs have no AVX-512.
#[cfg(not(target_arch = "x86_64"))]
impl CellProver {
    /// `None`.
    #[must_use]
    pub const fn load() -> Option<Self> {
        None
    }

    /// `None`.
    #[must_use]
    pub const fn prove(&self, _committer: &BlobCommitter, _blob: &[u8]) -> Option<ProvenBlob> {
        None
    }
}

/// The points of Ethereum's trusted setup in monomial form.
#[cfg(target_arch = "x86_64")]
fn setup() -> Vec<G1Affine> {
    let points = include_bytes!("../setup.bin").as_chunks::<POINT_BYTES>().0.iter();
    let point = |bytes: &PointBytes| {
        let point = G1Affine::deserialize_compressed_unchecked(bytes.as_slice());
        point.expect("invariant: the setup holds points")
    };
    points.map(point).collect()
}

#[cfg(target_arch = "x86_64")]
fn compress(points: &[G1Projective]) -> Option<Vec<PointBytes>> {
    let points = G1Projective::normalize_batch(points).into_iter();
    let compressed = points.map(|point| {
        let mut bytes = [0; POINT_BYTES];
        point.serialize_compressed(&mut bytes[..]).ok().map(|()| bytes)
    });
    compressed.collect()
}
