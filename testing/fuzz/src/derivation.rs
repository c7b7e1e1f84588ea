//! Derivation: any entry derives bounded blocks, the same on every parent but for what a block
//! takes from its parent.

mod case;
mod fields;

use alloy_consensus::Transaction as _;
use turnpike_protocol::{
    Batch, BlockInput, DataKind, DeriveError, Derived, EntryBlocks, Origin, Parent,
    TAIL_BLOCKS_MAX, TxEnvelope, derive, unpack_blobs,
};

use self::case::Case;
pub(crate) use self::fields::{Fields, Flip, Run};
use crate::{Outcome, input::Input};

/// Derives an entry on two parents and checks the blocks.
pub fn derivation(data: &[u8]) -> Outcome {
    let case = Case::new(&Fields::read(&mut Input::new(data)));
    let source = case.source();
    let plan = match EntryBlocks::open(&case.config, &source) {
        Ok(plan) => plan,
        Err(error) => {
            assert!(!case.is_honest, "an entry of L1 is refused: {error}");
            for parent in case.parents {
                assert_eq!(derive(&case.config, parent, &source), Err(error.clone()));
            }
            return Outcome::Refused;
        }
    };
    let derived = case.parents.map(|parent| {
        let derived = derive(&case.config, parent, &source).expect("it opened");
        check(&case, &plan, parent, &derived);
        derived
    });
    let [one, other] = derived.each_ref().map(|derived| independent_of_parent(&case, derived));
    assert_eq!(one, other, "derived on {:?}", case.parents);
    if derived[0].fault.is_some() { Outcome::Refused } else { Outcome::Checked }
}

/// What must not depend on the parent: everything but numbers, times and attributes.
fn independent_of_parent(case: &Case, derived: &Derived) -> impl PartialEq + core::fmt::Debug {
    let block = |block: &BlockInput<TxEnvelope>| {
        (block.origin, queued(case, block).to_vec(), block.transactions.clone())
    };
    let blocks: Vec<_> = derived.blocks.iter().map(block).collect();
    let rest = (derived.queued.clone(), derived.claimed_state_roots.clone(), derived.fault.clone());
    (blocks, rest)
}

/// The block's deposits from the queue.
fn queued<'a>(case: &Case, block: &'a BlockInput<TxEnvelope>) -> &'a [TxEnvelope] {
    let is_attributes = |tx: &&TxEnvelope| {
        tx.as_deposit().is_some_and(|deposit| deposit.from == turnpike_protocol::DEPOSITOR_ACCOUNT)
    };
    let attributes = block.deposits.iter().filter(is_attributes).count();
    assert!(attributes <= 1, "{attributes} attributes transactions of {:?}", case.origin);
    &block.deposits[attributes..]
}

fn check(case: &Case, plan: &EntryBlocks<'_>, parent: Parent, derived: &Derived) {
    let count = derived.blocks.len();
    assert_eq!(plan.len(), count);
    assert!(count > 0, "an entry derives a block");
    // The portal takes no deposit that is larger than a block. Derivation gives each its own.
    let tail_max = if case.is_honest { TAIL_BLOCKS_MAX } else { case.deposits.len().max(1) as u64 };
    let max = case.config.entry_blocks_max + tail_max;
    assert!(count as u64 <= max, "{count} blocks, at most {max}");
    let batch = posted(case, derived);
    let mut steps = batch.blocks.iter().map(|block| block.step_ms);
    let mut before = parent;
    let mut taken = Vec::new();
    for block in &derived.blocks {
        check_time(case, before, steps.next(), block.time_ms);
        check_block(case, before, block);
        taken.extend_from_slice(queued(case, block));
        before = block.as_parent();
    }
    assert_eq!(steps.next(), None, "a block of the batch is left out");
    let given: Vec<_> = derived.queued.iter().map(|queued| queued.deposit.clone()).collect();
    assert_eq!(given, case.deposits, "every deposit is taken once, in order");
    let expected = derived.queued.iter().map(|queued| queued.to_transaction());
    assert_eq!(Ok(taken), expected.collect::<Result<Vec<_>, _>>());
    let expected = batch.blocks.iter().flat_map(|block| &block.transactions);
    let transactions = derived.blocks.iter().flat_map(|block| &block.transactions);
    assert!(transactions.eq(expected), "the transactions are not those of the batch");
    check_alone(plan, parent, derived).expect("it derived with its entry");
}

/// The batch that derives blocks: none with a fault.
fn posted(case: &Case, derived: &Derived) -> Batch {
    let data = match case.entry.data_kind {
        _ if derived.fault.is_some() => return Batch::default(),
        DataKind::None => return Batch::default(),
        DataKind::Calldata => case.data.clone(),
        DataKind::Blobs => unpack_blobs(&case.data).expect("there is no fault"),
    };
    Batch::decode(&data, &case.config.batch_limits()).expect("there is no fault")
}

/// A step after the block before it, or the entry's time, but not before the block before it and
/// the origin, nor too far ahead of the entry.
fn check_time(case: &Case, before: Parent, step_ms: Option<u64>, time_ms: u64) {
    let millis = |seconds: u64| u128::from(seconds) * 1_000;
    let floor = u128::from(before.time_ms).max(millis(case.origin.l1_time));
    let bound = (millis(case.entry.l1_time) + millis(case.config.time_drift_max)).max(floor);
    let own = step_ms.map(|step_ms| u128::from(before.time_ms) + u128::from(step_ms));
    let expected = own.unwrap_or_else(|| millis(case.entry.l1_time)).clamp(floor, bound);
    assert_eq!(time_ms, u64::try_from(expected).unwrap_or(u64::MAX), "a step of {step_ms:?}");
}

fn check_block(case: &Case, before: Parent, block: &BlockInput<TxEnvelope>) {
    assert_eq!(block.number, before.number + 1);
    assert_eq!(block.origin, Origin::from(&case.origin));
    let attributes = block.deposits.len() - queued(case, block).len();
    let is_first = before.origin != Some(case.origin.index);
    assert_eq!(attributes, usize::from(is_first), "attributes after {before:?}");
    let gas = queued(case, block).iter().map(|tx| tx.gas_limit()).fold(0, u64::saturating_add);
    let max = case.config.deposit_gas_per_block;
    assert!(!case.is_honest || gas <= max, "deposits of {gas} gas, at most {max}");
}

/// The first, the middle and the last block derived alone, and the one after the last.
fn check_alone(
    plan: &EntryBlocks<'_>,
    parent: Parent,
    derived: &Derived,
) -> Result<(), DeriveError> {
    let last = derived.blocks.len() - 1;
    for index in [0, last / 2, last] {
        let before =
            index.checked_sub(1).map_or(parent, |before| derived.blocks[before].as_parent());
        assert_eq!(plan.clone().block(index, before)?.as_ref(), Some(&derived.blocks[index]));
    }
    assert_eq!(plan.clone().block(last + 1, parent)?, None);
    Ok(())
}
