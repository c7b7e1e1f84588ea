//! The records of the contracts, built from their logs and rewound on a reorg. The module does no
//! I/O.
//!
//! # State
//!
//! Entries, deposits, outputs and disputes. For up to 1,024 recent blocks, the number of records of
//! each kind after the block. A reorg rewinds to the newest of these blocks that L1 still has. If
//! L1 has none of them, the records are rewound to before the deployment.
//!
//! # Invariant
//!
//! Every record chains to the previous ones by the contracts' own accumulators.

use std::{collections::VecDeque, sync::Arc};

use alloy::{rpc::types::Log, sol_types::SolEvent as _};
use alloy_primitives::B256;
use turnpike_protocol::{
    DataKind, Deposit, DepositHint, Entry, OutputRoot, QueuedDeposit, output_claim,
};

use crate::{
    ContractCounts, Disputes, GameHead, Inbox, L1Error, OutputStatus, Portal, PostedEntry,
    ProposedOutput, Rollup,
    dispute::DisputeRecord,
    log::{check_next, decode, malformed, transaction_of},
};

/// Maximum number of remembered blocks: blocks with logs of the contracts, and the last block of
/// each read.
const POINTS_MAX: usize = 1_024;

/// Records of the contracts, with the blocks that they can be rewound to.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// Chain-config hash that entry 0 must chain to.
    config_hash: B256,
    pub(crate) entries: Vec<PostedEntry>,
    /// Indexes of the entries that are batches.
    pub(crate) batches: Vec<usize>,
    pub(crate) deposits: Vec<QueuedDeposit>,
    deposit_accs: Vec<B256>,
    pub(crate) outputs: Vec<ProposedOutput>,
    /// Every change of an output's status, in order.
    statuses: Vec<(usize, OutputStatus)>,
    /// Shared with readers. A change copies it while a reader holds it.
    pub(crate) disputes: Arc<Disputes>,
    /// Blocks that the records can be rewound to, in order.
    points: VecDeque<ReadPoint>,
}

/// An L1 block, and the number of records after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadPoint {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) extent: Extent,
}

/// Number of records of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) entries: usize,
    pub(crate) deposits: usize,
    pub(crate) outputs: usize,
    statuses: usize,
    disputes: usize,
}

impl Extent {
    /// Number of records before the contracts were deployed.
    const NOTHING: Self = Self { entries: 0, deposits: 0, outputs: 1, statuses: 0, disputes: 0 };
}

impl Records {
    pub(crate) fn new(config_hash: B256, genesis_output: OutputRoot) -> Self {
        Self {
            config_hash,
            entries: Vec::new(),
            batches: Vec::new(),
            deposits: Vec::new(),
            deposit_accs: vec![B256::ZERO],
            outputs: vec![ProposedOutput::genesis(genesis_output)],
            statuses: Vec::new(),
            disputes: Arc::default(),
            points: VecDeque::new(),
        }
    }

    /// Blocks that the records can be rewound to, in order.
    pub(crate) const fn points(&self) -> &VecDeque<ReadPoint> {
        &self.points
    }

    /// Accumulator over the first `count` deposits.
    pub(crate) fn deposit_acc(&self, count: u64) -> Option<B256> {
        self.deposit_accs.get(usize::try_from(count).ok()?).copied()
    }

    /// Applies the logs of a block with timestamp `time`. If it fails, some of the logs may be
    /// applied, and the caller must rewind.
    pub(crate) fn read_block(&mut self, logs: &[Log], time: u64) -> Result<(), L1Error> {
        logs.iter().try_for_each(|log| self.read_log(log, time))
    }

