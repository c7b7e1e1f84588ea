//! The workloads, by name.

mod erc20;
mod mixed;
#[cfg(feature = "prove")]
pub(crate) mod proven;
mod raw;
mod real;
mod small;
mod uniswap_v2;
mod uniswap_v3;

use std::path::Path;

use alloy_primitives::{Address, Bytes, U256, map::AddressMap};
use turnpike_conformance::TestTransaction;

use crate::{BenchBlock, setup::Setup, terms::BlockTerms, transaction::Transaction};

/// Accounts of a random population, at most.
const POPULATION_MAX: usize = 100_000;

/// Accounts per transaction of a smaller workload.
const POPULATION_PER_TRANSACTION: usize = 10;

/// Initial balance of every sender, in wei.
const BALANCE: u128 = 10_u128.pow(20);

/// A workload that can be prepared.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadKind {
    /// Name.
    pub name: &'static str,
    /// Microseconds per transaction of lean sequential revm on an idle Sapphire Rapids core, the
    /// kind of machine that the project's targets refer to.
    pub reference_us_per_tx: Option<f64>,
    source: WorkloadSource,
}

/// The source of a workload.
#[derive(Clone, Copy, Debug)]
enum WorkloadSource {
    /// Made by `build`, with this default number of transactions.
    Made { transactions: usize, build: fn(&mut WorkloadDraft, usize) -> anyhow::Result<()> },
    /// Read from this suite of the public test data.
    Data { suite: &'static str },
}

/// A prepared workload.
#[derive(Clone, Debug)]
pub enum Workload {
    /// A made block of a Turnpike chain, in which every transaction succeeds.
    Made(Box<BenchBlock>),
    /// Blocks of a real chain, each with its own pre-state. Their transactions may fail.
    Real(Vec<BenchBlock<TestTransaction>>),
}

/// All workloads.
pub const WORKLOADS: &[WorkloadKind] = &[
    made("raw-independent", 47_620, Some(1.79), raw::independent),
    made("raw-random", 47_620, Some(1.85), raw::random),
    made("raw-chain", 47_620, Some(1.95), raw::chain),
    made("raw-one-sender", 10_000, Some(1.45), raw::one_sender),
    made("raw-hot-recipient", 20_000, None, raw::hot_recipient),
    made("erc20-independent", 33_628, Some(5.53), erc20::independent),
    made("erc20-random", 33_628, Some(5.65), erc20::random),
    made("erc20-hot-recipient", 20_000, Some(5.05), erc20::hot_recipient),
    made("erc20-one-sender", 10_000, None, erc20::one_sender),
    made("uniswap-v2-pools", 8_000, None, uniswap_v2::pools),
    made("uniswap-v2-one-pool", 8_000, None, uniswap_v2::one_pool),
    made("uniswap-v3-pools", 6_413, Some(166.4), uniswap_v3::pools),
    made("uniswap-v3-20-pools", 8_000, Some(129.3), uniswap_v3::twenty_pools),
    made("uniswap-v3-one-pool", 6_413, Some(131.8), uniswap_v3::one_pool),
    made("hybrid", 36_580, Some(6.83), mixed::hybrid),
    made("defi-a", 20_000, None, mixed::defi_a),
    made("defi-b", 20_000, None, mixed::defi_b),
    made("counter", 20_000, Some(1.45), small::counter),
    made("vault-readers", 10_000, Some(1.5), small::vault_readers),
    data("mainnet", None, "mainnet-blocks"),
    data("rise", Some(3012.0), "rise-blocks"),
];

const fn made(
    name: &'static str,
    transactions: usize,
    reference_us_per_tx: Option<f64>,
    build: fn(&mut WorkloadDraft, usize) -> anyhow::Result<()>,
) -> WorkloadKind {
    WorkloadKind { name, reference_us_per_tx, source: WorkloadSource::Made { transactions, build } }
}

const fn data(
    name: &'static str,
    reference_us_per_tx: Option<f64>,
    suite: &'static str,
) -> WorkloadKind {
    WorkloadKind { name, reference_us_per_tx, source: WorkloadSource::Data { suite } }
}

impl WorkloadKind {
    /// The workload with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|kind| kind.name == name)
    }

    /// Returns an error if the workload needs data that is not in `test_data`.
    pub fn check(&self, test_data: Option<&Path>) -> anyhow::Result<()> {
        match self.source {
            WorkloadSource::Made { .. } => Ok(()),
            WorkloadSource::Data { suite } => real::directories(test_data, suite).map(|_| ()),
        }
    }

    /// Makes the block with this or the default number of transactions, or reads the blocks in
    /// `test_data` with at most this many transactions each.
    pub fn prepare(
        &self,
        transactions: Option<usize>,
        test_data: Option<&Path>,
    ) -> anyhow::Result<Workload> {
        match self.source {
            WorkloadSource::Made { transactions: own, build } => {
                let genesis = BlockTerms::genesis();
                let mut draft =
                    WorkloadDraft { setup: Setup::new(&genesis), transactions: Vec::new() };
                build(&mut draft, transactions.unwrap_or(own))?;
                Ok(Workload::Made(Box::new(draft.finish(BlockTerms::after(&genesis)))))
            }
            WorkloadSource::Data { suite } => {
                let directories = real::directories(test_data, suite)?;
                Ok(Workload::Real(real::read(&directories, transactions)?))
            }
        }
    }
}

/// A workload under construction.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub(crate) struct WorkloadDraft {
    setup: Setup,
    transactions: Vec<Transaction>,
}

impl WorkloadDraft {
    /// Adds a transfer of ether.
    fn transfer(&mut self, sender: Address, to: Address) {
        let value = U256::from(1_000 + self.transactions.len());
        self.transactions.push(Transaction {
            sender,
            nonce: 0,
            to,
            value,
            data: Bytes::new(),
            gas_limit: 21_000,
        });
    }

    /// Adds a contract call.
    fn call(&mut self, sender: Address, to: Address, data: Vec<u8>, gas_limit: u64) {
        let data = data.into();
        let value = U256::ZERO;
        self.transactions.push(Transaction { sender, nonce: 0, to, value, data, gas_limit });
    }

    /// Funds these accounts.
    fn fund(&mut self, accounts: impl IntoIterator<Item = Address>) {
        for account in accounts {
            self.setup.fund(account, U256::from(BALANCE));
        }
    }

    /// Assigns nonces and builds the block.
    fn finish(self, terms: BlockTerms) -> BenchBlock {
        let Self { setup, mut transactions } = self;
        let pre_state = setup.pre_state();
        let nonces = pre_state.accounts.iter().map(|account| (account.address, account.nonce));
        let mut nonces: AddressMap<u64> = nonces.collect();
        for tx in &mut transactions {
            let nonce = nonces.entry(tx.sender).or_default();
            tx.nonce = *nonce;
            *nonce += 1;
        }
        let transactions = transactions.into_iter().map(|tx| tx.signed(terms.spec.chain_id));
        let (number, transactions) = (terms.context.header.number, transactions.collect());
        BenchBlock { number, pre_state, transactions, terms }
    }
}

/// Size of the random population of a workload with this many transactions.
fn population(transactions: usize) -> usize {
    POPULATION_MAX.min(transactions.saturating_mul(POPULATION_PER_TRANSACTION)).max(2)
}
