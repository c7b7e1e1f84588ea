//! Deposits: the L1 queue, its accumulator, and the L2 transactions of deposits.

use alloc::vec::Vec;

use alloy_consensus::Sealable as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use op_alloy_consensus::TxDeposit;
use serde::{Deserialize, Serialize};

use crate::{
    ChainConfig, Origin, TxEnvelope,
    inbox::{FlattenedBytes, number, word, words},
    predeploys::L1_BLOCK,
};

/// Sender of the attributes transaction. Nobody holds its key.
pub const DEPOSITOR_ACCOUNT: Address = address!("DeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001");

/// Gas of the attributes transaction.
pub const ATTRIBUTES_GAS_LIMIT: u64 = 1_000_000;

/// `setL1BlockValuesEcotone()`: packed arguments follow the selector.
const SET_L1_BLOCK_VALUES: [u8; 4] = [0x44, 0x0a, 0x5e, 0x20];

/// The version of `opaqueData` that derivation accepts.
const OPAQUE_DATA_VERSION: U256 = U256::ZERO;

/// Bytes of `opaqueData` before the call data: mint, value, gas limit, creation flag.
const OPAQUE_HEAD_BYTES: usize = 32 + 32 + 8 + 1;

/// Words of a deposit's preimage.
const DEPOSIT_WORDS: usize = 7;

/// A deposit as the L1 queue holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// Position in the queue.
    pub index: u64,
    /// L1 block that queued it.
    pub l1_block_number: u64,
    /// Sender on L2.
    pub from: Address,
    /// Recipient on L2; ignored for a creation.
    pub to: Address,
    /// Version of `opaque_data`.
    pub version: U256,
    /// Mint, value, gas limit, creation flag and call data, packed.
    pub opaque_data: Bytes,
}

/// The newest deposit, decoded from the preimage of the queue's accumulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositPreimage {
    /// The accumulator before the deposit.
    pub previous: B256,
    /// The deposit with empty opaque data.
    pub deposit: Deposit,
    /// Hash of the deposit's opaque data.
    pub opaque_data_hash: B256,
}

/// The address in a word; `None` if the word's upper bytes are not zero.
fn address(word: B256) -> Option<Address> {
    let address = Address::from_word(word);
    (address.into_word() == word).then_some(address)
}

/// Why a deposit cannot come from the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepositError {
    /// The version is unknown.
    #[error("deposit {index}: unknown version {version}")]
    Version {
        /// Position in the queue.
        index: u64,
        /// The unknown version.
        version: U256,
    },
    /// The packed data is too short.
    #[error("deposit {0}: malformed opaque data")]
    OpaqueData(u64),
}

/// The preimage of a deposit's source hash, which determines its transaction hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceHash {
    /// A queued deposit, identified as in the OP stack: by L1 block hash and log index.
    User {
        /// Hash of the L1 block that queued it.
        l1_block_hash: B256,
        /// Index of its log in that block.
        log_index: u64,
    },
    /// The attributes transaction of an L2 block.
    Attributes {
        /// The origin's L1 hash.
        l1_hash: B256,
        /// Number of the L2 block.
        block_number: u64,
    },
    /// A deposit of an entry without usable hints, identified by its position in the queue.
    Queue {
        /// Position in the queue.
        index: u64,
    },
}

impl SourceHash {
    /// Domain of deposits identified by queue position. It differs from the OP stack's small
    /// numbers.
    const QUEUE_DOMAIN: u64 = u64::from_be_bytes(*b"turnpike");

    /// The source hash.
    pub fn hash(self) -> B256 {
        let (domain, id) = match self {
            Self::User { l1_block_hash, log_index } => {
                (0, keccak256([l1_block_hash, word(log_index)].as_flattened_bytes()))
            }
            Self::Attributes { l1_hash, block_number } => {
                (1, keccak256([l1_hash, word(block_number)].as_flattened_bytes()))
            }
            Self::Queue { index } => (Self::QUEUE_DOMAIN, keccak256(word(index))),
        };
        keccak256([word(domain), id].as_flattened_bytes())
    }
}

