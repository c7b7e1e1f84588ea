/// Holds a file of this crate that people read to the table that the code makes; with `TURNPIKE_WRITE_TABLES` set it is written anew.
pub(crate) fn assert_documented(file: &str, table: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("TURNPIKE_WRITE_TABLES").is_some() {
        std::fs::write(&path, table).expect("writes");
    }
    let written = std::fs::read_to_string(&path).expect("is there");
    assert_eq!(written, table, "write it anew with TURNPIKE_WRITE_TABLES=1");
}
