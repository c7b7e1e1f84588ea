//! The driver: observes the chain, keeps up what is in flight, and sends candidates.
//!
//! # State
//!
//! The [`NonceTable`], the last [`L1Observation`], and what the chain refused or the account could
//! not bid for at the newest block.
//!
//! # Recovery
//!
//! [`TxManager::open`] loads every recorded transaction as pending. The first
//! [`TxManager::observe`] finds the receipt of each, and [`TxManager::maintain`] rebroadcasts or
//! replaces what the pool has lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
};

use alloy::{
    eips::BlockId,
    rpc::types::{TransactionReceipt, state::StateOverride},
};
use alloy_primitives::{Address, B256, U256};
use tracing::{info, warn};
use turnpike_l1::{BlobSidecar, Call, L1Error, L1Head};

use crate::{
    AccountClient, Deferral, FeeLimits, FeePolicy, Fees, GasPlan, InMemory, L1Observation,
    NonceState, NonceTable, RecordedTx, SendOutcome, SentTx, SignedTx, TxCandidate, TxEvent,
    TxManagerError, TxPurpose, TxStatus, TxStore, TxType, Upkeep, Urgency,
    fees::{BLOB_GAS, affordable, urgent_limit},
};

/// Transactions in flight before another one without urgency is sent.
const IN_FLIGHT_MAX: usize = 16;

/// Transactions in flight before another urgent one is sent: pools keep no more of one account.
const IN_FLIGHT_URGENT_MAX: usize = 64;

/// Gas of a transaction that only uses up its nonce.
const CANCELLATION_GAS: u64 = 21_000;

/// Seconds between blocks: as long as no others were seen, and at most.
const BLOCK_SECONDS_MAX: u64 = 12;

/// What the tx manager does while the pool holds transactions of the account that it has not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignPolicy {
    /// Sends behind them.
    QueueBehind,
    /// Waits for them; urgent transactions queue behind them. After so many blocks it signs with
    /// their nonces.
    TakeOver {
        /// How many.
        after_blocks: u64,
    },
}

/// How a tx manager works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxManagerConfig {
    /// What it pays for gas.
    pub fees: FeePolicy,
    /// What it does about foreign transactions.
    pub foreign: ForeignPolicy,
    /// [`TxType::Blobs`] if it sends blob transactions as well, so that it needs their price.
    pub carries: TxType,
}

impl Default for TxManagerConfig {
    fn default() -> Self {
        Self {
            fees: FeePolicy::default(),
            foreign: ForeignPolicy::TakeOver { after_blocks: 20 },
            carries: TxType::Call,
        }
    }
}

impl From<FeePolicy> for TxManagerConfig {
    fn from(fees: FeePolicy) -> Self {
        Self { fees, ..Self::default() }
    }
}

/// Owns an account's nonces: signs, records, broadcasts and follows every transaction sent with its
/// key.
#[derive(Debug)]
pub struct TxManager<P, S = InMemory> {
    client: AccountClient,
    store: S,
    config: TxManagerConfig,
    nonces: NonceTable<P>,
    l1: L1Observation,
    /// Number and timestamp of the first block that was observed.
    first: Option<(u64, u64)>,
    /// Whether the last observation was the first of its block.
    is_new_block: bool,
    /// Hash of the newest block at which [`Self::maintain`] has run.
    maintained: B256,
    /// What the chain refused, or the owner deferred, at the newest block.
    refused: BTreeSet<P>,
    /// What waits for a lower price or for funds.
    unpaid: BTreeMap<P, Deferral>,
    has_logged_unfunded: bool,
    /// Block since which foreign transactions wait.
    foreign_since: Option<u64>,
    events: Vec<TxEvent<P>>,
}

impl<P: TxPurpose> TxManager<P> {
    /// A tx manager that keeps nothing between runs.
    pub fn in_memory(client: AccountClient, config: TxManagerConfig) -> Self {
        Self::new(client, InMemory, config, NonceTable::default())
    }
}

