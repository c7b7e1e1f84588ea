//! Draws senders and recipients.

use turnpike_random::Rng;

/// Draws senders and recipients from a population, the same ones in every run.
///
/// Accounts are numbered from 0. Each belongs to class `number % classes`: the accounts that hold
/// the same token or trade in the same pool, and so can pay each other.
#[derive(Clone, Debug)]
pub struct Crowd {
    random: Rng,
    population: usize,
    classes: usize,
}

/// A sender and a different recipient of the same class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Number of the sender.
    pub from: usize,
    /// Number of the recipient.
    pub to: usize,
    /// Their class.
    pub class: usize,
}

impl Crowd {
    /// A crowd of accounts in this many classes.
    ///
    /// # Panics
    ///
    /// If a class has fewer than two accounts.
    pub fn new(seed: u64, population: usize, classes: usize) -> Self {
        assert!(classes > 0 && population >= 2 * classes, "each class needs two accounts");
        Self { random: Rng::new(seed), population, classes }
    }

    /// How many accounts there are.
    pub const fn population(&self) -> usize {
        self.population
    }

    /// The next sender and recipient.
    pub fn pair(&mut self) -> Pair {
        let class = self.random.below(self.classes);
        let members = (self.population - class).div_ceil(self.classes);
        let (from, to) = self.random.pair_below(members);
        Pair { from: class + from * self.classes, to: class + to * self.classes, class }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_two_accounts_of_one_class() {
        let mut crowd = Crowd::new(1, 25, 10);
        for _ in 0..1_000 {
            let Pair { from, to, class } = crowd.pair();
            assert!(from != to && from < 25 && to < 25);
            assert_eq!([from % 10, to % 10], [class; 2]);
        }
    }

    #[test]
    fn a_seed_always_gives_the_same_pairs() {
        let pairs = || {
            let mut crowd = Crowd::new(7, 100, 1);
            (0..100).map(|_| crowd.pair()).collect::<Vec<_>>()
        };
        assert_eq!(pairs(), pairs());
    }
}
