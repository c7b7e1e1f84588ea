//! Chains of random blocks, cut into slices.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
};

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, BlockTransaction as _, ChainSpec, Grain, Mode,
    OpenBacklog,
};
use turnpike_protocol::{
    Genesis as ChainGenesis, Header, L1Fee, Load, Origin, predeploys::SEQUENCER_FEE_VAULT,
};
use turnpike_state::NodeState;

use crate::random::{
    BASE_FEE, FORKS, Genesis, Rng, Rules, Tx, World, child, gas_before, person, with_delegations,
};

/// Enough gas for any factory.
const PLENTY_OF_GAS: u64 = 400_000;

/// A grain at which small transactions share lanes and chunks.
const COARSER: Grain = Grain { lane_from: 200_000, chunk_transactions: 8, ..Grain::FINEST };

pub(crate) const MODES: [Mode; 3] = [Mode::Sequential, Mode::Shadow, Mode::Parallel];

/// More gas than any block here uses.
const LARGE_GAS_LIMIT: u64 = 10_000_000_000;

/// A chain's rules and genesis.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) spec: ChainSpec,
    pub(crate) genesis: Genesis,
}

/// A block of one of the chains.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) chain: usize,
    pub(crate) context: BlockContext,
    pub(crate) mode: Mode,
    /// Transactions, slice by slice.
    pub(crate) slices: Vec<Vec<Tx>>,
}

/// Blocks that one engine executes, of one chain or of two in alternation.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) grain: Grain,
    pub(crate) chains: Vec<Chain>,
    pub(crate) blocks: Vec<Block>,
}

/// The rules of a script's chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Ethereum,
    Turnpike,
}

impl Script {
    pub(crate) fn random(rng: &mut Rng, family: Family) -> Self {
        let grain = if rng.percent(80) { Grain::FINEST } else { COARSER };
        let mut script = Self { grain, chains: Vec::new(), blocks: Vec::new() };
        let chains = if rng.percent(15) { 2 } else { 1 };
        for _ in 0..chains {
            let rules = match family {
                Family::Ethereum => Rules::Ethereum(rng.pick(&FORKS)),
                Family::Turnpike => Rules::Turnpike,
            };
            let count = rng.between(1, 6);
            script.add_chain(rng, rules, count);
        }
        if chains > 1 {
            // Each chain's blocks stay in order.
            let mut order: Vec<usize> = script.blocks.iter().map(|block| block.chain).collect();
            rng.shuffle(&mut order);
            let mut of_chain = [VecDeque::new(), VecDeque::new()];
            script.blocks.drain(..).for_each(|block| of_chain[block.chain].push_back(block));
            script.blocks = order.iter().filter_map(|chain| of_chain[*chain].pop_front()).collect();
        }
        script
    }

    fn add_chain(&mut self, rng: &mut Rng, rules: Rules, blocks: u64) {
        let mut config = ChainGenesis::dev().config;
        config.l1_base_fee_scalar = 1;
        config.precompile_gas_max = rng.pick(&[6_000_000, 700]);
        let l1_base_fee = U256::from(rng.pick(&[0_u64, 6_000_000]));
        let origin = Origin { l1_base_fee, ..Origin::default() };
        let (spec, l1_fee) = match rules {
            Rules::Ethereum(fork) => (ChainSpec::ethereum(config.chain_id, fork), None),
            Rules::Turnpike => (ChainSpec::turnpike(&config), Some(L1Fee::new(&config, &origin))),
        };
        let is_steady = rng.percent(85);
        let mut world = World::random(rng, rules);
        let mut genesis = Genesis::random(rng, &mut world);
        if matches!(rules, Rules::Ethereum(_)) && rng.percent(4) {
            // The account is so rich that fees may overflow its balance. Plain revm differs here:
            // it drops the excess.
            let room = U256::from(rng.between(0, 2_000_000));
            genesis.0.entry(world.coinbase).or_default().balance = U256::MAX - room;
        }
        let (mut state, _) = NodeState::from_genesis(&genesis.to_diff());
        for number in 1..=blocks {
            let mut context = context(rng, &world, number);
            context.l1_fee = l1_fee;
            for at in 0..world.people {
                let nonce = state.account(&person(at)).unwrap_or_default().nonce;
                world.nonces.insert(person(at), nonce);
            }
            let transactions = fill(rng, &mut world, &spec, &mut context, &state);
            let executed = run(&spec, &context, &state, &transactions);
            state.apply(&executed);
            let slices = cut(rng, transactions);
            let mode = if is_steady { Mode::Parallel } else { rng.pick(&MODES) };
            self.blocks.push(Block { chain: self.chains.len(), context, mode, slices });
        }
        self.chains.push(Chain { spec, genesis });
    }

    /// The same script in a single mode.
    pub(crate) fn in_mode(mut self, mode: Mode) -> Self {
        self.blocks.iter_mut().for_each(|block| block.mode = mode);
        self
    }

