//! Every call on both sides: the model and the contracts accept it or refuse it together.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use alloy::{
    primitives::{Address, B256, Bytes, TxKind, U256, keccak256},
    sol_types::{SolCall, SolConstructor as _, SolEvent as _, SolValue as _},
};
use turnpike_dispute_model::{
    Account, Contracts, Parameters,
    contracts::{Key, Move, OutputIndex, Proposal, Refusal, StakeStatus, Status},
    programs::program_of,
};
use turnpike_protocol::{History, HistoryPath};

use crate::{
    bindings::{DisputeV2, Inbox, Portal, Programs, RollupV2, Tournament},
    evm::Evm,
};

const DEPLOYER: Address = Address::repeat_byte(0xde);
const BATCHER: Address = Address::repeat_byte(0xba);
/// Code that returns the word it was last sent.
const MACHINE: Address = Address::repeat_byte(0x5e);
const MACHINE_CODE: [u8; 21] = [
    0x36, 0x60, 0x20, 0x14, 0x60, 0x0f, 0x57, 0x5f, 0x54, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3, 0x5b,
    0x5f, 0x35, 0x5f, 0x55, 0x00,
];
/// Time of the deployment, which is 0 in the model.
const START: u64 = 1_800_000_000;
const CLAIMS: u64 = 32;
const STEPS: u64 = 1 << 40;
const STATE_BYTES: usize = 305;
/// Wei of a thousandth of an ether, in which the model counts.
const UNIT: u64 = 1_000_000_000_000_000;

/// The contracts' addresses.
#[derive(Clone, Copy)]
struct Deployed {
    inbox: Address,
    rollup: Address,
    tournament: Address,
    programs: Address,
    dispute: Address,
}

pub(crate) struct Mirror {
    pub(crate) model: Contracts,
    evm: Evm,
    at: Deployed,
    /// Calls that were accepted, by name.
    pub(crate) accepted: BTreeMap<&'static str, u64>,
    entries: Vec<RollupV2::Entry>,
    /// Preimages of the output roots that children may claim.
    roots: HashMap<B256, (RollupV2::OutputRootProof, Bytes)>,
    /// The bisection to answer in each accusation and each game.
    openings: Vec<DisputeV2::Bisection>,
    newest: Vec<DisputeV2::Bisection>,
    programs: Vec<(u64, u64)>,
    announced: Option<(u64, u64)>,
    notice: u64,
    /// States behind made-up claims.
    states: HashMap<B256, Bytes>,
}

