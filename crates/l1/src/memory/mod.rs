//! An L1 in memory, for tests of code that reads L1 through [`L1Source`].
//!
//! It models the contracts' state and logs, without clocks and bonds. A test mines blocks of
//! [`L1Event`]s, forks and reorgs the chain, and lets the source lag. Nothing happens on its own.
//! Hashes depend only on the mined blocks and the fork, so every run is the same.

mod builder;
mod disputes;
mod event;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::rpc::types::Log;
use alloy_primitives::{Address, B256, U256, keccak256};
use builder::{BlockBuilder, ContractState};
pub use event::L1Event;
use turnpike_protocol::{ChainConfig, DataKind, Genesis, L1Deployment, OutputRoot};

use crate::{
    Challenge, ContractCounts, EntryPayload, Game, GameHead, L1Block, L1Error, L1Head, L1Source,
    PostedEntry, ProposedOutput,
};

/// Block time, in seconds.
const BLOCK_TIME: u64 = 12;

/// Timestamp of block 0.
const GENESIS_TIME: u64 = 1_800_000_000;

/// Block that deploys the contracts.
const DEPLOYMENT_BLOCK: u64 = 1;

/// An L1 in memory. Clones share one chain.
#[derive(Clone, Debug)]
pub struct MemoryL1 {
    deployment: L1Deployment,
    config: ChainConfig,
    state: Arc<Mutex<MemoryL1State>>,
}

/// A copy of the chain at one time. [`MemoryL1::switch_to`] makes it canonical again.
#[derive(Clone, Debug)]
pub struct Fork(Vec<MemoryBlock>);

#[derive(Debug)]
struct MemoryL1State {
    chain: Vec<MemoryBlock>,
    /// Batch data by transaction hash.
    payloads: HashMap<B256, EntryPayload>,
    /// Number of reorgs. Block hashes include it, so blocks after a reorg differ from those before.
    salt: u64,
    finalized: u64,
    /// Number of newest blocks that [`L1Source::head`] hides.
    head_lag: usize,
    /// Number of newest blocks that the other calls hide.
    lag: usize,
    /// A block whose last log is not served.
    incomplete: Option<u64>,
    /// Forks to switch to, each after a number of calls. The next fork is last.
    switches: Vec<(u32, Fork)>,
}

#[derive(Clone, Debug)]
struct MemoryBlock {
    header: L1Block,
    logs: Vec<Log>,
    contracts: ContractState,
}

