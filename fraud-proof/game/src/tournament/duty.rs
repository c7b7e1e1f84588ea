//! What an honest account has to do.

use alloy_primitives::B256;
use turnpike_l1::tournament::TournamentId;
use turnpike_protocol::HistoryPath;

use super::LeafBefore;

/// A call on L1 that an honest account owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Propose the true child of an output that has false ones only.
    Propose {
        /// Index of the parent.
        parent: u64,
    },
    /// Reveal nodes of the true child.
    Reveal {
        /// Index of the child.
        child: u64,
        /// The nodes.
        children: Vec<B256>,
    },
    /// Accuse x for the true child y.
    Accuse {
        /// Indexes of x and y.
        rivals: [u64; 2],
        /// The path to the block.
        path: HistoryPath,
        /// The leaf before it.
        before: LeafBefore,
    },
    /// Answer an accusation of the true child.
    Answer {
        /// Number of the accusation.
        accusation: u64,
    },
    /// Answer the other side's newest move.
    Move {
        /// Number of the game.
        game: u64,
    },
    /// Put out the one of two rivals that was late.
    TimeOut {
        /// Indexes of x and y.
        rivals: [u64; 2],
        /// The path to where it was late.
        path: HistoryPath,
    },
    /// Put out the one of two rivals that does not repeat the last block's root.
    SettlePadding {
        /// Indexes of x and y.
        rivals: [u64; 2],
        /// The path to the leaf.
        path: HistoryPath,
        /// The leaf before it.
        before: LeafBefore,
    },
    /// Put x out: an accusation stands that nobody can answer any more.
    SettleAccusation {
        /// Number of the accusation.
        accusation: u64,
    },
    /// Put y out: no accusation stands.
    SettleMatch {
        /// Indexes of x and y.
        rivals: [u64; 2],
    },
    /// End a game whose mover's clock has run out.
    TimeOutGame {
        /// Number of the game.
        game: u64,
    },
    /// Take an accusation out whose accuser fell elsewhere.
    Strike {
        /// Number of the accusation.
        accusation: u64,
    },
    /// End a game one of whose accounts fell elsewhere.
    Close {
        /// Number of the game.
        game: u64,
    },
    /// Take the last member of a group to the next round, or make it the winner.
    Promote {
        /// Index of the child.
        child: u64,
    },
    /// Make a winner final.
    Finalize {
        /// Index of the child.
        child: u64,
    },
    /// Get the bond of an own output back that is void.
    VoidOutput {
        /// Index of the output.
        child: u64,
    },
    /// Get the own stake back.
    Release {
        /// The tournament.
        tournament: TournamentId,
    },
}

/// A duty and its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledDuty {
    /// Timestamp, in seconds, of the last L1 block that may include the call; [`u64::MAX`] if there
    /// is none.
    pub deadline: u64,
    /// The duty.
    pub duty: Duty,
}
