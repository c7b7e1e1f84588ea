//! Every call on both sides: the model and the contracts accept it or refuse it together.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolValue as _},
};
use turnpike_dispute_model::{
    Account, Contracts, Parameters,
    contracts::{Key, Move, OutputIndex, Proposal, Refusal, StakeStatus, Status},
    programs::program_of,
};
use turnpike_l1::tournament::{
    ChildStatus, GameStatus, MACHINE_STEPS, Player, SEGMENTS, StakeStatus as RecordedStatus,
    contracts::{DisputeV2, Programs, RollupV2, Tournament},
};
use turnpike_protocol::{History, HistoryPath};

use crate::l1::{DEPLOYER, Deployed, L1, START, address, halted_with, state_of, wei, word};

pub(crate) struct Mirror {
    pub(crate) model: Contracts,
    pub(crate) l1: L1,
    /// Calls that were accepted, by name.
    pub(crate) accepted: BTreeMap<&'static str, u64>,
    /// The bisection to answer in each accusation and each game.
    openings: Vec<DisputeV2::Bisection>,
    newest: Vec<DisputeV2::Bisection>,
    programs: Vec<(u64, u64)>,
    announced: Option<(u64, u64)>,
    /// States behind made-up claims.
    states: HashMap<B256, Bytes>,
}

fn tournament_id((generation, parent): Key) -> U256 {
    U256::from(generation) << 64 | U256::from(parent)
}

fn u256(index: usize) -> U256 {
    U256::from(index)
}

impl Mirror {
    /// Contracts with these parameters, and accounts from 1 to `accounts`.
    pub(crate) fn new(parameters: Parameters, accounts: Account) -> Self {
        Self {
            l1: L1::new(parameters.clone(), accounts),
            model: Contracts::new(parameters),
            accepted: BTreeMap::new(),
            openings: Vec::new(),
            newest: Vec::new(),
            programs: vec![(0, 1)],
            announced: None,
            states: HashMap::new(),
        }
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.model.now += seconds;
        self.l1.warp(START + self.model.now);
    }

    /// Appends an entry to the inbox.
    pub(crate) fn append(&mut self) {
        self.l1.append();
        self.model.inbox.push(self.model.now);
    }

    /// Makes a call on both sides.
    fn both<T, C: SolCall>(
        &mut self,
        by: Account,
        to: Address,
        value: u64,
        call: &C,
        model: impl FnOnce(&mut Contracts) -> Result<T, Refusal>,
    ) -> Option<T> {
        let name = C::SIGNATURE.split('(').next().expect("a name");
        let expected = model(&mut self.model);
        let found = self.l1.call(address(by), to, wei(value), call);
        match (expected, found) {
            (Ok(done), Ok(_)) => {
                *self.accepted.entry(name).or_default() += 1;
                Some(done)
            }
            (Err(_), Err(_)) => None,
            (Ok(_), Err(reason)) => panic!("{name}: the contract reverts: {reason}"),
            (Err(refusal), Ok(_)) => panic!("{name}: the model refuses: {refusal}"),
        }
    }

    pub(crate) fn propose(&mut self, by: Account, proposal: &Proposal) -> Option<OutputIndex> {
        let Proposal { parent, entry, history } = proposal;
        let call = self.l1.proposal(*parent as u64, *entry, history)?;
        let bond = self.model.parameters.bond;
        self.both(by, self.l1.at.rollup, bond, &call, |model| model.propose(by, proposal))
    }

    pub(crate) fn reveal(&mut self, by: Account, children: &[B256]) {
        let call = Tournament::revealCall { children: children.to_vec() };
        self.both(by, self.l1.at.tournament, 0, &call, |model| model.reveal(by, children));
    }

    pub(crate) fn time_out(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) {
        let call = Tournament::timeOutCall { x: u256(x), y: u256(y), path: of_tournament(path) };
        self.both(by, self.l1.at.tournament, 0, &call, |model| model.time_out(by, x, y, path));
    }

    pub(crate) fn padded(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
        before: (B256, &[B256]),
    ) {
        let call = Tournament::paddedCall {
            x: u256(x),
            y: u256(y),
            path: of_tournament(path),
            before: before.0,
            beforeSiblings: before.1.to_vec(),
        };
        self.both(by, self.l1.at.tournament, 0, &call, |model| {
            model.padded(by, x, y, path, before)
        });
    }

