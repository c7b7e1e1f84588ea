//! A variant: a function's runs with the same contracts in the calldata.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::{
    ObservedRun,
    call::Call,
    contracts::Words,
    forecast::Forecast,
    lessons::{Lessons, TooManyAccesses},
};

/// Number of misses after which a variant counts as unpredictable.
const MISSES_MAX: u32 = 3;
/// Number of calls after which earlier misses are forgiven, and after which an unpredictable
/// variant is learned again.
pub(super) const FORGIVE_AFTER_CALLS: u32 = 1_024;

/// A variant: a function's runs with the same contracts in the calldata.
#[derive(Debug, Default)]
pub(super) struct Variant {
    standing: VariantState,
    misses: u32,
    /// Calls predicted since the last miss.
    calls: AtomicU32,
    /// Whether the variant was used since the last [`Self::take_asked`].
    was_asked: AtomicBool,
}

#[derive(Debug)]
enum VariantState {
    /// Lessons so far, and a forecast if they suffice for one.
    Learning(Box<Lessons>, Option<Forecast>),
    Settled(Forecast),
    Unpredictable,
}

impl Default for VariantState {
    fn default() -> Self {
        Self::Learning(Box::default(), None)
    }
}

impl Variant {
    /// Whether to learn from the next run.
    pub(super) fn should_learn(&self) -> bool {
        match self.standing {
            VariantState::Learning(..) => true,
            VariantState::Settled(_) => false,
            VariantState::Unpredictable => self.calls.load(Relaxed) >= FORGIVE_AFTER_CALLS,
        }
    }

    /// The forecast of the next run. Counts as a call.
    #[inline]
    pub(super) fn ask(&self) -> Option<&Forecast> {
        // Concurrent calls may be lost. That does no harm.
        self.calls.store(self.calls.load(Relaxed).saturating_add(1), Relaxed);
        self.was_asked.store(true, Relaxed);
        match &self.standing {
            VariantState::Learning(_, forecast) => forecast.as_ref(),
            VariantState::Settled(forecast) => Some(forecast),
            VariantState::Unpredictable => None,
        }
    }

    /// The forecast, if learning is complete.
    pub(super) const fn settled(&self) -> Option<&Forecast> {
        match &self.standing {
            VariantState::Settled(forecast) => Some(forecast),
            _ => None,
        }
    }

    /// Learns from a run, if there is something to learn.
    pub(super) fn learn(&mut self, call: &Call<'_>, fixed: Words, observed: &ObservedRun<'_>) {
        if !self.should_learn() {
            return;
        }
        let mut lessons = match core::mem::take(&mut self.standing) {
            VariantState::Learning(lessons, _) => lessons,
            _ => {
                self.misses = 0;
                Box::default()
            }
        };
        self.standing = match lessons.note(call, fixed, observed) {
            Err(TooManyAccesses) => self.give_up(),
            Ok(()) if !lessons.are_complete() => {
                let forecast = lessons.forecast();
                VariantState::Learning(lessons, forecast)
            }
            Ok(()) => match lessons.forecast().filter(|_| lessons.is_guarded()) {
                Some(forecast) => VariantState::Settled(forecast),
                None => self.give_up(),
            },
        };
    }

    /// Learns again, or marks the variant as unpredictable. Misses of an earlier forecast do not
    /// count.
    pub(super) fn miss(&mut self) {
        if matches!(&self.standing, VariantState::Learning(_, None) | VariantState::Unpredictable) {
            return;
        }
        if *self.calls.get_mut() >= FORGIVE_AFTER_CALLS {
            self.misses = 0;
        }
        self.misses += 1;
        *self.calls.get_mut() = 0;
        self.standing =
            if self.misses >= MISSES_MAX { self.give_up() } else { VariantState::default() };
    }

    fn give_up(&mut self) -> VariantState {
        *self.calls.get_mut() = 0;
        VariantState::Unpredictable
    }

    /// Whether the variant was used since the last call of this function.
    pub(super) fn take_asked(&mut self) -> bool {
        core::mem::take(self.was_asked.get_mut())
    }
}
