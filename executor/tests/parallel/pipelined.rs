//! Chains that compute roots while the next block runs, compared with sequential execution.

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use alloy_consensus::{SignableTransaction as _, TxEip2930};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, hex, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use op_alloy_consensus::TxDeposit;
use turnpike_executor::{
    BlockOutcome, BlockTx, Chain, ChainHead, ClosedBlock, Engine, EngineBlock, EngineConfig,
    Executed, ExecutedTx, ExecutionError, Grain, Mode, NextBlock, block_transactions,
    execute_next_block,
};
use turnpike_protocol::{
    BlockInput, Genesis, GenesisAccount, Origin, SignedTx, TxEnvelope, history_slot,
    predeploys::HISTORY_STORAGE,
};
use turnpike_state::{Account, FlatState, HistoryLimits, NodeState};

use crate::{
    WORKERS,
    random::{Rng, for_each_seed},
    script::MODES,
};

/// Number of cases, of a few blocks each.
const CASES: u64 = 120;
const PEOPLE: u64 = 40;
const READER: Address = Address::repeat_byte(0xc0);
/// The only account that the EIP-2935 contract accepts writes from.
const SYSTEM: Address = address!("fffffffffffffffffffffffffffffffffffffffe");
const SLICES: [usize; 5] = [1, 3, 10, 40, 200];

/// Takes a distance in blocks and a slot. Stores in the slot the BLOCKHASH of the block at that
/// distance. Stores in the next slot, and logs, the result of the EIP-2935 contract or, if that
/// reverts, the number that it was called with.
const READER_CODE: [u8; 55] = hex!(
    "5f354303 8040 602035 55 5f52 6020 5f 6020 5f 73 0000F90827F1C53a10cb7A02335B175320002935 5a fa"
    "5f51 602035 6001 01 55 6020 5f a0 00"
);

/// Timeout for events that a correct chain always reaches.
const PATIENCE: Duration = Duration::from_secs(60);

fn person(number: u64) -> Address {
    Address::left_padding_from(&(0x1000 + number).to_be_bytes())
}

fn genesis() -> Genesis {
    let mut genesis = Genesis::dev();
    let balance = U256::from(10).pow(U256::from(20));
    let rich = GenesisAccount { balance, ..GenesisAccount::default() };
    (0..PEOPLE).for_each(|number| {
        genesis.alloc.insert(person(number), rich.clone());
    });
    let code = Bytes::from(READER_CODE);
    genesis.alloc.insert(READER, GenesisAccount { code, ..GenesisAccount::default() });
    genesis
}

/// Blocks under construction.
struct Script {
    rng: Rng,
    nonces: Vec<u64>,
    number: u64,
}

/// A block, cut into slices.
struct Block {
    input: BlockInput,
    slices: Vec<Vec<BlockTx>>,
    /// The first slice with a transaction that may read the parent's hash.
    first_reader: usize,
}

impl Script {
    fn new(seed: u64) -> Self {
        let nonces = vec![0; usize::try_from(PEOPLE).expect("fits usize")];
        Self { rng: Rng::new(seed), nonces, number: 0 }
    }

    fn block(&mut self) -> Block {
        self.number += 1;
        let is_reading = self.rng.percent(70);
        let mut readers = BTreeSet::new();
        let deposits = (0..self.rng.below(4)).map(|_| self.deposit(is_reading, &mut readers));
        let deposits: Vec<_> = deposits.collect();
        let count = self.rng.below(150);
        let transactions = (0..count).map(|_| self.transaction(is_reading, &mut readers));
        let transactions: Vec<_> = transactions.collect();
        let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
        let time_ms = 1_000 * (origin.l1_time + self.number);
        let input = BlockInput { number: self.number, time_ms, origin, deposits, transactions };
        let mut slices = Vec::new();
        let all: Vec<BlockTx> = block_transactions(&input).collect();
        let mut left = all.into_iter().peekable();
        while left.peek().is_some() {
            slices.push(left.by_ref().take(self.rng.pick(&SLICES)).collect::<Vec<_>>());
        }
        let has_reader = |slice: &Vec<BlockTx>| {
            slice.iter().any(|tx| readers.contains(&tx.envelope().tx_hash()))
        };
        let first_reader = slices.iter().position(has_reader).unwrap_or(slices.len());
        Block { input, slices, first_reader }
    }

