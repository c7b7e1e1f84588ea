//! Deliberate faults. Tests use them to show that they would detect a bug, and that the engine
//! recovers from it. Only the feature `faults` compiles them, and no product enables it.
//!
//! One fault at a time applies to the whole process: the fault that [`inject`] injects, or else the
//! one that the environment variable `TURNPIKE_FAULT` names.

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    vec::Vec,
};

use alloy_primitives::U256;

use crate::profile::{Access, Predictions};

/// Names a fault for the whole process.
const VARIABLE: &str = "TURNPIKE_FAULT";

/// Exit code for an unknown fault. Differs from that of failing tests.
const EXIT_UNKNOWN: i32 = 2;

/// A deliberate fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Lanes' accounts are not checked for conflicts.
    AccountsUnchecked,
    /// Lanes' slots are not checked for conflicts.
    SlotsUnchecked,
    /// A lane confuses slots of the block state whose lowest 64 bits are equal.
    LaneKeyTruncated,
    /// Every block state confuses such slots.
    KeyTruncated,
    /// One lane's fees are not added.
    FeesForgotten,
    /// Speculative runs are reused even if the state has changed.
    AdoptUnchecked,
    /// A block drops slots that lanes changed.
    SlotsForgotten,
    /// The outcome misses one lane's changes.
    OverlayForgotten,
    /// Joined lanes run their transactions in reverse order.
    JoinBackwards,
    /// A wave may ask for more gas than the block has left.
    GasUnchecked,
    /// A reverted transaction's slots keep their values.
    RevertForgotten,
    /// Calls are predicted to access nothing.
    PredictNothing,
    /// Calls are predicted to access what other calls access.
    PredictShuffled,
    /// Calls are predicted to only read.
    PredictReads,
    /// Prediction panics.
    PredictPanics,
    /// One lane panics, once.
    LanePanicsOnce,
    /// A lane of each wave panics.
    LanePanics,
    /// A lane of each wave fails.
    LaneFails,
}

impl Fault {
    const ALL: [(&'static str, Self); 18] = [
        ("accounts-unchecked", Self::AccountsUnchecked),
        ("slots-unchecked", Self::SlotsUnchecked),
        ("lane-key-truncated", Self::LaneKeyTruncated),
        ("key-truncated", Self::KeyTruncated),
        ("fees-forgotten", Self::FeesForgotten),
        ("adopt-unchecked", Self::AdoptUnchecked),
        ("slots-forgotten", Self::SlotsForgotten),
        ("overlay-forgotten", Self::OverlayForgotten),
        ("join-backwards", Self::JoinBackwards),
        ("gas-unchecked", Self::GasUnchecked),
        ("revert-forgotten", Self::RevertForgotten),
        ("predict-nothing", Self::PredictNothing),
        ("predict-shuffled", Self::PredictShuffled),
        ("predict-reads", Self::PredictReads),
        ("predict-panics", Self::PredictPanics),
        ("lane-panics-once", Self::LanePanicsOnce),
        ("lane-panics", Self::LanePanics),
        ("lane-fails", Self::LaneFails),
    ];
}

/// The injected fault: its position in `ALL` plus one, or zero for none.
static INJECTED: AtomicUsize = AtomicUsize::new(0);
/// Whether a one-time fault has happened.
static DONE: AtomicBool = AtomicBool::new(false);
/// Held while a fault is injected.
static TURN: Mutex<()> = Mutex::new(());

/// A fault that applies until this is dropped. Meanwhile no other fault can be injected.
#[derive(Debug)]
pub struct Injected {
    _turn: MutexGuard<'static, ()>,
}

/// Injects a fault.
pub fn inject(fault: Fault) -> Injected {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let at = Fault::ALL.iter().position(|(_, other)| *other == fault);
    DONE.store(false, Ordering::SeqCst);
    INJECTED.store(at.expect("invariant: every fault is listed") + 1, Ordering::SeqCst);
    Injected { _turn: turn }
}

impl Drop for Injected {
    fn drop(&mut self) {
        INJECTED.store(0, Ordering::SeqCst);
    }
}

fn of_process() -> Option<Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    let find = |name: &str| Fault::ALL.iter().find(|(other, _)| *other == name);
    *FAULT.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let Some((_, fault)) = find(&name) else {
            std::eprintln!("{VARIABLE}={name}: unknown fault");
            std::process::exit(EXIT_UNKNOWN);
        };
        Some(*fault)
    })
}

fn current() -> Option<Fault> {
    match INJECTED.load(Ordering::SeqCst) {
        0 => of_process(),
        above => Some(Fault::ALL[above - 1].1),
    }
}

/// Whether this fault applies.
pub(crate) fn is(fault: Fault) -> bool {
    current() == Some(fault)
}

/// The known key that the fault confuses with `key`.
pub(crate) fn taken_for(fault: Fault, key: U256, mut known: impl Iterator<Item = U256>) -> U256 {
    let is_like = |other: &U256| other.as_limbs()[0] == key.as_limbs()[0];
    if is(fault) { known.find(is_like).unwrap_or(key) } else { key }
}

/// All items, or all but the last if the fault applies.
pub(crate) fn without_last<T>(fault: Fault, mut items: Vec<T>) -> Vec<T> {
    if is(fault) {
        items.pop();
    }
    items
}

/// The position of the transaction that breaks its lane.
const UNLUCKY: u32 = 1;

/// Called before a lane runs a transaction.
pub(crate) fn before(number: u32) -> Result<(), std::string::String> {
    if number != UNLUCKY {
        return Ok(());
    }
    match current() {
        Some(Fault::LanePanics) => panic!("lane panics on purpose"),
        Some(Fault::LanePanicsOnce) if !DONE.swap(true, Ordering::SeqCst) => {
            panic!("lane panics on purpose, once")
        }
        Some(Fault::LaneFails) => Err("lane fails on purpose".into()),
        _ => Ok(()),
    }
}

/// Makes profiles' predictions wrong. Accesses that transactions declare stay right.
pub(crate) fn mispredict(predictions: &mut Predictions) {
    let Predictions { accounts, slots, hashes, known, unknown, .. } = predictions;
    match current() {
        Some(Fault::PredictNothing) => {
            accounts.clear();
            slots.clear();
            hashes.clear();
            known.extend(unknown.drain(..).map(|tx| (tx, 0)));
        }
        Some(Fault::PredictShuffled) => {
            let others: Vec<_> = accounts.iter().rev().map(|(_, key, _)| *key).collect();
            accounts.iter_mut().zip(others).for_each(|((_, key, _), other)| *key = other);
            let others: Vec<_> = slots.iter().rev().map(|(_, at, key, _)| (*at, *key)).collect();
            let slots = slots.iter_mut().zip(others);
            slots.for_each(|((_, at, key, _), other)| (*at, *key) = other);
        }
        Some(Fault::PredictReads) => {
            accounts.iter_mut().for_each(|(.., access)| *access = Access::Read);
            slots.iter_mut().for_each(|(.., access)| *access = Access::Read);
        }
        Some(Fault::PredictPanics) => panic!("prediction panics on purpose"),
        _ => {}
    }
}
