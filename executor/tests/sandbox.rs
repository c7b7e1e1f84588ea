//! Random transactions have the same results and the same state in a block and in a sandbox: with
//! and without an inspector, and again on the reads that the sandbox kept.
//!
//! `TURNPIKE_SEED`, `TURNPIKE_CASES` and `TURNPIKE_LONG` work as in `differential.rs`.

mod random;

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Log, U256};
use revm::inspector::NoOpInspector;
use turnpike_executor::{
    BlockContext, BlockExecutor, BlockHashes, ChainSpec, ExecutionResult, Sandbox, SandboxError,
    SandboxTx,
};
use turnpike_protocol::{
    ChainConfig, Genesis as ChainGenesis, Header, L1Fee, Origin, predeploys::SEQUENCER_FEE_VAULT,
};
use turnpike_state::{HistoricalView, MergedDiff, NodeState, StateDiff};

use random::{BASE_FEE, Genesis, Rng, Rules, Tx, World, for_each_seed};

/// Number of random blocks.
const CASES: u64 = 2_000;

/// Number of the block that is executed.
const NUMBER: u64 = 10;

/// Type of a blob transaction.
const BLOB: u8 = 3;

/// Outcome of a transaction. `None` if it was skipped.
type TxResult = Option<(bool, u64, Vec<Log>)>;

