use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::{
    ObservedRun,
    call::Call,
    contracts::Words,
    forecast::Forecast,
    lessons::{Lessons, TooManyAccesses},
};

/// Misses after which a variant counts as unpredictable.
const MISSES_MAX: u32 = 3;
/// Calls after which earlier misses are forgiven, and those after which what is unpredictable is tried again.
pub(super) const PATIENCE_CALLS: u32 = 1_024;

/// A function with given contracts in its calldata: what is known of its runs.
#[derive(Debug, Default)]
pub(super) struct Variant {
    standing: VariantState,
    misses: u32,
    /// Calls that were asked about since the last miss.
    calls: AtomicU32,
    /// Whether it was asked about since somebody last wanted to know.
    was_asked: AtomicBool,
}

#[derive(Debug)]
enum VariantState {
    /// What the runs so far tell, if they are enough to tell anything.
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
    /// Whether something is to be learned from its next run.
    pub(super) fn is_curious(&self) -> bool {
        match self.standing {
            VariantState::Learning(..) => true,
            VariantState::Settled(_) => false,
            VariantState::Unpredictable => self.calls.load(Relaxed) >= PATIENCE_CALLS,
        }
    }

    /// What its next run is likely to do. Counts as a call.
    #[inline]
    pub(super) fn ask(&self) -> Option<&Forecast> {
        // Not exact where several ask at a time, which does not matter.
        self.calls.store(self.calls.load(Relaxed).saturating_add(1), Relaxed);
        self.was_asked.store(true, Relaxed);
        match &self.standing {
            VariantState::Learning(_, forecast) => forecast.as_ref(),
            VariantState::Settled(forecast) => Some(forecast),
            VariantState::Unpredictable => None,
        }
    }

    /// What its next run is likely to do, if that is not being learned.
    pub(super) const fn settled(&self) -> Option<&Forecast> {
        match &self.standing {
            VariantState::Settled(forecast) => Some(forecast),
            _ => None,
        }
    }

    /// Learns from a run, if there is something to learn.
    pub(super) fn learn(&mut self, call: &Call<'_>, fixed: Words, observed: &ObservedRun<'_>) {
        if !self.is_curious() {
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
            Ok(()) if !lessons.are_over() => {
                let forecast = lessons.forecast();
                VariantState::Learning(lessons, forecast)
            }
            Ok(()) => match lessons.forecast().filter(|_| lessons.is_guarded()) {
                Some(forecast) => VariantState::Settled(forecast),
                None => self.give_up(),
            },
        };
    }

    /// Learns anew, or gives up. Further misses of what was predicted before do not count.
    pub(super) fn miss(&mut self) {
        if matches!(&self.standing, VariantState::Learning(_, None) | VariantState::Unpredictable) {
            return;
        }
        if *self.calls.get_mut() >= PATIENCE_CALLS {
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

    /// Whether it was asked about since this was asked last.
    pub(super) fn take_asked(&mut self) -> bool {
        core::mem::take(self.was_asked.get_mut())
    }
}
