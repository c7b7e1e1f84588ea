use std::collections::BTreeSet;

use alloy::rpc::types::TransactionReceipt;
use alloy_primitives::{Address, B256, U256};
use tracing::{info, warn};
use turnpike_l1::{Call, Dispute, Fees, L1Error, L1Head, L1Sender, SignedCall};
use turnpike_storage::{Database, SentTransaction, StorageError};

use super::{
    FeePolicy, Look, Purpose,
    book::{Book, Fate, Sent, Upkeep},
    offer::{Urgency, affordable, offer, urgent_limit, worst_cost},
};
use crate::{Event, metrics::ChallengerMetrics};

/// Transactions on their way at the same time, before one that has time is sent.
const IN_FLIGHT_MAX: usize = 16;

/// The same, before one that is urgent is sent: pools keep no more of an account's.
const IN_FLIGHT_URGENT_MAX: usize = 64;

/// Room above the estimate, in percent: state may move between estimate and inclusion.
const GAS_MARGIN_PERCENT: u64 = 20;

/// Gas of a transaction that does nothing.
const NOTHING_GAS: u64 = 21_000;

/// Seconds between the blocks of Ethereum: as long as no others were seen, and at most.
const BLOCK_SECONDS_MAX: u64 = 12;

/// Something to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) purpose: Purpose,
    pub(crate) call: Call,
    /// Timestamp, in seconds, of the last L1 block that it is good for.
    pub(crate) deadline: u64,
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is signed, recorded, and on its way.
    Sent(B256),
    /// L1 would refuse it: somebody was first, say. It is looked at again on the next block.
    Refused,
    /// It has to wait: for a cheaper block, for those before it, or for money.
    Held,
}

