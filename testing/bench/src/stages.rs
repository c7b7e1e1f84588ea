//! `turnpike bench stages`: costs of a transfer before and after execution.

use std::time::{Duration, Instant};

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559},
    eips::eip2718::Encodable2718 as _,
    signers::{SignerSync as _, local::PrivateKeySigner},
};
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use anyhow::Context as _;
use turnpike_executor::{BlockTx, Chain};
use turnpike_protocol::{
    ChainConfig, Effort, Genesis, GenesisAccount, SignedTx, decode_transaction, time_ms,
};
use turnpike_storage::SealedInput;

use crate::terms::BlockTerms;

/// Transactions in the workload, which fit one block.
const TRANSACTIONS: usize = 20_000;

/// Repetitions. The fastest is reported.
const ROUNDS: usize = 3;

/// Gas price of each transaction, in wei.
const FEE: u128 = 1_000_000_000;

/// Initial balance of every sender, in wei.
const BALANCE: u64 = 10_u64.pow(18);

/// Measures signer recovery, roots and batch encoding of transfers on one core.
pub fn stages() -> anyhow::Result<()> {
    let chain_id = Genesis::dev().config.chain_id;
    let keys: Vec<_> = (1..=TRANSACTIONS).map(key).collect::<anyhow::Result<_>>()?;
    let raws: Vec<Bytes> =
        keys.iter().map(|key| transfer(key, chain_id)).collect::<anyhow::Result<_>>()?;
    println!("{TRANSACTIONS} independent transfers, one core, best of {ROUNDS}");
    println!("{:<28}{:>12}{:>14}", "stage", "us/tx", "tx/s");

    let mut txs = Vec::new();
    let recover = best(|| {
        let start = Instant::now();
        txs = raws
            .iter()
            .map(|raw| Ok(SignedTx::recover(decode_transaction(raw)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(start.elapsed())
    })?;
    row("decode and recover", recover);

    let genesis = genesis(&keys);
    let mut record = None;
    let seal = best(|| {
        let mut chain = Chain::from_genesis(&genesis);
        let mut block = chain.open_block(genesis.timestamp_ms(), &BlockTerms::origin())?;
        block.execute_slice(txs.iter().cloned().map(BlockTx::User).collect())?;
        let (executed, _) = block.finish()?;
        anyhow::ensure!(executed.skipped.is_empty(), "the workload is valid");
        let start = Instant::now();
        let outcome = chain.seal(executed, &BlockTerms::origin());
        let elapsed = start.elapsed();
        record = Some(SealedInput {
            number: outcome.header.number,
            time_ms: time_ms(&outcome.header),
            origin: BlockTerms::origin(),
            deposits: Vec::new(),
            transactions: raws.clone(),
            hash: outcome.hash(),
            state_root: outcome.header.state_root,
        });
        Ok(elapsed)
    })?;
    row("roots and header", seal);
    batch(&genesis.config, &record.context("at least one round")?)
}

fn batch(config: &ChainConfig, record: &SealedInput) -> anyhow::Result<()> {
    let mut bytes = 0;
    let records = std::slice::from_ref(record);
    let pack = best(|| {
        let start = Instant::now();
        let packed = turnpike_batcher::pack(config, 0, 0, records, usize::MAX, Effort::Fast)?;
        bytes = packed.context("one block")?.data.len();
        Ok(start.elapsed())
    })?;
    row("batch: encode, compress", pack);
    let raw: usize = record.transactions.iter().map(|raw| raw.len()).sum();
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
        to: TxKind::Call(Address::from_word(keccak256(key.address()))),
        value: U256::from(1),
        ..Default::default()
    };
    let signature = key.sign_hash_sync(&tx.signature_hash())?;
    Ok(tx.into_signed(signature).encoded_2718().into())
}

/// The development chain with the senders funded.
fn genesis(keys: &[PrivateKeySigner]) -> Genesis {
    let mut genesis = Genesis::dev();
    for key in keys {
        let balance = U256::from(BALANCE);
        let account = GenesisAccount { balance, ..GenesisAccount::default() };
        genesis.alloc.insert(key.address(), account);
    }
    genesis
}

fn best(mut round: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        best = best.min(round()?);
    }
    Ok(best)
}

fn row(stage: &str, time: Duration) {
    let per_tx = time.as_secs_f64() / TRANSACTIONS as f64;
    println!("{stage:<28}{:>12.2}{:>14.0}", per_tx * 1e6, 1.0 / per_tx);
}
