//! Random transactions.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use revm::context_interface::{
    either::Either,
    transaction::{
        AccessList, AccessListItem, Authorization, RecoveredAuthority, RecoveredAuthorization,
    },
};
use turnpike_executor::{BlockTransaction, PlainTransfer, SkipReason, SpecId, TxEnv};
use turnpike_protocol::EcrecoverInput;

use super::{
    CHILDREN, Program, Rng, World,
    keys::{colliding, slot},
    world::FUNDS,
};

/// Base fee of every block.
pub(crate) const BASE_FEE: u64 = 7;

/// Forks under which blocks run.
pub(crate) const FORKS: [SpecId; 15] = [
    SpecId::HOMESTEAD,
    SpecId::TANGERINE,
    SpecId::SPURIOUS_DRAGON,
    SpecId::BYZANTIUM,
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::SHANGHAI,
    SpecId::CANCUN,
    SpecId::PRAGUE,
    SpecId::OSAKA,
    // Forks with CREATE2 in which contracts still destroy themselves. They are listed again.
    SpecId::ISTANBUL,
    SpecId::BERLIN,
    SpecId::LONDON,
    SpecId::SHANGHAI,
];

/// Chain id of all transactions.
pub(crate) const CHAIN_ID: u64 = 4_242;

/// Calldata that makes a fee vault pay out.
const WITHDRAW: [u8; 4] = [0x3c, 0xcf, 0xd6, 0x0b];

/// The rules of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// A fork's rules, with fees to the beneficiary.
    Ethereum(SpecId),
    /// Turnpike's rules: vaults, L1 data fees, deposits, recorded parent hashes.
    Turnpike,
}

impl Rules {
    /// The hard fork in force.
    pub(crate) const fn fork(self) -> SpecId {
        match self {
            Self::Ethereum(fork) => fork,
            Self::Turnpike => SpecId::OSAKA,
        }
    }
}

/// A transaction that names its sender.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tx {
    pub(crate) env: TxEnv,
    /// Wei minted, if it is a deposit.
    pub(crate) mint: Option<u128>,
    /// Size, in millionths of a byte.
    pub(crate) data_size: u64,
    /// Determines its hash.
    pub(crate) id: u64,
}

impl BlockTransaction for Tx {
    fn sender(&self) -> Result<Address, SkipReason> {
        Ok(self.env.caller)
    }

    fn tx_env(&self, _: Address, _: &mut impl FnMut(&EcrecoverInput) -> Option<Address>) -> TxEnv {
        self.env.clone()
    }

    fn call(&self) -> Option<(Address, &[u8])> {
        Some((self.env.kind.into_to()?, &self.env.data))
    }

    fn plain_transfer(&self) -> Option<PlainTransfer> {
        PlainTransfer::from_env(&self.env).filter(|_| self.mint.is_none())
    }

    fn gas_limit(&self) -> u64 {
        self.env.gas_limit
    }

    fn access_list(&self) -> Option<&AccessList> {
        Some(&self.env.access_list)
    }

    fn hash(&self) -> B256 {
        U256::from(self.id).into()
    }

    fn mint(&self) -> Option<u128> {
        self.mint
    }

    fn data_size(&self) -> u64 {
        self.data_size
    }
}

impl Tx {
    /// A random transaction. Its nonce is set when it is added to a block.
    pub(crate) fn random(rng: &mut Rng, world: &World) -> Self {
        let sender = world.person(rng);
        let is_odd = rng.percent(world.oddity.max(3));
        if world.rules == Rules::Turnpike && is_odd && rng.percent(8) {
            return Self::deposit(rng, world, sender);
        }
        match rng.weighted([25, 55, 15, 5]) {
            2 | 3 if !is_odd => Self::transfer(rng, world, sender),
            0 => Self::transfer(rng, world, sender),
            1 => {
                let to = world.contract(rng);
                Self::call(rng, world, sender, to)
            }
            2 => {
                let to = world.anybody(rng);
                Self::call(rng, world, sender, to)
            }
            _ => Self::creation(rng, world, sender),
        }
    }

