//! The accounts of a random chain, and which of them are popular.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256, keccak256};
use turnpike_executor::SpecId;
use turnpike_protocol::{
    Genesis as ChainGenesis, GenesisAccount,
    predeploys::{
        BASE_FEE_VAULT, HISTORY_STORAGE, L1_FEE_VAULT, MESSAGE_PASSER, SEQUENCER_FEE_VAULT,
    },
};
use turnpike_state::{Account, AccountDiff, StateDiff};

use super::{
    CHILDREN, Program, Rng, Rules, child,
    keys::{contract, empty, library, person, precompile, slot},
    program::STORING_CHILD,
};

const VAULTS: [Address; 3] = [BASE_FEE_VAULT, SEQUENCER_FEE_VAULT, L1_FEE_VAULT];
const EMPTIES: u8 = 3;
const MISSING_ACCOUNT: Address = Address::repeat_byte(0xee);

/// Balance of rich accounts, in wei.
pub(crate) const FUNDS: u64 = 1_000_000_000_000;

/// The accounts of a chain, and which of them are popular.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    pub(crate) people: usize,
    pub(crate) contracts: usize,
    pub(crate) libraries: usize,
    /// Whether every transaction pays exactly the base fee.
    pub(crate) is_tipless: bool,
    /// Receives tips under Ethereum's rules.
    pub(crate) coinbase: Address,
    /// How often, in percent, a transaction uses one of the popular accounts.
    heat: u64,
    /// Number of popular accounts.
    hot: usize,
    /// How often, in percent, something unusual happens. All other transactions are between
    /// unrelated accounts.
    pub(crate) oddity: u64,
    /// Usual gas limit of transactions.
    pub(crate) gas_limit: u64,
    /// Contracts that create children with CREATE2, each with the index of its child.
    pub(crate) factories: Vec<(usize, usize)>,
    /// Addresses at which transactions create contracts.
    pub(crate) created: Vec<Address>,
    /// The senders' next nonces, as far as they can be predicted.
    pub(crate) nonces: BTreeMap<Address, u64>,
}

impl World {
    /// A small world in which all accounts meet.
    pub(crate) fn small(rules: Rules) -> Self {
        Self {
            rules,
            people: 4,
            contracts: 4,
            libraries: 2,
            is_tipless: false,
            coinbase: person(0),
            heat: 0,
            hot: 1,
            oddity: 100,
            gas_limit: 400_000,
            factories: Vec::new(),
            created: Vec::new(),
            nonces: BTreeMap::new(),
        }
    }

    /// A small world with many unusual transactions, or a large one of mostly unrelated accounts.
    pub(crate) fn random(rng: &mut Rng, rules: Rules) -> Self {
        if rng.percent(40) { Self::village(rng, rules) } else { Self::town(rng, rules) }
    }

    fn town(rng: &mut Rng, rules: Rules) -> Self {
        Self {
            people: rng.pick(&[200, 400, 900]),
            contracts: rng.pick(&[12, 40, 120]),
            heat: rng.pick(&[0, 0, 3, 10]),
            oddity: rng.pick(&[0, 1, 3, 10]),
            gas_limit: rng.pick(&[400_000, 150_000, 80_000]),
            libraries: rng.pick(&[1, 3, 8]),
            is_tipless: rng.percent(10),
            coinbase: match rng.below(10) {
                0 => person(0),
                1 => contract(0),
                2 | 3 => empty(0),
                _ => Address::repeat_byte(0xcb),
            },
            ..Self::village(rng, rules)
        }
    }

    fn village(rng: &mut Rng, rules: Rules) -> Self {
        let coinbase = match rng.below(5) {
            0 => person(0),
            1 => contract(0),
            2 => empty(0),
            3 => precompile(rng),
            _ => Address::repeat_byte(0xcb),
        };
        Self {
            people: rng.pick(&[4, 12, 40, 80, 160]),
            contracts: rng.pick(&[2, 4, 8, 24]),
            coinbase,
            heat: rng.pick(&[0, 10, 30, 70]),
            hot: 1 + rng.below(3),
            ..Self::small(rules)
        }
    }

    /// An account with a key.
    pub(crate) fn person(&self, rng: &mut Rng) -> Address {
        person(self.among(rng, self.people))
    }

    /// An account with code.
    pub(crate) fn contract(&self, rng: &mut Rng) -> Address {
        contract(self.among(rng, self.contracts))
    }

    /// An account whose code others call.
    pub(crate) fn library(&self, rng: &mut Rng) -> Address {
        library(rng.below(self.libraries))
    }

    fn among(&self, rng: &mut Rng, all: usize) -> usize {
        let is_hot = rng.percent(self.heat);
        rng.below(if is_hot { self.hot.min(all) } else { all })
    }

    /// An account that transactions pay without naming it.
    pub(crate) fn paid(&self, rng: &mut Rng) -> Address {
        match self.rules {
            Rules::Ethereum(_) => self.coinbase,
            Rules::Turnpike => rng.pick(&VAULTS),
        }
    }

