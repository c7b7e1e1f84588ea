use core::convert::Infallible;

use alloc::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use turnpike_protocol::{BlockInput, ChainConfig, Genesis, Header, Origin, OutputRoot, Parent};
use turnpike_state::{Account, AccountDiff, FlatState, NodeState, StateDiff, StateRoots};

use crate::{BlockExecutor, BlockOutcome, Executed, ExecutionError};

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
}

/// A chain's rules, its full state and its head, moved forward one block at a time.
#[derive(Debug)]
pub struct Chain {
    config: ChainConfig,
    state: NodeState,
    head: Head,
}

impl Chain {
    /// The chain that consists of its genesis block.
    pub fn from_genesis(genesis: &Genesis) -> Self {
        let (state, roots) = NodeState::from_genesis(&genesis_diff(genesis));
        let header = genesis.header(roots.state_root);
        let parent = Parent { number: 0, timestamp: genesis.timestamp, origin: None };
        let output = output_of(&header, roots);
        Self { config: genesis.config.clone(), state, head: Head { header, parent, output } }
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

    /// Opens the next block on the current state, which stays as it is until the block is sealed.
    pub fn open_block(
        &self,
        timestamp: u64,
        origin: &Origin,
    ) -> Result<BlockExecutor<&FlatState>, ExecutionError<Infallible>> {
        let head = &self.head;
        BlockExecutor::open(
            &self.config,
            &head.header,
            head.hash(),
            timestamp,
            origin,
            self.state.flat(),
        )
    }

    /// Commits a block that ran on the current state, with this origin.
    pub fn seal(&mut self, executed: Executed, origin: &Origin) -> BlockOutcome {
        let roots = self.state.apply(&executed.diff);
        let outcome = executed.seal(roots);
        self.head = Head {
            header: outcome.header.clone(),
            parent: Parent {
                number: outcome.header.number,
                timestamp: outcome.header.timestamp,
                origin: Some(origin.entry),
            },
            output: outcome.output,
        };
        outcome
    }

    /// Runs and commits the next block.
    pub fn execute(
        &mut self,
        input: &BlockInput,
    ) -> Result<BlockOutcome, ExecutionError<Infallible>> {
        let mut block = self.open_block(input.timestamp, &input.origin)?;
        block.run(input)?;
        let executed = block.finish();
        Ok(self.seal(executed, &input.origin))
    }
}

fn output_of(header: &Header, roots: StateRoots) -> OutputRoot {
    OutputRoot {
        state_root: roots.state_root,
        message_passer_storage_root: roots.message_passer_storage_root,
        block_hash: header.hash_slow(),
    }
}

/// The genesis accounts, as changes to an empty state.
fn genesis_diff(genesis: &Genesis) -> StateDiff {
    let mut codes = BTreeMap::new();
    let mut accounts = BTreeMap::new();
    for (address, account) in &genesis.alloc {
        let code_hash = keccak256(&account.code);
        if !account.code.is_empty() {
            codes.insert(code_hash, account.code.clone());
        }
        let storage = account.storage.clone();
        let account = Some(Account { nonce: account.nonce, balance: account.balance, code_hash });
        accounts.insert(*address, AccountDiff { account, storage_cleared: false, storage });
    }
    StateDiff { accounts, codes }
}
