//! Plans the load before the start: when each transaction is sent, and on which connection.

use turnpike_random::Rng;

use crate::args::Arrivals;

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A transaction scheduled on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScheduledTransaction {
    /// Index among all transactions.
    pub(crate) index: u32,
    /// Index of the sender.
    pub(crate) sender: u32,
    /// Scheduled time, in nanoseconds after the start; 0 in a closed loop.
    pub(crate) due: u64,
}

/// Arrival times of `count` transactions at this rate, in nanoseconds after the start.
pub(crate) fn arrivals(kind: Arrivals, per_second: u32, count: usize) -> Vec<u64> {
    let mean = SECOND as f64 / f64::from(per_second);
    let mut random = Rng::new(5);
    let mut at = 0.0;
    (0..count)
        .map(|_| {
            let now = at;
            at += match kind {
                Arrivals::Even => mean,
                // The logarithm takes a number above 0 and up to 1.
                Arrivals::Poisson => -random.unit().ln() * mean,
            };
            now as u64
        })
        .collect()
}

/// Assigns transactions to connections. All transactions of a sender use the same connection.
pub(crate) fn schedules(
    senders: &[u32],
    due: Option<&[u64]>,
    connections: usize,
) -> Vec<Vec<ScheduledTransaction>> {
    let mut schedules = vec![Vec::with_capacity(senders.len() / connections + 1); connections];
    for (index, sender) in senders.iter().enumerate() {
        let due = due.map_or(0, |due| due[index]);
        let index = u32::try_from(index).expect("invariant: transactions are counted in 32 bits");
        schedules[*sender as usize % connections].push(ScheduledTransaction {
            index,
            sender: *sender,
            due,
        });
    }
    schedules.retain(|schedule| !schedule.is_empty());
    schedules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_have_equal_gaps() {
        assert_eq!(arrivals(Arrivals::Even, 1_000, 4), [0, 1_000_000, 2_000_000, 3_000_000]);
    }

    #[test]
    fn poisson_arrivals_have_the_right_rate_and_deviation() {
        let times = arrivals(Arrivals::Poisson, 1_000, 100_000);
        assert!(times.is_sorted());
        let gaps: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
        // An exponential distribution's deviation is its mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn arrivals_are_the_same_in_every_run() {
        let of = || arrivals(Arrivals::Poisson, 50, 100);
        assert_eq!(of(), of());
    }

    #[test]
    fn sender_stays_on_one_connection_in_order() {
        let senders: Vec<u32> = (0..100).map(|n| n * 7 % 10).collect();
        let due: Vec<u64> = (0..100).collect();
        let schedules = schedules(&senders, Some(&due), 3);
        assert_eq!(schedules.iter().map(Vec::len).sum::<usize>(), 100);
        for schedule in &schedules {
            assert!(schedule.is_sorted_by_key(|scheduled| scheduled.index));
            assert!(schedule.iter().all(|scheduled| scheduled.due == u64::from(scheduled.index)));
        }
        for sender in 0..10 {
            let on = schedules
                .iter()
                .filter(|schedule| schedule.iter().any(|scheduled| scheduled.sender == sender));
            assert_eq!(on.count(), 1);
        }
    }

    #[test]
    fn connections_without_transactions_are_not_opened() {
        assert_eq!(schedules(&[0, 0, 0], None, 8).len(), 1);
    }
}
