use alloy_primitives::Bytes;
use turnpike_protocol::{Batch, BatchBlock, ChainConfig, DepositHint, state_root_prefix};
use turnpike_storage::JournalRecord;

/// Compression level: past it a batch shrinks by less than it costs.
const ZSTD_LEVEL: i32 = 3;

/// Bytes that a block adds to a batch besides its transactions, at most.
const BLOCK_OVERHEAD_BYTES: usize = 64;

/// Bytes that a transaction or a deposit hint adds, at most.
const ITEM_OVERHEAD_BYTES: usize = 48;

/// A batch, ready to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes to post.
    pub data: Bytes,
    /// First block it holds.
    pub first_block: u64,
    /// Last block it holds.
    pub last_block: u64,
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
        /// Bytes of its batch.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The compressor failed.
    #[error("cannot compress: {0}")]
    Compress(#[from] std::io::Error),
}

/// Packs as many of the first records as share an origin and fit one entry. `None` for no records.
pub fn pack(config: &ChainConfig, records: &[JournalRecord]) -> Result<Option<Packed>, PackError> {
    let mut count = candidates(config, records);
    let max = usize::try_from(config.entry_bytes_max).unwrap_or(usize::MAX);
    while let Some(records) = records.get(..count).filter(|records| !records.is_empty()) {
        let data = encode(records)?;
        if data.len() <= max {
            let (first, last) = (&records[0], &records[records.len() - 1]);
            return Ok(Some(Packed {
                data: data.into(),
                first_block: first.number,
                last_block: last.number,
                origin: first.origin.entry,
                deposits: records.iter().map(|record| record.deposits.len() as u64).sum(),
            }));
        }
        if count == 1 {
            let block = records[0].number;
            return Err(PackError::BlockTooLarge { block, bytes: data.len(), max });
        }
        count /= 2;
    }
    Ok(None)
}

/// How many of the first records one entry may hold before compression is looked at.
fn candidates(config: &ChainConfig, records: &[JournalRecord]) -> usize {
    let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut bytes, mut deposits) = (0, 0);
    records
        .iter()
        .take(at_most(config.entry_blocks_max))
        .take_while(|record| {
            bytes += size(record);
            deposits += record.deposits.len();
            record.origin.entry == records[0].origin.entry
                && deposits <= at_most(config.entry_deposits_max)
                && bytes <= at_most(config.entry_inflated_bytes_max)
        })
        .count()
}

fn size(record: &JournalRecord) -> usize {
    let items = record.transactions.len() + record.deposits.len();
    let transactions: usize = record.transactions.iter().map(|raw| raw.len()).sum();
    BLOCK_OVERHEAD_BYTES + items * ITEM_OVERHEAD_BYTES + transactions
}

fn encode(records: &[JournalRecord]) -> std::io::Result<Vec<u8>> {
    let blocks = records
        .iter()
        .map(|record| BatchBlock {
            timestamp: record.timestamp,
            deposit_count: record.deposits.len() as u64,
            state_root: state_root_prefix(&record.state_root),
            transactions: record.transactions.clone(),
        })
        .collect();
    let hints = records.iter().flat_map(|record| &record.deposits).map(|queued| queued.hint);
    // The sequencer rebuilds such blocks as soon as L1 does not hold them.
    let unnamed = || std::io::Error::other("a forced block's deposits cannot be posted in a batch");
    let deposit_hints = hints.collect::<Option<Vec<DepositHint>>>().ok_or_else(unnamed)?;
    let batch = Batch { blocks, deposit_hints };
    Ok(Batch::frame(&zstd::bulk::compress(&batch.to_rlp(), ZSTD_LEVEL)?))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256, U256, keccak256};
    use turnpike_protocol::{Deposit, Genesis, Origin, QueuedDeposit};

    use super::*;

    fn record(number: u64, origin: u64, deposits: u64, bytes: usize) -> JournalRecord {
        let noise: Vec<u8> = (0..bytes / 32)
            .flat_map(|i| keccak256([number.to_be_bytes(), (i as u64).to_be_bytes()].concat()).0)
            .collect();
        JournalRecord {
            number,
            timestamp: number,
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
            transactions: vec![noise.into()],
            hash: B256::ZERO,
            state_root: B256::ZERO,
        }
    }

    fn config() -> ChainConfig {
        Genesis::dev().config
    }

    #[test]
    fn a_batch_has_one_origin() {
        let records: Vec<_> =
            [3, 3, 4].iter().zip(1..).map(|(o, n)| record(n, *o, 0, 64)).collect();
        let packed = pack(&config(), &records).expect("packs").expect("some");
        assert_eq!((packed.first_block, packed.last_block, packed.origin), (1, 2, 3));
        let batch = Batch::decode(&packed.data, 1 << 20).expect("decodes");
        assert_eq!(batch.blocks.len(), 2);
        assert_eq!(pack(&config(), &[]).expect("packs"), None);
    }

    #[test]
    fn deposits_and_bytes_are_bounded() {
        let records: Vec<_> = (1..4).map(|n| record(n, 0, 16, 64)).collect();
        let packed = pack(&config(), &records).expect("packs").expect("some");
        assert_eq!((packed.last_block, packed.deposits), (2, 32));
        let records: Vec<_> = (1..9).map(|n| record(n, 0, 0, 40_000)).collect();
        let packed = pack(&config(), &records).expect("packs").expect("some");
        assert_eq!(packed.last_block, 2);
        assert!(packed.data.len() as u64 <= config().entry_bytes_max);
        let too_large = [record(1, 0, 0, 200_000)];
        assert!(matches!(
            pack(&config(), &too_large),
            Err(PackError::BlockTooLarge { block: 1, .. })
        ));
    }
}