    pub(crate) fn promote(&mut self, by: Account, index: OutputIndex) {
        let call = Tournament::promoteCall { index: u256(index) };
        self.both(by, self.l1.at.tournament, 0, &call, |model| model.promote(index));
    }

    pub(crate) fn finalize(&mut self, by: Account, index: OutputIndex) {
        let call = RollupV2::finalizeCall { index: u256(index) };
        self.both(by, self.l1.at.rollup, 0, &call, |model| model.finalize(index));
    }

    pub(crate) fn void_output(&mut self, by: Account, index: OutputIndex) {
        let call = RollupV2::voidOutputCall { index: u256(index) };
        self.both(by, self.l1.at.rollup, 0, &call, |model| model.void_output(index));
    }

    /// What an account has to send with an accusation or an answer.
    fn due(&self, key: Key, account: Account) -> u64 {
        let has_paid = self.model.stakes.contains_key(&(key, account));
        if has_paid { 0 } else { self.model.parameters.stake }
    }

    pub(crate) fn accuse(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) {
        let output = &self.model.outputs[x];
        let (Some(history), key) = (output.history.clone(), output.key) else { return };
        if path.index >= 1 << history.depth() {
            return;
        }
        let [claim_x, claim_y] = [x, y].map(|index| {
            let call = RollupV2::outputCall { index: u256(index) };
            self.l1.view(self.l1.at.rollup, &call).claim
        });
        let parent = self.model.outputs[key.1].clone();
        let (before, siblings) = match path.index.checked_sub(1) {
            Some(leaf) => (history.leaf(leaf), history.siblings(leaf)),
            None => {
                let call = RollupV2::outputCall { index: u256(key.1) };
                (self.l1.view(self.l1.at.rollup, &call).outputRoot, Vec::new())
            }
        };
        let final_state = halted_with(path.nodes[1]);
        let (_, mut claims) = self.made_up_claims();
        *claims.last_mut().expect("32") = keccak256(&final_state);
        let entry = parent.entry + 1 + path.index / self.model.parameters.blocks_max;
        let program = program_of(&self.programs, entry).expect("the first judges all");
        let bisection = DisputeV2::Bisection {
            answered: keccak256((claim_x, claim_y, path.index).abi_encode()),
            leaf: path.index,
            before,
            first: 0,
            steps: MACHINE_STEPS,
            start: word(program),
            claims: claims.clone(),
        };
        let call = DisputeV2::accuseCall {
            x: u256(x),
            y: u256(y),
            path: of_dispute(path),
            opening: DisputeV2::Opening {
                before,
                beforeSiblings: siblings,
                claims,
                finalState: final_state,
            },
        };
        let value = self.due(key, by);
        let made =
            self.both(by, self.l1.at.dispute, value, &call, |model| model.accuse(by, x, y, path));
        if made.is_some() {
            self.openings.push(bisection);
        }
    }

    pub(crate) fn answer(&mut self, by: Account, accusation: usize) {
        let answered = self.openings[accusation].clone();
        let (segment, claims) = self.made_up_claims();
        let call = DisputeV2::answerCall {
            accusation: u256(accusation),
            answered: answered.clone(),
            segment,
            claims: claims.clone(),
        };
        let value = self.due(self.model.key_of(accusation), by);
        let made =
            self.both(by, self.l1.at.dispute, value, &call, |model| model.answer(by, accusation));
        if made.is_some() {
            self.newest.push(divided(&answered, segment, claims));
        }
    }

    pub(crate) fn move_(&mut self, by: Account, game: usize, made: Move) {
        let answered = self.newest[game].clone();
        let (segment, claims) = self.made_up_claims();
        let call = DisputeV2::moveCall {
            gameId: u256(game),
            answered: answered.clone(),
            segment,
            claims: claims.clone(),
        };
        let moved =
            self.both(by, self.l1.at.dispute, 0, &call, |model| model.move_(by, game, made));
        if moved.is_some() {
            self.newest[game] = divided(&answered, segment, claims);
        }
    }

