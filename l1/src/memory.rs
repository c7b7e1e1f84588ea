//! An L1 in memory, for tests: the chain's contracts as far as their logs go, with forks, and with sources that lag.
//!
//! Deterministic: hashes follow from what was mined and on which fork. Nothing moves by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::{rpc::types::Log, sol_types::SolEvent};
use alloy_primitives::{Address, B256, Bytes, LogData, U256, keccak256};
use turnpike_protocol::{
    BLOB_BYTES, ChainConfig, DataKind, Deposit, Entry, Genesis, L1Deployment, OutputRoot,
    blobs_hash, calldata_hash, output_claim,
};

use crate::{
    Counts, EntryPayload, Inbox, L1Block, L1Error, L1Head, L1Source, Portal, PostedEntry, Rollup,
    blobs::versioned_hash,
};

/// Seconds between blocks.
const BLOCK_TIME: u64 = 12;

/// Timestamp of block 0.
const GENESIS_TIME: u64 = 1_800_000_000;

/// The block in which the contracts are deployed.
const DEPLOYMENT_BLOCK: u64 = 1;

/// What happens in a block.
#[derive(Clone, Debug)]
pub enum L1Event {
    /// Somebody deposits.
    Deposit {
        /// The sender on L2.
        from: Address,
        /// The recipient on L2.
        to: Address,
        /// What the portal packs: mint, value, gas, creation, data.
        opaque_data: Bytes,
    },
    /// The batcher appends calldata.
    Calldata {
        /// The data.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// The entry whose L1 attributes it names.
        origin: u64,
    },
    /// The batcher appends blobs.
    Blobs {
        /// Whole blobs, one after the other.
        data: Bytes,
        /// Deposits that the entry consumes.
        deposits: u64,
        /// The entry whose L1 attributes it names.
        origin: u64,
    },
    /// Somebody forces an entry.
    Forced {
        /// Deposits that the entry consumes.
        deposits: u64,
    },
    /// Somebody proposes an output.
    Output {
        /// Index of its parent.
        parent: u64,
        /// Entry after which it claims to hold.
        entry: u64,
        /// The claimed root's preimage, but for the block hash, which is the header's.
        output: OutputRoot,
        /// RLP of the claimed header.
        header: Bytes,
        /// Number of the claimed block.
        l2_block: u64,
    },
    /// Somebody challenges the output with this index.
    Challenged(u64),
    /// The output with this index becomes final.
    Finalized(u64),
}

/// An L1 in memory. Clones are the same L1.
#[derive(Clone, Debug)]
pub struct MemoryL1 {
    deployment: L1Deployment,
    config: ChainConfig,
    state: Arc<Mutex<State>>,
}

/// A chain that an L1 has or had: [`MemoryL1::switch_to`] makes it the canonical one.
#[derive(Clone, Debug)]
pub struct Fork(Vec<Block>);

#[derive(Debug)]
struct State {
    chain: Vec<Block>,
    /// By transaction.
    payloads: HashMap<B256, EntryPayload>,
    /// Counts reorganisations: blocks mined after one differ from those before.
    salt: u64,
    finalized: u64,
    /// Newest blocks that [`L1Source::head`] does not know.
    head_lag: usize,
    /// Newest blocks that the other calls do not know.
    lag: usize,
    /// Forks that are switched to after so many more calls, the next one last.
    switches: Vec<(u32, Fork)>,
}

#[derive(Clone, Debug)]
struct Block {
    header: L1Block,
    logs: Vec<Log>,
    contracts: Contracts,
}

/// What the contracts hold after a block.
#[derive(Clone, Debug)]
struct Contracts {
    entries: Vec<Entry>,
    accs: Vec<B256>,
    deposit_accs: Vec<B256>,
    claims: Vec<B256>,
}

impl MemoryL1 {
    /// An L1 of two blocks, the second of which holds the deployment of this chain.
    pub fn new(genesis: &Genesis, genesis_output: &OutputRoot) -> Self {
        let deployment = L1Deployment {
            chain_id: 1,
            block_number: DEPLOYMENT_BLOCK,
            inbox: Address::repeat_byte(1),
            portal: Address::repeat_byte(2),
            rollup: Address::repeat_byte(3),
            dispute: Address::repeat_byte(5),
            preimage_oracle: Address::repeat_byte(6),
            bridge: Address::repeat_byte(4),
        };
        let nothing = Contracts {
            entries: Vec::new(),
            accs: Vec::new(),
            deposit_accs: vec![B256::ZERO],
            claims: Vec::new(),
        };
        let header =
            L1Block { number: 0, hash: B256::ZERO, parent_hash: B256::ZERO, time: GENESIS_TIME };
        let state = State {
            chain: vec![Block { header, logs: Vec::new(), contracts: nothing }],
            payloads: HashMap::new(),
            salt: 0,
            finalized: 0,
            head_lag: 0,
            lag: 0,
            switches: Vec::new(),
        };
        let config = genesis.config.clone();
        let l1 = Self { deployment, config, state: Arc::new(Mutex::new(state)) };
        let mut mining = l1.lock().next_block(deployment);
        mining.deploy(l1.config.hash(genesis_output.block_hash), genesis_output);
        l1.lock().push(mining);
        l1
    }

