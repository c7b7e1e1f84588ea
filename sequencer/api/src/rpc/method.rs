//! A method, and the macro that declares a module's methods.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::{error::RpcResult, params::Params};
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
