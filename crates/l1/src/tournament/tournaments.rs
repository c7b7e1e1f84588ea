//! All tournaments and disputes, built from the contracts' logs. A reorg rewinds them.

use std::collections::{BTreeMap, HashMap, HashSet};

use alloy::rpc::types::Log;
use alloy_primitives::{Address, B256, Bytes};
use turnpike_protocol::OutputRoot;

use super::{
    Accusation, Child, ChildStatus, Game, GameStatus, Player, Reveal, Stake, StakeStatus,
    Tournament, TournamentId, TournamentSizes,
    record::{Accused, Proposed, Record},
};
use crate::{L1Error, log::check_next};

/// All tournaments and disputes.
///
/// It keeps its records: a rewind builds the state again from those that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tournaments {
    sizes: TournamentSizes,
    genesis: OutputRoot,
    records: Vec<(u64, Record)>,
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    generation: u64,
    children: Vec<Child>,
    tournaments: BTreeMap<TournamentId, Tournament>,
    reveals: HashMap<(B256, u32), Reveal>,
    stakes: BTreeMap<(TournamentId, Address), Stake>,
    /// Accuser and defender that met in a tournament.
    met: HashSet<(TournamentId, Address, Address)>,
    accusations: Vec<Accusation>,
    /// Numbers of the accusations of a match.
    matches: BTreeMap<[u64; 2], Vec<u64>>,
    games: Vec<Game>,
}

impl Tournaments {
    /// Output 0 and nothing else.
    pub fn new(sizes: TournamentSizes, genesis: OutputRoot) -> Self {
        Self { sizes, genesis, records: Vec::new(), state: State::new(genesis) }
    }

    /// What the deployment fixes.
    pub const fn sizes(&self) -> &TournamentSizes {
        &self.sizes
    }

    /// The generation that is played.
    pub const fn generation(&self) -> u64 {
        self.state.generation
    }

    /// All outputs, by index.
    pub fn children(&self) -> &[Child] {
        &self.state.children
    }

    /// The output with this index.
    pub fn child(&self, index: u64) -> Option<&Child> {
        self.state.children.get(usize::try_from(index).ok()?)
    }

    /// What an output has come to. Outputs of an older generation that are not final are void.
    pub fn status(&self, child: &Child) -> ChildStatus {
        match child.recorded {
            ChildStatus::Standing if child.tournament.generation != self.state.generation => {
                ChildStatus::Void
            }
            status => status,
        }
    }

    /// All tournaments, by generation and parent.
    pub const fn tournaments(&self) -> &BTreeMap<TournamentId, Tournament> {
        &self.state.tournaments
    }

    /// Who showed the children `width` levels below a node first.
    pub fn reveal(&self, node: B256, width: u32) -> Option<&Reveal> {
        self.state.reveals.get(&(node, width))
    }

    /// All stakes, by tournament and account.
    pub const fn stakes(&self) -> &BTreeMap<(TournamentId, Address), Stake> {
        &self.state.stakes
    }

    /// Whether an account may accuse and answer in a tournament: its stake stands, or it has none
    /// there yet.
    pub fn may_play(&self, tournament: TournamentId, account: Address) -> bool {
        let stake = self.state.stakes.get(&(tournament, account));
        stake.is_none_or(|stake| stake.status == StakeStatus::Standing)
    }

    /// Whether an account has answered an accuser in a tournament.
    pub fn has_met(&self, tournament: TournamentId, accuser: Address, account: Address) -> bool {
        self.state.met.contains(&(tournament, accuser, account))
    }

    /// All accusations, by number.
    pub fn accusations(&self) -> &[Accusation] {
        &self.state.accusations
    }

    /// The accusation with this number.
    pub fn accusation(&self, index: u64) -> Option<&Accusation> {
        self.state.accusations.get(usize::try_from(index).ok()?)
    }

    /// Whether an accusation stands: nobody struck it, and its accuser's stake stands.
    pub fn stands(&self, accusation: &Accusation) -> bool {
        !accusation.is_struck && self.may_play(accusation.tournament, accusation.accuser)
    }

    /// The accusations of x for y.
    pub fn accusations_of(&self, rivals: [u64; 2]) -> impl Iterator<Item = &Accusation> {
        let numbers = self.state.matches.get(&rivals).into_iter().flatten();
        numbers.filter_map(|number| self.accusation(*number))
    }

