//! Packs sealed blocks into a batch.

use alloy_primitives::Bytes;
use turnpike_protocol::{
    BatchEncoder, BatchError, BatchHead, BatchLimits, ChainConfig, DepositHint, Effort,
    state_root_prefix,
};
use turnpike_storage::SealedInput;

/// A batch that can be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBatch {
    /// The bytes to post.
    pub data: Bytes,
    /// First block it holds.
    pub first_block: u64,
    /// Last block it holds.
    pub last_block: u64,
    /// Time of that block, in milliseconds.
    pub last_time_ms: u64,
    /// Entry that its blocks have as origin.
    pub origin: u64,
    /// Deposits it consumes.
    pub deposits: u64,
}

/// Why blocks could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A single block is larger than an entry may be.
    #[error("block {block} makes a batch of {bytes} bytes, an entry holds {max}")]
    BlockTooLarge {
        /// The block.
        block: u64,
        /// Bytes of its batch, at most.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The first block belongs to a forced entry.
    #[error("block {0} belongs to a forced entry: no batch can hold it")]
    Forced(u64),
    /// A single block breaks another limit of batches, or holds an invalid transaction.
    #[error("cannot pack block {block}: {error}")]
    Block {
        /// The block.
        block: u64,
        /// Why.
        error: BatchError,
    },
}

/// Packs the first records that share an origin, on top of a block at `parent_ms` and of
/// `first_deposit` deposits, within the chain's limits and `bytes_max` bytes (of which up to a dozen
/// may stay unused). `None` for no records.
///
/// Encodes once if all records fit, twice otherwise.
pub fn pack(
    config: &ChainConfig,
    parent_ms: u64,
    first_deposit: u64,
    records: &[SealedInput],
    bytes_max: usize,
    effort: Effort,
) -> Result<Option<PackedBatch>, PackError> {
    let Some(first) = records.first() else { return Ok(None) };
    let limits = config.batch_limits();
    if !is_named(first) {
        return Err(PackError::Forced(first.number));
    }
    let follows =
        |record: &&SealedInput| record.origin.entry == first.origin.entry && is_named(record);
    let records = &records[..records.iter().take_while(follows).count()];
    let head = BatchHead { first_deposit, reference_time: first.time_ms / 1_000 };
    let packing = Packing { limits, head, parent_ms, bytes_max, effort };
    let (count, encoder) = packing.encode(records)?;
    let records = &records[..count];
    let data = match encoder {
        Some(encoder) => encoder.finish(),
        None => {
            let (_, encoder) = packing.encode(records)?;
            encoder.expect("invariant: these records fit before").finish()
        }
    };
    Ok(records.last().map(|last| PackedBatch {
        data: data.into(),
        first_block: first.number,
        last_block: last.number,
        last_time_ms: last.time_ms,
        origin: first.origin.entry,
        deposits: records.iter().map(|record| record.deposits.len() as u64).sum(),
    }))
}

/// What an encoding depends on besides the records.
struct Packing {
    limits: BatchLimits,
    head: BatchHead,
    parent_ms: u64,
    bytes_max: usize,
    effort: Effort,
}

impl Packing {
    /// Number of first records that fit, at least one, and an encoder that holds them if all fit.
    fn encode(&self, records: &[SealedInput]) -> Result<(usize, Option<BatchEncoder>), PackError> {
        let mut encoder = BatchEncoder::new(self.limits, self.effort, self.head)
            .expect("invariant: every head is accepted");
        let mut before_ms = self.parent_ms;
        for (count, record) in records.iter().enumerate() {
            let pushed = push(&mut encoder, before_ms, record);
            before_ms = record.time_ms;
            let bytes = encoder.bytes_max();
            match pushed {
                Ok(()) if bytes <= self.bytes_max => {}
                _ if count > 0 => return Ok((count, None)),
                Ok(()) => {
                    let (block, max) = (record.number, self.bytes_max);
                    return Err(PackError::BlockTooLarge { block, bytes, max });
                }
                Err(error) => return Err(PackError::Block { block: record.number, error }),
            }
        }
        Ok((records.len(), Some(encoder)))
    }
}

fn push(
    encoder: &mut BatchEncoder,
    before_ms: u64,
    record: &SealedInput,
) -> Result<(), BatchError> {
    let hints: Vec<DepositHint> = record.deposits.iter().filter_map(|queued| queued.hint).collect();
    let state_root = state_root_prefix(&record.state_root);
    let step_ms = record.time_ms.saturating_sub(before_ms);
    encoder.push(step_ms, state_root, &hints, &record.transactions)
}

/// Whether a batch can name all deposits of a block. A forced block names them by queue index, so
/// no batch can hold it.
fn is_named(record: &SealedInput) -> bool {
    record.deposits.iter().all(|queued| queued.hint.is_some())
}