    /// The machine's step is wrong where the model says that the caller can prove.
    pub(crate) fn prove(&mut self, by: Account, game: usize) {
        let can_prove = self.model.clone().prove(by, game).is_ok();
        let answered = self.newest[game].clone();
        // Any but the first, whose state before is another bisection's.
        let at = 1 + game % (answered.claims.len() - 1);
        let step = if can_prove { B256::ZERO } else { answered.claims[at] };
        self.l1.set_step(step);
        // The state before the step has to be the preimage of the claim before.
        let state = self.states[&answered.claims[at - 1]].clone();
        let call = DisputeV2::proveCall {
            gameId: u256(game),
            answered,
            segment: at as u64,
            state,
            proof: Bytes::new(),
        };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.prove(by, game));
    }

    pub(crate) fn time_out_game(&mut self, by: Account, game: usize) {
        let call = DisputeV2::timeOutGameCall { gameId: u256(game) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.time_out_game(by, game));
    }

    pub(crate) fn strike(&mut self, by: Account, accusation: usize) {
        let call = DisputeV2::strikeCall { accusation: u256(accusation) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.strike(by, accusation));
    }

    pub(crate) fn close(&mut self, by: Account, game: usize) {
        let call = DisputeV2::closeCall { gameId: u256(game) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.close(game));
    }

    pub(crate) fn settle_accusation(&mut self, by: Account, accusation: usize) {
        let call = DisputeV2::settleAccusationCall { accusation: u256(accusation) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| {
            model.settle_for_accusation(accusation)
        });
    }

    pub(crate) fn settle_match(&mut self, by: Account, x: OutputIndex, y: OutputIndex) {
        let call = DisputeV2::settleMatchCall { x: u256(x), y: u256(y) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.settle_for_x(by, x, y));
    }

    pub(crate) fn release(&mut self, by: Account, key: Key, account: Account) {
        let call =
            DisputeV2::releaseCall { tournament: tournament_id(key), account: address(account) };
        self.both(by, self.l1.at.dispute, 0, &call, |model| model.release(key, account));
    }

    /// Announces a program, whose notice runs from now on.
    pub(crate) fn announce(&mut self) {
        let state = self.programs.len() as u64 + 1;
        let call = Programs::announceCall { initialState: word(state) };
        self.l1.must(DEPLOYER, self.l1.at.programs, &call);
        self.announced = Some((state, self.model.now + self.l1.notice));
    }

    /// The announced program takes over at the next entry.
    pub(crate) fn activate(&mut self, by: Account) {
        let (announced, next) = (self.announced, self.model.inbox.len() as u64);
        let is_due = announced.is_some_and(|(_, from)| self.model.now >= from);
        let due = move |_: &mut Contracts| if is_due { Ok(()) } else { Err(Refusal::TooEarly) };
        let made = self.both(by, self.l1.at.programs, 0, &Programs::activateCall {}, due);
        if let (Some(_), Some((state, _))) = (made, announced) {
            self.programs.push((next, state));
            self.announced = None;
        }
    }

    /// The announced program takes over after the last final output.
    pub(crate) fn escape(&mut self, by: Account) {
        let announced = self.announced;
        let is_due = announced.is_some_and(|(_, from)| self.model.now >= from);
        let escape =
            |model: &mut Contracts| if is_due { model.escape() } else { Err(Refusal::TooEarly) };
        let made = self.both(by, self.l1.at.programs, 0, &Programs::escapeCall {}, escape);
        if let (Some(_), Some((state, _))) = (made, announced) {
            let from = self.model.outputs[self.model.generation.1].entry + 1;
            self.programs.push((from, state));
            self.announced = None;
        }
    }

    /// Claims that nobody made before, each with a known preimage, and a segment to make them in.
    fn made_up_claims(&mut self) -> (u64, Vec<B256>) {
        let first = self.states.len() as u64;
        let claims = (first..first + SEGMENTS).map(|number| {
            let state = state_of(word(number));
            let claim = keccak256(&state);
            self.states.insert(claim, state);
            claim
        });
        (first / SEGMENTS % SEGMENTS, claims.collect())
    }

    /// Asserts that both sides hold the same state.
    pub(crate) fn compare(&mut self) {
        let Deployed { rollup, tournament, dispute, .. } = self.l1.at;
        let model = self.model.clone();
        let time = |time: u64| time + START;
        for (index, output) in model.outputs.iter().enumerate().skip(1) {
            let found = self.l1.view(rollup, &RollupV2::contenderCall { index: u256(index) });
            let expected = (
                tournament_id(output.key),
                status_number(model.status(index)),
                (output.seat, u64::from(output.round)),
                (time(output.since), output.left),
            );
            let found = (
                found.tournament,
                found.status,
                (found.seat, found.round),
                (found.since, found.left),
            );
            assert_eq!(found, expected, "output {index}");
        }
        for (key, range) in &model.ranges {
            let found =
                self.l1.view(rollup, &RollupV2::rangeCall { tournament: tournament_id(*key) });
            assert_eq!((found.entry, found.firstAt), (range.entry, time(range.first_at)));
            assert_eq!((found.count, found.standing), (range.count, range.standing));
            assert_eq!((found.positions, found.depth), (range.positions, range.depth.into()));
            let winner = range.winner.unwrap_or_default() as u64;
            assert_eq!((found.winner, found.xor), (winner, range.xor as u64), "{key:?}");
        }
        for ((key, round, number), group) in &model.groups {
            let call = Tournament::groupCall {
                tournament: tournament_id(*key),
                round: U256::from(*round),
                number: U256::from(*number),
            };
            let found = self.l1.view(tournament, &call);
            let members = model.members(model.ranges[key].count, *round, *number);
            let found = [found.members, found.arrived, found.standing];
            assert_eq!(found, [members, group.arrived, group.alive].map(U256::from));
        }
        for ((key, account), stake) in &model.stakes {
            let call = DisputeV2::stakeOfCall {
                tournament: tournament_id(*key),
                account: address(*account),
            };
            let found = self.l1.view(dispute, &call);
            let status = match stake.status {
                StakeStatus::Standing => 1,
                StakeStatus::Fallen => 2,
                StakeStatus::Returned => 3,
            };
            assert_eq!((found.status, found.openGames), (status, stake.open_games.into()));
        }
        for (index, accusation) in model.accusations.iter().enumerate() {
            let call = DisputeV2::accusationAtCall { accusation: u256(index) };
            let found = self.l1.view(dispute, &call);
            assert_eq!((found.clock, !found.isStruck), (accusation.clock, accusation.is_open));
        }
        for (rivals, about) in &model.matches {
            let call = DisputeV2::matchOfCall { x: u256(rivals.0), y: u256(rivals.1) };
            let found = self.l1.view(dispute, &call);
            assert_eq!((found.clockX, found.standing), (about.clock_x, about.standing.into()));
        }
        for (index, game) in model.games.iter().enumerate() {
            let found = self.l1.view(dispute, &DisputeV2::gameAtCall { gameId: u256(index) });
            assert_eq!((found.movedAt), time(game.moved_at), "game {index}");
            assert_eq!([found.accuserClock, found.defenderClock], game.clocks, "game {index}");
            match (game.is_over, game.moves % 2) {
                (true, _) => assert!(found.status > 2, "game {index}"),
                (false, 1) => assert_eq!(found.status, 1, "game {index}"),
                (false, _) => assert_eq!(found.status, 2, "game {index}"),
            }
        }
        self.compare_records();
        let latest = self.l1.view(rollup, &RollupV2::latestOutputIndexCall {});
        assert_eq!(latest, u256(model.latest_output_index()));
        for (contract, ledger) in [(rollup, &model.rollup), (dispute, &model.dispute)] {
            let owed: u64 = ledger.returned.values().chain(ledger.credited.values()).sum();
            assert_eq!(self.l1.balance(contract), wei(ledger.held + owed));
        }
    }

    /// Asserts that the records, which know logs alone, hold the contracts' state.
    fn compare_records(&mut self) {
        let records = self.l1.records.clone();
        let Deployed { rollup, dispute, .. } = self.l1.at;
        for child in records.children().iter().skip(1) {
            let index = U256::from(child.index);
            let found = self.l1.view(rollup, &RollupV2::contenderCall { index });
            let place = (child.tournament.into(), child.seat, child.round, child.since, child.left);
            let expected = (found.tournament, found.seat, found.round, found.since, found.left);
            assert_eq!(place, expected, "output {index}");
            let status = match records.status(child) {
                ChildStatus::Standing => 1,
                ChildStatus::Final => 2,
                ChildStatus::Rejected => 3,
                ChildStatus::Void => 4,
            };
            assert_eq!((status, child.history), (found.status, found.history), "output {index}");
        }
        for (id, tournament) in records.tournaments() {
            let found = self.l1.view(rollup, &RollupV2::rangeCall { tournament: (*id).into() });
            let children = tournament.children.len() as u64;
            let winner = tournament.winner.unwrap_or_default();
            assert_eq!((tournament.first_at, children), (found.firstAt, found.count), "{id:?}");
            assert_eq!((tournament.positions, winner), (found.positions, found.winner), "{id:?}");
        }
        for ((id, account), stake) in records.stakes() {
            let call = DisputeV2::stakeOfCall { tournament: (*id).into(), account: *account };
            let found = self.l1.view(dispute, &call);
            let status = match stake.status {
                RecordedStatus::Standing => 1,
                RecordedStatus::Fallen => 2,
                RecordedStatus::Returned => 3,
            };
            assert_eq!((status, stake.open_games), (found.status, found.openGames), "{account}");
        }
        for accusation in records.accusations() {
            let call = DisputeV2::accusationAtCall { accusation: U256::from(accusation.index) };
            let found = self.l1.view(dispute, &call);
            let told = (accusation.accuser, accusation.at, accusation.is_struck);
            assert_eq!(told, (found.accuser, found.accusedAt, found.isStruck));
            assert_eq!(accusation.bisection.hash(), found.bisection);
        }
        for game in records.games() {
            let call = DisputeV2::gameAtCall { gameId: U256::from(game.index) };
            let found = self.l1.view(dispute, &call);
            let accusation = records.accusation(game.accusation).expect("it was answered");
            assert_eq!(game.newest(accusation).hash(), found.bisection);
            assert_eq!((game.defender, game.moved_at), (found.defender, found.movedAt));
            assert_eq!(game.clocks, [found.accuserClock, found.defenderClock]);
            let status = match game.status {
                GameStatus::ToMove(Player::Accuser) => 1,
                GameStatus::ToMove(Player::Defender) => 2,
                GameStatus::Won(Player::Accuser) => 3,
                GameStatus::Won(Player::Defender) => 4,
                GameStatus::Closed => 5,
            };
            assert_eq!(status, found.status, "game {}", game.index);
        }
    }

    /// Everybody withdraws. What is left is what the contracts hold for others.
    pub(crate) fn withdraw(&mut self, accounts: Account) {
        for contract in [self.l1.at.rollup, self.l1.at.dispute] {
            for account in 1..=accounts {
                let call = RollupV2::withdrawBondCall {};
                let _ = self.l1.call(address(account), contract, U256::ZERO, &call);
            }
        }
        let held = [self.model.rollup.held, self.model.dispute.held].map(wei);
        assert_eq!([self.l1.at.rollup, self.l1.at.dispute].map(|it| self.l1.balance(it)), held);
    }

    /// The history of an output.
    pub(crate) fn history(&self, index: OutputIndex) -> Option<Rc<History>> {
        self.model.outputs.get(index)?.history.clone()
    }
}

