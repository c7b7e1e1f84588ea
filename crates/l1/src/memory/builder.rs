//! Builds blocks: applies events to the contracts' state and emits the contracts' logs.

use std::collections::HashMap;

use alloy::{rpc::types::Log, sol_types::SolEvent};
use alloy_primitives::{Address, B256, Bytes, LogData, U256, keccak256};
use turnpike_protocol::{
    BLOB_BYTES, BatchContent, ChainConfig, DataKind, Deposit, Entry, L1Deployment, OutputRoot,
    blobs_hash, calldata_hash, output_claim,
};

use super::{L1Event, MemoryBlock};
use crate::{
    Challenge, EntryPayload, Game, Inbox, Kzg, L1Block, OutputStatus, Portal, ProposedOutput,
    Rollup,
};

/// Proposer of every output.
const PROPOSER: Address = Address::repeat_byte(8);

/// State of the contracts after a block.
#[derive(Clone, Debug)]
pub(super) struct ContractState {
    pub(super) entries: Vec<Entry>,
    accs: Vec<B256>,
    pub(super) content: B256,
    pub(super) deposit_accs: Vec<B256>,
    pub(super) outputs: Vec<ProposedOutput>,
    pub(super) challenges: Vec<Challenge>,
    pub(super) games: Vec<Game>,
}

impl ContractState {
    /// State before the deployment.
    pub(super) fn nothing() -> Self {
        Self {
            entries: Vec::new(),
            accs: Vec::new(),
            content: B256::ZERO,
            deposit_accs: vec![B256::ZERO],
            outputs: Vec::new(),
            challenges: Vec::new(),
            games: Vec::new(),
        }
    }
}

/// A block under construction.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    pub(super) block: MemoryBlock,
    pub(super) deployment: L1Deployment,
    pub(super) config: ChainConfig,
}

impl BlockBuilder {
    pub(super) fn deploy(&mut self, config_hash: B256, genesis_output: &OutputRoot) {
        self.append(DataKind::None, B256::ZERO, 0, 0, config_hash);
        let acc = self.block.contracts.accs[0];
        let mut genesis = ProposedOutput::genesis(*genesis_output);
        genesis.claim = output_claim(B256::ZERO, 0, acc, genesis_output.hash());
        self.block.contracts.outputs.push(genesis);
    }

    pub(super) fn apply(&mut self, event: &L1Event, payloads: &mut HashMap<B256, EntryPayload>) {
        let previous = *self.block.contracts.accs.last().expect("invariant: deployed");
        match event {
            L1Event::Deposit { from, to, opaque_data } => self.deposit(*from, *to, opaque_data),
            L1Event::Calldata { data, deposits, origin } => {
                payloads.insert(
                    self.transaction(),
                    EntryPayload { data: data.clone(), blob_hashes: Vec::new() },
                );
                let hash = calldata_hash(data);
                self.append(DataKind::Calldata, hash, *deposits, *origin, previous);
            }
            L1Event::Blobs { data, deposits, origin } => {
                let blobs: Vec<_> = data.chunks(BLOB_BYTES).collect();
                let hashes = Kzg::shared().versioned_hashes(&blobs).into_iter();
                let blob_hashes: Vec<B256> = hashes.collect::<Option<_>>().expect("whole blobs");
                let hash = blobs_hash(&blob_hashes);
                payloads
                    .insert(self.transaction(), EntryPayload { data: data.clone(), blob_hashes });
                self.append(DataKind::Blobs, hash, *deposits, *origin, previous);
            }
            L1Event::Forced { deposits } => {
                let origin = self.block.contracts.entries.last().map_or(0, |entry| entry.origin);
                self.append(DataKind::None, B256::ZERO, *deposits, origin, previous);
            }
            L1Event::Output { parent, entry, output, header, l2_block } => {
                self.propose(*parent, *entry, output, header, *l2_block);
            }
            L1Event::Finalized(index) => {
                let claim = self.set_status(*index, OutputStatus::Final);
                let index = U256::from(*index);
                self.log(self.deployment.rollup, &Rollup::OutputFinalized { index, claim });
            }
            L1Event::Voided(index) => {
                let claim = self.set_status(*index, OutputStatus::Void);
                let index = U256::from(*index);
                self.log(self.deployment.rollup, &Rollup::OutputVoided { index, claim });
            }
            L1Event::Challenged { output, challenger, claims } => {
                self.challenge(*output, *challenger, claims);
            }
            L1Event::Defended { challenge, defender, answer } => {
                self.defend(*challenge, *defender, answer);
            }
            L1Event::Moved { game, answer } => self.play(*game, answer),
            L1Event::Proven { game, segment, state } => self.prove(*game, *segment, *state),
            L1Event::TimedOut(game) => self.time_out(*game),
            L1Event::Resolved(challenge) => self.resolve(*challenge),
            L1Event::Returned(game) => self.return_bond(*game),
        }
    }

