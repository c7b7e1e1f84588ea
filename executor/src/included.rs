//! The transactions of a block, grouped by lane and iterated in order.

use alloc::{vec, vec::Vec};

use alloy_primitives::{Address, Log, U256};

#[cfg(feature = "std")]
use crate::BlockTransaction;
use crate::{BlockTx, runner::TxOutcome};

/// An included transaction and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included<T = BlockTx> {
    /// The transaction.
    pub tx: T,
    /// Sender.
    pub sender: Address,
    /// The sender's nonce before the transaction.
    pub nonce: u64,
    /// Whether it succeeded.
    pub is_success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Logs.
    pub logs: Vec<Log>,
    /// L1 data fee in wei. 0 for deposits.
    pub l1_fee: U256,
}

impl<T> Included<T> {
    #[inline]
    pub(crate) fn new(tx: T, ran: TxOutcome) -> Self {
        let TxOutcome { sender, nonce, is_success, gas_used, logs, l1_fee, .. } = ran;
        Self { tx, sender, nonce, is_success, gas_used, logs, l1_fee }
    }
}

#[cfg(feature = "std")]
impl<T: BlockTransaction> Transactions<T> {
    /// Whether another execution of the same transactions had the same outcome.
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

/// Number of a lane in its wave.
pub(crate) type LaneNumber = u16;

/// Marks a skipped transaction in the order of lanes.
pub(crate) const NO_LANE: LaneNumber = LaneNumber::MAX;

/// The transactions that a block holds, in order. Transactions that ran in lanes stay grouped by
/// lane. Iteration puts them in order.
#[derive(Clone, Debug)]
pub struct Transactions<T = BlockTx> {
    segments: Vec<Segment<T>>,
    len: usize,
}

/// Consecutive transactions of the block.
#[derive(Clone, Debug)]
struct Segment<T> {
    lanes: Vec<Vec<Included<T>>>,
    /// The lane of each transaction, or [`NO_LANE`]. `None` if the transactions share one lane.
    order: Option<Vec<LaneNumber>>,
}

impl<T> Default for Transactions<T> {
    fn default() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }
}

impl<T> Transactions<T> {
    /// Number of transactions.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the list is empty.
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

    /// The last transaction.
    pub fn last(&self) -> Option<&Included<T>> {
        self.segments.iter().rev().find_map(|segment| match &segment.order {
            None => segment.lanes.first()?.last(),
            Some(order) => {
                let lane = order.iter().rfind(|lane| **lane != NO_LANE)?;
                segment.lanes[usize::from(*lane)].last()
            }
        })
    }

    /// Appends a transaction.
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

    /// Appends the transactions of a wave. `order` contains the lane of each.
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

/// Iterates over [`Transactions`] by value.
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

/// Takes the next transaction from its lane, as `order` says.
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
    fn transactions_are_in_order_across_lanes() {
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
