//! Reads a file of tests and tells the kind of each test by its fields.

use std::{collections::BTreeMap, fs};

use serde_json::value::RawValue;

use crate::{error::FormatError, report::TestKind, suite::SuiteItem};

/// Reads the tests of a file, by name. A file without tests is an error.
pub(crate) fn tests_of(item: &SuiteItem) -> Result<BTreeMap<String, Box<RawValue>>, FormatError> {
    let tests: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&fs::read(&item.path)?)?;
    if tests.is_empty() {
        return Err(FormatError::Content("holds no test".to_owned()));
    }
    Ok(tests)
}

/// Tells the kind of a test by its fields.
pub(crate) fn kind_of(json: &RawValue) -> Result<TestKind, FormatError> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json.get())?;
    let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
    if has(&["env", "pre", "transaction", "post"]) {
        Ok(TestKind::State)
    } else if has(&["txbytes", "result"]) {
        Ok(TestKind::Transaction)
    } else if has(&["in"]) {
        Ok(TestKind::Trie)
    } else {
        Err(FormatError::Content("neither a state, a transaction nor a trie test".to_owned()))
    }
}
