//! For tests in other languages: starts a server, creates a database and prints its URL for each
//! line of standard input, and ends when standard input closes.

use std::io::{BufRead as _, Write as _, stdin, stdout};

use turnpike_test_postgres::{Server, ServerError};

fn main() -> Result<(), ServerError> {
    let server = Server::start()?;
    for line in stdin().lock().lines() {
        line?;
        writeln!(stdout(), "{}", server.create_database()?)?;
    }
    Ok(())
}
