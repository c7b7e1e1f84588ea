use std::{collections::VecDeque, convert::Infallible, mem};

use alloy_primitives::{Address, B256, U256, keccak256};
use turnpike_protocol::{BlockInput, ChainConfig, Genesis, Header, Origin, OutputRoot, Parent};
use turnpike_state::{
    Account, AccountDiff, AccountProof, FlatState, HistoricalView, History, HistoryLimits,
    NodeState, StateDiff,
};

use crate::{
    BlockContext, BlockOutcome, ChainSpec, Engine, EngineBlock, Executed, ExecutionError,
    block_transactions, outcome::output_of,
};

/// States that a chain keeps if it is not told otherwise: as many as other nodes do, but no more changes than a proof of
/// the oldest can undo in a second or two.
pub const RECENT_STATES: HistoryLimits = HistoryLimits { blocks_max: 128, items_max: 100_000 };

/// The newest block of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its header.
    pub header: Header,
    /// What derivation needs to know of it.
    pub parent: Parent,
    /// The output root's preimage after it; holds its hash.
    pub output: OutputRoot,
}

impl Head {
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
#[derive(Debug)]
pub struct Chain {
    config: ChainConfig,
    state: NodeState,
    head: Head,
    /// How to get back from the state to those before it.
    history: History,
    /// The heads that the chain had before, as far back as `history` goes.
    heads: VecDeque<Head>,
    engine: Engine,
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
        Self::at(genesis.config.clone(), state, Head { header, parent, output }, limits)
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
            .then(|| Self::at(config, state, Head { header, parent, output }, RECENT_STATES))
    }

    fn at(config: ChainConfig, state: NodeState, head: Head, limits: HistoryLimits) -> Self {
        let history = History::new(head.header.number, limits);
        let heads = VecDeque::new();
        Self { config, state, head, history, heads, engine: Engine::default() }
    }

    /// The chain's rules.
    pub const fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// The newest block.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The state after the newest block.
    pub const fn state(&self) -> &NodeState {
        &self.state
    }

    /// The oldest block whose state is kept.
    pub fn oldest_state(&self) -> u64 {
        self.history.oldest()
    }

    /// The head that the chain had when `block` was the newest, if the state after it is kept.
    pub fn head_at(&self, block: u64) -> Option<&Head> {
        match usize::try_from(self.head.header.number.checked_sub(block)?).ok()? {
            0 => Some(&self.head),
            back => self.heads.get(self.heads.len().checked_sub(back)?),
        }
    }

    /// The state after `block`, if it is kept. Costs as much as what changed since.
    pub fn state_at(&self, block: u64) -> Option<HistoricalView<'_>> {
        self.history.view(self.state.flat(), block)
    }

    /// What takes the state back to that after `block`, if it is kept.
    pub fn undo_to(&self, block: u64) -> Option<StateDiff> {
        self.history.undo_to(block)
    }

    /// Merkle proofs of an account and some of its slots in the state after `block`, if it is kept. Costs as much as
    /// committing what changed since.
    pub fn proof_at(&self, block: u64, address: &Address, slots: &[U256]) -> Option<AccountProof> {
        if block == self.head.header.number {
            return Some(self.state.proof(address, slots));
        }
        Some(self.state.proof_at(&self.undo_to(block)?, address, slots))
    }

    /// What runs the chain's blocks.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has another engine run the chain's blocks.
    pub fn set_engine(&mut self, engine: Engine) {
        self.engine = engine;
    }

    /// Opens the next block on the current state, which stays as it is until the block is sealed.
    pub fn open_block(
        &self,
        timestamp: u64,
        origin: &Origin,
    ) -> Result<EngineBlock<'_, &FlatState>, ExecutionError<Infallible>> {
        let context = self.head.next_block(&self.config, timestamp, origin);
        self.engine.open(&ChainSpec::turnpike(&self.config), &context, self.state.flat())
    }

    /// Commits a block that ran on the current state, with this origin.
    pub fn seal(&mut self, mut executed: Executed, origin: &Origin) -> BlockOutcome {
        let diff = executed.diff();
        let (undo, roots) = match self.engine.pool() {
            Some(pool) => {
                (self.state.flat().undo_of_on(diff, pool), self.state.apply_on(diff, pool))
            }
            None => (self.state.flat().undo_of(diff), self.state.apply(diff)),
        };
        let outcome = executed.seal(roots);
        let head = Head {
            header: outcome.header.clone(),
            parent: Parent {
                number: outcome.header.number,
                timestamp: outcome.header.timestamp,
                origin: Some(origin.entry),
            },
            output: outcome.output,
        };
        self.history.push(head.header.number, undo);
        self.heads.push_back(mem::replace(&mut self.head, head));
        while self.heads.front().is_some_and(|head| head.header.number < self.history.oldest()) {
            self.heads.pop_front();
        }
        outcome
    }

    /// Takes the chain back to where `block` was its newest: state, tries and head are what they were. False, and nothing
    /// happens, for a block that is not the chain's, or whose state is not kept. Costs as much as what changed since.
    pub fn rewind(&mut self, block: u64) -> bool {
        let Some(head) = self.head_at(block).cloned() else { return false };
        let Some(undo) = self.history.truncate(block) else { return false };
        let roots = match self.engine.pool() {
            Some(pool) => self.state.apply_on(&undo, pool),
            None => self.state.apply(&undo),
        };
        assert_eq!(roots.state_root, head.output.state_root, "invariant: undo is exact");
        self.heads.retain(|head| head.header.number < block);
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