    /// Mines a block in which this happens, and returns its number.
    ///
    /// # Panics
    ///
    /// If an event is one that the contracts would refuse.
    pub fn mine(&self, events: &[L1Event]) -> u64 {
        let mut state = self.lock();
        let mut mining = state.next_block(self.deployment);
        for event in events {
            mining.happen(event, &mut state.payloads);
        }
        state.push(mining)
    }

    /// Drops the newest blocks. Those that are mined from now on have other hashes.
    pub fn reorg(&self, blocks: usize) {
        let mut state = self.lock();
        let kept = state.chain.len().saturating_sub(blocks).max(1);
        state.chain.truncate(kept);
        state.salt += 1;
    }

    /// The canonical chain as it is.
    pub fn fork(&self) -> Fork {
        Fork(self.lock().chain.clone())
    }

    /// Makes an earlier chain the canonical one.
    pub fn switch_to(&self, fork: &Fork) {
        self.lock().chain.clone_from(&fork.0);
    }

    /// Makes `fork` the canonical chain after so many more calls.
    pub fn switch_after(&self, calls: u32, fork: Fork) {
        self.lock().switches.insert(0, (calls, fork));
    }

    /// Forgets about [`Self::switch_after`].
    pub fn cancel_switches(&self) {
        self.lock().switches.clear();
    }

    /// From now on the newest blocks are unknown: so many to the question for the head, so many to all others.
    pub fn lag(&self, head: usize, others: usize) {
        let mut state = self.lock();
        (state.head_lag, state.lag) = (head, others);
    }

    /// From now on this block is the newest final one.
    pub fn finalize(&self, number: u64) {
        self.lock().finalized = number;
    }

    /// From now on the data of this transaction is served with a bit of its 41st byte changed.
    pub fn tamper(&self, l1_transaction: B256) {
        if let Some(payload) = self.lock().payloads.get_mut(&l1_transaction) {
            let mut data = payload.data.to_vec();
            data[40] ^= 1;
            payload.data = data.into();
        }
    }

    /// Number of the newest block.
    pub fn number(&self) -> u64 {
        self.lock().newest().header.number
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a call.
    fn called(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let is_due = match state.switches.last_mut() {
            Some((0, _)) => true,
            Some((calls, _)) => {
                *calls -= 1;
                false
            }
            None => false,
        };
        if is_due && let Some((_, fork)) = state.switches.pop() {
            state.chain = fork.0;
        }
        state
    }
}

impl State {
    fn newest(&self) -> &Block {
        self.chain.last().expect("invariant: block 0 stays")
    }

    /// The blocks that are not hidden.
    fn visible(&self) -> &[Block] {
        &self.chain[..self.chain.len().saturating_sub(self.lag)]
    }

    fn next_block(&self, deployment: L1Deployment) -> Mining {
        let Block { header: parent, contracts, .. } = self.newest();
        let number = parent.number + 1;
        let seed = [parent.hash, U256::from(number).into(), U256::from(self.salt).into()].concat();
        let header = L1Block {
            number,
            hash: keccak256(seed),
            parent_hash: parent.hash,
            time: parent.time + BLOCK_TIME,
        };
        let block = Block { header, logs: Vec::new(), contracts: contracts.clone() };
        Mining { block, deployment }
    }

    fn push(&mut self, mining: Mining) -> u64 {
        self.chain.push(mining.block);
        self.newest().header.number
    }
}

/// A block that is being mined.
struct Mining {
    block: Block,
    deployment: L1Deployment,
}

impl Mining {
    fn deploy(&mut self, config_hash: B256, genesis_output: &OutputRoot) {
        self.append(DataKind::None, B256::ZERO, 0, 0, config_hash);
        let acc = self.block.contracts.accs[0];
        let claim = output_claim(B256::ZERO, 0, acc, genesis_output.hash());
        self.block.contracts.claims.push(claim);
    }

