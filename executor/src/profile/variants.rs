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
const IRRELEVANT_RUNS: u32 = 4;

/// The variants of a function: one per set of contracts in relevant words of the calldata. For a
/// token it makes no difference whether the recipient has code. For a router it does.
#[derive(Debug, Default)]
pub(super) struct Variants {
    /// The variant for calls that name no contract.
    plain: Option<Variant>,
    others: HashMap<Box<[NamedContract]>, Variant>,
    /// Words that have named contracts. Only these words are examined.
    examined: Words,
    /// Words that name contracts without a known effect.
    irrelevant: Words,
    /// Words that name contracts which have had an effect.
    relevant: Words,
    irrelevant_runs: u32,
}

impl Variants {
    pub(super) fn should_learn(
        &self,
        call: &Call<'_>,
        has_code: impl Fn(&Address) -> bool,
    ) -> bool {
        let variant = if self.examined.is_empty() {
            self.plain.as_ref()
        } else {
            self.get(&self.contracts(call, has_code))
        };
        variant.is_none_or(Variant::should_learn)
    }

    /// The forecast of a call.
    #[inline]
    pub(super) fn ask(
        &self,
        call: &Call<'_>,
        has_code: impl Fn(&Address) -> bool,
    ) -> Option<&Forecast> {
        if self.examined.is_empty() {
            return self.plain.as_ref()?.ask();
        }
        let contracts = self.contracts(call, has_code);
        match self.get(&contracts) {
            Some(variant) => variant.ask(),
            // Unless there is evidence to the contrary, contracts have no effect.
            None if contracts.only(self.relevant).is_empty() => {
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
        self.examined = self.examined.with(contracts.words().without(self.irrelevant));
        let contracts = contracts.only(self.examined);
        let is_new = self.get(&contracts).is_none();
        if is_new && self.are_irrelevant(call, &contracts, observed) {
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

    /// Whether a run equals one that names no contracts. After enough such runs, the words that
    /// name the contracts are no longer examined.
    fn are_irrelevant(
        &mut self,
        call: &Call<'_>,
        contracts: &Contracts,
        observed: &ObservedRun<'_>,
    ) -> bool {
        let plain = self.plain.as_ref().and_then(Variant::settled);
        let Some(plain) = plain.filter(|_| contracts.only(self.relevant).is_empty()) else {
            return false;
        };
        let mut predictions = Predictions::default();
        predictions.add(0, call, plain);
        predictions.hash();
        if !predictions.cover(call.caller, observed) {
            self.irrelevant_runs = 0;
            return false;
        }
        self.irrelevant_runs += 1;
        if self.irrelevant_runs >= IRRELEVANT_RUNS {
            self.irrelevant_runs = 0;
            self.irrelevant = self.irrelevant.with(contracts.words());
            self.examined = self.examined.without(contracts.words());
        }
        true
    }

    /// Notes that the prediction of a call that names these contracts was wrong.
    pub(super) fn miss(&mut self, contracts: &Contracts) {
        let words = contracts.words();
        let asked = contracts.only(self.examined);
        let was_exact = asked.words() == words;
        let variant = self.get_mut(asked.as_slice()).filter(|_| was_exact);
        if let Some(variant) = variant {
            variant.miss();
        } else if !words.without(self.relevant).is_empty() {
            // Contracts in unexamined words may be the cause.
            self.relevant = self.relevant.with(words);
            self.examined = self.examined.with(words);
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
        Contracts::at(self.examined, call, has_code)
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