    /// Callee, input, and whether the call may read the parent's hash.
    fn call(&mut self, is_reading: bool) -> (Address, Bytes, bool) {
        let back = match is_reading {
            true => self.rng.pick(&[0, 1, 1, 1, 2, 3, 255, 256, 257, 8_191, 8_192]),
            false => self.rng.pick(&[2, 3, 4]),
        };
        let reads = back == 1;
        match self.rng.weighted([4, 3, 1]) {
            0 => (person(self.rng.between(0, 2 * PEOPLE)), Bytes::new(), false),
            1 => {
                let slot = self.rng.between(0, 60);
                let words = [U256::from(back), U256::from(slot)].map(B256::from);
                (READER, words.concat().into(), reads)
            }
            _ => {
                let block = B256::from(U256::from(self.number.saturating_sub(back)));
                (HISTORY_STORAGE, block.to_vec().into(), reads)
            }
        }
    }

    fn transaction(&mut self, is_reading: bool, readers: &mut BTreeSet<B256>) -> SignedTx {
        let at = self.rng.below(self.nonces.len());
        let (to, input, reads) = self.call(is_reading);
        let gas_limit = match self.rng.percent(40) {
            true => self.rng.between(21_000, 80_000),
            false => 200_000,
        };
        let slot = B256::from(history_slot(self.number - 1));
        let item = AccessListItem { address: HISTORY_STORAGE, storage_keys: vec![slot] };
        let is_declared = self.rng.percent(20);
        // Some transactions are invalid at their turn.
        let nonce = self.nonces[at] + u64::from(self.rng.percent(5));
        let tx = TxEip2930 {
            chain_id: Genesis::dev().config.chain_id,
            nonce,
            gas_price: 2_000_000_000,
            gas_limit,
            to: TxKind::Call(to),
            value: U256::from(u8::from(input.is_empty())),
            access_list: AccessList(if is_declared { vec![item] } else { Vec::new() }),
            input,
        };
        // The transaction is certainly valid if its nonce is.
        self.nonces[at] += u64::from(nonce == self.nonces[at] && gas_limit == 200_000);
        let id = U256::from(self.rng.next_u64() | 1);
        let signature = Signature::new(U256::from(1), id, false);
        let sender = person(u64::try_from(at).expect("fits 64 bits"));
        let tx = SignedTx::new_unchecked(tx.into_signed(signature).into(), sender);
        if reads {
            readers.insert(tx.hash());
        }
        tx
    }

    /// Some deposits come from the system account, which may write another hash into the parent's
    /// slot.
    fn deposit(&mut self, is_reading: bool, readers: &mut BTreeSet<B256>) -> TxEnvelope {
        let (to, input, reads) = self.call(is_reading);
        let is_system = is_reading && self.rng.percent(50);
        let from = if is_system { SYSTEM } else { person(self.rng.between(0, PEOPLE)) };
        let source_hash = keccak256(self.rng.next_u64().to_be_bytes());
        let (to, gas_limit) = (TxKind::Call(to), 200_000);
        let tx: TxEnvelope =
            TxDeposit { source_hash, from, to, input, gas_limit, ..Default::default() }.into();
        if reads || is_system {
            readers.insert(tx.tx_hash());
        }
        tx
    }
}

/// The state of a chain when a block was the newest.
struct Snapshot {
    head: ChainHead,
    people: Vec<Option<Account>>,
    slot: U256,
}

impl Snapshot {
    fn of(head: &ChainHead, state: &FlatState) -> Self {
        let people = (0..PEOPLE).map(|number| state.account(&person(number))).collect();
        let slot = state.storage(&HISTORY_STORAGE, history_slot(head.header.number));
        Self { head: head.clone(), people, slot }
    }

