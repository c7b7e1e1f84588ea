//! A chain on this node: rules, state, head, and the states of recent blocks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use alloy_primitives::{Address, B256, U256, keccak256};
use turnpike_protocol::{
    BlockInput, ChainConfig, Genesis, Header, Origin, Parent, backlog, time_ms,
};
use turnpike_state::{
    Account, AccountDiff, AccountProof, FlatState, HistoricalView, History, HistoryLimits,
    MergedDiff, NodeState, StateDiff,
};

use crate::{
    BlockOutcome, ChainHead, ClosedBlock, DeferredHash, Engine, EngineBlock, Executed,
    ExecutionError, NextBlock, Tip, block_transactions, outcome::output_of,
};

/// Default limits of kept states: as many blocks as other nodes keep, but no more changes than a
/// proof of the oldest state can undo in one or two seconds.
pub const RECENT_STATES: HistoryLimits = HistoryLimits { blocks_max: 128, items_max: 100_000 };

/// A chain's rules, full state and head, one block at a time, and the states of recent blocks.
///
/// # State
///
/// ```text
/// open ─► slices ─► finish ─► close ───► complete ───► set_head
///                               │        roots, hash       └ head
///                               └ state, tip
///                                   open ─► slices ─► …
/// ```
///
/// A closed block is part of the state, so the next block can run while [`ClosedBlock::complete`]
/// computes its roots without access to the chain. Until the closed block is the head, queries
/// about sealed blocks ignore it. [`Self::seal`] does all three steps.
///
/// # Limits
///
/// States of recent blocks are kept within the [`HistoryLimits`], and older ones if
/// [`Self::pin_states`] says so.
#[derive(Debug)]
pub struct Chain {
    config: ChainConfig,
    /// The state after `tip`.
    state: NodeState,
    /// The newest executed block.
    tip: Tip,
    head: ChainHead,
    /// Closed blocks after the head, up to `tip`.
    closed: VecDeque<PendingHead>,
    /// Reverse diffs of the newest blocks.
    history: History,
    /// The newest block whose state was requested since the last block was closed.
    asked: Mutex<Option<RequestedState>>,
    /// Earlier heads, as far back as the newest blocks of `history`.
    heads: VecDeque<ChainHead>,
    /// Heads of older kept states, by block.
    pinned_heads: BTreeMap<u64, ChainHead>,
    engine: Arc<Engine>,
}

/// A block whose state was requested. `undo` is computed by the first request.
#[derive(Debug)]
struct RequestedState {
    block: u64,
    undo: Arc<OnceLock<Arc<MergedDiff>>>,
}

/// A closed block that is not the head yet.
#[derive(Debug)]
struct PendingHead {
    parent: Parent,
    hash: DeferredHash,
}

