//! An L1 in memory, for tests: the chain's contracts as far as their logs go, without their
//! clocks and bonds, with forks, and with sources that lag.
//!
//! Deterministic: hashes follow from what was mined and on which fork. Nothing moves by itself.

mod disputes;
mod event;
mod mining;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::rpc::types::Log;
use alloy_primitives::{Address, B256, U256, keccak256};
pub use event::L1Event;
use mining::{Contracts, Mining};
use turnpike_protocol::{ChainConfig, DataKind, Genesis, L1Deployment, OutputRoot};

use crate::{
    Challenge, Counts, EntryPayload, Game, L1Block, L1Error, L1Head, L1Source, PostedEntry,
    ProposedOutput,
};

/// Seconds between blocks.
const BLOCK_TIME: u64 = 12;

/// Timestamp of block 0.
const GENESIS_TIME: u64 = 1_800_000_000;

/// The block in which the contracts are deployed.
const DEPLOYMENT_BLOCK: u64 = 1;

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
        let header =
            L1Block { number: 0, hash: B256::ZERO, parent_hash: B256::ZERO, time: GENESIS_TIME };
        let state = State {
            chain: vec![Block { header, logs: Vec::new(), contracts: Contracts::nothing() }],
            payloads: HashMap::new(),
            salt: 0,
            finalized: 0,
            head_lag: 0,
            lag: 0,
            switches: Vec::new(),
        };
        let config = genesis.config.clone();
        let l1 = Self { deployment, config, state: Arc::new(Mutex::new(state)) };
        let mut mining = l1.next_block(&l1.lock());
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
        let mut mining = self.next_block(&state);
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

    /// The outputs that the contracts hold, by index.
    pub fn outputs(&self) -> Vec<ProposedOutput> {
        self.lock().newest().contracts.outputs.clone()
    }

    /// The challenges that the contracts hold, by number.
    pub fn challenges(&self) -> Vec<Challenge> {
        self.lock().newest().contracts.challenges.clone()
    }

    /// The games that the contracts hold, by number.
    pub fn games(&self) -> Vec<Game> {
        self.lock().newest().contracts.games.clone()
    }

    fn next_block(&self, state: &State) -> Mining {
        let Block { header: parent, contracts, .. } = state.newest();
        let number = parent.number + 1;
        let seed = [parent.hash, U256::from(number).into(), U256::from(state.salt).into()].concat();
        let header = L1Block {
            number,
            hash: keccak256(seed),
            parent_hash: parent.hash,
            time: parent.time + BLOCK_TIME,
        };
        let block = Block { header, logs: Vec::new(), contracts: contracts.clone() };
        Mining { block, deployment: self.deployment, config: self.config.clone() }
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

    fn push(&mut self, mining: Mining) -> u64 {
        self.chain.push(mining.block);
        self.newest().header.number
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
        let Contracts { entries, deposit_accs, outputs, challenges, games, .. } = &found.contracts;
        Ok(Counts {
            entries: entries.len() as u64,
            deposits: deposit_accs.len() as u64 - 1,
            deposit_acc: *deposit_accs.last().expect("invariant: starts with one"),
            outputs: outputs.len().max(1) as u64,
            challenges: challenges.len() as u64,
            games: games.len() as u64,
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
