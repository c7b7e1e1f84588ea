//! Calls that append an entry to the inbox, as calldata or as blobs.

use std::sync::Arc;

use alloy::{eips::eip7594::BlobTransactionSidecarEip7594, sol_types::SolCall as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{DataKind, blobs_hash, calldata_hash, pack_blobs};

use crate::{Call, EntryPayload, Inbox, L1Error, sidecar};

/// Blobs with their commitments and proofs, as L1 nodes exchange them.
pub type BlobSidecar = Arc<BlobTransactionSidecarEip7594>;

alloy::sol! {
    /// Appends an entry whose data is in the transaction's blobs.
    function appendBlobs(bytes32 expectedPrevAcc, uint64 depositCount, bytes32 expectedDepositAcc, uint64 origin) external;
}

/// An entry to append. Its kind determines how its data becomes an L1 transaction. A new kind needs
/// a match arm here and in `L1Client::payload`; stored data stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Accumulator after the previous entry.
    pub previous_acc: B256,
    /// Number of deposits that the chain has consumed after the entry, counted from the first
    /// deposit.
    pub deposit_count: u64,
    /// Accumulator over these deposits.
    pub deposit_acc: B256,
    /// Origin: the earlier entry whose L1 attributes the batch's blocks see.
    pub origin: u64,
    /// Where the data is posted.
    pub kind: DataKind,
    /// Encoded batch.
    pub data: Bytes,
}

/// The content of a transaction that appends an entry, without gas and fees.
#[derive(Clone, Debug)]
pub struct AppendCall {
    input: Bytes,
    /// Blobs; `None` for calldata.
    pub sidecar: Option<BlobSidecar>,
    /// The batch as L1 will hold it.
    pub payload: EntryPayload,
    /// Commitment to the payload.
    pub data_hash: B256,
}

impl AppendCall {
    /// The call to the contract at `inbox`.
    pub fn to(&self, inbox: Address) -> Call {
        Call { to: inbox, value: U256::ZERO, input: self.input.clone() }
    }

    /// Number of blobs.
    pub fn blobs(&self) -> usize {
        self.payload.blob_hashes.len()
    }
}

impl Append {
    /// Function and arguments. They include the data if the entry is posted as calldata.
    fn input(&self) -> Result<Bytes, L1Error> {
        let &Self { previous_acc, deposit_count, deposit_acc, origin, .. } = self;
        match self.kind {
            DataKind::Calldata => Ok(Inbox::appendCall {
                expectedPrevAcc: previous_acc,
                depositCount: deposit_count,
                expectedDepositAcc: deposit_acc,
                origin,
                data: self.data.clone(),
            }
            .abi_encode()
            .into()),
            DataKind::Blobs => Ok(appendBlobsCall {
                expectedPrevAcc: previous_acc,
                depositCount: deposit_count,
                expectedDepositAcc: deposit_acc,
                origin,
            }
            .abi_encode()
            .into()),
            DataKind::None => {
                Err(L1Error::Inconsistent("cannot append an entry without data".to_owned()))
            }
        }
    }

    /// [`Self::call`], reusing the blobs and commitments of `known`, which must carry the same
    /// data.
    pub fn call_like(&self, known: &AppendCall) -> Result<AppendCall, L1Error> {
        Ok(AppendCall { input: self.input()?, ..known.clone() })
    }

    /// Encodes the batch for its kind. For blobs this computes commitments and proofs, tens of
    /// milliseconds for each blob.
    pub fn call(&self) -> Result<AppendCall, L1Error> {
        let input = self.input()?;
        if self.kind == DataKind::Calldata {
            return Ok(AppendCall {
                input,
                sidecar: None,
                data_hash: calldata_hash(&self.data),
                payload: EntryPayload { data: self.data.clone(), blob_hashes: Vec::new() },
            });
        }
        let too_long = || L1Error::Inconsistent("data too long for blobs".to_owned());
        let packed = pack_blobs(&self.data).ok_or_else(too_long)?;
        let sidecar = sidecar::of(&packed)?;
        let blob_hashes = sidecar::versioned_hashes(&sidecar);
        Ok(AppendCall {
            input,
            sidecar: Some(Arc::new(sidecar)),
            data_hash: blobs_hash(&blob_hashes),
            payload: EntryPayload { data: packed.into(), blob_hashes },
        })
    }
}
