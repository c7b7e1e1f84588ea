use std::path::{Path, PathBuf};

/// Folder where distributions install each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";

/// PostgreSQL's programs.
#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Finds the programs on `PATH`, or else the newest version that the distribution installed.
    pub fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<_> = std::env::split_paths(&path).collect();
        let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
        let mut versions: Vec<_> = versions.map(|version| version.path()).collect();
        versions.sort_by_key(|path| {
            path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok())
        });
        folders.extend(versions.into_iter().rev().map(|version| version.join("bin")));
        folders.into_iter().find(|folder| is_whole(folder)).map(Self)
    }

    /// Path of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn is_whole(folder: &Path) -> bool {
    ["initdb", "postgres", "createdb"].iter().all(|name| folder.join(name).is_file())
}
