//! Compares the derived chain with an untrusted peer's answers, to name the first wrong block,
//! transaction and account.
//!
//! Limits: `TIME_MAX` per output, and the maximum numbers of accounts, slots, blocks and
//! differences below. When one is exceeded, or the peer fails, the findings so far are kept with
//! the reason.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy_primitives::{Address, KECCAK256_EMPTY, Log, U256};
use tokio::task::block_in_place;
use turnpike_executor::ExecutedTx;
use turnpike_protocol::{
    DEPOSITOR_ACCOUNT,
    predeploys::{HISTORY_STORAGE, L1_BLOCK},
};
use turnpike_state::FlatState;

use crate::{
    Divergence, Evidence, FirstBlock, FirstTransaction, PeerFindings, ReceiptDifference, Replay,
    StateDifference, StateKey, Verifier,
    peer::{Peer, PeerAccount, PeerError, PeerReceipt},
};

/// Time limit of a comparison for one output.
const TIME_MAX: Duration = Duration::from_secs(15);

/// Maximum number of accounts to request.
const ACCOUNTS_MAX: usize = 256;

/// Maximum number of slots to request per account.
const SLOTS_MAX: usize = 256;

/// Accounts that every block changes: block hashes and L1 attributes.
const SYSTEM_ACCOUNTS: [Address; 3] = [HISTORY_STORAGE, L1_BLOCK, DEPOSITOR_ACCOUNT];

/// Maximum number of blocks after the derived head to search for user transactions.
const QUIET_BLOCKS_MAX: u64 = 64;

/// Maximum number of state differences to keep.
const DIFFERENCES_MAX: usize = 64;

/// Why a comparison ended early.
#[derive(Debug, thiserror::Error)]
enum ComparisonError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("the peer does not serve the claimed chain")]
    OtherChain,
    #[error("block {0} is older than the kept history")]
    NotKept(u64),
    #[error("running block {0} again failed")]
    Execution(u64),
    #[error(
        "the first transaction: the peer has the state after block {peer} only, and L1 has blocks up to {derived}"
    )]
    Ahead { peer: u64, derived: u64 },
    #[error("the peer took too long")]
    Late,
    #[error("the peer shows no difference")]
    NoDifference,
}

/// Adds a peer's findings to a divergence: the first wrong block, transaction, accounts and slots.
/// Bounded in time. Needs the multi-threaded runtime.
pub async fn compare_with_peer(peer: &Peer, verifier: &Verifier, divergence: &mut Divergence) {
    let mut findings = PeerFindings::default();
    let all = compare(peer, verifier, divergence, &mut findings);
    let result = tokio::time::timeout(TIME_MAX, all).await.unwrap_or(Err(ComparisonError::Late));
    findings.gap = result.err().map(|gap| gap.to_string());
    divergence.findings = Some(findings);
}

async fn compare(
    peer: &Peer,
    verifier: &Verifier,
    divergence: &mut Divergence,
    findings: &mut PeerFindings,
) -> Result<(), ComparisonError> {
    if peer.block_hash(divergence.claimed_block).await? != Some(divergence.claimed_hash) {
        return Err(ComparisonError::OtherChain);
    }
    let block = first_false_block(peer, verifier, divergence).await?;
    divergence.first_block = FirstBlock::Exact { block, evidence: Evidence::Peer };
    let replay = verifier.replay(block).ok_or(ComparisonError::NotKept(block))?;
    let failed = |_| ComparisonError::Execution(block);
    let keys = block_in_place(|| replay.changed_keys()).map_err(failed)?;
    divergence.touched = accounts_of(&keys).into_keys().take(ACCOUNTS_MAX).collect();

    let derived = block_in_place(|| replay.transactions()).map_err(failed)?;
    findings.first_transaction = first_receipt(&derived, peer.receipts(block).await?);
    compare_state(peer, verifier, &keys, block, findings).await?;
    if findings.first_transaction.is_none() {
        if let Some(peer) = findings.state_block.filter(|_| !findings.is_exact) {
            return Err(ComparisonError::Ahead { peer, derived: verifier.head() });
        }
        block_in_place(|| attribute(&replay, findings)).ok_or(ComparisonError::NoDifference)?;
    }
    Ok(())
}

