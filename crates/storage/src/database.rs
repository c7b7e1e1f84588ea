//! A role's database: who may write it, and the connections that read and write it.
//!
//! A database has one writer. On SQLite a lock file guards it, on PostgreSQL an advisory lock of
//! the writer's session. If a lock is lost unnoticed, the epoch still fences the old writer: see
//! the journal.

use std::{fs::File, time::Duration};

use alloy_primitives::{B256, keccak256};
use sqlx::{AnyConnection, AnyPool, Connection as _, Row as _};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use turnpike_protocol::Genesis;

use crate::{
    DatabaseLocation, StorageError,
    connect::DatabasePart,
    journal::JournalWriter,
    migrations::{INDEX, JOURNAL, migrate},
    sql::unsigned,
};

/// Maximum time that the node's own reads wait for a connection.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Maximum time that clients' reads wait for a connection.
const CLIENT_WAIT_MAX: Duration = Duration::from_secs(10);

/// A role's database: journal and outbox, and for a sequencer or replica the index.
#[derive(Debug)]
pub struct Database {
    pub(crate) location: DatabaseLocation,
    pub(crate) chain: B256,
    /// Connections that read journal and outbox.
    pub(crate) readers: AnyPool,
    /// The connection that writes journal and outbox; `None` if closed or opened for reading.
    writer: Mutex<Option<JournalWriter>>,
    index: Option<IndexDatabase>,
    /// Lock file of the SQLite file, held while this process may write.
    lock: Mutex<Option<File>>,
}

/// The tables derived from the journal.
#[derive(Debug)]
pub(crate) struct IndexDatabase {
    pub(crate) readers: AnyPool,
    writer: Mutex<Option<AnyConnection>>,
    /// The writer's epoch; 0 if opened for reading.
    pub(crate) epoch: u64,
}

/// The id that ties a database to a chain: the hash of its genesis file, L1 contracts included.
pub fn genesis_id(genesis: &Genesis) -> B256 {
    // The genesis holds ordered maps only, so its JSON is canonical.
    keccak256(serde_json::to_vec(genesis).expect("invariant: a genesis serializes to JSON"))
}

impl Database {
    /// Opens a sequencer's or a replica's own database for writing, and creates it if it does not
    /// exist. Begins a new epoch, which fences every earlier writer.
    pub async fn open(location: &DatabaseLocation, chain: B256) -> Result<Self, StorageError> {
        let mut database = Self::open_plain(location, chain).await?;
        let mut writer = location.connect(DatabasePart::Index).await?;
        migrate(INDEX, &mut writer).await?;
        let (epoch, end) = {
            let main = database.writer().await?;
            (main.epoch(), main.end())
        };
        let row = sqlx::query("UPDATE index_cursor SET epoch = $1 RETURNING sequence")
            .bind(crate::sql::signed(epoch))
            .fetch_one(&mut writer)
            .await?;
        let indexed = unsigned(row.try_get(0)?);
        if indexed > end {
            return Err(StorageError::EndMissing { location: location.clone(), end, indexed });
        }
        let readers = database.readers_of(DatabasePart::Index, WAIT_MAX).await?;
        database.index = Some(IndexDatabase { readers, writer: Mutex::new(Some(writer)), epoch });
        Ok(database)
    }

    /// Opens a database that another process writes, for reading.
    pub async fn open_read_only(
        location: &DatabaseLocation,
        chain: B256,
    ) -> Result<Self, StorageError> {
        Self::open_readers(location, chain, WAIT_MAX).await
    }

    async fn open_readers(
        location: &DatabaseLocation,
        chain: B256,
        wait: Duration,
    ) -> Result<Self, StorageError> {
        let mut database = Self {
            location: location.clone(),
            chain,
            readers: location.readers(DatabasePart::Journal, wait).await?,
            writer: Mutex::new(None),
            index: None,
            lock: Mutex::new(None),
        };
        let found = chain_of(&database.readers).await.map_err(|error| location.unusable(error))?;
        check_chain(location, chain, found)?;
        let readers = database.readers_of(DatabasePart::Index, wait).await?;
        database.index = Some(IndexDatabase { readers, writer: Mutex::new(None), epoch: 0 });
        Ok(database)
    }