    fn happen(&mut self, event: &L1Event, payloads: &mut HashMap<B256, EntryPayload>) {
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
                let hashes = data.chunks(BLOB_BYTES).map(versioned_hash);
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
            L1Event::Challenged(index) => {
                let index = U256::from(*index);
                let claim = self.claim(index);
                self.log(
                    self.deployment.rollup,
                    &Rollup::OutputChallenged { index, claim, openChallenges: 1 },
                );
            }
            L1Event::Finalized(index) => {
                let index = U256::from(*index);
                let claim = self.claim(index);
                self.log(self.deployment.rollup, &Rollup::OutputFinalized { index, claim });
            }
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
        let at = usize::try_from(deposit_count).unwrap_or(usize::MAX);
        let entry = Entry {
            index: contracts.entries.len() as u64,
            data_kind,
            data_hash,
            deposit_acc: *contracts.deposit_accs.get(at).expect("as many deposits as are queued"),
            deposit_count,
            l1_block_number: number,
            l1_time: time,
            l1_base_fee: U256::from(1_000_000_000),
            l1_blob_base_fee: U256::from(1),
            l1_parent_hash: parent_hash,
            origin,
        };
        let acc = entry.accumulate(previous);
        contracts.entries.push(entry);
        contracts.accs.push(acc);
        let event = Inbox::EntryAppended {
            index: entry.index,
            acc,
            prevAcc: previous,
            entry: crate::bindings::Inbox::Entry {
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
            },
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
        let contracts = &mut self.block.contracts;
        let at = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        let acc = contracts.accs[at(entry)];
        let claim = output_claim(contracts.claims[at(parent)], entry, acc, output.hash());
        assert!(!contracts.claims.contains(&claim), "a claim is made once");
        let index = contracts.claims.len();
        contracts.claims.push(claim);
        self.log(
            self.deployment.rollup,
            &Rollup::OutputProposed {
                index: U256::from(index),
                claim,
                outputRoot: output.hash(),
                parentIndex: U256::from(parent),
                entry,
                l2BlockNumber: l2_block,
                proposer: Address::repeat_byte(8),
                stateRoot: output.state_root,
                messagePasserStorageRoot: output.message_passer_storage_root,
                header: header.clone(),
            },
        );
    }

    fn claim(&self, index: U256) -> B256 {
        self.block.contracts.claims[index.saturating_to::<usize>()]
    }

    /// Hash of the transaction that comes next.
    fn transaction(&self) -> B256 {
        let index = U256::from(self.block.logs.len());
        keccak256([self.block.header.hash, index.into()].concat())
    }

    fn log<E: SolEvent>(&mut self, address: Address, event: &E) {
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

impl L1Source for MemoryL1 {
    fn deployment(&self) -> &L1Deployment {
        &self.deployment
    }

    fn config(&self) -> &ChainConfig {
        &self.config
    }

    async fn head(&self) -> Result<L1Head, L1Error> {
        let state = self.called();
        let known = state.chain.len().saturating_sub(state.head_lag).max(1);
        let L1Block { number, hash, time, .. } = state.chain[known - 1].header;
        Ok(L1Head { number, hash, time, finalized: Some(state.finalized.min(number)) })
    }

    async fn block(&self, number: u64) -> Result<Option<L1Block>, L1Error> {
        let state = self.called();
        let at = usize::try_from(number).ok();
        Ok(at.and_then(|at| state.visible().get(at)).map(|block| block.header))
    }

    async fn logs(&self, first: u64, last: u64) -> Result<Vec<Log>, L1Error> {
        let state = self.called();
        let range = first..=last;
        let blocks = state.visible().iter().filter(|block| range.contains(&block.header.number));
        Ok(blocks.flat_map(|block| block.logs.clone()).collect())
    }

    async fn counts(&self, block: B256) -> Result<Counts, L1Error> {
        let state = self.called();
        let found = state.visible().iter().find(|known| known.header.hash == block);
        let found = found.ok_or_else(|| L1Error::NotYet(format!("block {block} is missing")))?;
        let Contracts { entries, deposit_accs, claims, .. } = &found.contracts;
        Ok(Counts {
            entries: entries.len() as u64,
            deposits: deposit_accs.len() as u64 - 1,
            deposit_acc: *deposit_accs.last().expect("invariant: starts with one"),
            outputs: claims.len().max(1) as u64,
            challenges: 0,
            games: 0,
        })
    }

    async fn payload(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        if posted.entry.data_kind == DataKind::None {
            return Ok(EntryPayload::default());
        }
        let payload = self.called().payloads.get(&posted.l1_transaction).cloned();
        let index = posted.entry.index;
        let payload = payload.ok_or_else(|| {
            L1Error::NotYet(format!("the transaction of entry {index} is missing"))
        })?;
        payload.check(&posted.entry)?;
        if posted.entry.data_kind == DataKind::Blobs {
            payload.check_blobs()?;
        }
        Ok(payload)
    }
}
