//! An honest account, which does its duties, against attackers who know everything.

use std::collections::{BTreeMap, HashMap};

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolCall,
};
use turnpike_dispute_model::{Account, Parameters};
use turnpike_game::tournament::{Duty, MachineMove, PlayerView, machine_move};
use turnpike_l1::tournament::{
    Accusation, Bisection, ChildStatus, Game, MACHINE_STEPS, Player, StakeStatus, TournamentId,
    Tournaments, claimed_steps,
    contracts::{DisputeV2, RollupV2, Tournament},
};
use turnpike_protocol::{History, HistoryPath};
use turnpike_random::Rng;

use crate::{
    l1::{L1, address, halted_with, wei, word},
    machine::Run,
    mirror::{of_dispute, of_tournament},
};

const ATTACKERS: Account = 4;
const HONEST: Account = ATTACKERS + 1;
/// Heights that are attacked, and at most how many false children each has.
const HEIGHTS: u64 = 2;
const RIVALS_MAX: u64 = 9;
/// The honest account looks at L1 at least so often, in seconds.
const LOOK_S: u64 = 4;
const MOVES: u64 = 16;

/// Duties that contests have to bring about: all but `VoidOutput`, since no generation ends.
pub(crate) const DUTIES: [&str; 15] = [
    "propose",
    "reveal",
    "accuse",
    "answer",
    "move",
    "timeOut",
    "padded",
    "settleAccusation",
    "settleMatch",
    "timeOutGame",
    "strike",
    "close",
    "promote",
    "finalize",
    "release",
];

pub(crate) struct Contest {
    l1: L1,
    random: Rng,
    parameters: Parameters,
    /// True histories by parent, and all histories by root.
    truths: BTreeMap<u64, History>,
    histories: HashMap<B256, History>,
    /// Chance in percent that an attacker does nothing.
    idle: u64,
    /// False children that are still to come at a height.
    rivals: u64,
    /// Whether an attacker proposes the true child.
    is_proposed_by_attacker: bool,
    /// The records at the end of each height.
    snapshots: Vec<Tournaments>,
    /// How often the honest account did each duty.
    done: BTreeMap<&'static str, u64>,
}

