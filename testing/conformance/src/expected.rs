//! Lists every case that is expected to fail, with the reason. A listed case that passes counts as
//! a failure, and so does one that fails with another message than listed.

use crate::case::Case;

/// Why a case is expected to fail.
#[derive(Debug)]
pub(crate) struct ExpectedFailure {
    /// Why the failure is correct.
    pub(crate) text: &'static str,
    /// Text that the failure message must contain.
    pub(crate) failure: &'static str,
}

const PRICE: ExpectedFailure = ExpectedFailure {
    text: "a gas price of 2^128 wei or more is not decoded: the total supply of ether could not pay it",
    failure: "rlp: ",
};

const KEY: ExpectedFailure = ExpectedFailure {
    text: "the state's tries take 32-byte keys only",
    failure: "a key is not 32 bytes long",
};

const NEIGHBOURS: ExpectedFailure = ExpectedFailure {
    text: "the state's tries do not search for neighbouring keys",
    failure: "asks for the neighbours of a key",
};

/// Suite, file, test, fork (empty if the test has none), indexes (empty if there is one variant
/// only).
type CaseName = [&'static str; 5];

#[rustfmt::skip] // one case a line
const EXPECTED: &[(&ExpectedFailure, CaseName)] = &[
    (&PRICE, ["TransactionTests/ttEIP1559", "GasLimitPriceProductOverflowtMinusOne.json", "GasLimitPriceProductOverflowtMinusOne", "Cancun", ""]),
    (&PRICE, ["TransactionTests/ttEIP1559", "GasLimitPriceProductOverflowtMinusOne.json", "GasLimitPriceProductOverflowtMinusOne", "London", ""]),
    (&PRICE, ["TransactionTests/ttEIP1559", "GasLimitPriceProductOverflowtMinusOne.json", "GasLimitPriceProductOverflowtMinusOne", "Paris", ""]),
    (&PRICE, ["TransactionTests/ttEIP1559", "GasLimitPriceProductOverflowtMinusOne.json", "GasLimitPriceProductOverflowtMinusOne", "Shanghai", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Berlin", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Byzantium", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Cancun", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Constantinople", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "ConstantinopleFix", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "EIP150", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "EIP158", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Frontier", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Homestead", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Istanbul", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "London", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Paris", ""]),
    (&PRICE, ["TransactionTests/ttGasPrice", "TransactionWithHighGasPrice.json", "TransactionWithHighGasPrice", "Shanghai", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Berlin", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Byzantium", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Cancun", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Constantinople", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "ConstantinopleFix", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "EIP158", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Istanbul", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "London", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Paris", ""]),
    (&PRICE, ["TransactionTests/ttVValue", "V_equals38.json", "V_equals38", "Shanghai", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "dogs", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "foo", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "hex", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "puppy", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "singleItem", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "smallValues", "", ""]),
    (&KEY, ["TrieTests", "trieanyorder.json", "testy", "", ""]),
    (&KEY, ["TrieTests", "trietest.json", "branch-value-update", "", ""]),
    (&KEY, ["TrieTests", "trietest.json", "branchingTests", "", ""]),
    (&KEY, ["TrieTests", "trietest.json", "emptyValues", "", ""]),
    (&KEY, ["TrieTests", "trietest.json", "insert-middle-leaf", "", ""]),
    (&NEIGHBOURS, ["TrieTests", "trietestnextprev.json", "basic", "", ""]),
];

/// The expected failure of this case; `None` if it must pass.
pub(crate) fn failure_of(
    suite: &str,
    file: &str,
    case: &Case<'_>,
) -> Option<&'static ExpectedFailure> {
    let name = [suite, file, case.test, case.fork, case.indexes];
    EXPECTED.iter().find(|(_, expected)| *expected == name).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_case_is_listed_twice() {
        for (index, (_, name)) in EXPECTED.iter().enumerate() {
            assert!(EXPECTED[..index].iter().all(|(_, other)| other != name), "{name:?}");
        }
    }
}
