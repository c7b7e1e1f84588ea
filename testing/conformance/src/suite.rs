use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::ConformanceError;

/// Directories that hold suites, and how many levels below them one suite is.
const MARKERS: [(&str, usize); 4] =
    [("GeneralStateTests", 1), ("TransactionTests", 1), ("TrieTests", 0), ("state_tests", 2)];

/// Names that a block's transactions and pre-state can have.
const BLOCK_FILES: [&str; 2] = ["block.json.gz", "block.json"];

/// Files beside the blocks that belong to all of them.
const SHARED_FILES: [&str; 3] = ["codes.json.gz", "codes.json", "block_hashes.json"];

/// One thing to run: a file of tests, or a directory with a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// The suite it counts for.
    pub(crate) suite: String,
    /// Its name in reports: its path below the suite.
    pub(crate) file: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether it is a directory with a block.
    pub(crate) is_block: bool,
    /// Bytes to read: long ones are begun with.
    pub(crate) bytes: u64,
}

/// Everything to run below `root`, in order: files named `*.json` and directories with a block.
pub(crate) fn discover(root: &Path) -> Result<Vec<Item>, ConformanceError> {
    let root = root.canonicalize().map_err(|source| io(root, source))?;
    let mut items = Vec::new();
    walk(&root, &mut items)?;
    if items.is_empty() {
        return Err(ConformanceError::NothingFound(root));
    }
    items.sort();
    Ok(items)
}

fn walk(path: &Path, items: &mut Vec<Item>) -> Result<(), ConformanceError> {
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
        // Indexes and the like (`.meta`) are no tests.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            walk(&entry.path(), items)?;
        }
    }
    Ok(())
}

/// Names an item by its place: below a directory that is known to hold suites, or else in its parent.
fn item(path: &Path, is_block: bool, bytes: u64) -> Item {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let last = parts.len() - 1;
    let marked = MARKERS.iter().find_map(|(marker, levels)| {
        let place = parts[..last].iter().rposition(|part| part == marker)?;
        Some((place, (place + 1 + levels).min(last)))
    });
    let (from, to) = marked.unwrap_or_else(|| (last.saturating_sub(1), last));
    Item {
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
    fn suites_are_named_by_their_place() {
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
