use std::collections::HashMap;

use alloy::{
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::{
    DataKind, Deposit, DepositHint, Entry, OutputRoot, QueuedDeposit, output_claim,
};

use crate::{Inbox, L1Client, L1Error, L1Head, Portal, Rollup};

/// Blocks asked for in one request for logs.
const LOG_RANGE_BLOCKS: u64 = 1_000;

/// An inbox entry and the transaction that appended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedEntry {
    /// The entry.
    pub entry: Entry,
    /// Accumulator after it.
    pub acc: B256,
    /// L1 transaction that appended it.
    pub l1_transaction: B256,
}

/// How an output stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStatus {
    /// In its challenge window, or past it and not finalized yet.
    Proposed,
    /// Somebody disputes it: it will not become final.
    Challenged,
    /// Final.
    Final,
}

/// An output as it was proposed, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedOutput {
    /// Its index in the `Rollup` contract.
    pub index: u64,
    /// What it asserts, hashed.
    pub claim: B256,
    /// Index of its parent.
    pub parent: u64,
    /// Entry after which it claims to hold.
    pub entry: u64,
    /// The claimed root's preimage.
    pub output: OutputRoot,
    /// RLP of the claimed L2 header; empty for the genesis output.
    pub header: Bytes,
    /// Number of the claimed L2 block.
    pub l2_block: u64,
    /// Who proposed it.
    pub proposer: Address,
    /// L1 timestamp of the proposal, in seconds.
    pub proposed_at: u64,
    /// L1 transaction that proposed it.
    pub l1_transaction: B256,
    /// How it stands.
    pub status: OutputStatus,
}

impl ProposedOutput {
    /// The output that this one stands on; `None` for the genesis output.
    pub fn parent_in<'a>(&self, outputs: &'a [Self]) -> Option<&'a Self> {
        let parent = usize::try_from(self.parent).ok().and_then(|at| outputs.get(at));
        parent.filter(|parent| parent.index < self.index)
    }
}

/// Whether neither an output nor anything it stands on is challenged.
pub fn is_undisputed(outputs: &[ProposedOutput], output: &ProposedOutput) -> bool {
    let mut output = output;
    loop {
        match output.status {
            OutputStatus::Challenged => return false,
            OutputStatus::Final => return true,
            OutputStatus::Proposed => {}
        }
        match output.parent_in(outputs) {
            Some(parent) => output = parent,
            None => return true,
        }
    }
}

/// What a look at L1 brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Where L1 is.
    pub head: L1Head,
    /// L1 has dropped blocks that were read, and the view has gone back before it went on.
    pub reorg: Option<Reorg>,
}

/// How much of a view was left when L1 had dropped blocks that were read; all after it was read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// The last L1 block that is still there.
    pub block: u64,
    /// Entries that are still there, entry 0 included: the first of those that may be others has this index.
    pub entries: u64,
    /// Deposits that are still there, and have the same names.
    pub deposits: u64,
    /// Outputs that are still there, the genesis output included.
    pub outputs: u64,
}

/// Everything the chain's contracts have recorded so far, read from L1 logs and checked.
#[derive(Debug)]
pub struct L1View {
    client: L1Client,
    /// Blocks that L1 must have on top of one before it is read.
    confirmations: u64,
    next_block: u64,
    last_read: Option<(u64, B256)>,
    head: Option<L1Head>,
    entries: Vec<PostedEntry>,
    deposits: Vec<QueuedDeposit>,
    deposit_accs: Vec<B256>,
    outputs: Vec<ProposedOutput>,
    /// Chain-config hash: what entry 0 must start from.
    config_hash: B256,
}

/// How much of a view there was, to go back to.
struct Mark {
    next_block: u64,
    last_read: Option<(u64, B256)>,
    entries: usize,
    deposits: usize,
    outputs: Vec<ProposedOutput>,
}

impl L1View {
    /// A view of nothing yet; `genesis_output` is the output that the `Rollup` contract was deployed with.
    pub fn new(client: L1Client, confirmations: u64, genesis_output: OutputRoot) -> Self {
        let next_block = client.deployment().block_number;
        let config_hash = client.config_hash(&genesis_output);
        let genesis = ProposedOutput {
            index: 0,
            claim: B256::ZERO,
            parent: 0,
            entry: 0,
            output: genesis_output,
            header: Bytes::new(),
            l2_block: 0,
            proposer: Address::ZERO,
            proposed_at: 0,
            l1_transaction: B256::ZERO,
            status: OutputStatus::Final,
        };
        Self {
            client,
            confirmations,
            next_block,
            last_read: None,
            head: None,
            entries: Vec::new(),
            deposits: Vec::new(),
            deposit_accs: vec![B256::ZERO],
            outputs: vec![genesis],
            config_hash,
        }
    }

