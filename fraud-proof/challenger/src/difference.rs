//! Differences between claimed and derived outputs, states and receipts.

use std::fmt;

use alloy_primitives::{Address, B256, U256};
use serde::Serialize;
use turnpike_l1::ProposedOutput;
use turnpike_protocol::{Header, OutputRoot};

/// A part of an output that differs from the derived output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The part: of the output root's preimage (`stateRoot`, `messagePasserStorageRoot`,
    /// `blockHash`), the block number (`l2BlockNumber`), or a field of the header (such as
    /// `header.gasUsed`).
    pub part: String,
    /// The claimed value.
    pub claimed: String,
    /// The derived value.
    pub derived: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: claimed {}, derived {}", self.part, self.claimed, self.derived)
    }
}

/// An account or a storage slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StateKey {
    /// The account.
    pub address: Address,
    /// The slot; `None` for the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<U256>,
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot {
            None => write!(f, "account {}", self.address),
            Some(slot) => write!(f, "slot {slot:#x} of {}", self.address),
        }
    }
}

/// An account or slot whose value differs between the claimed and the derived chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateDifference {
    /// The account or slot.
    #[serde(flatten)]
    pub key: StateKey,
    /// The field: `balance` (in wei), `nonce`, `codeHash` or `value`.
    pub field: &'static str,
    /// The value in the claimed chain.
    pub claimed: String,
    /// The value in the derived chain.
    pub derived: String,
}

impl fmt::Display for StateDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, field, claimed, derived } = self;
        let unit = if *field == "balance" { " wei" } else { "" };
        write!(f, "{key}: {field} is claimed to be {claimed}{unit}, derived is {derived}{unit}")
    }
}

/// A field of a receipt that differs between the claimed and the derived chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiptDifference {
    /// The field: `transactionHash`, `status`, `gasUsed` or `logs`.
    pub field: &'static str,
    /// The value in the claimed chain.
    pub claimed: String,
    /// The value in the derived chain.
    pub derived: String,
}

impl fmt::Display for ReceiptDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} claimed {}, derived {}", self.field, self.claimed, self.derived)
    }
}

/// Collects what differs.
#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn compare<T: PartialEq + fmt::Debug>(&mut self, part: &str, claimed: &T, derived: &T) {
        if claimed != derived {
            self.0.push(Difference {
                part: part.to_owned(),
                claimed: format!("{claimed:?}"),
                derived: format!("{derived:?}"),
            });
        }
    }
}

/// Every part of `claimed` that differs from the derived output. Empty if and only if the output is
/// right.
pub(crate) fn compare(
    claimed: &ProposedOutput,
    output: &OutputRoot,
    header: &Header,
) -> Vec<Difference> {
    let mut all = Differences::default();
    let roots = &claimed.output;
    all.compare("stateRoot", &roots.state_root, &output.state_root);
    all.compare(
        "messagePasserStorageRoot",
        &roots.message_passer_storage_root,
        &output.message_passer_storage_root,
    );
    all.compare("blockHash", &roots.block_hash, &output.block_hash);
    all.compare("l2BlockNumber", &claimed.l2_block, &header.number);
    if claimed.header.as_ref() == alloy_rlp::encode(header) {
        return all.0;
    }
    match alloy_rlp::decode_exact::<Header>(&claimed.header) {
        Ok(claimed) => compare_headers(&mut all, &claimed, header),
        Err(error) => all.0.push(Difference {
            part: "header".to_owned(),
            claimed: format!("{} bytes that are not a header ({error})", claimed.header.len()),
            derived: format!("the header of block {}", header.number),
        }),
    }
    all.0
}

fn compare_headers(all: &mut Differences, claimed: &Header, derived: &Header) {
    let (c, d) = (claimed, derived);
    all.compare("header.parentHash", &c.parent_hash, &d.parent_hash);
    all.compare("header.sha3Uncles", &c.ommers_hash, &d.ommers_hash);
    all.compare("header.miner", &c.beneficiary, &d.beneficiary);
    all.compare("header.stateRoot", &c.state_root, &d.state_root);
    all.compare("header.transactionsRoot", &c.transactions_root, &d.transactions_root);
    all.compare("header.receiptsRoot", &c.receipts_root, &d.receipts_root);
    all.compare("header.logsBloom", &bloom(c), &bloom(d));
    all.compare("header.difficulty", &c.difficulty, &d.difficulty);
    all.compare("header.number", &c.number, &d.number);
    all.compare("header.gasLimit", &c.gas_limit, &d.gas_limit);
    all.compare("header.gasUsed", &c.gas_used, &d.gas_used);
    all.compare("header.timestamp", &c.timestamp, &d.timestamp);
    all.compare("header.extraData", &c.extra_data, &d.extra_data);
    all.compare("header.mixHash", &c.mix_hash, &d.mix_hash);
    all.compare("header.nonce", &c.nonce, &d.nonce);
    all.compare("header.baseFeePerGas", &c.base_fee_per_gas, &d.base_fee_per_gas);
    all.compare("header.withdrawalsRoot", &c.withdrawals_root, &d.withdrawals_root);
    all.compare("header.blobGasUsed", &c.blob_gas_used, &d.blob_gas_used);
    all.compare("header.excessBlobGas", &c.excess_blob_gas, &d.excess_blob_gas);
    all.compare(
        "header.parentBeaconBlockRoot",
        &c.parent_beacon_block_root,
        &d.parent_beacon_block_root,
    );
    all.compare("header.requestsHash", &c.requests_hash, &d.requests_hash);
}

/// The hash stands for the bloom filter, whose 256 bytes are too long to read.
fn bloom(header: &Header) -> B256 {
    alloy_primitives::keccak256(header.logs_bloom)
}