impl<P: TxPurpose, S: TxStore<P>> TxManager<P, S> {
    /// Opens a tx manager that goes on with the recorded transactions.
    pub async fn open(
        client: AccountClient,
        store: S,
        config: TxManagerConfig,
    ) -> Result<Self, TxManagerError> {
        let mut nonces = NonceTable::default();
        for recorded in store.load().await.map_err(of_store)? {
            let RecordedTx { l1_transaction, purpose, deadline, l1_block, raw } = recorded;
            let Some(tx) = SignedTx::decode(raw, client.address()) else {
                warn!(%l1_transaction, "ignoring a recorded transaction of another account");
                continue;
            };
            let sent = SentTx { purpose, deadline, l1_block, tx, sidecar: None };
            nonces.add(sent, TxStatus::Pending);
        }
        if nonces.in_flight() > 0 {
            info!(count = nonces.in_flight(), "resuming recorded transactions");
        }
        Ok(Self::new(client, store, config, nonces))
    }

    fn new(
        client: AccountClient,
        store: S,
        config: TxManagerConfig,
        nonces: NonceTable<P>,
    ) -> Self {
        Self {
            client,
            store,
            config,
            nonces,
            l1: L1Observation::default(),
            first: None,
            is_new_block: false,
            maintained: B256::ZERO,
            refused: BTreeSet::new(),
            unpaid: BTreeMap::new(),
            has_logged_unfunded: false,
            foreign_since: None,
            events: Vec::new(),
        }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.client.address()
    }

    /// The account's connection.
    pub const fn client(&self) -> &AccountClient {
        &self.client
    }

    /// The last observation.
    pub const fn observation(&self) -> &L1Observation {
        &self.l1
    }

    /// What was signed with each nonce.
    pub const fn nonces(&self) -> &NonceTable<P> {
        &self.nonces
    }

    /// Whether a transaction with this purpose is in flight, or was refused or deferred at the
    /// newest block.
    pub fn is_busy(&self, purpose: &P) -> bool {
        self.refused.contains(purpose) || self.nonces.is_busy(purpose, self.l1.read)
    }

    /// Whether a transaction whose purpose the filter accepts is in flight.
    pub fn is_any_busy(&self, accepts: impl Fn(&P) -> bool) -> bool {
        self.nonces.is_any_busy(self.l1.read, accepts)
    }

    /// Transactions in flight.
    pub fn in_flight(&self) -> usize {
        self.nonces.in_flight()
    }

    /// Whether the owner has read the blocks of every transaction that was sent.
    pub fn is_settled(&self) -> bool {
        self.nonces.unsettled(self.l1.read).is_empty()
    }

    /// Whether the last observation was the first of its block.
    pub const fn is_new_block(&self) -> bool {
        self.is_new_block
    }

    /// Purposes that wait for funds.
    pub fn unfunded(&self) -> usize {
        self.unpaid.values().filter(|deferral| **deferral == Deferral::Funds).count()
    }

    /// Why a transaction with this purpose could not be bid for at the newest block:
    /// [`Deferral::Funds`] or [`Deferral::Price`].
    pub fn unpaid(&self, purpose: &P) -> Option<Deferral> {
        self.unpaid.get(purpose).copied()
    }

    /// Whether the chain would refuse a transaction with this purpose, as of the newest block.
    pub fn is_refused(&self, purpose: &P) -> bool {
        self.refused.contains(purpose)
    }

    /// Brings the deadline of transactions in flight with this purpose forward to `deadline`.
    pub fn hasten(&mut self, purpose: &P, deadline: u64) {
        self.nonces.hasten(purpose, deadline);
    }

