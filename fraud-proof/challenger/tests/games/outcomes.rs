//! Whole games on L1's contracts. Both sides use the same two functions, and the honest side wins
//! each game.

use alloy_primitives::{Address, B256, TxKind};
use turnpike_game::prove::PROGRAM;
use turnpike_l1::{DisputedOutput, Side};
use turnpike_random::Rng;
use turnpike_vm::{Machine, Op};

use crate::{
    adversaries::{Believer, Claims, Inventor, Lie},
    chain::TestChain,
    derived::blocks_per_entry,
    play::play,
};

/// Entries of three blocks, of invalid data, of a precompile call, and others of one or two blocks.
fn world() -> TestChain {
    let mut world = TestChain::new();
    let rollup = &mut world.rollup;
    let blocks = vec![rollup.block(40, 2, 0), rollup.block(41, 1, 0), rollup.block(41, 0, 0)];
    world.post(blocks);
    world.post(Vec::new());
    for index in 0..ENTRIES - 2 {
        let rollup = &mut world.rollup;
        let mut blocks = vec![rollup.block(50 + index, index % 2, 0)];
        if index == 0 {
            // Call the precompile that recovers signers.
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

const ENTRIES: u64 = 132;

const SIDES: [Side; 2] = [Side::Challenger, Side::Defender];

/// An output over `entries` entries on a true parent: a false output if the honest side challenges,
/// else a true one.
fn disputed(world: &mut TestChain, honest: Side, entries: u64, number: u64) -> DisputedOutput {
    let parent_entry = 1 + number % (ENTRIES - entries);
    let genesis = world.genesis_output();
    let parent = world.propose(genesis, parent_entry, None);
    let lie = (honest == Side::Challenger).then_some(number);
    world.propose((parent.index, parent.claim), parent_entry + entries, lie)
}

/// A position within an output's range: that of an existing block, or any.
fn position(world: &TestChain, output: &DisputedOutput, rng: &mut Rng) -> u64 {
    let any = rng.next_u64() % output.segment().last;
    if rng.percent(30) {
        return any;
    }
    let (entry, _) = output.block_at(any);
    let verifier = &world.chain.verifier;
    let last = |entry| verifier.entry(entry).expect("the entry is derived").last_block;
    let index = rng.next_u64() % (last(entry) - last(entry - 1));
    (entry - output.parent_entry - 1) * blocks_per_entry() + index
}

/// The claim at the end. A dishonest defender must end with the proposed root; a dishonest
/// challenger may choose.
fn end(output: &DisputedOutput, honest: Side) -> B256 {
    match honest {
        Side::Challenger => output.root,
        Side::Defender => B256::repeat_byte(0xee),
    }
}

#[test]
fn invented_claims_lose() {
    let mut world = world();
    let mut proven = 0;
    for seed in 0..GAMES {
        let rng = &mut Rng::new(seed);
        let honest = rng.pick(&SIDES);
        let entries = rng.pick(&[1, 2, 3, 20]);
        let output = disputed(&mut world, honest, entries, seed);
        let true_position = position(&world, &output, rng);
        let steps = world
            .chain
            .run(&output, true_position, |run| run.final_state().expect("the run ends").step);
        let any = rng.next_u64() % steps;
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
fn false_run_loses() {
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

/// A fault after which the program still exits.
fn false_run(world: &mut TestChain, output: &DisputedOutput, position: u64, rng: &mut Rng) -> Lie {
    let blocks = output.block_at(position).1;
    if rng.percent(25) && blocks != blocks_per_entry() - 1 {
        return Lie::NoBlock;
    }
    world.chain.run(output, position, |run| {
        let steps = run.final_state().expect("the run ends").step;
        loop {
            let early = 1 + rng.next_u64() % steps;
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

/// The first read of each kind of key on a block: the kind and the number of steps before.
fn reads(world: &mut TestChain, output: &DisputedOutput, position: u64) -> Vec<(u8, u64)> {
    let mut preimages = world.chain.run(output, position, |run| run.preimages().clone());
    let mut machine = Machine::load(PROGRAM, None).expect("the program loads");
    let mut reads: Vec<(u8, u64)> = Vec::new();
    while machine.exit().is_none() {
        let is_read = machine.instruction().is_ok_and(|it| it.op == Op::Ecall)
            && machine.register(17) == 1000;
        let [kind, ..] = machine.register(10).to_le_bytes();
        if is_read && reads.iter().all(|(other, _)| *other != kind) {
            reads.push((kind, machine.steps()));
        }
        machine.step(&mut preimages).expect("the witness is complete");
    }
    reads
}

#[test]
fn false_read_of_any_kind_is_proven_wrong() {
    let mut world = world();
    // The first block of this entry contains the precompile call.
    let numbers = [128, 255, 382, 509];
    let output = disputed(&mut world, Side::Challenger, 5, numbers[0]);
    assert_eq!(output.block_at(0), (3, 0));
    let reads = reads(&mut world, &output, 0);
    let kinds: Vec<u8> = reads.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [1, 2, 4], "local inputs, keccak preimages, precompiles");
    for (number, (kind, true_step)) in numbers.into_iter().skip(1).zip(reads) {
        let output = disputed(&mut world, Side::Challenger, 5, number);
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
fn longest_game_has_thirteen_bisections() {
    let mut world = world();
    for honest in SIDES {
        let output = disputed(&mut world, honest, 129, 1);
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
