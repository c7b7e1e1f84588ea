//! Blocks to prove: signed transactions of each kind, and deposits.

use alloy::{
    consensus::{SignableTransaction, Signed, TxEip1559, TxEip7702},
    eips::eip7702::Authorization,
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, address, hex, keccak256};
use anyhow::Context as _;
use turnpike_protocol::{Deposit, Genesis, GenesisAccount, TxEnvelope};

use super::{WorkloadDraft, erc20, uniswap_v2, uniswap_v3};
use crate::{
    setup::{Setup, actor},
    transaction::Transaction,
};

/// Pools of each kind.
const POOLS: usize = 8;

/// Maximum fee per gas, in wei.
const FEE_MAX: u128 = 1_000_000_000;

/// Slots of the reading contract.
const SLOTS: usize = 20_000;

/// Repetitions of a contract's operation in each call.
const REPETITIONS: usize = 100;

const KECCAK: Address = address!("00000000000000000000000000000000006b6563");
const READER: Address = address!("0000000000000000000000000000000000726561");
const WRITER: Address = address!("0000000000000000000000000000000000777269");
const LOGGER: Address = address!("00000000000000000000000000000000006c6f67");
const REFUSER: Address = address!("0000000000000000000000000000000000726566");
const DELEGATE: Address = address!("000000000000000000000000000000000064656c");

/// A kind of transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProvenKind {
    /// Its name.
    pub(crate) name: &'static str,
    add: fn(&mut Builder, usize) -> anyhow::Result<()>,
}

/// All kinds, in the table's order.
pub(crate) const PROVEN_KINDS: &[ProvenKind] = &[
    kind("ether transfer", transfer),
    kind("ERC-20 transfer", erc20_transfer),
    kind("Uniswap v2 swap", v2_swap),
    kind("Uniswap v3 swap", v3_swap),
    kind("ERC-20 contract's creation", creation),
    kind("EIP-7702 delegation", delegation),
    kind("call that reverts", |it, _| it.call(REFUSER, Vec::new(), 100_000)),
    kind("100 hashes of 1 KiB", |it, _| it.call(KECCAK, Vec::new(), 100_000)),
    kind("100 cold slots read", |it, turn| it.call(READER, base(turn, SLOTS), 400_000)),
    kind("100 slots written", |it, turn| it.call(WRITER, base(turn, usize::MAX), 3_000_000)),
    kind("100 logs of 3 topics", |it, _| it.call(LOGGER, Vec::new(), 400_000)),
    kind("ecrecover", |it, turn| it.precompile(1, &recoverable(turn))),
    kind("sha256 of 1 KiB", |it, turn| it.precompile(2, &noise(turn, 1_024))),
    kind("modexp of 256 bytes", |it, turn| it.precompile(5, &exponentiation(turn))),
    kind("pairing of 2 points", |it, _| it.precompile(8, &hex::decode(PAIRING)?)),
    kind("blake2f of 1,000 rounds", |it, turn| it.precompile(9, &compression(turn))),
    kind("deposit", Builder::deposit),
];

/// The mixed block, by index of the kinds: of 20 transactions 6 transfers, 5 token transfers, 4
/// swaps and others.
const MIX: [&[usize]; 20] = [
    &[0],
    &[1],
    &[2],
    &[0],
    &[1],
    &[3],
    &[0],
    &[1],
    &[2],
    &[6],
    &[0],
    &[1],
    &[4, 5],
    &[0],
    &[1],
    &[2],
    &[7, 8, 9, 10],
    &[0],
    &[11, 12, 13, 14, 15],
    &[5],
];

const fn kind(
    name: &'static str,
    add: fn(&mut Builder, usize) -> anyhow::Result<()>,
) -> ProvenKind {
    ProvenKind { name, add }
}

