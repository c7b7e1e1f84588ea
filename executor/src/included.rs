use alloc::{vec, vec::Vec};

use alloy_primitives::{Address, Log, U256};

#[cfg(feature = "std")]
use crate::BlockTransaction;
use crate::{BlockTx, runner::TxOutcome};

/// A transaction that its block holds, as it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included<T = BlockTx> {
    /// The transaction.
    pub tx: T,
    /// Who sent it.
    pub sender: Address,
    /// The sender's nonce before it.
    pub nonce: u64,
    /// Whether it went through.
    pub is_success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// What it logged.
    pub logs: Vec<Log>,
    /// L1 data fee, in wei; 0 for deposits.
    pub l1_fee: U256,
}

impl<T> Included<T> {
    #[inline]
    pub(crate) fn new(tx: T, ran: TxOutcome) -> Self {
        let TxOutcome { sender, nonce, is_success, gas_used, logs, l1_fee } = ran;
        Self { tx, sender, nonce, is_success, gas_used, logs, l1_fee }
    }
}

#[cfg(feature = "std")]
impl<T: BlockTransaction> Transactions<T> {
    /// Whether another run of the same transactions came to the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Included<T>, &Included<T>)| {
            let Included { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = one;
            tx.hash() == other.tx.hash()
                && (sender, nonce, is_success) == (&other.sender, &other.nonce, &other.is_success)
                && (gas_used, logs, l1_fee) == (&other.gas_used, &other.logs, &other.l1_fee)
        };
        self.len == other.len && self.iter().zip(other.iter()).all(is_same)
    }
}

/// The number of a lane among those that ran side by side.
pub(crate) type LaneNumber = u16;

/// Not a lane: the transaction of a place in the order was skipped.
pub(crate) const NO_LANE: LaneNumber = LaneNumber::MAX;

/// The transactions that a block holds, in order. Those that ran in lanes lie as they ran and are brought in order by
/// whoever goes through them, which somebody has to do anyway.
#[derive(Clone, Debug)]
pub struct Transactions<T = BlockTx> {
    segments: Vec<Segment<T>>,
    len: usize,
}

/// Transactions that follow each other in the block.
#[derive(Clone, Debug)]
struct Segment<T> {
    lanes: Vec<Vec<Included<T>>>,
    /// The lane of each transaction, or [`NO_LANE`]; `None` if there is but one.
    order: Option<Vec<LaneNumber>>,
}

impl<T> Default for Transactions<T> {
    fn default() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }
}

impl<T> Transactions<T> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The transactions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Included<T>> {
        self.segments.iter().flat_map(|segment| Interleaved {
            lanes: segment.lanes.iter().map(|lane| lane.iter()).collect(),
            order: segment.order.as_ref().map(|order| order.iter().copied()),
        })
    }

    /// The last one.
    pub fn last(&self) -> Option<&Included<T>> {
        self.segments.iter().rev().find_map(|segment| match &segment.order {
            None => segment.lanes.first()?.last(),
            Some(order) => {
                let lane = order.iter().rfind(|lane| **lane != NO_LANE)?;
                segment.lanes[usize::from(*lane)].last()
            }
        })
    }

    /// Adds one that ran after all that are here.
    #[inline]
    pub(crate) fn push(&mut self, tx: Included<T>) {
        self.len += 1;
        if let Some(Segment { lanes, order: None }) = self.segments.last_mut()
            && let [lane] = lanes.as_mut_slice()
        {
            return lane.push(tx);
        }
        self.segments.push(Segment { lanes: vec![vec![tx]], order: None });
    }

    /// Adds what ran side by side after all that are here. `order` names the lane of each.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn push_lanes(&mut self, lanes: Vec<Vec<Included<T>>>, order: Vec<LaneNumber>) {
        self.len += lanes.iter().map(Vec::len).sum::<usize>();
        self.segments.push(Segment { lanes, order: Some(order) });
    }
}

impl<T> IntoIterator for Transactions<T> {
    type Item = Included<T>;
    type IntoIter = IncludedIter<T>;

    fn into_iter(self) -> IncludedIter<T> {
        let segments = self.segments.into_iter().map(|segment| Interleaved {
            lanes: segment.lanes.into_iter().map(IntoIterator::into_iter).collect(),
            order: segment.order.map(IntoIterator::into_iter),
        });
        let segments: Vec<_> = segments.collect();
        IncludedIter { segments: segments.into_iter().flatten() }
    }
}

/// Goes through [`Transactions`].
#[derive(Debug)]
pub struct IncludedIter<T> {
    segments: core::iter::Flatten<vec::IntoIter<IntoLanes<T>>>,
}

type IntoLanes<T> = Interleaved<vec::IntoIter<Included<T>>, vec::IntoIter<LaneNumber>>;

impl<T> Iterator for IncludedIter<T> {
    type Item = Included<T>;

    #[inline]
    fn next(&mut self) -> Option<Included<T>> {
        self.segments.next()
    }
}

/// Takes from several lanes in turn.
#[derive(Debug)]
struct Interleaved<L, O> {
    lanes: Vec<L>,
    order: Option<O>,
}

impl<L: Iterator, O: Iterator<Item = LaneNumber>> Iterator for Interleaved<L, O> {
    type Item = L::Item;

    #[inline]
    fn next(&mut self) -> Option<L::Item> {
        let lane = match &mut self.order {
            None => 0,
            Some(order) => order.find(|lane| *lane != NO_LANE)?,
        };
        self.lanes.get_mut(usize::from(lane))?.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn included(nonce: u64) -> Included<()> {
        Included {
            tx: (),
            sender: Address::ZERO,
            nonce,
            is_success: true,
            gas_used: 1,
            logs: Vec::new(),
            l1_fee: U256::ZERO,
        }
    }

    #[test]
    fn transactions_come_in_order_whatever_they_ran_in() {
        let mut all = Transactions::default();
        assert!(all.is_empty() && all.last().is_none());
        all.push(included(0));
        all.push(included(1));
        let lanes = vec![vec![included(2), included(5)], vec![included(3), included(4)]];
        all.push_lanes(lanes, vec![0, 1, NO_LANE, 1, 0, NO_LANE]);
        assert_eq!(all.last().expect("not empty").nonce, 5);
        all.push_lanes(vec![Vec::new()], vec![NO_LANE]);
        assert_eq!(all.last().expect("not empty").nonce, 5);
        all.push(included(6));
        assert_eq!(all.last().expect("not empty").nonce, 6);
        assert_eq!(all.len(), 7);
        let nonces: Vec<_> = all.iter().map(|tx| tx.nonce).collect();
        assert_eq!(nonces, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(all.into_iter().map(|tx| tx.nonce).collect::<Vec<_>>(), nonces);
    }
}
