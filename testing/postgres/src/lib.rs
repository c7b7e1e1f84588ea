//! A PostgreSQL server of a test's own, on a Unix socket in a temporary folder.
//!
//! It runs as an unprivileged user, with `fsync`, and ends with the process that started it, however that ends. Where PostgreSQL is not
//! installed, tests are to say that they were left out; with `CI` set they fail instead.

mod binaries;
mod server;

pub use binaries::Binaries;
pub use server::{Server, ServerError};

use std::sync::OnceLock;

/// The server that all tests of this process share.
static SHARED: OnceLock<Server> = OnceLock::new();

/// Whether there can be a server: if not, tests that need one are left out.
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

/// URL of a new, empty database on this process's server, which is started if need be.
///
/// # Panics
///
/// If there can be no server.
pub fn database() -> String {
    let server = SHARED.get_or_init(|| Server::start().expect("a server"));
    server.create_database().expect("a database")
}