fn address(account: Account) -> Address {
    Address::left_padding_from(&(0x1000 + account).to_be_bytes())
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
        let at = Deployed {
            inbox: DEPLOYER.create(1),
            rollup: DEPLOYER.create(2),
            tournament: DEPLOYER.create(3),
            programs: DEPLOYER.create(4),
            dispute: DEPLOYER.create(5),
        };
        let Deployed { inbox, rollup, tournament, programs, dispute } = at;
        let funded: Vec<_> = (1..=accounts).map(address).chain([DEPLOYER, BATCHER]).collect();
        let mut evm = Evm::new(&funded, &[(MACHINE, MACHINE_CODE.into())]);
        evm.warp(START);
        let p = &parameters;
        let arguments = Portal::constructorCall {
            config: Portal::PortalConfig { rollup, guardian: Address::ZERO, pauseMax: 0 },
        };
        evm.create(DEPLOYER, Portal::BYTECODE.clone(), arguments.abi_encode());
        let arguments = Inbox::constructorCall {
            chainConfigHash_: keccak256("chain configuration"),
            portal_: DEPLOYER.create(0),
            batcher_: BATCHER,
            config: Inbox::InboxConfig {
                forceWindow: 1,
                depositsPerEntryMax: 1,
                originAgeMax: 1,
                entryBytesMax: 1,
                entryBlobsMax: 1,
                entriesPerL1BlockMax: 64,
                keyAdmin: Address::ZERO,
                keyDelay: 0,
            },
        };
        evm.create(DEPLOYER, Inbox::BYTECODE.clone(), arguments.abi_encode());
        let arguments = RollupV2::constructorCall {
            inbox_: inbox,
            tournament_: tournament,
            programs_: programs,
            genesisOutputRoot: keccak256("genesis"),
            config: RollupV2::RollupConfig {
                challengeWindow: p.window_s,
                gameClock: p.clock_s,
                outputInterval: p.interval_s,
                entriesPerOutputMax: p.entries_max,
                blocksPerEntryMax: p.blocks_max,
                proposerBond: wei(p.bond),
            },
        };
        evm.create(DEPLOYER, RollupV2::BYTECODE.clone(), arguments.abi_encode());
        let arguments = Tournament::constructorCall {
            rollup_: rollup,
            dispute_: dispute,
            config: Tournament::TournamentConfig {
                groupSize: p.group_size,
                gameIncrement: p.increment_s,
            },
        };
        evm.create(DEPLOYER, Tournament::BYTECODE.clone(), arguments.abi_encode());
        let notice = 2 + p.interval_s + p.window_s + 2 * p.clock_s + 36 * p.increment_s;
        let arguments = Programs::constructorCall {
            rollup_: rollup,
            initialState: word(1),
            config: Programs::ProgramsConfig { admin: DEPLOYER, notice, escapeAfter: p.escape_s },
        };
        evm.create(DEPLOYER, Programs::BYTECODE.clone(), arguments.abi_encode());
        let arguments = DisputeV2::constructorCall {
            tournaments_: tournament,
            riscvStep_: MACHINE,
            stakeAmount_: wei(p.stake),
        };
        evm.create(DEPLOYER, DisputeV2::BYTECODE.clone(), arguments.abi_encode());

        // Entry 0 is never opened.
        Self {
            model: Contracts::new(parameters),
            evm,
            at,
            accepted: BTreeMap::new(),
            entries: vec![RollupV2::Entry::abi_decode(&[0; 13 * 32]).expect("zeros")],
            roots: HashMap::new(),
            openings: Vec::new(),
            newest: Vec::new(),
            programs: vec![(0, 1)],
            announced: None,
            notice,
            states: HashMap::new(),
        }
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.model.now += seconds;
        self.evm.warp(START + self.model.now);
    }

    /// An output root that children may claim, of the state with this seed.
    pub(crate) fn output_root(&mut self, seed: u64) -> B256 {
        let state = keccak256(seed.to_be_bytes());
        let header = alloy_consensus::Header { state_root: state, ..Default::default() };
        let header: Bytes = alloy_rlp::encode(&header).into();
        let proof = RollupV2::OutputRootProof {
            version: B256::ZERO,
            stateRoot: state,
            messagePasserStorageRoot: B256::ZERO,
            latestBlockhash: keccak256(&header),
        };
        let root = keccak256(proof.abi_encode());
        self.roots.insert(root, (proof, header));
        root
    }

    /// Appends an entry to the inbox.
    pub(crate) fn append(&mut self) {
        let inbox = self.at.inbox;
        let last = self.model.inbox.len() as u64 - 1;
        let item = Inbox::Item {
            kind: 1,
            depositCount: 0,
            depositAcc: B256::ZERO,
            origin: last,
            originAcc: self.evm.view(inbox, &Inbox::accCall { k: last }),
            data: Bytes::from_static(&[0]),
        };
        let expected = self.evm.view(inbox, &Inbox::contentCall {});
        let call =
            Inbox::appendCall { expectedContent: expected, items: vec![item], signatures: vec![] };
        let done =
            self.evm.transact(BATCHER, TxKind::Call(inbox), U256::ZERO, call.abi_encode().into());
        let done = done.unwrap_or_else(|reason| panic!("append reverts: {reason}"));
        let event = Inbox::EntryAppended::decode_log(&done.logs[0]).expect("decodes");
        let entry = event.data.entry.abi_encode();
        self.entries.push(RollupV2::Entry::abi_decode(&entry).expect("the same fields"));
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
        let data = call.abi_encode().into();
        let found = self.evm.transact(address(by), TxKind::Call(to), wei(value), data);
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
        let rollup = self.at.rollup;
        let above = self.model.outputs.get(*parent)?.entry;
        let at = usize::try_from(*entry).ok().filter(|at| *at < self.entries.len())?;
        let has_next =
            *entry != above + self.model.parameters.entries_max && at + 1 < self.entries.len();
        let last = (1 << history.depth()) - 1;
        let (output_proof, header) = self.roots[&history.leaf(last)].clone();
        let parent_claim = self.evm.view(rollup, &RollupV2::outputCall { index: u256(*parent) });
        let call = RollupV2::proposeCall {
            proposal: RollupV2::Proposal {
                parentIndex: u256(*parent),
                parentClaim: parent_claim.claim,
                entry: *entry,
                expectedAcc: self.evm.view(self.at.inbox, &Inbox::accCall { k: *entry }),
                history: history.root(),
                siblings: history.siblings(last),
                rangeProof: self.entries[at..=at + usize::from(has_next)].to_vec(),
                outputProof: output_proof,
                header,
            },
        };
        let bond = self.model.parameters.bond;
        self.both(by, rollup, bond, &call, |model| model.propose(by, proposal))
    }

    pub(crate) fn reveal(&mut self, by: Account, children: &[B256]) {
        let call = Tournament::revealCall { children: children.to_vec() };
        self.both(by, self.at.tournament, 0, &call, |model| model.reveal(by, children));
    }

    pub(crate) fn time_out(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) {
        let call = Tournament::timeOutCall { x: u256(x), y: u256(y), path: of_tournament(path) };
        self.both(by, self.at.tournament, 0, &call, |model| model.time_out(by, x, y, path));
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
        self.both(by, self.at.tournament, 0, &call, |model| model.padded(by, x, y, path, before));
    }

    pub(crate) fn promote(&mut self, by: Account, index: OutputIndex) {
        let call = Tournament::promoteCall { index: u256(index) };
        self.both(by, self.at.tournament, 0, &call, |model| model.promote(index));
    }

    pub(crate) fn finalize(&mut self, by: Account, index: OutputIndex) {
        let call = RollupV2::finalizeCall { index: u256(index) };
        self.both(by, self.at.rollup, 0, &call, |model| model.finalize(index));
    }

    pub(crate) fn void_output(&mut self, by: Account, index: OutputIndex) {
        let call = RollupV2::voidOutputCall { index: u256(index) };
        self.both(by, self.at.rollup, 0, &call, |model| model.void_output(index));
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
            self.evm.view(self.at.rollup, &call).claim
        });
        let parent = self.model.outputs[key.1].clone();
        let (before, siblings) = match path.index.checked_sub(1) {
            Some(leaf) => (history.leaf(leaf), history.siblings(leaf)),
            None => {
                let call = RollupV2::outputCall { index: u256(key.1) };
                (self.evm.view(self.at.rollup, &call).outputRoot, Vec::new())
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
            steps: STEPS,
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
            self.both(by, self.at.dispute, value, &call, |model| model.accuse(by, x, y, path));
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
            self.both(by, self.at.dispute, value, &call, |model| model.answer(by, accusation));
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
        let moved = self.both(by, self.at.dispute, 0, &call, |model| model.move_(by, game, made));
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
        let told = self.evm.transact(DEPLOYER, TxKind::Call(MACHINE), U256::ZERO, step.into());
        told.unwrap_or_else(|reason| panic!("the machine reverts: {reason}"));
        // The state before the step has to be the preimage of the claim before.
        let state = self.states[&answered.claims[at - 1]].clone();
        let call = DisputeV2::proveCall {
            gameId: u256(game),
            answered,
            segment: at as u64,
            state,
            proof: Bytes::new(),
        };
        self.both(by, self.at.dispute, 0, &call, |model| model.prove(by, game));
    }

    pub(crate) fn time_out_game(&mut self, by: Account, game: usize) {
        let call = DisputeV2::timeOutGameCall { gameId: u256(game) };
        self.both(by, self.at.dispute, 0, &call, |model| model.time_out_game(by, game));
    }

    pub(crate) fn strike(&mut self, by: Account, accusation: usize) {
        let call = DisputeV2::strikeCall { accusation: u256(accusation) };
        self.both(by, self.at.dispute, 0, &call, |model| model.strike(by, accusation));
    }

    pub(crate) fn close(&mut self, by: Account, game: usize) {
        let call = DisputeV2::closeCall { gameId: u256(game) };
        self.both(by, self.at.dispute, 0, &call, |model| model.close(game));
    }

    pub(crate) fn settle_accusation(&mut self, by: Account, accusation: usize) {
        let call = DisputeV2::settleAccusationCall { accusation: u256(accusation) };
        self.both(by, self.at.dispute, 0, &call, |model| model.settle_for_accusation(accusation));
    }

    pub(crate) fn settle_match(&mut self, by: Account, x: OutputIndex, y: OutputIndex) {
        let call = DisputeV2::settleMatchCall { x: u256(x), y: u256(y) };
        self.both(by, self.at.dispute, 0, &call, |model| model.settle_for_x(by, x, y));
    }

    pub(crate) fn release(&mut self, by: Account, key: Key, account: Account) {
        let call =
            DisputeV2::releaseCall { tournament: tournament_id(key), account: address(account) };
        self.both(by, self.at.dispute, 0, &call, |model| model.release(key, account));
    }

    /// Announces a program, whose notice runs from now on.
    pub(crate) fn announce(&mut self) {
        let state = self.programs.len() as u64 + 1;
        let call = Programs::announceCall { initialState: word(state) };
        let to = TxKind::Call(self.at.programs);
        let done = self.evm.transact(DEPLOYER, to, U256::ZERO, call.abi_encode().into());
        done.unwrap_or_else(|reason| panic!("announce reverts: {reason}"));
        self.announced = Some((state, self.model.now + self.notice));
    }

    /// The announced program takes over at the next entry.
    pub(crate) fn activate(&mut self, by: Account) {
        let (announced, next) = (self.announced, self.model.inbox.len() as u64);
        let is_due = announced.is_some_and(|(_, from)| self.model.now >= from);
        let due = move |_: &mut Contracts| if is_due { Ok(()) } else { Err(Refusal::TooEarly) };
        let made = self.both(by, self.at.programs, 0, &Programs::activateCall {}, due);
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
        let made = self.both(by, self.at.programs, 0, &Programs::escapeCall {}, escape);
        if let (Some(_), Some((state, _))) = (made, announced) {
            let from = self.model.outputs[self.model.generation.1].entry + 1;
            self.programs.push((from, state));
            self.announced = None;
        }
    }

    /// Claims that nobody made before, each with a known preimage, and a segment to make them in.
    fn made_up_claims(&mut self) -> (u64, Vec<B256>) {
        let first = self.states.len() as u64;
        let claims = (first..first + CLAIMS).map(|number| {
            let state = state_numbered(number);
            let claim = keccak256(&state);
            self.states.insert(claim, state);
            claim
        });
        (first / CLAIMS % CLAIMS, claims.collect())
    }

    /// Asserts that both sides hold the same state.
    pub(crate) fn compare(&mut self) {
        let Deployed { rollup, tournament, dispute, .. } = self.at;
        let model = self.model.clone();
        let time = |time: u64| time + START;
        for (index, output) in model.outputs.iter().enumerate().skip(1) {
            let found = self.evm.view(rollup, &RollupV2::contenderCall { index: u256(index) });
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
                self.evm.view(rollup, &RollupV2::rangeCall { tournament: tournament_id(*key) });
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
            let found = self.evm.view(tournament, &call);
            let members = model.members(model.ranges[key].count, *round, *number);
            let found = [found.members, found.arrived, found.standing];
            assert_eq!(found, [members, group.arrived, group.alive].map(U256::from));
        }
        for ((key, account), stake) in &model.stakes {
            let call = DisputeV2::stakeOfCall {
                tournament: tournament_id(*key),
                account: address(*account),
            };
            let found = self.evm.view(dispute, &call);
            let status = match stake.status {
                StakeStatus::Standing => 1,
                StakeStatus::Fallen => 2,
                StakeStatus::Returned => 3,
            };
            assert_eq!((found.status, found.openGames), (status, stake.open_games.into()));
        }
        for (index, accusation) in model.accusations.iter().enumerate() {
            let call = DisputeV2::accusationAtCall { accusation: u256(index) };
            let found = self.evm.view(dispute, &call);
            assert_eq!((found.clock, !found.isStruck), (accusation.clock, accusation.is_open));
        }
        for (rivals, about) in &model.matches {
            let call = DisputeV2::matchOfCall { x: u256(rivals.0), y: u256(rivals.1) };
            let found = self.evm.view(dispute, &call);
            assert_eq!((found.clockX, found.standing), (about.clock_x, about.standing.into()));
        }
        for (index, game) in model.games.iter().enumerate() {
            let found = self.evm.view(dispute, &DisputeV2::gameAtCall { gameId: u256(index) });
            assert_eq!((found.movedAt), time(game.moved_at), "game {index}");
            assert_eq!([found.accuserClock, found.defenderClock], game.clocks, "game {index}");
            match (game.is_over, game.moves % 2) {
                (true, _) => assert!(found.status > 2, "game {index}"),
                (false, 1) => assert_eq!(found.status, 1, "game {index}"),
                (false, _) => assert_eq!(found.status, 2, "game {index}"),
            }
        }
        let latest = self.evm.view(rollup, &RollupV2::latestOutputIndexCall {});
        assert_eq!(latest, u256(model.latest_output_index()));
        for (contract, ledger) in [(rollup, &model.rollup), (dispute, &model.dispute)] {
            let owed: u64 = ledger.returned.values().chain(ledger.credited.values()).sum();
            assert_eq!(self.evm.balance(contract), wei(ledger.held + owed));
        }
    }

    /// Everybody withdraws. What is left is what the contracts hold for others.
    pub(crate) fn withdraw(&mut self, accounts: Account) {
        for contract in [self.at.rollup, self.at.dispute] {
            for account in 1..=accounts {
                let data = RollupV2::withdrawBondCall {}.abi_encode().into();
                let to = TxKind::Call(contract);
                let _ = self.evm.transact(address(account), to, U256::ZERO, data);
            }
        }
        let held = [self.model.rollup.held, self.model.dispute.held].map(wei);
        assert_eq!([self.at.rollup, self.at.dispute].map(|it| self.evm.balance(it)), held);
    }

    /// The history of an output.
    pub(crate) fn history(&self, index: OutputIndex) -> Option<Rc<History>> {
        self.model.outputs.get(index)?.history.clone()
    }
}