    /// Reads what L1 has added since the last call. On an error nothing was taken over, and the call may be repeated.
    pub async fn advance(&mut self) -> Result<Advance, L1Error> {
        let head = self.client.head().await?;
        self.check_canonical().await?;
        let readable = head.number.saturating_sub(self.confirmations);
        let mark = Mark {
            next_block: self.next_block,
            last_read: self.last_read,
            entries: self.entries.len(),
            deposits: self.deposits.len(),
            outputs: self.outputs.clone(),
        };
        if let Err(error) = self.read_to(readable, mark.deposits).await {
            self.next_block = mark.next_block;
            self.last_read = mark.last_read;
            self.entries.truncate(mark.entries);
            self.deposits.truncate(mark.deposits);
            self.deposit_accs.truncate(mark.deposits + 1);
            self.outputs = mark.outputs;
            return Err(error);
        }
        self.head = Some(head);
        Ok(Advance { head, reorg: None })
    }

    /// Number of the last L1 block that was read.
    pub fn last_read(&self) -> Option<u64> {
        self.last_read.map(|(number, _)| number)
    }

    async fn read_to(&mut self, readable: u64, deposits_before: usize) -> Result<(), L1Error> {
        while self.next_block <= readable {
            let to = readable.min(self.next_block + LOG_RANGE_BLOCKS - 1);
            self.read_range(to).await?;
            self.next_block = to + 1;
        }
        if self.deposits.len() != deposits_before {
            self.check_deposits(readable).await?;
        }
        Ok(())
    }

    /// Deposits are minted before any entry authenticates them: what was read must be what the portal has queued.
    async fn check_deposits(&self, block: u64) -> Result<(), L1Error> {
        let portal = Portal::new(self.client.deployment().portal, self.client.provider());
        let count = self.deposits.len() as u64;
        let queued = portal.depositCount().block(block.into()).call().await?;
        if queued != count {
            return Err(L1Error::NotYet(format!("{count} of {queued} deposits were served")));
        }
        let acc = portal.depositAcc(count).block(block.into()).call().await?;
        if self.deposit_acc(count) != Some(acc) {
            return Err(malformed("deposits that the portal has not queued"));
        }
        Ok(())
    }

    /// Where L1 was at the last [`Self::advance`].
    pub const fn head(&self) -> Option<L1Head> {
        self.head
    }

    /// The connection behind the view.
    pub const fn client(&self) -> &L1Client {
        &self.client
    }

    /// Inbox entries, by index.
    pub fn entries(&self) -> &[PostedEntry] {
        &self.entries
    }

    /// Deposits, by their place in the queue.
    pub fn deposits(&self) -> &[QueuedDeposit] {
        &self.deposits
    }

    /// The queue's accumulator after `count` deposits.
    pub fn deposit_acc(&self, count: u64) -> Option<B256> {
        self.deposit_accs.get(usize::try_from(count).ok()?).copied()
    }

    /// Outputs, by index.
    pub fn outputs(&self) -> &[ProposedOutput] {
        &self.outputs
    }

    async fn check_canonical(&self) -> Result<(), L1Error> {
        let Some((number, was)) = self.last_read else {
            return Ok(());
        };
        match self.client.header(number.into()).await? {
            None => Err(L1Error::NotYet(format!("block {number} is missing"))),
            Some(header) if header.hash != was => {
                Err(L1Error::Reorg { number, was, is: header.hash })
            }
            Some(_) => Ok(()),
        }
    }

    async fn read_range(&mut self, to: u64) -> Result<(), L1Error> {
        let deployment = *self.client.deployment();
        let filter = Filter::new()
            .address(vec![deployment.inbox, deployment.portal, deployment.rollup])
            .from_block(self.next_block)
            .to_block(to);
        let logs = self.client.provider().get_logs(&filter).await?;
        let last = self
            .client
            .header(to.into())
            .await?
            .ok_or_else(|| L1Error::NotYet(format!("block {to} is missing")))?;
        let mut times = HashMap::new();
        for log in &logs {
            self.read_log(log, &mut times).await?;
        }
        self.last_read = Some((to, last.hash));
        Ok(())
    }

