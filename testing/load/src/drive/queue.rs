//! State of a connection's schedule: what to send next, and the outcome of what was sent.

use std::collections::{HashSet, VecDeque};

use super::DriveOutcome;
use crate::{drive::AcceptedRecord, plan::ScheduledTransaction, transport::Refusal};

/// Pause before a transaction refused for lack of room is sent again, in nanoseconds.
const BUSY_PAUSE: u64 = 20_000_000;

/// A transaction in flight, or about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFlight {
    /// Position in the schedule.
    pub(super) place: u32,
    pub(super) scheduled: ScheduledTransaction,
    /// Time of the first sending.
    sent: u64,
    /// Whether the node may have it already: an answer was lost.
    unsure: bool,
}

/// The next action of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Send the transactions taken.
    Send,
    /// Wait until this time, in nanoseconds after the start.
    Wait(u64),
    /// End: everything is sent, or the time is over.
    Nothing,
}

/// State of a connection's schedule: pending, retried and answered transactions.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    schedule: &'a [ScheduledTransaction],
    next: usize,
    /// Transactions to send again, before all others.
    again: VecDeque<InFlight>,
    /// Retries wait until this time.
    pause_until: u64,
    /// Senders with a refused transaction: no later one could be included.
    dropped: HashSet<u32>,
    stop_after: u64,
    driven: DriveOutcome,
}

impl<'a> Queue<'a> {
    pub(super) fn new(schedule: &'a [ScheduledTransaction], stop_after: u64) -> Self {
        Self {
            schedule,
            next: 0,
            again: VecDeque::new(),
            pause_until: 0,
            dropped: HashSet::new(),
            stop_after,
            driven: DriveOutcome::default(),
        }
    }

    /// Takes at most `batch` due transactions.
    pub(super) fn take(&mut self, now: u64, max: usize, taken: &mut Vec<InFlight>) -> NextAction {
        taken.clear();
        if !self.again.is_empty() && now < self.pause_until {
            return NextAction::Wait(self.pause_until);
        }
        while taken.len() < max
            && let Some(again) = self.again.pop_front()
        {
            if self.dropped.contains(&again.scheduled.sender) {
                self.driven.withheld += 1;
            } else {
                taken.push(again);
            }
        }
        if now < self.stop_after {
            self.take_new(now, max, taken);
        }
        if !taken.is_empty() {
            self.driven.requests += 1;
            self.driven.sends += taken.len() as u64;
            return NextAction::Send;
        }
        match self.schedule.get(self.next) {
            Some(scheduled) if now < self.stop_after => NextAction::Wait(scheduled.due),
            _ => NextAction::Nothing,
        }
    }

    fn take_new(&mut self, now: u64, max: usize, taken: &mut Vec<InFlight>) {
        while taken.len() < max
            && let Some(scheduled) =
                self.schedule.get(self.next).filter(|scheduled| scheduled.due <= now)
        {
            let place = u32::try_from(self.next).expect("invariant: counted in 32 bits");
            self.next += 1;
            if self.dropped.contains(&scheduled.sender) {
                self.driven.withheld += 1;
            } else {
                taken.push(InFlight { place, scheduled: *scheduled, sent: now, unsure: false });
            }
        }
    }

    /// Records the node's answer to a transaction.
    pub(super) fn answered(&mut self, sending: InFlight, now: u64, result: Result<(), Refusal>) {
        let InFlight {
            scheduled: ScheduledTransaction { index, sender, due }, sent, unsure, ..
        } = sending;
        match result {
            Err(refusal) if unsure && refusal.is_known() => self.accept(index, due, sent, now),
            Err(refusal) => {
                self.driven.complain(&refusal, now);
                if refusal.is_busy() && now < self.give_up_after() {
                    self.again.push_back(sending);
                    self.pause_until = now + BUSY_PAUSE;
                } else {
                    self.driven.refused.push((index, now));
                    self.dropped.insert(sender);
                }
            }
            Ok(()) => self.accept(index, due, sent, now),
        }
    }

    fn accept(&mut self, index: u32, due: u64, sent: u64, acknowledged: u64) {
        let due = if due == 0 { sent } else { due };
        self.driven.accepted.push(AcceptedRecord { index, due, sent, acknowledged });
    }

    /// Schedules transactions again whose answers were lost with the connection.
    pub(super) fn lost(&mut self, sendings: impl DoubleEndedIterator<Item = InFlight>) {
        for sending in sendings.rev() {
            self.again.push_front(InFlight { unsure: true, ..sending });
        }
        self.pause_until = 0;
    }

    /// Counts an error.
    pub(super) fn complain(&mut self, refusal: &Refusal, now: u64) {
        self.driven.complain(refusal, now);
    }

    /// Time after which a refusal for lack of room is final.
    fn give_up_after(&self) -> u64 {
        self.stop_after.saturating_mul(2)
    }

