//! Whole games on L1's contracts, each by the same two functions: the honest side wins them all, in bounded moves and gas.

use std::sync::LazyLock;

use alloy::sol_types::SolCall as _;
use alloy_primitives::{Address, B256, TxKind, U256};
use turnpike_fraud_proof::{game::Play, prove::PROGRAM};
use turnpike_l1::{Answer, Bisection, Dispute, DisputedOutput, Phase, Segment, Side};
use turnpike_vm::{Machine, Op};

use crate::{
    chain::World,
    derived::blocks_per_entry,
    inbox::genesis,
    l1::{HONEST, L1, LIAR, Sent},
    liars::{Believer, Claims, Honest, Inventor, Lie, Player},
    rng::Rng,
};

/// Bisections of a game, at most.
const BISECTIONS_MAX: usize = 14;

/// Gas of a bisection, and of a proven step with what it reads, at most.
const BISECTION_GAS_MAX: u64 = 300_000;
const PROOF_GAS_MAX: u64 = 1_500_000;

/// Of both sides together.
const GAME_GAS_MAX: u64 = 3_000_000;

/// Hash of the machine's state before the first step: what L1 takes it for.
static INITIAL_STATE: LazyLock<B256> =
    LazyLock::new(|| Machine::load(PROGRAM, None).expect("a program").state().hash());

/// What the contracts say of a game that the challenger or the defender has won, and of an output.
const WON_BY: [u8; 2] = [3, 4];
const PROPOSED: u8 = 1;
const REJECTED: u8 = 4;

/// How a game went.
#[derive(Debug, Default)]
struct Played {
    bisections: usize,
    /// Who showed L1 a step, if anybody did.
    is_proven: bool,
    /// The block that was disputed, if it came to that.
    block: Option<u64>,
    read: bool,
    gas: u64,
    gas_max: u64,
}

/// A game under way, as both sides see it.
struct Game<'a> {
    l1: &'a mut L1,
    output: DisputedOutput,
    /// What the next move answers.
    newest: Bisection,
    challenge: U256,
    game: U256,
    played: Played,
}

impl Game<'_> {
    fn note(&mut self, sent: &Sent) {
        self.played.gas += sent.gas;
        self.played.gas_max = self.played.gas_max.max(sent.gas);
    }

    /// Notes a bisection, which has to be the one that L1 holds.
    fn note_bisection(&mut self, segment: &Segment, answer: Answer, sent: &Sent) {
        assert!(sent.gas < BISECTION_GAS_MAX, "a bisection of {} gas", sent.gas);
        self.note(sent);
        self.played.bisections += 1;
        self.newest = segment.divided(answer.claims, *INITIAL_STATE);
        if self.newest.phase == Phase::Machine {
            self.played.block = Some(self.newest.block);
        }
    }

    /// Makes a move; `None` if L1 refuses it.
    fn make(&mut self, side: Side, is_honest: bool, play: Play) -> Option<()> {
        self.l1.pass(1);
        let from = if is_honest { HONEST } else { LIAR };
        let answered = Dispute::Bisection::from(&self.newest);
        let dispute = self.l1.dispute;
        match play {
            Play::Answer(answer) => {
                let segment = self.newest.segment(answer.segment)?;
                let call = (&answer).into();
                let sent = if self.played.bisections == 1 {
                    let bond = genesis().config.game_bond;
                    let call =
                        Dispute::defendCall { challengeId: self.challenge, answered, answer: call };
                    let sent = self.l1.send(from, dispute, bond, &call).ok()?;
                    self.game =
                        Dispute::defendCall::abi_decode_returns(&sent.output).expect("decodes");
                    sent
                } else {
                    let call = Dispute::moveCall { gameId: self.game, answered, answer: call };
                    self.l1.send(from, dispute, U256::ZERO, &call).ok()?
                };
                self.note_bisection(&segment, answer, &sent);
                let held = self.l1.view(dispute, &Dispute::gameAtCall { gameId: self.game });
                assert_eq!(held.bisection, self.newest.hash());
            }
            Play::Prove(proof) => {
                let mut gas = 0;
                if let Some(load) = &proof.load {
                    let sent = self.l1.load(from, load).ok()?;
                    gas += sent.gas;
                    self.note(&sent);
                }
                let call = Dispute::proveCall {
                    gameId: self.game,
                    answered,
                    segment: proof.segment,
                    state: proof.state,
                    proof: proof.proof,
                };
                let sent = self.l1.send(from, dispute, U256::ZERO, &call).ok()?;
                assert!(is_honest, "{side:?} has proven what is false");
                self.note(&sent);
                gas += sent.gas;
                assert!(gas < PROOF_GAS_MAX, "a proof of {gas} gas");
                self.played.is_proven = true;
                self.played.read = proof.read.is_some();
            }
        }
        Some(())
    }

    fn status(&mut self) -> u8 {
        let dispute = self.l1.dispute;
        self.l1.view(dispute, &Dispute::gameAtCall { gameId: self.game }).status
    }
}

