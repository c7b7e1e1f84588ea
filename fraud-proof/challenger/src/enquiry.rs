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
    Divergence, Evidence, Findings, FirstBlock, FirstTransaction, ReceiptDifference, Replay,
    StateDifference, StateKey, Verifier,
    peer::{Peer, PeerAccount, PeerError, PeerReceipt},
};

/// How long asking a peer about one output may take.
const ENQUIRY_TIME_MAX: Duration = Duration::from_secs(15);

/// Accounts that a peer is asked for.
const ACCOUNTS_MAX: usize = 256;

/// Slots of one account that a peer is asked for.
const SLOTS_MAX: usize = 256;

/// Accounts that blocks without users' transactions change: block hashes and L1 attributes.
const OF_EVERY_BLOCK: [Address; 3] = [HISTORY_STORAGE, L1_BLOCK, DEPOSITOR_ACCOUNT];

/// Blocks ahead of ours that are looked through for users' transactions.
const QUIET_BLOCKS_MAX: u64 = 64;

/// State differences that are kept.
const DIFFERENCES_MAX: usize = 64;

/// Why an enquiry ended before its end.
#[derive(Debug, thiserror::Error)]
enum Gap {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("the peer serves another chain than the claimed one")]
    OtherChain,
    #[error("block {0} is not kept any more")]
    NotKept(u64),
    #[error("block {0} cannot be run again")]
    Execution(u64),
    #[error(
        "the first transaction: the peer knows the state after block {peer} only, L1 holds blocks up to {derived}"
    )]
    Ahead { peer: u64, derived: u64 },
    #[error("the peer took too long")]
    Late,
    #[error("the peer shows no difference")]
    NoDifference,
}

/// Has a peer explain a divergence down to transaction and account, as far as its answers go. Bounded in time; needs
/// the multi-threaded runtime.
pub async fn enquire(peer: &Peer, verifier: &Verifier, divergence: &mut Divergence) {
    let mut findings = Findings::default();
    let all = find(peer, verifier, divergence, &mut findings);
    let result = tokio::time::timeout(ENQUIRY_TIME_MAX, all).await.unwrap_or(Err(Gap::Late));
    findings.gap = result.err().map(|gap| gap.to_string());
    divergence.findings = Some(findings);
}

async fn find(
    peer: &Peer,
    verifier: &Verifier,
    divergence: &mut Divergence,
    findings: &mut Findings,
) -> Result<(), Gap> {
    if peer.block_hash(divergence.claimed_block).await? != Some(divergence.claimed_hash) {
        return Err(Gap::OtherChain);
    }
    let block = first_false_block(peer, verifier, divergence).await?;
    divergence.first_block = FirstBlock::Exact { block, evidence: Evidence::Peer };
    let replay = verifier.replay(block).ok_or(Gap::NotKept(block))?;
    let failed = |_| Gap::Execution(block);
    let keys = block_in_place(|| replay.changed_keys()).map_err(failed)?;
    divergence.touched = accounts_of(&keys).into_keys().take(ACCOUNTS_MAX).collect();

    let derived = block_in_place(|| replay.transactions()).map_err(failed)?;
    findings.first_transaction = first_receipt(&derived, peer.receipts(block).await?);
    compare_state(peer, verifier, &keys, block, findings).await?;
    if findings.first_transaction.is_none() {
        if let Some(peer) = findings.state_block.filter(|_| !findings.is_exact) {
            return Err(Gap::Ahead { peer, derived: verifier.head() });
        }
        block_in_place(|| attribute(&replay, findings)).ok_or(Gap::NoDifference)?;
    }
    Ok(())
}

/// The first block whose hash differs. Once hashes differ they stay different, so bisection finds it.
async fn first_false_block(
    peer: &Peer,
    verifier: &Verifier,
    divergence: &Divergence,
) -> Result<u64, Gap> {
    let mut low = divergence.true_block + 1;
    let mut high = divergence.claimed_block.min(divergence.derived_block);
    if low > high || same_hash(peer, verifier, high).await? {
        return Err(Gap::NoDifference);
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

async fn same_hash(peer: &Peer, verifier: &Verifier, number: u64) -> Result<bool, Gap> {
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

/// Compares what the false block changed. A peer that knows the state after that very block is asked for it; one that
/// knows only its newest is compared with ours after the same block, if we have derived it.
async fn compare_state(
    peer: &Peer,
    verifier: &Verifier,
    keys: &[StateKey],
    block: u64,
    findings: &mut Findings,
) -> Result<(), Gap> {
    let mut accounts = accounts_of(keys);
    let Some((&probe, _)) = accounts.first_key_value() else { return Ok(()) };
    let at = match peer.account(probe, &[], block).await {
        Ok(_) => block,
        Err(_) => peer.head().await?,
    };
    let head = verifier.head();
    let is_exact = at <= head || is_quiet(peer, head + 1, at).await?;
    if at > head {
        accounts.retain(|address, _| !OF_EVERY_BLOCK.contains(address));
    }
    let derived = block_in_place(|| verifier.state_after(at.min(head)));
    let derived = derived.ok_or(Gap::NotKept(at))?;
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

/// Whether the peer's blocks from `first` to `last` change nothing but [`OF_EVERY_BLOCK`].
async fn is_quiet(peer: &Peer, first: u64, last: u64) -> Result<bool, Gap> {
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
    // A node may give zero as the code hash of an account that does not exist.
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

/// Finds the first transaction that changes what differs, and puts first what it changes. `None` if nothing differs.
fn attribute(replay: &Replay, findings: &mut Findings) -> Option<()> {
    let keys: Vec<StateKey> = findings.state.iter().map(|difference| difference.key).collect();
    let change = replay.first_change(&keys).ok()??;
    let (index, hash) = change.transaction.unzip();
    let index = index.unwrap_or_default();
    findings.first_transaction = Some(FirstTransaction { hash, index, receipt: None });
    findings.state.sort_by_key(|difference| !change.keys.contains(&difference.key));
    Some(())
}