    /// Every transaction with its block and slice.
    pub(crate) fn places(&self) -> Vec<(usize, usize, Tx)> {
        let mut places = Vec::new();
        for (block, Block { slices, .. }) in self.blocks.iter().enumerate() {
            for (slice, transactions) in slices.iter().enumerate() {
                places.extend(transactions.iter().map(|tx| (block, slice, tx.clone())));
            }
        }
        places
    }

    /// The script with these transactions only. Nonces are moved up to close gaps.
    pub(crate) fn with_places(&self, places: &[(usize, usize, Tx)]) -> Self {
        let sender = |block: usize, tx: &Tx| (self.blocks[block].chain, tx.env.caller);
        let nonces = |places: &[(usize, usize, Tx)]| {
            let mut nonces: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
            for (block, _, tx) in places {
                nonces.entry(sender(*block, tx)).or_default().insert(tx.env.nonce);
            }
            nonces
        };
        let (mut missing, kept) = (nonces(&self.places()), nonces(places));
        for (sender, kept) in &kept {
            missing.entry(*sender).or_default().retain(|nonce| !kept.contains(nonce));
        }
        let mut script = self.clone();
        let slices = script.blocks.iter_mut().flat_map(|block| &mut block.slices);
        slices.for_each(Vec::clear);
        for (block, slice, tx) in places {
            let mut moved = tx.clone();
            let before = missing[&sender(*block, tx)].range(..tx.env.nonce).count();
            moved.env.nonce -= u64::try_from(before).expect("fits 64 bits");
            script.blocks[*block].slices[*slice].push(moved);
        }
        script
    }
}

/// Executes a block on the reference executor.
fn run(
    spec: &ChainSpec,
    context: &BlockContext,
    state: &NodeState,
    transactions: &[Tx],
) -> turnpike_state::StateDiff {
    let mut block = BlockExecutor::open(spec, context, state.flat()).expect("the fork is known");
    transactions.iter().for_each(|tx| block.execute(tx.clone()).expect("full state"));
    let (mut executed, _) = block.finish().expect("full state");
    std::mem::take(executed.diff())
}

fn context(rng: &mut Rng, world: &World, number: u64) -> BlockContext {
    let parent_hash = B256::with_last_byte(rng.byte(255));
    let beneficiary = match world.rules {
        Rules::Ethereum(_) => world.coinbase,
        Rules::Turnpike => SEQUENCER_FEE_VAULT,
    };
    let header = Header {
        parent_hash,
        beneficiary,
        number,
        timestamp: 1_000 + number,
        gas_limit: LARGE_GAS_LIMIT,
        base_fee_per_gas: Some(BASE_FEE),
        excess_blob_gas: Some(0),
        ..Header::default()
    };
    let hashes = match world.rules {
        Rules::Ethereum(_) => BlockHashes::Given(BTreeMap::from([(number - 1, parent_hash)])),
        Rules::Turnpike => BlockHashes::History { parent: parent_hash },
    };
    BlockContext { header, hashes, l1_fee: None, backlog: None }
}

/// Builds a block's transactions one by one on the state so far, so that most are valid. Sometimes
/// makes the block's gas limit too small for them.
fn fill(
    rng: &mut Rng,
    world: &mut World,
    spec: &ChainSpec,
    context: &mut BlockContext,
    state: &NodeState,
) -> Vec<Tx> {
    let count = match rng.weighted([4, 4, 1]) {
        0 => rng.between(20, 50),
        1 => rng.between(50, 100),
        _ => rng.between(100, 201),
    };
    let mut block = BlockExecutor::open(spec, context, state.flat()).expect("the fork is known");
    let mut waiting = VecDeque::new();
    let mut transactions = Vec::new();
    for _ in 0..count {
        if waiting.is_empty() && rng.percent(if world.oddity < 100 { 4 } else { 12 }) {
            waiting = burst(rng, world);
        }
        let next =
            waiting.pop_front().filter(|_| !rng.percent(if world.oddity < 100 { 60 } else { 10 }));
        let mut tx = next.unwrap_or_else(|| Tx::random(rng, world));
        let caller = tx.env.caller;
        let next = world.nonce_of(&caller);
        tx.env.nonce = match rng.weighted([95, 2, 3]) {
            0 => next,
            1 => next + 1,
            _ => next.saturating_sub(1),
        };
        tx.id =
            context.header.number << 32 | u64::try_from(transactions.len()).expect("fits 64 bits");
        let before = block.gas_remaining();
        block.execute(tx.clone()).expect("full state");
        if block.gas_remaining() < before {
            world.nonces.insert(caller, next + 1);
            with_delegations(world, &tx);
            if tx.env.kind == TxKind::Create {
                world.created.push(caller.create(next));
            }
        }
        transactions.push(tx);
    }
    let used = LARGE_GAS_LIMIT - block.gas_remaining();
    if rng.percent(35) {
        context.header.gas_limit = used * rng.between(30, 300) / 100 + rng.between(0, 400_000);
    }
    if world.rules == Rules::Turnpike && rng.percent(60) {
        let open = Load { gas: rng.between(0, 1_000_000), work: rng.between(0, 1_000_000) };
        let gas = used * rng.between(30, 300) / 100 + rng.between(0, 600_000);
        let work = match rng.percent(30) {
            true => used * rng.between(30, 300) / 100 + rng.between(0, 600_000),
            false => u64::MAX / 2,
        };
        context.backlog = Some(OpenBacklog { open, max: open.plus(Load { gas, work }) });
    }
    transactions
}

