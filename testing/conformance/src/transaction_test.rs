//! Transaction tests: for each fork, whether bytes are a valid transaction, and its hash, sender
//! and gas.

use std::{collections::BTreeMap, time::Instant};

use alloy_primitives::{Address, B256, hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    case::Case,
    error::FormatError,
    execute::{self, Fork},
    fork,
    quantity::Quantity,
    signed,
    tally::Tally,
};

/// Chain id of the transactions.
const CHAIN_ID: u64 = 1;

/// A test of the `TransactionTests` of ethereum/tests.
#[derive(Debug, Deserialize)]
struct TransactionTest {
    txbytes: String,
    /// By name of the fork.
    result: BTreeMap<String, ExpectedResult>,
}

/// The expected outcome: hash, sender and gas of a valid transaction, or an exception.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExpectedResult {
    hash: Option<B256>,
    sender: Option<Address>,
    intrinsic_gas: Option<Quantity>,
    exception: Option<String>,
}

/// What the product reports about a valid transaction.
#[derive(Debug)]
struct ValidTransaction {
    hash: B256,
    sender: Address,
    intrinsic_gas: u64,
}

/// Runs the test `name` under every fork that it names.
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

/// Decodes a transaction, recovers its signer and offers it to a block in which its sender is rich.
fn examine(bytes: &[u8], fork: Fork) -> Result<ValidTransaction, String> {
    let tx = signed::decode(bytes, fork)?;
    let sender = tx.signer().map_err(|error| error.to_string())?;
    execute::validate(CHAIN_ID, fork, &tx)?;
    let intrinsic_gas = execute::intrinsic_gas(CHAIN_ID, fork, &tx)?;
    Ok(ValidTransaction { hash: tx.hash(), sender, intrinsic_gas })
}

/// Compares the outcome with the expected one. The outer error means that the file is malformed.
fn compare(
    expected: &ExpectedResult,
    got: Result<ValidTransaction, String>,
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
