//! Creation code of contracts, as their authors published them on npm.

use std::path::{Path, PathBuf};

use alloy_primitives::{Bytes, hex};
use anyhow::{Context as _, bail};
use serde_json::Value;

/// `OpenZeppelin`'s ERC-20 with a fixed supply.
pub const ERC20: &str = "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json";

/// Wrapped ether.
pub const WETH: &str = "@uniswap/v2-periphery/build/WETH9.json";

/// Uniswap v2's factory of pools.
pub const UNISWAP_V2_FACTORY: &str = "@uniswap/v2-core/build/UniswapV2Factory.json";

/// Uniswap v2's router, which swaps and adds liquidity.
pub const UNISWAP_V2_ROUTER: &str = "@uniswap/v2-periphery/build/UniswapV2Router02.json";

/// Reads a contract's creation code from an artefact, given by its path inside `node_modules`.
pub fn creation_code(path: &str) -> anyhow::Result<Bytes> {
    let file = node_modules()?.join(path);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("no contract at {}: run `make tools`", file.display()))?;
    let artefact: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not an artefact", file.display()))?;
    // solc nests the bytecode; Hardhat and Truffle do not.
    let code = artefact.pointer("/evm/bytecode/object").or_else(|| artefact.get("bytecode"));
    let code = code.and_then(Value::as_str);
    let code = code.with_context(|| format!("{} has no bytecode", file.display()))?;
    Ok(hex::decode(code)
        .with_context(|| format!("bytecode in {} is not hex", file.display()))?
        .into())
}

/// The nearest `node_modules`, from the working directory upwards.
fn node_modules() -> anyhow::Result<PathBuf> {
    let start = std::env::current_dir().context("no working directory")?;
    match start.ancestors().map(|dir| dir.join("node_modules")).find(|dir| Path::is_dir(dir)) {
        Some(found) => Ok(found),
        None => bail!("no node_modules above {}: run `make tools`", start.display()),
    }
}
