//! Why a database operation failed, and whether retrying or restarting helps.

use std::path::PathBuf;

use alloy_primitives::B256;
use sqlx::error::DatabaseError;

use crate::DatabaseLocation;

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process writes this database.
    #[error("database {0} is in use by another process")]
    InUse(DatabaseLocation),
    /// The database belongs to another chain.
    #[error(
        "database {location} belongs to another genesis: it holds {found}, this chain is {expected}"
    )]
    OtherGenesis {
        /// The database.
        location: DatabaseLocation,
        /// This chain's id.
        expected: B256,
        /// The chain id in the database.
        found: B256,
    },
    /// An early version created the database, with a layout that cannot be migrated.
    #[error(
        "database {0} was made by an earlier version whose journal this one cannot read: move the file away, and the chain is \
         derived from L1 again"
    )]
    OldLayout(DatabaseLocation),
    /// A record does not match its checksum, does not decode, or is missing.
    #[error("database record {table} {key} is damaged: {reason}")]
    Damaged {
        /// Table.
        table: &'static str,
        /// Row.
        key: u64,
        /// What is wrong with the row.
        reason: String,
    },
    /// The journal ends before rows that the index covers.
    #[error(
        "the journal of {location} ends before row {end}, but its index covers rows up to {indexed}: the journal's end is lost. If \
         that is as it should be, delete the index"
    )]
    EndMissing {
        /// The database.
        location: DatabaseLocation,
        /// Sequence after the last row.
        end: u64,
        /// Sequence after the last indexed row.
        indexed: u64,
    },
    /// Another process has opened the database for writing.
    #[error("epoch {0} is over: another process writes the database now, and this one must stop")]
    Fenced(u64),
    /// The disk is full. The write did not take place.
    #[error("the database has no room left: free disk space, then restart ({0})")]
    Full(sqlx::Error),
    /// The disk failed. The write may have taken place.
    #[error("the database's disk failed: check it before restarting ({0})")]
    Io(sqlx::Error),
    /// The database file's own structure is damaged.
    #[error(
        "the database file is damaged: restore a copy, or move it away and the chain is derived from L1 again ({0})"
    )]
    Corrupt(sqlx::Error),
    /// The database cannot be written.
    #[error(
        "the database is read-only: check the permissions of its files and folder, or on the server ({0})"
    )]
    ReadOnly(sqlx::Error),
    /// The connection is lost, and with it the lock. A write in progress may have taken place.
    #[error("the connection to the database is lost: restart ({0})")]
    Lost(sqlx::Error),
    /// An interrupted write took place after all.
    #[error(
        "an interrupted write took place: the journal ends at row {found} instead of {expected}: restart"
    )]
    Interrupted {
        /// Where the journal ended before.
        expected: u64,
        /// Where it ends now.
        found: u64,
    },
    /// The database was closed, or opened for reading.
    #[error("the database is closed, or open for reading only")]
    Closed,
    /// No connection became free in time.
    #[error("the database is busy: too many reads are waiting")]
    Busy,
    /// The file cannot be reached.
    #[error("database {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The location exists, but no database can be opened there.
    #[error("database {location}: {reason}")]
    Unusable {
        /// The database.
        location: DatabaseLocation,
        /// Why.
        reason: String,
    },
    /// The database engine failed.
    #[error("database: {0}")]
    Sql(sqlx::Error),
    /// Migrating the schema failed.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl StorageError {
    /// Whether the disk is full: the same write may succeed once there is room.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether the write may have taken place. Only a restart can tell.
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Lost(_) | Self::Interrupted { .. })
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(found) => match variant_of(&**found) {
                Some(variant) => variant(error),
                None => Self::Sql(error),
            },
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
                Self::Lost(error)
            }
            _ => Self::Sql(error),
        }
    }
}

/// Maps the engine's error code to the variant that describes the remedy, if there is one.
fn variant_of(error: &dyn DatabaseError) -> Option<fn(sqlx::Error) -> StorageError> {
    let code = error.code()?;
    let is_sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
    if is_sqlite { of_sqlite(code.parse().ok()?) } else { of_postgres(&code) }
}

/// <https://www.sqlite.org/rescode.html>: the lower byte is the primary code.
fn of_sqlite(code: u32) -> Option<fn(sqlx::Error) -> StorageError> {
    const READ_ONLY: u32 = 8;
    const IO: u32 = 10;
    const CORRUPT: u32 = 11;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    match code & 0xff {
        READ_ONLY => Some(StorageError::ReadOnly),
        IO | CANNOT_OPEN => Some(StorageError::Io),
        CORRUPT => Some(StorageError::Corrupt),
        FULL => Some(StorageError::Full),
        _ => None,
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str) -> Option<fn(sqlx::Error) -> StorageError> {
    match code {
        "53100" => Some(StorageError::Full),
        "58030" => Some(StorageError::Io),
        "XX001" | "XX002" => Some(StorageError::Corrupt),
        "25006" | "42501" => Some(StorageError::ReadOnly),
        _ if code.starts_with("57P") || code.starts_with("08") => Some(StorageError::Lost),
        _ => None,
    }
}
