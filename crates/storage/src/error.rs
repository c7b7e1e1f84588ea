use std::path::PathBuf;

use alloy_primitives::B256;
use sqlx::error::DatabaseError;

use crate::DatabaseLocation;

/// Why the database did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Another process writes this database.
    #[error("database {0} is in use by another process")]
    InUse(DatabaseLocation),
    /// The database was made for another chain.
    #[error(
        "database {location} belongs to another genesis: it holds {found}, this chain is {expected}"
    )]
    OtherGenesis {
        /// The database.
        location: DatabaseLocation,
        /// This chain's id.
        expected: B256,
        /// The id it holds.
        found: B256,
    },
    /// The database has the layout of an earlier version.
    #[error(
        "database {0} was made by an earlier version, whose journal this one cannot read: move it away, and the chain is derived \
         from L1 again"
    )]
    OldLayout(DatabaseLocation),
    /// A record does not match its checksum, does not decode, or is missing.
    #[error("database record {table} {key} is damaged: {reason}")]
    Damaged {
        /// Table.
        table: &'static str,
        /// Row.
        key: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The end of the journal is missing.
    #[error(
        "the journal of {location} ends before row {end}, but its index covers rows up to {indexed}: the journal's end is lost. If \
         that is as it should be, delete the index"
    )]
    EndMissing {
        /// The database.
        location: DatabaseLocation,
        /// Sequence after the last row.
        end: u64,
        /// Sequence after the last row that was indexed.
        indexed: u64,
    },
    /// Another process has opened the database to write since.
    #[error("epoch {0} is over: another process writes the database now, and this one must stop")]
    Fenced(u64),
    /// There is no room left.
    #[error("the database has no room left: make some, then start again ({0})")]
    Full(sqlx::Error),
    /// The disk fails.
    #[error("the database's disk fails: look at its health before starting again ({0})")]
    Io(sqlx::Error),
    /// The database's own structure is damaged.
    #[error(
        "the database's file is damaged: put a copy in its place, or move it away and have the chain derived from L1 again ({0})"
    )]
    Corrupt(sqlx::Error),
    /// The database cannot be written.
    #[error(
        "the database can only be read: check the rights on its files and its folder, or on the server ({0})"
    )]
    ReadOnly(sqlx::Error),
    /// The connection to the database is gone, and with it the right to write. What was being written may be there or not.
    #[error("the connection to the database is lost: start again ({0})")]
    Lost(sqlx::Error),
    /// A write was given up before its outcome was known.
    #[error(
        "a write was interrupted, and the journal ends at row {found} instead of {expected}: start again"
    )]
    Interrupted {
        /// Where it ended before.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// The database was closed, or opened to be read only.
    #[error("the database is closed, or open for reading only")]
    Closed,
    /// Too many reads wait already.
    #[error("the database is busy: too many reads wait already")]
    Busy,
    /// The file cannot be reached.
    #[error("database {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something is there, but no database can be opened in it.
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
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl StorageError {
    /// Whether there is no room left: once there is, the same write may succeed.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether it is not known if the write took place: only a new start tells.
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Lost(_) | Self::Interrupted { .. })
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(found) => match kind(&**found) {
                Some(kind) => kind(error),
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

/// What kind of error the engine's code stands for, if it is one that says what to do.
fn kind(error: &dyn DatabaseError) -> Option<fn(sqlx::Error) -> StorageError> {
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