impl Contest {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::new(seed);
        let parameters = Parameters {
            window_s: 300,
            clock_s: random.pick(&[150, 300]),
            increment_s: 2 * LOOK_S,
            interval_s: 10,
            escape_s: 1 << 40,
            group_size: random.pick(&[2, 4]),
            entries_max: random.pick(&[1, 3, 5]),
            blocks_max: random.pick(&[1, 4, 32, 256]),
            ..Parameters::PRODUCTION
        };
        // Some only propose.
        let idle = if random.percent(15) { 100 } else { random.between(0, 100).pow(2) / 100 };
        let rivals = random.between(1, RIVALS_MAX);
        Self {
            l1: L1::new(parameters.clone(), HONEST),
            truths: BTreeMap::new(),
            histories: HashMap::new(),
            is_proposed_by_attacker: random.percent(30),
            snapshots: Vec::new(),
            done: BTreeMap::new(),
            random,
            parameters,
            idle,
            rivals,
        }
    }

    /// Plays until all heights are final, and returns how often each duty was done.
    pub(crate) fn run(mut self) -> BTreeMap<&'static str, u64> {
        let (honest, before) = (address(HONEST), self.l1.balance(address(HONEST)));
        let mut parent = 0;
        for _ in 0..HEIGHTS {
            parent = self.play_height(parent);
            self.snapshots.push(self.l1.records.clone());
            self.rivals = self.random.between(1, RIVALS_MAX);
        }
        // Stakes and games that outlive their tournaments.
        for _ in 0..200 {
            self.pass();
            self.attack();
            self.do_duties();
        }
        for ((_, account), stake) in self.l1.records.stakes() {
            assert!(*account != honest || stake.status == StakeStatus::Returned, "{stake:?}");
        }
        for contract in [self.l1.at.rollup, self.l1.at.dispute] {
            let _ = self.l1.call(honest, contract, U256::ZERO, &RollupV2::withdrawBondCall {});
        }
        let after = self.l1.balance(honest);
        assert!(after >= before, "the honest account loses {}", before - after);
        for snapshot in self.snapshots.iter().rev() {
            self.l1.records.truncate(snapshot.records());
            assert!(self.l1.records == *snapshot, "a rewind does not give the earlier records");
        }
        self.done
    }

    /// Plays until the true child of an output is final, and returns it.
    fn play_height(&mut self, parent: u64) -> u64 {
        self.open_range(parent);
        let root = self.truths[&parent].root();
        if self.is_proposed_by_attacker || self.random.percent(50) {
            let by = if self.is_proposed_by_attacker { self.attacker() } else { HONEST };
            self.propose(by, parent, &self.truths[&parent].clone());
        }
        let rivals = self.rivals;
        loop {
            self.pass();
            self.propose_lies(parent);
            self.attack();
            self.do_duties();
            let records = &self.l1.records;
            let mut children = records.children().iter();
            let own = children.find(|it| it.tournament.parent == parent && it.history == root);
            let status = own.map(|child| records.status(child));
            assert!(status != Some(ChildStatus::Rejected), "the true child is rejected");
            self.check_delay(self.first_at(parent), rivals);
            if let (Some(own), Some(ChildStatus::Final)) = (own, status) {
                return own.index;
            }
        }
    }

    /// When the first child of an output was proposed; now if there is none.
    fn first_at(&self, parent: u64) -> u64 {
        let id = TournamentId { generation: 0, parent };
        self.l1.records.tournaments().get(&id).map_or(self.l1.time, |found| found.first_at)
    }

    fn check_delay(&self, first_at: u64, rivals: u64) {
        let Parameters { window_s, clock_s, increment_s, group_size, .. } = self.parameters;
        let rounds = (1..).find(|round| group_size.pow(*round) > rivals).expect("one");
        let rounds = u64::from(rounds);
        let bound = rounds * MOVES * (increment_s + LOOK_S) + 2 * clock_s * (rounds - 1);
        let late = self.l1.time.saturating_sub(first_at + window_s);
        assert!(late <= bound, "{late} seconds late with {rounds} rounds");
    }

    fn pass(&mut self) {
        let time = self.l1.time + self.random.between(1, LOOK_S + 1);
        self.l1.warp(time);
    }

    /// Lets the range after an output end, and derives it.
    fn open_range(&mut self, parent: u64) {
        let child = self.l1.records.child(parent).expect("it is final");
        let (from, ends_at) = (child.entry, child.proposed_at + self.parameters.interval_s);
        for _ in 0..self.random.between(1, 4) {
            self.l1.append();
        }
        self.l1.warp(self.l1.time.max(ends_at) + 1);
        let in_time = |entry: &u64| {
            let at = usize::try_from(*entry).expect("few");
            self.l1.entries.get(at).is_some_and(|entry| entry.l1Time <= ends_at)
        };
        let to = (from + 1..=from + self.parameters.entries_max).take_while(in_time).last();
        let positions = (to.unwrap_or(from + 1) - from) * self.parameters.blocks_max;
        let last = self.l1.output_root(1_000 + parent);
        let mut leaves: Vec<_> = (0..positions - 1).map(|at| true_root(parent, at)).collect();
        leaves.push(last);
        let truth = History::new(&leaves);
        self.histories.insert(truth.root(), truth.clone());
        self.truths.insert(parent, truth);
    }

    fn propose(&mut self, by: Account, parent: u64, history: &History) -> bool {
        let above = self.l1.records.child(parent).expect("a parent").entry;
        let entry = above + history.positions() / self.parameters.blocks_max;
        let call = self.l1.proposal(parent, entry, history).expect("the entry is there");
        let bond = wei(self.parameters.bond);
        self.l1.call(address(by), self.l1.at.rollup, bond, &call).is_ok()
    }

    fn propose_lies(&mut self, parent: u64) {
        let ends_at = self.first_at(parent) + self.parameters.window_s;
        let is_last_second = self.l1.time + LOOK_S >= ends_at;
        while self.rivals > 0 && (is_last_second || self.random.percent(15)) {
            self.rivals -= 1;
            let lie = self.lie(parent);
            let by = self.attacker();
            if self.propose(by, parent, &lie) {
                self.histories.insert(lie.root(), lie);
            }
        }
    }

    /// True up to a leaf, which may be past the blocks, and anything from there on.
    fn lie(&mut self, parent: u64) -> History {
        let truth = self.truths[&parent].clone();
        let leaves = 1_u64 << truth.depth();
        let first = match self.random.percent(70) {
            true => self.random.between(0, truth.positions()),
            false => self.random.between(0, leaves),
        };
        let salt = self.random.between(0, 3);
        let last = self.l1.output_root(self.random.between(0, 1_000));
        let leaf = |at: u64| match at {
            at if at + 1 == leaves
                || (first < truth.positions() && at + 1 >= truth.positions()) =>
            {
                last
            }
            at if at < first => truth.leaf(at),
            at => keccak256(word(salt << 32 | at)),
        };
        let runs: Vec<_> = (0..leaves).map(|at| (leaf(at), 1)).collect();
        History::with_padding(&runs, truth.positions())
    }

    fn attacker(&mut self) -> Account {
        Account::try_from(self.random.between(1, u64::from(ATTACKERS) + 1)).expect("few")
    }

    // --- attackers

    fn attack(&mut self) {
        let open: Vec<_> = self.l1.records.tournaments().values().cloned().collect();
        let Some(tournament) = open.last() else { return };
        for (at, y) in tournament.children.iter().enumerate() {
            for x in &tournament.children[..at] {
                if !self.random.percent(self.idle) {
                    self.contend([*x, *y]);
                }
            }
        }
        for index in 0..self.l1.records.accusations().len() {
            if !self.random.percent(self.idle) && self.random.percent(20) {
                self.answer(index);
            }
        }
        for index in 0..self.l1.records.games().len() {
            if !self.random.percent(self.idle) && self.random.percent(40) {
                self.move_(index);
            }
        }
    }

    /// Reveals and accuses in one match.
    fn contend(&mut self, rivals: [u64; 2]) {
        let [x, y] = rivals.map(|index| self.l1.records.child(index).expect("a child").clone());
        let histories = [&x, &y].map(|child| self.histories[&child.history].clone());
        let [a, b] = &histories;
        let reveals: Vec<_> = self.parameters.reveal_depths(a.depth()).collect();
        for at in reveals {
            let Some(path) = HistoryPath::between(a, b, at) else { return };
            let width = self.parameters.width_at(at, a.depth());
            for history in &histories {
                // Also some of the true child's, which anybody may reveal.
                let is_true = self.truths.values().any(|truth| truth.root() == history.root());
                if self.random.percent(if is_true { 2 } else { 80 }) {
                    let children = history.children(at, path.index, width);
                    let call = Tournament::revealCall { children };
                    let by = address(self.attacker());
                    let _ = self.l1.call(by, self.l1.at.tournament, U256::ZERO, &call);
                }
            }
        }
        if self.random.percent(30) {
            self.accuse(rivals, a, b);
        }
    }

    fn accuse(&mut self, rivals: [u64; 2], a: &History, b: &History) {
        let Some(path) = HistoryPath::between(a, b, a.depth()) else { return };
        let parent = self.l1.records.child(rivals[0]).expect("a child").tournament.parent;
        let by = self.attacker();
        let (before, siblings) = match path.index.checked_sub(1) {
            Some(leaf) => (a.leaf(leaf), a.siblings(leaf)),
            None => (self.l1.records.child(parent).expect("a parent").output.hash(), Vec::new()),
        };
        let run = self.run_of(by, parent, path.index, path.nodes[1]);
        let opening = opening(&run, before, siblings, path.nodes[1]);
        self.send_accusation(by, rivals, &path, opening);
    }

    /// An attacker's run on a block. Each attacker's is false from another step on.
    fn run_of(&self, by: Account, parent: u64, leaf: u64, root: B256) -> Run {
        let from = [2, 3, 1_000, 4_999][by as usize % 4];
        Run::of(&self.truths[&parent], leaf).with_lie(from, keccak256(word(by.into())), root)
    }

    fn run_about(&self, by: Account, accusation: &Accusation, root: B256) -> Run {
        self.run_of(by, accusation.tournament.parent, accusation.bisection.leaf, root)
    }

    fn answer(&mut self, index: usize) {
        let accusation = self.l1.records.accusations()[index].clone();
        let by = self.attacker();
        let run = self.run_about(by, &accusation, accusation.roots[0]);
        self.send_answer(by, &accusation, &run);
    }

    fn move_(&mut self, index: usize) {
        let game = self.l1.records.games()[index].clone();
        let accusation = self.accusation_of(&game);
        let Some(player) = game.status.to_move() else { return };
        let (mover, root) = match player {
            Player::Accuser => (accusation.accuser, accusation.roots[1]),
            Player::Defender => (game.defender, accusation.roots[0]),
        };
        let Some(by) = (1..=ATTACKERS).find(|by| address(*by) == mover) else { return };
        let run = self.run_about(by, &accusation, root);
        self.send_move(by, &game, &run);
    }

    fn accusation_of(&self, game: &Game) -> Accusation {
        self.l1.records.accusation(game.accusation).expect("it was answered").clone()
    }

    // --- the honest account

    /// Does what is due, and everything that follows from it.
    fn do_duties(&mut self) {
        for _ in 0..100 {
            // The next block's time is at least a second later than the newest one's.
            let view = PlayerView {
                own: address(HONEST),
                l1_time: self.l1.time - 1,
                records: &self.l1.records,
                truths: &self.truths,
            };
            let mut duties = view.duties();
            let Some(last) = duties.len().checked_sub(1) else { return };
            let first = usize::try_from(self.random.between(0, last as u64 + 1)).expect("few");
            duties.swap(0, first);
            let mut duties = duties.into_iter().map(|scheduled| scheduled.duty);
            let first = duties.next().expect("one is due");
            let told = format!("{first:?}");
            assert!(self.do_duty(first), "L1 refuses {told}");
            // What the first one changed may make others needless.
            for duty in duties {
                self.do_duty(duty);
            }
        }
        panic!("the duties have no end");
    }

    /// Whether L1 took the call. It may not if another one changed what it was about.
    fn do_duty(&mut self, duty: Duty) -> bool {
        let (rollup, tournament, dispute) =
            (self.l1.at.rollup, self.l1.at.tournament, self.l1.at.dispute);
        let name = name_of(&duty);
        let is_done = match duty {
            Duty::Propose { parent } => self.propose(HONEST, parent, &self.truths[&parent].clone()),
            Duty::Reveal { children, .. } => {
                let call = Tournament::revealCall { children };
                self.free(tournament, &call)
            }
            Duty::Accuse { rivals, path, before } => {
                let parent = self.l1.records.child(rivals[0]).expect("a child").tournament.parent;
                let run = Run::of(&self.truths[&parent], path.index);
                let opening = opening(&run, before.root, before.siblings, path.nodes[1]);
                self.send_accusation(HONEST, rivals, &path, opening)
            }
            Duty::Answer { accusation } => {
                let accusation =
                    self.l1.records.accusation(accusation).expect("it is there").clone();
                let run = self.true_run(&accusation);
                self.send_answer(HONEST, &accusation, &run)
            }
            Duty::Move { game } => {
                let at = usize::try_from(game).expect("few");
                let game = self.l1.records.games()[at].clone();
                let run = self.true_run(&self.accusation_of(&game));
                self.send_move(HONEST, &game, &run)
            }
            Duty::TimeOut { rivals: [x, y], path } => {
                let (x, y) = (U256::from(x), U256::from(y));
                let call = Tournament::timeOutCall { x, y, path: of_tournament(&path) };
                self.free(tournament, &call)
            }
            Duty::SettlePadding { rivals: [x, y], path, before } => {
                let call = Tournament::paddedCall {
                    x: U256::from(x),
                    y: U256::from(y),
                    path: of_tournament(&path),
                    before: before.root,
                    beforeSiblings: before.siblings,
                };
                self.free(tournament, &call)
            }
            Duty::SettleAccusation { accusation } => {
                let call = DisputeV2::settleAccusationCall { accusation: U256::from(accusation) };
                self.free(dispute, &call)
            }
            Duty::SettleMatch { rivals: [x, y] } => {
                let call = DisputeV2::settleMatchCall { x: U256::from(x), y: U256::from(y) };
                self.free(dispute, &call)
            }
            Duty::TimeOutGame { game } => {
                let call = DisputeV2::timeOutGameCall { gameId: U256::from(game) };
                self.free(dispute, &call)
            }
            Duty::Strike { accusation } => {
                let call = DisputeV2::strikeCall { accusation: U256::from(accusation) };
                self.free(dispute, &call)
            }
            Duty::Close { game } => {
                let call = DisputeV2::closeCall { gameId: U256::from(game) };
                self.free(dispute, &call)
            }
            Duty::Promote { child } => {
                let call = Tournament::promoteCall { index: U256::from(child) };
                self.free(tournament, &call)
            }
            Duty::Finalize { child } => {
                let call = RollupV2::finalizeCall { index: U256::from(child) };
                self.free(rollup, &call)
            }
            Duty::VoidOutput { child } => {
                let call = RollupV2::voidOutputCall { index: U256::from(child) };
                self.free(rollup, &call)
            }
            Duty::Release { tournament: id } => {
                let account = address(HONEST);
                let call = DisputeV2::releaseCall { tournament: id.into(), account };
                self.free(dispute, &call)
            }
        };
        if is_done {
            *self.done.entry(name).or_default() += 1;
        }
        is_done
    }

    /// A call of the honest account without ether.
    fn free(&mut self, to: Address, call: &impl SolCall) -> bool {
        self.l1.call(address(HONEST), to, U256::ZERO, call).is_ok()
    }

    fn true_run(&self, accusation: &Accusation) -> Run {
        Run::of(&self.truths[&accusation.tournament.parent], accusation.bisection.leaf)
    }

    // --- calls of both

    fn stake_due(&self, by: Account, id: TournamentId) -> U256 {
        let key = (id, address(by));
        let has_paid = self.l1.records.stakes().contains_key(&key);
        if has_paid { U256::ZERO } else { wei(self.parameters.stake) }
    }

    fn send_accusation(
        &mut self,
        by: Account,
        [x, y]: [u64; 2],
        path: &HistoryPath,
        opening: DisputeV2::Opening,
    ) -> bool {
        let id = self.l1.records.child(x).expect("a child").tournament;
        let value = self.stake_due(by, id);
        let (x, y) = (U256::from(x), U256::from(y));
        let call = DisputeV2::accuseCall { x, y, path: of_dispute(path), opening };
        self.l1.call(address(by), self.l1.at.dispute, value, &call).is_ok()
    }

    fn send_answer(&mut self, by: Account, accusation: &Accusation, run: &Run) -> bool {
        let Some(MachineMove::Divide { segment, claims }) = moved(&accusation.bisection, run)
        else {
            return false;
        };
        let call = DisputeV2::answerCall {
            accusation: U256::from(accusation.index),
            answered: accusation.bisection.clone(),
            segment,
            claims,
        };
        let value = self.stake_due(by, accusation.tournament);
        self.l1.call(address(by), self.l1.at.dispute, value, &call).is_ok()
    }

    fn send_move(&mut self, by: Account, game: &Game, run: &Run) -> bool {
        let accusation = self.accusation_of(game);
        let newest = game.newest(&accusation);
        let (game_id, answered) = (U256::from(game.index), newest.clone());
        let dispute = self.l1.at.dispute;
        match moved(newest, run) {
            Some(MachineMove::Divide { segment, claims }) => {
                let call = DisputeV2::moveCall { gameId: game_id, answered, segment, claims };
                self.l1.call(address(by), dispute, U256::ZERO, &call).is_ok()
            }
            Some(MachineMove::Prove { segment, step }) => {
                let state = run.state_at(step);
                // What the machine makes of a true state is true, whoever shows it.
                let truth = self.true_run(&accusation);
                let is_true = truth.hash_at(step) == keccak256(&state);
                let next = if is_true { truth.hash_at(step + 1) } else { keccak256(&state) };
                self.l1.set_step(next);
                let proof = Bytes::new();
                let call =
                    DisputeV2::proveCall { gameId: game_id, answered, segment, state, proof };
                self.l1.call(address(by), dispute, U256::ZERO, &call).is_ok()
            }
            None => false,
        }
    }
}

