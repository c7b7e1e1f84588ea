//! The workloads, by the names that figures carry.

mod erc20;
mod mixed;
mod raw;
mod small;
mod uniswap_v2;
mod uniswap_v3;

use alloy_primitives::{Address, Bytes, U256, map::AddressMap};

use crate::{Transaction, World, setup::Setup, terms::Terms};

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
    /// Transactions in its block.
    pub transactions: usize,
    /// What lean sequential revm takes for a transaction on an idle core of the kind of machine that the project's
    /// targets are set on (Sapphire Rapids), in microseconds.
    pub reference_us_per_tx: Option<f64>,
    build: fn(&mut Draft, usize) -> anyhow::Result<()>,
}

/// A block to be executed and the state before it.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The state.
    pub world: World,
    /// The transactions, in order.
    pub transactions: Vec<Transaction>,
}

/// All kinds.
pub const WORKLOADS: &[Kind] = &[
    kind("raw-independent", 47_620, Some(1.79), raw::independent),
    kind("raw-random", 47_620, Some(1.85), raw::random),
    kind("raw-chain", 47_620, Some(1.95), raw::chain),
    kind("raw-one-sender", 10_000, Some(1.45), raw::one_sender),
    kind("raw-hot-recipient", 20_000, None, raw::hot_recipient),
    kind("erc20-independent", 33_628, Some(5.53), erc20::independent),
    kind("erc20-random", 33_628, Some(5.65), erc20::random),
    kind("erc20-hot-recipient", 20_000, Some(5.05), erc20::hot_recipient),
    kind("erc20-one-sender", 10_000, None, erc20::one_sender),
    kind("uniswap-v2-pools", 8_000, None, uniswap_v2::pools),
    kind("uniswap-v2-one-pool", 8_000, None, uniswap_v2::one_pool),
    kind("uniswap-v3-pools", 6_413, Some(166.4), uniswap_v3::pools),
    kind("uniswap-v3-20-pools", 8_000, Some(129.3), uniswap_v3::twenty_pools),
    kind("uniswap-v3-one-pool", 6_413, Some(131.8), uniswap_v3::one_pool),
    kind("hybrid", 36_580, Some(6.83), mixed::hybrid),
    kind("defi-a", 20_000, None, mixed::defi_a),
    kind("defi-b", 20_000, None, mixed::defi_b),
    kind("counter", 20_000, Some(1.45), small::counter),
    kind("vault-readers", 10_000, Some(1.5), small::vault_readers),
];

const fn kind(
    name: &'static str,
    transactions: usize,
    reference_us_per_tx: Option<f64>,
    build: fn(&mut Draft, usize) -> anyhow::Result<()>,
) -> Kind {
    Kind { name, transactions, reference_us_per_tx, build }
}

impl Kind {
    /// The kind with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|kind| kind.name == name)
    }

    /// Makes the block, with its own number of transactions or another.
    pub fn prepare(&self, transactions: Option<usize>) -> anyhow::Result<Workload> {
        let mut draft = Draft { setup: Setup::new(&Terms::new()), transactions: Vec::new() };
        (self.build)(&mut draft, transactions.unwrap_or(self.transactions))?;
        Ok(draft.finish())
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
    fn finish(self) -> Workload {
        let Self { setup, mut transactions } = self;
        let world = setup.world();
        let nonces = world.accounts.iter().map(|account| (account.address, account.nonce));
        let mut nonces: AddressMap<u64> = nonces.collect();
        for tx in &mut transactions {
            let nonce = nonces.entry(tx.sender).or_default();
            tx.nonce = *nonce;
            *nonce += 1;
        }
        Workload { world, transactions }
    }
}

/// Accounts that take part at random in a workload of so many transactions.
fn population(transactions: usize) -> usize {
    POPULATION_MAX.min(transactions.saturating_mul(POPULATION_PER_TRANSACTION)).max(2)
}