/// The first block whose hash differs, by bisection: after the first different hash all hashes
/// differ.
async fn first_false_block(
    peer: &Peer,
    verifier: &Verifier,
    divergence: &Divergence,
) -> Result<u64, ComparisonError> {
    let mut low = divergence.true_block + 1;
    let mut high = divergence.claimed_block.min(divergence.derived_block);
    if low > high || same_hash(peer, verifier, high).await? {
        return Err(ComparisonError::NoDifference);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if same_hash(peer, verifier, middle).await? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

async fn same_hash(peer: &Peer, verifier: &Verifier, number: u64) -> Result<bool, ComparisonError> {
    let theirs = peer.block_hash(number).await?;
    Ok(theirs.is_some() && theirs == verifier.block(number).map(|block| block.hash))
}

/// The first transaction whose receipt differs.
fn first_receipt(
    derived: &[Arc<ExecutedTx>],
    claimed: Vec<PeerReceipt>,
) -> Option<FirstTransaction> {
    let (derived_count, claimed_count) = (derived.len(), claimed.len());
    for (index, (ours, theirs)) in derived.iter().zip(claimed).enumerate() {
        if let Some(receipt) = compare_receipts(ours, theirs) {
            let hash = Some(ours.envelope().tx_hash());
            return Some(FirstTransaction { hash, index, receipt: Some(receipt) });
        }
    }
    if derived_count == claimed_count {
        return None;
    }
    let index = derived_count.min(claimed_count);
    let presence = |is_there| if is_there { "a transaction" } else { "none" }.to_owned();
    let receipt = ReceiptDifference {
        field: "transaction",
        claimed: presence(claimed_count > index),
        derived: presence(derived_count > index),
    };
    let hash = derived.get(index).map(|tx| tx.envelope().tx_hash());
    Some(FirstTransaction { hash, index, receipt: Some(receipt) })
}

fn compare_receipts(ours: &ExecutedTx, theirs: PeerReceipt) -> Option<ReceiptDifference> {
    let receipt = &ours.receipt;
    let hash = ours.envelope().tx_hash();
    let status = u64::from(receipt.envelope.status());
    let (claimed_status, gas_used) = (theirs.status.to::<u64>(), theirs.gas_used.to::<u64>());
    let differs = |field, claimed: String, derived: String| {
        Some(ReceiptDifference { field, claimed, derived })
    };
    if theirs.transaction_hash != hash {
        return differs("transactionHash", theirs.transaction_hash.to_string(), hash.to_string());
    }
    if claimed_status != status {
        return differs("status", claimed_status.to_string(), status.to_string());
    }
    if gas_used != receipt.gas_used {
        return differs("gasUsed", gas_used.to_string(), receipt.gas_used.to_string());
    }
    let (claimed, derived): (Vec<Log>, &[Log]) = (theirs.logs(), receipt.envelope.logs());
    if claimed == derived {
        return None;
    }
    let place = claimed.iter().zip(derived).take_while(|(theirs, ours)| theirs == ours).count();
    let name = |logs: &[Log]| {
        logs.get(place).map_or_else(|| "none".to_owned(), |log| format!("log {place} {log:?}"))
    };
    differs("logs", name(&claimed), name(derived))
}

/// Compares what the wrong block changed. If the peer has the state after that block, compares that
/// state; if it has only its newest state, compares the derived state after the same block, as far
/// as it is derived.
async fn compare_state(
    peer: &Peer,
    verifier: &Verifier,
    keys: &[StateKey],
    block: u64,
    findings: &mut PeerFindings,
) -> Result<(), ComparisonError> {
    let mut accounts = accounts_of(keys);
    let Some((&probe, _)) = accounts.first_key_value() else { return Ok(()) };
    let at = match peer.account(probe, &[], block).await {
        Ok(_) => block,
        Err(_) => peer.head().await?,
    };
    let head = verifier.head();
    let is_exact = at <= head || is_quiet(peer, head + 1, at).await?;
    if at > head {
        accounts.retain(|address, _| !SYSTEM_ACCOUNTS.contains(address));
    }
    let derived = block_in_place(|| verifier.state_after(at.min(head)));
    let derived = derived.ok_or(ComparisonError::NotKept(at))?;
    findings.state_block = Some(at);
    findings.is_exact = is_exact;
    for (address, slots) in accounts.into_iter().take(ACCOUNTS_MAX) {
        let claimed = peer.account(address, &slots, at).await?;
        compare_account(&derived, address, &slots, &claimed, &mut findings.state);
        if findings.state.len() >= DIFFERENCES_MAX {
            findings.state.truncate(DIFFERENCES_MAX);
            break;
        }
    }
    Ok(())
}

/// Whether the peer's blocks from `first` to `last` change [`SYSTEM_ACCOUNTS`] only.
async fn is_quiet(peer: &Peer, first: u64, last: u64) -> Result<bool, ComparisonError> {
    if last - first >= QUIET_BLOCKS_MAX {
        return Ok(false);
    }
    for number in first..=last {
        let receipts = peer.receipts(number).await?;
        if receipts.iter().any(|receipt| receipt.from != DEPOSITOR_ACCOUNT) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn accounts_of(keys: &[StateKey]) -> BTreeMap<Address, Vec<U256>> {
    let mut accounts: BTreeMap<Address, Vec<U256>> = BTreeMap::new();
    for key in keys {
        let slots = accounts.entry(key.address).or_default();
        slots.extend(key.slot.filter(|_| slots.len() < SLOTS_MAX));
    }
    accounts
}

fn compare_account(
    derived: &FlatState,
    address: Address,
    slots: &[U256],
    claimed: &PeerAccount,
    into: &mut Vec<StateDifference>,
) {
    let ours = derived.account(&address).unwrap_or_default();
    // Some nodes return zero as the code hash of an absent account.
    let claimed_code =
        if claimed.code_hash.is_zero() { KECCAK256_EMPTY } else { claimed.code_hash };
    let key = StateKey { address, slot: None };
    let mut compare = |key, field, claimed: String, derived: String| {
        if claimed != derived {
            into.push(StateDifference { key, field, claimed, derived });
        }
    };
    compare(key, "balance", claimed.balance.to_string(), ours.balance.to_string());
    compare(key, "nonce", claimed.nonce.to::<u64>().to_string(), ours.nonce.to_string());
    compare(key, "codeHash", claimed_code.to_string(), ours.code_hash.to_string());
    for (slot, claimed) in slots.iter().zip(&claimed.storage_proof) {
        let derived = derived.storage(&address, *slot);
        let key = StateKey { address, slot: Some(*slot) };
        compare(key, "value", format!("{:#x}", claimed.value), format!("{derived:#x}"));
    }
}

/// Finds the first transaction that changes a differing key, and sorts its keys first. `None` if
/// nothing differs.
fn attribute(replay: &Replay, findings: &mut PeerFindings) -> Option<()> {
    let keys: Vec<StateKey> = findings.state.iter().map(|difference| difference.key).collect();
    let change = replay.first_change(&keys).ok()??;
    let (index, hash) = change.transaction.unzip();
    let index = index.unwrap_or_default();
    findings.first_transaction = Some(FirstTransaction { hash, index, receipt: None });
    findings.state.sort_by_key(|difference| !change.keys.contains(&difference.key));
    Some(())
}