impl MemoryL1 {
    /// An L1 of two blocks. The second one deploys the chain's contracts.
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
        let state = MemoryL1State {
            chain: vec![MemoryBlock {
                header,
                logs: Vec::new(),
                contracts: ContractState::nothing(),
            }],
            payloads: HashMap::new(),
            salt: 0,
            finalized: 0,
            head_lag: 0,
            lag: 0,
            incomplete: None,
            switches: Vec::new(),
        };
        let config = genesis.config.clone();
        let l1 = Self { deployment, config, state: Arc::new(Mutex::new(state)) };
        let mut builder = l1.next_block(&l1.lock());
        builder.deploy(l1.config.hash(genesis_output.block_hash), genesis_output);
        l1.lock().push(builder);
        l1
    }

    /// Mines a block with these events and returns its number.
    ///
    /// # Panics
    ///
    /// If the contracts would reject an event.
    pub fn mine(&self, events: &[L1Event]) -> u64 {
        let mut state = self.lock();
        let mut builder = self.next_block(&state);
        for event in events {
            builder.apply(event, &mut state.payloads);
        }
        state.push(builder)
    }

    /// Drops the newest blocks. Blocks mined afterwards have other hashes.
    pub fn reorg(&self, blocks: usize) {
        let mut state = self.lock();
        let kept = state.chain.len().saturating_sub(blocks).max(1);
        state.chain.truncate(kept);
        state.salt += 1;
    }

    /// Copies the canonical chain.
    pub fn fork(&self) -> Fork {
        Fork(self.lock().chain.clone())
    }

    /// Makes a copy the canonical chain.
    pub fn switch_to(&self, fork: &Fork) {
        self.lock().chain.clone_from(&fork.0);
    }

    /// Makes `fork` the canonical chain after `calls` more calls to the source.
    pub fn switch_after(&self, calls: u32, fork: Fork) {
        self.lock().switches.insert(0, (calls, fork));
    }

    /// Cancels every [`Self::switch_after`].
    pub fn cancel_switches(&self) {
        self.lock().switches.clear();
    }

    /// Sets how many of the newest blocks are hidden: `head` blocks from [`L1Source::head`],
    /// `others` from all other calls.
    pub fn lag(&self, head: usize, others: usize) {
        let mut state = self.lock();
        (state.head_lag, state.lag) = (head, others);
    }

    /// Leaves out the last log of a block; `None` serves all logs again.
    pub fn leave_out_last_log(&self, of: Option<u64>) {
        self.lock().incomplete = of;
    }

    /// Makes this block the newest finalized one.
    pub fn finalize(&self, number: u64) {
        self.lock().finalized = number;
    }

    /// Flips a bit in the 41st byte of a transaction's data.
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

    fn next_block(&self, state: &MemoryL1State) -> BlockBuilder {
        let MemoryBlock { header: parent, contracts, .. } = state.newest();
        let number = parent.number + 1;
        let seed = [parent.hash, U256::from(number).into(), U256::from(state.salt).into()].concat();
        let header = L1Block {
            number,
            hash: keccak256(seed),
            parent_hash: parent.hash,
            time: parent.time + BLOCK_TIME,
        };
        let block = MemoryBlock { header, logs: Vec::new(), contracts: contracts.clone() };
        BlockBuilder { block, deployment: self.deployment, config: self.config.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryL1State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call to the source, and switches forks if a switch is due.
    fn count_call(&self) -> MutexGuard<'_, MemoryL1State> {
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

impl MemoryL1State {
    fn newest(&self) -> &MemoryBlock {
        self.chain.last().expect("invariant: block 0 stays")
    }

    /// Blocks that are not hidden.
    fn visible(&self) -> &[MemoryBlock] {
        &self.chain[..self.chain.len().saturating_sub(self.lag)]
    }

    fn push(&mut self, builder: BlockBuilder) -> u64 {
        self.chain.push(builder.block);
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
        let state = self.count_call();
        let known = state.chain.len().saturating_sub(state.head_lag).max(1);
        let L1Block { number, hash, time, .. } = state.chain[known - 1].header;
        Ok(L1Head { number, hash, time, finalized: Some(state.finalized.min(number)) })
    }

    async fn block(&self, number: u64) -> Result<Option<L1Block>, L1Error> {
        let state = self.count_call();
        let at = usize::try_from(number).ok();
        Ok(at.and_then(|at| state.visible().get(at)).map(|block| block.header))
    }

    async fn logs(&self, first: u64, last: u64) -> Result<Vec<Log>, L1Error> {
        let state = self.count_call();
        let range = first..=last;
        let blocks = state.visible().iter().filter(|block| range.contains(&block.header.number));
        let served = blocks.flat_map(|block| {
            let left_out = usize::from(state.incomplete == Some(block.header.number));
            block.logs[..block.logs.len().saturating_sub(left_out)].to_vec()
        });
        Ok(served.collect())
    }

    async fn counts(&self, block: B256) -> Result<ContractCounts, L1Error> {
        let state = self.count_call();
        let found = state.visible().iter().find(|known| known.header.hash == block);
        let found = found.ok_or_else(|| L1Error::NotYet(format!("block {block} is missing")))?;
        let ContractState { entries, content, deposit_accs, outputs, challenges, games, .. } =
            &found.contracts;
        Ok(ContractCounts {
            entries: entries.len() as u64,
            content: *content,
            deposits: deposit_accs.len() as u64 - 1,
            deposit_acc: *deposit_accs.last().expect("invariant: starts with one"),
            outputs: outputs.len().max(1) as u64,
            challenges: challenges.len() as u64,
            games: games.len() as u64,
        })
    }

    async fn games(&self, block: B256, games: &[u64]) -> Result<Vec<GameHead>, L1Error> {
        let state = self.count_call();
        let found = state.visible().iter().find(|known| known.header.hash == block);
        let contracts = found.map(|found| &found.contracts);
        let head = |game: &u64| {
            let game = contracts?.games.get(usize::try_from(*game).ok()?)?;
            let challenge = usize::try_from(game.challenge).ok()?;
            let bisection = game.newest(contracts?.challenges.get(challenge)?).hash;
            Some(GameHead { status: game.status, bisection })
        };
        let heads = games.iter().map(head).collect::<Option<_>>();
        heads.ok_or_else(|| L1Error::NotYet(format!("a game in block {block} is missing")))
    }

    async fn payload(&self, posted: &PostedEntry) -> Result<EntryPayload, L1Error> {
        if posted.entry.data_kind == DataKind::None {
            return Ok(EntryPayload::default());
        }
        let payload = self.count_call().payloads.get(&posted.l1_transaction).cloned();
        let index = posted.entry.index;
        let payload = payload.ok_or_else(|| {
            L1Error::NotYet(format!("the transaction of entry {index} is missing"))
        })?;
        payload.check(&posted.entry)?;
        if posted.entry.data_kind == DataKind::Blobs {
            payload.check_blobs().await?;
        }
        Ok(payload)
    }
}
