//! The workloads, by the names that figures carry.

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

use crate::{Block, setup::Setup, terms::Terms, transaction::Transaction};

/// Most accounts that send or receive at random.
const POPULATION_MAX: usize = 100_000;

/// Accounts for each transaction of a workload that is made smaller.
const POPULATION_PER_TRANSACTION: usize = 10;

/// Wei that every sender starts with.
const BALANCE: u128 = 10_u128.pow(20);

/// A kind of workload.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What lean sequential revm takes for a transaction on an idle core of the kind of machine that the project's
    /// targets are set on (Sapphire Rapids), in microseconds.
    pub reference_us_per_tx: Option<f64>,
    source: Source,
}

/// Where a workload comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// It is made, of so many transactions if no other number is given.
    Made { transactions: usize, build: fn(&mut Draft, usize) -> anyhow::Result<()> },
    /// It is in the public test data, under this name.
    Data { suite: &'static str },
}

/// What is executed.
#[derive(Clone, Debug)]
pub enum Workload {
    /// A block of a Turnpike chain, made so that all of its transactions succeed.
    Made(Box<Block>),
    /// Blocks of a real chain, each on a state of its own. That transactions fail is normal there.
    Real(Vec<Block<TestTransaction>>),
}

/// All kinds.
pub const WORKLOADS: &[Kind] = &[
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
    build: fn(&mut Draft, usize) -> anyhow::Result<()>,
) -> Kind {
    Kind { name, reference_us_per_tx, source: Source::Made { transactions, build } }
}

const fn data(name: &'static str, reference_us_per_tx: Option<f64>, suite: &'static str) -> Kind {
    Kind { name, reference_us_per_tx, source: Source::Data { suite } }
}

impl Kind {
    /// The kind with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|kind| kind.name == name)
    }

    /// Why there is nothing to execute, if it takes data that is not in `test_data`.
    pub fn check(&self, test_data: Option<&Path>) -> anyhow::Result<()> {
        match self.source {
            Source::Made { .. } => Ok(()),
            Source::Data { suite } => real::directories(test_data, suite).map(|_| ()),
        }
    }

    /// Makes the block with its own number of transactions or another; or reads the blocks in `test_data`, of each no
    /// more than so many transactions.
    pub fn prepare(
        &self,
        transactions: Option<usize>,
        test_data: Option<&Path>,
    ) -> anyhow::Result<Workload> {
        match self.source {
            Source::Made { transactions: own, build } => {
                let genesis = Terms::genesis();
                let mut draft = Draft { setup: Setup::new(&genesis), transactions: Vec::new() };
                build(&mut draft, transactions.unwrap_or(own))?;
                Ok(Workload::Made(Box::new(draft.finish(Terms::after(&genesis)))))
            }
            Source::Data { suite } => {
                let directories = real::directories(test_data, suite)?;
                Ok(Workload::Real(real::read(&directories, transactions)?))
            }
        }
    }
}

/// A workload in the making.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
pub(crate) struct Draft {
    setup: Setup,
    transactions: Vec<Transaction>,
}

impl Draft {
    /// Adds a transaction that carries wei and no data.
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

    /// Adds a transaction that calls a contract.
    fn call(&mut self, sender: Address, to: Address, data: Vec<u8>, gas_limit: u64) {
        let data = data.into();
        let value = U256::ZERO;
        self.transactions.push(Transaction { sender, nonce: 0, to, value, data, gas_limit });
    }

    /// Gives these accounts ether.
    fn fund(&mut self, accounts: impl IntoIterator<Item = Address>) {
        for account in accounts {
            self.setup.fund(account, U256::from(BALANCE));
        }
    }

    /// Gives every transaction its sender's next nonce.
    fn finish(self, terms: Terms) -> Block {
        let Self { setup, mut transactions } = self;
        let world = setup.world();
        let nonces = world.accounts.iter().map(|account| (account.address, account.nonce));
        let mut nonces: AddressMap<u64> = nonces.collect();
        for tx in &mut transactions {
            let nonce = nonces.entry(tx.sender).or_default();
            tx.nonce = *nonce;
            *nonce += 1;
        }
        let transactions = transactions.into_iter().map(|tx| tx.signed(terms.spec.chain_id));
        let (number, transactions) = (terms.context.header.number, transactions.collect());
        Block { number, world, transactions, terms }
    }
}

/// Accounts that take part at random in a workload of so many transactions.
fn population(transactions: usize) -> usize {
    POPULATION_MAX.min(transactions.saturating_mul(POPULATION_PER_TRANSACTION)).max(2)
}
