//! State tests: one transaction on a small state, for each fork and each choice of data, gas and
//! value.

mod chain;
mod format;
mod template;

use std::{collections::BTreeMap, time::Instant};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Log, U256, keccak256};
use turnpike_executor::{BlockTransaction as _, BlockTx, Engine};
use turnpike_state::NodeState;

use crate::{
    case::Case,
    error::{FormatError, OutOfRange},
    execute::{self, Executed, Fork, PreAccount},
    fork, signed,
    tally::Tally,
    transaction::{BLOB, TestTransaction},
};
pub use chain::{StateChain, state_chains};
use format::{BlockEnvironment, Post, StateTest};

/// A case that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct StateCase {
    /// Name of the test. The next two name the fork and the variant.
    pub(crate) test: String,
    pub(crate) fork_name: String,
    pub(crate) indexes: String,
    pub(crate) fork: Fork,
    pub(crate) chain_id: u64,
    pub(crate) header: Header,
    /// Pre-state.
    pub(crate) accounts: BTreeMap<Address, PreAccount>,
    pub(crate) transaction: TestTransaction,
}

impl StateCase {
    /// The transaction's gas limit.
    pub(crate) fn gas_limit(&self) -> u64 {
        self.transaction.gas_limit()
    }
}

/// The cases of the test `name` with a valid transaction and a known fork.
pub(crate) fn cases(
    name: &str,
    json: &serde_json::value::RawValue,
) -> Result<Vec<StateCase>, FormatError> {
    let test: StateTest = serde_json::from_str(json.get())?;
    let sender = test.transaction.sender()?;
    let mut cases = Vec::new();
    for (fork_name, posts) in &test.post {
        let Some(fork) = fork::named(fork_name) else { continue };
        for post in posts {
            let Ok(transaction) = transaction(&test, sender, fork, post)? else { continue };
            cases.push(StateCase {
                test: name.to_owned(),
                fork_name: fork_name.clone(),
                indexes: post.indexes.to_string(),
                fork,
                chain_id: test.chain_id()?,
                header: test.env.header(fork)?,
                accounts: test.accounts()?,
                transaction,
            });
        }
    }
    Ok(cases)
}

/// Runs every case of the test `name`.
pub(crate) fn run(
    engine: Option<&Engine>,
    name: &str,
    json: &serde_json::value::RawValue,
    tally: &mut Tally<'_>,
) -> Result<(), FormatError> {
    let test: StateTest = serde_json::from_str(json.get())?;
    let sender = test.transaction.sender()?;
    let pre = test.pre_state()?;
    for (fork_name, posts) in &test.post {
        for post in posts {
            let start = Instant::now();
            let verdict = match fork::named(fork_name) {
                Some(fork) => check(engine, &test, sender, fork, post, pre.clone())?,
                None => Err(format!("unknown fork {fork_name}")),
            };
            let indexes = post.indexes.to_string();
            let case = Case { test: name, fork: fork_name, indexes: &indexes };
            tally.case(case, verdict, start.elapsed());
        }
    }
    Ok(())
}

/// Runs one case and compares logs and state root. The outer error means that the file is
/// malformed.
fn check(
    engine: Option<&Engine>,
    test: &StateTest,
    sender: Address,
    fork: Fork,
    post: &Post,
    mut state: NodeState,
) -> Result<Result<(), String>, FormatError> {
    let header = test.env.header(fork)?;
    let (number, beneficiary) = (header.number, header.beneficiary);
    let (refusal, logs) = match transaction(test, sender, fork, post)? {
        Ok(transaction) => {
            let (chain_id, hashes) = (test.chain_id()?, execute::hashes_of_digits(number));
            let transactions = vec![transaction];
            match execute::execute(engine, chain_id, fork, header, hashes, transactions, &mut state)
            {
                Ok(Executed { transactions, mut skipped, .. }) => (
                    skipped.pop().map(|skipped| skipped.reason.to_string()),
                    transactions.last().map(|included| included.logs.clone()).unwrap_or_default(),
                ),
                Err(error) => return Ok(Err(error)),
            }
        }
        // The transaction has no valid encoding, so it cannot reach a block.
        Err(reason) => (Some(reason), Vec::new()),
    };
    execute::reward_nothing(fork, beneficiary, &mut state);
    Ok(compare(post, refusal, &logs, state.roots().state_root))
}

/// The transaction of a case: decoded from its bytes if the file gives them and the product decodes
/// the type, else built from the template. The inner error says why the transaction is invalid.
fn transaction(
    test: &StateTest,
    sender: Address,
    fork: Fork,
    post: &Post,
) -> Result<Result<TestTransaction, String>, FormatError> {
    let bytes = post.txbytes.as_ref().filter(|bytes| !bytes.starts_with(&[BLOB]));
    let Some(bytes) = bytes else {
        let transaction = test.transaction.at(&post.indexes, sender)?;
        return Ok(transaction.map_err(|error| error.to_string()));
    };
    match signed::decode(bytes, fork) {
        Ok(tx) if tx.signer() == Ok(sender) => Ok(Ok(TestTransaction::Product(BlockTx::User(tx)))),
        Ok(tx) => {
            Err(FormatError::Content(format!("expected signer {sender}, found {:?}", tx.signer())))
        }
        Err(reason) => Ok(Err(reason)),
    }
}

fn compare(
    post: &Post,
    refusal: Option<String>,
    logs: &[Log],
    state_root: B256,
) -> Result<(), String> {
    match (&post.expect_exception, refusal) {
        (Some(expected), None) => return Err(format!("executed, must be refused: {expected}")),
        (None, Some(reason)) => return Err(format!("refused, must be executed: {reason}")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let logs_hash = keccak256(alloy_rlp::encode(logs.to_vec()));
    if logs_hash != post.logs {
        return Err(format!("logs hash: expected {}, got {logs_hash}", post.logs));
    }
    if state_root != post.hash {
        return Err(format!("state root: expected {}, got {state_root}", post.hash));
    }
    Ok(())
}

impl BlockEnvironment {
    /// Header of the block that the transaction runs in, with the fields that `fork` knows.
    fn header(&self, fork: Fork) -> Result<Header, OutOfRange> {
        let difficulty = match &self.current_difficulty {
            Some(difficulty) if fork < Fork::MERGE => difficulty.u256("currentDifficulty")?,
            _ => U256::ZERO,
        };
        let random = self.current_random.as_ref().filter(|_| fork >= Fork::MERGE);
        let base_fee = self.current_base_fee.as_ref().filter(|_| fork >= Fork::LONDON);
        let excess_blob_gas = self.current_excess_blob_gas.as_ref();
        Ok(Header {
            beneficiary: self.current_coinbase,
            number: self.current_number.u64("currentNumber")?,
            timestamp: self.current_timestamp.u64("currentTimestamp")?,
            gas_limit: self.current_gas_limit.u64("currentGasLimit")?,
            difficulty,
            mix_hash: random.map_or(Ok(B256::ZERO), |random| random.word("currentRandom"))?,
            base_fee_per_gas: base_fee.map(|fee| fee.u64("currentBaseFee")).transpose()?,
            excess_blob_gas: (fork >= Fork::CANCUN)
                .then(|| excess_blob_gas.map_or(Ok(0), |gas| gas.u64("currentExcessBlobGas")))
                .transpose()?,
            ..Header::default()
        })
    }
}
