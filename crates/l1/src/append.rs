//! Calls that append an entry to the inbox, as calldata or as blobs.

use std::sync::Arc;

use alloy::{eips::eip7594::BlobTransactionSidecarEip7594, sol_types::SolCall as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{BLOB_BYTES, DataKind, blobs_hash, calldata_hash, pack_blobs};

use crate::{Call, EntryPayload, Inbox, Kzg, L1Error, ProofTables};

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

    /// Encodes the batch for its kind. For blobs this computes commitments and cell proofs with
    /// `tables`, on KZG's threads: about a quarter of a second of processor time for each blob.
    pub async fn call(&self, tables: ProofTables) -> Result<AppendCall, L1Error> {
        let input = self.input()?;
        if self.kind != DataKind::Blobs {
            let data_hash = calldata_hash(&self.data);
            return Ok(AppendCall { input, sidecar: None, data_hash, payload: self.in_calldata() });
        }
        let data = self.data.clone();
        let computed = Kzg::shared().run(move |kzg| {
            let packed = packed(&data)?;
            let invalid = |error| L1Error::Inconsistent(format!("invalid blob: {error}"));
            let sidecar = kzg.sidecar(&packed, tables).map_err(invalid)?;
            Ok::<_, L1Error>((packed, sidecar))
        });
        let (packed, sidecar) = computed.await?;
        let blob_hashes: Vec<_> = sidecar.versioned_hashes().collect();
        Ok(AppendCall {
            input,
            sidecar: Some(Arc::new(sidecar)),
            data_hash: blobs_hash(&blob_hashes),
            payload: EntryPayload { data: packed, blob_hashes },
        })
    }

    /// The batch as L1 will hold it, without cell proofs. For blobs this computes commitments, on
    /// KZG's threads.
    pub async fn payload(&self) -> Result<EntryPayload, L1Error> {
        if self.kind != DataKind::Blobs {
            return Ok(self.in_calldata());
        }
        let data = self.data.clone();
        let computed = Kzg::shared().run(move |kzg| {
            let data = packed(&data)?;
            let blobs: Vec<_> = data.chunks(BLOB_BYTES).collect();
            let hashes = kzg.versioned_hashes(&blobs).into_iter().collect::<Option<Vec<_>>>();
            let blob_hashes = hashes.expect("invariant: packed data are field elements");
            Ok(EntryPayload { data, blob_hashes })
        });
        computed.await
    }

    fn in_calldata(&self) -> EntryPayload {
        EntryPayload { data: self.data.clone(), blob_hashes: Vec::new() }
    }
}

fn packed(data: &[u8]) -> Result<Bytes, L1Error> {
    let packed = pack_blobs(data).map(Into::into);
    packed.ok_or_else(|| L1Error::Inconsistent("data too long for blobs".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(kind: DataKind) -> Append {
        Append {
            previous_acc: B256::ZERO,
            deposit_count: 0,
            deposit_acc: B256::ZERO,
            origin: 0,
            kind,
            data: Bytes::from(vec![7; 140_000]),
        }
    }

    #[tokio::test]
    async fn payload_is_that_of_the_call() {
        for kind in [DataKind::Calldata, DataKind::Blobs] {
            let append = append(kind);
            let call = append.call(ProofTables::None).await.expect("fits");
            assert_eq!(append.payload().await.expect("fits"), call.payload);
            assert_eq!(call.blobs(), if kind == DataKind::Blobs { 2 } else { 0 });
            assert_eq!(call.sidecar.is_some(), kind == DataKind::Blobs);
        }
        let nothing = append(DataKind::None).call(ProofTables::None).await;
        assert!(matches!(nothing, Err(L1Error::Inconsistent(_))), "{nothing:?}");
    }
}