impl Deposit {
    /// The queue's accumulator after this deposit:
    /// `keccak256(abi.encode(previous, index, l1BlockNumber, from, to, version,
    /// keccak256(opaqueData)))`.
    pub fn accumulate(&self, previous: B256) -> B256 {
        keccak256(self.preimage(previous))
    }

    /// The bytes that [`Self::accumulate`] hashes.
    pub fn preimage(&self, previous: B256) -> Vec<u8> {
        let words: [B256; DEPOSIT_WORDS] = [
            previous,
            word(self.index),
            word(self.l1_block_number),
            self.from.into_word(),
            self.to.into_word(),
            self.version.into(),
            keccak256(&self.opaque_data),
        ];
        words.as_flattened_bytes()
    }

    /// Decodes the accumulator before the deposit, the hash of its opaque data, and the deposit
    /// without that data. Returns `None` for bytes that are not a [`Self::preimage`].
    pub fn from_preimage(bytes: &[u8]) -> Option<DepositPreimage> {
        let [previous, index, l1_block_number, from, to, version, opaque_data_hash] =
            words::<DEPOSIT_WORDS>(bytes)?;
        let deposit = Self {
            index: number(index)?,
            l1_block_number: number(l1_block_number)?,
            from: address(from)?,
            to: address(to)?,
            version: version.into(),
            opaque_data: Bytes::new(),
        };
        Some(DepositPreimage { previous, deposit, opaque_data_hash })
    }

    /// Gas limit of the deposit's transaction.
    pub fn gas_limit(&self) -> Result<u64, DepositError> {
        let head = self.opaque_data.first_chunk::<OPAQUE_HEAD_BYTES>();
        let head = head.ok_or(DepositError::OpaqueData(self.index))?;
        Ok(head[64..72].iter().fold(0, |gas, byte| gas << 8 | u64::from(*byte)))
    }

    /// The deposit as an L2 transaction.
    pub fn to_transaction(&self, source: SourceHash) -> Result<TxEnvelope, DepositError> {
        let gas_limit = self.gas_limit()?;
        if self.version != OPAQUE_DATA_VERSION {
            return Err(DepositError::Version { index: self.index, version: self.version });
        }
        let malformed = DepositError::OpaqueData(self.index);
        let (head, input) =
            self.opaque_data.split_at_checked(OPAQUE_HEAD_BYTES).ok_or(malformed)?;
        let (mint, head) = head.split_at(32);
        let (value, head) = head.split_at(32);
        let (_, creation) = head.split_at(8);
        // An amount above 128 bits exceeds all ether, so the portal cannot have received it. The
        // amount saturates, because derivation must not fail.
        let mint = U256::from_be_slice(mint).saturating_to();
        let to = match creation {
            [0] => TxKind::Call(self.to),
            _ => TxKind::Create,
        };
        Ok(TxDeposit {
            source_hash: source.hash(),
            from: self.from,
            to,
            mint,
            value: U256::from_be_slice(value),
            gas_limit,
            is_system_transaction: false,
            input: Bytes::copy_from_slice(input),
        }
        .seal_slow()
        .into())
    }
}