    /// Ether from one account to another.
    fn transfer(rng: &mut Rng, world: &World, sender: Address) -> Self {
        let to = world.person(rng);
        let mut tx = Self::plain(rng, world, sender, TxKind::Call(to), Bytes::new());
        tx.env.gas_limit = rng.pick(&[21_000, 21_000, 21_000, 21_000, 21_000, 30_000, 20_999]);
        tx.env.value = value(rng);
        if rng.percent(80) || !rng.percent(world.oddity) {
            tx.env.access_list = AccessList::default();
        }
        tx
    }

    /// A call of any account.
    pub(crate) fn call(rng: &mut Rng, world: &World, sender: Address, to: Address) -> Self {
        let is_paid = world.rules == Rules::Turnpike && to == world.paid(rng);
        let data = if is_paid { WITHDRAW.into() } else { data(rng, world) };
        Self::plain(rng, world, sender, TxKind::Call(to), data)
    }

    fn creation(rng: &mut Rng, world: &World, sender: Address) -> Self {
        let code = match rng.below(2) {
            0 => Program::random(rng, world),
            _ => rng.pick(&CHILDREN).into(),
        };
        Self::plain(rng, world, sender, TxKind::Create, code)
    }

    fn plain(rng: &mut Rng, world: &World, caller: Address, kind: TxKind, data: Bytes) -> Self {
        let tx_type = tx_type(rng, world.rules.fork(), kind);
        let price = u128::from(BASE_FEE);
        let gas_price = rng.pick(&[price, price + 2, price + 2, price + 2, price + 100]);
        let gas_price = if world.is_tipless { price } else { gas_price };
        let mut env = TxEnv {
            tx_type,
            caller,
            gas_price: if rng.percent(1) { price - 1 } else { gas_price },
            gas_priority_fee: (tx_type >= 2).then(|| u128::from(rng.byte(3))),
            kind,
            value: value(rng),
            data,
            chain_id: Some(if rng.percent(1) { 1 } else { CHAIN_ID }),
            ..TxEnv::default()
        };
        if tx_type >= 1 && rng.percent(50) {
            env.access_list = access_list(rng, world, &env);
        }
        match tx_type {
            3 => {
                let mut hash = B256::repeat_byte(rng.byte(3));
                hash.0[0] = 1;
                (env.blob_hashes, env.max_fee_per_blob_gas) = (vec![hash], 10);
            }
            4 => {
                let count = rng.weighted([1, 16, 8, 4]);
                env.authorization_list =
                    (0..count).map(|_| authorization(rng, world, caller)).collect();
            }
            _ => {}
        }
        env.gas_limit = gas_limit(rng, world, &env);
        Self { env, mint: None, data_size: rng.between(50, 300) * 1_000_000, id: 0 }
    }

    /// A deposit, with or without minted ether, with enough gas and value or too little.
    fn deposit(rng: &mut Rng, world: &World, caller: Address) -> Self {
        let to = world.anybody(rng);
        let kind = if rng.percent(10) { TxKind::Create } else { TxKind::Call(to) };
        let mut env =
            TxEnv { caller, kind, value: value(rng), data: data(rng, world), ..TxEnv::default() };
        env.gas_limit = gas_limit(rng, world, &env);
        let mint = rng.pick(&[0, 0, 1, 1_000_000, u128::MAX >> 8]);
        Self { env, mint: Some(mint), data_size: 0, id: 0 }
    }
}

/// Gas limits up to what the transaction needs. Together they end programs at every point.
fn gas_limit(rng: &mut Rng, world: &World, env: &TxEnv) -> u64 {
    match rng.weighted([120, 60, 8, 8, 1]) {
        0 => world.gas_limit,
        1 => gas_before(env) + rng.between(0, 40_000),
        2 => gas_before(env) + rng.between(0, 3) - 1,
        3 => rng.between(100_000, 2_000_000),
        // More than a transaction may ask for since Osaka.
        _ => 17_000_000,
    }
}

/// Gas that a transaction uses before its program runs, at the prices of most forks.
pub(crate) fn gas_before(env: &TxEnv) -> u64 {
    let count = |items: usize| u64::try_from(items).expect("fits 64 bits");
    let zeros = env.data.iter().filter(|byte| **byte == 0).count();
    let (data, lists) = (env.data.len(), &env.access_list.0);
    let slots: usize = lists.iter().map(|item| item.storage_keys.len()).sum();
    let creation =
        if env.kind == TxKind::Create { 32_000 + 2 * count(data.div_ceil(32)) } else { 0 };
    21_000
        + creation
        + 4 * count(zeros)
        + 16 * count(data - zeros)
        + 2_400 * count(lists.len())
        + 1_900 * count(slots)
        + 25_000 * count(env.authorization_list.len())
}