/// Plays for an output, or against it, until L1 has decided. The liar is silent once L1 refuses what it sends.
fn play(
    world: &mut World,
    output: &DisputedOutput,
    honest: Side,
    liar: &mut impl Player,
) -> Played {
    let World { l1, chain, .. } = world;
    let config = genesis().config;
    let (challenger, opening) = match honest {
        Side::Challenger => (HONEST, Honest.open(chain, output).expect("the output is wrong")),
        Side::Defender => (LIAR, liar.open(chain, output).expect("a liar finds something")),
    };
    l1.pass(1);
    let dispute = l1.dispute;
    let credit = l1.view(dispute, &Dispute::bondCreditCall { account: HONEST });
    let call = Dispute::challengeCall {
        output: U256::from(output.index),
        claim: output.claim,
        answer: (&opening).into(),
    };
    let sent = l1.send(challenger, dispute, config.game_bond, &call).expect("can be challenged");
    let challenge = Dispute::challengeCall::abi_decode_returns(&sent.output).expect("decodes");
    let newest = output.segment().divided(Vec::new(), *INITIAL_STATE);
    let (played, game) = (Played::default(), U256::MAX);
    let mut game = Game { l1, output: *output, newest, challenge, game, played };
    game.note_bisection(&output.segment(), opening, &sent);

    let mut side = Side::Defender;
    loop {
        let is_honest = side == honest;
        let newest = game.newest.clone();
        let play = if is_honest {
            let play = Honest.answer(chain, &game.output, &newest);
            Some(play.expect("there is something to object to a liar's claims"))
        } else {
            liar.answer(chain, &game.output, &newest)
        };
        let made = play.and_then(|play| game.make(side, is_honest, play));
        assert!(!is_honest || made.is_some(), "L1 refuses an honest move");
        if made.is_none() || game.played.is_proven {
            break;
        }
        side = side.other();
    }
    if !game.played.is_proven && game.game != U256::MAX {
        game.l1.pass(config.game_clock + 1);
        let call = Dispute::timeOutCall { gameId: game.game };
        game.l1.send(HONEST, dispute, U256::ZERO, &call).expect("the liar's clock has run out");
    }
    if game.game != U256::MAX {
        assert_eq!(game.status(), WON_BY[usize::from(honest == Side::Defender)]);
    }
    let Game { l1, played, .. } = game;
    let (mut won, index) = (config.game_bond / U256::from(2), output.index);
    match honest {
        Side::Challenger => {
            l1.pass(config.game_clock + 1);
            let call = Dispute::resolveCall { challengeId: challenge };
            l1.send(HONEST, dispute, U256::ZERO, &call).expect("all games are won");
            won += config.proposer_bond / U256::from(2);
            if played.bisections == 1 {
                won -= config.game_bond / U256::from(2);
            }
            assert_eq!(l1.output(index).status, REJECTED);
        }
        Side::Defender => assert_eq!(l1.output(index).status, PROPOSED),
    }
    won += config.game_bond;
    let credit_after = l1.view(dispute, &Dispute::bondCreditCall { account: HONEST });
    assert_eq!(credit_after - credit, won);
    assert!(played.bisections <= BISECTIONS_MAX, "{} bisections", played.bisections);
    assert!(played.gas < GAME_GAS_MAX, "a game of {} gas", played.gas);
    played
}

