use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};
use turnpike_l1::{L1Error, L1Sender, L1View, OutputStatus, PreparedTx, ProposedOutput};
use turnpike_protocol::ChainConfig;

use crate::Event;

/// What a refused challenge means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRefusal {
    /// It is tried again for as long as the window is open and the output unchallenged.
    Retry,
    /// It is given up.
    GiveUp,
}

/// Brings challenges onto L1: one in flight, the oldest output first.
#[derive(Debug)]
pub(crate) struct Disputes {
    sender: L1Sender,
    config: ChainConfig,
    confirmations: u64,
    on_refusal: OnRefusal,
    wrong: BTreeSet<u64>,
    in_flight: Option<InFlight>,
    /// Challenges that L1 holds, and in which block.
    included: BTreeMap<u64, u64>,
    refused: BTreeSet<u64>,
}

#[derive(Debug)]
struct InFlight {
    output: u64,
    tx: PreparedTx,
}

impl Disputes {
    pub(crate) const fn new(
        sender: L1Sender,
        config: ChainConfig,
        confirmations: u64,
        on_refusal: OnRefusal,
    ) -> Self {
        Self {
            sender,
            config,
            confirmations,
            on_refusal,
            wrong: BTreeSet::new(),
            in_flight: None,
            included: BTreeMap::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Notes an output to be challenged.
    pub(crate) fn add(&mut self, output: u64) {
        self.wrong.insert(output);
    }

    /// Forgets outputs from index `outputs` on, and challenges in L1 blocks after `block`: L1 has dropped them.
    pub(crate) fn go_back(&mut self, block: u64, outputs: u64) {
        self.wrong.retain(|index| *index < outputs);
        self.refused.retain(|index| *index < outputs);
        self.included.retain(|index, l1_block| *index < outputs && *l1_block <= block);
    }

    /// Number of outputs whose challenge L1 holds.
    pub(crate) fn included(&self) -> u64 {
        self.included.len() as u64
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_settled(&self, view: &L1View) -> bool {
        self.in_flight.is_none() && self.due(view).is_none()
    }

    /// Looks after the challenge in flight, or sends the next one.
    pub(crate) async fn step(&mut self, view: &L1View) -> Result<Option<Event>, L1Error> {
        let event = match self.in_flight.take() {
            Some(in_flight) => self.follow(in_flight).await?,
            None => None,
        };
        if self.in_flight.is_none()
            && let Some(output) = self.due(view)
        {
            self.send(output).await?;
        }
        Ok(event)
    }

    async fn follow(&mut self, in_flight: InFlight) -> Result<Option<Event>, L1Error> {
        let InFlight { output: index, tx } = in_flight;
        let l1_transaction = tx.hash;
        let looked_up = match self.sender.receipt(l1_transaction).await {
            Ok(None) => self.sender.is_known(l1_transaction).await.map(|known| (None, known)),
            Ok(Some(receipt)) => Ok((Some(receipt), true)),
            Err(error) => Err(error),
        };
        match looked_up {
            Ok((Some(receipt), _)) if receipt.status() => {
                info!(output = index, %l1_transaction, "output challenged");
                self.included.insert(index, receipt.block_number.unwrap_or_default());
                Ok(Some(Event::Challenged { index, l1_transaction }))
            }
            Ok((Some(_), _)) => {
                // The view will show whether somebody else was first; if not, it is due again.
                warn!(output = index, %l1_transaction, "challenge failed on L1");
                Ok(None)
            }
            Ok((None, false)) => {
                warn!(output = index, %l1_transaction, "L1 has dropped the challenge");
                Ok(None)
            }
            Ok((None, true)) => {
                self.in_flight = Some(InFlight { output: index, tx });
                Ok(None)
            }
            Err(error) => {
                self.in_flight = Some(InFlight { output: index, tx });
                Err(error)
            }
        }
    }

    async fn send(&mut self, output: &ProposedOutput) -> Result<(), L1Error> {
        let index = output.index;
        let prepared = self
            .sender
            .prepare_call(Default::default(), self.config.game_bond, Default::default())
            .await;
        let sent = match prepared {
            // Noted as in flight even if the broadcast fails: it may have arrived all the same.
            Ok(tx) => {
                let sent = self.sender.broadcast(&tx).await;
                info!(output = index, l1_transaction = %tx.hash, "challenging");
                self.in_flight = Some(InFlight { output: index, tx });
                sent
            }
            Err(error) => Err(error),
        };
        match sent {
            Err(L1Error::Rejected(reason)) => {
                self.in_flight = None;
                if self.refused.insert(index) {
                    warn!(output = index, reason, "challenge refused: was somebody else first?");
                }
                Ok(())
            }
            other => other,
        }
    }

    /// The oldest wrong output that needs a challenge and can have one.
    fn due<'a>(&self, view: &'a L1View) -> Option<&'a ProposedOutput> {
        let head = view.head()?;
        let readable = head.number.saturating_sub(self.confirmations);
        let outputs = view.outputs();
        self.wrong
            .iter()
            .filter_map(|index| outputs.get(usize::try_from(*index).ok()?))
            .filter(|it| self.on_refusal == OnRefusal::Retry || !self.refused.contains(&it.index))
            .find(|it| {
                it.status == OutputStatus::Proposed
                    && head.time < it.proposed_at.saturating_add(self.config.challenge_window)
                    && !self.is_included(it.index, readable)
                    && !self.stands_on_challenged(outputs, it, readable)
            })
    }

    /// Whether our challenge is on L1. Once the view has read its block, the view knows better.
    fn is_included(&self, index: u64, readable: u64) -> bool {
        self.included.get(&index).is_some_and(|l1_block| *l1_block > readable)
    }

    /// A challenged output never becomes final, nor does what stands on it: one challenge is enough.
    fn stands_on_challenged(
        &self,
        outputs: &[ProposedOutput],
        output: &ProposedOutput,
        readable: u64,
    ) -> bool {
        let mut below = output;
        while let Some(parent) = below.parent_in(outputs) {
            if parent.status == OutputStatus::Challenged || self.is_included(parent.index, readable)
            {
                return true;
            }
            below = parent;
        }
        false
    }
}