    /// Opens a database without an index, a batcher's or a challenger's own, for writing.
    pub async fn open_plain(
        location: &DatabaseLocation,
        chain: B256,
    ) -> Result<Self, StorageError> {
        let lock = location.lock_file()?;
        let mut connection = location.connect(DatabasePart::Journal).await?;
        location.check_layout(&mut connection).await?;
        location.lock_session(&mut connection).await?;
        migrate(JOURNAL, &mut connection).await?;
        match chain_of(&mut connection).await? {
            None => {
                sqlx::query("INSERT INTO meta (name, value) VALUES ('chain', $1)")
                    .bind(chain.as_slice())
                    .execute(&mut connection)
                    .await?;
            }
            found => check_chain(location, chain, found)?,
        }
        let readers = location.readers(DatabasePart::Journal, WAIT_MAX).await?;
        let writer = JournalWriter::begin(connection, location, chain).await?;
        Ok(Self {
            location: location.clone(),
            chain,
            readers,
            writer: Mutex::new(Some(writer)),
            index: None,
            lock: Mutex::new(lock),
        })
    }

    /// Opens the same database for clients' reads, with connections of its own: waiting clients
    /// cannot delay the node's reads. Close it before `self`.
    pub async fn for_clients(&self) -> Result<Self, StorageError> {
        Self::open_readers(&self.location, self.chain, CLIENT_WAIT_MAX).await
    }

    /// Waits for the last transaction and closes the database. Another process may then write it.
    pub async fn close(&self) {
        if let Some(index) = &self.index {
            index.readers.close().await;
            let writer = index.writer.lock().await.take();
            close(writer).await;
        }
        self.readers.close().await;
        let writer = self.writer.lock().await.take();
        close(writer.map(JournalWriter::into_connection)).await;
        self.lock.lock().await.take();
    }

    /// Location of the database.
    pub const fn location(&self) -> &DatabaseLocation {
        &self.location
    }

    /// The connection that writes journal and outbox.
    pub(crate) async fn writer(&self) -> Result<MappedMutexGuard<'_, JournalWriter>, StorageError> {
        let guard = self.writer.lock().await;
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| StorageError::Closed)
    }

    pub(crate) fn index_database(&self) -> &IndexDatabase {
        self.index.as_ref().expect("invariant: only a database with a journal has an index")
    }

    async fn readers_of(
        &self,
        part: DatabasePart,
        wait: Duration,
    ) -> Result<AnyPool, StorageError> {
        if self.location.is_one() {
            Ok(self.readers.clone())
        } else {
            self.location.readers(part, wait).await
        }
    }
}

impl IndexDatabase {
    /// The connection that writes the index.
    pub(crate) async fn writer(&self) -> Result<MappedMutexGuard<'_, AnyConnection>, StorageError> {
        let guard = self.writer.lock().await;
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| StorageError::Closed)
    }
}

async fn close(connection: Option<AnyConnection>) {
    if let Some(connection) = connection {
        // Closing a broken connection fails, and the failure has no effect.
        let _ = connection.close().await;
    }
}

async fn chain_of(executor: impl sqlx::AnyExecutor<'_>) -> sqlx::Result<Option<B256>> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = 'chain'").fetch_optional(executor);
    let row = row.await?;
    row.map(|row| Ok(B256::right_padding_from(row.try_get::<&[u8], _>(0)?))).transpose()
}

fn check_chain(
    location: &DatabaseLocation,
    expected: B256,
    found: Option<B256>,
) -> Result<(), StorageError> {
    match found {
        Some(found) if found != expected => {
            Err(StorageError::OtherGenesis { location: location.clone(), expected, found })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn client_reads_never_delay_the_nodes_reads() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let location = DatabaseLocation::from(folder.path().join("sequencer.db"));
        let database = Database::open(&location, B256::ZERO).await.expect("opens");
        let wait = Duration::from_millis(20);
        let clients = Database::open_readers(&location, B256::ZERO, wait).await.expect("opens");
        let pools = [&clients.readers, &clients.index_database().readers];
        let mut held = Vec::new();
        for pool in pools {
            for _ in 0..pool.options().get_max_connections() {
                held.push(pool.acquire().await.expect("a connection is free"));
            }
        }
        let busy = clients.head_block().await.expect_err("all connections are in use");
        assert!(matches!(busy, StorageError::Busy), "{busy}");
        assert_eq!(database.head_block().await.expect("reads"), None);
        database.rows(0, 1).await.expect("reads");
        drop(held);
        assert_eq!(clients.head_block().await.expect("reads"), None);
        clients.close().await;
        database.close().await;
        let again = Database::open(&location, B256::ZERO).await.expect("the lock is free");
        again.close().await;
    }
}