#[cfg(test)]
mod tests {
    use alloy::{
        consensus::{SignableTransaction as _, TxLegacy},
        eips::eip2718::Encodable2718 as _,
    };
    use alloy_primitives::{Address, B256, Signature, TxKind, U256, keccak256};
    use turnpike_protocol::{Batch, Deposit, Genesis, Origin, QueuedDeposit, TxEnvelope};

    use super::*;

    fn record(number: u64, origin: u64, deposits: u64, bytes: usize) -> SealedInput {
        let noise: Vec<u8> = (0..bytes / 32)
            .flat_map(|i| keccak256([number.to_be_bytes(), (i as u64).to_be_bytes()].concat()).0)
            .collect();
        let tx = TxLegacy { input: noise.into(), to: TxKind::Create, ..Default::default() };
        let signed = tx.into_signed(Signature::test_signature());
        let transaction = TxEnvelope::from(signed).encoded_2718();
        SealedInput {
            number,
            time_ms: 100 * number,
            origin: Origin {
                entry: origin,
                l1_block_number: 0,
                l1_time: 0,
                l1_base_fee: U256::ZERO,
                l1_blob_base_fee: U256::ZERO,
                l1_hash: B256::ZERO,
            },
            deposits: (0..deposits)
                .map(|index| QueuedDeposit {
                    deposit: Deposit {
                        index,
                        l1_block_number: 1,
                        from: Address::ZERO,
                        to: Address::ZERO,
                        version: U256::ZERO,
                        opaque_data: Bytes::new(),
                    },
                    hint: Some(DepositHint { l1_block_hash: B256::ZERO, log_index: index }),
                })
                .collect(),
            transactions: vec![transaction.into()],
            hash: B256::ZERO,
            state_root: B256::ZERO,
        }
    }

    fn config() -> ChainConfig {
        Genesis::dev().config
    }

    /// Packs a batch for the calldata of one entry.
    fn pack_calldata(records: &[SealedInput]) -> Result<Option<PackedBatch>, PackError> {
        let config = config();
        let bytes_max = usize::try_from(config.entry_bytes_max).expect("small");
        pack(&config, 0, 0, records, bytes_max, Effort::Fast)
    }

    #[test]
    fn batch_has_one_origin() {
        let records: Vec<_> =
            [3, 3, 4].iter().zip(1..).map(|(o, n)| record(n, *o, 0, 64)).collect();
        let packed = pack_calldata(&records).expect("packs").expect("some");
        assert_eq!((packed.first_block, packed.last_block, packed.origin), (1, 2, 3));
        let batch = Batch::decode(&packed.data, &config().batch_limits()).expect("decodes");
        assert_eq!(batch.blocks.len(), 2);
        assert_eq!(pack_calldata(&[]).expect("packs"), None);
    }

    #[test]
    fn deposits_and_bytes_are_bounded() {
        let records: Vec<_> = (1..4).map(|n| record(n, 0, 100, 64)).collect();
        let packed = pack_calldata(&records).expect("packs").expect("some");
        assert_eq!((packed.last_block, packed.deposits), (2, 200));
        let records: Vec<_> = (1..9).map(|n| record(n, 0, 0, 40_000)).collect();
        let packed = pack_calldata(&records).expect("packs").expect("some");
        assert_eq!(packed.last_block, 2);
        assert!(packed.data.len() as u64 <= config().entry_bytes_max);
        let too_large = [record(1, 0, 0, 200_000)];
        assert!(matches!(
            pack_calldata(&too_large),
            Err(PackError::BlockTooLarge { block: 1, .. })
        ));
    }

    #[test]
    fn batches_fill_their_limit() {
        let records: Vec<_> = (1..30).map(|n| record(n, 0, 0, 320)).collect();
        let whole = |effort| pack(&config(), 0, 0, &records, 1 << 20, effort);
        let all = whole(Effort::Fast).expect("packs").expect("some");
        assert_eq!(all.last_block, 29);
        let thorough = whole(Effort::Thorough).expect("packs").expect("some");
        assert!(thorough.data.len() <= all.data.len());
        for bytes_max in [600, 5_000, all.data.len() - 1] {
            let part = pack(&config(), 0, 0, &records, bytes_max, Effort::Fast);
            let part = part.expect("packs").expect("some");
            assert!(part.data.len() <= bytes_max && part.last_block < 29);
            let count = part.last_block as usize + 1;
            let more = pack(&config(), 0, 0, &records[..count], 1 << 20, Effort::Fast);
            let more = more.expect("packs").expect("some").data.len();
            assert!(more + 16 > bytes_max, "{more} of {bytes_max} bytes");
        }
    }

    #[test]
    fn invalid_transaction_is_rejected() {
        let mut bad = record(7, 0, 0, 64);
        bad.transactions.push(Bytes::from_static(&[0x7e, 0xc0]));
        let error = BatchError::Transaction(1);
        let refused = pack_calldata(&[bad]).expect_err("no transaction");
        assert!(matches!(refused, PackError::Block { block: 7, error: e } if e == error));
    }
}
