use alloy::{
    consensus::{
        SignableTransaction as _, Signed, TxEip4844, TxEip4844Variant, TxEip4844WithSidecar,
        TxEnvelope,
    },
    eips::{
        BlockId, BlockNumberOrTag, Decodable2718 as _, Encodable2718 as _,
        eip7594::BlobTransactionSidecarEip7594,
    },
    network::TransactionBuilder as _,
    providers::Provider as _,
    rpc::types::TransactionRequest,
    signers::SignerSync as _,
    sol_types::SolCall as _,
};
use alloy_primitives::{B256, Bytes, U256};
use turnpike_protocol::{DataKind, blobs_hash, calldata_hash, pack_blobs};

use crate::{Call, EntryPayload, Inbox, L1Error, L1Sender, SignedCall, sidecar};

alloy::sol! {
    /// Appends an entry whose data is in the transaction's blobs.
    function appendBlobs(bytes32 expectedPrevAcc, uint64 depositCount, bytes32 expectedDepositAcc, uint64 origin) external;
}

/// L1 blocks looked at for what others pay.
const FEE_HISTORY_BLOCKS: u64 = 5;

/// Of what others pay on top of the base fee in one block, the share that pays less, in percent.
const PRIORITY_FEE_PERCENTILE: f64 = 30.0;

/// Least priority fee per gas, in wei: what common nodes take at all.
const PRIORITY_FEE_MIN: u128 = 1_000_000;

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
    sidecar: Option<BlobTransactionSidecarEip7594>,
    /// What L1 will hold of the batch.
    pub payload: EntryPayload,
    /// Commitment to it.
    pub data_hash: B256,
}

impl AppendCall {
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
            sidecar: Some(sidecar),
            data_hash: blobs_hash(&blob_hashes),
            payload: EntryPayload { data: packed.into(), blob_hashes },
        })
    }
}

/// What a transaction pays per gas, at most, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// Base fee and priority fee together.
    pub max_fee_per_gas: u128,
    /// Priority fee.
    pub max_priority_fee_per_gas: u128,
    /// Blob base fee; zero without blobs.
    pub max_fee_per_blob_gas: u128,
}

/// What the next L1 block asks for, in wei per gas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Base fee.
    pub base_fee: u128,
    /// Priority fee that others pay.
    pub priority_fee: u128,
    /// Blob base fee.
    pub blob_base_fee: u128,
}

/// An account, as L1 sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderAccount {
    /// Transactions that L1 holds.
    pub nonce: u64,
    /// The same, with those that wait in the endpoint's pool.
    pub pending_nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
}

/// A signed `append`, without its blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAppend {
    /// Its hash.
    pub hash: B256,
    /// Its EIP-2718 bytes, as blocks hold them.
    pub raw: Bytes,
}

impl L1Sender {
    /// Nonces and balance.
    pub async fn account(&self) -> Result<SenderAccount, L1Error> {
        let provider = self.client().provider();
        Ok(SenderAccount {
            nonce: provider.get_transaction_count(self.address()).await?,
            pending_nonce: provider.get_transaction_count(self.address()).pending().await?,
            balance: provider.get_balance(self.address()).await?,
        })
    }

    /// What the next block asks for.
    pub async fn prices(&self) -> Result<Prices, L1Error> {
        let blob_base_fee = self.client().provider().get_blob_base_fee().await?;
        Ok(Prices { blob_base_fee, ..self.gas_prices().await? })
    }