/// The transaction that writes an origin's attributes into `L1Block`.
pub fn attributes_deposit(config: &ChainConfig, origin: &Origin, block_number: u64) -> TxEnvelope {
    let mut input = Vec::with_capacity(4 + 160);
    input.extend_from_slice(&SET_L1_BLOCK_VALUES);
    input.extend_from_slice(&config.l1_base_fee_scalar.to_be_bytes());
    input.extend_from_slice(&config.l1_blob_base_fee_scalar.to_be_bytes());
    input.extend_from_slice(&origin.entry.to_be_bytes());
    input.extend_from_slice(&origin.l1_time.to_be_bytes());
    input.extend_from_slice(&origin.l1_block_number.to_be_bytes());
    input.extend_from_slice(&origin.l1_base_fee.to_be_bytes::<32>());
    input.extend_from_slice(&origin.l1_blob_base_fee.to_be_bytes::<32>());
    input.extend_from_slice(origin.l1_hash.as_slice());
    input.extend_from_slice(B256::ZERO.as_slice());
    TxDeposit {
        source_hash: SourceHash::Attributes { l1_hash: origin.l1_hash, block_number }.hash(),
        from: DEPOSITOR_ACCOUNT,
        to: TxKind::Call(L1_BLOCK),
        mint: 0,
        value: U256::ZERO,
        gas_limit: ATTRIBUTES_GAS_LIMIT,
        is_system_transaction: false,
        input: input.into(),
    }
    .seal_slow()
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deposit(opaque_data: Vec<u8>) -> Deposit {
        Deposit {
            index: 3,
            l1_block_number: 9,
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            version: U256::ZERO,
            opaque_data: opaque_data.into(),
        }
    }

    fn packed(mint: U256, creation: u8, input: &[u8]) -> Vec<u8> {
        let mut data = mint.to_be_bytes::<32>().to_vec();
        data.extend(U256::from(5).to_be_bytes::<32>());
        data.extend(100_000u64.to_be_bytes());
        data.push(creation);
        data.extend(input);
        data
    }

    #[test]
    fn deposit_becomes_an_l2_transaction() {
        let source = SourceHash::Queue { index: 3 };
        let tx = deposit(packed(U256::from(7), 0, b"hi")).to_transaction(source).expect("valid");
        let tx = tx.as_deposit().expect("a deposit").inner();
        assert_eq!((tx.mint, tx.value, tx.gas_limit), (7, U256::from(5), 100_000));
        assert_eq!(tx.to, TxKind::Call(Address::repeat_byte(2)));
        assert_eq!(tx.input.as_ref(), b"hi");
        let creation = deposit(packed(U256::ZERO, 1, b"")).to_transaction(source).expect("valid");
        assert_eq!(creation.as_deposit().expect("a deposit").to, TxKind::Create);
    }

    #[test]
    fn deposit_preimages_round_trip() {
        let deposit = deposit(packed(U256::from(7), 0, b"hi"));
        let previous = B256::repeat_byte(5);
        let bytes = deposit.preimage(previous);
        assert_eq!(keccak256(&bytes), deposit.accumulate(previous));
        let expected = DepositPreimage {
            previous,
            opaque_data_hash: keccak256(&deposit.opaque_data),
            deposit: Deposit { opaque_data: Bytes::new(), ..deposit },
        };
        assert_eq!(Deposit::from_preimage(&bytes), Some(expected));
        assert_eq!(Deposit::from_preimage(&bytes[..192]), None);
        // Set upper bytes of the index and of both addresses.
        for at in [32, 3 * 32, 4 * 32 + 11] {
            let mut bytes = bytes.clone();
            bytes[at] = 1;
            assert_eq!(Deposit::from_preimage(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn malformed_opaque_data_is_an_error() {
        let source = SourceHash::Queue { index: 3 };
        let short = deposit(alloc::vec![0; OPAQUE_HEAD_BYTES - 1]);
        assert_eq!(short.to_transaction(source), Err(DepositError::OpaqueData(3)));
        let mint = deposit(packed(U256::from(1) << 128, 0, b"")).to_transaction(source);
        assert_eq!(mint.expect("valid").as_deposit().expect("a deposit").mint, u128::MAX);
        let version = Deposit { version: U256::from(1), ..deposit(packed(U256::ZERO, 0, b"")) };
        assert!(matches!(version.to_transaction(source), Err(DepositError::Version { .. })));
    }

    #[test]
    fn source_hashes_equal_the_op_stacks() {
        // Vectors from the implementation in op-alloy-consensus.
        let hash = B256::repeat_byte(0xab);
        let user = op_alloy_consensus::UserDepositSource::new(hash, 7).source_hash();
        assert_eq!(SourceHash::User { l1_block_hash: hash, log_index: 7 }.hash(), user);
        let info = op_alloy_consensus::L1InfoDepositSource::new(hash, 9).source_hash();
        assert_eq!(SourceHash::Attributes { l1_hash: hash, block_number: 9 }.hash(), info);
        assert_ne!(SourceHash::Queue { index: 7 }.hash(), user);
    }
}