fn wei(amount: u64) -> U256 {
    U256::from(amount) * U256::from(UNIT)
}

fn word(value: u64) -> B256 {
    U256::from(value).into()
}

const fn status_number(status: Status) -> u8 {
    match status {
        Status::Standing => 1,
        Status::Final => 2,
        Status::Rejected => 3,
        Status::Void => 4,
    }
}

/// A state of the machine that halted with a root in a1 to a4.
fn halted_with(root: B256) -> Bytes {
    let mut state = vec![0; STATE_BYTES];
    for (register, part) in root.chunks(8).enumerate() {
        let end = 40 + (11 + register) * 8;
        let reversed: Vec<u8> = part.iter().rev().copied().collect();
        state[end - 8..end].copy_from_slice(&reversed);
    }
    state[288] = 1;
    state.into()
}

/// A made-up state.
fn state_numbered(number: u64) -> Bytes {
    let mut state = vec![0; STATE_BYTES];
    state[..8].copy_from_slice(&number.to_be_bytes());
    state.into()
}

fn divided(
    answered: &DisputeV2::Bisection,
    segment: u64,
    claims: Vec<B256>,
) -> DisputeV2::Bisection {
    let steps = answered.steps / CLAIMS;
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

fn of_tournament(path: &HistoryPath) -> Tournament::Path {
    Tournament::Path {
        depth: U256::from(path.depth),
        index: U256::from(path.index),
        nodeX: path.nodes[0],
        nodeY: path.nodes[1],
        words: path.words.clone(),
    }
}

fn of_dispute(path: &HistoryPath) -> DisputeV2::Path {
    let Tournament::Path { depth, index, nodeX, nodeY, words } = of_tournament(path);
    DisputeV2::Path { depth, index, nodeX, nodeY, words }
}
