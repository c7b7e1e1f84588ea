//! Rebuilds the index from the journal.

use std::path::PathBuf;

use serde::Serialize;
use tokio::task::block_in_place;
use turnpike_executor::{Chain, EngineConfig};
use turnpike_protocol::Genesis;
use turnpike_storage::{Database, DatabaseLocation, genesis_id};

use turnpike_sequencer::{
    restore::{TailPolicy, restore_with},
    sealed::genesis_record,
};

/// The result of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// Rows of the journal.
    pub rows: u64,
    /// Newest block in the index.
    pub head: u64,
}

/// Deletes the index and rebuilds it by executing the journal from genesis. Fails if another
/// process writes the database. The next start or the next rebuild finishes an interrupted one.
pub async fn rebuild(
    genesis: &Genesis,
    location: &DatabaseLocation,
    checkpoints: PathBuf,
    execution: EngineConfig,
) -> anyhow::Result<Rebuilt> {
    let database = Database::open(location, genesis_id(genesis)).await?;
    let chain = block_in_place(|| Chain::from_genesis(genesis));
    let genesis_block = genesis_record(&chain);
    database.clear_index().await?;
    database.record_genesis(&chain.head().hash(), &genesis_block).await?;
    let restored =
        restore_with(chain, &database, &checkpoints, execution, TailPolicy::Keep).await?;
    restored.checkpoints.finish().await;
    let rows = database.journal_end().await?;
    let head = database.head_block().await?.unwrap_or(0);
    database.close().await;
    Ok(Rebuilt { rows, head })
}