/// Why a transaction cannot be sent or followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SenderError {
    #[error("cannot send or follow transactions")]
    L1(#[from] L1Error),
    #[error("cannot record transactions")]
    Storage(#[from] StorageError),
}

/// Owns a key's nonces: signs, records, broadcasts and follows all that is sent with it.
#[derive(Debug)]
pub(crate) struct Sender {
    l1: L1Sender,
    /// `None`: what is in flight is forgotten at the end.
    database: Option<Database>,
    policy: FeePolicy,
    metrics: ChallengerMetrics,
    book: Book,
    look: Look,
    /// Number and timestamp of the first block that was seen.
    first: Option<(u64, u64)>,
    /// The newest block at which what is in flight was seen to.
    kept_up: B256,
    /// What was refused at the newest block.
    refused: BTreeSet<Purpose>,
    /// What waits for money.
    unpaid: BTreeSet<Purpose>,
    is_unpaid_said: bool,
    /// Whether the newest block is looked at for the first time.
    is_first_look: bool,
    /// Bonds that were taken out, not told yet.
    withdrawn: Vec<Event>,
    is_foreign_said: bool,
}

impl Sender {
    /// A sender that goes on where the database says.
    pub(crate) async fn open(
        l1: L1Sender,
        database: Option<Database>,
        policy: FeePolicy,
        metrics: ChallengerMetrics,
    ) -> Result<Self, StorageError> {
        let mut book = Book::default();
        if let Some(database) = &database {
            for sent in database.sent().await? {
                let tx = SignedCall::read(sent.raw, l1.address());
                let (Some(tx), Some(purpose)) = (tx, Purpose::from_text(&sent.purpose)) else {
                    warn!(l1_transaction = %sent.l1_transaction, "passing over another account's transaction");
                    continue;
                };
                let SentTransaction { deadline, l1_block, .. } = sent;
                book.add(Sent { purpose, deadline, l1_block, tx }, Fate::Waiting);
            }
        }
        if book.in_flight() > 0 {
            info!(count = book.in_flight(), "going on with what was sent before");
        }
        Ok(Self {
            l1,
            database,
            policy,
            metrics,
            book,
            look: Look::default(),
            first: None,
            kept_up: B256::ZERO,
            refused: BTreeSet::new(),
            unpaid: BTreeSet::new(),
            is_unpaid_said: false,
            is_first_look: false,
            withdrawn: Vec::new(),
            is_foreign_said: false,
        })
    }

    /// The account.
    pub(crate) const fn address(&self) -> Address {
        self.l1.address()
    }

    /// Whether something for this purpose is on its way, or L1 would refuse it in the newest block.
    pub(crate) fn is_busy(&self, purpose: &Purpose) -> bool {
        self.refused.contains(purpose) || self.book.is_busy(purpose, self.look.read)
    }

    /// How many transactions are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.book.in_flight()
    }

    /// Whether everything that was sent is in blocks that duties know of.
    pub(crate) fn is_settled(&self) -> bool {
        self.book.unsettled(self.look.read).is_empty()
    }

    /// L1 has dropped the blocks after this one.
    pub(crate) fn go_back(&mut self, block: u64) {
        self.book.go_back(block);
        self.look.hash = B256::ZERO;
    }

    /// Learns what has become of what is in flight, once for each block. Duties follow from L1 up to block `read`.
    pub(crate) async fn look(&mut self, head: &L1Head, read: u64) -> Result<(), L1Error> {
        self.look.read = read;
        self.is_first_look = self.look.hash != head.hash;
        if !self.is_first_look {
            return Ok(());
        }
        let nonce = self.l1.nonce_at(head.hash).await?;
        let account = self.l1.account().await?;
        let (first, first_time) = *self.first.get_or_insert((head.number, head.time));
        let seconds = head.time.saturating_sub(first_time);
        let block_seconds = seconds.checked_div(head.number.saturating_sub(first));
        self.look = Look {
            // Set at the end: what fails on the way is done again.
            hash: self.look.hash,
            head: head.number,
            time: head.time,
            read,
            block_seconds: block_seconds.unwrap_or(u64::MAX).clamp(1, BLOCK_SECONDS_MAX),
            nonce,
            pending_nonce: account.pending_nonce,
            balance: account.balance,
            prices: self.l1.gas_prices().await?,
        };
        for nonce in self.book.unsettled(read) {
            self.follow(nonce).await?;
        }
        self.say_foreign();
        self.refused.clear();
        self.is_unpaid_said &= !self.unpaid.is_empty();
        self.unpaid.clear();
        self.metrics.account(self.look.balance, self.look.prices.base_fee, self.in_flight());
        self.look.hash = head.hash;
        Ok(())
    }

    /// Learns what has become of a nonce.
    async fn follow(&mut self, nonce: u64) -> Result<(), L1Error> {
        let Some(slot) = self.book.slots.get_mut(&nonce) else { return Ok(()) };
        let before = slot.fate;
        for sent in slot.sent.iter().rev() {
            let l1_transaction = sent.tx.hash;
            let Some(receipt) = self.l1.receipt(l1_transaction).await? else { continue };
            let block = receipt.block_number.unwrap_or(self.look.head);
            slot.fate = Fate::Included(block);
            if before == slot.fate {
                return Ok(());
            }
            let cost = u128::from(receipt.gas_used).saturating_mul(receipt.effective_gas_price);
            self.metrics.included(cost, receipt.status());
            if receipt.status() {
                self.withdrawn.extend(withdrawals(&receipt, self.l1.address()));
                info!(purpose = ?sent.purpose, %l1_transaction, block, "transaction is on L1");
            } else {
                // The view will show whether somebody was first; if not, it is due again.
                warn!(purpose = ?sent.purpose, %l1_transaction, block, "transaction failed on L1");
            }
            return Ok(());
        }
        let newest = slot.newest().tx.hash;
        slot.fate = match before {
            Fate::Taken(block) => Fate::Taken(block),
            _ if nonce < self.look.nonce => {
                warn!(nonce, "the nonce was used by a transaction that is not ours");
                Fate::Taken(self.look.head)
            }
            _ if self.l1.is_known(newest).await? => Fate::Waiting,
            _ => Fate::Lost,
        };
        Ok(())
    }

    fn say_foreign(&mut self) {
        let has_foreign = self.book.has_foreign(&self.look);
        if has_foreign && !self.is_foreign_said {
            let account = self.address();
            warn!(%account, "transactions wait that this challenger has not sent: is the key in use elsewhere?");
        }
        self.is_foreign_said = has_foreign;
    }

    /// Whether what is in flight was not seen to yet at the newest block.
    pub(crate) fn is_upkeep_due(&self) -> bool {
        self.kept_up != self.look.hash
    }

    /// Sees to what is in flight, which is due once for each block. `wanted` is what has still to be done on L1.
    pub(crate) async fn keep_up(&mut self, wanted: &BTreeSet<Purpose>) -> Result<(), SenderError> {
        for (nonce, upkeep) in self.book.upkeep(&self.look, wanted, &self.policy) {
            match upkeep {
                Upkeep::Forget => self.forget(nonce).await?,
                Upkeep::Rebroadcast => {
                    let Some(slot) = self.book.slots.get(&nonce) else { continue };
                    let tx = slot.newest().tx.clone();
                    info!(nonce, l1_transaction = %tx.hash, "L1 is told again of a transaction");
                    self.broadcast(&tx).await?;
                }
                Upkeep::Raise(urgency) => self.raise(nonce, urgency).await?,
                Upkeep::Clear(urgency) => self.clear(nonce, urgency).await?,
            }
        }
        self.kept_up = self.look.hash;
        Ok(())
    }

    async fn forget(&mut self, nonce: u64) -> Result<(), StorageError> {
        if let Some(database) = &self.database {
            let slot = self.book.slots.get(&nonce);
            for sent in slot.iter().flat_map(|slot| &slot.sent) {
                database.forget_sent(sent.tx.hash).await?;
            }
        }
        self.book.slots.remove(&nonce);
        Ok(())
    }

    /// Offers more for what waits.
    async fn raise(&mut self, nonce: u64, urgency: Urgency) -> Result<(), SenderError> {
        let Some(slot) = self.book.slots.get(&nonce) else { return Ok(()) };
        let is_lost = slot.fate == Fate::Lost;
        let Sent { purpose, deadline, tx, .. } = slot.newest().clone();
        let gas = match self.estimate(&purpose, &tx.call).await? {
            Some(gas) => gas.max(tx.gas_limit),
            // It would fail by now: it must not keep others waiting.
            None if self.book.is_before_others(nonce) => return self.clear(nonce, urgency).await,
            None => return Ok(()),
        };
        let order = Order { purpose, call: tx.call.clone(), deadline };
        let outcome = self.sign_and_send(order, nonce, gas, urgency, Some(&tx.fees)).await?;
        if outcome == Outcome::Held && is_lost {
            self.broadcast(&tx).await?;
        }
        Ok(())
    }

    /// Uses up a nonce that others wait behind.
    async fn clear(&mut self, nonce: u64, urgency: Urgency) -> Result<(), SenderError> {
        let replaced = self.book.slots.get(&nonce).map(|slot| slot.newest().tx.fees);
        let call = Call { to: self.address(), value: U256::ZERO, input: Default::default() };
        let order = Order { purpose: Purpose::Nothing, call, deadline: u64::MAX };
        self.sign_and_send(order, nonce, NOTHING_GAS, urgency, replaced.as_ref()).await.map(drop)
    }

    /// Sends something new.
    pub(crate) async fn send(&mut self, order: Order) -> Result<Outcome, SenderError> {
        let urgency = self.look.urgency(order.deadline, &self.policy);
        // What an earlier run without a database has sent may be the same.
        let is_blocked = self.book.has_foreign(&self.look) && urgency == Urgency::HasTime;
        let is_full = self.in_flight() >= in_flight_max(urgency);
        if self.is_busy(&order.purpose) || is_blocked || is_full {
            return Ok(Outcome::Held);
        }
        if self.available(None) < order.call.value {
            self.say_unpaid(&order.purpose, order.call.value);
            return Ok(Outcome::Held);
        }
        let Some(gas) = self.estimate(&order.purpose, &order.call).await? else {
            return Ok(Outcome::Refused);
        };
        let nonce = self.book.next_nonce(&self.look);
        let gas_limit = gas + gas * GAS_MARGIN_PERCENT / 100;
        self.sign_and_send(order, nonce, gas_limit, urgency, None).await
    }

    /// Gas that a call takes; `None` if L1 would refuse it.
    async fn estimate(&mut self, purpose: &Purpose, call: &Call) -> Result<Option<u64>, L1Error> {
        match self.l1.estimate_call(call).await {
            Ok(gas) => Ok(Some(gas)),
            Err(L1Error::Rejected(reason)) => {
                info!(?purpose, reason, "L1 would refuse a transaction: it is not sent");
                self.refused.insert(purpose.clone());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is left if everything on its way costs as much as it may.
    fn available(&self, without: Option<u64>) -> U256 {
        self.look.balance.saturating_sub(self.book.committed(without))
    }

    async fn sign_and_send(
        &mut self,
        order: Order,
        nonce: u64,
        gas_limit: u64,
        urgency: Urgency,
        replaced: Option<&Fees>,
    ) -> Result<Outcome, SenderError> {
        let Order { purpose, call, deadline } = order;
        let can_pay = affordable(self.available(Some(nonce)), call.value, gas_limit);
        let limit = match urgency {
            Urgency::HasTime => can_pay.min(self.policy.max_fee_per_gas),
            Urgency::Urgent => urgent_limit(can_pay, &self.look.prices),
        };
        let Some(fees) = offer(&self.look.prices, replaced, limit, urgency) else {
            let price = self.look.prices.base_fee + self.look.prices.priority_fee;
            if can_pay < price {
                self.say_unpaid(&purpose, call.value + U256::from(price) * U256::from(gas_limit));
            }
            return Ok(Outcome::Held);
        };
        self.unpaid.remove(&purpose);
        let tx = self.l1.sign_call(call, nonce, gas_limit, fees)?;
        let sent = Sent { purpose, deadline, l1_block: self.look.head, tx: tx.clone() };
        if let Some(database) = &self.database {
            database.record_sent(&record(&sent)).await?;
        }
        let max_fee = fees.max_fee_per_gas;
        let (hash, cost) = (tx.hash, worst_cost(&tx));
        info!(
            purpose = ?sent.purpose, nonce, max_fee, at_most = %cost, l1_transaction = %hash,
            "sending a transaction"
        );
        // Until it is seen waiting.
        self.book.add(sent, Fate::Lost);
        self.metrics.sent(replaced.is_some());
        self.broadcast(&tx).await?;
        Ok(Outcome::Sent(hash))
    }

    /// Hands a transaction to L1. What L1 does not take is told again on the next block.
    async fn broadcast(&mut self, tx: &SignedCall) -> Result<(), L1Error> {
        match self.l1.broadcast_call(tx).await {
            Ok(()) => {}
            Err(L1Error::Rejected(reason)) => {
                warn!(nonce = tx.nonce, l1_transaction = %tx.hash, reason, "L1 did not take a transaction");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if let Some(slot) = self.book.slots.get_mut(&tx.nonce) {
            slot.fate = Fate::Waiting;
        }
        Ok(())
    }

    fn say_unpaid(&mut self, purpose: &Purpose, needed: U256) {
        self.unpaid.insert(purpose.clone());
        if !std::mem::replace(&mut self.is_unpaid_said, true) {
            let (account, balance) = (self.address(), self.look.balance);
            warn!(?purpose, %account, %balance, %needed, "the challenger's account cannot pay: send it ether");
        }
    }

    /// Whether the newest block is looked at for the first time.
    pub(crate) const fn is_first_look(&self) -> bool {
        self.is_first_look
    }

    /// Whether an output is on its way to L1, or to being final.
    pub(crate) fn is_proposing(&self) -> bool {
        self.book.is_any_busy(self.look.read, |purpose| {
            matches!(
                purpose,
                Purpose::Propose { .. } | Purpose::Finalize { .. } | Purpose::Void { .. }
            )
        })
    }

    /// Leaves something alone until the next block.
    pub(crate) fn put_off(&mut self, purpose: Purpose) {
        self.refused.insert(purpose);
    }

    /// What was taken out of contracts and is not told yet.
    pub(crate) fn take_withdrawn(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.withdrawn)
    }

    /// How much waits for money.
    pub(crate) fn unpaid(&self) -> usize {
        self.unpaid.len()
    }
}

/// Transactions that may be on their way before another of this urgency is sent.
const fn in_flight_max(urgency: Urgency) -> usize {
    match urgency {
        Urgency::HasTime => IN_FLIGHT_MAX,
        Urgency::Urgent => IN_FLIGHT_URGENT_MAX,
    }
}

/// What a transaction has taken out.
fn withdrawals(receipt: &TransactionReceipt, account: Address) -> Vec<Event> {
    let logs = receipt.inner.logs().iter();
    logs.filter_map(|log| {
        let event = log.log_decode::<Dispute::BondWithdrawn>().ok()?;
        let (from, l1_transaction) = (log.address(), receipt.transaction_hash);
        let Dispute::BondWithdrawn { account: owner, amount } = event.inner.data;
        (owner == account).then_some(Event::BondWithdrawn { from, wei: amount, l1_transaction })
    })
    .collect()
}

fn record(sent: &Sent) -> SentTransaction {
    SentTransaction {
        l1_transaction: sent.tx.hash,
        nonce: sent.tx.nonce,
        purpose: sent.purpose.to_text(),
        deadline: sent.deadline,
        l1_block: sent.l1_block,
        raw: sent.tx.raw.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenger::may_pass;

    #[test]
    fn what_l1_does_not_answer_while_sending_may_pass() {
        let unreachable = SenderError::from(L1Error::Unreachable(String::new()));
        assert!(may_pass(&unreachable.into()));
        let wrong = SenderError::from(L1Error::NotDeployed);
        assert!(!may_pass(&wrong.into()));
    }

    #[test]
    fn what_has_time_leaves_room_for_what_is_urgent() {
        assert!(in_flight_max(Urgency::HasTime) < in_flight_max(Urgency::Urgent));
    }
}
