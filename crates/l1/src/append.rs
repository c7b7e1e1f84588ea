//! Calls that append batches to the inbox, as calldata or as blobs.

use std::sync::Arc;

use alloy::{eips::eip7594::BlobTransactionSidecarEip7594, sol_types::SolCall as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use turnpike_protocol::{
    BLOB_BYTES, BatchContent, DataKind, blobs_hash, calldata_hash, pack_blobs,
};

use crate::{Call, EntryPayload, Inbox, Kzg, L1Error, ProofTables};

/// Blobs with their commitments and proofs, as L1 nodes exchange them.
pub type BlobSidecar = Arc<BlobTransactionSidecarEip7594>;

/// A batch to append. Its kind determines how its data becomes an L1 transaction. A new kind needs
/// a match arm here and in `L1Client::payload`; stored data stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Number of deposits that the chain has consumed after the batch, counted from the first
    /// deposit.
    pub deposit_count: u64,
    /// Accumulator over these deposits.
    pub deposit_acc: B256,
    /// Origin: the earlier entry whose L1 attributes the batch's blocks see.
    pub origin: u64,
    /// Accumulator after the origin.
    pub origin_acc: B256,
    /// Where the data is posted.
    pub kind: DataKind,
    /// Encoded batch.
    pub data: Bytes,
}

/// A batch as an item of a call: encoded for L1.
#[derive(Clone, Debug)]
pub struct AppendItem {
    item: Inbox::Item,
    /// What the content chain commits to.
    pub content: BatchContent,
    /// Blobs; `None` for calldata.
    pub sidecar: Option<BlobSidecar>,
    /// The batch as L1 will hold it.
    pub payload: EntryPayload,
}

impl AppendItem {
    /// Number of blobs.
    pub fn blobs(&self) -> usize {
        self.payload.blob_hashes.len()
    }
}

impl Append {
    /// Encodes the batch for its kind. For blobs this computes commitments and cell proofs with
    /// `tables`, on KZG's threads: about a quarter of a second of processor time for each blob.
    pub async fn item(&self, tables: ProofTables) -> Result<AppendItem, L1Error> {
        match self.kind {
            DataKind::Calldata => {
                Ok(self.with(self.in_calldata(), None, calldata_hash(&self.data)))
            }
            DataKind::Blobs => {
                let data = self.data.clone();
                let computed = Kzg::shared().run(move |kzg| {
                    let packed = packed(&data)?;
                    let invalid = |error| L1Error::Inconsistent(format!("invalid blob: {error}"));
                    let sidecar = kzg.sidecar(&packed, tables).map_err(invalid)?;
                    Ok::<_, L1Error>((packed, sidecar))
                });
                let (data, sidecar) = computed.await?;
                let blob_hashes: Vec<_> = sidecar.versioned_hashes().collect();
                let hash = blobs_hash(&blob_hashes);
                let payload = EntryPayload { data, blob_hashes };
                Ok(self.with(payload, Some(Arc::new(sidecar)), hash))
            }
            DataKind::None => {
                Err(L1Error::Inconsistent("cannot append a batch without data".to_owned()))
            }
        }
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

    /// This batch as an item with the data of `known`, which must be its own.
    pub fn with_data_of(&self, known: &AppendItem) -> AppendItem {
        let AppendItem { payload, sidecar, content, .. } = known;
        self.with(payload.clone(), sidecar.clone(), content.data_hash)
    }

    fn in_calldata(&self) -> EntryPayload {
        EntryPayload { data: self.data.clone(), blob_hashes: Vec::new() }
    }

    fn with(
        &self,
        payload: EntryPayload,
        sidecar: Option<BlobSidecar>,
        data_hash: B256,
    ) -> AppendItem {
        let &Self { deposit_count, deposit_acc, origin, origin_acc, kind, .. } = self;
        let data = match kind {
            DataKind::Blobs => {
                vec![u8::try_from(payload.blob_hashes.len()).unwrap_or(u8::MAX)].into()
            }
            DataKind::None | DataKind::Calldata => payload.data.clone(),
        };
        AppendItem {
            item: Inbox::Item {
                kind: kind.as_u8(),
                depositCount: deposit_count,
                depositAcc: deposit_acc,
                origin,
                originAcc: origin_acc,
                data,
            },
            content: BatchContent {
                data_kind: kind,
                data_hash,
                deposit_count,
                deposit_acc,
                origin,
                origin_acc,
            },
            sidecar,
            payload,
        }
    }
}

/// The content of a transaction that appends batches, without gas and fees.
#[derive(Clone, Debug)]
pub struct AppendCall {
    input: Bytes,
    /// The blobs of all batches, in order; `None` for calldata.
    pub sidecar: Option<BlobSidecar>,
}

impl AppendCall {
    /// A call that appends batches in order, the first on top of `content`.
    pub fn new(content: B256, batches: &[AppendItem]) -> Self {
        let items = batches.iter().map(|batch| batch.item.clone()).collect();
        let call = Inbox::appendCall { expectedContent: content, items, signatures: Vec::new() };
        let mut sidecars = batches.iter().filter_map(|batch| batch.sidecar.as_ref());
        let sidecar = match (sidecars.next(), sidecars.next()) {
            (Some(only), None) => Some(Arc::clone(only)),
            (None, _) => None,
            (Some(_), Some(_)) => Some(Arc::new(join(batches))),
        };
        Self { input: call.abi_encode().into(), sidecar }
    }

