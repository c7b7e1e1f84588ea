//! All methods, by name.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    call, chain, error::RpcError, eth, filter, gas, logs, method::Method, optimism, otterscan,
    pool, raw, send, simulate, subscribe, trace,
};

/// Cost of an unknown method.
const UNKNOWN_METHOD_COST: u32 = 1;

/// All methods, by module.
const ALL: &[&[Method]] = &[
    call::METHODS,
    chain::METHODS,
    eth::METHODS,
    filter::METHODS,
    gas::METHODS,
    logs::METHODS,
    optimism::METHODS,
    otterscan::METHODS,
    pool::METHODS,
    raw::METHODS,
    send::METHODS,
    simulate::METHODS,
    subscribe::METHODS,
    trace::METHODS,
];

/// All methods, by name.
static BY_NAME: LazyLock<HashMap<&str, &Method>> =
    LazyLock::new(|| ALL.iter().copied().flatten().map(|method| (method.name, method)).collect());

/// The method with this name.
pub(super) fn find(name: &str) -> Result<&'static Method, RpcError> {
    BY_NAME.get(name).copied().ok_or_else(|| RpcError::unknown_method(name))
}

/// Units that a call of this method costs the client.
pub(super) fn cost(name: &str) -> u32 {
    BY_NAME.get(name).map_or(UNKNOWN_METHOD_COST, |method| method.cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected content of `rpc-methods.md`.
    fn table() -> String {
        let mut methods: Vec<_> = ALL.iter().copied().flatten().collect();
        methods.sort_by_key(|method| method.name);
        let mut table =
            String::from("| method | cost | difference from other nodes |\n|---|---|---|\n");
        for Method { name, cost, about, .. } in methods {
            table.push_str(&format!("| `{name}` | {cost} | {about} |\n"));
        }
        table
    }

    #[test]
    fn documented_table_lists_every_method() {
        crate::documented_table::assert_documented("rpc-methods.md", &table());
    }

    #[test]
    fn method_names_are_unique() {
        assert_eq!(BY_NAME.len(), ALL.iter().map(|methods| methods.len()).sum::<usize>());
    }
}
