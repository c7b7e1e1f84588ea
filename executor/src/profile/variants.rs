//! The variants of one function.

use alloc::boxed::Box;

use alloy_primitives::{Address, map::HashMap};

use super::{
    ObservedRun, Predictions,
    call::Call,
    contracts::{Contracts, NamedContract, Words},
    forecast::Forecast,
    variant::Variant,
};

/// Number of consecutive runs without effect after which the contracts in some words count as
/// irrelevant.
const IDLE_RUNS: u32 = 4;

/// The variants of a function: one per set of contracts in relevant words of the calldata. A token
/// does the same whether the recipient has code or not. A router does not.
#[derive(Debug, Default)]
pub(super) struct Variants {
    /// The variant for calls that name no contract.
    plain: Option<Variant>,
    others: HashMap<Box<[NamedContract]>, Variant>,
    /// Words that have named contracts. Only these are examined.
    looked_at: Words,
    /// Words that name contracts without effect, as far as is known.
    idle: Words,
    /// Words that name contracts which have had an effect.
    telling: Words,
    idle_runs: u32,
}

impl Variants {
    pub(super) fn is_curious(&self, call: &Call<'_>, has_code: impl Fn(&Address) -> bool) -> bool {
        let variant = if self.looked_at.is_empty() {
            self.plain.as_ref()
        } else {
            self.get(&self.contracts(call, has_code))
        };
        variant.is_none_or(Variant::is_curious)
    }

    /// The forecast of a call.
    #[inline]
    pub(super) fn ask(
        &self,
        call: &Call<'_>,
        has_code: impl Fn(&Address) -> bool,
    ) -> Option<&Forecast> {
        if self.looked_at.is_empty() {
            return self.plain.as_ref()?.ask();
        }
        let contracts = self.contracts(call, has_code);
        match self.get(&contracts) {
            Some(variant) => variant.ask(),
            // Unless there is evidence to the contrary, contracts have no effect.
            None if contracts.only(self.telling).is_empty() => {
                self.plain.as_ref().filter(|plain| plain.settled().is_some())?.ask()
            }
            None => None,
        }
    }

    /// Learns from a call that names these contracts. Returns the contracts of the new variant, if
    /// it created one.
    pub(super) fn learn(
        &mut self,
        call: &Call<'_>,
        contracts: &Contracts,
        observed: &ObservedRun<'_>,
    ) -> Option<Contracts> {
        self.looked_at = self.looked_at.with(contracts.words().without(self.idle));
        let contracts = contracts.only(self.looked_at);
        let is_new = self.get(&contracts).is_none();
        if is_new && self.are_idle(call, &contracts, observed) {
            return None;
        }
        let variant = if contracts.is_empty() {
            self.plain.get_or_insert_default()
        } else {
            self.others.entry(contracts.as_slice().into()).or_default()
        };
        variant.learn(call, contracts.words(), observed);
        is_new.then_some(contracts)
    }

    /// Whether a run was as if the call named no contracts. After enough such runs the words that
    /// name them are not examined any more.
    fn are_idle(
        &mut self,
        call: &Call<'_>,
        contracts: &Contracts,
        observed: &ObservedRun<'_>,
    ) -> bool {
        let plain = self.plain.as_ref().and_then(Variant::settled);
        let Some(plain) = plain.filter(|_| contracts.only(self.telling).is_empty()) else {
            return false;
        };
        let mut predictions = Predictions::default();
        predictions.add(0, call, plain);
        predictions.hash();
        if !predictions.cover(call.caller, observed) {
            self.idle_runs = 0;
            return false;
        }
        self.idle_runs += 1;
        if self.idle_runs >= IDLE_RUNS {
            self.idle_runs = 0;
            self.idle = self.idle.with(contracts.words());
            self.looked_at = self.looked_at.without(contracts.words());
        }
        true
    }

    /// Notes that the prediction of a call that names these contracts was wrong.
    pub(super) fn miss(&mut self, contracts: &Contracts) {
        let words = contracts.words();
        let asked = contracts.only(self.looked_at);
        let was_exact = asked.words() == words;
        let variant = self.get_mut(asked.as_slice()).filter(|_| was_exact);
        if let Some(variant) = variant {
            variant.miss();
        } else if !words.without(self.telling).is_empty() {
            // Contracts in unexamined words may be the cause.
            self.telling = self.telling.with(words);
            self.looked_at = self.looked_at.with(words);
        }
    }

    pub(super) fn remove(&mut self, contracts: &[NamedContract]) {
        if contracts.is_empty() {
            self.plain = None;
        } else {
            self.others.remove(contracts);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_none() && self.others.is_empty()
    }

    /// The contracts that a call names in examined words.
    fn contracts(&self, call: &Call<'_>, has_code: impl Fn(&Address) -> bool) -> Contracts {
        Contracts::at(self.looked_at, call, has_code)
    }

    fn get(&self, contracts: &Contracts) -> Option<&Variant> {
        if contracts.is_empty() {
            self.plain.as_ref()
        } else {
            self.others.get(contracts.as_slice())
        }
    }

    pub(super) fn get_mut(&mut self, contracts: &[NamedContract]) -> Option<&mut Variant> {
        if contracts.is_empty() { self.plain.as_mut() } else { self.others.get_mut(contracts) }
    }
}
