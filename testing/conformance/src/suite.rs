//! Finds test files and block folders, and names the suite of each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::ConformanceError;

/// Names of folders that hold suites, and how many levels below them a suite is.
const MARKERS: [(&str, usize); 4] =
    [("GeneralStateTests", 1), ("TransactionTests", 1), ("TrieTests", 0), ("state_tests", 2)];

/// File names of a block.
const BLOCK_FILES: [&str; 2] = ["block.json.gz", "block.json"];

/// Files beside the block folders that all blocks share.
const SHARED_FILES: [&str; 3] = ["codes.json.gz", "codes.json", "block_hashes.json"];

/// A file of tests, or a folder with a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SuiteItem {
    /// Name of its suite.
    pub(crate) suite: String,
    /// Path below the suite, for reports.
    pub(crate) file: String,
    /// Path on disk.
    pub(crate) path: PathBuf,
    /// Whether it is a folder with a block.
    pub(crate) is_block: bool,
    /// Bytes to read. The largest items start first.
    pub(crate) bytes: u64,
}

/// Lists every item at or below `root`, sorted: files named `*.json` and folders with a block.
pub(crate) fn discover(root: &Path) -> Result<Vec<SuiteItem>, ConformanceError> {
    let root = root.canonicalize().map_err(|source| io(root, source))?;
    let mut items = Vec::new();
    walk(&root, &mut items)?;
    if items.is_empty() {
        return Err(ConformanceError::NothingFound(root));
    }
    items.sort();
    Ok(items)
}

fn walk(path: &Path, items: &mut Vec<SuiteItem>) -> Result<(), ConformanceError> {
    let metadata = fs::metadata(path).map_err(|source| io(path, source))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if metadata.is_file() {
        if name.ends_with(".json") && !SHARED_FILES.contains(&&*name) {
            items.push(item(path, false, metadata.len()));
        }
        return Ok(());
    }
    if let Some(block) = BLOCK_FILES.iter().map(|name| path.join(name)).find(|path| path.is_file())
    {
        let bytes = fs::metadata(&block).map_err(|source| io(&block, source))?.len();
        items.push(item(path, true, bytes));
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|source| io(path, source))? {
        let entry = entry.map_err(|source| io(path, source))?;
        // Hidden folders such as `.meta` hold no tests.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            walk(&entry.path(), items)?;
        }
    }
    Ok(())
}

/// Names an item by its path: the suite is below a folder of [`MARKERS`], or else the parent
/// folder.
fn item(path: &Path, is_block: bool, bytes: u64) -> SuiteItem {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let last = parts.len() - 1;
    let marked = MARKERS.iter().find_map(|(marker, levels)| {
        let place = parts[..last].iter().rposition(|part| part == marker)?;
        Some((place, (place + 1 + levels).min(last)))
    });
    let (from, to) = marked.unwrap_or_else(|| (last.saturating_sub(1), last));
    SuiteItem {
        suite: parts[from..to].join("/"),
        file: parts[to..].join("/"),
        path: path.to_owned(),
        is_block,
        bytes,
    }
}

fn io(path: &Path, source: std::io::Error) -> ConformanceError {
    ConformanceError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_named_by_their_path() {
        for (path, suite, file) in [
            ("/t/GeneralStateTests/stShift/shl01.json", "GeneralStateTests/stShift", "shl01.json"),
            ("/t/GeneralStateTests/VMTests/vmA/a.json", "GeneralStateTests/VMTests", "vmA/a.json"),
            ("/t/GeneralStateTests/a.json", "GeneralStateTests", "a.json"),
            ("/t/TrieTests/trietest.json", "TrieTests", "trietest.json"),
            ("/t/state_tests/osaka/eip1/x/y.json", "state_tests/osaka/eip1", "x/y.json"),
            ("/t/mainnet-blocks/46147", "mainnet-blocks", "46147"),
            ("/a.json", "/", "a.json"),
        ] {
            let item = item(Path::new(path), false, 0);
            assert_eq!((item.suite.as_str(), item.file.as_str()), (suite, file), "{path}");
        }
    }
}