/// A block to prove, and the chain before it.
#[derive(Clone, Debug)]
pub struct ProvenBlock {
    /// The chain before the block.
    pub genesis: Genesis,
    /// Transactions.
    pub transactions: Vec<TxEnvelope>,
    /// Deposits.
    pub deposits: Vec<Deposit>,
}

/// A block of transactions of one kind, on a state with at least this many accounts.
pub(crate) fn block_of(
    kind: &ProvenKind,
    transactions: usize,
    accounts: usize,
) -> anyhow::Result<ProvenBlock> {
    let mut builder = Builder::new(accounts)?;
    for turn in 0..transactions {
        (kind.add)(&mut builder, turn)?;
    }
    builder.finish()
}

/// A mixed block of all kinds but deposits.
pub(crate) fn mixed_block(transactions: usize, accounts: usize) -> anyhow::Result<ProvenBlock> {
    let mut builder = Builder::new(accounts)?;
    for turn in 0..transactions {
        let choice = MIX[turn % MIX.len()];
        let kind = PROVEN_KINDS[choice[turn / MIX.len() % choice.len()]];
        (kind.add)(&mut builder, turn)?;
    }
    builder.finish()
}

/// Token transfers of as many senders.
pub(crate) fn token_transfers(transactions: usize, accounts: usize) -> anyhow::Result<ProvenBlock> {
    let mut builder = Builder::new(accounts)?;
    for turn in 0..transactions {
        erc20_transfer(&mut builder, turn)?;
    }
    builder.finish()
}

/// A block of transfers of ether and of a token, and swaps on Uniswap v2 and v3, in turn.
pub fn defi_block(transactions: usize, accounts: usize) -> anyhow::Result<ProvenBlock> {
    let mut builder = Builder::new(accounts)?;
    let kinds = [transfer, erc20_transfer, v2_swap, v3_swap];
    for turn in 0..transactions {
        kinds[turn % kinds.len()](&mut builder, turn)?;
    }
    builder.finish()
}

/// A block under construction.
#[allow(missing_debug_implementations)] // revm's EVM has none worth reading
struct Builder {
    genesis: Genesis,
    draft: WorkloadDraft,
    token: erc20::Token,
    v2: Vec<uniswap_v2::Pool>,
    v3: Vec<uniswap_v3::Pool>,
    erc20: erc20::TokenCode,
    senders: usize,
    transactions: Vec<TxEnvelope>,
    deposits: Vec<Deposit>,
}

impl Builder {
    fn new(accounts: usize) -> anyhow::Result<Self> {
        let genesis = Genesis::dev();
        let mut draft = WorkloadDraft { setup: Setup::new(&genesis), transactions: Vec::new() };
        let setup = &mut draft.setup;
        let erc20 = erc20::TokenCode::read()?;
        let token = erc20.deploy(setup, actor(usize::MAX))?;
        let (v2, v3) =
            (uniswap_v2::UniswapV2::deploy(setup)?, uniswap_v3::UniswapV3::deploy(setup)?);
        let v2 = (0..POOLS).map(|_| v2.pool(setup)).collect::<anyhow::Result<_>>()?;
        let v3 = (0..POOLS).map(|_| v3.pool(setup)).collect::<anyhow::Result<_>>()?;
        install(setup)?;
        draft.fund((0..accounts).map(actor));
        let (transactions, deposits) = (Vec::new(), Vec::new());
        Ok(Self { genesis, draft, token, v2, v3, erc20, senders: 0, transactions, deposits })
    }

    /// A new funded account.
    fn sender(&mut self) -> anyhow::Result<PrivateKeySigner> {
        let key = keccak256(format!("turnpike bench sender {}", self.senders));
        self.senders += 1;
        let signer = PrivateKeySigner::from_bytes(&key)?;
        self.draft.fund([signer.address()]);
        Ok(signer)
    }

    fn sign<T: SignableTransaction<Signature>>(
        &mut self,
        signer: &PrivateKeySigner,
        tx: T,
    ) -> anyhow::Result<()>
    where
        TxEnvelope: From<Signed<T>>,
    {
        let signature = signer.sign_hash_sync(&tx.signature_hash())?;
        self.transactions.push(tx.into_signed(signature).into());
        Ok(())
    }