    /// Defers a purpose until the next block.
    pub fn defer(&mut self, purpose: P) {
        self.refused.insert(purpose);
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<TxEvent<P>> {
        std::mem::take(&mut self.events)
    }

    /// Handles a reorg that has dropped the blocks after `block`: transactions in them are pending
    /// again.
    pub fn rewind(&mut self, block: u64) {
        self.nonces.rewind(block);
        self.l1.hash = B256::ZERO;
    }

    /// Observes the account and finds what became of transactions in flight, once a block. The
    /// owner's decisions follow from blocks up to `read`. If an observation fails, the next one
    /// repeats all of it.
    pub async fn observe(&mut self, head: &L1Head, read: u64) -> Result<(), L1Error> {
        self.l1.read = read;
        self.is_new_block = self.l1.hash != head.hash;
        if !self.is_new_block {
            return Ok(());
        }
        let (account, prices) =
            self.client.observe(BlockId::hash(head.hash), self.config.carries).await?;
        let (first, first_time) = *self.first.get_or_insert((head.number, head.time));
        let seconds = head.time.saturating_sub(first_time);
        let block_seconds = seconds.checked_div(head.number.saturating_sub(first));
        self.l1 = L1Observation {
            // Set at the end, so that a failed observation is repeated.
            hash: self.l1.hash,
            head: head.number,
            time: head.time,
            read,
            block_seconds: block_seconds.unwrap_or(u64::MAX).clamp(1, BLOCK_SECONDS_MAX),
            nonce: account.nonce,
            pending_nonce: account.pending_nonce,
            balance: account.balance,
            prices,
        };
        self.check_in_flight().await?;
        self.note_foreign();
        self.refused.clear();
        self.has_logged_unfunded &= self.unfunded() > 0;
        self.unpaid.clear();
        self.l1.hash = head.hash;
        Ok(())
    }

    /// Finds the status of transactions in flight, also between blocks.
    pub(crate) async fn check_in_flight(&mut self) -> Result<(), L1Error> {
        let unsettled = self.nonces.unsettled(self.l1.read);
        let states =
            || unsettled.iter().filter_map(|nonce| Some((*nonce, self.nonces.get(*nonce)?)));
        let hash = |sent: &SentTx<P>| sent.tx.hash;
        let sent: Vec<_> = states().flat_map(|(_, state)| state.sent.iter().map(hash)).collect();
        let receipts = self.client.receipts(&sent).await?;
        let open = states().filter(|(nonce, state)| {
            let is_included = state.sent.iter().any(|sent| receipts.contains_key(&hash(sent)));
            !is_included && *nonce >= self.l1.nonce
        });
        let open: Vec<_> = open.map(|(_, state)| hash(state.newest())).collect();
        let known = self.client.known(&open).await?;
        for nonce in unsettled {
            self.follow(nonce, &receipts, &known);
        }
        Ok(())
    }

    /// Finds the status of a nonce.
    fn follow(
        &mut self,
        nonce: u64,
        receipts: &BTreeMap<B256, TransactionReceipt>,
        known: &BTreeSet<B256>,
    ) {
        let Some(state) = self.nonces.nonces.get_mut(&nonce) else { return };
        let before = state.status;
        for sent in state.sent.iter().rev() {
            let l1_transaction = sent.tx.hash;
            let Some(receipt) = receipts.get(&l1_transaction) else { continue };
            let block = receipt.block_number.unwrap_or(self.l1.head);
            state.status = TxStatus::Included(block);
            if before == state.status {
                return;
            }
            let purpose = sent.purpose.clone();
            if receipt.status() {
                info!(?purpose, %l1_transaction, block, "transaction included");
            } else {
                // The owner will see whether somebody was first. If not, it sends a new one.
                warn!(?purpose, %l1_transaction, block, "transaction reverted");
            }
            self.events.push(TxEvent::Included { purpose, receipt: Box::new(receipt.clone()) });
            return;
        }
        let newest = state.newest().tx.hash;
        state.status = match before {
            TxStatus::Displaced(block) => TxStatus::Displaced(block),
            _ if nonce < self.l1.nonce => {
                warn!(nonce, "a foreign transaction used the nonce");
                TxStatus::Displaced(self.l1.head)
            }
            _ if known.contains(&newest) => TxStatus::Pending,
            _ => TxStatus::Unknown,
        };
    }

    fn note_foreign(&mut self) {
        if !self.nonces.has_foreign(&self.l1) {
            self.foreign_since = None;
        } else if self.foreign_since.is_none() {
            self.foreign_since = Some(self.l1.head);
            let account = self.address();
            warn!(%account, "the pool holds foreign transactions of the account: is the key in use elsewhere?");
        }
    }

    /// Whether [`Self::maintain`] has not run at the newest block yet.
    pub fn is_maintenance_due(&self) -> bool {
        self.maintained != self.l1.hash
    }

    /// Keeps up what is in flight; due once a block. `wanted` is what the owner still wants on
    /// chain.
    pub async fn maintain(&mut self, wanted: &BTreeSet<P>) -> Result<(), TxManagerError> {
        for (nonce, upkeep) in self.nonces.upkeep(&self.l1, wanted, &self.config.fees) {
            if upkeep != Upkeep::Forget {
                self.restore_sidecar(nonce).await?;
            }
            let newest = self.nonces.get(nonce).map(NonceState::newest);
            if upkeep != Upkeep::Forget && newest.is_some_and(SentTx::lacks_blobs) {
                warn!(nonce, "cannot broadcast a blob transaction without its blobs");
                continue;
            }
            match upkeep {
                Upkeep::Forget => self.forget(nonce).await?,
                Upkeep::Rebroadcast => {
                    let Some(state) = self.nonces.get(nonce) else { continue };
                    let SentTx { tx, sidecar, .. } = state.newest().clone();
                    info!(nonce, l1_transaction = %tx.hash, "rebroadcasting transaction");
                    self.events.push(TxEvent::Rebroadcast);
                    self.broadcast(&tx, sidecar.as_ref()).await?;
                }
                Upkeep::Bump(urgency) => self.bump(nonce, urgency).await?,
                Upkeep::Cancel(urgency) => self.cancel(nonce, urgency).await?,
            }
        }
        self.maintained = self.l1.hash;
        Ok(())
    }

    /// Cancels what is in flight behind everything wanted, so that it does not land.
    pub async fn cancel_unneeded(&mut self, wanted: &BTreeSet<P>) -> Result<(), TxManagerError> {
        let first = self.nonces.first_unneeded(wanted);
        let open = self.nonces.open().filter(|(nonce, state)| {
            first.is_some_and(|first| *nonce >= first) && state.newest().purpose.is_some()
        });
        for nonce in open.map(|(nonce, _)| nonce).collect::<Vec<_>>() {
            self.restore_sidecar(nonce).await?;
            if self.nonces.get(nonce).is_some_and(|state| !state.newest().lacks_blobs()) {
                self.cancel(nonce, Urgency::Normal).await?;
            }
        }
        Ok(())
    }

    /// Has the store make the blobs of a nonce's newest transaction again, if a restart lost them.
    async fn restore_sidecar(&mut self, nonce: u64) -> Result<(), TxManagerError> {
        let Some(state) = self.nonces.nonces.get_mut(&nonce) else { return Ok(()) };
        if !state.newest().lacks_blobs() {
            return Ok(());
        }
        // A cancellation carries the blobs of the transaction that it replaces.
        let purposes = state.sent.iter().rev().filter_map(|sent| sent.purpose.clone());
        for purpose in purposes.collect::<Vec<_>>() {
            let sidecar = self.store.sidecar(&purpose).await.map_err(of_store)?;
            let newest = state.newest_mut();
            if let Some(sidecar) = sidecar.filter(|sidecar| newest.tx.commits_to(sidecar)) {
                newest.sidecar = Some(sidecar);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn forget(&mut self, nonce: u64) -> Result<(), TxManagerError> {
        let state = self.nonces.get(nonce);
        for sent in state.iter().flat_map(|state| &state.sent) {
            self.store.forget(sent.tx.hash).await.map_err(of_store)?;
        }
        self.nonces.nonces.remove(&nonce);
        Ok(())
    }

    /// Replaces the newest transaction by the same one with a higher bid.
    async fn bump(&mut self, nonce: u64, urgency: Urgency) -> Result<(), TxManagerError> {
        let Some(state) = self.nonces.get(nonce) else { return Ok(()) };
        let is_unknown = state.status == TxStatus::Unknown;
        let SentTx { purpose, deadline, tx, sidecar, .. } = state.newest().clone();
        let is_chained = purpose.as_ref().is_some_and(TxPurpose::is_chained);
        let estimated = match is_chained {
            true => Ok(tx.gas_limit),
            false => self.estimate(purpose.as_ref(), &tx.call, sidecar.as_ref(), None).await?,
        };
        let gas = match estimated {
            Ok(gas) => gas.max(tx.gas_limit),
            // It would revert by now, and must not keep others waiting.
            Err(_) if self.nonces.has_followers(nonce) => return self.cancel(nonce, urgency).await,
            Err(_) => return Ok(()),
        };
        let draft = Draft { purpose, call: tx.call.clone(), sidecar: sidecar.clone(), deadline };
        let outcome = self.sign_and_send(draft, nonce, gas, urgency, Some(&tx.fees)).await?;
        if matches!(outcome, SendOutcome::Deferred(_)) && is_unknown {
            // The higher bid is beyond its limit: the pool may accept the old one again.
            self.broadcast(&tx, sidecar.as_ref()).await?;
        }
        Ok(())
    }

    /// Uses up a nonce that others wait behind. Blobs are only replaced by blobs, so a cancellation
    /// keeps them.
    async fn cancel(&mut self, nonce: u64, urgency: Urgency) -> Result<(), TxManagerError> {
        let state = self.nonces.get(nonce);
        let fees = state.map(|state| state.newest().tx.fees);
        // In a gap, a cancellation is of the type of those that wait behind it.
        let sidecar = match state {
            Some(state) => state.newest().sidecar.clone(),
            None => self.nonces.first_open().and_then(|(_, sent)| sent.sidecar.clone()),
        };
        let call = Call { to: self.address(), value: U256::ZERO, input: Default::default() };
        let draft = Draft { purpose: None, call, sidecar, deadline: u64::MAX };
        self.sign_and_send(draft, nonce, CANCELLATION_GAS, urgency, fees.as_ref()).await.map(drop)
    }

    /// Signs, records and broadcasts a candidate with the next nonce.
    pub async fn send(&mut self, candidate: TxCandidate<P>) -> Result<SendOutcome, TxManagerError> {
        let urgency = self.l1.urgency(candidate.deadline, &self.config.fees);
        if self.is_busy(&candidate.purpose) {
            return Ok(SendOutcome::Deferred(Deferral::Busy));
        }
        if self.in_flight() >= in_flight_max(urgency) {
            return Ok(SendOutcome::Deferred(Deferral::Queue));
        }
        match self.nonce_for(urgency) {
            Some(nonce) => self.send_with(nonce, candidate, urgency, None).await,
            None => Ok(SendOutcome::Deferred(Deferral::Foreign)),
        }
    }

    /// Signs, records and broadcasts a candidate with a nonce in flight, in place of a transaction
    /// that is no longer wanted: at most one of both takes effect. Like [`Self::send`] if the nonce
    /// is not in flight.
    pub async fn replace(
        &mut self,
        nonce: u64,
        candidate: TxCandidate<P>,
    ) -> Result<SendOutcome, TxManagerError> {
        let state = self.nonces.get(nonce).filter(|state| state.is_open());
        let Some(fees) = state.map(|state| state.newest().tx.fees) else {
            return self.send(candidate).await;
        };
        let (purpose, read) = (&candidate.purpose, self.l1.read);
        if self.is_refused(purpose) || self.nonces.is_busy_beside(nonce, purpose, read) {
            return Ok(SendOutcome::Deferred(Deferral::Busy));
        }
        let urgency = self.l1.urgency(candidate.deadline, &self.config.fees);
        self.send_with(nonce, candidate, urgency, Some(&fees)).await
    }

    async fn send_with(
        &mut self,
        nonce: u64,
        candidate: TxCandidate<P>,
        urgency: Urgency,
        replaced: Option<&Fees>,
    ) -> Result<SendOutcome, TxManagerError> {
        let TxCandidate { purpose, call, sidecar, deadline, gas, reserve } = candidate;
        let tx_type = if sidecar.is_some() { TxType::Blobs } else { TxType::Call };
        self.nonces.is_other_type_waiting = self.nonces.has_other_type(tx_type);
        if self.nonces.is_other_type_waiting {
            return Ok(SendOutcome::Deferred(Deferral::Queue));
        }
        let needed = call.value.saturating_add(reserve);
        if self.available(Some(nonce)) < needed {
            return Ok(self.defer_unfunded(Some(&purpose), needed));
        }
        let GasPlan { limit, overrides } = gas;
        let estimated = self.estimate(Some(&purpose), &call, sidecar.as_ref(), overrides).await?;
        let gas_limit = match estimated {
            Ok(gas) => self.config.fees.gas_limit(gas).max(limit),
            Err(reason) => return Ok(SendOutcome::Rejected(reason)),
        };
        let draft = Draft { purpose: Some(purpose), call, sidecar, deadline };
        self.sign_and_send(draft, nonce, gas_limit, urgency, replaced).await
    }

    /// Nonce of the next transaction; `None` while it waits for foreign transactions. They may be
    /// what an earlier run without a store has sent for the same purpose.
    fn nonce_for(&self, urgency: Urgency) -> Option<u64> {
        let next = self.nonces.next_nonce(&self.l1);
        let ForeignPolicy::TakeOver { after_blocks } = self.config.foreign else {
            return Some(next);
        };
        let since = self.foreign_since.filter(|_| self.nonces.has_foreign(&self.l1));
        match since {
            None => Some(next),
            Some(since) if self.l1.head.saturating_sub(since) >= after_blocks => {
                Some(self.nonces.free_nonce(self.l1.nonce))
            }
            Some(_) if urgency == Urgency::Urgent => Some(next),
            Some(_) => None,
        }
    }

    /// Gas that a call takes, or why the chain would refuse it.
    async fn estimate(
        &mut self,
        purpose: Option<&P>,
        call: &Call,
        sidecar: Option<&BlobSidecar>,
        overrides: Option<StateOverride>,
    ) -> Result<Result<u64, String>, L1Error> {
        match self.client.estimate(call, sidecar.map(AsRef::as_ref), overrides).await {
            Ok(gas) => Ok(Ok(gas)),
            Err(L1Error::Rejected(reason)) => {
                info!(?purpose, reason, "transaction would revert: not sent");
                self.refused.extend(purpose.cloned());
                Ok(Err(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// What is left if every transaction in flight, except that with nonce `without`, costs as much
    /// as it may.
    fn available(&self, without: Option<u64>) -> U256 {
        self.l1.balance.saturating_sub(self.nonces.committed(without))
    }

    async fn sign_and_send(
        &mut self,
        draft: Draft<P>,
        nonce: u64,
        gas_limit: u64,
        urgency: Urgency,
        replaced: Option<&Fees>,
    ) -> Result<SendOutcome, TxManagerError> {
        let Draft { purpose, call, sidecar, deadline } = draft;
        let blobs = sidecar.as_ref().map_or(0, |sidecar| sidecar.blobs.len());
        let tx_type = if blobs > 0 { TxType::Blobs } else { TxType::Call };
        let available = self.available(Some(nonce));
        let prices = self.l1.prices;
        let blob_gas = U256::from(BLOB_GAS.saturating_mul(blobs as u64));
        let blob_cost = blob_gas * U256::from(prices.blob_base_fee);
        let can_pay = affordable(available, call.value + blob_cost, gas_limit);
        let limits = match urgency {
            Urgency::Normal => FeeLimits {
                max_fee_per_gas: can_pay.min(self.config.fees.max_fee_per_gas),
                ..self.config.fees.limits()
            },
            Urgency::Urgent => {
                FeeLimits { max_fee_per_gas: urgent_limit(can_pay, &prices), ..FeeLimits::NONE }
            }
        };
        let bid = Fees::bid(&prices, tx_type, replaced, &limits, urgency);
        let is_payable = |fees: &Fees| call.value + fees.worst_cost(gas_limit, blobs) <= available;
        let Some(fees) = bid.filter(is_payable) else {
            let price = prices.base_fee.saturating_add(prices.priority_fee);
            if can_pay < price || bid.is_some() {
                let gas_cost = U256::from(price) * U256::from(gas_limit);
                let needed = call.value + gas_cost + blob_cost;
                return Ok(self.defer_unfunded(purpose.as_ref(), needed));
            }
            self.unpaid.extend(purpose.map(|purpose| (purpose, Deferral::Price)));
            return Ok(SendOutcome::Deferred(Deferral::Price));
        };
        if let Some(purpose) = &purpose {
            self.unpaid.remove(purpose);
        }
        let tx = self.client.sign(call, sidecar.as_deref(), nonce, gas_limit, fees)?;
        // Blobs may have taken longer than a block since the chain was observed.
        let l1_block = self.client.head().await?.number.max(self.l1.head);
        let sent = SentTx { purpose, deadline, l1_block, tx: tx.clone(), sidecar: sidecar.clone() };
        self.store.record(&sent).await.map_err(of_store)?;
        let purpose = sent.purpose.clone();
        info!(
            ?purpose, nonce, max_fee = fees.max_fee_per_gas, at_most = %tx.worst_cost(),
            l1_transaction = %tx.hash, "sending transaction"
        );
        // Until the pool is seen to hold it.
        self.nonces.add(sent, TxStatus::Unknown);
        self.events.push(TxEvent::Signed { purpose, is_replacement: replaced.is_some() });
        self.broadcast(&tx, sidecar.as_ref()).await?;
        Ok(SendOutcome::Sent(tx.hash))
    }

    /// Broadcasts a transaction. If the pool refuses it, it stays unknown and is broadcast again at
    /// the next block.
    async fn broadcast(
        &mut self,
        tx: &SignedTx,
        sidecar: Option<&BlobSidecar>,
    ) -> Result<(), L1Error> {
        match self.client.broadcast(tx, sidecar.map(AsRef::as_ref)).await {
            Ok(()) => {}
            Err(L1Error::Rejected(reason)) => {
                warn!(nonce = tx.nonce, l1_transaction = %tx.hash, reason, "pool refused transaction");
                self.events.push(TxEvent::Refused);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if let Some(state) = self.nonces.nonces.get_mut(&tx.nonce) {
            state.status = TxStatus::Pending;
        }
        Ok(())
    }

    /// Defers a transaction for lack of funds. A cancellation is deferred without a word.
    fn defer_unfunded(&mut self, purpose: Option<&P>, needed: U256) -> SendOutcome {
        if let Some(purpose) = purpose {
            self.unpaid.insert(purpose.clone(), Deferral::Funds);
            if !std::mem::replace(&mut self.has_logged_unfunded, true) {
                let (account, balance) = (self.address(), self.l1.balance);
                warn!(?purpose, %account, %balance, %needed, "account cannot pay for a transaction: fund it");
            }
        }
        SendOutcome::Deferred(Deferral::Funds)
    }
}

/// A transaction to be signed; `purpose` is `None` for a cancellation.
struct Draft<P> {
    purpose: Option<P>,
    call: Call,
    sidecar: Option<BlobSidecar>,
    deadline: u64,
}

fn of_store(error: impl Error + Send + Sync + 'static) -> TxManagerError {
    TxManagerError::Store(Box::new(error))
}

/// Transactions that may be in flight before another one of this urgency is sent.
const fn in_flight_max(urgency: Urgency) -> usize {
    match urgency {
        Urgency::Normal => IN_FLIGHT_MAX,
        Urgency::Urgent => IN_FLIGHT_URGENT_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_transactions_leave_room_for_urgent_ones() {
        assert!(in_flight_max(Urgency::Normal) < in_flight_max(Urgency::Urgent));
    }
}
