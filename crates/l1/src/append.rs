use std::sync::Arc;

use alloy::{eips::eip7594::BlobTransactionSidecarEip7594, sol_types::SolCall as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{DataKind, blobs_hash, calldata_hash, pack_blobs};

use crate::{Call, EntryPayload, Inbox, L1Error, sidecar};

/// Blobs with their commitments and proofs, as they travel between nodes.
pub type BlobSidecar = Arc<BlobTransactionSidecarEip7594>;

alloy::sol! {
    /// Appends an entry whose data is in the transaction's blobs.
    function appendBlobs(bytes32 expectedPrevAcc, uint64 depositCount, bytes32 expectedDepositAcc, uint64 origin) external;
}

/// An entry to be appended. Its kind alone decides how its data becomes an L1 transaction: another kind is another arm
/// in [`Append`] and in `L1Client::payload`, and nothing that is stored changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Accumulator of the entry before it.
    pub previous_acc: B256,
    /// Deposits consumed after it, counted from the first one ever.
    pub deposit_count: u64,
    /// Accumulator over that many deposits.
    pub deposit_acc: B256,
    /// The earlier entry whose L1 attributes its blocks see.
    pub origin: u64,
    /// Where the data goes.
    pub kind: DataKind,
    /// The batch.
    pub data: Bytes,
}

/// What a transaction that appends an entry carries, gas and fees apart.
#[derive(Clone, Debug)]
pub struct AppendCall {
    input: Bytes,
    /// Its blobs; `None` for calldata.
    pub sidecar: Option<BlobSidecar>,
    /// What L1 will hold of the batch.
    pub payload: EntryPayload,
    /// Commitment to it.
    pub data_hash: B256,
}

impl AppendCall {
    /// The call of this inbox.
    pub fn to(&self, inbox: Address) -> Call {
        Call { to: inbox, value: U256::ZERO, input: self.input.clone() }
    }

    /// Blobs it carries.
    pub fn blobs(&self) -> usize {
        self.payload.blob_hashes.len()
    }
}

impl Append {
    /// The arguments, with the data if it is among them.
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
                Err(L1Error::Inconsistent("an entry without data is not appended".to_owned()))
            }
        }
    }

    /// What [`Self::call`] gives, from a call with the same data: its blobs' commitments are not computed again.
    pub fn call_like(&self, known: &AppendCall) -> Result<AppendCall, L1Error> {
        Ok(AppendCall { input: self.input()?, ..known.clone() })
    }

    /// Lays the batch out as its kind wants it. For blobs this computes commitments and proofs: tens of milliseconds
    /// each.
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