    /// Any account that programs and transactions know.
    pub(crate) fn anybody(&self, rng: &mut Rng) -> Address {
        if !rng.percent(self.oddity) {
            return if rng.percent(30) { self.contract(rng) } else { self.person(rng) };
        }
        match rng.weighted([8, 4, 4, 1, 1, 1, 1, 2, 1, 2]) {
            0 => self.contract(rng),
            1 => self.person(rng),
            2 => child(self.among(rng, self.contracts), rng.below(CHILDREN.len())),
            3 => precompile(rng),
            4 => MISSING_ACCOUNT,
            5 => empty(rng.byte(EMPTIES)),
            6 => self.paid(rng),
            7 if !self.created.is_empty() => rng.pick(&self.created),
            // The address of a contract about to be created.
            7 => {
                let creator = self.person(rng);
                creator.create(self.nonce_of(&creator) + rng.between(0, 3))
            }
            9 => self.library(rng),
            _ if self.rules == Rules::Turnpike => rng.pick(&[MESSAGE_PASSER, HISTORY_STORAGE]),
            _ => self.contract(rng).create(rng.between(1, 3)),
        }
    }

    /// The next nonce of a sender, as far as it can be predicted.
    pub(crate) fn nonce_of(&self, address: &Address) -> u64 {
        self.nonces.get(address).copied().unwrap_or_default()
    }
}

/// The state that a chain starts from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Genesis(pub(crate) BTreeMap<Address, GenesisAccount>);

/// The child that holds storage.
fn storing_child() -> GenesisAccount {
    GenesisAccount {
        nonce: 1,
        code: Bytes::from_static(&CHILDREN[STORING_CHILD][6..19]),
        storage: (0..4).map(|slot| (U256::from(slot), U256::ONE)).collect(),
        ..GenesisAccount::default()
    }
}

impl Genesis {
    pub(crate) fn random(rng: &mut Rng, world: &mut World) -> Self {
        let mut genesis = Self::default();
        if world.rules == Rules::Turnpike {
            genesis.add_predeploys(rng, world);
        }
        for at in 0..world.people {
            let balance = match at % 7 {
                3 => rng.between(0, 8_000_000),
                _ => FUNDS,
            };
            let mut account =
                GenesisAccount { balance: U256::from(balance), ..GenesisAccount::default() };
            if world.rules.fork() >= SpecId::PRAGUE && rng.percent(5) {
                account.nonce = 1;
                account.code =
                    [&[0xef, 0x01, 0x00], world.contract(rng).as_slice()].concat().into();
            }
            genesis.0.insert(person(at), account);
        }
        for at in 0..EMPTIES {
            genesis.0.insert(empty(at), GenesisAccount::default());
        }
        for at in 0..world.contracts {
            let is_odd = rng.percent(world.oddity.max(10));
            let code = match rng.weighted([5, 4, 2]) {
                0 | 1 if !is_odd => Program::plain(rng, world),
                0 => Program::typical(rng, world),
                1 => Program::random(rng, world),
                _ => {
                    let child = rng.pick(&[4, 5, 5, 5, 6]);
                    world.factories.push((at, child));
                    if child == STORING_CHILD && rng.percent(60) {
                        genesis.0.insert(self::child(at, child), storing_child());
                    }
                    Program::factory(rng, at, child)
                }
            };
            genesis.add_contract(rng, world, contract(at), code);
        }
        for at in 0..world.libraries {
            let code = Program::library(rng, world);
            genesis.add_contract(rng, world, library(at), code);
        }
        genesis
    }

    fn add_contract(&mut self, rng: &mut Rng, world: &World, address: Address, code: Bytes) {
        let mut storage = BTreeMap::from([(U256::ONE, U256::from(7))]);
        storage.insert(U256::from(5), world.contract(rng).into_word().into());
        storage.insert(slot(rng), U256::from(1 + rng.below(3)));
        let account = GenesisAccount { balance: U256::from(5), nonce: 1, code, storage };
        self.0.insert(address, account);
    }

    /// The predeploys of the development chain. In some worlds the vaults run other programs.
    fn add_predeploys(&mut self, rng: &mut Rng, world: &World) {
        let predeploys = ChainGenesis::dev().alloc.into_iter();
        self.0.extend(predeploys.filter(|(_, account)| !account.code.is_empty()));
        for vault in VAULTS {
            let code = match rng.below(4) {
                0 => Program::random(rng, world),
                1 => Bytes::new(),
                _ => continue,
            };
            self.0.insert(vault, GenesisAccount { code, ..GenesisAccount::default() });
        }
    }

    pub(crate) fn to_diff(&self) -> StateDiff {
        let mut codes = BTreeMap::new();
        let accounts = self.0.iter().map(|(address, account)| {
            let GenesisAccount { balance, nonce, code, storage } = account;
            let code_hash = keccak256(code);
            if !code.is_empty() {
                codes.insert(code_hash, code.clone());
            }
            AccountDiff {
                address: *address,
                account: Some(Account { nonce: *nonce, balance: *balance, code_hash }),
                storage_cleared: false,
                storage: storage.iter().map(|(slot, value)| (*slot, *value)).collect(),
            }
        });
        let accounts = accounts.collect();
        StateDiff { accounts, codes: codes.into_iter().collect() }
    }
}