    fn send(
        &mut self,
        signer: &PrivateKeySigner,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> anyhow::Result<()> {
        let chain_id = self.genesis.config.chain_id;
        let tx = TxEip1559 {
            chain_id,
            gas_limit,
            max_fee_per_gas: FEE_MAX,
            to,
            value,
            input,
            ..TxEip1559::default()
        };
        self.sign(signer, tx)
    }

    fn call(&mut self, to: Address, input: Vec<u8>, gas_limit: u64) -> anyhow::Result<()> {
        let signer = self.sender()?;
        self.send(&signer, TxKind::Call(to), U256::ZERO, input.into(), gas_limit)
    }

    fn precompile(&mut self, number: u8, input: &[u8]) -> anyhow::Result<()> {
        self.call(Address::with_last_byte(number), input.to_vec(), 1_000_000)
    }

    /// Signs the transaction that was just drafted.
    fn drafted(&mut self, signer: &PrivateKeySigner) -> anyhow::Result<()> {
        let drafted = self.draft.transactions.pop().context("no transaction was drafted")?;
        let Transaction { to, value, data, gas_limit, .. } = drafted;
        self.send(signer, TxKind::Call(to), value, data, gas_limit)
    }

    fn deposit(&mut self, turn: usize) -> anyhow::Result<()> {
        let mint = U256::from(1_000_000).to_be_bytes::<32>();
        let gas = 100_000_u64.to_be_bytes();
        self.deposits.push(Deposit {
            index: turn as u64,
            l1_block_number: 1,
            from: actor(turn),
            to: Address::from_word(keccak256(turn.to_be_bytes())),
            version: U256::ZERO,
            opaque_data: [&mint, &mint, &gas[..], &[0]].concat().into(),
        });
        Ok(())
    }

    fn finish(self) -> anyhow::Result<ProvenBlock> {
        let Self { mut genesis, draft, transactions, deposits, .. } = self;
        let accounts = draft.setup.pre_state().accounts.into_iter();
        genesis.alloc = accounts
            .map(|account| {
                let (nonce, balance) = (account.nonce, account.balance);
                let code = account.code.original_bytes();
                let storage = account.storage.into_iter().collect();
                (account.address, GenesisAccount { balance, nonce, code, storage })
            })
            .collect();
        Ok(ProvenBlock { genesis, transactions, deposits })
    }
}

fn transfer(it: &mut Builder, turn: usize) -> anyhow::Result<()> {
    let signer = it.sender()?;
    let to = Address::from_word(keccak256(turn.to_be_bytes()));
    it.send(&signer, TxKind::Call(to), U256::ONE, Bytes::new(), 21_000)
}

fn erc20_transfer(it: &mut Builder, turn: usize) -> anyhow::Result<()> {
    let signer = it.sender()?;
    it.token.give(&mut it.draft.setup, signer.address());
    let to = Address::from_word(keccak256(turn.to_be_bytes()));
    it.token.transfer(&mut it.draft, signer.address(), to);
    it.drafted(&signer)
}

fn v2_swap(it: &mut Builder, turn: usize) -> anyhow::Result<()> {
    let (signer, pool) = (it.sender()?, it.v2[turn % POOLS]);
    pool.admit(&mut it.draft, signer.address());
    pool.swap(&mut it.draft, signer.address(), turn / POOLS);
    it.drafted(&signer)
}

fn v3_swap(it: &mut Builder, turn: usize) -> anyhow::Result<()> {
    let (signer, pool) = (it.sender()?, it.v3[turn % POOLS]);
    pool.admit(&mut it.draft, signer.address());
    pool.swap(&mut it.draft, signer.address(), turn / POOLS);
    it.drafted(&signer)
}

fn creation(it: &mut Builder, _: usize) -> anyhow::Result<()> {
    let signer = it.sender()?;
    let code = it.erc20.creation(signer.address());
    it.send(&signer, TxKind::Create, U256::ZERO, code, 5_000_000)
}

fn delegation(it: &mut Builder, _: usize) -> anyhow::Result<()> {
    let (signer, authority) = (it.sender()?, it.sender()?);
    let chain_id = it.genesis.config.chain_id;
    let authorization =
        Authorization { chain_id: U256::from(chain_id), address: DELEGATE, nonce: 0 };
    let signature = authority.sign_hash_sync(&authorization.signature_hash())?;
    let tx = TxEip7702 {
        chain_id,
        gas_limit: 200_000,
        max_fee_per_gas: FEE_MAX,
        to: authority.address(),
        authorization_list: vec![authorization.into_signed(signature)],
        ..TxEip7702::default()
    };
    it.sign(&signer, tx)
}

/// Installs contracts that repeat one operation [`REPETITIONS`] times.
fn install(setup: &mut Setup) -> anyhow::Result<()> {
    // The counter is on the stack; the first word of calldata is the first slot.
    let repeated = |body: &str| -> anyhow::Result<Bytes> {
        let times = hex::encode([u8::try_from(REPETITIONS)?]);
        let looped = format!("60{times}5b{body}600190038060025700");
        Ok(hex::decode(looped)?.into())
    };
    setup.install(KECCAK, repeated("6104005f2050")?);
    setup.install(READER, repeated("805f35015450")?);
    setup.install(WRITER, repeated("80815f350155")?);
    setup.install(LOGGER, repeated("5f5f5f60205fa3")?);
    setup.install(REFUSER, hex::decode("5f5ffd")?.into());
    setup.install(DELEGATE, hex::decode("60015f5500")?.into());
    for slot in 1..=SLOTS + REPETITIONS {
        setup.write(READER, U256::from(slot), U256::from(slot));
    }
    Ok(())
}

/// First slot of a call.
fn base(turn: usize, slots: usize) -> Vec<u8> {
    U256::from(turn * REPETITIONS % slots).to_be_bytes::<32>().to_vec()
}

fn noise(turn: usize, bytes: usize) -> Vec<u8> {
    let words = (0..bytes.div_ceil(32))
        .flat_map(|word| keccak256([turn, word].map(usize::to_be_bytes).concat()).0);
    words.take(bytes).collect()
}

/// Input of ecrecover: a different signature each time, of an arbitrary signer.
fn recoverable(turn: usize) -> Vec<u8> {
    let digest = keccak256(turn.to_be_bytes());
    let v = U256::from(27).to_be_bytes::<32>();
    // The x coordinate of the curve's generator, so that the point exists.
    let r = hex!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    [digest.0, v, r, U256::from(turn + 1).to_be_bytes()].concat()
}

fn exponentiation(turn: usize) -> Vec<u8> {
    let length = U256::from(256).to_be_bytes::<32>();
    let exponent = U256::from(3).to_be_bytes::<32>();
    let word = U256::from(32).to_be_bytes::<32>();
    let (base, mut modulus) = (noise(turn, 256), noise(turn + 1_000_000, 256));
    modulus[255] |= 1;
    [&length[..], &word, &length, &base, &exponent, &modulus].concat()
}

fn compression(turn: usize) -> Vec<u8> {
    [&1_000_u32.to_be_bytes()[..], &noise(turn, 64 + 128 + 16), &[1]].concat()
}

/// Two pairs whose pairings cancel: a point and its negative, each with the generator of the second
/// group.
const PAIRING: &str = "\
0000000000000000000000000000000000000000000000000000000000000001\
0000000000000000000000000000000000000000000000000000000000000002\
198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2\
1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed\
090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b\
12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa\
0000000000000000000000000000000000000000000000000000000000000001\
30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45\
198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2\
1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed\
090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b\
12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";
