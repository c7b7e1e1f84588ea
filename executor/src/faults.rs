//! What is broken on purpose, so that tests show that they would notice, and the engine that it gets over it. Only with
//! the feature `faults`, which no product has.
//!
//! One fault at a time holds for the whole process: what [`inject`] was told last, or else what the environment variable
//! `TURNPIKE_FAULT` names.

use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    vec::Vec,
};

use alloy_primitives::U256;

use crate::profile::{Access, Predictions};

/// Names a fault of the whole process.
const VARIABLE: &str = "TURNPIKE_FAULT";

/// The exit code where that names none: another than that of tests which fail.
const EXIT_UNKNOWN: i32 = 2;

/// Something that is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Lanes' accounts are not compared.
    AccountsUnchecked,
    /// Lanes' slots are not compared.
    SlotsUnchecked,
    /// A lane takes a slot of the block for another that agrees in the last 64 bits.
    LaneKeyTruncated,
    /// So does every block state.
    KeyTruncated,
    /// What one lane paid in fees is not added.
    FeesForgotten,
    /// A speculative run is what comes of its transaction, whatever has changed since.
    AdoptUnchecked,
    /// A block does not take over the slots that lanes changed.
    SlotsForgotten,
    /// What one lane changed is not a part of the outcome.
    OverlayForgotten,
    /// Lanes that were made one run their transactions backwards.
    JoinBackwards,
    /// A wave may ask for more gas than the block has left.
    GasUnchecked,
    /// A slot keeps what a transaction wrote that was reverted.
    RevertForgotten,
    /// Calls are said to touch nothing.
    PredictNothing,
    /// Calls are said to touch what others touch.
    PredictShuffled,
    /// Calls are said to change nothing.
    PredictReads,
    /// Predicting panics.
    PredictPanics,
    /// A lane panics, once.
    LanePanicsOnce,
    /// A lane of each wave panics.
    LanePanics,
    /// A lane of each wave cannot go on.
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

/// The fault that was injected: one more than its place among all; none if zero.
static INJECTED: AtomicUsize = AtomicUsize::new(0);
/// Whether what happens once has happened.
static DONE: AtomicBool = AtomicBool::new(false);
/// Held by whoever injected.
static TURN: Mutex<()> = Mutex::new(());

/// A fault that holds until this is dropped. Nobody else can inject one meanwhile.
#[derive(Debug)]
pub struct Injected {
    _turn: MutexGuard<'static, ()>,
}

/// Has something done wrong from now on.
pub fn inject(fault: Fault) -> Injected {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let at = Fault::ALL.iter().position(|(_, other)| *other == fault);
    DONE.store(false, Ordering::SeqCst);
    INJECTED.store(at.expect("invariant: all have a name") + 1, Ordering::SeqCst);
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
            std::eprintln!("{VARIABLE}={name}: no such fault");
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

/// Whether this is what is done wrong.
pub(crate) fn is(fault: Fault) -> bool {
    current() == Some(fault)
}

/// The key that this one is taken for, among those that are known.
pub(crate) fn taken_for(fault: Fault, key: U256, mut known: impl Iterator<Item = U256>) -> U256 {
    let is_like = |other: &U256| other.as_limbs()[0] == key.as_limbs()[0];
    if is(fault) { known.find(is_like).unwrap_or(key) } else { key }
}

/// All of them, or all but the last.
pub(crate) fn without_last<T>(fault: Fault, mut items: Vec<T>) -> Vec<T> {
    if is(fault) {
        items.pop();
    }
    items
}

/// The transaction of a wave that does not get through its lane.
const UNLUCKY: u32 = 1;

/// Before a lane runs a transaction.
pub(crate) fn before(number: u32) -> Result<(), std::string::String> {
    if number != UNLUCKY {
        return Ok(());
    }
    match current() {
        Some(Fault::LanePanics) => panic!("a lane panics on purpose"),
        Some(Fault::LanePanicsOnce) if !DONE.swap(true, Ordering::SeqCst) => {
            panic!("a lane panics on purpose, once")
        }
        Some(Fault::LaneFails) => Err("a lane fails on purpose".into()),
        _ => Ok(()),
    }
}

/// Makes predictions wrong. What transactions say themselves is not among them.
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
        Some(Fault::PredictPanics) => panic!("predicting panics on purpose"),
        _ => {}
    }
}