    fn deposit(&mut self, from: Address, to: Address, opaque_data: &Bytes) {
        let accs = &mut self.block.contracts.deposit_accs;
        let deposit = Deposit {
            index: accs.len() as u64 - 1,
            l1_block_number: self.block.header.number,
            from,
            to,
            version: U256::ZERO,
            opaque_data: opaque_data.clone(),
        };
        let previous = accs.last().expect("invariant: starts with one");
        let acc = deposit.accumulate(*previous);
        accs.push(acc);
        self.log(
            self.deployment.portal,
            &Portal::TransactionDeposited {
                from,
                to,
                version: U256::ZERO,
                opaqueData: opaque_data.clone(),
            },
        );
    }

    fn append(
        &mut self,
        data_kind: DataKind,
        data_hash: B256,
        deposits: u64,
        origin: u64,
        previous: B256,
    ) {
        let L1Block { number, parent_hash, time, .. } = self.block.header;
        let contracts = &mut self.block.contracts;
        let consumed = contracts.entries.last().map_or(0, |entry| entry.deposit_count);
        let deposit_count = consumed + deposits;
        let entry = Entry {
            index: contracts.entries.len() as u64,
            data_kind,
            data_hash,
            deposit_acc: *contracts
                .deposit_accs
                .get(at(deposit_count))
                .expect("the entry consumes queued deposits only"),
            deposit_count,
            l1_block_number: number,
            l1_time: time,
            l1_base_fee: U256::from(1_000_000_000),
            l1_blob_base_fee: U256::from(1),
            l1_parent_hash: parent_hash,
            origin,
            origin_acc: contracts.accs.get(at(origin)).copied().unwrap_or_default(),
            offchain_time: 0,
        };
        let acc = entry.accumulate(previous);
        contracts.content = match (data_kind, entry.index) {
            (DataKind::None, 0) => previous,
            (DataKind::None, _) => contracts.content,
            _ => BatchContent::of(&entry).extend(contracts.content),
        };
        let content = contracts.content;
        contracts.entries.push(entry);
        contracts.accs.push(acc);
        let event = Inbox::EntryAppended {
            index: entry.index,
            acc,
            prevAcc: previous,
            entry: Inbox::Entry {
                index: entry.index,
                dataKind: data_kind.as_u8(),
                dataHash: data_hash,
                depositAcc: entry.deposit_acc,
                depositCount: deposit_count,
                l1BlockNumber: number,
                l1Time: time,
                l1BaseFee: entry.l1_base_fee,
                l1BlobBaseFee: entry.l1_blob_base_fee,
                l1ParentHash: parent_hash,
                origin,
                originAcc: entry.origin_acc,
                offchainTime: entry.offchain_time,
            },
            content,
        };
        self.log(self.deployment.inbox, &event);
    }

    fn propose(
        &mut self,
        parent: u64,
        entry: u64,
        output: &OutputRoot,
        header: &Bytes,
        l2_block: u64,
    ) {
        let output = OutputRoot { block_hash: keccak256(header), ..*output };
        let contracts = &self.block.contracts;
        let parent_entry = contracts.outputs[at(parent)].entry;
        let mut finals = contracts.outputs.iter().filter(|it| it.status == OutputStatus::Final);
        assert!(
            finals.all(|it| it.entry <= parent_entry),
            "the parent is not before a final output"
        );
        let acc = contracts.accs[at(entry)];
        let claim = output_claim(contracts.outputs[at(parent)].claim, entry, acc, output.hash());
        let is_claimed = contracts.outputs.iter().any(|output| output.claim == claim);
        assert!(!is_claimed, "a claim must be new");
        let proposed = ProposedOutput {
            index: contracts.outputs.len() as u64,
            claim,
            parent,
            entry,
            output,
            header: header.clone(),
            l2_block,
            proposer: PROPOSER,
            proposed_at: self.block.header.time,
            l1_transaction: self.transaction(),
            status: OutputStatus::Proposed,
        };
        self.log(
            self.deployment.rollup,
            &Rollup::OutputProposed {
                index: U256::from(proposed.index),
                claim,
                outputRoot: output.hash(),
                parentIndex: U256::from(parent),
                entry,
                l2BlockNumber: l2_block,
                proposer: PROPOSER,
                stateRoot: output.state_root,
                messagePasserStorageRoot: output.message_passer_storage_root,
                header: header.clone(),
            },
        );
        self.block.contracts.outputs.push(proposed);
    }

    /// Sets an output's status and returns its claim.
    pub(super) fn set_status(&mut self, index: u64, status: OutputStatus) -> B256 {
        let output = &mut self.block.contracts.outputs[at(index)];
        output.status = status;
        output.claim
    }

    /// Hash of the block's next transaction.
    pub(super) fn transaction(&self) -> B256 {
        let index = U256::from(self.block.logs.len());
        keccak256([self.block.header.hash, index.into()].concat())
    }

    pub(super) fn log<E: SolEvent>(&mut self, address: Address, event: &E) {
        let data: LogData = event.encode_log_data();
        let L1Block { number, hash, time, .. } = self.block.header;
        let index = self.block.logs.len() as u64;
        self.block.logs.push(Log {
            inner: alloy_primitives::Log { address, data },
            block_hash: Some(hash),
            block_number: Some(number),
            block_timestamp: Some(time),
            transaction_hash: Some(self.transaction()),
            transaction_index: Some(index),
            log_index: Some(index),
            removed: false,
        });
    }
}

/// Converts a number to an index. A number beyond `usize` becomes an index that is out of range.
pub(super) fn at(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