    async fn read_log(&mut self, log: &Log, times: &mut HashMap<u64, u64>) -> Result<(), L1Error> {
        match log.topic0() {
            Some(&Inbox::EntryAppended::SIGNATURE_HASH) => self.read_entry(log),
            Some(&Portal::TransactionDeposited::SIGNATURE_HASH) => self.read_deposit(log),
            Some(&Rollup::OutputProposed::SIGNATURE_HASH) => {
                let number = log.block_number.ok_or_else(|| malformed("a log without a block"))?;
                let time = match times.get(&number) {
                    Some(time) => *time,
                    None => {
                        let header = self.client.header(number.into()).await?;
                        header
                            .ok_or_else(|| L1Error::NotYet(format!("block {number} is missing")))?
                            .timestamp
                    }
                };
                times.insert(number, time);
                self.read_proposal(log, time)
            }
            Some(&Rollup::OutputChallenged::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputChallenged>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Challenged)
            }
            Some(&Rollup::OutputFinalized::SIGNATURE_HASH) => {
                let event = decode::<Rollup::OutputFinalized>(log)?;
                self.set_status(event.index.saturating_to(), OutputStatus::Final)
            }
            _ => Ok(()),
        }
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
        };
        let previous = self.entries.last().map_or(self.config_hash, |posted| posted.acc);
        let in_place = entry.index == self.entries.len() as u64;
        if !in_place || entry.accumulate(previous) != event.acc {
            return Err(L1Error::Inconsistent(format!(
                "entry {} does not follow from entry {}",
                entry.index,
                self.entries.len().saturating_sub(1)
            )));
        }
        if self.deposit_acc(entry.deposit_count) != Some(entry.deposit_acc) {
            return Err(L1Error::Inconsistent(format!(
                "entry {} consumes deposits that the queue does not hold",
                entry.index
            )));
        }
        let l1_transaction = transaction_of(log)?;
        self.entries.push(PostedEntry { entry, acc: event.acc, l1_transaction });
        if entry.index == 0 {
            let genesis = &mut self.outputs[0];
            genesis.claim = output_claim(B256::ZERO, 0, event.acc, genesis.output.hash());
        }
        Ok(())
    }

    fn read_deposit(&mut self, log: &Log) -> Result<(), L1Error> {
        let event = decode::<Portal::TransactionDeposited>(log)?;
        let place = log.block_number.zip(log.block_hash).zip(log.log_index);
        let ((l1_block_number, l1_block_hash), log_index) =
            place.ok_or_else(|| malformed("a deposit log without a place"))?;
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
        let hint = DepositHint { l1_block_hash, log_index };
        self.deposits.push(QueuedDeposit { deposit, hint });
        Ok(())
    }

    fn read_proposal(&mut self, log: &Log, proposed_at: u64) -> Result<(), L1Error> {
        let event = decode::<Rollup::OutputProposed>(log)?;
        let index: u64 = event.index.saturating_to();
        if index != self.outputs.len() as u64 {
            return Err(malformed("outputs out of order"));
        }
        let output = OutputRoot {
            state_root: event.stateRoot,
            message_passer_storage_root: event.messagePasserStorageRoot,
            block_hash: alloy_primitives::keccak256(&event.header),
        };
        if output.hash() != event.outputRoot {
            return Err(malformed("an output that is not its preimage's hash"));
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
        let output = usize::try_from(index).ok().and_then(|index| self.outputs.get_mut(index));
        output.ok_or_else(|| malformed("an event of an unknown output"))?.status = status;
        Ok(())
    }
}

fn decode<E: SolEvent>(log: &Log) -> Result<E, L1Error> {
    let decoded = log.log_decode::<E>();
    Ok(decoded.map_err(|error| L1Error::Inconsistent(error.to_string()))?.inner.data)
}

fn transaction_of(log: &Log) -> Result<B256, L1Error> {
    log.transaction_hash.ok_or_else(|| malformed("a log without a transaction"))
}

fn malformed(what: &str) -> L1Error {
    L1Error::Inconsistent(what.to_owned())
}
