use std::path::PathBuf;

use alloy_primitives::B256;

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process writes this database.
    #[error("database {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The database was made for another chain.
    #[error(
        "database {} belongs to another genesis: it holds {found}, this chain is {expected}",
        path.display()
    )]
    OtherGenesis {
        /// The file.
        path: PathBuf,
        /// This chain's id.
        expected: B256,
        /// The id it holds.
        found: B256,
    },
    /// A record does not match its checksum or does not decode.
    #[error("database record {table} {key} is damaged: {reason}")]
    Damaged {
        /// Table.
        table: &'static str,
        /// Row.
        key: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be reached.
    #[error("database {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there, but no database can be opened in it.
    #[error("database {}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The database engine failed.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