/// Transactions that depend on each other.
fn burst(rng: &mut Rng, world: &World) -> VecDeque<Tx> {
    let count = rng.between(4, 30);
    let (sender, contract) = (world.person(rng), world.contract(rng));
    let call = |rng: &mut Rng, to: Address, data: Bytes| {
        let sender = world.person(rng);
        let mut tx = Tx::call(rng, world, sender, to);
        tx.env.data = data;
        tx
    };
    match rng.weighted([1, 2, 1, 1, 1]) {
        // One call, with more gas each time.
        0 => {
            let to = world.anybody(rng);
            let model = Tx::call(rng, world, sender, to);
            let (from, step) = (gas_before(&model.env), rng.pick(&[1, 13, 100, 997]));
            let skipped = rng.between(0, 30_000);
            let with_gas = |at| {
                let mut tx = model.clone();
                tx.env.caller = world.person(rng);
                tx.env.gas_limit = from + skipped + at * step;
                tx
            };
            (0..count).map(with_gas).collect()
        }
        // Created, destroyed, created again, written, destroyed.
        1 => {
            let any = (rng.below(world.contracts), rng.pick(&[4, 5, 6]));
            let known = &world.factories;
            let (at, code) = if known.is_empty() { any } else { rng.pick(known) };
            let (factory, child) = (crate::random::contract(at), child(at, code));
            // With data a child writes, without data it destroys itself.
            let calls = [
                (child, false),
                (factory, true),
                (child, true),
                (child, true),
                (child, false),
                (factory, true),
                (child, true),
                (child, true),
            ];
            let calls = calls.map(|(to, has_data)| {
                let slot = B256::with_last_byte(rng.byte(4));
                let with_slot = [&[1, 2, 3, 4][..], slot.as_slice()].concat();
                let has_data = has_data != rng.percent(15);
                let mut tx = call(rng, to, if has_data { with_slot.into() } else { Bytes::new() });
                tx.env.gas_limit = tx.env.gas_limit.max(PLENTY_OF_GAS);
                tx
            });
            calls.into_iter().collect()
        }
        // Many transactions from one sender.
        2 => (0..count)
            .map(|_| {
                let to = world.anybody(rng);
                Tx::call(rng, world, sender, to)
            })
            .collect(),
        // One function of one contract, with many callers and recipients.
        3 => (0..count)
            .map(|_| {
                let words = [world.person(rng).into_word(), world.person(rng).into_word()];
                call(rng, contract, [&[1, 2, 3, 4][..], words.concat().as_slice()].concat().into())
            })
            .collect(),
        // Accounts that send and are called, with code or without.
        _ => (0..count)
            .map(|_| {
                let to = if rng.percent(50) { sender } else { world.person(rng) };
                let from = if rng.percent(30) { sender } else { world.person(rng) };
                Tx::call(rng, world, from, to)
            })
            .collect(),
    }
}

fn cut(rng: &mut Rng, transactions: Vec<Tx>) -> Vec<Vec<Tx>> {
    let mut slices = Vec::new();
    let is_whole = rng.percent(50);
    let mut left = transactions.into_iter().peekable();
    while left.peek().is_some() {
        let size = if is_whole { usize::MAX } else { rng.pick(&[0, 1, 2, 7, 20, 40, 60, 100]) };
        slices.push(left.by_ref().take(size).collect());
    }
    if rng.percent(10) {
        slices.push(Vec::new());
    }
    slices
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Chain { spec, genesis }) in self.chains.iter().enumerate() {
            writeln!(f, "chain {at}: {:?}, fees {:?}", spec.fork, spec.fees)?;
            for (address, account) in &genesis.0 {
                if !account.code.is_empty() && account.code.len() < 500 {
                    writeln!(f, "  {address}: code {} {:?}", account.code, account.storage)?;
                }
            }
        }
        for (at, block) in self.blocks.iter().enumerate() {
            let Block { chain, context, mode, slices } = block;
            if slices.iter().all(Vec::is_empty) {
                continue;
            }
            let limit = context.header.gas_limit;
            writeln!(f, "block {at} of chain {chain}, {mode:?}, gas limit {limit}")?;
            for (slice, tx) in
                slices.iter().enumerate().flat_map(|(at, txs)| txs.iter().map(move |tx| (at, tx)))
            {
                let env = &tx.env;
                writeln!(
                    f,
                    "  slice {slice}, {}: type {} from {} nonce {} to {:?} value {} gas {} price {}+{:?} mint {:?} \
                     data {} list {:?} delegations {:?}",
                    tx.hash(),
                    env.tx_type,
                    env.caller,
                    env.nonce,
                    env.kind,
                    env.value,
                    env.gas_limit,
                    env.gas_price,
                    env.gas_priority_fee,
                    tx.mint,
                    env.data,
                    env.access_list.0,
                    env.authorization_list,
                )?;
            }
        }
        Ok(())
    }
}
