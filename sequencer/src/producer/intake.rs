//! Intake: checks submissions against the state, adds them to the pool and collects the replies.

use std::{collections::BTreeMap, time::Instant};

use alloy_primitives::B256;
use turnpike_protocol::L1Fee;
use turnpike_storage::{AcceptedTx, unix_milliseconds};

use super::{OpenBlock, Producer};
use crate::{
    Accepted, NodeHandles, PooledTx, Refusal,
    admission::{CheckedTx, StateRules, check_state},
    committer::SubmissionReply,
    submission::Submission,
};

/// Outcomes of the intake since the last slice.
#[derive(Debug, Default)]
pub(super) struct IntakeBatch {
    replies: Vec<SubmissionReply>,
    /// Transactions that are new in the pool.
    fresh: Vec<B256>,
    /// Transactions that were accepted, now or earlier, and are refused now.
    refused: BTreeMap<B256, String>,
}

impl IntakeBatch {
    /// Refuses an accepted transaction.
    pub(super) fn refuse(&mut self, hash: B256, reason: String) {
        self.refused.insert(hash, reason);
    }

    /// Refuses transactions whose nonce the account has passed.
    pub(super) fn refuse_stale(&mut self, stale: impl IntoIterator<Item = PooledTx>, next: u64) {
        for tx in stale {
            let nonce = tx.tx.nonce();
            self.refuse(tx.tx.hash(), Refusal::NonceTooLow { next, nonce }.to_string());
        }
    }

    /// Splits the batch into replies, waiting transactions and refused ones.
    pub(super) fn into_outcomes(
        self,
        handles: &NodeHandles,
    ) -> (Vec<SubmissionReply>, Vec<AcceptedTx>, Vec<(B256, String)>) {
        let Self { replies, fresh, refused } = self;
        let pool = handles.transactions.pool();
        let waiting = |hash: &B256| Some(pool.get(hash)?.to_accepted());
        (replies, fresh.iter().filter_map(waiting).collect(), refused.into_iter().collect())
    }
}

impl Producer {
    /// Takes transactions in while no block is open.
    pub(super) fn take_in_without_block(
        &self,
        submissions: Vec<Submission>,
        intake: &mut IntakeBatch,
    ) {
        if submissions.is_empty() {
            return;
        }
        let origin = self.handles.settlement.blocking_read().origin;
        let chain = self.handles.chain.blocking_read();
        let rules = StateRules {
            base_fee: chain.tip().base_fee_at(chain.config(), unix_milliseconds()),
            l1_fee: origin.map(|origin| L1Fee::new(chain.config(), &origin)),
        };
        self.add(submissions, intake, |tx| {
            let account = chain.state().account(&tx.sender);
            check_state(&rules, account, |hash| chain.state().code(hash), tx)
        });
    }

    /// Takes transactions in on the state of the open block.
    pub(super) fn take_in(
        &self,
        submissions: Vec<Submission>,
        open: &mut OpenBlock<'_>,
        intake: &mut IntakeBatch,
    ) {
        if submissions.is_empty() {
            return;
        }
        let rules = open.rules();
        self.add(submissions, intake, |tx| {
            let account = open.account(&tx.sender);
            check_state(&rules, account, |hash| Some(open.code(hash)), tx)
        });
    }

    fn add(
        &self,
        submissions: Vec<Submission>,
        intake: &mut IntakeBatch,
        mut check: impl FnMut(&CheckedTx) -> Result<u64, Refusal>,
    ) {
        let now = Instant::now();
        let mut production = self.production();
        let mut pool = self.handles.transactions.pool_mut();
        for Submission { txs, received_ms, reply, .. } in submissions {
            let mut results = Vec::with_capacity(txs.len());
            for tx in txs {
                let hash = tx.tx.hash();
                let added = check(&tx).and_then(|nonce| {
                    let CheckedTx { tx, raw, sender } = tx;
                    let arrival = production.arrivals.end;
                    pool.add(PooledTx { tx, raw, sender, arrival, received_ms }, nonce, now)
                });
                let result = match added {
                    Ok(added) => {
                        production.arrivals.end += 1;
                        intake.fresh.push(hash);
                        // It may have been refused earlier in this batch.
                        intake.refused.remove(&hash);
                        if let Some(old) = added.replaced {
                            let replaced = Refusal::Replaced { by: hash };
                            intake.refuse(old.tx.hash(), replaced.to_string());
                        }
                        for evicted in added.evicted {
                            intake.refuse(evicted.tx.hash(), Refusal::Evicted.to_string());
                        }
                        Ok(Accepted { hash, is_new: true, preconfirmation: None })
                    }
                    Err(refusal) => {
                        let is_known = match refusal {
                            Refusal::AlreadyKnown => true,
                            Refusal::NonceTooLow { .. } => {
                                self.handles.transactions.preconfirmations.get(&hash).is_some()
                            }
                            _ => false,
                        };
                        let known = Accepted { hash, is_new: false, preconfirmation: None };
                        if is_known { Ok(known) } else { Err(refusal) }
                    }
                };
                results.push(result);
            }
            intake.replies.push(SubmissionReply { reply, results });
        }
    }

    /// Refuses transactions whose gap timed out or whose nonce was passed.
    pub(super) fn expire(&mut self, intake: &mut IntakeBatch) {
        for (tx, next) in self.stale.drain(..) {
            intake.refuse_stale([tx], next);
        }
        let mut pool = self.handles.transactions.pool_mut();
        let seconds = pool.limits().gap_timeout.as_secs();
        for tx in pool.expire(Instant::now()) {
            intake.refuse(tx.tx.hash(), Refusal::GapTimeout { seconds }.to_string());
        }
    }
}