    /// All games, by number.
    pub fn games(&self) -> &[Game] {
        &self.state.games
    }

    /// Number of records, as [`Self::truncate`] takes it.
    pub const fn records(&self) -> usize {
        self.records.len()
    }

    /// Rewinds to the first `records` records.
    pub fn truncate(&mut self, records: usize) {
        if records >= self.records.len() {
            return;
        }
        self.records.truncate(records);
        self.state = State::new(self.genesis);
        for (time, record) in &self.records {
            let applied = self.state.apply(&self.sizes, *time, record);
            applied.expect("invariant: the record was applied before");
        }
    }

    /// Applies a log of a block with timestamp `time`; other events are ignored. If it fails,
    /// nothing changes.
    pub fn read(&mut self, log: &Log, time: u64) -> Result<(), L1Error> {
        let Some(record) = Record::of(log)? else { return Ok(()) };
        self.state.apply(&self.sizes, time, &record)?;
        self.records.push((time, record));
        Ok(())
    }
}

impl State {
    fn new(genesis: OutputRoot) -> Self {
        let child = Child {
            index: 0,
            tournament: TournamentId { generation: 0, parent: 0 },
            claim: B256::ZERO,
            history: B256::ZERO,
            entry: 0,
            output: genesis,
            header: Bytes::new(),
            l2_block: 0,
            proposer: Address::ZERO,
            proposed_at: 0,
            seat: 0,
            round: 0,
            since: 0,
            left: 0,
            recorded: ChildStatus::Final,
        };
        Self { children: vec![child], ..Self::default() }
    }

    fn apply(
        &mut self,
        sizes: &TournamentSizes,
        time: u64,
        record: &Record,
    ) -> Result<(), L1Error> {
        match record {
            Record::Proposed(proposed) => self.propose(sizes, time, proposed)?,
            Record::Promoted { index, round } => {
                let child = self.child(*index)?;
                (child.round, child.since, child.left) = (*round, time, sizes.game_clock);
            }
            Record::Won { tournament, index } => {
                self.child(*index)?;
                let found = self.tournaments.get_mut(tournament);
                found.ok_or_else(|| unserved("tournament of output", tournament.parent))?.winner =
                    Some(*index);
            }
            Record::Rejected { index } => self.child(*index)?.recorded = ChildStatus::Rejected,
            Record::Voided { index } => self.child(*index)?.recorded = ChildStatus::Void,
            Record::Finalized { index, claim } => {
                let child = self.child(*index)?;
                (child.recorded, child.claim) = (ChildStatus::Final, *claim);
                // Output 0 is final from the deployment on.
                if *index == 0 {
                    child.proposed_at = time;
                }
            }
            Record::GenerationOpened { generation } => self.generation = *generation,
            Record::Revealed { node, width, by, children } => {
                let reveal = Reveal { by: *by, at: time, children: children.clone() };
                self.reveals.insert((*node, *width), reveal);
            }
            Record::Staked { tournament, account } => {
                let stake = Stake { status: StakeStatus::Standing, open_games: 0 };
                self.stakes.insert((*tournament, *account), stake);
            }
            Record::Accused(accused) => self.accuse(time, accused)?,
            Record::Answered { game, accusation, defender } => {
                self.answer(time, *game, *accusation, *defender)?;
            }
            Record::Moved { game, status, clocks, bisection } => {
                let game = self.game(*game)?;
                (game.status, game.clocks, game.moved_at) = (*status, *clocks, time);
                game.moves.push(bisection.clone());
            }
            Record::GameEnded { game, status } => {
                let game = self.game(*game)?;
                game.status = *status;
                let (accusation, defender) = (game.accusation, game.defender);
                for stake in self.stakes_of(accusation, defender)? {
                    self.stake(stake)?.open_games -= 1;
                }
            }
            Record::Fallen { tournament, account } => {
                self.stake((*tournament, *account))?.status = StakeStatus::Fallen;
            }
            Record::Struck { accusation } => self.accusation(*accusation)?.is_struck = true,
            Record::Released { tournament, account } => {
                self.stake((*tournament, *account))?.status = StakeStatus::Returned;
            }
        }
        Ok(())
    }

