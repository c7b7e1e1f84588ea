use std::collections::{HashSet, VecDeque};

use super::Driven;
use crate::{drive::Record, plan::Slot, transport::Refusal};

/// How long a transaction for which there was no room waits before it is sent again, in nanoseconds.
const BUSY_PAUSE: u64 = 20_000_000;

/// A transaction that is under way, or about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sending {
    /// Its place in the lane.
    pub(super) place: u32,
    pub(super) slot: Slot,
    /// When it was sent first.
    sent: u64,
    /// Whether the node may have it already, its answer having been lost.
    unsure: bool,
}

/// What a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send what was taken.
    Send,
    /// Nothing until then, in nanoseconds after the start.
    Wait(u64),
    /// All was sent, or there is no more time.
    Nothing,
}

/// A connection's transactions: what is next, what comes back, what became of them.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    lane: &'a [Slot],
    next: usize,
    /// To be sent again, before all others.
    again: VecDeque<Sending>,
    /// Not before then.
    pause_until: u64,
    /// Senders of whom one was refused: nothing after it could be included.
    dropped: HashSet<u32>,
    stop_after: u64,
    driven: Driven,
}

impl<'a> Queue<'a> {
    pub(super) fn new(lane: &'a [Slot], stop_after: u64) -> Self {
        Self {
            lane,
            next: 0,
            again: VecDeque::new(),
            pause_until: 0,
            dropped: HashSet::new(),
            stop_after,
            driven: Driven::default(),
        }
    }

    /// Takes what is due, at most so many.
    pub(super) fn take(&mut self, now: u64, max: usize, taken: &mut Vec<Sending>) -> Next {
        taken.clear();
        if !self.again.is_empty() && now < self.pause_until {
            return Next::Wait(self.pause_until);
        }
        while taken.len() < max
            && let Some(again) = self.again.pop_front()
        {
            if self.dropped.contains(&again.slot.sender) {
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
            return Next::Send;
        }
        match self.lane.get(self.next) {
            Some(slot) if now < self.stop_after => Next::Wait(slot.due),
            _ => Next::Nothing,
        }
    }

    fn take_new(&mut self, now: u64, max: usize, taken: &mut Vec<Sending>) {
        while taken.len() < max
            && let Some(slot) = self.lane.get(self.next).filter(|slot| slot.due <= now)
        {
            let place = u32::try_from(self.next).expect("invariant: counted in 32 bits");
            self.next += 1;
            if self.dropped.contains(&slot.sender) {
                self.driven.withheld += 1;
            } else {
                taken.push(Sending { place, slot: *slot, sent: now, unsure: false });
            }
        }
    }

    /// What the node said of one.
    pub(super) fn answered(&mut self, sending: Sending, now: u64, result: Result<(), Refusal>) {
        let Sending { slot: Slot { index, sender, due }, sent, unsure, .. } = sending;
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
        self.driven.accepted.push(Record { index, due, sent, acknowledged });
    }

    /// The answers to these are lost: they are sent again, over another connection.
    pub(super) fn lost(&mut self, sendings: impl DoubleEndedIterator<Item = Sending>) {
        for sending in sendings.rev() {
            self.again.push_front(Sending { unsure: true, ..sending });
        }
        self.pause_until = 0;
    }

    /// Counts something that is wrong with a connection.
    pub(super) fn complain(&mut self, refusal: &Refusal, now: u64) {
        self.driven.complain(refusal, now);
    }

    /// Time after which nothing is sent again for want of room.
    fn give_up_after(&self) -> u64 {
        self.stop_after.saturating_mul(2)
    }

    /// What became of the lane. Whatever is left counts as not sent, or refused if it was sent before.
    pub(super) fn finish(mut self, now: u64) -> Driven {
        self.driven.unsent = self.lane.len() - self.next;
        self.driven.refused.extend(self.again.iter().map(|sending| (sending.slot.index, now)));
        self.driven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const STOP: u64 = 10_000 * MS;

    fn slot(index: u32, sender: u32, due: u64) -> Slot {
        Slot { index, sender, due }
    }

    fn refusal(text: &str) -> Result<(), Refusal> {
        Err(Refusal { code: "-32000".into(), text: text.into() })
    }

    fn places(taken: &[Sending]) -> Vec<u32> {
        taken.iter().map(|sending| sending.place).collect()
    }

    #[test]
    fn what_is_due_goes_together_and_the_rest_waits() {
        let lane = [slot(0, 0, 1), slot(1, 1, 5), slot(2, 2, 9)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
        assert_eq!(queue.take(0, 8, &mut taken), Next::Wait(1));
        assert_eq!(queue.take(6, 8, &mut taken), Next::Send);
        assert_eq!(places(&taken), [0, 1]);
        assert_eq!(queue.take(7, 8, &mut taken), Next::Wait(9));
        assert_eq!(queue.take(9, 8, &mut taken), Next::Send);
        assert_eq!(queue.take(10, 8, &mut taken), Next::Nothing);
    }

    #[test]
    fn latency_counts_from_when_it_was_due() {
        let lane = [slot(0, 0, 10)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
        queue.take(50, 1, &mut taken);
        queue.answered(taken[0], 70, Ok(()));
        let accepted = queue.finish(80).accepted;
        assert_eq!(accepted, [Record { index: 0, due: 10, sent: 50, acknowledged: 70 }]);
    }

    #[test]
    fn without_room_it_is_sent_again_first_and_latency_goes_on() {
        let lane = [slot(0, 7, 0), slot(1, 7, 0)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
        queue.take(5, 1, &mut taken);
        queue.answered(taken[0], 6, refusal("txpool is full"));
        assert_eq!(queue.take(7, 2, &mut taken), Next::Wait(6 + BUSY_PAUSE));
        assert_eq!(queue.take(6 + BUSY_PAUSE, 2, &mut taken), Next::Send);
        assert_eq!(places(&taken), [0, 1]);
        queue.answered(taken[0], 30 * MS, Ok(()));
        let driven = queue.finish(STOP);
        assert_eq!((driven.accepted[0].due, driven.accepted[0].sent), (5, 5));
        assert_eq!((driven.errors.values().sum::<u64>(), driven.refused.len()), (1, 0));
    }

    #[test]
    fn nothing_is_sent_behind_a_refused_one_of_the_same_sender() {
        let lane = [slot(0, 7, 0), slot(1, 8, 0), slot(2, 7, 0)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
        queue.take(0, 1, &mut taken);
        queue.answered(taken[0], 1, refusal("insufficient funds"));
        assert_eq!(queue.take(2, 8, &mut taken), Next::Send);
        assert_eq!(places(&taken), [1]);
        assert_eq!(queue.finish(3).withheld, 1);
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_and_known_means_accepted() {
        let lane = [slot(0, 0, 0), slot(1, 1, 0)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
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
    fn what_was_not_sent_before_can_not_be_known() {
        let lane = [slot(0, 0, 0)];
        let (mut queue, mut taken) = (Queue::new(&lane, STOP), Vec::new());
        queue.take(3, 2, &mut taken);
        queue.answered(taken[0], 4, refusal("already known"));
        assert_eq!(queue.finish(5).refused, [(0, 4)]);
    }

    #[test]
    fn after_the_time_nothing_new_is_sent() {
        let lane = [slot(0, 0, 0), slot(1, 1, 0)];
        let (mut queue, mut taken) = (Queue::new(&lane, 100), Vec::new());
        queue.take(0, 1, &mut taken);
        assert_eq!(queue.take(100, 1, &mut taken), Next::Nothing);
        assert_eq!(queue.finish(100).unsent, 1);
    }
}
