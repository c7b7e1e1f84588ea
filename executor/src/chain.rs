use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use alloy_primitives::{Address, B256, U256, keccak256};
use turnpike_protocol::{
    BlockInput, ChainConfig, Genesis, Header, Origin, OutputRoot, Parent, next_base_fee,
};
use turnpike_state::{
    Account, AccountDiff, AccountProof, FlatState, HistoricalView, History, HistoryLimits,
    MergedDiff, NodeState, StateDiff,
};

use crate::{
    BlockContext, BlockOutcome, ClosedBlock, DeferredHash, Engine, EngineBlock, Executed,
    ExecutionError, NextBlock, Tip, block_transactions, outcome::output_of,
};

/// States that a chain keeps if it is not told otherwise: as many as other nodes do, but no more changes than a proof of
/// the oldest can undo in a second or two.
pub const RECENT_STATES: HistoryLimits = HistoryLimits { blocks_max: 128, items_max: 100_000 };

/// The newest block of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Its header.
    pub header: Header,
    /// What derivation needs to know of it.
    pub parent: Parent,
    /// The output root's preimage after it; holds its hash.
    pub output: OutputRoot,
}

impl ChainHead {
    /// Its hash.
    pub const fn hash(&self) -> B256 {
        self.output.block_hash
    }

    /// The block that follows.
    pub fn next_block(
        &self,
        config: &ChainConfig,
        timestamp: u64,
        origin: &Origin,
    ) -> BlockContext {
        BlockContext::next(config, &self.header, self.hash(), timestamp, origin)
    }
}

/// A chain's rules, its full state and its head, moved forward one block at a time, and the states of its last blocks.
///
/// ```text
/// open ─► slices ─► finish ─► close ───► complete ───► set_head
///                               │        roots, hash       └ head
///                               └ state, tip
///                                   open ─► slices ─► …
/// ```
///
/// A block that is closed is in the state, so that the next one can run, while its roots are computed beside: by
/// [`ClosedBlock::complete`], which needs no hold on the chain. Until it is the head, whatever is asked of sealed blocks is
/// answered as if it were not there. [`Self::seal`] is the three steps in one.
#[derive(Debug)]
pub struct Chain {
    config: ChainConfig,
    /// After `tip`.
    state: NodeState,
    /// The newest block that ran.
    tip: Tip,
    head: ChainHead,
    /// The blocks after the head, up to `tip`.
    closed: VecDeque<PendingHead>,
    /// How to get back from the state to those before it.
    history: History,
    /// The newest block whose state somebody has asked for since the last block was closed.
    asked: Mutex<Option<RequestedState>>,
    /// The heads that the chain had before, as far back as `history` goes.
    heads: VecDeque<ChainHead>,
    engine: Arc<Engine>,
}

/// A block whose state was asked for, and what takes the state back to it, once whoever was first has made that.
#[derive(Debug)]
struct RequestedState {
    block: u64,
    undo: Arc<OnceLock<Arc<MergedDiff>>>,
}

/// A block that has run and is not the head yet.
#[derive(Debug)]
struct PendingHead {
    parent: Parent,
    hash: DeferredHash,
}