    /// Compares the snapshot with a chain whose head is this block.
    fn check(&self, chain: &Chain) -> Result<(), String> {
        let number = self.head.header.number;
        same("head", &self.head, chain.head())?;
        same("head by number", &Some(&self.head), &chain.head_at(number))?;
        let state = chain.state_at(number).ok_or("the head's state is not kept")?;
        let people = (0..PEOPLE).map(|number| state.account(&person(number))).collect();
        same("accounts", &self.people, &people)?;
        let slot = history_slot(number);
        same("slot", &self.slot, &state.storage(&HISTORY_STORAGE, slot))?;
        let proof = chain.proof_at(number, &HISTORY_STORAGE, &[slot]).ok_or("no proof")?;
        let storage_root = proof.storage_root;
        let leaf = proof.account.map(|Account { nonce, balance, code_hash }| {
            alloy_rlp::encode(TrieAccount { nonce, balance, storage_root, code_hash })
        });
        let key = Nibbles::unpack(keccak256(HISTORY_STORAGE));
        verify_proof(self.head.header.state_root, key, leaf, &proof.account_proof)
            .map_err(|error| format!("proof of block {number}: {error}"))?;
        same("proven slot", &self.slot, &proof.storage[0].value)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    match expected == got {
        true => Ok(()),
        false => Err(format!("{what}:\n expected {expected:?}\n got      {got:?}")),
    }
}

fn same_outcome(expected: &BlockOutcome, got: &BlockOutcome) -> Result<(), String> {
    same("transactions", &expected.transactions, &got.transactions)?;
    same("skipped", &expected.skipped, &got.skipped)?;
    let sorted = |outcome: &BlockOutcome| {
        let mut diff = outcome.diff.clone();
        diff.sort();
        diff
    };
    same("diff", &sorted(expected), &sorted(got))?;
    same("header", &expected.header, &got.header)?;
    same("output", &expected.output, &got.output)
}

fn engine(workers: usize, mode: Mode) -> Engine {
    let workers = NonZeroUsize::new(workers).expect("not zero");
    Engine::new(EngineConfig { mode, workers, grain: Grain::FINEST })
}

type Taken = Vec<Arc<ExecutedTx>>;

/// Executes the block on the reference executor.
fn run_alone(
    genesis: &Genesis,
    parent: &ChainHead,
    block: &Block,
    state: &mut NodeState,
) -> BlockOutcome {
    let hash = parent.hash();
    execute_next_block(&genesis.config, &parent.header, hash, &block.input, state)
        .expect("full state")
}

/// Executes slices and takes the transactions after each.
fn run(block: &mut EngineBlock<'_, &FlatState>, slices: &[Vec<BlockTx>]) -> Taken {
    let taken = slices.iter().flat_map(|slice| {
        block.execute_slice(slice.clone()).expect("full state");
        block.take_executed().executed
    });
    taken.collect()
}

/// Completes a block after a signal on `told`. Returns false if the signal timed out: nobody may
/// wait for the block before the signal.
fn complete_when_told(closed: ClosedBlock, told: &Receiver<()>) -> (BlockOutcome, bool) {
    let was_told = told.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout);
    (closed.complete(), was_told)
}

/// Executes a block while its parent is completed. Completion starts at a random moment before the
/// parent's hash is needed.
fn run_beside(
    block: &Block,
    next: &NextBlock,
    before: ClosedBlock,
    rng: &mut Rng,
) -> Result<(Executed, Taken, BlockOutcome), String> {
    let free = rng.below(block.first_reader + 1);
    let (tell, told) = channel();
    thread::scope(|scope| {
        let completing = scope.spawn(move || complete_when_told(before, &told));
        let mut ours = next.open(block.input.time_ms, &block.input.origin).expect("opens");
        let mut taken = run(&mut ours, &block.slices[..free]);
        tell.send(()).expect("receiver is alive");
        taken.extend(run(&mut ours, &block.slices[free..]));
        let (executed, _) = ours.finish().expect("full state");
        let (completed, was_told) = completing.join().expect("completes");
        same("completed on the signal", &true, &was_told)?;
        Ok((executed, taken, completed))
    })
}

/// A closed block, its expected outcome, and the expected state after it.
struct Pending {
    closed: ClosedBlock,
    expected: BlockOutcome,
    after: Snapshot,
}

