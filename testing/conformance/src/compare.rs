//! Compares two executions of the same block: results, skipped transactions and state diff.

use turnpike_executor::{BlockTransaction, Executed, Included};

/// Compares an execution of a block with the reference executor's. The error names the first
/// difference.
pub(crate) fn compare<T: BlockTransaction>(
    mut expected: Executed<T>,
    got: &mut Executed<T>,
) -> Result<(), String> {
    if expected.skipped != got.skipped {
        let places = |executed: &Executed<T>| -> Vec<_> {
            executed.skipped.iter().map(|s| (s.index, s.reason.to_string())).collect()
        };
        let (expected, got) = (places(&expected), places(got));
        return Err(format!("skipped: expected {expected:?}, got {got:?}"));
    }
    let results = |executed: &Executed<T>| -> Vec<_> {
        let result = |included: &Included<T>| {
            let Included { tx, sender, nonce, is_success, gas_used, logs, l1_fee } = included;
            (tx.hash(), *sender, *nonce, *is_success, *gas_used, logs.clone(), *l1_fee)
        };
        executed.transactions.iter().map(result).collect()
    };
    let (expected_results, got_results) = (results(&expected), results(got));
    let differs = |(expected, got): &(_, _)| expected != got;
    if let Some((expected, got)) = expected_results.iter().zip(&got_results).find(differs) {
        return Err(format!("included: expected {expected:?}, got {got:?}"));
    }
    if expected_results.len() != got_results.len() {
        let (expected, got) = (expected_results.len(), got_results.len());
        return Err(format!("included: expected {expected}, got {got}"));
    }
    expected.diff().sort();
    got.diff().sort();
    if expected.diff() != got.diff() {
        let (expected, got) = (expected.diff(), got.diff());
        let accounts = expected.accounts.iter().zip(&got.accounts);
        let different = accounts.into_iter().find(|(expected, got)| expected != got);
        return Err(format!("state: expected and got {different:?}"));
    }
    Ok(())
}