    /// Remembers a block after its logs were applied.
    pub(crate) fn remember(&mut self, number: u64, hash: B256) {
        if self.points.back().is_some_and(|newest| newest.number == number) {
            return;
        }
        let extent = self.extent();
        self.points.push_back(ReadPoint { number, hash, extent });
        if self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.entries.len(),
            deposits: self.deposits.len(),
            outputs: self.outputs.len(),
            statuses: self.statuses.len(),
            disputes: self.disputes.records(),
        }
    }

    /// Rewinds to the last of the first `points` remembered blocks. With 0, rewinds to before the
    /// deployment.
    pub(crate) fn rewind(&mut self, points: usize) -> Extent {
        self.points.truncate(points);
        let extent = self.points.back().map_or(Extent::NOTHING, |point| point.extent);
        self.entries.truncate(extent.entries);
        let batches = self.batches.partition_point(|index| *index < extent.entries);
        self.batches.truncate(batches);
        self.deposits.truncate(extent.deposits);
        self.deposit_accs.truncate(extent.deposits + 1);
        self.outputs.truncate(extent.outputs);
        self.statuses.truncate(extent.statuses);
        if extent.disputes < self.disputes.records() {
            Arc::make_mut(&mut self.disputes).truncate(extent.disputes);
        }
        for output in self.outputs.iter_mut().skip(1) {
            output.status = OutputStatus::Proposed;
        }
        for (output, status) in &self.statuses {
            self.outputs[*output].status = *status;
        }
        extent
    }

    /// Checks that the number of records equals the contracts' counters.
    pub(crate) fn check(&self, counts: &ContractCounts) -> Result<(), L1Error> {
        let read = [
            ("entries", self.entries.len(), counts.entries),
            ("deposits", self.deposits.len(), counts.deposits),
            ("outputs", self.outputs.len(), counts.outputs),
            ("challenges", self.disputes.challenges().len(), counts.challenges),
            ("games", self.disputes.games().len(), counts.games),
        ];
        for (what, read, counted) in read {
            if read as u64 != counted {
                return Err(L1Error::NotYet(format!("{read} of {counted} {what} were served")));
            }
        }
        let content = self.entries.last().map_or(B256::ZERO, |posted| posted.content);
        if content != counts.content {
            return Err(malformed("batches that do not match the inbox's content"));
        }
        // Check deposits here, because the sequencer includes them before an entry authenticates
        // them.
        if self.deposit_acc(counts.deposits) != Some(counts.deposit_acc) {
            return Err(malformed("deposits that do not match the portal's accumulator"));
        }
        Ok(())
    }

    /// Checks that games stand where the contract has them: no log of a move or an end is missing.
    pub(crate) fn check_games(&self, games: &[u64], heads: &[GameHead]) -> Result<(), L1Error> {
        for (index, head) in games.iter().zip(heads) {
            let game = self.disputes.game(*index);
            let read = game.and_then(|game| {
                let bisection = game.newest(self.disputes.challenge(game.challenge)?).hash;
                Some(GameHead { status: game.status, bisection })
            });
            if read != Some(*head) {
                return Err(L1Error::NotYet(format!("moves of game {index} were not served")));
            }
        }
        Ok(())
    }

    fn read_log(&mut self, log: &Log, time: u64) -> Result<(), L1Error> {
        match log.topic0() {
            Some(&Inbox::EntryAppended::SIGNATURE_HASH) => self.read_entry(log),
            Some(&Portal::TransactionDeposited::SIGNATURE_HASH) => self.read_deposit(log),
            Some(&Rollup::OutputProposed::SIGNATURE_HASH) => self.read_proposal(log, time),
            Some(&Rollup::OutputChallenged::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputChallenged>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Challenged)
            }
            Some(&Rollup::OutputUpheld::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputUpheld>(log)?;
                let is_open = event.openChallenges != 0;
                let status =
                    if is_open { OutputStatus::Challenged } else { OutputStatus::Proposed };
                self.set_status(event.index.saturating_to(), status)
            }
            Some(&Rollup::OutputRejected::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputRejected>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Rejected)
            }
            Some(&Rollup::OutputVoided::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputVoided>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Void)
            }
            Some(&Rollup::OutputFinalized::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputFinalized>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Final)
            }
            _ => self.read_dispute(log, time),
        }
    }

    fn read_dispute(&mut self, log: &Log, time: u64) -> Result<(), L1Error> {
        let Some(record) = DisputeRecord::of(log, time)? else { return Ok(()) };
        Arc::make_mut(&mut self.disputes).take(record)
    }

    fn read_entry(&mut self, log: &Log) -> Result<(), L1Error> {
        let event = decode::<Inbox::EntryAppended>(log)?;
        let entry = Entry {
            index: event.entry.index,
            data_kind: DataKind::from_u8(event.entry.dataKind)
                .ok_or_else(|| malformed("an entry of unknown kind"))?,
            data_hash: event.entry.dataHash,
            deposit_acc: event.entry.depositAcc,
            deposit_count: event.entry.depositCount,
            l1_block_number: event.entry.l1BlockNumber,
            l1_time: event.entry.l1Time,
            l1_base_fee: event.entry.l1BaseFee,
            l1_blob_base_fee: event.entry.l1BlobBaseFee,
            l1_parent_hash: event.entry.l1ParentHash,
            origin: event.entry.origin,
            origin_acc: event.entry.originAcc,
            offchain_time: event.entry.offchainTime,
        };
        check_next("entry", entry.index, self.entries.len())?;
        let previous = self.entries.last().map_or(self.config_hash, |posted| posted.acc);
        if entry.accumulate(previous) != event.acc {
            return Err(malformed("an entry that does not chain to the one before"));
        }
        match self.deposit_acc(entry.deposit_count) {
            Some(acc) if acc == entry.deposit_acc => {}
            Some(_) => return Err(malformed("an entry that consumes other deposits")),
            None => {
                let (count, found) = (entry.deposit_count, self.deposits.len());
                return Err(L1Error::NotYet(format!("{found} of {count} deposits were served")));
            }
        }
        let l1_transaction = transaction_of(log)?;
        if entry.data_kind != DataKind::None {
            self.batches.push(self.entries.len());
        }
        let (acc, content) = (event.acc, event.content);
        self.entries.push(PostedEntry { entry, acc, content, l1_transaction });
        if entry.index == 0 {
            let genesis = &mut self.outputs[0];
            genesis.claim = output_claim(B256::ZERO, 0, event.acc, genesis.output.hash());
        }
        Ok(())
    }

    fn read_deposit(&mut self, log: &Log) -> Result<(), L1Error> {
        let event = decode::<Portal::TransactionDeposited>(log)?;
        let position = log.block_number.zip(log.block_hash).zip(log.log_index);
        let ((l1_block_number, l1_block_hash), log_index) =
            position.ok_or_else(|| malformed("a deposit log without block or index"))?;
        let deposit = Deposit {
            index: self.deposits.len() as u64,
            l1_block_number,
            from: event.from,
            to: event.to,
            version: event.version,
            opaque_data: event.opaqueData,
        };
        let previous = self.deposit_accs.last().expect("invariant: starts with one");
        self.deposit_accs.push(deposit.accumulate(*previous));
        let hint = Some(DepositHint { l1_block_hash, log_index });
        self.deposits.push(QueuedDeposit { deposit, hint });
        Ok(())
    }

    fn read_proposal(&mut self, log: &Log, proposed_at: u64) -> Result<(), L1Error> {
        let event = decode::<Rollup::OutputProposed>(log)?;
        let index: u64 = event.index.saturating_to();
        check_next("output", index, self.outputs.len())?;
        let output = OutputRoot {
            state_root: event.stateRoot,
            message_passer_storage_root: event.messagePasserStorageRoot,
            block_hash: alloy_primitives::keccak256(&event.header),
        };
        if output.hash() != event.outputRoot {
            return Err(malformed("an output root that does not match its preimage"));
        }
        self.outputs.push(ProposedOutput {
            index,
            claim: event.claim,
            parent: event.parentIndex.saturating_to(),
            entry: event.entry,
            output,
            header: event.header,
            l2_block: event.l2BlockNumber,
            proposer: event.proposer,
            proposed_at,
            l1_transaction: transaction_of(log)?,
            status: OutputStatus::Proposed,
        });
        Ok(())
    }

    fn set_status(&mut self, index: u64, status: OutputStatus) -> Result<(), L1Error> {
        let at = usize::try_from(index).ok().filter(|at| *at < self.outputs.len());
        let at = at.ok_or_else(|| L1Error::NotYet(format!("output {index} was not served")))?;
        self.outputs[at].status = status;
        self.statuses.push((at, status));
        Ok(())
    }
}