fn check(seed: u64) -> Result<(), String> {
    let mut script = Script::new(seed);
    let (workers, mode) = (script.rng.pick(&WORKERS), script.rng.pick(&MODES));
    let genesis = genesis();
    let limits = HistoryLimits { blocks_max: script.rng.below(4), items_max: 100_000 };
    let mut chain = Chain::from_genesis_with(&genesis, limits);
    chain.set_engine(engine(workers, mode));
    let mut state = chain.state().clone();
    let mut newest = chain.head().clone();
    let mut head = Snapshot::of(&newest, state.flat());
    let mut pending: Option<Pending> = None;
    for _ in 0..script.rng.between(2, 7) {
        let block = script.block();
        let expected = run_alone(&genesis, &newest, &block, &mut state);
        let (header, output) = (expected.header.clone(), expected.output);
        newest = ChainHead { header, parent: block.input.as_parent(), output };
        let after = Snapshot::of(&newest, state.flat());

        let next = chain.next_block();
        let (executed, taken) = match pending.take() {
            None => {
                let (time, origin) = (block.input.time_ms, &block.input.origin);
                let mut ours = next.open(time, origin).expect("opens");
                let taken = run(&mut ours, &block.slices);
                (ours.finish().expect("full state").0, taken)
            }
            Some(before) => {
                let (executed, taken, completed) =
                    run_beside(&block, &next, before.closed, &mut script.rng)?;
                head.check(&chain)?;
                same_outcome(&before.expected, &completed)?;
                same("is the next head", &true, &chain.set_head(&completed, u64::MAX))?;
                same("is the next head again", &false, &chain.set_head(&completed, u64::MAX))?;
                head = before.after;
                head.check(&chain)?;
                (executed, taken)
            }
        };
        drop(next);
        same("taken", &expected.transactions, &taken)?;
        let closed = chain.close(executed, &block.input.origin);
        same("tip", &block.input.as_parent(), &chain.tip().parent)?;
        // Sometimes the tries have to follow before the block is completed.
        if script.rng.percent(50) {
            head.check(&chain)?;
        }
        if script.rng.percent(80) {
            pending = Some(Pending { closed, expected, after });
            continue;
        }
        same_outcome(&expected, &closed.complete())?;
        head.check(&chain)?;
        same("is the next head", &true, &chain.set_head(&expected, u64::MAX))?;
        head = after;
    }
    head.check(&chain)?;
    if let Some(Pending { closed, expected, after }) = pending {
        let is_rewound = script.rng.percent(30);
        if is_rewound {
            same("rewound", &true, &chain.rewind(head.head.header.number))?;
            head.check(&chain)?;
        }
        same_outcome(&expected, &closed.complete())?;
        head.check(&chain)?;
        same("is the next head", &!is_rewound, &chain.set_head(&expected, u64::MAX))?;
        if is_rewound { &head } else { &after }.check(&chain)?;
    }
    let counters = chain.engine().counters();
    same("panics, mismatches", &(0, 0), &(counters.panics, counters.mismatches))
}

#[test]
fn pipelined_roots_equal_sequential_roots() {
    let test = "parallel pipelined_roots_equal_sequential_roots";
    for_each_seed(test, CASES, check);
}

/// A chain with a closed block that changes `accounts` accounts, and a next block whose second
/// slice reads the closed block's hash.
fn reading(
    workers: usize,
    mode: Mode,
    accounts: u64,
) -> (Chain, ClosedBlock, Vec<Vec<BlockTx>>, Origin) {
    let mut chain = Chain::from_genesis(&genesis());
    chain.set_engine(engine(workers, mode));
    let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
    let call = |number: u64, to: Address, words: [u64; 2]| {
        let (from, to) = (person(number), TxKind::Call(to));
        let source_hash = keccak256(number.to_be_bytes());
        let input = words.map(|word| B256::from(U256::from(word))).concat().into();
        let gas_limit = 200_000;
        let tx: TxEnvelope =
            TxDeposit { source_hash, from, to, input, gas_limit, ..Default::default() }.into();
        BlockTx::Deposit(Arc::new(tx))
    };
    let mut block = chain.open_block(origin.l1_time, &origin).expect("opens");
    let first = (0..accounts).map(|number| call(number, person(number), [0, 0])).collect();
    block.execute_slice(first).expect("full state");
    let executed = block.finish().expect("full state").0;
    let closed = chain.close(executed, &origin);
    let others = (0..8).map(|number| call(number, person(number + 8), [0, 0])).collect();
    let readers = (0..8).map(|number| call(number, READER, [1, 2 * number])).collect();
    (chain, closed, vec![others, readers], origin)
}

