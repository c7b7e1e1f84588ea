//! Cases that are known to fail, one by one, each with its reason. One that passes after all is a failure, and so is
//! one that fails otherwise than its reason has it.

use crate::tally::Case;

/// Why a case fails and that is right.
#[derive(Debug)]
pub(crate) struct Reason {
    /// Why it is right.
    pub(crate) text: &'static str,
    /// What the failure must say.
    pub(crate) failure: &'static str,
}

const COLLISION: Reason = Reason {
    text: "creates a contract where an account has storage but neither nonce nor code (EIP-7610): no transaction can \
           make such an account, and revm does not look for one",
    failure: "state root: ",
};

const PRICE: Reason = Reason {
    text: "a price of 2^128 wei per gas and more is not decoded: all ether there is could not pay for it",
    failure: "rlp: ",
};

const KEY: Reason =
    Reason { text: "the state's tries have 32-byte keys", failure: "a key is not 32 bytes long" };

const NEIGHBOURS: Reason = Reason {
    text: "the state's tries are not asked for the neighbours of a key",
    failure: "asks for the neighbours of a key",
};

/// Suite, file, test, fork (empty where forks make no difference), indexes (empty if there is but one variant).
type Name = [&'static str; 5];

#[rustfmt::skip] // one case a line
const EXPECTED: &[(&Reason, Name)] = &[
    (&COLLISION, ["GeneralStateTests/stExtCodeHash", "dynamicAccountOverwriteEmpty_Paris.json", "dynamicAccountOverwriteEmpty_Paris", "Cancun", "d0g0v0"]),
    (&COLLISION, ["GeneralStateTests/stSStoreTest", "InitCollisionParis.json", "InitCollisionParis", "Cancun", "d0g0v0"]),
    (&COLLISION, ["GeneralStateTests/stSStoreTest", "InitCollisionParis.json", "InitCollisionParis", "Cancun", "d1g0v0"]),
    (&COLLISION, ["GeneralStateTests/stSStoreTest", "InitCollisionParis.json", "InitCollisionParis", "Cancun", "d2g0v0"]),
    (&COLLISION, ["GeneralStateTests/stSStoreTest", "InitCollisionParis.json", "InitCollisionParis", "Cancun", "d3g0v0"]),
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

/// Why this case fails; `None` if it must pass.
pub(crate) fn reason(suite: &str, file: &str, case: &Case<'_>) -> Option<&'static Reason> {
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
