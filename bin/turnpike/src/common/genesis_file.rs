use std::path::Path;

use anyhow::Context as _;
use turnpike_executor::Chain;
use turnpike_protocol::{Genesis, OutputRoot};

use super::to_json;

/// Reads and validates a genesis file.
pub(crate) fn read_genesis(path: &Path) -> anyhow::Result<Genesis> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the genesis file {}", path.display()))?;
    let genesis: Genesis = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a genesis file", path.display()))?;
    genesis.validate()?;
    Ok(genesis)
}

/// Writes a genesis file atomically.
pub(crate) fn write_genesis(path: &Path, genesis: &Genesis) -> anyhow::Result<()> {
    let draft = path.with_extension("json.draft");
    std::fs::write(&draft, to_json(genesis)? + "\n")
        .and_then(|()| std::fs::rename(&draft, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The preimage of the output root after the genesis block.
pub(crate) fn genesis_output(genesis: &Genesis) -> OutputRoot {
    Chain::from_genesis(genesis).head().output
}