    /// Function and arguments.
    pub const fn input(&self) -> &Bytes {
        &self.input
    }

    /// The call to the contract at `inbox`.
    pub fn to(&self, inbox: Address) -> Call {
        Call { to: inbox, value: U256::ZERO, input: self.input.clone() }
    }
}

/// One sidecar with the blobs of all batches.
fn join(batches: &[AppendItem]) -> BlobTransactionSidecarEip7594 {
    let sidecars = || batches.iter().filter_map(|batch| batch.sidecar.as_deref());
    BlobTransactionSidecarEip7594 {
        blobs: sidecars().flat_map(|sidecar| sidecar.blobs.iter().copied()).collect(),
        commitments: sidecars().flat_map(|sidecar| sidecar.commitments.iter().copied()).collect(),
        cell_proofs: sidecars().flat_map(|sidecar| sidecar.cell_proofs.iter().copied()).collect(),
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
            deposit_count: 3,
            deposit_acc: B256::repeat_byte(1),
            origin: 2,
            origin_acc: B256::repeat_byte(2),
            kind,
            data: Bytes::from(vec![7; 140_000]),
        }
    }

    #[tokio::test]
    async fn payload_is_that_of_the_item() {
        for kind in [DataKind::Calldata, DataKind::Blobs] {
            let append = append(kind);
            let item = append.item(ProofTables::None).await.expect("fits");
            assert_eq!(append.payload().await.expect("fits"), item.payload);
            assert_eq!(item.blobs(), if kind == DataKind::Blobs { 2 } else { 0 });
            assert_eq!(item.sidecar.is_some(), kind == DataKind::Blobs);
        }
        let nothing = append(DataKind::None).item(ProofTables::None).await;
        assert!(matches!(nothing, Err(L1Error::Inconsistent(_))), "{nothing:?}");
    }

    #[tokio::test]
    async fn batches_of_one_call_share_its_blobs_in_order() {
        let first = append(DataKind::Blobs).item(ProofTables::None).await.expect("fits");
        let other = Append { data: Bytes::from_static(b"other"), ..append(DataKind::Blobs) };
        let other = other.item(ProofTables::None).await.expect("fits");
        let call = AppendCall::new(B256::ZERO, &[first.clone(), other.clone()]);
        let sidecar = call.sidecar.expect("blobs");
        let hashes: Vec<_> = sidecar.versioned_hashes().collect();
        let expected = [first.payload.blob_hashes, other.payload.blob_hashes].concat();
        assert_eq!(hashes, expected);
        assert_eq!(sidecar.cell_proofs.len(), 3 * 128);
        let decoded = Inbox::appendCall::abi_decode(&call.input).expect("a call");
        assert_eq!(decoded.items.iter().map(|item| item.data[0]).collect::<Vec<_>>(), [2, 1]);
    }
}