const fn status_number(status: Status) -> u8 {
    match status {
        Status::Standing => 1,
        Status::Final => 2,
        Status::Rejected => 3,
        Status::Void => 4,
    }
}

fn divided(
    answered: &DisputeV2::Bisection,
    segment: u64,
    claims: Vec<B256>,
) -> DisputeV2::Bisection {
    let steps = answered.steps / SEGMENTS;
    let at = usize::try_from(segment).expect("few");
    DisputeV2::Bisection {
        answered: keccak256(answered.abi_encode()),
        leaf: answered.leaf,
        before: answered.before,
        first: answered.first + segment * steps,
        steps,
        start: if segment == 0 { answered.start } else { answered.claims[at - 1] },
        claims,
    }
}

pub(crate) fn of_tournament(path: &HistoryPath) -> Tournament::Path {
    Tournament::Path {
        depth: U256::from(path.depth),
        index: U256::from(path.index),
        nodeX: path.nodes[0],
        nodeY: path.nodes[1],
        words: path.words.clone(),
    }
}

pub(crate) fn of_dispute(path: &HistoryPath) -> DisputeV2::Path {
    let Tournament::Path { depth, index, nodeX, nodeY, words } = of_tournament(path);
    DisputeV2::Path { depth, index, nodeX, nodeY, words }
}
