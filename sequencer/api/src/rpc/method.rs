use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use futures_util::future::BoxFuture;

use super::{
    RpcResult, call, chain, error::RpcError, eth, filter, gas, logs, optimism, otterscan,
    params::Params, pool, raw, send, simulate, subscribe, trace,
};
use crate::context::ApiContext;

/// The function that answers a method.
type Run = fn(Arc<ApiContext>, Params) -> BoxFuture<'static, RpcResult>;

/// A method that clients may call.
pub(super) struct Method {
    pub(super) name: &'static str,
    /// Units that a call costs the client. A read by key costs 1.
    pub(super) cost: u32,
    /// How the method differs from other nodes' methods.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the published table shows it"))]
    pub(super) about: &'static str,
    pub(super) run: Run,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("name", &self.name).field("cost", &self.cost).finish()
    }
}

/// Declares the methods of a module: `"name", cost, "difference" => |context, params| answer;`.
macro_rules! methods {
    ($($name:literal, $cost:literal, $about:literal => |$context:ident, $params:ident| $answer:expr;)*) => {
        /// The methods of this module.
        pub(super) const METHODS: &[$crate::rpc::method::Method] = &[$(
            $crate::rpc::method::Method {
                name: $name,
                cost: $cost,
                about: $about,
                run: |context, params| {
                    Box::pin(async move {
                        #[allow(unused_mut, unused_variables)]
                        let (mut $params, $context) = (params, &context);
                        $answer
                    })
                },
            },
        )*];
    };
}
pub(super) use methods;

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