/// Runs a transaction in a sandbox.
type Execute = fn(&mut Sandbox<'_>, &SandboxTx) -> Result<ExecutionResult, SandboxError>;

struct Case {
    config: ChainConfig,
    context: BlockContext,
    genesis: StateDiff,
    state: NodeState,
    transactions: Vec<Tx>,
}

impl Case {
    fn random(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut config = ChainGenesis::dev().config;
        config.l1_base_fee_scalar = 1;
        config.precompile_gas_max = rng.pick(&[6_000_000, 700]);
        let l1_base_fee = U256::from(rng.pick(&[0_u64, 6_000_000]));
        let origin = Origin { l1_base_fee, ..Origin::default() };
        let mut world = World::random(&mut rng, Rules::Turnpike);
        let genesis = Genesis::random(&mut rng, &mut world);
        let genesis = genesis.to_diff();
        let (state, _) = NodeState::from_genesis(&genesis);
        let parent_hash = B256::with_last_byte(rng.byte(255));
        let header = Header {
            parent_hash,
            beneficiary: SEQUENCER_FEE_VAULT,
            number: NUMBER,
            timestamp: 1_000,
            gas_limit: 1_000_000_000,
            base_fee_per_gas: Some(BASE_FEE),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        let hashes = BlockHashes::History { parent: parent_hash };
        let context = BlockContext {
            header,
            hashes,
            l1_fee: Some(L1Fee::new(&config, &origin)),
            backlog: None,
        };
        let count = rng.between(1, 30);
        let mut transactions: Vec<_> = (0..count).map(|_| Tx::random(&mut rng, &world)).collect();
        // Turnpike rejects blob transactions.
        transactions.retain(|tx| tx.env.tx_type != BLOB);
        let mut next = BTreeMap::<Address, u64>::new();
        for tx in transactions.iter_mut().filter(|tx| tx.mint.is_none()) {
            let known = || state.account(&tx.env.caller).map_or(0, |account| account.nonce);
            let nonce = next.entry(tx.env.caller).or_insert_with(known);
            tx.env.nonce = *nonce;
            *nonce += 1;
        }
        Self { config, context, genesis, state, transactions }
    }

    fn view(&self) -> HistoricalView<'_> {
        HistoricalView::new(self.state.flat(), Arc::new(MergedDiff::default()))
    }

    /// Executes the transactions in a block.
    fn in_block(&self) -> (Vec<TxResult>, StateDiff) {
        let spec = ChainSpec::turnpike(&self.config);
        let mut block = BlockExecutor::open(&spec, &self.context, self.state.flat())
            .expect("the fork is known");
        block.execute_all(self.transactions.clone()).expect("full state");
        let (mut executed, _) = block.finish().expect("full state");
        let mut results: Vec<TxResult> =
            vec![Some((false, 0, Vec::new())); self.transactions.len()];
        executed.skipped.iter().for_each(|skipped| results[skipped.index] = None);
        let diff = executed.diff().clone();
        let included = executed.transactions.into_iter();
        for (result, tx) in results.iter_mut().filter(|result| result.is_some()).zip(included) {
            *result = Some((tx.is_success, tx.gas_used, tx.logs));
        }
        (results, diff)
    }

    fn run_in(&self, sandbox: &mut Sandbox<'_>, execute: Execute) -> Vec<TxResult> {
        let run = |tx| {
            let tx = sandbox.transaction(tx).expect("its sender is known");
            match execute(sandbox, &tx) {
                Ok(result) => {
                    let logs =
                        if result.is_success() { result.logs().to_vec() } else { Vec::new() };
                    Some((result.is_success(), result.tx_gas_used(), logs))
                }
                Err(SandboxError::Invalid(_)) => None,
                Err(error) => panic!("{error}"),
            }
        };
        self.transactions.iter().map(run).collect()
    }

    fn check(&self) -> Result<(), String> {
        let (results, diff) = self.in_block();
        let mut sandbox =
            Sandbox::of_block(&self.config, &self.context, self.view()).expect("full state");
        self.compare("plainly", &results, &self.run_in(&mut sandbox, plainly))?;
        self.compare_states(diff, &sandbox)?;
        let mut again = sandbox.detach().expect("full state");
        again.rewind();
        again
            .record_parent_hash(self.context.header.parent_hash)
            .expect("an earlier run read the hash");
        self.compare("watched, once more", &results, &self.run_in(&mut again, watched))
    }

    fn compare(&self, how: &str, block: &[TxResult], sandbox: &[TxResult]) -> Result<(), String> {
        let differs = |at: &usize| block[*at] != sandbox[*at];
        let Some(at) = (0..block.len()).find(differs) else { return Ok(()) };
        Err(format!(
            "{how}, transaction {at}: {:?} in a block, {:?} in a sandbox\n{:#?}",
            block[at], sandbox[at], self.transactions[at]
        ))
    }

    fn compare_states(&self, diff: StateDiff, sandbox: &Sandbox<'_>) -> Result<(), String> {
        let changes = StateDiff { codes: diff.codes.clone(), ..sandbox.diff() };
        let fresh = || NodeState::from_genesis(&self.genesis).0;
        let (mut one, mut other) = (fresh(), fresh());
        let (expected, found) = (one.apply(&diff), other.apply(&changes));
        if expected == found {
            return Ok(());
        }
        let differs = |address: &&Address| one.account(address) != other.account(address);
        let addresses = diff.accounts.iter().chain(&changes.accounts).map(|change| &change.address);
        let account = addresses.into_iter().find(differs).map(|address| {
            format!("{address}: {:?} and {:?}", one.account(address), other.account(address))
        });
        Err(format!("the states differ: {}", account.unwrap_or_else(|| "in storage".to_owned())))
    }
}

fn plainly(sandbox: &mut Sandbox<'_>, tx: &SandboxTx) -> Result<ExecutionResult, SandboxError> {
    sandbox.execute(tx)
}

fn watched(sandbox: &mut Sandbox<'_>, tx: &SandboxTx) -> Result<ExecutionResult, SandboxError> {
    let outcome = sandbox.inspect(tx, NoOpInspector)?;
    sandbox.commit(outcome.state);
    Ok(outcome.result)
}

#[test]
fn sandbox_equals_block_execution() {
    let (mut included, mut refused) = (0, 0);
    for_each_seed("sandbox sandbox_equals_block_execution", CASES, |seed| {
        let case = Case::random(seed);
        let (results, _) = case.in_block();
        included += results.iter().flatten().count();
        refused += results.iter().filter(|result| result.is_none()).count();
        case.check()
    });
    eprintln!("{included} transactions included, {refused} refused");
}