/// Entries of three blocks, of garbage, of a call of a precompile, and others of one or two.
fn world() -> World {
    let mut world = World::new();
    let rollup = &mut world.rollup;
    let blocks = vec![rollup.block(40, 2, 0), rollup.block(41, 1, 0), rollup.block(41, 0, 0)];
    world.post(blocks);
    world.post(Vec::new());
    for index in 0..ENTRIES - 2 {
        let rollup = &mut world.rollup;
        let mut blocks = vec![rollup.block(50 + index, index % 2, 0)];
        if index == 0 {
            // To the precompile that recovers signers.
            let to = TxKind::Call(Address::with_last_byte(1));
            blocks[0].transactions.push(rollup.transaction(to, vec![7; 128], 100_000));
        }
        if index % 3 == 0 {
            blocks.push(rollup.block(50 + index, 1, 0));
        }
        world.post(blocks);
    }
    world
}

const ENTRIES: u64 = 42;

const SIDES: [Side; 2] = [Side::Challenger, Side::Defender];

/// An output of so many entries that the honest side is right about: a lie to be challenged, or the truth to be
/// defended. Its parent is the truth.
fn disputed(world: &mut World, honest: Side, entries: u64, number: u64) -> DisputedOutput {
    let parent_entry = 1 + number % (ENTRIES - entries);
    let genesis = world.genesis_output();
    let parent = world.propose(genesis, parent_entry, None);
    let lie = (honest == Side::Challenger).then_some(number);
    world.propose((parent.index, parent.claim), parent_entry + entries, lie)
}

/// A position within the range of an output: of a block that there is, or any.
fn position(world: &World, output: &DisputedOutput, rng: &mut Rng) -> u64 {
    let any = rng.next() % output.segment().last;
    if rng.percent(30) {
        return any;
    }
    let (entry, _) = output.block_at(any);
    let verifier = &world.chain.verifier;
    let last = |entry| verifier.entry(entry).expect("derived").last_block;
    let index = rng.next() % (last(entry) - last(entry - 1));
    (entry - output.parent_entry - 1) * blocks_per_entry() + index
}

/// What a lying defender has to end with is what was proposed; a lying challenger has its choice.
fn end(output: &DisputedOutput, honest: Side) -> B256 {
    match honest {
        Side::Challenger => output.root,
        Side::Defender => B256::repeat_byte(0xee),
    }
}

#[test]
fn whoever_invents_claims_loses() {
    let mut world = world();
    let mut proven = 0;
    for seed in 0..GAMES {
        let rng = &mut Rng::new(seed);
        let honest = rng.pick(&SIDES);
        let entries = rng.pick(&[1, 2, 3, 20]);
        let output = disputed(&mut world, honest, entries, seed);
        let true_position = position(&world, &output, rng);
        let steps =
            world.chain.run(&output, true_position, |run| run.final_state().expect("ends").step);
        let any = rng.next() % steps;
        let mut liar = Inventor {
            rng: rng.clone(),
            claims: rng.pick(&[Claims::Garbage, Claims::End]),
            true_position,
            true_step: rng.pick(&[0, any, any, any, steps - 2, steps - 1, steps, 1 << 41]),
            end: end(&output, honest),
            strays: rng.pick(&[0, 0, 10, 50]),
        };
        let played = play(&mut world, &output, honest, &mut liar);
        if liar.strays == 0 && played.bisections > 4 {
            assert_eq!(played.block, Some(true_position), "game {seed}");
        }
        proven += u64::from(played.is_proven);
    }
    assert!(proven > GAMES / 5 && proven < GAMES, "{proven} of {GAMES} games end with a proof");
}

const GAMES: u64 = 60;

