//! Methods that depend on neither state nor blocks.

use alloy_primitives::{Bytes, keccak256};
use serde_json::json;

use super::{convert::quantity, error::RpcResult, method::methods, params::Params};

methods! {
    "eth_chainId", 1, "" => |s, p| Ok(quantity(s.chain.config.chain_id));
    "eth_syncing", 1, "always false: the node never syncs" => |s, p| Ok(false.into());
    "eth_mining", 1, "always false" => |s, p| Ok(false.into());
    "eth_accounts", 1, "always empty: no keys are kept" => |s, p| Ok(json!([]));
    "net_version", 1, "the chain id" => |s, p| Ok(s.chain.config.chain_id.to_string().into());
    "net_listening", 1, "" => |s, p| Ok(true.into());
    "net_peerCount", 1, "always 0: there is no peer-to-peer network" => |s, p| Ok(quantity(0));
    "web3_clientVersion", 1, "" => |s, p| Ok(concat!("turnpike/", env!("CARGO_PKG_VERSION")).into());
    "web3_sha3", 1, "" => |s, p| sha3(p);
}

fn sha3(mut params: Params) -> RpcResult {
    Ok(json!(keccak256(params.next::<Bytes>()?)))
}
