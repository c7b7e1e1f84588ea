//! Encodes the preimage oracle's calls that load what the program reads.

use alloy::sol_types::SolCall as _;
use alloy_eips::eip4844::{BLS_MODULUS, FIELD_ELEMENTS_PER_BLOB, c_kzg};
use alloy_primitives::{B256, Bytes, U256, uint};
use turnpike_l1::PreimageOracle::{loadBlobElementCall, loadKeccakCall, loadPrecompileCall};
use turnpike_protocol::{BLOB_BYTES, ORACLE_WORD_BYTES, Preimage};

/// KZG proofs need no precomputed table beyond the trusted setup.
const PRECOMPUTE: u64 = 0;

/// Root of unity: a blob's polynomial takes its elements' values at its powers.
const ROOT_OF_UNITY: U256 =
    uint!(0x564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306_U256);

/// A preimage cannot be loaded on L1: its blob is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("blob {versioned_hash} does not consist of 4,096 field elements")]
pub struct NotABlob {
    /// The blob's versioned hash.
    pub versioned_hash: B256,
}

/// The call of `PreimageOracle` that loads the 32 bytes of a preimage at `offset`; `None` beyond
/// the end of a blob, where nothing has to be loaded.
///
/// The preimage is not checked: L1 refuses the call if it is wrong. For a blob, this computes a KZG
/// proof.
pub fn load_call(preimage: &Preimage, offset: u64) -> Result<Option<Bytes>, NotABlob> {
    let offset_word = U256::from(offset);
    Ok(match preimage {
        Preimage::Keccak { bytes } => {
            let call = loadKeccakCall { offset: offset_word, preimage: bytes.clone() };
            Some(call.abi_encode().into())
        }
        Preimage::Precompile { address, input, .. } => {
            let (precompile, input) = (*address, input.clone());
            Some(loadPrecompileCall { offset: offset_word, precompile, input }.abi_encode().into())
        }
        Preimage::Blob { versioned_hash, bytes } => match usize::try_from(offset) {
            Ok(offset) if offset < BLOB_BYTES => {
                let element = offset / ORACLE_WORD_BYTES;
                let call = blob_element_call(*versioned_hash, bytes, element);
                Some(call.ok_or(NotABlob { versioned_hash: *versioned_hash })?.abi_encode().into())
            }
            _ => None,
        },
    })
}

fn blob_element_call(
    versioned_hash: B256,
    blob: &[u8],
    index: usize,
) -> Option<loadBlobElementCall> {
    let settings = c_kzg::ethereum_kzg_settings(PRECOMPUTE);
    let blob = c_kzg::Blob::from_bytes(blob).ok()?;
    let point = c_kzg::Bytes32::new(evaluation_point(index).to_be_bytes());
    let commitment = settings.blob_to_kzg_commitment(&blob).ok()?;
    let (proof, element) = settings.compute_kzg_proof(&blob, &point).ok()?;
    Some(loadBlobElementCall {
        versionedHash: versioned_hash,
        index: U256::from(index),
        element: B256::from_slice(element.as_slice()),
        commitment: Bytes::copy_from_slice(commitment.to_bytes().as_slice()),
        proof: Bytes::copy_from_slice(proof.to_bytes().as_slice()),
    })
}

/// The point at which a blob's polynomial takes the value of element `index`. The exponent is the
/// bit-reversed index.
fn evaluation_point(index: usize) -> U256 {
    let unused_bits = usize::BITS - FIELD_ELEMENTS_PER_BLOB.ilog2();
    let exponent = index.reverse_bits() >> unused_bits;
    ROOT_OF_UNITY.pow_mod(U256::from(exponent), BLS_MODULUS)
}
