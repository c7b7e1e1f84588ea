use std::{ffi::OsStr, fs::File, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::process::{Child, Command};

/// Longest time that a program may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A shell that stops a program once its standard input closes.
const KEEPER: &str = r#""$@" & child=$!; read -r _; kill -TERM "$child"; wait "$child""#;

/// A program that stops in order when this process ends, however it ends.
#[derive(Debug)]
pub(crate) struct KeptProcess {
    keeper: Child,
}

impl KeptProcess {
    /// Starts a program that writes its output to `log`.
    pub(crate) fn spawn<A: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in a terminal reaches this process only, which stops the program.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { keeper })
    }

    /// The id of the keeper, whose descendant the program is.
    pub(crate) fn id(&self) -> Option<u32> {
        self.keeper.id()
    }

    /// Asks the program to stop and waits for its end. `false` if it has not stopped in time.
    pub(crate) async fn stop(mut self) -> bool {
        drop(self.keeper.stdin.take());
        tokio::time::timeout(STOP_TIMEOUT, self.keeper.wait()).await.is_ok()
    }
}