fn value(rng: &mut Rng) -> U256 {
    U256::from(match rng.weighted([70, 110, 16, 2, 2]) {
        0 => 0,
        1 => rng.between(1, 4),
        2 => rng.between(1, 3_000_000),
        // An amount that a rich sender can afford once.
        3 => FUNDS / 2 + rng.between(0, FUNDS / 2),
        _ => FUNDS * 100,
    })
}

/// A transaction type, mostly one that the fork has.
fn tx_type(rng: &mut Rng, fork: SpecId, kind: TxKind) -> u8 {
    let latest: &[u8] = match fork {
        _ if rng.percent(2) => &[1, 2, 3],
        fork if fork < SpecId::BERLIN => &[0],
        fork if fork < SpecId::LONDON => &[0, 1],
        fork if fork < SpecId::CANCUN => &[0, 1, 2],
        fork if fork < SpecId::PRAGUE => &[0, 0, 1, 1, 2, 2, 2, 3],
        _ if kind == TxKind::Create => &[0, 1, 2],
        _ => &[0, 0, 1, 1, 2, 2, 2, 2, 4, 4],
    };
    rng.pick(latest)
}

/// Calldata: nothing, or a selector and words that name accounts, contracts, numbers or slots.
fn data(rng: &mut Rng, world: &World) -> Bytes {
    if rng.percent(20) {
        return Bytes::new();
    }
    let mut data = vec![rng.byte(3), 2, 3, 4];
    for _ in 0..rng.below(4) {
        let word = match rng.weighted([4, 2, 2, 1]) {
            0 => world.person(rng).into_word(),
            1 => world.anybody(rng).into_word(),
            2 => U256::from(rng.below(4)).into(),
            _ => colliding(rng).into(),
        };
        data.extend(word);
    }
    if rng.percent(10) {
        data.truncate(rng.below(data.len()));
    }
    data.into()
}

/// The declared access list: right, wrong or empty.
fn access_list(rng: &mut Rng, world: &World, env: &TxEnv) -> AccessList {
    let mut list = Vec::new();
    if let (TxKind::Call(to), true) = (env.kind, rng.percent(60)) {
        list.push(to);
    }
    (0..rng.below(3)).for_each(|_| list.push(world.anybody(rng)));
    let item = |address| AccessListItem {
        address,
        storage_keys: (0..rng.below(4)).map(|_| slot(rng).into()).collect(),
    };
    AccessList(list.into_iter().map(item).collect())
}

type SignedOrRecovered =
    Either<revm::context_interface::transaction::SignedAuthorization, RecoveredAuthorization>;

fn authorization(rng: &mut Rng, world: &World, sender: Address) -> SignedOrRecovered {
    let authority = if rng.percent(15) { sender } else { world.person(rng) };
    let address = match rng.weighted([6, 2, 3]) {
        0 => world.contract(rng),
        1 => Address::ZERO,
        _ => world.anybody(rng),
    };
    // The sender's own nonce is bumped before the authorization is processed.
    let next = world.nonce_of(&authority) + u64::from(authority == sender);
    let nonce = if rng.percent(80) { next } else { rng.between(0, next + 2) };
    let chain_id = U256::from(rng.pick(&[0, 0, CHAIN_ID, CHAIN_ID, 1]));
    let inner = Authorization { chain_id, address, nonce };
    let authority = match rng.percent(95) {
        true => RecoveredAuthority::Valid(authority),
        false => RecoveredAuthority::Invalid,
    };
    Either::Right(RecoveredAuthorization::new_unchecked(inner, authority))
}

/// Counts the nonces that a transaction's delegations use, as far as they can be predicted.
pub(crate) fn with_delegations(world: &mut World, tx: &Tx) {
    for authorization in &tx.env.authorization_list {
        let Either::Right(authorization) = authorization else { continue };
        let is_ours = [U256::ZERO, U256::from(CHAIN_ID)].contains(&authorization.chain_id);
        if let Some(authority) = authorization.authority().filter(|_| is_ours)
            && world.nonce_of(&authority) == authorization.nonce
        {
            *world.nonces.entry(authority).or_default() += 1;
        }
    }
}
