//! Transaction tests: bytes that are a valid transaction under some forks, or under none.

use std::{collections::BTreeMap, time::Instant};

use alloy_primitives::{Address, B256, hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    error::FormatError,
    execute::{self, Fork},
    fork,
    quantity::Quantity,
    signed,
    tally::{Case, Tally},
};

/// The chain that the transactions are for.
const CHAIN_ID: u64 = 1;

/// A test of the `TransactionTests` of ethereum/tests.
#[derive(Debug, Deserialize)]
struct TransactionTest {
    txbytes: String,
    /// By the fork's name.
    result: BTreeMap<String, Expected>,
}

/// A valid transaction has a hash and a sender, another an exception.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    hash: Option<B256>,
    sender: Option<Address>,
    intrinsic_gas: Option<Quantity>,
    exception: Option<String>,
}

/// What the product makes of a valid transaction.
#[derive(Debug)]
struct Valid {
    hash: B256,
    sender: Address,
    intrinsic_gas: u64,
}

/// Runs the test `name` under every fork it names.
pub(crate) fn run(name: &str, json: &RawValue, tally: &mut Tally<'_>) -> Result<(), FormatError> {
    let test: TransactionTest = serde_json::from_str(json.get())?;
    let bytes = hex::decode(&test.txbytes)
        .map_err(|error| FormatError::Content(format!("txbytes: {error}")))?;
    for (fork_name, expected) in &test.result {
        let start = Instant::now();
        let verdict = match fork::named(fork_name) {
            Some(fork) => compare(expected, examine(&bytes, fork))?,
            None => Err(format!("unknown fork {fork_name}")),
        };
        let case = Case { test: name, fork: fork_name, indexes: "" };
        tally.case(case, verdict, start.elapsed());
    }
    Ok(())
}

/// Decodes a transaction, recovers its signer and offers it to a block in which its sender can pay for it.
fn examine(bytes: &[u8], fork: Fork) -> Result<Valid, String> {
    let tx = signed::decode(bytes, fork)?;
    let sender = tx.signer().map_err(|error| error.to_string())?;
    execute::validate(CHAIN_ID, fork, &tx)?;
    let intrinsic_gas = execute::intrinsic_gas(CHAIN_ID, fork, &tx)?;
    Ok(Valid { hash: tx.hash(), sender, intrinsic_gas })
}

/// Compares what came out. The outer error says that the file is at fault.
fn compare(
    expected: &Expected,
    got: Result<Valid, String>,
) -> Result<Result<(), String>, FormatError> {
    let valid = match (&expected.exception, got) {
        (Some(_), Err(_)) => return Ok(Ok(())),
        (Some(exception), Ok(_)) => {
            return Ok(Err(format!("accepted, must be refused: {exception}")));
        }
        (None, Err(reason)) => return Ok(Err(format!("refused, must be accepted: {reason}"))),
        (None, Ok(valid)) => valid,
    };
    let (Some(hash), Some(sender), Some(gas)) =
        (expected.hash, expected.sender, &expected.intrinsic_gas)
    else {
        return Err(FormatError::Content("neither exception nor hash, sender and gas".to_owned()));
    };
    let gas = gas.u64("intrinsicGas")?;
    Ok(if valid.hash != hash {
        Err(format!("hash: expected {hash}, got {}", valid.hash))
    } else if valid.sender != sender {
        Err(format!("sender: expected {sender}, got {}", valid.sender))
    } else if valid.intrinsic_gas != gas {
        Err(format!("intrinsic gas: expected {gas}, got {}", valid.intrinsic_gas))
    } else {
        Ok(())
    })
}