fn moved(bisection: &Bisection, run: &Run) -> Option<MachineMove> {
    let state_at = |step| Ok::<_, std::convert::Infallible>(run.hash_at(step));
    machine_move(bisection, state_at).expect("infallible")
}

fn opening(run: &Run, before: B256, siblings: Vec<B256>, root: B256) -> DisputeV2::Opening {
    let claims = claimed_steps(0, MACHINE_STEPS).map(|step| run.hash_at(step)).collect();
    DisputeV2::Opening { before, beforeSiblings: siblings, claims, finalState: halted_with(root) }
}

fn true_root(parent: u64, leaf: u64) -> B256 {
    keccak256(word(1 << 60 | parent << 40 | leaf))
}

const fn name_of(duty: &Duty) -> &'static str {
    match duty {
        Duty::Propose { .. } => "propose",
        Duty::Reveal { .. } => "reveal",
        Duty::Accuse { .. } => "accuse",
        Duty::Answer { .. } => "answer",
        Duty::Move { .. } => "move",
        Duty::TimeOut { .. } => "timeOut",
        Duty::SettlePadding { .. } => "padded",
        Duty::SettleAccusation { .. } => "settleAccusation",
        Duty::SettleMatch { .. } => "settleMatch",
        Duty::TimeOutGame { .. } => "timeOutGame",
        Duty::Strike { .. } => "strike",
        Duty::Close { .. } => "close",
        Duty::Promote { .. } => "promote",
        Duty::Finalize { .. } => "finalize",
        Duty::VoidOutput { .. } => "voidOutput",
        Duty::Release { .. } => "release",
    }
}