    /// The same for those who send no blobs: the blob base fee is left at zero.
    pub async fn gas_prices(&self) -> Result<Prices, L1Error> {
        let provider = self.client().provider();
        let history = provider
            .get_fee_history(
                FEE_HISTORY_BLOCKS,
                BlockNumberOrTag::Latest,
                &[PRIORITY_FEE_PERCENTILE],
            )
            .await?;
        let missing = || L1Error::NotYet("the fee history is empty".to_owned());
        let mut rewards: Vec<u128> =
            history.reward.iter().flatten().filter_map(|block| block.first().copied()).collect();
        rewards.sort_unstable();
        let median = rewards.get(rewards.len() / 2).copied().unwrap_or_default();
        Ok(Prices {
            base_fee: history.next_block_base_fee().ok_or_else(missing)?,
            priority_fee: median.max(PRIORITY_FEE_MIN),
            blob_base_fee: 0,
        })
    }

    /// Gas that an `append` takes on top of the newest block, fees left aside. [`L1Error::Rejected`] if it would revert.
    pub async fn estimate_append(&self, call: &AppendCall) -> Result<u64, L1Error> {
        let mut request = TransactionRequest::default()
            .with_from(self.address())
            .with_to(self.client().deployment().inbox)
            .with_input(call.input.clone());
        if call.sidecar.is_some() {
            request.blob_versioned_hashes = Some(call.payload.blob_hashes.clone());
        }
        let gas = self.client().provider().estimate_gas(request).block(BlockId::latest()).await;
        gas.map_err(L1Error::of_transaction)
    }

    /// Signs an `append`.
    pub fn sign_append(
        &self,
        call: &AppendCall,
        nonce: u64,
        gas_limit: u64,
        fees: &Fees,
    ) -> Result<SignedAppend, L1Error> {
        let deployment = self.client().deployment();
        let (chain_id, inbox) = (deployment.chain_id, deployment.inbox);
        if call.sidecar.is_none() {
            let call = Call { to: inbox, value: U256::ZERO, input: call.input.clone() };
            let SignedCall { hash, raw, .. } = self.sign_call(call, nonce, gas_limit, *fees)?;
            return Ok(SignedAppend { hash, raw });
        }
        let tx = TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: inbox,
            value: U256::ZERO,
            access_list: alloy::eips::eip2930::AccessList::default(),
            blob_versioned_hashes: call.payload.blob_hashes.clone(),
            max_fee_per_blob_gas: fees.max_fee_per_blob_gas,
            input: call.input.clone(),
        };
        let signature = self.signature(&tx.signature_hash())?;
        let envelope = TxEnvelope::from(tx.into_signed(signature));
        Ok(SignedAppend { hash: *envelope.tx_hash(), raw: envelope.encoded_2718().into() })
    }

    /// Hands a signed `append` to L1, with the blobs of `call` if it names any: the same bytes each time. One that L1
    /// already knows is fine.
    pub async fn broadcast_append(&self, raw: &[u8], call: &AppendCall) -> Result<(), L1Error> {
        match &call.sidecar {
            None => self.broadcast_raw(raw).await,
            Some(sidecar) => self.broadcast_raw(&with_sidecar(raw, sidecar)?).await,
        }
    }

    pub(crate) fn signature(&self, hash: &B256) -> Result<alloy_primitives::Signature, L1Error> {
        let signature = self.signer().sign_hash_sync(hash);
        signature.map_err(|error| L1Error::Inconsistent(format!("cannot sign: {error}")))
    }
}

/// A blob transaction as it travels between nodes.
fn with_sidecar(raw: &[u8], sidecar: &BlobTransactionSidecarEip7594) -> Result<Vec<u8>, L1Error> {
    let foreign = || L1Error::Inconsistent("not a blob transaction".to_owned());
    let envelope = TxEnvelope::decode_2718_exact(raw).map_err(|_| foreign())?;
    let TxEnvelope::Eip4844(signed) = envelope else { return Err(foreign()) };
    let (tx, signature, hash) = signed.into_parts();
    let TxEip4844Variant::TxEip4844(tx) = tx else { return Err(foreign()) };
    let tx = TxEip4844WithSidecar::from_tx_and_sidecar(tx, sidecar.clone());
    Ok(Signed::new_unchecked(tx, signature, hash).encoded_2718())
}