#[test]
fn whoever_believes_in_a_false_run_loses() {
    let mut world = world();
    let mut deep = 0;
    for seed in 0..GAMES {
        let rng = &mut Rng::new(1_000 + seed);
        let honest = rng.pick(&SIDES);
        let output = disputed(&mut world, honest, rng.pick(&[1, 2, 3, 20]), seed);
        let position = position(&world, &output, rng);
        let lie = false_run(&mut world, &output, position, rng);
        let mut liar = Believer::new(position, lie, end(&output, honest));
        let played = play(&mut world, &output, honest, &mut liar);
        deep += u64::from(played.bisections > 10);
    }
    assert!(deep > GAMES / 2, "{deep} of {GAMES} games go down to a step");
}

/// A lie after which the program comes to an end.
fn false_run(world: &mut World, output: &DisputedOutput, position: u64, rng: &mut Rng) -> Lie {
    let blocks = output.block_at(position).1;
    if rng.percent(25) && blocks != blocks_per_entry() - 1 {
        return Lie::NoBlock;
    }
    world.chain.run(output, position, |run| {
        let steps = run.final_state().expect("ends").step;
        loop {
            let early = 1 + rng.next() % steps;
            let lie = Lie::Register {
                after_step: rng.pick(&[early, steps - 1, steps]),
                number: rng.pick(&[5, 10, 11, 14, 20]),
                difference: 1 << rng.below(64),
            };
            if lie.ends(run.preimages(), 4 * steps) {
                return lie;
            }
        }
    })
}

/// The first read of each kind of key that the program makes on a block: kind and steps before.
fn reads(world: &mut World, output: &DisputedOutput, position: u64) -> Vec<(u8, u64)> {
    let mut preimages = world.chain.run(output, position, |run| run.preimages().clone());
    let mut machine = Machine::load(PROGRAM, None).expect("a program");
    let mut reads: Vec<(u8, u64)> = Vec::new();
    while machine.exit().is_none() {
        let is_read = machine.instruction().is_ok_and(|it| it.op == Op::Ecall)
            && machine.register(17) == 1000;
        let [kind, ..] = machine.register(10).to_le_bytes();
        if is_read && reads.iter().all(|(other, _)| *other != kind) {
            reads.push((kind, machine.steps()));
        }
        machine.step(&mut preimages).expect("all is there");
    }
    reads
}

#[test]
fn a_false_read_of_any_kind_is_proven() {
    let mut world = world();
    // The first of its blocks is that of the precompile call.
    let numbers = [41, 81, 121, 161];
    let output = disputed(&mut world, Side::Challenger, 2, numbers[0]);
    assert_eq!(output.block_at(0), (3, 0));
    let reads = reads(&mut world, &output, 0);
    let kinds: Vec<u8> = reads.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [1, 2, 4], "local inputs, keccak preimages, precompiles");
    for (number, (kind, true_step)) in numbers.into_iter().skip(1).zip(reads) {
        let output = disputed(&mut world, Side::Challenger, 2, number);
        let mut liar = Inventor {
            rng: Rng::new(0),
            claims: Claims::Garbage,
            true_position: 0,
            true_step,
            end: output.root,
            strays: 0,
        };
        let played = play(&mut world, &output, Side::Challenger, &mut liar);
        assert!(played.is_proven && played.read, "kind {kind}: {played:?}");
        assert_eq!((played.bisections, played.block), (12, Some(0)));
        println!("kind {kind}: {} gas, its largest move {}", played.gas, played.gas_max);
    }
}

#[test]
fn the_longest_game_has_thirteen_bisections() {
    let mut world = world();
    for honest in SIDES {
        let output = disputed(&mut world, honest, 40, 1);
        assert!(output.segment().last > 32 * 1_024);
        let mut liar = Inventor {
            rng: Rng::new(0),
            claims: Claims::Garbage,
            true_position: 2,
            true_step: 1_000,
            end: end(&output, honest),
            strays: 0,
        };
        let played = play(&mut world, &output, honest, &mut liar);
        assert_eq!((played.bisections, played.is_proven), (13, honest == Side::Defender));
        println!("the longest game takes {} gas, its largest move {}", played.gas, played.gas_max);
    }
}