#[test]
fn block_on_an_abandoned_parent_fails() {
    for (workers, mode) in WORKERS.into_iter().flat_map(|count| MODES.map(|mode| (count, mode))) {
        let (mut chain, closed, slices, origin) = reading(workers, mode, 0);
        let next = chain.next_block();
        let mut block = next.open(origin.l1_time, &origin).expect("opens");
        block.execute_slice(slices[0].clone()).expect("the first slice does not read the hash");
        drop(closed);
        let ran = block.execute_slice(slices[1].clone());
        assert!(
            matches!(ran, Err(ExecutionError::ParentAbandoned)),
            "{workers}, {mode:?}: {ran:?}"
        );
        let ended = block.finish().map(|_| ());
        assert!(matches!(ended, Err(ExecutionError::ParentAbandoned)), "{workers}, {mode:?}");
        drop(next);
        assert!(chain.rewind(0), "the chain rewinds to its head");
        assert_eq!(chain.tip().hash.get(), Some(chain.head().hash()));
    }
}

#[test]
fn known_parent_hash_is_not_waited_for() {
    let (chain, closed, slices, origin) = reading(2, Mode::Parallel, 0);
    let outcome = closed.complete();
    assert_eq!(chain.head().header.number, 0, "the closed block is not the head yet");
    let next = chain.next_block();
    let mut block = next.open(origin.l1_time, &origin).expect("opens");
    let taken = run(&mut block, &slices);
    let logged: Vec<_> =
        taken[8..].iter().map(|tx| &tx.receipt.envelope.logs()[0].data.data).collect();
    assert_eq!(logged, vec![outcome.hash().as_slice(); 8]);
}

#[test]
fn head_follows_set_head() {
    let genesis = genesis();
    let limits = HistoryLimits { blocks_max: 1, items_max: 100_000 };
    let mut chain = Chain::from_genesis_with(&genesis, limits);
    let mut script = Script::new(0);
    let mut snapshots = vec![Snapshot::of(chain.head(), chain.state().flat())];
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let block = script.block();
        let executed = chain.run(&block.input).expect("full state");
        let outcome = chain.close(executed, &block.input.origin).complete();
        let (header, output) = (outcome.header.clone(), outcome.output);
        let head = ChainHead { header, parent: block.input.as_parent(), output };
        snapshots.push(Snapshot::of(&head, chain.state().flat()));
        outcomes.push(outcome);
        snapshots[0].check(&chain).expect("closed blocks are not visible in the head's state");
    }
    for (number, outcome) in (1..).zip(&outcomes) {
        assert!(chain.set_head(outcome, u64::MAX), "block {number} becomes the head");
        snapshots[number].check(&chain).expect("the block is the next head");
        let before = u64::try_from(number - 1).expect("fits 64 bits");
        assert_eq!(chain.oldest_state(), before, "one earlier state is kept");
        assert_eq!(chain.head_at(before), Some(&snapshots[number - 1].head));
    }
    for wrong in &outcomes {
        assert!(!chain.set_head(wrong, u64::MAX));
    }
}

/// Enough changed accounts to keep several threads busy.
const MANY_ACCOUNTS: u64 = 4_000;

#[test]
fn waiting_block_threads_never_delay_roots() {
    let (done, is_done) = channel();
    let waiting = thread::spawn(move || {
        for workers in [2, 3, 8].repeat(5) {
            let (chain, closed, slices, origin) = reading(workers, Mode::Parallel, MANY_ACCOUNTS);
            let next = chain.next_block();
            thread::scope(|scope| {
                let mut block = next.open(origin.l1_time, &origin).expect("opens");
                run(&mut block, &slices[..1]);
                let completing = scope.spawn(move || closed.complete());
                run(&mut block, &slices[1..]);
                let (executed, _) = block.finish().expect("full state");
                drop(executed);
                completing.join().expect("completes");
            });
        }
        done.send(()).expect("receiver is alive");
    });
    assert_eq!(is_done.recv_timeout(PATIENCE), Ok(()), "deadlock");
    waiting.join().expect("ends");
}