    /// The outcome of the schedule. A remaining transaction counts as refused if it was sent, else
    /// as not sent.
    pub(super) fn finish(mut self, now: u64) -> DriveOutcome {
        self.driven.unsent = self.schedule.len() - self.next;
        self.driven.refused.extend(self.again.iter().map(|sending| (sending.scheduled.index, now)));
        self.driven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const STOP: u64 = 10_000 * MS;

    fn scheduled(index: u32, sender: u32, due: u64) -> ScheduledTransaction {
        ScheduledTransaction { index, sender, due }
    }

    fn refusal(text: &str) -> Result<(), Refusal> {
        Err(Refusal { code: "-32000".into(), text: text.into() })
    }

    fn places(taken: &[InFlight]) -> Vec<u32> {
        taken.iter().map(|sending| sending.place).collect()
    }

    #[test]
    fn due_transactions_are_taken_together() {
        let schedule = [scheduled(0, 0, 1), scheduled(1, 1, 5), scheduled(2, 2, 9)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        assert_eq!(queue.take(0, 8, &mut taken), NextAction::Wait(1));
        assert_eq!(queue.take(6, 8, &mut taken), NextAction::Send);
        assert_eq!(places(&taken), [0, 1]);
        assert_eq!(queue.take(7, 8, &mut taken), NextAction::Wait(9));
        assert_eq!(queue.take(9, 8, &mut taken), NextAction::Send);
        assert_eq!(queue.take(10, 8, &mut taken), NextAction::Nothing);
    }

    #[test]
    fn latency_counts_from_the_scheduled_time() {
        let schedule = [scheduled(0, 0, 10)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        queue.take(50, 1, &mut taken);
        queue.answered(taken[0], 70, Ok(()));
        let accepted = queue.finish(80).accepted;
        assert_eq!(accepted, [AcceptedRecord { index: 0, due: 10, sent: 50, acknowledged: 70 }]);
    }

    #[test]
    fn transaction_refused_for_room_is_retried_first() {
        let schedule = [scheduled(0, 7, 0), scheduled(1, 7, 0)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        queue.take(5, 1, &mut taken);
        queue.answered(taken[0], 6, refusal("txpool is full"));
        assert_eq!(queue.take(7, 2, &mut taken), NextAction::Wait(6 + BUSY_PAUSE));
        assert_eq!(queue.take(6 + BUSY_PAUSE, 2, &mut taken), NextAction::Send);
        assert_eq!(places(&taken), [0, 1]);
        queue.answered(taken[0], 30 * MS, Ok(()));
        let driven = queue.finish(STOP);
        assert_eq!((driven.accepted[0].due, driven.accepted[0].sent), (5, 5));
        assert_eq!((driven.errors.values().sum::<u64>(), driven.refused.len()), (1, 0));
    }

    #[test]
    fn refusal_withholds_the_senders_later_transactions() {
        let schedule = [scheduled(0, 7, 0), scheduled(1, 8, 0), scheduled(2, 7, 0)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        queue.take(0, 1, &mut taken);
        queue.answered(taken[0], 1, refusal("insufficient funds"));
        assert_eq!(queue.take(2, 8, &mut taken), NextAction::Send);
        assert_eq!(places(&taken), [1]);
        assert_eq!(queue.finish(3).withheld, 1);
    }

    #[test]
    fn already_known_after_a_lost_answer_is_accepted() {
        let schedule = [scheduled(0, 0, 0), scheduled(1, 1, 0)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        queue.take(3, 2, &mut taken);
        queue.lost(taken.clone().into_iter());
        queue.take(4, 2, &mut taken);
        assert_eq!(places(&taken), [0, 1]);
        queue.answered(taken[0], 5, refusal("already known"));
        queue.answered(taken[1], 5, refusal("nonce too low: next nonce 1, tx nonce 0"));
        let driven = queue.finish(6);
        assert_eq!(
            (driven.accepted.len(), driven.accepted[0].sent, driven.refused.len()),
            (2, 3, 0)
        );
    }

    #[test]
    fn already_known_at_the_first_sending_is_a_refusal() {
        let schedule = [scheduled(0, 0, 0)];
        let (mut queue, mut taken) = (Queue::new(&schedule, STOP), Vec::new());
        queue.take(3, 2, &mut taken);
        queue.answered(taken[0], 4, refusal("already known"));
        assert_eq!(queue.finish(5).refused, [(0, 4)]);
    }

    #[test]
    fn nothing_new_is_sent_after_the_time_limit() {
        let schedule = [scheduled(0, 0, 0), scheduled(1, 1, 0)];
        let (mut queue, mut taken) = (Queue::new(&schedule, 100), Vec::new());
        queue.take(0, 1, &mut taken);
        assert_eq!(queue.take(100, 1, &mut taken), NextAction::Nothing);
        assert_eq!(queue.finish(100).unsent, 1);
    }
}
