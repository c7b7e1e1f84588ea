//! `turnpike bench`: what a transaction costs at each stage, on one core of this machine.

use std::time::{Duration, Instant};

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559},
    eips::eip2718::Encodable2718 as _,
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use anyhow::Context as _;
use revm::{
    Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _,
    context::{BlockEnv, TxEnv},
    database::{CacheDB, EmptyDB},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
use turnpike_executor::{BlockTx, Chain};
use turnpike_protocol::{Genesis, GenesisAccount, Origin, SignedTx, decode_transaction};
use turnpike_storage::JournalRecord;

/// Transactions in the workload: what fits one block of transfers.
const TRANSACTIONS: usize = 20_000;

/// Repetitions; the fastest counts.
const ROUNDS: usize = 3;

/// Price of each transaction's gas, in wei.
const FEE: u128 = 1_000_000_000;

/// Measures transfers between accounts that have nothing to do with each other.
pub(crate) fn run() -> anyhow::Result<()> {
    let chain_id = Genesis::dev().config.chain_id;
    let keys: Vec<_> = (1..=TRANSACTIONS).map(key).collect::<anyhow::Result<_>>()?;
    let raws: Vec<Bytes> =
        keys.iter().map(|key| transfer(key, chain_id)).collect::<anyhow::Result<_>>()?;
    let genesis = genesis(&keys);
    println!("{TRANSACTIONS} independent transfers, one core, best of {ROUNDS}");
    println!("{:<28}{:>12}{:>14}{:>10}", "stage", "us/tx", "tx/s", "ratio");

    let mut txs = Vec::new();
    let recover = best(|| {
        let start = Instant::now();
        txs = raws
            .iter()
            .map(|raw| Ok(SignedTx::recover(decode_transaction(raw)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(start.elapsed())
    })?;
    row("decode and recover", recover, None);

    let baseline = best(|| Ok(revm_cachedb(&keys, &txs)))?;
    row("execute: revm-cachedb", baseline, Some(baseline));

    let (mut execute, mut seal) = (Duration::MAX, Duration::MAX);
    let mut record = None;
    for _ in 0..ROUNDS {
        let mut chain = Chain::from_genesis(&genesis);
        let start = Instant::now();
        let mut block = chain.open_block(genesis.timestamp, &origin())?;
        for tx in &txs {
            block.execute(BlockTx::User(tx.clone()))?;
        }
        let executed = block.finish()?;
        execute = execute.min(start.elapsed());
        anyhow::ensure!(executed.skipped.is_empty(), "the workload is valid");
        let start = Instant::now();
        let outcome = chain.seal(executed, &origin());
        seal = seal.min(start.elapsed());
        record = Some(JournalRecord {
            number: outcome.header.number,
            timestamp: outcome.header.timestamp,
            origin: origin(),
            deposits: Vec::new(),
            transactions: raws.clone(),
            hash: outcome.hash(),
            state_root: outcome.header.state_root,
        });
    }
    row("execute: sequential", execute, Some(baseline));
    row("roots and header", seal, None);

    let record = record.context("at least one round")?;
    let mut config = genesis.config;
    config.entry_bytes_max = u64::MAX;
    let mut bytes = 0;
    let pack = best(|| {
        let start = Instant::now();
        let packed = turnpike_batcher::pack(&config, std::slice::from_ref(&record))?;
        bytes = packed.context("one block")?.data.len();
        Ok(start.elapsed())
    })?;
    row("batch: encode, compress", pack, None);
    let raw: usize = raws.iter().map(|raw| raw.len()).sum();
    let per_tx = |bytes: usize| bytes as f64 / TRANSACTIONS as f64;
    println!("batch bytes per transaction: {:.1} of {:.1} raw", per_tx(bytes), per_tx(raw));
    Ok(())
}

fn key(index: usize) -> anyhow::Result<PrivateKeySigner> {
    Ok(PrivateKeySigner::from_bytes(&keccak256(index.to_be_bytes()))?)
}

fn transfer(key: &PrivateKeySigner, chain_id: u64) -> anyhow::Result<Bytes> {
    let tx = TxEip1559 {
        chain_id,
        gas_limit: 21_000,
        max_fee_per_gas: FEE,
        to: TxKind::Call(recipient(key.address())),
        value: U256::from(1),
        ..Default::default()
    };
    let signature = key.sign_hash_sync(&tx.signature_hash())?;
    Ok(tx.into_signed(signature).encoded_2718().into())
}

fn recipient(sender: Address) -> Address {
    Address::from_word(keccak256(sender))
}

/// The development chain with the senders funded.
fn genesis(keys: &[PrivateKeySigner]) -> Genesis {
    let mut genesis = Genesis::dev();
    for key in keys {
        let account = GenesisAccount { balance: balance(), ..GenesisAccount::default() };
        genesis.alloc.insert(key.address(), account);
    }
    genesis
}

fn balance() -> U256 {
    U256::from(10).pow(U256::from(18))
}

fn origin() -> Origin {
    Origin {
        entry: 0,
        l1_block_number: 1,
        l1_time: 0,
        l1_base_fee: U256::from(FEE),
        l1_blob_base_fee: U256::from(1),
        l1_hash: B256::ZERO,
    }
}

/// Plain revm over its own `CacheDB`, one EVM for all transactions: what others start from.
fn revm_cachedb(keys: &[PrivateKeySigner], txs: &[SignedTx]) -> Duration {
    let chain_id = Genesis::dev().config.chain_id;
    let mut db = CacheDB::new(EmptyDB::new());
    for key in keys {
        let info = AccountInfo { balance: balance(), ..AccountInfo::default() };
        db.insert_account_info(key.address(), info);
    }
    let block = BlockEnv { gas_limit: u64::MAX, ..BlockEnv::default() };
    let context = Context::mainnet().with_db(db).with_block(block).modify_cfg_chained(|cfg| {
        cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
        cfg.chain_id = chain_id;
    });
    let mut evm = context.build_mainnet();
    let start = Instant::now();
    for (key, _) in keys.iter().zip(txs) {
        let tx = TxEnv {
            tx_type: 2,
            caller: key.address(),
            gas_limit: 21_000,
            gas_price: FEE,
            gas_priority_fee: Some(0),
            kind: TxKind::Call(recipient(key.address())),
            value: U256::from(1),
            chain_id: Some(chain_id),
            ..TxEnv::default()
        };
        evm.transact_commit(tx).expect("invariant: the workload is valid");
    }
    start.elapsed()
}

fn best(mut round: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        best = best.min(round()?);
    }
    Ok(best)
}

fn row(stage: &str, time: Duration, baseline: Option<Duration>) {
    let per_tx = time.as_secs_f64() / TRANSACTIONS as f64;
    let ratio = baseline.map_or(String::new(), |baseline| {
        format!("{:.2}x", baseline.as_secs_f64() / time.as_secs_f64())
    });
    println!("{stage:<28}{:>12.2}{:>14.0}{ratio:>10}", per_tx * 1e6, 1.0 / per_tx);
}
