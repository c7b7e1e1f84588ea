//! The location of a test's database, on SQLite or PostgreSQL.

use std::{pin::Pin, str::FromStr as _};

use libtest_mimic::{Failed, Trial};
use sqlx::{
    AnyConnection, ConnectOptions as _, Executor as _,
    any::{AnyConnectOptions, install_default_drivers},
};
use tempfile::TempDir;
use turnpike_storage::DatabaseLocation;

/// Database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// The location of a test's database.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    /// URL of the server; `None` for SQLite.
    url: Option<String>,
}

/// The two parts of a database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DatabasePart {
    Journal,
    Index,
}

type Test = fn(Place) -> Pin<Box<dyn Future<Output = ()>>>;

/// A test on one engine. It is ignored if PostgreSQL is not installed.
pub(crate) fn trial(name: &str, kind: Kind, test: Test) -> Trial {
    let is_missing = kind == Kind::Postgres && !turnpike_test_postgres::is_installed();
    let name = format!("{}::{name}", format!("{kind:?}").to_lowercase());
    Trial::test(name, move || run(kind, test)).with_ignored_flag(is_missing)
}

fn run(kind: Kind, test: Test) -> Result<(), Failed> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let url = match kind {
        Kind::Sqlite => None,
        Kind::Postgres => Some(turnpike_test_postgres::database()),
    };
    runtime.block_on(test(Place { folder: tempfile::tempdir()?, url }));
    Ok(())
}

impl Place {
    pub(crate) fn at(url: String) -> Self {
        Self { folder: tempfile::tempdir().expect("temporary directory"), url: Some(url) }
    }

    /// Another location on the same engine.
    pub(crate) fn other(&self) -> Self {
        let url = self.url.as_ref().map(|_| turnpike_test_postgres::database());
        Self { folder: tempfile::tempdir().expect("temporary directory"), url }
    }

    /// The same server database with another schema.
    pub(crate) fn with_schema(&self, name: &str) -> Self {
        let url = self.url.as_ref().expect("a server");
        Self::at(format!("{url}&options[search_path]={name}"))
    }

    pub(crate) fn location(&self) -> DatabaseLocation {
        let Some(url) = &self.url else { return self.folder.path().join("role.db").into() };
        let Ok(location) = url.parse();
        location
    }

    /// Connects without locks and checks, so that a test can damage the database.
    pub(crate) async fn raw(&self, part: DatabasePart) -> AnyConnection {
        self.connect(part, "rw").await
    }

    /// Does what [`Self::raw`] does, and creates the file.
    pub(crate) async fn create(&self, part: DatabasePart) -> AnyConnection {
        self.connect(part, "rwc").await
    }

    async fn connect(&self, part: DatabasePart, mode: &str) -> AnyConnection {
        install_default_drivers();
        let file = match part {
            DatabasePart::Journal => "role.db",
            DatabasePart::Index => "role.index.db",
        };
        let path = self.folder.path().join(file);
        let url =
            self.url.clone().unwrap_or_else(|| format!("sqlite://{}?mode={mode}", path.display()));
        let options = AnyConnectOptions::from_str(&url).expect("valid URL");
        let mut raw = options.connect().await.expect("connects");
        // Writes that damage a database need not be durable.
        let careless = match self.url {
            None => "PRAGMA synchronous = OFF",
            Some(_) => "SET synchronous_commit = off",
        };
        raw.execute(careless).await.expect("applies the setting");
        raw
    }
}