    fn propose(
        &mut self,
        sizes: &TournamentSizes,
        time: u64,
        proposed: &Proposed,
    ) -> Result<(), L1Error> {
        check_next("output", proposed.index, self.children.len())?;
        let parent_entry = self.child(proposed.tournament.parent)?.entry;
        let children =
            self.tournaments.get(&proposed.tournament).map_or(0, |found| found.children.len());
        check_next("child", proposed.seat, children)?;
        let tournament =
            self.tournaments.entry(proposed.tournament).or_insert_with(|| Tournament {
                first_at: time,
                positions: (proposed.entry - parent_entry) * sizes.blocks_per_entry_max,
                children: Vec::new(),
                winner: None,
            });
        tournament.children.push(proposed.index);
        let ends_at = tournament.first_at + sizes.challenge_window;
        self.children.push(Child {
            index: proposed.index,
            tournament: proposed.tournament,
            claim: proposed.claim,
            history: proposed.history,
            entry: proposed.entry,
            output: proposed.output,
            header: proposed.header.clone(),
            l2_block: proposed.l2_block,
            proposer: proposed.proposer,
            proposed_at: time,
            seat: proposed.seat,
            round: 0,
            since: time,
            left: sizes.game_clock.min(ends_at.saturating_sub(time)),
            recorded: ChildStatus::Standing,
        });
        Ok(())
    }

    fn accuse(&mut self, time: u64, accused: &Accused) -> Result<(), L1Error> {
        check_next("accusation", accused.accusation, self.accusations.len())?;
        let tournament = self.child(accused.rivals[0])?.tournament;
        self.matches.entry(accused.rivals).or_default().push(accused.accusation);
        self.accusations.push(Accusation {
            index: accused.accusation,
            accuser: accused.accuser,
            at: time,
            tournament,
            rivals: accused.rivals,
            roots: accused.roots,
            bisection: accused.bisection.clone(),
            final_state: accused.final_state.clone(),
            is_struck: false,
        });
        Ok(())
    }

    fn answer(
        &mut self,
        time: u64,
        game: u64,
        accusation: u64,
        defender: Address,
    ) -> Result<(), L1Error> {
        check_next("game", game, self.games.len())?;
        let stakes = self.stakes_of(accusation, defender)?;
        for stake in stakes {
            self.stake(stake)?.open_games += 1;
        }
        let [(tournament, accuser), _] = stakes;
        self.met.insert((tournament, accuser, defender));
        self.games.push(Game {
            index: game,
            accusation,
            defender,
            status: GameStatus::ToMove(Player::Defender),
            clocks: [0; 2],
            moved_at: time,
            moves: Vec::new(),
        });
        Ok(())
    }

    /// The stakes of a game's accuser and defender.
    fn stakes_of(
        &mut self,
        accusation: u64,
        defender: Address,
    ) -> Result<[(TournamentId, Address); 2], L1Error> {
        let accusation = self.accusation(accusation)?;
        let (tournament, accuser) = (accusation.tournament, accusation.accuser);
        Ok([(tournament, accuser), (tournament, defender)])
    }

    fn child(&mut self, index: u64) -> Result<&mut Child, L1Error> {
        at(&mut self.children, "output", index)
    }

    fn accusation(&mut self, index: u64) -> Result<&mut Accusation, L1Error> {
        at(&mut self.accusations, "accusation", index)
    }

    fn game(&mut self, index: u64) -> Result<&mut Game, L1Error> {
        at(&mut self.games, "game", index)
    }

    fn stake(&mut self, key: (TournamentId, Address)) -> Result<&mut Stake, L1Error> {
        let parent = key.0.parent;
        self.stakes.get_mut(&key).ok_or_else(|| unserved("a stake below output", parent))
    }
}

fn at<'a, T>(list: &'a mut [T], what: &str, index: u64) -> Result<&'a mut T, L1Error> {
    let found = usize::try_from(index).ok().and_then(|at| list.get_mut(at));
    found.ok_or_else(|| unserved(what, index))
}

fn unserved(what: &str, index: u64) -> L1Error {
    L1Error::NotYet(format!("{what} {index} was not served"))
}