impl Chain {
    /// The chain that consists of its genesis block, and keeps [`RECENT_STATES`].
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self::from_genesis_with(genesis, RECENT_STATES)
    }

    /// The chain that consists of its genesis block, with a choice of how many states it keeps.
    pub fn from_genesis_with(genesis: &Genesis, limits: HistoryLimits) -> Self {
        let (state, roots) = NodeState::from_genesis(&genesis_diff(genesis));
        let header = genesis.header(roots.state_root);
        let parent = Parent { number: 0, timestamp: genesis.timestamp, origin: None };
        let output = output_of(&header, roots);
        Self::at(genesis.config.clone(), state, ChainHead { header, parent, output }, limits)
    }

    /// The chain at the block with this header, after which `state` is the state; `origin` is the entry of the block's
    /// origin. It keeps [`RECENT_STATES`] from here on. `None` if the state does not have the header's root.
    pub fn resume(
        config: ChainConfig,
        state: NodeState,
        header: Header,
        origin: Option<u64>,
    ) -> Option<Self> {
        let roots = state.roots();
        let parent = Parent { number: header.number, timestamp: header.timestamp, origin };
        let output = output_of(&header, roots);
        (roots.state_root == header.state_root)
            .then(|| Self::at(config, state, ChainHead { header, parent, output }, RECENT_STATES))
    }

    fn at(config: ChainConfig, state: NodeState, head: ChainHead, limits: HistoryLimits) -> Self {
        Self {
            tip: Tip::of(&config, &head),
            config,
            state,
            closed: VecDeque::new(),
            history: History::new(head.header.number, limits),
            asked: Mutex::default(),
            heads: VecDeque::new(),
            head,
            engine: Arc::default(),
        }
    }

    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The newest block that is sealed.
    pub const fn head(&self) -> &ChainHead {
        &self.head
    }

    /// The newest block that ran.
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state after the newest block that ran. Who asks for roots or proofs that are being computed computes them too, or
    /// waits.
    pub const fn state(&self) -> &NodeState {
        &self.state
    }

    /// The oldest block whose state is kept.
    pub fn oldest_state(&self) -> u64 {
        self.history.oldest()
    }

    /// The head that the chain had when `block` was the newest, if the state after it is kept.
    pub fn head_at(&self, block: u64) -> Option<&ChainHead> {
        match usize::try_from(self.head.header.number.checked_sub(block)?).ok()? {
            0 => Some(&self.head),
            back => self.heads.get(self.heads.len().checked_sub(back)?),
        }
    }

    /// The state after `block`, if it is kept. Costs as much as what changed since; of the newest block that is asked for, only the
    /// first time.
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
        let kept = || merged().expect("invariant: it is within the history");
        Some(Arc::clone(undo.get_or_init(kept)))
    }

    /// What takes the state back to that after `block`, if it is kept.
    pub fn undo_to(&self, block: u64) -> Option<StateDiff> {
        self.history.undo_to(block)
    }

    /// Merkle proofs of an account and some of its slots in the state after `block`, if it is kept. Costs as much as
    /// committing what changed since.
    pub fn proof_at(&self, block: u64, address: &Address, slots: &[U256]) -> Option<AccountProof> {
        if block == self.tip.parent.number {
            return Some(self.state.proof(address, slots));
        }
        Some(self.state.proof_at(&self.undo_to(block)?, address, slots))
    }

    /// Root of the state after `block` with further `changes`, if that state is kept. Costs as much as committing them and what
    /// changed since.
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

    /// What runs the chain's blocks.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has another engine run the chain's blocks.
    pub fn set_engine(&mut self, engine: Engine) {
        self.engine = Arc::new(engine);
    }

    /// Opens the block after the newest one that ran, on the current state, which stays as it is until the block is closed.
    pub fn open_block(
        &self,
        timestamp: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'_, &FlatState>, ExecutionError<Infallible>> {
        self.tip.open(&self.config, &self.engine, self.state.flat(), timestamp, origin)
    }

    /// The same without a hold on the chain.
    pub fn next_block(&self) -> NextBlock {
        NextBlock {
            config: self.config.clone(),
            tip: self.tip.clone(),
            flat: self.state.share_flat(),
            engine: Arc::clone(&self.engine),
        }
    }

    /// Takes over a block that ran on the current state, with this origin: the state is that after it, and the next block
    /// can be opened.
    ///
    /// # Panics
    ///
    /// If the block is not the one after the newest that ran, or if a [`NextBlock`] is held.
    pub fn close(&mut self, mut executed: Executed, origin: &Origin) -> ClosedBlock {
        let gas_used = executed.gas_used();
        let header = Header { gas_used, ..executed.header.clone() };
        let (number, timestamp) = (header.number, header.timestamp);
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
        let parent = Parent { number, timestamp, origin: Some(origin.entry) };
        let next_base_fee = next_base_fee(&self.config, &header);
        self.tip = Tip { parent, next_base_fee, hash: hash.clone() };
        self.closed.push_back(PendingHead { parent, hash });
        ClosedBlock { executed, diff, roots, hash: promise, engine: Arc::clone(&self.engine) }
    }

    /// Makes a block that was closed the head. False, and nothing happens, if it is not the first of those that were closed
    /// since the head, as the chain has them. The state of `kept`, one of the last blocks, is kept, however much has changed since.
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
        while self.heads.front().is_some_and(|head| head.header.number < self.history.oldest()) {
            self.heads.pop_front();
        }
        true
    }

    /// Commits a block that ran on the current state, with this origin.
    pub fn seal(&mut self, executed: Executed, origin: &Origin) -> BlockOutcome {
        let outcome = self.close(executed, origin).complete();
        assert!(self.set_head(&outcome, u64::MAX), "invariant: all blocks before it are sealed");
        outcome
    }

    /// Takes the chain back to where `block` was its head and the newest that ran: state, tries and head are what they were.
    /// Blocks that are being completed come to nothing. False, and nothing happens, for a block that is not the chain's, or
    /// whose state is not kept. Costs as much as what changed since.
    ///
    /// # Panics
    ///
    /// If a [`NextBlock`] is held.
    pub fn rewind(&mut self, block: u64) -> bool {
        let Some(head) = self.head_at(block).cloned() else { return false };
        let Some(undo) = self.history.truncate(block) else { return false };
        let roots = match self.engine.pool() {
            Some(pool) => self.state.apply_on(&undo, pool),
            None => self.state.apply(&undo),
        };
        assert_eq!(roots.state_root, head.output.state_root, "invariant: undo is exact");
        self.heads.retain(|head| head.header.number < block);
        self.closed.clear();
        self.asked = Mutex::default();
        self.tip = Tip::of(&self.config, &head);
        self.head = head;
        true
    }

    /// Runs the next block, and leaves the state as it is.
    pub fn run(&self, input: &BlockInput) -> Result<Executed, ExecutionError<Infallible>> {
        let mut block = self.open_block(input.timestamp, &input.origin)?;
        block.execute_slice(block_transactions(input).collect())?;
        Ok(block.finish()?.0)
    }

    /// Runs and commits the next block.
    pub fn execute(
        &mut self,
        input: &BlockInput,
    ) -> Result<BlockOutcome, ExecutionError<Infallible>> {
        let executed = self.run(input)?;
        Ok(self.seal(executed, &input.origin))
    }
}

/// The genesis accounts, as changes to an empty state.
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
