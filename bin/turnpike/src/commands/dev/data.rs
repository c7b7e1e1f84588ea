use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use turnpike_protocol::Genesis;

use crate::common::{read_genesis, write_genesis};

/// The file that marks a data folder.
const GENESIS_FILE: &str = "genesis.json";

/// The folder of the state's checkpoints.
pub(crate) const STATE_FOLDER: &str = "sequencer.state";

/// The folder of batch data read from L1.
pub(crate) const ARCHIVE_FOLDER: &str = "entries";

/// All files of a data folder. Starting over deletes them.
const FILES: [&str; 17] = [
    GENESIS_FILE,
    "sequencer.db",
    "sequencer.db-wal",
    "sequencer.db-shm",
    "sequencer.index.db",
    "sequencer.index.db-wal",
    "sequencer.index.db-shm",
    "sequencer.lock",
    "batcher.db",
    "batcher.db-wal",
    "batcher.db-shm",
    "batcher.lock",
    "challenger.db",
    "challenger.db-wal",
    "challenger.db-shm",
    "challenger.lock",
    "l1-state.json",
];

/// The data folder of a development chain, locked against other processes.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    pub(crate) fn open(path: Option<PathBuf>, fresh: bool, liar: bool) -> anyhow::Result<Self> {
        let default = if liar { ".turnpike/liar" } else { ".turnpike/dev" };
        let path: PathBuf = path.unwrap_or_else(|| default.into());
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        let lock = lock(&path)?;
        let data = Self { path, _lock: lock };
        if fresh || liar {
            for folder in [STATE_FOLDER, ARCHIVE_FOLDER].map(|name| data.file(name)) {
                deleted(&folder, std::fs::remove_dir_all(&folder))?;
            }
            for file in FILES.map(|name| data.file(name)) {
                deleted(&file, std::fs::remove_file(&file))?;
            }
        } else if !data.file(GENESIS_FILE).exists() && data.file("sequencer.db").exists() {
            bail!(
                "{} holds a database but no {GENESIS_FILE}: start over with --fresh",
                data.path.display()
            );
        }
        Ok(data)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn genesis_path(&self) -> PathBuf {
        self.file(GENESIS_FILE)
    }

    /// The genesis of the chain in the folder, if there is one.
    pub(crate) fn genesis(&self) -> anyhow::Result<Option<Genesis>> {
        let path = self.genesis_path();
        if path.exists() { read_genesis(&path).map(Some) } else { Ok(None) }
    }

    pub(crate) fn write_genesis(&self, genesis: &Genesis) -> anyhow::Result<()> {
        write_genesis(&self.genesis_path(), genesis)
    }
}

/// Ignores that there was nothing to delete.
fn deleted(path: &Path, result: std::io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("dev.lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("{} is in use by another process", folder.display()),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
