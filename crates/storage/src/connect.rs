//! Connections to SQLite files and PostgreSQL servers. Every difference between the two is here.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions as _, Executor as _, Row as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};

use crate::{DatabaseLocation, StorageError};

/// Maximum connections in a pool of readers.
const READERS_MAX: u32 = 8;

/// Attempts to get a server's lock. A server notices the end of the last writer only after a
/// moment.
const LOCK_ATTEMPTS: u32 = 20;

/// Time between the attempts.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// First half of the advisory lock's key. The second half is a hash of the schema's name.
const LOCK_CLASS: i32 = 0x7475_726e;

/// Settings of a SQLite connection that writes the journal.
const JOURNAL_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";

/// Settings of a SQLite connection that writes the index. The cache (64 MiB) holds the inner pages
/// of the B-trees. The default checkpoint interval stays: frequent small checkpoints, because
/// appends to the journal share the disk.
const INDEX_PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -65536";

/// Settings of a SQLite connection that reads. It may have to wait for the writer's checkpoint.
const READER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000";

/// Settings of a PostgreSQL session that writes. The server notices a vanished client within 30 s.
const SESSION_SETTINGS: &str =
    "SET synchronous_commit = on; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
     SET tcp_keepalives_count = 4";

/// A part of a database. On SQLite each part is a file, on PostgreSQL both share a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabasePart {
    /// Ground truth: journal and outbox.
    Journal,
    /// Tables derived from the journal.
    Index,
}

impl DatabaseLocation {
    /// Path of the SQLite file that holds a part.
    fn part(&self, part: DatabasePart) -> Option<PathBuf> {
        let path = self.file()?;
        Some(match part {
            DatabasePart::Journal => path.into(),
            DatabasePart::Index => path.with_extension("index.db"),
        })
    }

    /// Whether both parts share a database: true on PostgreSQL.
    pub(crate) fn is_one(&self) -> bool {
        self.file().is_none()
    }

    /// Clause that locks a selected row. SQLite has one writer at a time and needs none.
    pub(crate) fn row_lock(&self) -> &'static str {
        if self.is_one() { "FOR SHARE" } else { "" }
    }

    fn options(&self, part: DatabasePart, mode: &str) -> Result<AnyConnectOptions, StorageError> {
        install_default_drivers();
        let url = match (self.part(part), self.url()) {
            (Some(path), _) => {
                let path = std::path::absolute(&path)
                    .map_err(|source| StorageError::File { path: path.clone(), source })?;
                format!("sqlite://{}?mode={mode}", escaped(&path))
            }
            (None, url) => url.unwrap_or_default().into(),
        };
        AnyConnectOptions::from_str(&url).map_err(|error| self.unusable(error))
    }

    /// Opens a connection that writes a part, and creates the file if it does not exist.
    pub(crate) async fn connect(&self, part: DatabasePart) -> Result<AnyConnection, StorageError> {
        let options = self.options(part, "rwc")?;
        let settings = match (self.is_one(), part) {
            (true, _) => SESSION_SETTINGS,
            (false, DatabasePart::Journal) => JOURNAL_PRAGMAS,
            (false, DatabasePart::Index) => INDEX_PRAGMAS,
        };
        let connected = async {
            let mut connection = options.connect().await?;
            connection.execute(settings).await?;
            Ok(connection)
        };
        connected.await.map_err(|error| self.unusable(error))
    }

    /// Opens connections that read a part. A read fails if none is free within `wait`.
    pub(crate) async fn readers(
        &self,
        part: DatabasePart,
        wait: Duration,
    ) -> Result<AnyPool, StorageError> {
        let is_file = !self.is_one();
        AnyPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(wait)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_file {
                        connection.execute(READER_PRAGMAS).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(self.options(part, "ro")?)
            .await
            .map_err(|error| self.unusable(error))
    }

    /// Locks the SQLite file for this process and creates its folder. `None` on PostgreSQL.
    pub(crate) fn lock_file(&self) -> Result<Option<File>, StorageError> {
        let Some(path) = self.file() else { return Ok(None) };
        let file_error = |path: PathBuf| move |source| StorageError::File { path, source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(file_error(folder.into()))?;
        }
        let lock_path = path.with_extension("lock");
        let file = File::create(&lock_path).map_err(file_error(lock_path.clone()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(StorageError::InUse(self.clone())),
            Err(TryLockError::Error(source)) => Err(StorageError::File { path: lock_path, source }),
        }
    }

    /// Locks the PostgreSQL schema for as long as this connection lives. Does nothing on SQLite.
    pub(crate) async fn lock_session(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<(), StorageError> {
        if !self.is_one() {
            return Ok(());
        }
        for attempt in 1..=LOCK_ATTEMPTS {
            let row = sqlx::query("SELECT pg_try_advisory_lock($1, hashtext(current_schema()))")
                .bind(LOCK_CLASS)
                .fetch_one(&mut *connection)
                .await?;
            match row.try_get::<Option<bool>, _>(0)? {
                Some(true) => return Ok(()),
                Some(false) => {}
                None => {
                    let reason = "there is no such schema".into();
                    return Err(StorageError::Unusable { location: self.clone(), reason });
                }
            }
            if attempt < LOCK_ATTEMPTS {
                tokio::time::sleep(LOCK_INTERVAL).await;
            }
        }
        Err(StorageError::InUse(self.clone()))
    }

    /// Refuses a SQLite file of an early version, which kept the index's tables beside the journal.
    pub(crate) async fn check_layout(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<(), StorageError> {
        if self.is_one() {
            return Ok(());
        }
        let found = sqlx::query("SELECT name FROM sqlite_master WHERE name = 'reorganisations'")
            .fetch_optional(connection)
            .await
            .map_err(|error| self.unusable(error))?;
        if found.is_some() { Err(StorageError::OldLayout(self.clone())) } else { Ok(()) }
    }

    /// Converts an error of opening into one that names the database.
    pub(crate) fn unusable(&self, error: sqlx::Error) -> StorageError {
        let reason = error
            .as_database_error()
            .map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match StorageError::from(error) {
            corrupt @ StorageError::Corrupt(_) => corrupt,
            _ => StorageError::Unusable { location: self.clone(), reason },
        }
    }
}

/// Percent-encodes a path for a URL.
fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02x}")),
        }
    }
    text
}
