//! The state of the contracts, and what every part of it uses.
//!
//! # Job
//!
//! Holds outputs, ranges, reveals, groups, stakes, accusations, games and money. A call either does
//! all that the rules say, or is refused and changes nothing.
//!
//! # State
//!
//! Tournaments are keyed by generation and parent, so that the last final output starts afresh
//! after an escape.
//!
//! # Limits
//!
//! Time is an input: [`Contracts::now`] is set by the caller and never goes back. Games are
//! abstract: [`Contracts::tell_right`] says which history is right, and a side that claims
//! otherwise cannot prove, unless the other side has thrown the game.

mod dispute;
mod refusal;
mod rollup;
mod tournament;

use std::{collections::BTreeMap, rc::Rc};

use alloy_primitives::B256;
use turnpike_protocol::History;

pub use dispute::{Accusation, Game, Match, Move, Stake, StakeStatus};
pub use refusal::Refusal;
pub use rollup::{Output, Proposal, Range, Status};

use crate::{Fault, Ledger, Parameters, ledger::Account};

/// Where an output is in the list.
pub type OutputIndex = usize;

/// A tournament: generation and parent.
pub type Key = (u64, OutputIndex);

/// Reveals: who showed a node with this width first, and when.
type Reveals = BTreeMap<(B256, u32), (Account, u64)>;

/// A group: how many members arrived, and how many still stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Members that arrived.
    pub arrived: u64,
    /// Members that stand.
    pub alive: u64,
}

/// The contracts.
#[derive(Clone, Debug)]
pub struct Contracts {
    /// What the deployment fixes.
    pub parameters: Parameters,
    /// A wrong rule, if a test injects one.
    pub fault: Option<Fault>,
    /// The time, in seconds.
    pub now: u64,
    /// Times of the inbox's entries. Entry 0 is genesis.
    pub inbox: Vec<u64>,
    /// All outputs. Output 0 is genesis and final.
    pub outputs: Vec<Output>,
    /// Tournaments' ranges.
    pub ranges: BTreeMap<Key, Range>,
    /// Tournaments' groups, by round and number.
    pub groups: BTreeMap<(Key, u32, u64), Group>,
    /// Stakes.
    pub stakes: BTreeMap<(Key, Account), Stake>,
    /// Matches, by x and y.
    pub matches: BTreeMap<(OutputIndex, OutputIndex), Match>,
    /// Accusations.
    pub accusations: Vec<Accusation>,
    /// Games.
    pub games: Vec<Game>,
    /// The generation, and the final output from which it starts.
    pub generation: (u64, OutputIndex),
    /// The bonds.
    pub rollup: Ledger,
    /// The stakes.
    pub dispute: Ledger,
    last_final: (OutputIndex, u64),
    reveals: Reveals,
    met: BTreeMap<(Key, Account, Account), ()>,
    right: BTreeMap<OutputIndex, Rc<History>>,
}

impl Contracts {
    /// Contracts with a final genesis output at time 0.
    pub fn new(parameters: Parameters) -> Self {
        Self {
            parameters,
            fault: None,
            now: 0,
            inbox: vec![0],
            outputs: vec![Output::genesis()],
            ranges: BTreeMap::new(),
            groups: BTreeMap::new(),
            stakes: BTreeMap::new(),
            matches: BTreeMap::new(),
            accusations: Vec::new(),
            games: Vec::new(),
            generation: (0, 0),
            rollup: Ledger::default(),
            dispute: Ledger::default(),
            last_final: (0, 0),
            reveals: Reveals::new(),
            met: BTreeMap::new(),
            right: BTreeMap::new(),
        }
    }

    /// Says which history a parent's right child has. Without it, either side of a game about the
    /// parent's children can prove.
    pub fn tell_right(&mut self, parent: OutputIndex, history: Rc<History>) {
        self.right.insert(parent, history);
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

/// Refuses a call unless a condition holds.
fn ensure(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}
