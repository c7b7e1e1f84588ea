//! A PostgreSQL server for tests, on a Unix socket in a temporary folder.
//!
//! The server runs as an unprivileged user with `fsync`, and stops when the process that started it
//! ends, even by a crash. Without PostgreSQL installed, callers skip their tests; with `CI` set
//! they fail instead.

mod binaries;
mod server;

pub use binaries::Binaries;
pub use server::{Server, ServerError};

use std::sync::OnceLock;

/// Server that all tests of this process share.
static SHARED: OnceLock<Server> = OnceLock::new();

/// Whether PostgreSQL is installed. If not, tests that need it are skipped.
///
/// # Panics
///
/// With `CI` set and PostgreSQL not installed.
pub fn is_installed() -> bool {
    let is_there = Binaries::find().is_some();
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "PostgreSQL is not installed, and CI is set: initdb is neither on PATH nor in /usr/lib/postgresql/*/bin"
    );
    is_there
}

/// Creates an empty database on this process's server and returns its URL. Starts the server if
/// necessary.
///
/// # Panics
///
/// If no server can be started.
pub fn database() -> String {
    let server = SHARED.get_or_init(|| Server::start().expect("a server"));
    server.create_database().expect("a database")
}
