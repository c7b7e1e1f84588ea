use std::{
    fs::{self, File},
    io,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::Binaries;

/// Users that the server may run as if the test runs as root, in order of preference.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Superuser of the databases.
const ADMINISTRATOR: &str = "postgres";

/// Longest time that a start may take, on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// Time between two checks of a server that starts or stops.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Runs the server until standard input closes, which happens when the test process ends. Then
/// stops the server and deletes its folder.
const GUARD: &str = r#"
folder=$1; shift
trap '' INT TERM HUP
"$@" < /dev/null &
server=$!
read -r _
kill -INT $server 2> /dev/null
wait $server
rm -rf "$folder"
"#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    folder: PathBuf,
    owner: Option<Owner>,
    guard: Child,
    databases: AtomicU32,
}

/// An unprivileged user.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
}

/// Why no server could be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// PostgreSQL's programs were not found.
    #[error(
        "PostgreSQL is not installed: initdb is neither on PATH nor in /usr/lib/postgresql/*/bin"
    )]
    NotInstalled,
    /// The test runs as root, and there is no unprivileged user to run the server.
    #[error("PostgreSQL does not run as root, and there is no user postgres or nobody")]
    NoUser,
    /// A program failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// The program.
        program: &'static str,
        /// Its error output.
        reason: String,
    },
    /// The server did not start in time.
    #[error("PostgreSQL did not start: {0}")]
    Slow(String),
    /// A file could not be written, or a program could not be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Server {
    /// Starts a server. It stops when this value is dropped or the process ends.
    pub fn start() -> Result<Self, ServerError> {
        let binaries = Binaries::find().ok_or(ServerError::NotInstalled)?;
        let owner = Owner::needed()?;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir()?;
        if let Some(owner) = owner {
            chown(folder.path(), Some(owner.user), Some(owner.group))?;
        }
        initialise(&binaries, folder.path(), owner)?;
        let guard = guard(&binaries, folder.path(), owner)?;
        // The guard, which outlives this process, deletes the folder.
        let folder = folder.keep();
        let mut server = Self { binaries, folder, owner, guard, databases: AtomicU32::new(0) };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Creates an empty database. Returns its URL.
    pub fn create_database(&self) -> Result<String, ServerError> {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut command = command(&self.binaries, "createdb", &self.folder, self.owner);
        command.arg("-h").arg(&self.folder).args(["-U", ADMINISTRATOR, &name]);
        run("createdb", &mut command)?;
        Ok(self.url(&name))
    }

    /// URL of a database.
    pub fn url(&self, name: &str) -> String {
        let folder = self.folder.display();
        format!("postgres://{ADMINISTRATOR}@localhost/{name}?host={folder}")
    }

    /// Kills the server with SIGKILL and starts it again on the same data.
    pub fn crash(&mut self) -> Result<(), ServerError> {
        let first_line = fs::read_to_string(self.data().join("postmaster.pid"))?;
        let id = first_line.lines().next().unwrap_or_default().to_owned();
        run("kill", Command::new("kill").args(["-9", &id]))?;
        // Renames the folder, so that the old server's guard does not delete it.
        let kept = self.folder.with_extension("kept");
        fs::rename(&self.folder, &kept)?;
        drop(self.guard.stdin.take());
        self.guard.wait()?;
        fs::rename(&kept, &self.folder)?;
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        self.guard = guard(&self.binaries, &self.folder, self.owner)?;
        self.wait_until_ready()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let start = Instant::now();
        loop {
            // The file's last line is the server's state.
            let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if status.lines().last().is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let has_ended = self.guard.try_wait()?.is_some();
            if has_ended || start.elapsed() > START_TIME_MAX {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(ServerError::Slow(log));
            }
            sleep(LOOK_INTERVAL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Owner {
    /// The user to run the server as, if it must differ from the test's.
    fn needed() -> Result<Option<Self>, ServerError> {
        let probe = tempfile::tempfile()?;
        if std::os::unix::fs::MetadataExt::uid(&probe.metadata()?) != 0 {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let find = |name| users.lines().find_map(|line| Self::from_line(line, name));
        USERS.iter().find_map(|name| find(*name)).map(Some).ok_or(ServerError::NoUser)
    }

    fn from_line(line: &str, name: &str) -> Option<Self> {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let mut number = fields.skip(1).map(|field| field.parse().ok());
        Some(Self { user: number.next()??, group: number.next()?? })
    }
}

fn initialise(binaries: &Binaries, folder: &Path, owner: Option<Owner>) -> Result<(), ServerError> {
    let mut command = command(binaries, "initdb", folder, owner);
    command.arg("-D").arg(folder.join("data")).args(["-U", ADMINISTRATOR]).args([
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    run("initdb", &mut command)
}

/// Starts the server under the guard script.
fn guard(binaries: &Binaries, folder: &Path, owner: Option<Owner>) -> Result<Child, ServerError> {
    let log = File::create(folder.join("log"))?;
    let mut command = of_owner("sh", folder, owner);
    command
        .args(["-c", GUARD, "guard"])
        .arg(folder)
        .arg(binaries.program("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(["-c", "listen_addresses="])
        .args(["-c", "fsync=on"])
        .args(["-c", "max_connections=200"])
        .args(["-c", "shared_buffers=32MB"])
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command.spawn()?)
}

fn command(
    binaries: &Binaries,
    program: &'static str,
    folder: &Path,
    owner: Option<Owner>,
) -> Command {
    of_owner(binaries.program(program), folder, owner)
}

fn of_owner(program: impl AsRef<std::ffi::OsStr>, folder: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    // The environment may describe another server.
    for name in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGDATA", "PGOPTIONS", "PGSERVICE"] {
        command.env_remove(name);
    }
    if let Some(owner) = owner {
        command.uid(owner.user).gid(owner.group);
    }
    command
}

fn run(program: &'static str, command: &mut Command) -> Result<(), ServerError> {
    let Output { status, stderr, .. } = command.stdin(Stdio::null()).output()?;
    if status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&stderr).into_owned();
    Err(ServerError::Program { program, reason })
}