impl Chain {
    /// A chain with only its genesis block. It keeps [`RECENT_STATES`].
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self::from_genesis_with(genesis, RECENT_STATES)
    }

    /// A chain with only its genesis block, which keeps states within `limits`.
    pub fn from_genesis_with(genesis: &Genesis, limits: HistoryLimits) -> Self {
        let (state, roots) = NodeState::from_genesis(&genesis_diff(genesis));
        let header = genesis.header(roots.state_root);
        let parent = Parent { number: 0, time_ms: genesis.timestamp_ms(), origin: None };
        let output = output_of(&header, roots);
        Self::at(genesis.config.clone(), state, ChainHead { header, parent, output }, limits)
    }

    /// A chain at the block with this header. `state` is the state after it, `origin` the entry of
    /// its origin. It keeps [`RECENT_STATES`]. Returns `None` if the state does not have the
    /// header's root.
    pub fn resume(
        config: ChainConfig,
        state: NodeState,
        header: Header,
        origin: Option<u64>,
    ) -> Option<Self> {
        let roots = state.roots();
        let parent = Parent { number: header.number, time_ms: time_ms(&header), origin };
        let output = output_of(&header, roots);
        (roots.state_root == header.state_root)
            .then(|| Self::at(config, state, ChainHead { header, parent, output }, RECENT_STATES))
    }

    fn at(config: ChainConfig, state: NodeState, head: ChainHead, limits: HistoryLimits) -> Self {
        Self {
            tip: Tip::of(&head),
            config,
            state,
            closed: VecDeque::new(),
            history: History::new(head.header.number, limits),
            asked: Mutex::default(),
            heads: VecDeque::new(),
            pinned_heads: BTreeMap::new(),
            head,
            engine: Arc::default(),
        }
    }

    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The newest sealed block.
    pub const fn head(&self) -> &ChainHead {
        &self.head
    }

    /// The newest executed block.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state after the newest executed block. If its roots are still being computed, a query
    /// for roots or proofs computes them too, or waits.
    pub const fn state(&self) -> &NodeState {
        &self.state
    }

    /// The oldest block whose state is kept.
    pub fn oldest_state(&self) -> u64 {
        self.history.oldest()
    }

    /// The head when `block` was the newest block, if the state after it is kept.
    pub fn head_at(&self, block: u64) -> Option<&ChainHead> {
        match usize::try_from(self.head.header.number.checked_sub(block)?).ok()? {
            0 => Some(&self.head),
            back => match self.heads.len().checked_sub(back) {
                Some(at) => self.heads.get(at),
                None => self.pinned_heads.get(&block),
            },
        }
    }

    /// Keeps the states after these blocks whatever the limits say, as long as they are among the
    /// newest ones or kept already. Drops older states that were kept for this alone.
    pub fn pin_states(&mut self, blocks: BTreeSet<u64>) {
        self.pinned_heads.retain(|block, _| blocks.contains(block));
        self.history.pin(blocks);
    }

    /// The newest kept state at or before `block`.
    pub fn kept_before(&self, block: u64) -> Option<u64> {
        self.history.kept_before(block)
    }

    /// The state after `block`, if it is kept. The cost grows with all later changes. Repeated
    /// requests for the newest requested block are free.
    pub fn state_at(&self, block: u64) -> Option<HistoricalView<'_>> {
        Some(HistoricalView::new(self.state.flat(), self.merged_to(block)?))
    }

    fn merged_to(&self, block: u64) -> Option<Arc<MergedDiff>> {
        let merged = || self.history.merged_to(block).map(Arc::new);
        if !(self.oldest_state()..=self.history.newest()).contains(&block) {
            return None;
        }
        let undo = {
            let mut newest = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            newest.take_if(|asked| asked.block < block);
            let asked =
                newest.get_or_insert_with(|| RequestedState { block, undo: Arc::default() });
            (asked.block == block).then(|| Arc::clone(&asked.undo))
        };
        let Some(undo) = undo else { return merged() };
        let kept = || merged().expect("invariant: the block is within the history");
        Some(Arc::clone(undo.get_or_init(kept)))
    }

    /// The diff that rewinds the state to `block`, if that state is kept.
    pub fn undo_to(&self, block: u64) -> Option<StateDiff> {
        self.history.undo_to(block)
    }

    /// Merkle proofs of an account and some of its slots in the state after `block`, if it is kept.
    /// The cost is that of committing all later changes.
    pub fn proof_at(&self, block: u64, address: &Address, slots: &[U256]) -> Option<AccountProof> {
        if block == self.tip.parent.number {
            return Some(self.state.proof(address, slots));
        }
        Some(self.state.proof_at(&self.undo_to(block)?, address, slots))
    }

    /// Root of the state after `block` with further `changes`, if that state is kept. The cost is
    /// that of committing these and all later changes.
    pub fn state_root_with(&self, block: u64, changes: StateDiff) -> Option<B256> {
        let mut diff = self.undo_to(block)?;
        let places: HashMap<Address, usize> =
            diff.accounts.iter().enumerate().map(|(at, change)| (change.address, at)).collect();
        for change in changes.accounts {
            match places.get(&change.address) {
                Some(at) => diff.accounts[*at].merge(change),
                None => diff.accounts.push(change),
            }
        }
        let proof = self.state.proof_at(&diff, &Address::ZERO, &[]);
        proof.account_proof.first().map(keccak256)
    }

    /// The engine that executes the chain's blocks.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Replaces the engine that executes the chain's blocks.
    pub fn set_engine(&mut self, engine: Engine) {
        self.engine = Arc::new(engine);
    }

    /// Opens the block after the newest executed one. The state stays as it is until the block is
    /// closed.
    pub fn open_block(
        &self,
        time_ms: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'_, &FlatState>, ExecutionError<Infallible>> {
        self.tip.open(&self.config, &self.engine, self.state.flat(), time_ms, origin)
    }

    /// The inputs of the next block, without a borrow of the chain.
    pub fn next_block(&self) -> NextBlock {
        NextBlock {
            config: self.config.clone(),
            tip: self.tip.clone(),
            flat: self.state.share_flat(),
            engine: Arc::clone(&self.engine),
        }
    }

    /// Takes a block that was executed on the current state with this origin. The state advances,
    /// and the next block can be opened.
    ///
    /// # Panics
    ///
    /// If the block does not follow the newest executed block, or if a [`NextBlock`] exists.
    pub fn close(&mut self, mut executed: Executed, origin: &Origin) -> ClosedBlock {
        let gas_used = executed.gas_used();
        let header = Header { gas_used, ..executed.header.clone() };
        let (number, time_ms) = (header.number, time_ms(&header));
        assert_eq!(number, self.tip.parent.number + 1, "invariant: blocks follow one another");
        let diff = Arc::new(mem::take(executed.diff()));
        executed.overlays.clear();
        let (undo, roots) = match self.engine.pool() {
            Some(pool) => {
                let undo = self.state.flat().undo_of_on(&diff, pool);
                (undo, self.state.advance_on(Arc::clone(&diff), pool))
            }
            None => (self.state.flat().undo_of(&diff), self.state.advance(Arc::clone(&diff))),
        };
        self.history.push_ahead(number, undo);
        self.asked = Mutex::default();
        let (promise, hash) = DeferredHash::promised();
        let parent = Parent { number, time_ms, origin: Some(origin.entry) };
        self.tip = Tip { parent, backlog: backlog(&header), hash: hash.clone() };
        self.closed.push_back(PendingHead { parent, hash });
        ClosedBlock { executed, diff, roots, hash: promise, engine: Arc::clone(&self.engine) }
    }

    /// Makes a closed block the head. Returns false and changes nothing if it is not the oldest
    /// closed block of this chain. Keeps the state of the recent block `kept`, regardless of the
    /// limits.
    pub fn set_head(&mut self, outcome: &BlockOutcome, kept: u64) -> bool {
        let is_next = |closed: &PendingHead| closed.hash.get() == Some(outcome.hash());
        let Some(PendingHead { parent, .. }) = self.closed.front().filter(|next| is_next(next))
        else {
            return false;
        };
        let (header, parent, output) = (outcome.header.clone(), *parent, outcome.output);
        self.closed.pop_front();
        self.heads.push_back(mem::replace(&mut self.head, ChainHead { header, parent, output }));
        self.history.trim(parent.number, kept);
        let oldest = self.history.oldest();
        while let Some(head) = self.heads.pop_front_if(|head| head.header.number < oldest) {
            let block = head.header.number;
            if self.history.kept_before(block) == Some(block) {
                self.pinned_heads.insert(block, head);
            }
        }
        true
    }

    /// Commits a block that was executed on the current state with this origin.
    pub fn seal(&mut self, executed: Executed, origin: &Origin) -> BlockOutcome {
        let outcome = self.close(executed, origin).complete();
        assert!(self.set_head(&outcome, u64::MAX), "invariant: all blocks before it are sealed");
        outcome
    }

    /// Rewinds the chain to `block`. State, tries and head become those from when `block` was the
    /// newest block. Closed blocks that are still being completed are dropped. Returns false and
    /// changes nothing if the state after `block` is not kept. The cost grows with all later
    /// changes.
    ///
    /// # Panics
    ///
    /// If a [`NextBlock`] exists.
    pub fn rewind(&mut self, block: u64) -> bool {
        let Some(head) = self.head_at(block).cloned() else { return false };
        let Some(undo) = self.history.truncate(block) else { return false };
        let roots = match self.engine.pool() {
            Some(pool) => self.state.apply_on(&undo, pool),
            None => self.state.apply(&undo),
        };
        assert_eq!(roots.state_root, head.output.state_root, "invariant: undo is exact");
        self.heads.retain(|head| head.header.number < block);
        self.pinned_heads.retain(|pinned, _| *pinned < block);
        self.closed.clear();
        self.asked = Mutex::default();
        self.tip = Tip::of(&head);
        self.head = head;
        true
    }

    /// A chain of its own at `block`, with its own copy of the state after it, that keeps states
    /// within `limits`. `None` if the state after `block` is not kept.
    pub fn copy_at(&self, block: u64, limits: HistoryLimits) -> Option<Self> {
        let (head, undo) = (self.head_at(block)?.clone(), self.history.undo_to(block)?);
        let mut state = self.state.clone();
        let roots = state.apply(&undo);
        assert_eq!(roots.state_root, head.output.state_root, "invariant: undo is exact");
        Some(Self::at(self.config.clone(), state, head, limits))
    }

    /// Executes the next block without changing the state.
    pub fn run(&self, input: &BlockInput) -> Result<Executed, ExecutionError<Infallible>> {
        let mut block = self.open_block(input.time_ms, &input.origin)?;
        block.execute_slice(block_transactions(input).collect())?;
        Ok(block.finish()?.0)
    }

    /// Executes and commits the next block.
    pub fn execute(
        &mut self,
        input: &BlockInput,
    ) -> Result<BlockOutcome, ExecutionError<Infallible>> {
        let executed = self.run(input)?;
        Ok(self.seal(executed, &input.origin))
    }
}

/// The genesis accounts, as a diff of the empty state.
fn genesis_diff(genesis: &Genesis) -> StateDiff {
    let mut diff = StateDiff::default();
    for (address, account) in &genesis.alloc {
        let code_hash = keccak256(&account.code);
        let is_new = diff.codes.iter().all(|(known, _)| *known != code_hash);
        if !account.code.is_empty() && is_new {
            diff.codes.push((code_hash, account.code.clone()));
        }
        let storage: Vec<_> = account.storage.iter().map(|(slot, value)| (*slot, *value)).collect();
        let account = Some(Account { nonce: account.nonce, balance: account.balance, code_hash });
        diff.accounts.push(AccountDiff {
            address: *address,
            account,
            storage_cleared: false,
            storage,
        });
    }
    diff
}
