//! Compares tables in the documentation with the tables that the code generates.

/// Asserts that a file of this crate's documentation equals the table that the code generates. With
/// `TURNPIKE_WRITE_TABLES` set, the file is written first.
pub(crate) fn assert_documented(file: &str, table: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("TURNPIKE_WRITE_TABLES").is_some() {
        std::fs::write(&path, table).expect("writes");
    }
    let written = std::fs::read_to_string(&path).expect("the file exists");
    assert_eq!(written, table, "regenerate the file with TURNPIKE_WRITE_TABLES=1");
}
