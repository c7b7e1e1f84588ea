use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{B256, keccak256};
use sqlx::{
    Row as _,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};
use turnpike_protocol::Genesis;

use crate::StorageError;

/// Connections that read at the same time.
const READERS_MAX: u32 = 8;

/// How long a reader waits for the writer's checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A role's database.
#[derive(Debug)]
pub struct Database {
    pub(crate) readers: SqlitePool,
    pub(crate) writer: Option<SqlitePool>,
    /// Held for as long as this process writes the file.
    _lock: Option<File>,
}

/// What ties a database to a chain: the hash of its genesis file, L1 contracts included.
pub fn genesis_id(genesis: &Genesis) -> B256 {
    // The genesis holds ordered maps only, so its JSON is canonical.
    keccak256(serde_json::to_vec(genesis).expect("invariant: a genesis is JSON"))
}

impl Database {
    /// Opens the role's own database to write it, and creates it if it is not there.
    pub async fn open(path: &Path, chain: B256) -> Result<Self, StorageError> {
        let lock = lock(path)?;
        let options = options(path).create_if_missing(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(unusable(path))?;
        sqlx::migrate!("../migrations").run(&writer).await?;
        let readers = readers(path).await?;
        let database = Self { readers, writer: Some(writer), _lock: Some(lock) };
        database.check_chain(path, chain).await?;
        Ok(database)
    }

    /// Opens another role's database to read it.
    pub async fn open_read_only(path: &Path, chain: B256) -> Result<Self, StorageError> {
        let database = Self { readers: readers(path).await?, writer: None, _lock: None };
        database.check_chain(path, chain).await?;
        Ok(database)
    }

    /// Lets the last transaction finish and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        self.writer.as_ref().expect("invariant: only the owner of a database writes it")
    }

    async fn check_chain(&self, path: &Path, expected: B256) -> Result<(), StorageError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = 'chain'")
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else {
            if let Some(writer) = &self.writer {
                sqlx::query("INSERT INTO meta (name, value) VALUES ('chain', $1)")
                    .bind(expected.as_slice())
                    .execute(writer)
                    .await?;
            }
            return Ok(());
        };
        let found = B256::right_padding_from(row.try_get::<&[u8], _>(0)?);
        if found != expected {
            return Err(StorageError::OtherGenesis { path: path.into(), expected, found });
        }
        Ok(())
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}

async fn readers(path: &Path) -> Result<SqlitePool, StorageError> {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .connect_with(options(path).read_only(true))
        .await
        .map_err(unusable(path))
}

fn unusable(path: &Path) -> impl Fn(sqlx::Error) -> StorageError + '_ {
    |error| StorageError::Unusable {
        path: path.into(),
        reason: error
            .as_database_error()
            .map_or_else(|| error.to_string(), |e| e.message().to_owned()),
    }
}

fn lock(path: &Path) -> Result<File, StorageError> {
    let file_error = |path: PathBuf| move |source| StorageError::File { path, source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(file_error(folder.into()))?;
    }
    let lock_path = path.with_extension("lock");
    let file = File::create(&lock_path).map_err(file_error(lock_path.clone()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse(path.into())),
        Err(TryLockError::Error(source)) => Err(StorageError::File { path: lock_path, source }),
    }
}
